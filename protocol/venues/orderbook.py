"""The central limit order book: price-time priority, both sides of every fill checked for margin."""

import numpy as np

from protocol.admission import fill_allows, interest_change, margin_allows
from protocol.arithmetic import ppm_ceil
from protocol.book import FEES, Book, Floats, Row, Rows, exchange_position, move_cash
from protocol.kernels import fragment, kernel
from protocol.orders import CANCEL, FILL_OR_KILL, IMMEDIATE, POST_ONLY, Orders
from protocol.parameters import RiskParameters
from protocol.prefetch import prefetch
from protocol.venues.ladder import ASK, BID, CANCEL_RESTING, MARKETS, Ladder, with_room
from protocol.venues.levels import (
    best_key,
    best_order,
    claim,
    consume,
    enqueue,
    following,
    order_id,
    order_slot,
    price_of,
    remove_order,
    signed,
)
from protocol.venues.offers import (
    best_live,
    drop_idle,
    offered,
    prevent_self_trade,
    withdraw,
)
from protocol.venues.venue import FILL

FILLED, TAKER_REFUSED, MAKER_REFUSED = range(3)
ANY = int(np.iinfo(np.int64).max)
AHEAD = 12
LAST_MARKET = MARKETS - 1  # masked with it, a market cannot be negative, for which indexing would look


@kernel
def on_tick(limit: int, tick: int, buying: bool) -> int:
    """Limit price moved to the grid, never to a worse price for its owner; 0 for a bid below the grid."""
    return limit // tick * tick if buying else -(-limit // tick) * tick


@fragment
def direction(buying: bool) -> int:
    """1 for a buyer, -1 for a seller; no branch, as no processor guesses sides well."""
    return (signed(buying) << 1) - 1


@fragment
def reach(limit: int, tick: int, buying: bool) -> int:
    """Worst key of the other side that a limit price accepts, ANY for limit 0; 0 for a price below the grid.

    With the sign turned it is the key under which the order itself rests.
    """
    if limit <= 0:
        return ANY if limit == 0 else 0
    ticks = np.uint64(limit + (tick - 1) * signed(not buying)) // np.uint64(tick)
    return int(np.int64(ticks)) * direction(buying)


@fragment
def write_fill(fill: Row, market: int, taker: int, maker: int, size: int, price: int) -> None:
    """Record a fill of signed lots, without fees."""
    fill.market, fill.taker, fill.maker = market, taker, maker
    fill.size, fill.price, fill.quote = size, price, size * price
    fill.taker_fee, fill.maker_fee = 0, 0


@kernel
def settle_fill(book: Book, parameters: RiskParameters, fill: Row) -> int:
    """Move positions and cash of a recorded fill if both sides pass the margin rule; adds the fees to it."""
    market, taker, maker, change, quote = fill.market, fill.taker, fill.maker, fill.size, fill.quote
    fill.taker_fee = ppm_ceil(abs(quote), parameters.taker_fee)
    fill.maker_fee = ppm_ceil(abs(quote), parameters.maker_fee)
    interest = interest_change(book, taker, maker, market, change)
    if not margin_allows(book, parameters, taker, market, change, -quote, interest, fill.taker_fee):
        return TAKER_REFUSED
    if not fill_allows(book, parameters, maker, market, -change, quote, interest, fill.maker_fee):
        return MAKER_REFUSED
    exchange_position(book, taker, maker, market, change, quote)
    move_cash(book, taker, FEES, fill.taker_fee)
    move_cash(book, maker, FEES, fill.maker_fee)
    return FILLED


@fragment
def take(
    book: Book,
    parameters: RiskParameters,
    ladder: Ladder,
    order: tuple[int, int, int, int],
    fills: Rows,
    done: int,
) -> tuple[int, int]:
    """Match one order (account, market, size, reach) against the other side.

    Returns the lots left (signed; 0 once the margin rule refuses the taker) and the number of fills
    recorded so far. A maker who fails the rule leaves the book.
    """
    account, market, size, worst = order
    side = direction(size > 0)
    row, left = 2 * market + signed(size > 0), size * side
    while left != 0:
        slot, key = best_order(ladder, row), best_key(ladder, row)
        if slot == 0 or key > worst:
            break
        lots = min(left, offered(book, ladder, slot))
        if lots == 0:
            remove_order(ladder, slot)
            continue
        maker, price, fill = ladder.order[slot].account, price_of(ladder, row, key), fills[done]
        if maker == account:
            left = prevent_self_trade(ladder, row, left)
            continue
        write_fill(fill, market, account, maker, lots * side, price)
        outcome = settle_fill(book, parameters, fill) if ladder.cleared else FILLED
        if outcome == TAKER_REFUSED:
            return 0, done
        if outcome == MAKER_REFUSED:
            remove_order(ladder, slot)
            continue
        ladder.last[market] = price
        consume(ladder, row, lots)
        left -= lots
        done += 1
    return left * side, done


@kernel
def take_back(book: Book, fill: Row, before: Floats) -> None:
    """Undo a fill on the accounts; `before`, (2,), is what the maker's entry price and kept rate were."""
    move_cash(book, FEES, fill.taker, fill.taker_fee)
    move_cash(book, FEES, fill.maker, fill.maker_fee)
    exchange_position(book, fill.taker, fill.maker, fill.market, -fill.size, -fill.quote)
    book.entry[fill.market, fill.maker] = before[0]
    book.kept[fill.market, fill.maker] = before[1]


@kernel
def try_fills(
    book: Book,
    parameters: RiskParameters,
    ladder: Ladder,
    order: tuple[int, int, int, int],
    fills: Rows,
    before: Floats,
) -> tuple[int, int]:
    """Fill an order on the accounts while the ladder stays as it is; returns lots left and fills done.

    The makers' entry prices and kept rates before each fill are written into `before`, (k, 2).
    """
    account, market, left, worst = order
    buying, done = left > 0, 0
    row = 2 * market + (ASK if buying else BID)
    slot = best_order(ladder, row)
    while left != 0 and slot != 0 and ladder.terms[slot].key <= worst:
        maker, fill = ladder.order[slot].account, fills[done]
        price = price_of(ladder, row, ladder.terms[slot].key)
        lots = min(abs(left), offered(book, ladder, slot))
        if maker == account and ladder.self_trade != CANCEL_RESTING:
            break
        if maker != account and lots != 0:
            before[done, 0], before[done, 1] = book.entry[market, maker], book.kept[market, maker]
            write_fill(fill, market, account, maker, lots if buying else -lots, price)
            outcome = settle_fill(book, parameters, fill) if ladder.cleared else FILLED
            if outcome == TAKER_REFUSED:
                break
            if outcome == FILLED:
                left -= fill.size
                done += 1
        slot = following(ladder, slot)
    return left, done


@kernel
def fills_whole(
    book: Book,
    parameters: RiskParameters,
    ladder: Ladder,
    order: tuple[int, int, int, int],
    fills: Rows,
    before: Floats,
) -> bool:
    """Whether an order would fill whole: it is filled on the accounts, and taken back.

    What stays is that funding was settled. `fills` and `before`, each with room for every resting order,
    are scratch.
    """
    entry, kept = book.entry[order[1], order[0]], book.kept[order[1], order[0]]
    left, done = try_fills(book, parameters, ladder, order, fills, before)
    for index in range(done - 1 if ladder.cleared else -1, -1, -1):
        take_back(book, fills[index], before[index])
    book.entry[order[1], order[0]] = entry
    book.kept[order[1], order[0]] = kept
    return left == 0


@kernel
def reducing(book: Book, account: int, market: int, size: int) -> int:
    """The part of an order's signed lots that closes a position."""
    held = book.size[market, account]
    return max(size, -max(held, 0)) if size < 0 else min(size, max(-held, 0))


@fragment
def rest(ladder: Ladder, batch: Orders, index: int, key: int, left: int) -> None:
    """Let the `left` signed lots of an order of the batch rest at a key; note its id there."""
    market, slot = batch.market[index] & LAST_MARKET, claim(ladder)
    order, terms = ladder.order[slot], ladder.terms[slot]
    order.account, order.size, order.reduce_only = batch.account[index], abs(left), batch.reduce_only[index]
    terms.key, terms.expiry = key, batch.expiry[index]
    enqueue(ladder, 2 * market + signed(left < 0), slot)
    batch.id[index] = order_id(ladder, slot)


@kernel
def match_orders(
    book: Book, parameters: RiskParameters, ladder: Ladder, batch: Orders, fills: Rows, before: Floats
) -> int:
    """Execute orders in sequence; write one record for each fill and return their number."""
    done, last = signed(0), batch.account.size - 1
    for index in range(last + 1):
        prefetch(ladder.order, order_slot(batch.id[min(index + AHEAD, last)]))
        account, market, size = batch.account[index], batch.market[index] & LAST_MARKET, batch.size[index]
        kind = batch.kind[index]
        if kind == CANCEL:
            withdraw(ladder, account, batch.id[index])
            continue
        if batch.reduce_only[index]:
            size = reducing(book, account, market, size)
        worst = reach(batch.limit[index], ladder.tick[market], size > 0)
        if size == 0 or worst == 0:
            continue
        order, row = (account, market, size, worst), 2 * market + signed(size > 0)
        if best_key(ladder, row) <= worst:
            if kind == POST_ONLY:
                if best_live(book, ladder, row) != 0 and best_key(ladder, row) <= worst:
                    continue
            elif kind != FILL_OR_KILL or fills_whole(book, parameters, ladder, order, fills[done:], before):
                size, done = take(book, parameters, ladder, order, fills, done)
        if size != 0 and worst != ANY and kind != IMMEDIATE and kind != FILL_OR_KILL:
            rest(ladder, batch, index, -worst, size)
    drop_idle(book, ladder)
    return done


def match(book: Book, parameters: RiskParameters, ladder: Ladder, batch: Orders) -> tuple[Ladder, Rows]:
    """Execute a sequenced batch; return the book (grown if it had to) and the fills.

    The ids under which orders rest afterwards are written into `batch.id`.

    Returns
    -------
    ladder : Ladder
    fills : (k,) FILL
        `size` and `quote` are the taker's; prices in micro-USD per lot, fees in micro-USD.
    """
    ladder = with_room(ladder, len(batch.account))
    fills = np.empty(2 * len(batch.account) + int(ladder.orders.sum()) + 1, FILL)
    done = match_orders(book, parameters, ladder, batch, fills, np.empty((len(fills), 2)))
    return ladder, fills[:done]
