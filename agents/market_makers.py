"""Market makers: a ladder on both sides around the outside price, inventory hedged outside.

The ladder's centre is the outside price times a smoothed share of the venue's own basis, less a skew against
the inventory. The half-spread grows with volatility, the sizes shrink with volatility, with drawdown, with
the margin already used, and when liquidity flees. A maker who has lost too much stops quoting and only
hedges. Makers move cash between the venue and outside so that each side can carry its leg.
"""

import mesa
import numpy as np

from agents.role import (
    DEPOSIT,
    WITHDRAW,
    Actions,
    Endowment,
    Role,
    Stream,
    Transfers,
    View,
    hedge_toward,
    merge_transfers,
    transfers,
)
from agents.settings import Duration, Settings, parameter
from protocol.book import Floats, Ints
from protocol.orders import POST_ONLY, Orders, orders


class MarketMakerSettings(Settings):
    """Settings of market makers; sizes are over capital."""

    accounts: int = parameter(8, "1", ge=0, le=10_000)
    capital: float = parameter(0.12, "1", gt=0, description="of all makers together, of open interest")
    outside: float = parameter(1.0, "1", ge=0, description="cash outside, of capital")
    half_spread: float = parameter(
        2.0, "bp", "quoted spread on dYdX 0.34 bp at the touch; a minute's ladder starts wider", gt=0
    )
    volatility_spread: float = parameter(
        0.25, "1", ge=0, description="half-spread per volatility of a minute"
    )
    levels: int = parameter(8, "1", ge=1, le=50)
    width: float = parameter(0.02, "1", gt=0, lt=1, description="from the centre to the last level")
    quoted: float = parameter(0.4, "1", gt=0, description="notional on each side of a market, of capital")
    skew: float = parameter(0.002, "1", ge=0, description="shift of the centre when inventory equals capital")
    basis_weight: float = parameter(0.7, "1", ge=0, le=1, description="of the smoothed basis in the centre")
    basis_half_life: Duration = parameter(1800, "s", gt=0)
    volatility_exponent: float = parameter(1.0, "1", ge=0, description="size ~ volatility^-exponent")
    drawdown_limit: float = parameter(0.3, "1", gt=0, le=1, description="loss of capital that ends quoting")
    withdrawal: float = parameter(
        1.0,
        "1",
        ge=0,
        le=10,
        description="size ~ (loss still bearable over limit)^withdrawal; 0: no loss scares",
    )
    hedge_rate: float = parameter(0.5, "1/min", ge=0, description="share of the gap hedged")
    hedge_band: float = parameter(0.02, "1", ge=0, description="open risk that is not hedged, of capital")


class MarketMakers(Role):
    """All market makers, one account each."""

    name = "market_makers"

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: MarketMakerSettings,
        markets: tuple[str, ...],
    ):
        super().__init__(model, accounts, stream)
        self.settings = settings
        self.capital = np.zeros(len(accounts))
        self.basis = np.zeros(len(markets))
        self.seen: Floats | None = None

    def endow(self, open_interest: float, price: Ints) -> Endowment:
        """Equal capital for each maker [micro-USD], no positions."""
        each = self.settings.capital * open_interest / max(len(self.accounts), 1)
        self.capital = np.full(len(self.accounts), each)
        cash = self.capital.astype(np.int64)
        return Endowment(
            cash, self.settings.outside * self.capital, np.zeros((len(price), len(cash)), np.int64)
        )

    def act(self, view: View) -> Actions:
        """Replace all quotes, hedge, and balance cash between the venue and outside."""
        self._follow_basis(view)
        held = view.book.size[:, self.accounts].astype(float)
        band = self.settings.hedge_band * self.capital / view.outside[:, None]
        share = 1 - (1 - min(self.settings.hedge_rate, 0.999)) ** (view.seconds / 60)
        return Actions(
            orders=self._quotes(view, held),
            leaving=self.accounts,
            transfers=self._balance(view),
            hedges=hedge_toward(view, self.accounts, -held, share, band),
        )

    def _follow_basis(self, view: View) -> None:
        """Smooth the distance of the venue's quotes from the outside price that they were made at."""
        memory = 0.5 ** (view.seconds / self.settings.basis_half_life)
        then = view.outside if self.seen is None else self.seen
        self.basis = memory * self.basis + (1 - memory) * (view.mid / then - 1)
        self.seen = view.outside.copy()

    def _appetite(self, view: View) -> Floats:
        """Share of the ordinary quote size that each maker shows in each market, (m, k) [1]."""
        chosen = self.settings
        equity, initial, _ = view.risk_of(self.accounts)
        worth = equity + view.outside_worth(self.accounts)
        loss = 1 - worth / (self.capital * (1 + chosen.outside))
        nerve = np.clip(1 - loss / chosen.drawdown_limit, 0, 1) ** chosen.withdrawal
        room = np.clip(1 - initial / np.maximum(equity, 1), 0, 1)
        calm = np.minimum(1, (view.calm_volatility / view.volatility) ** chosen.volatility_exponent)
        willing = calm[:, None] * nerve * room * (1 - view.withdrawn)
        return willing * (view.holdable(self.accounts) & view.rests)

    def _quotes(self, view: View, held: Floats) -> Orders:
        """Post-only ladders on both sides of every market."""
        chosen = self.settings
        minute = view.volatility * np.sqrt(60.0)
        inventory = held * view.outside[:, None] / self.capital
        centre = view.outside[:, None] * (
            1 + chosen.basis_weight * self.basis[:, None] - chosen.skew * np.clip(inventory, -3, 3)
        )
        half = chosen.half_spread * 1e-4 + chosen.volatility_spread * minute
        steps = np.linspace(0, 1, chosen.levels)
        distance = half[:, None] + steps**2 * (chosen.width + 4 * minute[:, None])
        lots = chosen.quoted / chosen.levels * self.capital * self._appetite(view) / view.outside[:, None]
        side = np.array([1, -1])[:, None, None, None]
        price = centre[None, :, :, None] * (1 - side * distance[None, :, None, :])
        size = side * np.broadcast_to(lots[None, :, :, None], price.shape).astype(np.int64)
        market = np.broadcast_to(np.arange(len(half))[None, :, None, None], price.shape)
        account = np.broadcast_to(self.accounts[None, None, :, None], price.shape)
        flat = (account.ravel(), market.ravel(), size.ravel(), np.rint(price).astype(np.int64).ravel())
        return orders(*flat, kind=POST_ONLY, expiry=view.block)

    def _balance(self, view: View) -> Transfers:
        """Bring cash in when the venue's leg is short of it, take it out when there is plenty."""
        equity, initial, _ = view.risk_of(self.accounts)
        target = np.maximum(self.capital, 2.0 * initial)
        lacking = np.where(equity < 0.7 * target, target - equity, 0)
        spare = np.where(equity > 1.5 * target, equity - target, 0)
        funds = np.maximum(view.outside_worth(self.accounts) * 0.5, 0)
        arriving = transfers(self.accounts, np.minimum(lacking, funds).astype(np.int64), DEPOSIT)
        return merge_transfers(arriving, transfers(self.accounts, spare.astype(np.int64), WITHDRAW))
