"""Every account of the venue as a struct of arrays: integer money, integer sizes, the one mutable state.

Accounting is by quote balance: a fill changes size by lots and cash by micro-USD, and equity is cash plus
size at the mark. The venue's own purses are accounts too, so conservation of money is one sum. The first
accounts are the venue's: four that all markets share, then three for each market; traders follow.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.kernels import fragment, kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[Any]
Row = Any  # one record of a structured array, whose fields mypy cannot see

FEES, INSURANCE, CLEARING, VAULT = range(4)
SHARED_ACCOUNTS = 4
COUNTERPARTY, IMPACT, FUND = range(3)
MARKET_ACCOUNTS = 3
FUNDING_SCALE = 1000
LEAST_RING = 1023

LONG, SHORT = range(2)
DEPOSITS, WITHDRAWALS = range(2)


class Book(NamedTuple):
    """All balances and positions, and the prices at which they are valued.

    The first accounts are the venue's: fees collected, insurance fund, funding clearing (payments received
    and not yet handed on, with the rounding dust) and backstop vault; then, for each market, an automated
    counterparty (AMM or liquidity pool), its purse for price impact, and an insurance fund of its own.
    Markets may share a counterparty or a fund: `counterparty`, `impact` and `fund` say who serves whom.

    Attributes
    ----------
    cash : (n,) int64
        Settled quote balance [micro-USD]; may be negative.
    size : (m, n) int64
        Position [lots], long > 0.
    entry : (m, n) float64
        Average entry price [micro-USD per lot]; for reports, ADL ranking and the weight of profits.
    funding_paid : (m, n) int64
        Funding index of the position's side at the last settlement [micro-USD per lot / FUNDING_SCALE].
    collateral : (m, n) int64
        Units of each market's base asset deposited as collateral [lots], ≥ 0.
    own_initial : (n,) int64
        Initial margin rate that an account has chosen for itself [ppm]; 0 leaves the market's.
    kept : (m, n) int64
        Maintenance rate above which a position's never rises, that of when it last grew [ppm]; 0: none.
    keeping : (m,) int64
        What a position that grows now keeps [ppm]; 0 where positions follow the market.
    shares : (m + 1, n) int64
        Claims on the backstop vault (first row) and on each market's counterparty [1e-6 shares].
    issued : (m + 1,) int64
        Sum of each row of `shares`.
    funding : (2, m) int64
        Cumulative funding index of longs and of shorts, same unit as `funding_paid`; both grow when longs
        pay shorts.
    oracle, mark : (m,) int64
        Index price and the price of margin [micro-USD per lot].
    open_interest : (m,) int64
        Sum of long positions [lots].
    flows : (2,) int64
        Total deposits and withdrawals since the venue opened [micro-USD].
    asset_flows : (2, m) int64
        Total deposits and withdrawals of collateral assets [lots].
    counterparty, impact, fund : (m,) int64
        Account of each market's automated counterparty, impact purse and insurance fund.
    touched : (c,) int32
        Traders whose balances have changed, the newest last, in a ring: see `touches`.
    touches : (1,) int64
        How many were ever written into the ring.
    """

    cash: Ints
    size: Ints
    entry: Floats
    funding_paid: Ints
    collateral: Ints
    own_initial: Ints
    kept: Ints
    keeping: Ints
    shares: Ints
    issued: Ints
    funding: Ints
    oracle: Ints
    mark: Ints
    open_interest: Ints
    flows: Ints
    asset_flows: Ints
    counterparty: Ints
    impact: Ints
    fund: Ints
    touched: Rows
    touches: Ints


@kernel
def first_trader(markets: int) -> int:
    """Number of accounts that belong to the venue, and with it the first account of a trader."""
    return SHARED_ACCOUNTS + MARKET_ACCOUNTS * markets


def market_accounts(markets: int, kind: int) -> Ints:
    """Account of each market that serves as COUNTERPARTY, IMPACT or FUND, (m,)."""
    return SHARED_ACCOUNTS + MARKET_ACCOUNTS * np.arange(markets, dtype=np.int64) + kind


@kernel
def share_row(account: int) -> int:
    """Row of `Book.shares` with the claims on a vault or counterparty account."""
    return 0 if account == VAULT else 1 + (account - SHARED_ACCOUNTS) // MARKET_ACCOUNTS


def share_rows(accounts: Ints) -> Ints:
    """Rows of `Book.shares` for vault and counterparty accounts, (k,)."""
    return np.where(accounts == VAULT, 0, 1 + (accounts - SHARED_ACCOUNTS) // MARKET_ACCOUNTS)


def open_book(accounts: int, prices: Ints) -> Book:
    """An empty venue with `accounts` accounts, the venue's own included; all markets share the fund.

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
        collateral=np.zeros(shape, np.int64),
        own_initial=np.zeros(accounts, np.int64),
        kept=np.zeros(shape, np.int64),
        keeping=np.zeros(markets, np.int64),
        shares=np.zeros((markets + 1, accounts), np.int64),
        issued=np.zeros(markets + 1, np.int64),
        funding=np.zeros((2, markets), np.int64),
        oracle=prices.astype(np.int64),
        mark=prices.astype(np.int64),
        open_interest=np.zeros(markets, np.int64),
        flows=np.zeros(2, np.int64),
        asset_flows=np.zeros((2, markets), np.int64),
        counterparty=market_accounts(markets, COUNTERPARTY),
        impact=market_accounts(markets, IMPACT),
        fund=np.full(markets, INSURANCE, np.int64),
        touched=np.zeros(1 << (2 * accounts + LEAST_RING).bit_length(), np.int32),
        touches=np.zeros(1, np.int64),
    )


def balances(book: Book) -> tuple[Rows, ...]:
    """All that the venue knows, without the notes on what has changed."""
    return tuple(column for name, column in book._asdict().items() if name not in ("touched", "touches"))


@fragment
def touch(book: Book, account: int) -> None:
    """Note that cash, position or assets of an account change; the venue's shared accounts always may."""
    if account >= SHARED_ACCOUNTS:
        noted = book.touches[0]
        book.touched[noted & (book.touched.size - 1)] = account
        book.touches[0] = noted + 1


@kernel
def touch_all(book: Book, accounts: Ints) -> None:
    """Note that balances of many accounts, (k,), change."""
    for index in range(accounts.size):
        touch(book, accounts[index])


@fragment
def funding_index(book: Book, market: int, size: int) -> int:
    """Funding index of the side on which `size` lots stand."""
    return book.funding[LONG if size > 0 else SHORT, market]


@fragment
def unsettled_funding(book: Book, account: int) -> int:
    """Cash that settling the account's funding now would add [micro-USD], rounded toward −∞."""
    owed = 0
    for market in range(book.size.shape[0]):
        size = book.size[market, account]
        if size != 0:
            owed += size * (funding_index(book, market, size) - book.funding_paid[market, account])
    return -owed // FUNDING_SCALE


@fragment
def settle_funding(book: Book, account: int) -> None:
    """Exchange the funding owed since the last settlement with the clearing account."""
    touch(book, account)
    payment = unsettled_funding(book, account)
    book.cash[account] += payment
    book.cash[CLEARING] -= payment
    for market in range(book.size.shape[0]):
        book.funding_paid[market, account] = funding_index(book, market, book.size[market, account])


@fragment
def move_cash(book: Book, source: int, target: int, amount: int) -> None:
    """Hand `amount` micro-USD from one account to another."""
    touch(book, source)
    touch(book, target)
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
def kept_after(book: Book, market: int, kept: int, size: int, after: int) -> int:
    """Maintenance rate that a position keeps once its size has changed [ppm]: a new one if it has grown."""
    if after == 0:
        return 0
    return book.keeping[market] if abs(after) > abs(size) or (size > 0) != (after > 0) else kept


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
        book.kept[market, account] = kept_after(book, market, book.kept[market, account], size, size + lots)
        book.funding_paid[market, account] = funding_index(book, market, size + lots)
        book.open_interest[market] += max(size + lots, 0) - max(size, 0)
        book.cash[account] -= -quote if side else quote
