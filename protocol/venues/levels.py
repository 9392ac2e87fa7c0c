"""Price-time priority: one queue of orders for each price within a window of ticks.

The window follows the best price. Orders beyond it wait in one further queue, sorted, until the window
reaches them, so that every price has a place. Resting, withdrawing and taking an order cost the same in a
book of any depth.
"""

import numpy as np

from protocol.kernels import fragment, kernel
from protocol.venues.bitset import exclude, include, least, least_above
from protocol.venues.ladder import FREE, REDUCING, USED, Ladder

NUMBER = 32


@fragment
def signed(number: int) -> int:
    """A narrow or literal number as one of 64 bits, so that no function is compiled for each kind of it."""
    return int(np.int64(number))


@fragment
def beyond(ladder: Ladder) -> int:
    """Number of the level that takes what lies beyond the window."""
    return ladder.queue.shape[1] - 1


@fragment
def link(ladder: Ladder, row: int, level: int, slot: int, after: int, before: int) -> None:
    """Put an order into a queue between two others; 0 is no order, and takes what is written to it."""
    order, queue = ladder.order[slot], ladder.queue[row, level]
    order.level, order.previous, order.next = level, after, before
    ladder.order[after].next = slot
    ladder.order[before].previous = slot
    queue.head = slot if after == 0 else queue.head
    queue.tail = slot if before == 0 else queue.tail
    queue.size += order.size


@fragment
def append(ladder: Ladder, row: int, level: int, slot: int) -> None:
    """Put an order behind all others of its level."""
    tail = signed(ladder.queue[row, level].tail)
    if tail == 0 and level < beyond(ladder):
        include(ladder.filled, row, level)
        ladder.side[row].best = min(signed(ladder.side[row].best), level)
    link(ladder, row, level, slot, tail, signed(0))


@kernel
def detach_all(ladder: Ladder, row: int) -> int:
    """Empty all queues of a row; returns the first of its orders, chained by `next` in priority."""
    first, last, level = signed(0), signed(0), signed(ladder.side[row].best)
    while True:
        queue = ladder.queue[row, level]
        if queue.head != 0:
            ladder.order[last].next = queue.head
            first = signed(queue.head) if first == 0 else first
            last = signed(queue.tail)
        queue.head, queue.tail, queue.size = 0, 0, 0
        if level == beyond(ladder):
            return first
        exclude(ladder.filled, row, level)
        level = least(ladder.filled, row)


@kernel
def recentre(ladder: Ladder, row: int, best: int) -> None:
    """Move the window of a row so that the key `best` lies a quarter behind its start."""
    side, window = ladder.side[row], beyond(ladder)
    slot = detach_all(ladder, row)
    side.base, side.best = best - (window >> 2), window
    while slot != 0:
        following = signed(ladder.order[slot].next)
        append(ladder, row, min(ladder.terms[slot].key - side.base, window), slot)
        slot = following


@kernel
def admit(ladder: Ladder, row: int, key: int) -> int:
    """Level of a key that lies outside the window, which moves if it lags behind the best price.

    It does not for an order that is far behind a best price in the window's first half.
    """
    side, window = ladder.side[row], beyond(ladder)
    if side.best == window or key < side.base:
        recentre(ladder, row, key)
    elif side.best > window >> 1:
        recentre(ladder, row, side.base + signed(side.best))
    return min(key - side.base, window)


@kernel
def insert_beyond(ladder: Ladder, row: int, key: int, slot: int) -> None:
    """Put an order among those beyond the window, behind all that are not worse."""
    after, before = signed(ladder.queue[row, beyond(ladder)].tail), signed(0)
    while after != 0 and ladder.terms[after].key > key:
        after, before = signed(ladder.order[after].previous), after
    link(ladder, row, beyond(ladder), slot, after, before)


@fragment
def claim(ladder: Ladder) -> int:
    """A free order, of a generation of its own, to be filled in and put into its queue."""
    slot = signed(ladder.pool[FREE])
    if slot != 0:
        ladder.pool[FREE] = ladder.order[slot].next
    else:
        ladder.pool[USED] += 1
        slot = signed(ladder.pool[USED])
    ladder.order[slot].generation += 1
    return slot


@fragment
def enqueue(ladder: Ladder, row: int, slot: int) -> None:
    """Let an order rest behind all orders of the same price."""
    order, key = ladder.order[slot], ladder.terms[slot].key
    order.row = row
    ladder.orders[row] += 1
    ladder.pool[REDUCING] += order.reduce_only
    level = key - ladder.side[row].base
    if level < 0 or level >= beyond(ladder):
        level = admit(ladder, row, key)
    if level < beyond(ladder):
        append(ladder, row, level, slot)
    else:
        insert_beyond(ladder, row, key, slot)


@kernel
def close_level(ladder: Ladder, row: int, level: int) -> None:
    """Note that the last order of a level is gone, and find the best level anew if it was that."""
    side = ladder.side[row]
    exclude(ladder.filled, row, level)
    if level == side.best:
        side.best = least(ladder.filled, row)
        waiting = ladder.queue[row, beyond(ladder)].head
        if side.best == beyond(ladder) and waiting != 0:
            recentre(ladder, row, ladder.terms[waiting].key)


@fragment
def release(ladder: Ladder, row: int, slot: int) -> None:
    """Free an order that no queue holds any more."""
    order = ladder.order[slot]
    order.size, order.next = 0, ladder.pool[FREE]
    ladder.pool[FREE] = slot
    ladder.pool[REDUCING] -= order.reduce_only
    ladder.orders[row] -= 1


@fragment
def unlink(ladder: Ladder, slot: int) -> None:
    """Take an order out of its queue and free it."""
    order = ladder.order[slot]
    row, level = signed(order.row), signed(order.level)
    after, before = signed(order.previous), signed(order.next)
    queue = ladder.queue[row, level]
    ladder.order[after].next = before
    ladder.order[before].previous = after
    queue.head = before if after == 0 else queue.head
    queue.tail = after if before == 0 else queue.tail
    queue.size -= order.size
    release(ladder, row, slot)
    if queue.head == 0 and level < beyond(ladder):
        close_level(ladder, row, level)


@kernel
def remove_order(ladder: Ladder, slot: int) -> None:
    """Take an order out of the book."""
    unlink(ladder, slot)


@fragment
def consume(ladder: Ladder, row: int, lots: int) -> None:
    """Take lots from the best order of a row; it leaves when nothing is left of it."""
    level = signed(ladder.side[row].best)
    queue = ladder.queue[row, level]
    slot = signed(queue.head)
    order = ladder.order[slot]
    queue.size -= lots
    if lots != order.size:
        order.size -= lots
        return
    queue.head = order.next
    ladder.order[order.next].previous = 0
    release(ladder, row, slot)
    if queue.head == 0:
        queue.tail = 0
        close_level(ladder, row, level)


@fragment
def best_order(ladder: Ladder, row: int) -> int:
    """The order of a row with priority in price and time; 0 if there is none."""
    return signed(ladder.queue[row, ladder.side[row].best].head)


@fragment
def best_key(ladder: Ladder, row: int) -> int:
    """Key of the best order of a row that is not empty."""
    return ladder.side[row].base + signed(ladder.side[row].best)


@fragment
def price_of(ladder: Ladder, row: int, key: int) -> int:
    """Price of a key [micro-USD per lot]."""
    return abs(key) * ladder.tick[row >> 1]


@fragment
def following(ladder: Ladder, slot: int) -> int:
    """The order that comes after an order in priority; 0 if there is none."""
    order = ladder.order[slot]
    row, level = signed(order.row), signed(order.level)
    if order.next != 0 or level == beyond(ladder):
        return signed(order.next)
    return signed(ladder.queue[row, least_above(ladder.filled, row, level)].head)


@fragment
def order_id(ladder: Ladder, slot: int) -> int:
    """The number that names an order and, once that is gone, no other."""
    return signed(ladder.order[slot].generation) << NUMBER | slot


@fragment
def order_slot(number: int) -> int:
    """Where the order that an id names rests or rested."""
    return number & ((1 << NUMBER) - 1)


@fragment
def named_order(ladder: Ladder, account: int, number: int) -> int:
    """The order that an id names, if it rests and is the account's; else 0."""
    slot, generation = order_slot(number), number >> NUMBER
    if slot > ladder.pool[USED]:
        return 0
    order = ladder.order[slot]
    known = order.generation == generation and order.account == account and order.size != 0
    return slot if known else 0
