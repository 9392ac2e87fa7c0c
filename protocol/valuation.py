"""Which accounts can be valued at the prices that an act may use."""

import numpy as np

from protocol.book import Book, Ints, Mask
from protocol.kernels import kernel
from protocol.parameters import RiskParameters


def valued_accounts(book: Book, parameters: RiskParameters, accounts: Ints, usable: Mask) -> Mask:
    """Which of some accounts hold positions, and assets that count, only where the price may be used, (k,).

    Parameters
    ----------
    accounts : (k,) int64
    usable : (m,) bool
        Markets whose price the act may use.
    """
    valued = np.ones(len(accounts), np.bool_)
    if not usable.all():
        keep_valued(book, parameters, accounts, usable, valued)
    return valued


@kernel
def keep_valued(book: Book, parameters: RiskParameters, accounts: Ints, usable: Mask, valued: Mask) -> None:
    """Strike out, in `valued`, (k,), accounts that hold something where the price may not be used."""
    for market in range(usable.size):
        if usable[market]:
            continue
        counts = parameters.weight_maintenance[market] > 0
        for index in range(accounts.size):
            account = accounts[index]
            if book.size[market, account] != 0 or (counts and book.collateral[market, account] != 0):
                valued[index] = False


def valued_purse(book: Book, purse: int, usable: Mask) -> bool:
    """Whether the price of every market that a vault or a pool serves, or stands in, may be used."""
    served = (book.counterparty == purse) | (book.size[:, purse] != 0)
    return bool(usable[served].all())
