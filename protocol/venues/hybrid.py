"""Matching against a virtual AMM and a ladder of resting orders: a taker gets the better of the two."""

from typing import NamedTuple

import numpy as np

from protocol.admission import interest_change, margin_allows
from protocol.arithmetic import ppm_ceil, ppm_floor
from protocol.book import FEES, Book, Row, Rows, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.orders import CANCEL, IMMEDIATE, POST_ONLY, Orders
from protocol.parameters import RiskParameters
from protocol.venues.curve import lots_until, reserves, trade_value
from protocol.venues.ladder import ASK, BID, Ladder
from protocol.venues.levels import best_key, price_of
from protocol.venues.offers import (
    best_live,
    best_offer,
    consume_best,
    crosses,
    drop_idle,
    remove_best,
    withdraw,
)
from protocol.venues.orderbook import ANY, reach, reducing, rest, take
from protocol.venues.repeg import State, pass_on_funding, whole_value


class Hybrid(NamedTuple):
    """Both sources of liquidity of a venue, and the AMM's part of the taker's fee [ppm]."""

    state: State
    ladder: Ladder
    pool_share: int


@kernel
def quoted_peg(state: State, market: int, buying: bool) -> float:
    """Peg at which a taker buys or sells, the spread included [micro-USD per lot]."""
    shift = state.spread[ASK, market] if buying else -state.spread[BID, market]
    return state.curve.peg[market] * (1.0 + shift)


@kernel
def curve_lots(book: Book, state: State, market: int, limit: int, buying: bool) -> int:
    """Whole lots that the AMM trades before its marginal price passes `limit` (0: any price)."""
    room = state.room[ASK if buying else BID, market]
    if room == 0 or limit == 0:
        return room
    base = state.curve.centre[market] + book.size[market, book.counterparty[market]]
    lots = lots_until(base, state.curve.root[market], quoted_peg(state, market, buying), float(limit))
    return min(max(int(lots if buying else -lots), 0), room)


@kernel
def fill_from_curve(
    book: Book, parameters: RiskParameters, hybrid: Hybrid, order: tuple[int, int, int], fill: Row
) -> bool:
    """Fill (account, market, change) against the AMM, rounded against the taker; whether margin allows it.

    The AMM itself is under no margin rule.
    """
    account, market, change = order
    state = hybrid.state
    maker = book.counterparty[market]
    base, stock = reserves(state.curve, market, float(book.size[market, maker]))
    quote = int(np.ceil(trade_value(base, stock, quoted_peg(state, market, change > 0), float(change))))
    fee = ppm_ceil(abs(quote), parameters.taker_fee)
    interest = interest_change(book, account, maker, market, change)
    if not margin_allows(book, parameters, account, market, change, -quote, interest, fee):
        return False
    pass_on_funding(book, market)
    before = whole_value(book, state.curve, market)
    exchange_position(book, account, maker, market, change, quote)
    move_cash(book, maker, book.impact[market], quote + whole_value(book, state.curve, market) - before)
    to_pool = ppm_floor(max(fee, 0), hybrid.pool_share)
    move_cash(book, account, book.impact[market], to_pool)
    move_cash(book, account, FEES, fee - to_pool)
    state.room[ASK if change > 0 else BID, market] -= abs(change)
    fill.market, fill.taker, fill.maker, fill.size, fill.quote = market, account, maker, change, quote
    fill.price, fill.taker_fee, fill.maker_fee = quote // change, fee, 0
    return True


@kernel
def take_better(
    book: Book,
    parameters: RiskParameters,
    hybrid: Hybrid,
    order: tuple[int, int, int, int],
    fills: Rows,
    done: int,
) -> tuple[int, int]:
    """Match one order (account, market, size, reach) with AMM and ladder in turn, the better price first.

    At one price the ladder comes first. Returns the lots left (signed; 0 once the margin rule refuses the
    taker) and the number of fills so far.
    """
    account, market, left, worst = order
    buying, ladder = left > 0, hybrid.ladder
    row = 2 * market + (ASK if buying else BID)
    while left != 0:
        resting = ladder.orders[row] != 0 and best_key(ladder, row) <= worst
        key = best_key(ladder, row) if resting else worst
        level = price_of(ladder, row, key) if key != ANY else 0
        lots = min(curve_lots(book, hybrid.state, market, level, buying), abs(left))
        if lots > 0:
            change = lots if buying else -lots
            if not fill_from_curve(book, parameters, hybrid, (account, market, change), fills[done]):
                return 0, done
            ladder.last[market] = fills[done].price
            left, done = left - change, done + 1
        elif resting:
            left, done = take(book, parameters, ladder, (account, market, left, key), fills, done)
        else:
            break
    return left, done


@kernel
def match_hybrid(book: Book, parameters: RiskParameters, hybrid: Hybrid, batch: Orders, fills: Rows) -> int:
    """Execute orders in sequence; write one record for each fill and return their number."""
    ladder, done = hybrid.ladder, 0
    for index in range(batch.account.size):
        account, market, size = batch.account[index], batch.market[index], batch.size[index]
        if batch.kind[index] == CANCEL:
            withdraw(ladder, account, batch.id[index])
            continue
        if batch.reduce_only[index]:
            size = reducing(book, account, market, size)
        buying = size > 0
        worst = reach(batch.limit[index], ladder.tick[market], buying)
        if size == 0 or worst == 0:
            continue
        if batch.kind[index] == POST_ONLY:
            row = 2 * market + (ASK if buying else BID)
            met = best_live(book, ladder, row) != 0 and best_key(ladder, row) <= worst
            limit = price_of(ladder, row, worst) if worst != ANY else 0
            if met or curve_lots(book, hybrid.state, market, limit, buying):
                continue
        else:
            order = (account, market, size, worst)
            size, done = take_better(book, parameters, hybrid, order, fills, done)
        if size != 0 and batch.kind[index] != IMMEDIATE and worst != ANY:
            rest(ladder, batch, index, -worst, size)
    drop_idle(book, ladder)
    return done


@kernel
def uncross(book: Book, parameters: RiskParameters, hybrid: Hybrid, fills: Rows) -> int:
    """Fill resting orders that the AMM has come to quote through; return the number of fills.

    Their owners take the AMM's price. One whom the margin rule refuses leaves the ladder.
    """
    ladder, done = hybrid.ladder, 0
    for row in range(2 * ladder.tick.size):
        market, buying = row // 2, row % 2 == BID
        while crosses(ladder, row, 0, not buying):
            account, level, offered = best_offer(book, ladder, row)
            lots = min(curve_lots(book, hybrid.state, market, level, buying), offered)
            if lots == 0 and offered > 0:
                break
            order = (account, market, lots if buying else -lots)
            if lots > 0 and fill_from_curve(book, parameters, hybrid, order, fills[done]):
                consume_best(ladder, row, lots)
                done += 1
            else:
                remove_best(ladder, row)
    return done
