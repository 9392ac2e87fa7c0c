"""What must hold after every block; a violated invariant is named, never repaired."""

import numpy as np

from protocol.book import (
    CLEARING,
    DEPOSITS,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    WITHDRAWALS,
    Book,
    first_trader,
)
from protocol.venues.venue import Venue


class InvariantError(Exception):
    """The venue's state broke one of its own laws."""


def unsettled(book: Book) -> int:
    """Funding owed to all accounts and not settled yet [micro-USD / FUNDING_SCALE]."""
    index = np.where(book.size > 0, book.funding[0, :, None], book.funding[1, :, None])
    return -int((book.size * (index - book.funding_paid)).sum())


def violated(book: Book, venue: Venue) -> list[str]:
    """Names of the invariants that do not hold, with the two numbers that should agree.

    References
    ----------
    .. [1] Conservation of collateral, positions and funding as in dYdX v4-chain's accounting.
    """
    found = []
    held, owed = int(book.cash.sum()), int(book.flows[DEPOSITS] - book.flows[WITHDRAWALS])
    if held != owed:
        found.append(f"cash_conserved: accounts hold {held}, net deposits are {owed}")
    net = book.size.sum(axis=1)
    if net.any():
        found.append(f"positions_sum_to_zero: {net.tolist()}")
    longs = np.maximum(book.size, 0).sum(axis=1)
    if (longs != book.open_interest).any():
        found.append(f"open_interest_is_long_size: {longs.tolist()} against {book.open_interest.tolist()}")
    if book.cash[INSURANCE] < 0:
        found.append(f"insurance_fund_not_negative: {int(book.cash[INSURANCE])}")
    if book.size[:, :VAULT].any():
        found.append(f"purses_hold_no_positions: {book.size[:, :VAULT].tolist()}")
    if int(book.cash[CLEARING]) * FUNDING_SCALE < unsettled(book):
        found.append(
            f"funding_never_minted: clearing holds {int(book.cash[CLEARING])}, owes {unsettled(book)} "
            f"/ {FUNDING_SCALE}"
        )
    if (book.shares < 0).any() or book.shares[:, : first_trader(len(net))].any():
        found.append("vault_shares_belong_to_depositors")
    if (book.oracle <= 0).any() or (book.mark <= 0).any():
        found.append(f"prices_are_positive: oracle {book.oracle.tolist()}, mark {book.mark.tolist()}")
    found.extend(venue.violated(book))
    return found
