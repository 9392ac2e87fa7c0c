"""Arbitrageurs: they hold the venue's price to the outside price, as far as gas and capital allow.

Where the venue's bid stands above the outside price by more than fees, transaction cost and a premium for
the risk of the second leg, they sell on the venue and buy outside; and the reverse. The funding that they
will receive or pay while they hold the position counts too. At the start they carry the other side of
retail's net position, hedged. Their transactions compete for blockspace: when gas rises past what they bid,
some blocks pass without them.
"""

import mesa
import numpy as np

from agents.role import (
    DEPOSIT,
    NOBODY,
    Actions,
    Endowment,
    Role,
    Stream,
    Transfers,
    View,
    hedge_toward,
    holdable,
    transfers,
)
from agents.settings import Duration, Settings, parameter
from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, Mask
from protocol.orders import NONE, Orders, join, orders


class ArbitrageurSettings(Settings):
    """Settings of arbitrageurs."""

    accounts: int = parameter(6, "1", ge=1, le=10_000)
    capital: float = parameter(0.25, "1", gt=0, description="of all together, of open interest")
    outside: float = parameter(1.0, "1", ge=0, description="cash outside, of capital")
    leverage: float = parameter(3.0, "1", gt=0, description="largest position on the venue, of capital")
    slice: float = parameter(0.1, "1", gt=0, le=1, description="largest order, of capital")
    outside_fee: float = parameter(2.0, "bp", ge=0)
    carry: Duration = parameter(28_800, "s", ge=0, description="funding that a trade counts on")
    risk_premium: float = parameter(0.5, "1", ge=0, description="per volatility of a minute")
    gas_tolerance: float = parameter(3.0, "1", gt=0, description="highest bid for inclusion, of base gas")


class Arbitrageurs(Role):
    """All arbitrageurs, one account each."""

    name = "arbitrageurs"

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: ArbitrageurSettings
    ) -> None:
        super().__init__(model, accounts, stream)
        self.settings = settings
        self.capital = np.zeros(len(accounts))

    def endow(
        self, open_interest: float, price: Ints, residual: Ints, isolated: Mask, absent: Ints = NOBODY
    ) -> Endowment:
        """Equal capital, and the position that others leave open, (m,) [lots], shared out and hedged outside.

        A market whose positions stand alone is left to the accounts whose turn it is; who is absent, (j,)
        accounts, takes no part.

        Raises
        ------
        ValueError
            If nobody is there to take what is left open.
        """
        count = len(self.accounts)
        self.capital = np.full(count, self.settings.capital * open_interest / count)
        taking = holdable(isolated, count) & ~np.isin(self.accounts, absent)
        takers = taking.sum(axis=1)
        if (residual[takers == 0] != 0).any():
            raise ValueError(f"an arbitrageur must be there to carry what others leave open, got {residual}")
        size = taking * (residual // np.maximum(takers, 1))[:, None]
        size[np.arange(len(size)), taking.argmax(axis=1)] += residual - size.sum(axis=1)
        wallet = self.settings.outside * self.capital + price.astype(float) @ size
        return Endowment(self.capital.astype(np.int64), wallet, size, outside=-size)

    def act(self, view: View) -> Actions:
        """Trade both sides of every gap, bring every position's hedge up to date."""
        luck = self.draw("inclusion", view.block).random(len(self.accounts))
        included = luck < view.inclusion(self.settings.gas_tolerance)
        held = view.book.size[:, self.accounts].astype(float)
        wanted = join([self._side(view, included, 1), self._side(view, included, -1)])
        band = np.zeros((1, len(self.accounts)))
        return Actions(
            orders=wanted,
            transfers=self._balance(view),
            hedges=hedge_toward(view, self.accounts, -held, 1.0, band),
            senders=np.unique(wanted.account),
        )

    def margin(self, view: View, notional: float) -> Floats:
        """Gap that pays for both legs of a trade of `notional` micro-USD, (m,) [1]."""
        chosen = self.settings
        fees = view.parameters.taker_fee / PPM + chosen.outside_fee * 1e-4
        risk = chosen.risk_premium * view.volatility * np.sqrt(60.0)
        return fees + risk + view.transaction_cost() / max(notional, 1.0)

    def _side(self, view: View, included: Mask, side: int) -> Orders:
        """Orders of those included, (k,), that buy (side 1) below or sell (−1) above the outside price."""
        chosen, account = self.settings, self.accounts[included]
        if len(account) == 0:
            return NONE
        capital = self.capital[: len(account)]
        touch = view.quotes.ask if side > 0 else view.quotes.bid
        gap = self.margin(view, chosen.slice * capital[0])
        income = -side * view.funding_rate * chosen.carry / 28_800
        limit = view.outside * (1 - side * (gap - np.clip(income, -gap, gap)))
        pays = (touch > 0) & (side * (limit - touch) > 0)
        held = view.book.size[:, account]
        room = chosen.leverage * capital / view.outside[:, None] - side * held
        allowed = view.holdable(self.accounts)[:, included]
        lots = np.clip(room, 0, chosen.slice * capital / view.outside[:, None]) * pays[:, None] * allowed
        market, column = np.nonzero(lots >= 1)
        size = side * lots[market, column].astype(np.int64)
        return orders(account[column], market.astype(np.int64), size, limit[market].astype(np.int64))

    def _balance(self, view: View) -> Transfers:
        """Cash from outside when the venue's leg runs short of margin."""
        equity, initial, _ = view.risk_of(self.accounts)
        lacking = np.where(equity < 1.5 * initial, 2.5 * initial - equity, 0)
        funds = np.maximum(0.8 * view.outside_worth(self.accounts), 0)
        return transfers(self.accounts, np.minimum(lacking, funds).astype(np.int64), DEPOSIT)
