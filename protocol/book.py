"""Every account of the venue as a struct of arrays: integer money, integer sizes, the one mutable state.

Accounting is by quote balance: a fill changes size by lots and cash by micro-USD, and equity is cash plus
size at the mark. The venue's own purses are accounts too, so conservation of money is one sum.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.kernels import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[Any]
Row = Any  # one record of a structured array, whose fields mypy cannot see

FEES, INSURANCE, CLEARING, VAULT = range(4)
SYSTEM_ACCOUNTS = 4
FUNDING_SCALE = 1000

DEPOSITS, WITHDRAWALS = range(2)


class Book(NamedTuple):
    """All balances and positions, and the prices at which they are valued.

    The first accounts are the venue's: fees collected, insurance fund, funding clearing (payments received
    and not yet handed on, with the rounding dust) and backstop vault.

    Attributes
    ----------
    cash : (n,) int64
        Settled quote balance [micro-USD]; may be negative.
    size : (m, n) int64
        Position [lots], long > 0.
    entry : (m, n) float64
        Average entry price [micro-USD per lot]; for reports and ADL ranking, never for solvency.
    funding_paid : (m, n) int64
        Funding index at the last settlement [micro-USD per lot / FUNDING_SCALE].
    shares : (n,) int64
        Claims on the backstop vault [1e-6 shares].
    funding : (m,) int64
        Cumulative funding index, same unit as `funding_paid`; grows when longs pay.
    oracle, mark : (m,) int64
        Index price and the price of margin [micro-USD per lot].
    open_interest : (m,) int64
        Sum of long positions [lots].
    flows : (2,) int64
        Total deposits and withdrawals since the venue opened [micro-USD].
    """

    cash: Ints
    size: Ints
    entry: Floats
    funding_paid: Ints
    shares: Ints
    funding: Ints
    oracle: Ints
    mark: Ints
    open_interest: Ints
    flows: Ints


def open_book(accounts: int, prices: Ints) -> Book:
    """An empty venue with `accounts` accounts, system accounts included.

    Parameters
    ----------
    accounts : int
        Number of accounts n.
    prices : (m,) int64
        Opening price of each market [micro-USD per lot].
    """
    markets = len(prices)
    shape = (markets, accounts)
    return Book(
        cash=np.zeros(accounts, np.int64),
        size=np.zeros(shape, np.int64),
        entry=np.zeros(shape),
        funding_paid=np.zeros(shape, np.int64),
        shares=np.zeros(accounts, np.int64),
        funding=np.zeros(markets, np.int64),
        oracle=prices.astype(np.int64),
        mark=prices.astype(np.int64),
        open_interest=np.zeros(markets, np.int64),
        flows=np.zeros(2, np.int64),
    )


@kernel
def unsettled_funding(book: Book, account: int) -> int:
    """Cash that settling the account's funding now would add [micro-USD], rounded toward −∞."""
    owed = 0
    for market in range(book.size.shape[0]):
        size = book.size[market, account]
        if size != 0:
            owed += size * (book.funding[market] - book.funding_paid[market, account])
    return -owed // FUNDING_SCALE


@kernel
def settle_funding(book: Book, account: int) -> None:
    """Exchange the funding owed since the last settlement with the clearing account."""
    payment = unsettled_funding(book, account)
    book.cash[account] += payment
    book.cash[CLEARING] -= payment
    for market in range(book.size.shape[0]):
        book.funding_paid[market, account] = book.funding[market]


@kernel
def move_cash(book: Book, source: int, target: int, amount: int) -> None:
    """Hand `amount` micro-USD from one account to another."""
    book.cash[source] -= amount
    book.cash[target] += amount


@kernel
def average_entry(entry: float, size: int, change: int, price: float) -> float:
    """Entry price after a fill: weighted when the position grows, kept when it shrinks."""
    after = size + change
    if after == 0:
        return 0.0
    if size == 0 or (size > 0) != (after > 0):
        return price
    if (change > 0) == (size > 0):
        return (entry * size + price * change) / after
    return entry


@kernel
def exchange_position(book: Book, taker: int, maker: int, market: int, change: int, quote: int) -> None:
    """Move `change` lots to `taker` from `maker` against `quote` micro-USD, funding settled first.

    `quote` has the sign of `change`: a buyer pays a positive amount. Open interest follows.
    """
    price = quote / change
    for side in range(2):
        account = maker if side else taker
        lots = -change if side else change
        settle_funding(book, account)
        size = book.size[market, account]
        book.entry[market, account] = average_entry(book.entry[market, account], size, lots, price)
        book.size[market, account] = size + lots
        book.open_interest[market] += max(size + lots, 0) - max(size, 0)
        book.cash[account] -= -quote if side else quote
