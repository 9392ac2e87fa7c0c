"""Which pools of collateral pay nothing out for a while, because somebody there was seen below zero.

References
----------
.. [1] dYdX v4-chain, x/subaccounts: a gate for each collateral pool.
"""

from collections.abc import Iterable

import numpy as np

from protocol.book import Book, Floats
from protocol.parameters import RiskParameters

CROSS = -1


def collateral_pool(parameters: RiskParameters, market: int) -> int:
    """Pool that positions in a market belong to: an isolated market's own, or CROSS."""
    return market if parameters.isolated[market] else CROSS


class Gates:
    """Until when each pool pays nothing out.

    Parameters
    ----------
    markets : int

    Attributes
    ----------
    cross : float
        For all accounts without an isolated position [s].
    isolated : (m,) float64
        For those with a position in an isolated market [s].
    """

    def __init__(self, markets: int) -> None:
        self.cross = -np.inf
        self.isolated = np.full(markets, -np.inf)

    @property
    def last(self) -> float:
        """Until when some pool pays nothing out [s]."""
        return max(self.cross, float(self.isolated.max()))

    def shut(self, pools: Iterable[int], until: float) -> None:
        """Let pools pay nothing out until a time [s]."""
        for pool in pools:
            if pool == CROSS:
                self.cross = until
            else:
                self.isolated[pool] = until

    def of_account(self, book: Book, parameters: RiskParameters, account: int) -> float:
        """Until when an account takes nothing out [s]."""
        alone = parameters.isolated & (book.size[:, account] != 0)
        return float(self.isolated[alone].max()) if alone.any() else self.cross

    def of_markets(self, parameters: RiskParameters) -> Floats:
        """Until when the pools of the markets pay nothing out, (m,) [s]."""
        return np.where(parameters.isolated, self.isolated, self.cross)
