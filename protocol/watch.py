"""A watch over accounts: who has to be looked at again after trades, transfers and moves of prices."""

import numpy as np

from protocol.book import SHARED_ACCOUNTS, Book, Floats, Ints
from protocol.parameters import RiskParameters
from protocol.radii import (
    LEVELS,
    MARK,
    UNKNOWN,
    anchor_levels,
    forget,
    forget_all,
    gather,
    place,
    standing,
    strained,
    unknown_radii,
)
from protocol.touches import Touches

NOBODY = np.empty(0, np.int64)
SHARED = np.arange(SHARED_ACCOUNTS)


class Watch:
    """Keeps the safety radii of a run of accounts for one question that is asked of them again and again.

    Who asks is told the accounts that are due, answers the question for each, and gives them back with how
    certain the answer is. An account is due once its balances have changed, prices have moved by more than
    its radius, or other parameters hold.

    Parameters
    ----------
    first, last : int
        The accounts watched, `last` not among them.
    markets : int
    """

    def __init__(self, first: int, last: int, markets: int) -> None:
        self.first = first
        self.radii = unknown_radii(last - first, markets)
        self.touches = Touches()
        self.forgotten: list[Ints] = []
        self.parameters: RiskParameters | None = None
        self.now: Floats = np.ones((4, markets))

    def strained(self, book: Book, parameters: RiskParameters) -> tuple[int, int]:
        """Take note of what has changed; levels that are due, as a word of bits, and accounts in them."""
        touched = self.touches.since(book)
        if touched is None or parameters is not self.parameters:
            self.parameters = parameters
            self.forgotten.clear()
            forget_all(self.radii)
        else:
            self.forget(SHARED)
            self.forget(touched)
        self.now = standing(book)
        word, total = strained(self.radii, self.now)
        return word, total

    def due(self, book: Book, parameters: RiskParameters) -> Ints:
        """Accounts to look at now, ascending, (k,); all of them have to be given back to `place`."""
        return self.gather(*self.strained(book, parameters))

    def gather(self, word: int, total: int) -> Ints:
        """The accounts in strained levels, ascending, (total,)."""
        anchor_levels(self.radii, word, self.now)
        told = sum(map(len, self.forgotten))
        if told == self.radii.members[UNKNOWN]:
            word, total = word & ~(1 << UNKNOWN), total - told
        else:
            self.forgotten.clear()
        found = np.concatenate([*self.forgotten, self.peek(word, total) - self.first])
        self.forgotten.clear()
        found.sort()
        return found + self.first

    def place(self, accounts: Ints, slack: Floats, gross: Floats) -> None:
        """Take back accounts that were due: see `protocol.radii.place`."""
        place(self.radii, self.now, accounts - self.first, slack, gross)

    def forget(self, accounts: Ints) -> None:
        """Accounts, (k,), of which something has changed that the book does not show."""
        fresh = np.empty(len(accounts), np.int64)
        count = forget(self.radii, accounts, self.first, fresh)
        if count:
            self.forgotten.append(fresh[:count])

    def exposed(self, prices: Floats) -> tuple[int, int]:
        """Levels, as bits, and accounts in them, whose answer may be another one at other prices.

        Parameters
        ----------
        prices : (4, m) float64
            See `protocol.radii.standing`.
        """
        word, total = strained(self.radii, prices)
        return word, total

    def within(self, move: float) -> Ints:
        """Accounts whose answer may be another one if marks move by up to `move` [1], ascending, (k,)."""
        word = 0
        for factor in (1.0 - move, 1.0 + move):
            prices = self.now.copy()
            prices[MARK] *= factor
            word |= self.exposed(prices)[0]
        total = sum(int(self.radii.members[level]) for level in range(LEVELS) if word >> level & 1)
        return self.peek(word, total)

    def peek(self, word: int, total: int) -> Ints:
        """The accounts in some levels, ascending, (total,); nobody has to be given back."""
        if not total:
            return NOBODY
        found = np.empty(total, np.int64)
        gather(self.radii, word, found)
        return found + self.first
