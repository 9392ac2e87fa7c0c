"""Where votes are bought, lent and sold: the market of a governance token outside the venue.

A purchase of a share `x` of what is on offer within a tenth of the price moves it by a tenth of `x`, along a
line; what is sold moves it down again by as much, so that a round trip costs its fees. Loans need no
collateral that matters here; a flash loan lasts for one moment. Money is counted in USD, tokens in
micro-tokens.
"""

from agents.settings import Settings, parameter
from protocol.arithmetic import MICRO


class TokenSettings(Settings):
    """The governance token outside the venue; defaults are of the size of Compound's."""

    price: float = parameter(50.0, "USD", ge=1e-4)
    depth: float = parameter(
        5e6, "USD", ge=1, description="that moves the price by a tenth, in either direction"
    )
    fee: float = parameter(0.003, "1", "Uniswap v3: 0.3 % of a trade", ge=0, lt=1)
    lendable: float = parameter(0.05, "1", ge=0, le=1, description="of supply, for days")
    lending_rate: float = parameter(0.0005, "1/day", ge=0, description="of the value lent")
    flash: float = parameter(0.1, "1", ge=0, le=1, description="of supply, for one moment")
    flash_fee: float = parameter(0.0009, "1", "Aave v3: 0.09 %", ge=0, le=1)
    crash: float = parameter(
        0.3, "1", ge=0, le=1, description="what the token loses when a hostile proposal is executed"
    )


class TokenMarket:
    """Price, and what is left to lend.

    Parameters
    ----------
    settings : TokenSettings
    supply : int
        [micro-tokens].
    """

    def __init__(self, settings: TokenSettings, supply: int) -> None:
        self.settings, self.price = settings, settings.price
        self.slope = 0.1 * settings.price**2 / settings.depth
        self.lendable = int(settings.lendable * supply)
        self.flash = int(settings.flash * supply)

    def cost(self, tokens: int) -> float:
        """What a purchase costs, or a sale (negative) brings, as a negative cost, with the fee [USD]."""
        amount, fee, slope = tokens / MICRO, self.settings.fee, self.slope
        if amount >= 0:
            return (1 + fee) * (self.price * amount + slope * amount**2 / 2)
        sold = min(-amount, self.price / slope)
        return -(1 - fee) * (self.price * sold - slope * sold**2 / 2)

    def trade(self, tokens: int) -> float:
        """Buy, or sell what is negative; returns the cost [USD], and the price stays where it leads."""
        paid = self.cost(tokens)
        self.price = max(self.price + self.slope * tokens / MICRO, 0.0)
        return paid

    def affordable(self, usd: float) -> int:
        """Tokens that so much money buys [micro-tokens]."""
        spent = max(usd, 0.0) / (1 + self.settings.fee)
        return int(MICRO * ((self.price**2 + 2 * self.slope * spent) ** 0.5 - self.price) / self.slope)

    def interest(self, tokens: int, days: float) -> float:
        """What a loan costs for so long [USD]."""
        return self.price * tokens / MICRO * self.settings.lending_rate * days

    def flash_cost(self, tokens: int) -> float:
        """What a loan for one moment costs [USD]."""
        return self.price * tokens / MICRO * self.settings.flash_fee

    def fall(self) -> None:
        """The price after a hostile proposal."""
        self.price *= 1 - self.settings.crash
