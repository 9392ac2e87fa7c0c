"""Resting orders as offers: what may fill now, and how an order leaves the book."""

from protocol.book import Book, Mask
from protocol.kernels import fragment, kernel
from protocol.venues.ladder import CANCEL_RESTING, CANCEL_TAKER, DECREMENT, REDUCING, USED, Ladder
from protocol.venues.levels import (
    best_key,
    best_order,
    consume,
    named_order,
    price_of,
    remove_order,
    unlink,
)


@fragment
def offered(book: Book, ladder: Ladder, slot: int) -> int:
    """Lots of a resting order that may fill now: at most the position it closes if it is reduce-only."""
    order = ladder.order[slot]
    if order.reduce_only == 0:
        return order.size
    held = book.size[order.row >> 1, order.account]
    return min(order.size, max(held if order.row & 1 else -held, 0))


@fragment
def best_live(book: Book, ladder: Ladder, row: int) -> int:
    """Best order of a side that is not idle, 0 if there is none; idle ones before it leave the book."""
    slot = best_order(ladder, row)
    while slot != 0 and offered(book, ladder, slot) == 0:
        remove_order(ladder, slot)
        slot = best_order(ladder, row)
    return slot


@kernel
def best_offer(book: Book, ladder: Ladder, row: int) -> tuple[int, int, int]:
    """Owner, price and lots of the best order of a side that is not empty; no lots if it is idle."""
    slot = best_order(ladder, row)
    price = price_of(ladder, row, best_key(ladder, row))
    return ladder.order[slot].account, price, offered(book, ladder, slot)


@kernel
def crosses(ladder: Ladder, row: int, limit: int, buying: bool) -> bool:
    """Whether the best order of a side is within `limit` (0: any price)."""
    if ladder.orders[row] == 0:
        return False
    price = price_of(ladder, row, best_key(ladder, row))
    return limit == 0 or (price <= limit if buying else price >= limit)


@kernel
def consume_best(ladder: Ladder, row: int, lots: int) -> None:
    """Take `lots` from the best order; it leaves when nothing is left of it."""
    consume(ladder, row, lots)


@kernel
def remove_best(ladder: Ladder, row: int) -> None:
    """Take the best order of a side out of the book."""
    remove_order(ladder, best_order(ladder, row))


@fragment
def withdraw(ladder: Ladder, account: int, number: int) -> None:
    """Cancel an account's order by its id; nothing happens if it does not rest."""
    slot = named_order(ladder, account, number)
    if slot != 0:
        unlink(ladder, slot)


@kernel
def cancel_orders(ladder: Ladder, leaving: Mask, block: int) -> int:
    """Remove the orders of `leaving` accounts, (n,) bool, and all that expired before `block`."""
    removed = 0
    for slot in range(1, ladder.pool[USED] + 1):
        order = ladder.order[slot]
        if order.size != 0 and (leaving[order.account] or ladder.terms[slot].expiry < block):
            remove_order(ladder, slot)
            removed += 1
    return removed


@kernel
def drop_idle(book: Book, ladder: Ladder) -> int:
    """Remove the reduce-only orders that have nothing to close; returns how many."""
    if ladder.pool[REDUCING] == 0:
        return 0
    removed = 0
    for slot in range(1, ladder.pool[USED] + 1):
        if ladder.order[slot].size != 0 and offered(book, ladder, slot) == 0:
            remove_order(ladder, slot)
            removed += 1
    return removed


@kernel
def prevent_self_trade(ladder: Ladder, row: int, left: int) -> int:
    """Deal with an account's own best order in the way of its `left` (> 0) lots; returns what is left."""
    if ladder.self_trade == CANCEL_TAKER:
        return 0
    if ladder.self_trade == DECREMENT:
        lots = min(left, ladder.order[best_order(ladder, row)].size)
        consume(ladder, row, lots)
        return left - lots
    remove_best(ladder, row)
    return left if ladder.self_trade == CANCEL_RESTING else 0
