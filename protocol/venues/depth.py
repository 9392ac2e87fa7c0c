"""What the order book shows: best prices, impact prices, depth, and its levels and orders in full."""

from typing import NamedTuple

import numpy as np

from protocol.book import Floats, Ints, Rows
from protocol.kernels import kernel
from protocol.venues.bitset import least_above
from protocol.venues.ladder import Ladder
from protocol.venues.levels import best_key, best_order, beyond, following, price_of, signed
from protocol.venues.venue import Quotes

BAND = 0.01
RESTING = np.dtype(
    [(name, np.int64) for name in ("id", "account", "size", "price", "expiry")] + [("reduce_only", np.bool_)]
)


@kernel
def best_price(ladder: Ladder, row: int) -> int:
    """Best price of a side, 0 when it is empty."""
    return price_of(ladder, row, best_key(ladder, row)) if ladder.orders[row] else 0


@kernel
def standing(ladder: Ladder, row: int, slot: int) -> tuple[int, int, int]:
    """Price and lots of the level that an order leads, and the order that leads the next one.

    Beyond the window each order counts as a level.
    """
    order, price = ladder.order[slot], price_of(ladder, row, ladder.terms[slot].key)
    level = signed(order.level)
    if level == beyond(ladder):
        return price, order.size, signed(order.next)
    leader = ladder.queue[row, least_above(ladder.filled, row, level)].head
    return price, ladder.queue[row, level].size, signed(leader)


@kernel
def impact_price(ladder: Ladder, row: int, notional: int) -> float:
    """Average price of an order for `notional` against a side; 0 when the depth is less."""
    spent, bought, slot = 0, 0.0, best_order(ladder, row)
    while slot != 0:
        price, lots, slot = standing(ladder, row, slot)
        value = min(price * lots, notional - spent)
        spent += value
        bought += value / price
        if spent >= notional:
            return spent / bought
    return 0.0


@kernel
def depth(ladder: Ladder, row: int, price: int, band: float) -> int:
    """Notional resting within `band` [1] of `price` on a side [micro-USD]."""
    total, slot = 0, best_order(ladder, row)
    while slot != 0:
        level, lots, slot = standing(ladder, row, slot)
        if abs(level - price) > band * price:
            break
        total += level * lots
    return total


@kernel
def fill_quotes(ladder: Ladder, notional: Ints, price: Ints, out: Floats) -> None:
    """Write best bid, best ask, impact bid, impact ask and 1 % depth of each market into `out`."""
    for market in range(ladder.tick.size):
        for side in range(2):
            row = 2 * market + side
            out[side, market] = best_price(ladder, row)
            out[2 + side, market] = impact_price(ladder, row, notional[market])
            out[4, market] += depth(ladder, row, price[market], BAND)


def quotes(ladder: Ladder, impact_notional: Ints, price: Ints) -> Quotes:
    """Best and impact prices of each market and the depth within 1 % of `price` on both sides."""
    out = np.zeros((5, len(ladder.tick)))
    fill_quotes(ladder, impact_notional, price, out)
    return Quotes(*out)


@kernel
def fill_slots(ladder: Ladder, row: int, out: Ints) -> None:
    """Write the numbers of a side's orders in priority into `out`."""
    slot = best_order(ladder, row)
    for index in range(ladder.orders[row]):
        out[index] = slot
        slot = following(ladder, slot)


def resting_orders(ladder: Ladder, row: int) -> Rows:
    """The orders of a side in priority of price and time; (k,) RESTING."""
    slots = np.empty(int(ladder.orders[row]), np.int64)
    fill_slots(ladder, row, slots)
    order, terms, found = ladder.order[slots], ladder.terms[slots], np.empty(len(slots), RESTING)
    for name in ("account", "size", "reduce_only"):
        found[name] = order[name]
    found["id"] = order["generation"].astype(np.int64) << 32 | slots
    found["price"] = np.abs(terms["key"]) * ladder.tick[row >> 1]
    found["expiry"] = terms["expiry"]
    return found


class Levels(NamedTuple):
    """Price levels of a side, best first, each (k,) int64.

    Attributes
    ----------
    price
        [micro-USD per lot]
    size
        Lots that rest at the price.
    orders
        How many orders they belong to.
    """

    price: Ints
    size: Ints
    orders: Ints


def side_levels(ladder: Ladder, row: int) -> Levels:
    """All price levels of a side."""
    resting = resting_orders(ladder, row)
    price, first, orders = np.unique(resting["price"], return_index=True, return_counts=True)
    best_first = np.argsort(first)
    starts = first[best_first]
    size = np.add.reduceat(resting["size"], starts) if len(starts) else np.empty(0, np.int64)
    return Levels(price[best_first], size, orders[best_first])
