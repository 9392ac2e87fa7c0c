"""Accounts that have just fallen below maintenance: what they held and owed at that moment."""

import numpy as np

from protocol.account_set import AccountSet
from protocol.book import Book, Ints, Rows
from protocol.kernels import kernel
from protocol.margin import account_risk
from protocol.parameters import RiskParameters

FAILURE = np.dtype(
    [
        (name, np.int64)
        for name in ("round", "account", "market", "size", "mark", "oracle", "equity", "maintenance")
    ]
)


@kernel
def write_failures(book: Book, parameters: RiskParameters, accounts: Ints, rows: Rows) -> int:
    """Write a row for each position of each account; return their number."""
    done = 0
    for index in range(accounts.size):
        account = accounts[index]
        equity, _, maintenance = account_risk(book, parameters, account)
        for market in range(book.mark.size):
            if book.size[market, account] != 0:
                row = rows[done]
                row.account, row.market, row.size = account, market, book.size[market, account]
                row.mark, row.oracle = book.mark[market], book.oracle[market]
                row.equity, row.maintenance = equity, maintenance
                done += 1
    return done


class Failures:
    """Who is below maintenance, so that each fall below it is told once.

    Attributes
    ----------
    known : AccountSet
        Accounts below maintenance when last looked at.
    """

    def __init__(self) -> None:
        self.known = AccountSet()

    def fresh(self, book: Book, parameters: RiskParameters, failing: Ints, number: int) -> Rows:
        """Positions of those who were not below maintenance before, (j,) FAILURE.

        Parameters
        ----------
        failing : (k,) int64
            Accounts below maintenance now, ascending.
        number : int
            Of the round in its block. With the first, who has recovered since the last block is forgotten.
        """
        if not len(failing) and not len(self.known):
            return np.zeros(0, FAILURE)
        new = self.known.others(failing)
        if number == 0:
            self.known.clear()
        self.known.add(failing if number == 0 else new)
        rows = np.zeros(len(new) * len(book.mark), FAILURE)
        rows = rows[: write_failures(book, parameters, new, rows)]
        rows["round"] = number
        return rows
