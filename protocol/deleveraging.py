"""Auto-deleveraging: whose opposite positions close a bankrupt one, in which order or parts, at what price.

A rule either calls the opposite holders one after the other, each for all it holds, or allots the lots to be
closed among all of them. Every fill judges the counterparty anew. A venue that skips leaves out whom its own
margin rule forbids the fill; a venue that forces closes regardless, but makes nobody bankrupt.

The price decides who bears the loss. At the bankruptcy price the counterparties bear it all and the account
ends with nothing. At the previous mark they give back what they have gained since: the account ends with the
equity that it had at that mark, and if this was below zero too, the rest goes on down the waterfall. At the
mark they bear nothing.

References
----------
.. [1] dYdX v4-chain, x/clob/keeper/deleveraging.go.
.. [2] Hyperliquid docs, "Auto-deleveraging".
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from protocol.allotment import allot, drain, scramble
from protocol.arithmetic import multiply_divide_floor
from protocol.book import VAULT, Book, Floats, Ints, Row, Rows, exchange_position
from protocol.kernels import kernel
from protocol.liquidations.slices import bankruptcy_quote
from protocol.margin import account_risk, equity_of, interest_change, margin_allows
from protocol.parameters import RiskParameters

DELEVERAGE = np.dtype(
    [
        (name, np.int64)
        for name in ("round", "account", "counterparty", "market", "size", "quote", "mark", "haircut")
    ]
)

QUEUES = ("queue", "random", "ranked")
ALLOTMENTS = ("pro_rata", "profit_pro_rata", "drain")
PRICES = ("bankruptcy", "previous_mark", "mark")


class Deleveraging(NamedTuple):
    """A venue's rule of auto-deleveraging.

    Attributes
    ----------
    rule : {"queue", "random", "ranked", "pro_rata", "profit_pro_rata", "drain"}
        The first three call holders in turn (`ranking`), the others allot the lots (`allotted`).
    price : {"bankruptcy", "previous_mark", "mark"}
    forced : bool
        Whether a counterparty is closed even where its own margin rule forbids the fill.
    counterparties : int
        Most holders that are called in turn for one position; 0: all.
    """

    rule: str
    price: str
    forced: bool
    counterparties: int


DYDX = Deleveraging("queue", "bankruptcy", False, 500)
HYPERLIQUID = Deleveraging("ranked", "previous_mark", True, 0)


class Terms(NamedTuple):
    """Market, price [micro-USD per lot; 0: the bankruptcy price], and whether counterparties are forced."""

    market: int
    price: int
    forced: bool


def deleverage(
    book: Book, parameters: RiskParameters, account: int, rule: Deleveraging, previous: Ints, ticket: int
) -> Rows:
    """Close all positions of a bankrupt account against opposite holders, market by market.

    Parameters
    ----------
    previous : (m,) int64
        The marks before the round [micro-USD per lot].
    ticket : int
        A non-negative random number.

    Returns
    -------
    (k,) DELEVERAGE
        A row for each fill: `size` and `quote` are the account's, `haircut` is what the counterparty gets
        less than at the mark [micro-USD]. What nobody takes stays in the account.
    """
    parts = [np.zeros(0, DELEVERAGE)]
    for market in np.flatnonzero(book.size[:, account]):
        terms = Terms(int(market), closing_price(book, int(market), rule.price, previous), rule.forced)
        if rule.rule in ALLOTMENTS:
            parts.extend(_close_by_parts(book, parameters, account, terms, rule.rule))
        else:
            called = ranking(book, parameters, account, int(market), rule.rule, ticket)
            called = called[: rule.counterparties or len(called)]
            lots = np.abs(book.size[market, called])
            parts.append(close_against(book, parameters, account, terms, called, lots))
    return np.concatenate(parts)


def closing_price(book: Book, market: int, rule: str, previous: Ints) -> int:
    """Price of a rule of PRICES [micro-USD per lot]; 0 for the bankruptcy price, which each fill finds."""
    if rule not in PRICES:
        raise ValueError(f"price of deleveraging must be one of {', '.join(PRICES)}, got {rule!r}")
    return {"bankruptcy": 0, "previous_mark": int(previous[market]), "mark": int(book.mark[market])}[rule]


def opposite_holders(book: Book, account: int, market: int) -> Ints:
    """Accounts with a position against that of `account`, ascending; purses that never trade are none."""
    holders = np.flatnonzero(book.size[market] * -np.sign(book.size[market, account]) > 0)
    return holders[holders >= VAULT]


def ranking(
    book: Book, parameters: RiskParameters, account: int, market: int, rule: str, ticket: int
) -> Ints:
    """Holders of the opposite side in the order in which a rule of QUEUES calls them; (k,) int64.

    `queue` walks the accounts from a drawn start (dYdX v4), `random` in a drawn order; `ranked` follows
    `adl_score`, those in profit before all others and those without equity last, ties by account.
    """
    holders = opposite_holders(book, account, market)
    match rule:
        case "queue":
            return np.roll(holders, -(ticket % max(len(holders), 1)))
        case "random":
            return scramble(holders, ticket)
        case "ranked":
            equity = equity_of(book, parameters, holders)
            score, losing = adl_score(book, holders, market, equity), gain(book, holders, market) <= 0
            return holders[np.lexsort((holders, -score, losing, equity <= 0))]
    raise ValueError(f"rule of deleveraging must be one of {', '.join(QUEUES + ALLOTMENTS)}, got {rule!r}")


def adl_score(book: Book, holders: Ints, market: int, equity: Ints) -> Floats:
    """Mark over entry price (inverted for shorts) times notional over equity of each position, (k,) [1].

    Zero for those without equity.

    References
    ----------
    .. [1] Hyperliquid docs, "Auto-deleveraging"; the inversion is our reading of "in profit".
    """
    size, mark = book.size[market, holders], int(book.mark[market])
    entry = np.maximum(book.entry[market, holders], 1.0)
    ratio = np.where(size > 0, mark / entry, entry / mark)
    leverage = np.abs(size) * mark / np.maximum(equity, 1)
    return np.where(equity > 0, ratio * leverage, 0.0)


def gain(book: Book, holders: Ints, market: int) -> Floats:
    """Unrealised profit of each position, (k,) [micro-USD]."""
    return book.size[market, holders] * (book.mark[market] - book.entry[market, holders])


def allotted(
    book: Book, parameters: RiskParameters, holders: Ints, market: int, rule: str, quantity: int
) -> Ints:
    """Lots that each holder gives up by a rule of ALLOTMENTS, (k,) int64; none more than it holds.

    `pro_rata` takes the same share of every position; `profit_pro_rata` goes by unrealised profit, and to
    the others only for what the profitable do not hold; `drain` levels the highest leverage, and comes to
    those without equity last.
    """
    lots = np.abs(book.size[market, holders])
    if rule == "pro_rata":
        return allot(quantity, lots, lots)
    if rule == "profit_pro_rata":
        weight = np.maximum(gain(book, holders, market), 0.0).astype(np.int64)
        first = allot(quantity, weight, lots)
        return first + allot(quantity - int(first.sum()), np.where(weight > 0, 0, lots), lots)
    equity = equity_of(book, parameters, holders)
    sound = equity > 0
    first = np.zeros_like(lots)
    first[sound] = drain(quantity, lots[sound], equity[sound])
    return first + allot(quantity - int(first.sum()), np.where(sound, 0, lots), lots)


def _close_by_parts(
    book: Book, parameters: RiskParameters, account: int, terms: Terms, rule: str
) -> Iterator[Rows]:
    """Allot and close; allot anew among the others what somebody has refused, until nothing is left."""
    refused = np.zeros(0, np.int64)
    while book.size[terms.market, account] != 0:
        holders = np.setdiff1d(opposite_holders(book, account, terms.market), refused)
        quantity = abs(int(book.size[terms.market, account]))
        lots = allotted(book, parameters, holders, terms.market, rule, quantity)
        yield close_against(book, parameters, account, terms, holders, lots)
        if not lots.any():
            return
        refused = np.union1d(refused, holders[lots > 0])


def close_against(
    book: Book, parameters: RiskParameters, account: int, terms: Terms, called: Ints, lots: Ints
) -> Rows:
    """Close a position against `called`, (k,), in turn, up to `lots`, (k,), with each.

    `lots` is left with what did not fill. Returns the fills, (j,) DELEVERAGE.
    """
    rows = np.zeros(len(called), DELEVERAGE)
    done = fill_calls(book, parameters, account, terms, called, lots, rows)
    return rows[:done]


@kernel
def fill_calls(
    book: Book, parameters: RiskParameters, account: int, terms: Terms, called: Ints, lots: Ints, rows: Rows
) -> int:
    """Fill the calls in turn until the position is closed; return the number of fills."""
    done = 0
    for index in range(called.size):
        left = abs(book.size[terms.market, account])
        wanted = min(lots[index], left, abs(book.size[terms.market, called[index]]))
        if wanted == 0:
            continue
        closed = close_with(book, parameters, account, terms, called[index], wanted, rows[done])
        lots[index] -= closed
        done += 1 if closed != 0 else 0
    return done


@kernel
def close_with(
    book: Book,
    parameters: RiskParameters,
    account: int,
    terms: Terms,
    counterparty: int,
    lots: int,
    row: Row,
) -> int:
    """Close up to `lots` with one counterparty, if its margin lets it; record it and return the lots."""
    market = terms.market
    if terms.forced:
        lots = bearable_lots(book, parameters, account, terms, counterparty, lots)
    if lots == 0:
        return 0
    change = closing_change(book, account, market, lots)
    quote = closing_quote(book, parameters, account, terms, change)
    interest = interest_change(book, account, counterparty, market, change)
    if not terms.forced and not margin_allows(
        book, parameters, counterparty, market, -change, quote, interest
    ):
        return 0
    exchange_position(book, account, counterparty, market, change, quote)
    row.account, row.counterparty, row.market = account, counterparty, market
    row.size, row.quote, row.mark = change, quote, book.mark[market]
    row.haircut = change * book.mark[market] - quote
    return lots


@kernel
def closing_change(book: Book, account: int, market: int, lots: int) -> int:
    """Signed change of a position that `lots` are taken from."""
    return -lots if book.size[market, account] > 0 else lots


@kernel
def closing_quote(book: Book, parameters: RiskParameters, account: int, terms: Terms, change: int) -> int:
    """Quote of closing `change` lots at the price of the terms [micro-USD], with the sign of `change`."""
    if terms.price != 0:
        return change * terms.price
    return bankruptcy_quote(book, parameters, account, terms.market, change)


@kernel
def bearable_lots(
    book: Book, parameters: RiskParameters, account: int, terms: Terms, counterparty: int, lots: int
) -> int:
    """Most of `lots` that a forced counterparty can close without ending below zero.

    One who is below zero already is closed in full.
    """
    equity = account_risk(book, parameters, counterparty)[0]
    if equity < 0:
        return lots
    for attempt in range(2):
        change = closing_change(book, account, terms.market, lots)
        quote = closing_quote(book, parameters, account, terms, change)
        haircut = change * book.mark[terms.market] - quote
        if haircut <= equity:
            return lots
        lots = multiply_divide_floor(lots, equity, haircut) if attempt == 0 else 0
    return 0


def uncovered(book: Book, parameters: RiskParameters, accounts: Ints) -> int:
    """What `accounts` owe beyond all they have [micro-USD], ≥ 0.

    Asked after the whole waterfall, it is the loss that nobody has borne: a venue whose rule is to halt on
    such a loss halts when it is not 0.
    """
    equity = equity_of(book, parameters, accounts)
    return int(-equity[equity < 0].sum())
