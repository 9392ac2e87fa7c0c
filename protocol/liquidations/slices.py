"""Partial orders against the book, in rounds: who is liquidated, how much of it, and at what price.

The rules are dYdX v4's. A round is one block of the venue: each account below maintenance may lose one
slice of one position to the book, at a limit price that retreats as its equity does.

References
----------
.. [1] dYdX v4-chain, x/clob/keeper/liquidations.go.
"""

import numpy as np

from protocol.admission import fill_allows, interest_change
from protocol.arithmetic import PPM, multiply_divide_floor, ppm_ceil, ppm_floor
from protocol.book import FEES, Book, Floats, Ints, Row, Rows, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.liquidations.record import COMPLETE, LIQUIDATION, PARTIAL, Moment, Unattended
from protocol.margin import OwnRates, account_risk, assets_beyond_weight, position_margin
from protocol.parameters import RiskParameters
from protocol.venues.ladder import ASK, BID, Ladder
from protocol.venues.limit_book import LimitBook
from protocol.venues.offers import best_offer, consume_best, crosses, remove_best
from protocol.venues.orderbook import on_tick


@kernel
def liquidation_lots(size: int, mark: int, parameters: RiskParameters) -> int:
    """Lots of a position that one liquidation may close: a share of it, at least one lot."""
    notional = abs(size) * mark
    floor = min(parameters.liquidation_minimum, notional)
    wanted = min(
        max(ppm_floor(notional, parameters.liquidation_share), floor), parameters.liquidation_maximum
    )
    return min(max(wanted // mark, 1), abs(size))


@kernel
def limit_price(
    equity: int, maintenance: int, mark: int, rate: int, buying: bool, parameters: RiskParameters
) -> int:
    """Worst price at which a liquidation order may fill [micro-USD per lot].

    It leaves the mark by `spread_to_maintenance` times the position's maintenance margin once equity is
    gone, and by less while some is left. `rate` is the market's maintenance margin [ppm].
    """
    adjustment = parameters.bankruptcy_adjustment / PPM * (1.0 - equity / maintenance)
    retreat = min(max(adjustment, 0.0), 1.0) * parameters.spread_to_maintenance / PPM * rate / PPM
    return int(round(mark * (1.0 + retreat if buying else 1.0 - retreat)))


@kernel
def maintenance_of(parameters: RiskParameters, market: int, lots: int, price: int, kept: int) -> int:
    """Maintenance margin of a position of `lots` at `price` [micro-USD]; 0 without one.

    `kept` is the rate that the position keeps [ppm].
    """
    return position_margin(parameters, market, lots, price, 0, OwnRates(0, kept))[1] if lots > 0 else 0


@kernel
def exhausting_quote(
    book: Book, parameters: RiskParameters, account: int, market: int, change: int, more: int
) -> int:
    """Quote at which closing `change` lots costs the account that slice's share of its equity and `more`.

    The share is the slice's part of the maintenance requirement, so that a full close leaves nothing.
    The sign follows `change`: a sale has a negative quote.
    """
    equity, _, maintenance = account_risk(book, parameters, account)
    size, mark = book.size[market, account], book.mark[market]
    kept = book.kept[market, account]
    released = maintenance_of(parameters, market, abs(size), mark, kept)
    released -= maintenance_of(parameters, market, abs(size + change), mark, kept)
    return change * mark + multiply_divide_floor(equity + more, released, maintenance)


@kernel
def bankruptcy_quote(book: Book, parameters: RiskParameters, account: int, market: int, change: int) -> int:
    """Quote at which closing `change` lots costs the account that slice's share of its equity."""
    return exhausting_quote(book, parameters, account, market, change, 0)


@kernel
def pick_position(book: Book, account: int, ticket: int) -> int:
    """Market of one of the account's positions, chosen by a lottery ticket."""
    held = 0
    for market in range(book.size.shape[0]):
        held += 1 if book.size[market, account] != 0 else 0
    skip = ticket % held
    for market in range(book.size.shape[0]):
        if book.size[market, account] != 0:
            if skip == 0:
                return market
            skip -= 1
    return 0


@kernel
def plan_liquidations(
    book: Book, parameters: RiskParameters, candidates: Ints, ticket: int, plan: Rows, urgency: Floats
) -> None:
    """Write an order for each candidate; `urgency` is the distance of its limit from the mark [1]."""
    for index in range(candidates.size):
        account = candidates[index]
        equity, _, maintenance = account_risk(book, parameters, account)
        market = pick_position(book, account, ticket + account)
        size, mark = book.size[market, account], book.mark[market]
        lots = liquidation_lots(size, mark, parameters)
        row = plan[index]
        row.account, row.market, row.equity, row.maintenance = account, market, equity, maintenance
        row.size = -lots if size > 0 else lots
        row.oracle, row.mark = book.oracle[market], mark
        row.limit = limit_price(
            equity, maintenance, mark, parameters.maintenance[market], size < 0, parameters
        )
        row.bankruptcy = bankruptcy_quote(book, parameters, account, market, -size) // -size
        urgency[index] = abs(row.limit / mark - 1.0)


class Slices(Unattended):
    """Liquidation by slices against the order book, as dYdX does it.

    Parameters
    ----------
    venue : LimitBook
    attempts : int
        Most orders in a round.
    """

    def __init__(self, venue: LimitBook, attempts: int) -> None:
        self.venue = venue
        self.attempts = attempts

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """One order for each candidate, as far as the attempts reach; see `Engine.round`."""
        plan = plan_round(book, parameters, candidates, self.attempts, moment.ticket)
        execute_round(book, parameters, self.venue.ladder, plan)
        return plan


def plan_round(book: Book, parameters: RiskParameters, candidates: Ints, attempts: int, ticket: int) -> Rows:
    """The liquidation orders of one round, in the order of execution.

    Parameters
    ----------
    candidates : (k,) int64
        Accounts below maintenance, ascending.
    attempts : int
        Most orders in a round; the venue starts at a lottery-drawn place of the list.
    ticket : int
        A non-negative random number.

    Returns
    -------
    (j,) LIQUIDATION
        Most urgent limit first, then the larger notional, then the lower account.
    """
    chosen = np.roll(candidates, -(ticket % len(candidates)))[:attempts]
    plan, urgency = np.zeros(len(chosen), LIQUIDATION), np.empty(len(chosen))
    plan["keeper"] = -1
    plan_liquidations(book, parameters, chosen, ticket, plan, urgency)
    notional = np.abs(plan["size"]) * plan["mark"]
    ordered: Rows = plan[np.lexsort((plan["account"], -notional, -urgency))]
    return ordered


@kernel
def fill_slice(
    book: Book, parameters: RiskParameters, maker: int, change: int, price: int, order: Row
) -> bool:
    """Fill a slice of a liquidation at a maker's price; the insurance fund settles the difference.

    Below the bankruptcy price the fund pays the gap; above it the fund keeps the surplus up to the
    liquidation fee. Refused when the fund, or what it may spend on one account, does not reach. What assets
    of the account are worth beyond their weight is lost before the fund pays.
    """
    account, market, quote = order.account, order.market, change * price
    surplus = bankruptcy_quote(book, parameters, account, market, change) - quote
    if surplus < 0:
        beyond = assets_beyond_weight(book, parameters, account)
        surplus = min(exhausting_quote(book, parameters, account, market, change, beyond) - quote, 0)
    to_fund = min(surplus, ppm_floor(abs(quote), parameters.liquidation_fee))
    if book.cash[book.fund[market]] + to_fund < 0 or order.insurance + to_fund < -parameters.insurance_loss:
        return False
    fee = max(ppm_ceil(abs(quote), parameters.maker_fee), 0)
    interest = interest_change(book, account, maker, market, change)
    if not fill_allows(book, parameters, maker, market, -change, quote, interest, fee):
        return True
    exchange_position(book, account, maker, market, change, quote)
    move_cash(book, maker, FEES, fee)
    move_cash(book, account, book.fund[market], to_fund)
    order.filled += change
    order.quote += quote
    order.insurance += to_fund
    return True


@kernel
def execute_liquidation(book: Book, parameters: RiskParameters, ladder: Ladder, order: Row) -> None:
    """Match one liquidation order against the book and complete its record."""
    account, market = order.account, order.market
    buying = order.size > 0
    row = 2 * market + (ASK if buying else BID)
    limit = max(on_tick(order.limit, ladder.tick[market], buying), 1)
    while order.filled != order.size and crosses(ladder, row, limit, buying):
        maker, price, offered = best_offer(book, ladder, row)
        lots = min(abs(order.size - order.filled), offered)
        before = order.filled
        change = lots if buying else -lots
        if lots != 0 and maker != account and not fill_slice(book, parameters, maker, change, price, order):
            break
        if order.filled == before:
            remove_best(ladder, row)
        else:
            ladder.last[market] = price
            consume_best(ladder, row, lots)
    if order.filled != 0:
        order.outcome = COMPLETE if order.filled == order.size else PARTIAL


@kernel
def execute_round(book: Book, parameters: RiskParameters, ladder: Ladder, plan: Rows) -> int:
    """Execute planned liquidations in order, those still below maintenance; return how many filled.

    An account that earlier fills of the round have lifted above maintenance keeps its position; its
    record then has size 0.
    """
    progress = 0
    for index in range(plan.size):
        order = plan[index]
        equity, _, maintenance = account_risk(book, parameters, order.account)
        held = book.size[order.market, order.account]
        if equity >= maintenance or held * order.size >= 0 or abs(held) < abs(order.size):
            order.size = 0
            continue
        order.equity, order.maintenance = equity, maintenance
        execute_liquidation(book, parameters, ladder, order)
        progress += 1 if order.filled != 0 else 0
    return progress
