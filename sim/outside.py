"""What the venue's participants hold elsewhere: hedges at the outside price, and cash in wallets."""

import numpy as np

from agents.role import Hedges
from protocol.book import Floats


class Outside:
    """Positions and cash outside the venue, floats because no venue rule depends on them.

    Attributes
    ----------
    size : (m, n) float64
        Positions [lots].
    cash : (n,) float64
        [micro-USD].
    gas_paid : (n,) float64
        Spent on transactions [micro-USD].
    """

    def __init__(self, markets: int, accounts: int) -> None:
        self.size = np.zeros((markets, accounts))
        self.cash = np.zeros(accounts)
        self.gas_paid = np.zeros(accounts)

    def flow(self, batches: list[Hedges]) -> Floats:
        """Net lots that the hedges buy, (m,)."""
        total = np.zeros(len(self.size))
        for batch in batches:
            np.add.at(total, batch.market, batch.lots)
        return total

    def execute(self, batches: list[Hedges], price: Floats) -> None:
        """Trade every hedge at one price a market, (m,) [micro-USD per lot]."""
        for batch in batches:
            np.add.at(self.size, (batch.market, batch.account), batch.lots)
            np.add.at(self.cash, batch.account, -batch.lots * price[batch.market])

    def worth(self, price: Floats) -> Floats:
        """Cash and positions of every account at `price`, (m,) [micro-USD per lot]; (n,) [micro-USD]."""
        value: Floats = self.cash + price @ self.size
        return value
