"""Which accounts can be valued at the prices that an act may use."""

from protocol.book import Book, Ints, Mask
from protocol.parameters import RiskParameters


def valued_accounts(book: Book, parameters: RiskParameters, accounts: Ints, usable: Mask) -> Mask:
    """Which of some accounts hold positions, and assets that count, only where the price may be used, (k,).

    Parameters
    ----------
    accounts : (k,) int64
    usable : (m,) bool
        Markets whose price the act may use.
    """
    counted = parameters.weight_maintenance[:, None] > 0
    held = (book.size[:, accounts] != 0) | (counted & (book.collateral[:, accounts] != 0))
    valued: Mask = ~(held & ~usable[:, None]).any(axis=0)
    return valued


def valued_purse(book: Book, purse: int, usable: Mask) -> bool:
    """Whether the price of every market that a vault or a pool serves, or stands in, may be used."""
    served = (book.counterparty == purse) | (book.size[:, purse] != 0)
    return bool(usable[served].all())
