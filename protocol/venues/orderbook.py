"""The central limit order book: price-time priority, both sides of every fill checked for margin."""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import ppm_ceil
from protocol.book import FEES, Book, Floats, Ints, Mask, Row, Rows, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.margin import fill_allows, interest_change, margin_allows
from protocol.orders import IMMEDIATE, POST_ONLY, Orders
from protocol.parameters import RiskParameters
from protocol.venues.venue import FILL, Quotes

BID, ASK = range(2)
FILLED, TAKER_REFUSED, MAKER_REFUSED = range(3)
LEVELS = 256


class Ladder(NamedTuple):
    """Resting orders: one row for each side of each market (`2·market + side`), the best order last.

    Attributes
    ----------
    key : (2m, c) int64
        Price of bids, minus the price of asks [micro-USD per lot]; ascending, and among equals the
        younger first, so that the last entry has priority in price and time.
    account, size, expiry : (2m, c) int64
        Owner, lots left (positive), last block of life.
    orders : (2m,) int64
        Number of orders in each row.
    tick : (m,) int64
        Price increment [micro-USD per lot].
    last : (m,) int64
        Price of the last trade.
    """

    key: Ints
    account: Ints
    size: Ints
    expiry: Ints
    orders: Ints
    tick: Ints
    last: Ints


def open_ladder(tick: Ints, prices: Ints, capacity: int = LEVELS) -> Ladder:
    """An empty book; `tick` and `prices` have shape (m,) [micro-USD per lot]."""
    shape = (2 * len(tick), capacity)
    key, account, size, expiry = (np.zeros(shape, np.int64) for _ in range(4))
    return Ladder(key, account, size, expiry, np.zeros(shape[0], np.int64), tick, prices.copy())


def with_room(ladder: Ladder, extra: int) -> Ladder:
    """The same book with room for `extra` more orders on any side."""
    needed, capacity = int(ladder.orders.max()) + extra, ladder.key.shape[1]
    if needed <= capacity:
        return ladder
    grow = ((0, 0), (0, max(needed, 2 * capacity) - capacity))
    return ladder._replace(
        key=np.pad(ladder.key, grow),
        account=np.pad(ladder.account, grow),
        size=np.pad(ladder.size, grow),
        expiry=np.pad(ladder.expiry, grow),
    )


@kernel
def insert_order(ladder: Ladder, row: int, key: int, account: int, size: int, expiry: int) -> None:
    """Rest an order behind all orders of the same price."""
    count = ladder.orders[row]
    place = np.searchsorted(ladder.key[row, :count], key)
    for slot in range(count, place, -1):
        ladder.key[row, slot] = ladder.key[row, slot - 1]
        ladder.account[row, slot] = ladder.account[row, slot - 1]
        ladder.size[row, slot] = ladder.size[row, slot - 1]
        ladder.expiry[row, slot] = ladder.expiry[row, slot - 1]
    ladder.key[row, place] = key
    ladder.account[row, place] = account
    ladder.size[row, place] = size
    ladder.expiry[row, place] = expiry
    ladder.orders[row] = count + 1


@kernel
def cancel_orders(ladder: Ladder, leaving: Mask, block: int) -> int:
    """Remove the orders of `leaving` accounts, (n,) bool, and all that expired before `block`."""
    removed = 0
    for row in range(ladder.orders.size):
        kept = 0
        for slot in range(ladder.orders[row]):
            if leaving[ladder.account[row, slot]] or ladder.expiry[row, slot] < block:
                removed += 1
                continue
            ladder.key[row, kept] = ladder.key[row, slot]
            ladder.account[row, kept] = ladder.account[row, slot]
            ladder.size[row, kept] = ladder.size[row, slot]
            ladder.expiry[row, kept] = ladder.expiry[row, slot]
            kept += 1
        ladder.orders[row] = kept
    return removed


@kernel
def best_offer(book: Book, ladder: Ladder, row: int) -> tuple[int, int, int]:
    """Owner, price and lots of the best order of a side that is not empty."""
    best = ladder.orders[row] - 1
    return ladder.account[row, best], abs(ladder.key[row, best]), ladder.size[row, best]


@kernel
def remove_best(ladder: Ladder, row: int) -> None:
    """Take the best order of a side out of the book."""
    ladder.orders[row] -= 1


@kernel
def consume_best(ladder: Ladder, row: int, lots: int) -> None:
    """Take `lots` from the best order; it leaves when nothing is left of it."""
    best = ladder.orders[row] - 1
    ladder.size[row, best] -= lots
    if ladder.size[row, best] == 0:
        ladder.orders[row] = best


@kernel
def try_fill(
    book: Book, parameters: RiskParameters, taker: int, maker: int, market: int, change: int, fill: Row
) -> int:
    """Fill `change` lots at `fill.price` if both sides pass the margin rule; complete the record `fill`."""
    quote = change * fill.price
    fill.taker_fee = ppm_ceil(abs(quote), parameters.taker_fee)
    fill.maker_fee = ppm_ceil(abs(quote), parameters.maker_fee)
    interest = interest_change(book, taker, maker, market, change)
    if not margin_allows(book, parameters, taker, market, change, -quote - fill.taker_fee, interest):
        return TAKER_REFUSED
    if not fill_allows(book, parameters, maker, market, -change, quote - fill.maker_fee, interest):
        return MAKER_REFUSED
    exchange_position(book, taker, maker, market, change, quote)
    move_cash(book, taker, FEES, fill.taker_fee)
    move_cash(book, maker, FEES, fill.maker_fee)
    fill.market, fill.taker, fill.maker, fill.size = market, taker, maker, change
    fill.quote = quote
    return FILLED


@kernel
def crosses(ladder: Ladder, row: int, limit: int, buying: bool) -> bool:
    """Whether the best order of a side is within `limit` (0: any price)."""
    if ladder.orders[row] == 0:
        return False
    price = abs(ladder.key[row, ladder.orders[row] - 1])
    return limit == 0 or (price <= limit if buying else price >= limit)


@kernel
def take(
    book: Book,
    parameters: RiskParameters,
    ladder: Ladder,
    order: tuple[int, int, int, int],
    fills: Rows,
    done: int,
) -> tuple[int, int]:
    """Match one order (account, market, size, limit) against the other side.

    Returns the lots left (signed; 0 once the margin rule refuses the taker) and the number of fills
    recorded so far. A maker who fails the rule, and the taker's own resting order, leave the book.
    """
    account, market, left, limit = order
    row = 2 * market + (ASK if left > 0 else BID)
    while left != 0 and crosses(ladder, row, limit, left > 0):
        best = ladder.orders[row] - 1
        maker = ladder.account[row, best]
        lots = min(abs(left), ladder.size[row, best])
        change = lots if left > 0 else -lots
        if maker == account:
            consume_best(ladder, row, ladder.size[row, best])
            continue
        fills[done].price = abs(ladder.key[row, best])
        outcome = try_fill(book, parameters, account, maker, market, change, fills[done])
        if outcome == TAKER_REFUSED:
            return 0, done
        if outcome == MAKER_REFUSED:
            consume_best(ladder, row, ladder.size[row, best])
            continue
        ladder.last[market] = fills[done].price
        consume_best(ladder, row, lots)
        left -= change
        done += 1
    return left, done


@kernel
def on_tick(limit: int, tick: int, buying: bool) -> int:
    """Limit price moved to the grid, never to a worse price for its owner; 0 for a bid below the grid."""
    return limit // tick * tick if buying else -(-limit // tick) * tick


@kernel
def rest(ladder: Ladder, batch: Orders, index: int, limit: int, left: int) -> None:
    """Let the `left` signed lots of an order of the batch rest at a limit on the grid."""
    row, key = 2 * batch.market[index] + (BID if left > 0 else ASK), limit if left > 0 else -limit
    insert_order(ladder, row, key, batch.account[index], abs(left), batch.expiry[index])


@kernel
def match_orders(book: Book, parameters: RiskParameters, ladder: Ladder, batch: Orders, fills: Rows) -> int:
    """Execute orders in sequence; write one record for each fill and return their number."""
    done = 0
    for index in range(batch.account.size):
        account, market, size = batch.account[index], batch.market[index], batch.size[index]
        if batch.reduce_only[index]:
            held = book.size[market, account]
            size = max(size, -max(held, 0)) if size < 0 else min(size, max(-held, 0))
        limit = on_tick(batch.limit[index], ladder.tick[market], size > 0)
        if size == 0 or (limit == 0 and batch.limit[index] != 0):
            continue
        if batch.kind[index] == POST_ONLY:
            if crosses(ladder, 2 * market + (ASK if size > 0 else BID), limit, size > 0):
                continue
        else:
            size, done = take(book, parameters, ladder, (account, market, size, limit), fills, done)
        if size != 0 and batch.kind[index] != IMMEDIATE and limit > 0:
            rest(ladder, batch, index, limit, size)
    return done


def match(book: Book, parameters: RiskParameters, ladder: Ladder, batch: Orders) -> tuple[Ladder, Rows]:
    """Execute a sequenced batch; return the book (grown if it had to) and the fills.

    Returns
    -------
    ladder : Ladder
    fills : (k,) FILL
        `size` is the taker's change; prices in micro-USD per lot, fees in micro-USD.
    """
    ladder = with_room(ladder, len(batch.account))
    fills = np.zeros(2 * len(batch.account) + int(ladder.orders.sum()) + 1, FILL)
    done = match_orders(book, parameters, ladder, batch, fills)
    return ladder, fills[:done]


RESTING = np.dtype([(name, np.int64) for name in ("account", "size", "price", "expiry")])


def resting_orders(ladder: Ladder, row: int) -> Rows:
    """The orders of a side, the best first; (k,) RESTING."""
    kept = slice(0, int(ladder.orders[row]))
    columns = (ladder.account[row, kept], ladder.size[row, kept], np.abs(ladder.key[row, kept]))
    found = np.zeros(len(columns[0]), RESTING)
    for name, column in zip(RESTING.names or (), (*columns, ladder.expiry[row, kept]), strict=True):
        found[name] = column[::-1]
    return found


@kernel
def best_price(ladder: Ladder, row: int) -> int:
    """Best price of a side, 0 when it is empty."""
    return abs(ladder.key[row, ladder.orders[row] - 1]) if ladder.orders[row] else 0


@kernel
def impact_price(ladder: Ladder, row: int, notional: int) -> float:
    """Average price of an order for `notional` against a side; 0 when the depth is less."""
    spent, lots = 0, 0.0
    for slot in range(ladder.orders[row] - 1, -1, -1):
        price = abs(ladder.key[row, slot])
        value = min(price * ladder.size[row, slot], notional - spent)
        spent += value
        lots += value / price
        if spent >= notional:
            return spent / lots
    return 0.0


@kernel
def depth(ladder: Ladder, row: int, price: int, band: float) -> int:
    """Notional resting within `band` [1] of `price` on a side [micro-USD]."""
    total = 0
    for slot in range(ladder.orders[row] - 1, -1, -1):
        level = abs(ladder.key[row, slot])
        if abs(level - price) > band * price:
            break
        total += level * ladder.size[row, slot]
    return total


@kernel
def fill_quotes(ladder: Ladder, notional: Ints, price: Ints, out: Floats) -> None:
    """Write best bid, best ask, impact bid, impact ask and 1 % depth of each market into `out`."""
    for market in range(ladder.tick.size):
        for side in range(2):
            row = 2 * market + side
            out[side, market] = best_price(ladder, row)
            out[2 + side, market] = impact_price(ladder, row, notional[market])
            out[4, market] += depth(ladder, row, price[market], 0.01)


def quotes(ladder: Ladder, impact_notional: Ints, price: Ints) -> Quotes:
    """Best and impact prices of each market and the depth within 1 % of `price` on both sides."""
    out = np.zeros((5, len(ladder.tick)))
    fill_quotes(ladder, impact_notional, price, out)
    return Quotes(*out)
