"""A plotter's tokens: bought, borrowed, sold and given back, each paid from his account outside the venue.

What is bought and borrowed comes from the tokens that nobody votes with, and goes back there, so that the
number of tokens never changes by a trade.
"""

from collections.abc import Callable

from agents.attackers.chamber import Chamber
from agents.token_market import TokenMarket
from protocol.arithmetic import MICRO
from protocol.governance.tokens import Tokens

DAY = 86_400.0
COSTS = ("purchases", "sales", "interest", "fees", "bribes")


class Holding:
    """What a plotter holds and owes, and what it has cost.

    Parameters
    ----------
    account : int
        Whose cash outside the venue pays.

    Attributes
    ----------
    spent : dict of str to float
        By `COSTS` [USD]; sales are negative.
    borrowed, bought : int
        Tokens that are owed, and own ones that were paid for [micro-tokens].
    earned : float
        What tokens brought that were never paid for [USD].
    """

    def __init__(self, account: int) -> None:
        self.account = account
        self.spent = dict.fromkeys(COSTS, 0.0)
        self.borrowed, self.bought, self.earned = 0, 0, 0.0
        self._accrued = 0.0

    @property
    def cost(self) -> float:
        """What votes have cost so far: purchases net of sales, interest, fees, bribes [USD]."""
        return sum(self.spent.values())

    def money(self, chamber: Chamber) -> float:
        """Cash outside the venue [USD]."""
        return max(float(chamber.cash[self.account]) / MICRO, 0.0)

    def pay(self, chamber: Chamber, usd: float, what: str) -> None:
        """Spend money on something; what is negative is earned."""
        chamber.cash[self.account] -= usd * MICRO
        self.spent[what] += usd

    def buy(self, chamber: Chamber, tokens: int) -> int:
        """Buy as many of so many tokens as money and the market's stock reach; returns how many."""
        held, market = _traded(chamber)
        bought = max(min(tokens, market.affordable(self.money(chamber)), _stock(chamber)), 0)
        self.pay(chamber, market.trade(bought), "purchases")
        self.bought += bought
        held.transfer(chamber.lender, chamber.holder, bought, chamber.time)
        return bought

    def sell(self, chamber: Chamber) -> None:
        """Sell all tokens that are neither borrowed nor locked; what was never paid for earns its part."""
        held, market = _traded(chamber)
        own = min(int(held.balances[chamber.holder]) - self.borrowed, held.free(chamber.holder))
        if own > 0:
            proceeds = -market.trade(-own)
            gift = proceeds * max(own - self.bought, 0) / own
            self.pay(chamber, gift - proceeds, "sales")
            chamber.cash[self.account] += gift * MICRO
            self.earned += gift
            self.bought = max(self.bought - own, 0)
            held.transfer(chamber.holder, chamber.lender, own, chamber.time)

    def borrow(self, chamber: Chamber, tokens: int) -> int:
        """Borrow as many of so many tokens as are lent; returns how many."""
        held, market = _traded(chamber)
        lent = max(min(tokens, market.lendable - self.borrowed, _stock(chamber)), 0)
        self.accrue(chamber)
        held.transfer(chamber.lender, chamber.holder, lent, chamber.time)
        self.borrowed += lent
        return lent

    def accrue(self, chamber: Chamber) -> None:
        """Pay the interest since this was last asked for."""
        if self.borrowed and chamber.market is not None:
            days = (chamber.time - self._accrued) / DAY
            self.pay(chamber, chamber.market.interest(self.borrowed, days), "interest")
        self._accrued = chamber.time

    def repay(self, chamber: Chamber) -> None:
        """Give back what is borrowed; what is missing of it is bought, as far as money reaches."""
        if not self.borrowed:
            return
        held, _ = _traded(chamber)
        missing = self.borrowed - int(held.balances[chamber.holder])
        if missing > 0:
            self.buy(chamber, missing)
        back = min(self.borrowed, held.free(chamber.holder))
        self.bought = min(self.bought, int(held.balances[chamber.holder]) - back)
        held.transfer(chamber.holder, chamber.lender, back, chamber.time)
        self.borrowed -= back

    def flash(self, chamber: Chamber, tokens: int, use: Callable[[], None]) -> int:
        """Borrow for one moment, use the tokens and give them back; returns how many there were."""
        held, market = _traded(chamber)
        fee = market.flash_cost(MICRO)
        payable = int(self.money(chamber) / fee * MICRO) if fee else tokens
        lent = max(min(tokens, market.flash, _stock(chamber), payable), 0)
        self.pay(chamber, market.flash_cost(lent), "fees")
        held.transfer(chamber.lender, chamber.holder, lent, chamber.time)
        use()
        held.transfer(chamber.holder, chamber.lender, lent, chamber.time)
        return lent


def worth(held: int, borrowed: int, market: TokenMarket) -> float:
    """What tokens would bring if all that are not borrowed were sold, or what it costs to make good [USD]."""
    return -market.cost(borrowed - held)


def _traded(chamber: Chamber) -> tuple[Tokens, TokenMarket]:
    """The token and its market."""
    if chamber.tokens is None or chamber.market is None:
        raise ValueError("tokens are traded only where holders vote, got a chamber without them")
    return chamber.tokens, chamber.market


def _stock(chamber: Chamber) -> int:
    """What the market has left [micro-tokens]."""
    return int(_traded(chamber)[0].balances[chamber.lender])
