"""What holds of a venue's state at every moment; a broken law is named, never repaired.

A law says in numbers what is wrong, or nothing. What a phase of the block may do to the state stands in
`audit`.
"""

from collections.abc import Callable

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import (
    CLEARING,
    DEPOSITS,
    FEES,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    WITHDRAWALS,
    Book,
    Ints,
    Mask,
    first_trader,
)
from protocol.kernels import kernel
from protocol.parameters import RiskParameters
from protocol.venues.venue import Venue

Law = Callable[[Book], str]


class InvariantError(Exception):
    """The venue's state broke one of its own laws."""


@kernel
def unsettled(book: Book) -> int:
    """Funding owed to all accounts and not settled yet [micro-USD / FUNDING_SCALE]."""
    owed = 0
    for market in range(book.size.shape[0]):
        size, paid = book.size[market], book.funding_paid[market]
        long_index, short_index = book.funding[0, market], book.funding[1, market]
        for account in range(size.size):
            lots = size[account]
            owed -= lots * ((long_index if lots > 0 else short_index) - paid[account])
    return owed


def cash_conserved(book: Book) -> str:
    """All accounts together hold what came in and did not go out."""
    held, owed = int(book.cash.sum()), int(book.flows[DEPOSITS] - book.flows[WITHDRAWALS])
    return f"accounts hold {held}, net deposits are {owed}" if held != owed else ""


def collateral_conserved(book: Book) -> str:
    """So they do of each asset, and nobody owes any."""
    held, owed = book.collateral.sum(axis=1), book.asset_flows[DEPOSITS] - book.asset_flows[WITHDRAWALS]
    if (held != owed).any():
        return f"accounts hold {held.tolist()}, net deposits are {owed.tolist()}"
    return f"least holding {int(book.collateral.min())}" if (book.collateral < 0).any() else ""


def positions_sum_to_zero(book: Book) -> str:
    """Every long has a short."""
    net = book.size.sum(axis=1)
    return str(net.tolist()) if net.any() else ""


def open_interest_is_long_size(book: Book) -> str:
    """Open interest counts the longs."""
    longs = np.maximum(book.size, 0).sum(axis=1)
    if (longs == book.open_interest).all():
        return ""
    return f"{longs.tolist()} against {book.open_interest.tolist()}"


def seats(book: Book) -> Mask:
    """Which of the venue's own accounts may hold positions, (m, k): the vault, and each counterparty."""
    count = first_trader(len(book.mark))
    allowed = np.zeros((len(book.mark), count), np.bool_)
    allowed[:, VAULT] = True
    allowed[np.arange(len(book.mark)), book.counterparty] = True
    return allowed


def purses_hold_no_positions(book: Book) -> str:
    """With the laws above, vault and counterparty are then on the other side of the users' skew."""
    allowed = seats(book)
    held = book.size[:, : allowed.shape[1]]
    return str(held.tolist()) if (held[~allowed] != 0).any() else ""


def entries_belong_to_positions(book: Book) -> str:
    """An entry price stands exactly where a position does, and is positive."""
    wrong = (book.entry > 0) != (book.size != 0)
    if not wrong.any():
        return ""
    market, account = np.argwhere(wrong)[0].tolist()
    lots, entry = book.size[market, account], book.entry[market, account]
    return f"{lots} lots at {entry} (market {market}, account {account})"


def insurance_fund_not_negative(book: Book) -> str:
    """No insurance fund pays what it does not have."""
    funds = np.append(book.fund, INSURANCE)
    return str(book.cash[funds].tolist()) if (book.cash[funds] < 0).any() else ""


def fees_not_negative(book: Book) -> str:
    """Rebates are paid out of fees."""
    return str(int(book.cash[FEES])) if book.cash[FEES] < 0 else ""


def funding_never_minted(book: Book) -> str:
    """The clearing account holds all that it still has to hand on."""
    held, owed = int(book.cash[CLEARING]), unsettled(book)
    return f"clearing holds {held}, owes {owed} / {FUNDING_SCALE}" if held * FUNDING_SCALE < owed else ""


def shares_belong_to_depositors(book: Book) -> str:
    """Vault and pools belong to traders, and nobody owns less than nothing of them."""
    issued = book.shares.sum(axis=1)
    if (issued != book.issued).any():
        return f"accounts hold {issued.tolist()}, issued are {book.issued.tolist()}"
    own = book.shares[:, : first_trader(len(book.mark))]
    if own.any():
        return f"the venue's accounts hold {own.sum(axis=1).tolist()}"
    return f"least holding {int(book.shares.min())}" if (book.shares < 0).any() else ""


def prices_are_positive(book: Book) -> str:
    """Oracle and mark are prices."""
    if (book.oracle > 0).all() and (book.mark > 0).all():
        return ""
    return f"oracle {book.oracle.tolist()}, mark {book.mark.tolist()}"


def chosen_margin_is_a_rate(book: Book) -> str:
    """What accounts ask of themselves lies between nothing and everything."""
    own = book.own_initial
    return f"from {own.min()} to {own.max()} ppm" if ((own < 0) | (own > PPM)).any() else ""


LAWS: tuple[Law, ...] = (
    cash_conserved,
    collateral_conserved,
    positions_sum_to_zero,
    open_interest_is_long_size,
    purses_hold_no_positions,
    entries_belong_to_positions,
    insurance_fund_not_negative,
    fees_not_negative,
    funding_never_minted,
    shares_belong_to_depositors,
    prices_are_positive,
    chosen_margin_is_a_rate,
)


def violated(book: Book, venue: Venue) -> list[str]:
    """Names of the laws that do not hold, each with the numbers that break it.

    References
    ----------
    .. [1] Conservation of collateral, positions and funding as in dYdX v4-chain's accounting.
    """
    found = [f"{law.__name__}: {said}" for law in LAWS if (said := law(book))]
    return [*found, *venue.violated(book)]


def crowded_accounts(book: Book, parameters: RiskParameters) -> Ints:
    """Traders that hold an isolated position and another beside it, (k,) int64."""
    held = book.size[:, first_trader(len(book.mark)) :] != 0
    crowded = held[parameters.isolated].any(axis=0) & (held.sum(axis=0) > 1)
    return np.flatnonzero(crowded) + first_trader(len(book.mark))
