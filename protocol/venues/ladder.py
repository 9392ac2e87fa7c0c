"""The orders that rest in a book: what is known of them, and how they are laid out in memory."""

from typing import NamedTuple

import numpy as np

from protocol.book import Ints, Rows
from protocol.venues.bitset import empty_sets

BID, ASK = range(2)
CANCEL_RESTING, CANCEL_TAKER, CANCEL_BOTH, DECREMENT = range(4)
SELF_TRADE = {
    "cancel_resting": CANCEL_RESTING,
    "cancel_taker": CANCEL_TAKER,
    "cancel_both": CANCEL_BOTH,
    "decrement": DECREMENT,
}
CAPACITY = 1024
WINDOW = 1 << 16
MARKETS = 1 << 15

ORDER = np.dtype(
    [
        ("size", np.int64),
        ("account", np.int32),
        ("generation", np.int32),
        ("level", np.uint32),
        ("next", np.uint32),
        ("previous", np.uint32),
        ("row", np.uint16),
        ("reduce_only", np.int16),
    ]
)
TERMS = np.dtype([("key", np.int64), ("expiry", np.int64)])
QUEUE = np.dtype([("head", np.uint32), ("tail", np.uint32), ("size", np.int64)])
SIDE = np.dtype([("base", np.int64), ("best", np.uint32)], align=True)
FREE, USED, REDUCING = range(3)


class Ladder(NamedTuple):
    """Resting orders of m markets, and how a venue matches them.

    A row is one side of one market: `2·market + side`. Prices count in ticks, better ones first, so that
    both sides read alike: the key of an ask is its tick, that of a bid its tick with the sign turned.

    Attributes
    ----------
    order : (c,) ORDER
        All orders, resting or free; `size` is the lots left, 0 of a free one. Number 0 stands for none.
    terms : (c,) TERMS
        What is rarely asked of an order: its key, and the last block of its life.
    queue : (2m, w + 1) QUEUE
        First and last order of each level of a window of keys, and its lots; the last queue takes what lies
        beyond the window.
    filled : (2m, 65 + w/64) uint64
        The levels of the window that hold orders, as bitsets.
    side : (2m,) SIDE
        Key of the window's first level, and the best level that holds orders (w if there is none).
    orders : (2m,) int64
        Number of orders in each row.
    pool : (3,) uint32
        First free order (they are chained by `next`), how many were ever in use, how many are reduce-only.
    tick : (m,) int64
        Price increment [micro-USD per lot]; fixed while orders rest.
    last : (m,) int64
        Price of the last trade.
    self_trade : int
        What happens when an account meets its own order, of which nothing ever trades: CANCEL_RESTING
        removes that order, CANCEL_TAKER what is left of the arriving one, CANCEL_BOTH both; DECREMENT takes
        the lots that would have traded from both.
    cleared : bool
        Whether fills are settled on the accounts, under the margin rule; if not, they are only recorded.
    """

    order: Rows
    terms: Rows
    queue: Rows
    filled: Rows
    side: Rows
    orders: Ints
    pool: Rows
    tick: Ints
    last: Ints
    self_trade: int
    cleared: bool


def aligned_orders(count: int) -> Rows:
    """Free orders, (count,) ORDER, none of which straddles two lines of the processor's cache."""
    memory = np.zeros((count + 1) * ORDER.itemsize, np.uint8)
    start = -int(memory.__array_interface__["data"][0]) % ORDER.itemsize
    orders: Rows = memory[start : start + count * ORDER.itemsize].view(ORDER)
    return orders


def open_ladder(
    tick: Ints,
    prices: Ints,
    capacity: int = CAPACITY,
    window: int = WINDOW,
    self_trade: int = CANCEL_RESTING,
    cleared: bool = True,
) -> Ladder:
    """An empty book.

    Parameters
    ----------
    tick, prices : (m,) int64
        Price increment and opening price of each market [micro-USD per lot].
    capacity : int
        Orders for which there is room at first.
    window : int
        Ticks within which an order is found at once: a multiple of 64, at most 64³.
    self_trade, cleared
        See `Ladder`.

    Raises
    ------
    ValueError
        More than `MARKETS` markets, or a window that no bitset holds.
    """
    if len(tick) > MARKETS:
        raise ValueError(f"a book holds at most {MARKETS} markets, got {len(tick)}")
    rows = 2 * len(tick)
    side = np.zeros(rows, SIDE)
    side["best"] = window
    return Ladder(
        order=aligned_orders(capacity + 1),
        terms=np.zeros(capacity + 1, TERMS),
        queue=np.zeros((rows, window + 1), QUEUE),
        filled=empty_sets(rows, window),
        side=side,
        orders=np.zeros(rows, np.int64),
        pool=np.zeros(3, np.uint32),
        tick=tick.copy(),
        last=prices.copy(),
        self_trade=self_trade,
        cleared=cleared,
    )


def with_room(ladder: Ladder, extra: int) -> Ladder:
    """The same book with room for `extra` more orders."""
    needed, capacity = int(ladder.orders.sum()) + extra + 1, len(ladder.order)
    if needed <= capacity:
        return ladder
    order, terms = aligned_orders(max(needed, 2 * capacity)), np.zeros(max(needed, 2 * capacity), TERMS)
    order[:capacity], terms[:capacity] = ladder.order, ladder.terms
    return ladder._replace(order=order, terms=terms)
