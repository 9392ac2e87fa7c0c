"""What stands behind a pool's promises: its backing, what its users have gained, what it may still take on.

The pool is an account that holds the other side of all users' positions. Its backing is what it would own
had prices not moved since they opened; gains of users are measured against the part that is set aside for
their side.

References
----------
.. [1] GMX synthetics, market/MarketUtils.sol.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import LONG, SHORT, Book, Floats, Ints, unsettled_funding
from protocol.kernels import kernel
from protocol.venues.impact import PoolParameters, side_price

MOST_USAGE = 2.0


class Claims(NamedTuple):
    """Money set aside for traders who paid more impact than the cap: one entry for each close.

    Attributes
    ----------
    account, market, amount : (c,) int64
        Whose, in which market's purse, how much [micro-USD].
    due : (c,) float64
        When it is paid back [s].
    used : (1,) int64
        Number of entries in use.
    """

    account: Ints
    market: Ints
    amount: Ints
    due: Floats
    used: Ints


class PoolState(NamedTuple):
    """What the pools remember beside the book.

    Attributes
    ----------
    lots : (2, m) int64
        Longs and shorts of users as they are counted in `cost` [lots].
    cost : (2, m) float64
        What users paid for their longs, and got for their shorts [micro-USD].
    pending : (m, n) int64
        Price impact of a position's increases, settled when it shrinks [micro-USD]; positive is a gain.
    lent : (m,) int64
        What the pool has lent to the impact purse [micro-USD].
    claims : Claims
    """

    lots: Ints
    cost: Floats
    pending: Ints
    lent: Ints
    claims: Claims


def open_claims(capacity: int) -> Claims:
    """Room for some claims, none made."""
    account, market, amount = (np.zeros(capacity, np.int64) for _ in range(3))
    return Claims(account, market, amount, np.zeros(capacity), np.zeros(1, np.int64))


def open_state(book: Book) -> PoolState:
    """The memory of pools whose users hold what the book says; no impact is pending."""
    markets, accounts = book.size.shape
    state = PoolState(
        np.zeros((2, markets), np.int64),
        np.zeros((2, markets)),
        np.zeros((markets, accounts), np.int64),
        np.zeros(markets, np.int64),
        open_claims(16),
    )
    count_positions(book, state)
    return state


@kernel
def user_interest(book: Book, market: int, side: int) -> int:
    """Open interest of a side without the pool's own position [lots]."""
    held = book.size[market, book.counterparty[market]]
    return book.open_interest[market] - max(held if side == LONG else -held, 0)


@kernel
def count_positions(book: Book, state: PoolState) -> None:
    """Add up what the open positions of users cost, from their average entries."""
    for market in range(book.size.shape[0]):
        pool = book.counterparty[market]
        longs, shorts = 0.0, 0.0
        for account in range(book.size.shape[1]):
            size = book.size[market, account]
            if size != 0 and account != pool:
                paid = abs(size) * book.entry[market, account]
                longs += paid if size > 0 else 0.0
                shorts += paid if size < 0 else 0.0
        state.cost[LONG, market], state.cost[SHORT, market] = longs, shorts
        for side in range(2):
            state.lots[side, market] = user_interest(book, market, side)


@kernel
def follow_positions(book: Book, state: PoolState) -> None:
    """Count again if positions have changed behind the pools' back, as when a venue opens with some."""
    for market in range(book.size.shape[0]):
        for side in range(2):
            if state.lots[side, market] != user_interest(book, market, side):
                count_positions(book, state)
                return


@kernel
def backing(book: Book, state: PoolState, pool: int) -> float:
    """What a pool owns without its users' gains and losses [micro-USD]."""
    total = float(book.cash[pool] + unsettled_funding(book, pool))
    for market in range(book.oracle.size):
        if book.counterparty[market] == pool:
            total += state.cost[SHORT, market] - state.cost[LONG, market] + state.lent[market]
    return total


@kernel
def side_backing(book: Book, state: PoolState, rule: PoolParameters, market: int, side: int) -> float:
    """The part of the backing that stands behind a side [micro-USD]."""
    share = rule.long_share[market] if side == LONG else PPM - rule.long_share[market]
    return backing(book, state, book.counterparty[market]) * share / PPM


@kernel
def side_gain(book: Book, state: PoolState, market: int, side: int, price: int) -> float:
    """What the users of a side have gained on open positions [micro-USD]; negative is a loss."""
    value = float(user_interest(book, market, side)) * price
    cost = state.cost[side, market]
    return value - cost if side == LONG else cost - value


@kernel
def gain_scale(book: Book, state: PoolState, rule: PoolParameters, market: int, side: int) -> float:
    """The share of their gains that users of a side are paid, in [0, 1]."""
    gain = side_gain(book, state, market, side, book.oracle[market])
    cap = side_backing(book, state, rule, market, side) * rule.gain_cap[market] / PPM
    return 1.0 if gain <= max(cap, 0.0) else max(cap, 0.0) / gain


@kernel
def side_reserved(book: Book, state: PoolState, rule: PoolParameters, market: int, side: int) -> float:
    """Open interest that the pool has to be able to pay for: longs at the high price, shorts at cost."""
    if side == SHORT:
        return float(state.cost[SHORT, market])
    return float(user_interest(book, market, LONG)) * side_price(rule, market, book.oracle[market], True)


@kernel
def side_room(book: Book, state: PoolState, rule: PoolParameters, market: int, side: int) -> float:
    """Notional that a side may still open [micro-USD]; negative when a limit is already passed."""
    reserve = side_backing(book, state, rule, market, side) * rule.reserve[market] / PPM
    unused = reserve - side_reserved(book, state, rule, market, side)
    return float(min(unused, rule.interest_cap[market] - state.cost[side, market]))


@kernel
def fill_usage(book: Book, state: PoolState, rule: PoolParameters, out: Floats) -> None:
    """Write reserved over reservable backing of each side, (2, m) [1], at most MOST_USAGE."""
    for market in range(book.oracle.size):
        for side in range(2):
            reserve = side_backing(book, state, rule, market, side) * rule.reserve[market] / PPM
            reserved = side_reserved(book, state, rule, market, side)
            out[side, market] = min(reserved / reserve, MOST_USAGE) if reserve > 0 else MOST_USAGE


@kernel
def capped_gain(
    book: Book, state: PoolState, rule: PoolParameters, market: int, side: int, buying: bool
) -> tuple[float, float]:
    """A side's gain at one end of the oracle's range, and what of it is beyond the cap [micro-USD]."""
    price = side_price(rule, market, book.oracle[market], buying)
    gain = side_gain(book, state, market, side, price)
    cap = side_backing(book, state, rule, market, side) * rule.gain_cap[market] / PPM
    return gain, max(gain - max(cap, 0.0), 0.0)


@kernel
def pool_worth(book: Book, state: PoolState, rule: PoolParameters, pool: int, dear: bool) -> int:
    """What a pool is worth to its providers [micro-USD]: backing minus the users' capped gains.

    `dear` takes the end of the oracle's range at which the pool is worth the more, for those who enter;
    those who leave get the other end. Rounded against them.
    """
    worth = book.cash[pool] + unsettled_funding(book, pool)
    beyond = 0.0
    for market in range(book.oracle.size):
        if book.counterparty[market] != pool:
            continue
        worth += state.lent[market]
        for side in range(2):
            high = dear == (side == SHORT)
            owed = user_interest(book, market, side) * side_price(rule, market, book.oracle[market], high)
            worth += owed if side == SHORT else -owed
            beyond += capped_gain(book, state, rule, market, side, high)[1]
    return int(worth + int(np.ceil(beyond) if dear else np.floor(beyond)))


@kernel
def gains_within(book: Book, state: PoolState, rule: PoolParameters, pool: int, bounds: Ints) -> bool:
    """Whether no side of a pool's markets has gained more than a bound, (m,) [ppm] of its backing."""
    for market in range(book.oracle.size):
        for side in range(2):
            if book.counterparty[market] == pool:
                gain = capped_gain(book, state, rule, market, side, side == LONG)[0]
                limit = side_backing(book, state, rule, market, side) * bounds[market] / PPM
                if gain > max(limit, 0.0):
                    return False
    return True


@kernel
def free_backing(book: Book, state: PoolState, rule: PoolParameters, pool: int) -> int:
    """What providers may take out [micro-USD]: what no open interest or gain needs; at least 0."""
    total = backing(book, state, pool)
    free = total
    for market in range(book.oracle.size):
        for side in range(2):
            share = rule.long_share[market] if side == LONG else PPM - rule.long_share[market]
            if book.counterparty[market] == pool and share > 0:
                gain = capped_gain(book, state, rule, market, side, side == LONG)[0]
                needed = max(gain, 0.0) / max(rule.gain_exits[market], 1)
                reserved = side_reserved(book, state, rule, market, side)
                needed = max(needed, reserved / max(rule.reserve[market], 1))
                free = min(free, total - needed * PPM * PPM / share)
    return int(max(np.floor(free), 0.0))
