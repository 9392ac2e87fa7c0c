"""Market orders for failing accounts, large positions in part first: how Hyperliquid liquidates.

A position above a threshold first loses a part; after that, and for a while, every order of the account is
for all of a position. Nobody takes a fee and no fund stands by. An order may be looked at after every fill,
or only when it has ended; see `Tranches` for where it then stops.

References
----------
.. [1] Hyperliquid docs, "Liquidations".
"""

from typing import NamedTuple

import numpy as np

from protocol.admission import fill_allows, interest_change
from protocol.arithmetic import MICRO, PPM, ppm_ceil
from protocol.book import FEES, Book, Floats, Ints, Mask, Row, Rows, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.liquidations.record import COMPLETE, LIQUIDATION, PARTIAL, Moment, Unattended
from protocol.liquidations.slices import bankruptcy_quote
from protocol.losses.backstop import ONE_PURSE, Backstop, below_trigger, vault_accepts
from protocol.margin import account_risk, risk_after
from protocol.parameters import RiskParameters
from protocol.venues.ladder import ASK, BID, Ladder
from protocol.venues.limit_book import LimitBook
from protocol.venues.offers import best_offer, consume_best, crosses, remove_best
from protocol.venues.orderbook import on_tick

NOBODY = -1


class TrancheParameters(NamedTuple):
    """How much of a position an order is for, and how far it may go.

    Attributes
    ----------
    threshold : int
        Notional above which only a part goes first [micro-USD].
    share : int
        That part [ppm of the position].
    patience : float
        How long after a partial liquidation all orders of the account are for whole positions [s].
    limit : int
        Furthest distance from the mark at which an order may fill [ppm]; 0: any.
    attempts : int
        Most accounts in a round.
    watched : bool
        Whether the account is judged after every fill, or only after the order.
    """

    threshold: int
    share: int
    patience: float
    limit: int
    attempts: int
    watched: bool


HYPERLIQUID = TrancheParameters(100_000 * MICRO, 200_000, 30.0, 0, 500, True)


class Tranches(Unattended):
    """Liquidation by market orders against the order book, as Hyperliquid does it.

    The accounts with the least equity over maintenance come first, and of their positions the largest. A
    later order of an account is not sent once an earlier one has brought it back to maintenance; an order
    that was sent is not cut short for that. Of an account that is watched, the rest is left to the vault as
    soon as the vault would take it, and no fill may make a debt: an account without equity waits for the
    vault or for deleveraging, which needs its position to cover the loss. Unwatched orders run to their end,
    below zero if the book is thin, as they must where nobody is deleveraged.

    Parameters
    ----------
    venue : LimitBook
    parameters : TrancheParameters
    accounts : int
        Number of accounts n.
    backstop : Backstop, optional

    Attributes
    ----------
    hurried : (n,) float64
        Until when orders of an account are for whole positions [s].
    """

    def __init__(
        self,
        venue: LimitBook,
        parameters: TrancheParameters,
        accounts: int,
        backstop: Backstop = ONE_PURSE,
    ) -> None:
        self.venue = venue
        self.parameters = parameters
        self.backstop = backstop
        self.hurried = np.full(accounts, -np.inf)

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """One order for each position of the most urgent candidates; see `Engine.round`.

        Rounds of a block follow each other by `moment.seconds`, counted from the block's own time.
        """
        now = moment.time + moment.number * moment.seconds
        rows = plan_orders(book, parameters, self.parameters, candidates, self.hurried > now)
        terms = Terms(self.parameters.watched, self.backstop)
        execute_orders(book, parameters, self.venue.ladder, terms, rows)
        rows["round"] = moment.number
        left = book.size[rows["market"], rows["account"]] != 0
        self.hurried[rows["account"][left & (rows["filled"] != 0)]] = now + self.parameters.patience
        return rows


class Terms(NamedTuple):
    """Whether accounts are watched, and who may take them over."""

    watched: bool
    backstop: Backstop


@kernel
def fill_health(book: Book, parameters: RiskParameters, accounts: Ints, out: Floats) -> None:
    """Write equity over maintenance of `accounts`, (k,), into `out`, (k,) [1]."""
    for index in range(accounts.size):
        equity, _, maintenance = account_risk(book, parameters, accounts[index])
        out[index] = equity / max(maintenance, 1)


@kernel
def fill_bankruptcy(book: Book, parameters: RiskParameters, rows: Rows) -> None:
    """Write into each order the price at which closing the position costs its share of the equity."""
    for index in range(rows.size):
        order = rows[index]
        change = -book.size[order.market, order.account]
        order.bankruptcy = bankruptcy_quote(book, parameters, order.account, order.market, change) // change


def order_lots(size: Ints, mark: Ints, rule: TrancheParameters, hurried: Mask) -> Ints:
    """Lots that the orders close, signed, (k,): all of a position, or a part of a large one, one at least.

    Parameters
    ----------
    size, mark : (k,) int64
        Positions [lots] and prices [micro-USD per lot].
    hurried : (k,) bool
        Whether the account was liquidated in part a short while ago.
    """
    held = np.abs(size)
    part = held // PPM * rule.share + held % PPM * rule.share // PPM
    large = (held * mark > rule.threshold) & ~hurried
    lots: Ints = np.where(large, np.maximum(part, 1), held)
    return -np.sign(size) * lots


def plan_orders(
    book: Book, parameters: RiskParameters, rule: TrancheParameters, candidates: Ints, hurried: Mask
) -> Rows:
    """The orders of one round in the order of execution, (j,) LIQUIDATION.

    Parameters
    ----------
    candidates : (k,) int64
        Accounts below maintenance.
    hurried : (n,) bool
        Accounts whose orders are for whole positions.
    """
    health = np.empty(len(candidates))
    fill_health(book, parameters, candidates, health)
    urgent = np.lexsort((candidates, health))[: rule.attempts]
    chosen = candidates[urgent]
    places, markets = np.nonzero(book.size[:, chosen].T)
    accounts = chosen[places]
    size, mark = book.size[markets, accounts], book.mark[markets]
    rows = np.zeros(len(places), LIQUIDATION)
    rows["account"], rows["market"], rows["keeper"] = accounts, markets, NOBODY
    rows["oracle"], rows["mark"] = book.oracle[markets], mark
    rows["size"] = order_lots(size, mark, rule, hurried[accounts])
    if rule.limit:
        away = np.where(size > 0, -rule.limit, rule.limit)
        rows["limit"] = np.maximum(mark + mark * away // PPM, 1)
    fill_bankruptcy(book, parameters, rows)
    ordered: Rows = rows[np.lexsort((markets, -np.abs(size) * mark, places))]
    return ordered


@kernel
def lots_to_trigger(
    book: Book, parameters: RiskParameters, order: Row, maker: int, price: int, lots: int
) -> int:
    """Least lots, up to `lots`, with which a fill brings the account below the vault's trigger.

    Equity falls by as much with every lot and the requirement of what is left is convex, so what lies above
    the trigger is an interval and halving finds its end.
    """
    sign = 1 if order.size > 0 else -1
    enough, wanted = 0, lots
    while True:
        change = sign * wanted
        interest = interest_change(book, order.account, maker, order.market, change)
        equity, _, maintenance = risk_after(
            book, parameters, order.account, order.market, change, -change * price, interest
        )
        if below_trigger(parameters, equity, maintenance):
            lots = wanted
        else:
            enough = wanted
        if lots - enough <= 1:
            return lots
        wanted = (enough + lots) // 2


@kernel
def lots_to_fill(
    book: Book, parameters: RiskParameters, terms: Terms, order: Row, maker: int, price: int, lots: int
) -> int:
    """Lots of an offer that a liquidation takes before it is judged anew; 0 ends it."""
    if not terms.watched:
        return lots
    equity, _, maintenance = account_risk(book, parameters, order.account)
    if equity < 0 or vault_accepts(book, parameters, order.account, terms.backstop):
        return 0
    loss = order.mark - price if order.size < 0 else price - order.mark
    if loss <= 0:
        return lots
    lots = min(lots, equity // loss)
    if lots == 0 or below_trigger(parameters, equity, maintenance):
        return lots
    return lots_to_trigger(book, parameters, order, maker, price, lots)


@kernel
def fill_from(
    book: Book, parameters: RiskParameters, maker: int, change: int, price: int, order: Row
) -> bool:
    """Fill `change` lots of a liquidation with a maker, unless the maker's margin forbids it."""
    account, market, quote = order.account, order.market, change * price
    fee = max(ppm_ceil(abs(quote), parameters.maker_fee), 0)
    interest = interest_change(book, account, maker, market, change)
    if not fill_allows(book, parameters, maker, market, -change, quote, interest, fee):
        return False
    exchange_position(book, account, maker, market, change, quote)
    move_cash(book, maker, FEES, fee)
    order.filled += change
    order.quote += quote
    return True


@kernel
def execute_order(book: Book, parameters: RiskParameters, ladder: Ladder, terms: Terms, order: Row) -> None:
    """Match one liquidation order against the book; own orders and makers without margin leave it."""
    account, market = order.account, order.market
    buying = order.size > 0
    row = 2 * market + (ASK if buying else BID)
    limit = max(on_tick(order.limit, ladder.tick[market], buying), 1) if order.limit > 0 else 0
    while order.filled != order.size and crosses(ladder, row, limit, buying):
        maker, price, offered = best_offer(book, ladder, row)
        lots = min(abs(order.size - order.filled), offered)
        if lots == 0 or maker == account:
            remove_best(ladder, row)
            continue
        lots = lots_to_fill(book, parameters, terms, order, maker, price, lots)
        if lots == 0:
            break
        if fill_from(book, parameters, maker, lots if buying else -lots, price, order):
            ladder.last[market] = price
            consume_best(ladder, row, lots)
        else:
            remove_best(ladder, row)


@kernel
def execute_orders(book: Book, parameters: RiskParameters, ladder: Ladder, terms: Terms, rows: Rows) -> None:
    """Execute planned orders, (j,) LIQUIDATION, of accounts that are still below maintenance.

    An order that is no longer due has size 0; one is cut to the position that is left.
    """
    for index in range(rows.size):
        order = rows[index]
        equity, _, maintenance = account_risk(book, parameters, order.account)
        held = book.size[order.market, order.account]
        if equity >= maintenance or held * order.size >= 0:
            order.size = 0
            continue
        order.size = max(order.size, -held) if held > 0 else min(order.size, -held)
        order.equity, order.maintenance = equity, maintenance
        execute_order(book, parameters, ladder, terms, order)
        if order.filled != 0:
            order.outcome = COMPLETE if order.filled == order.size else PARTIAL
