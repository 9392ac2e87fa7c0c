"""Auto-deleveraging: whose opposite positions close a bankrupt one, in which order or parts, at what price.

A rule either calls the opposite holders one after the other, each for all it holds, or allots the lots to be
closed among all of them. Every fill judges the counterparty anew. A venue that skips leaves out whom its own
margin rule forbids the fill; a venue that forces closes regardless, but makes nobody bankrupt.

The price decides who bears the loss. At the bankruptcy price the counterparties bear it all and the account
ends with nothing. At the previous mark they give back what they have gained since: the account ends with the
equity that it had at that mark, and if this was below zero too, the rest goes on down the waterfall. A mark
that moves in long steps makes this a gift; at the crossing, the point on the straight way from the previous
mark at which the account had nothing left, the length of the step does not matter. At the mark they bear
nothing.

References
----------
.. [1] dYdX v4-chain, x/clob/keeper/deleveraging.go.
.. [2] Hyperliquid docs, "Auto-deleveraging".
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from protocol.admission import interest_change, margin_allows
from protocol.arithmetic import multiply_divide_floor
from protocol.book import Book, Ints, Row, Rows, exchange_position
from protocol.kernels import kernel
from protocol.liquidations.slices import bankruptcy_quote
from protocol.losses.ranking import ALLOTMENTS, allotted, opposite_holders, ranking
from protocol.margin import account_risk, equity_of
from protocol.parameters import RiskParameters

DELEVERAGE = np.dtype(
    [
        (name, np.int64)
        for name in ("round", "account", "counterparty", "market", "size", "quote", "mark", "haircut")
    ]
)

PRICES = ("bankruptcy", "previous_mark", "crossing", "mark")


class Deleveraging(NamedTuple):
    """A venue's rule of auto-deleveraging.

    Attributes
    ----------
    rule : {"queue", "random", "ranked", "pro_rata", "profit_pro_rata", "drain"}
        The first three call holders in turn (`ranking`), the others allot the lots (`allotted`).
    price : {"bankruptcy", "previous_mark", "crossing", "mark"}
        See `closing_prices`.
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
    prices = closing_prices(book, parameters, account, rule.price, previous)
    for market in np.flatnonzero(book.size[:, account]):
        terms = Terms(int(market), int(prices[market]), rule.forced)
        if rule.rule in ALLOTMENTS:
            parts.extend(_close_by_parts(book, parameters, account, terms, rule.rule))
        else:
            called = ranking(book, parameters, account, int(market), rule.rule, ticket)
            called = called[: rule.counterparties or len(called)]
            lots = np.abs(book.size[market, called])
            parts.append(close_against(book, parameters, account, terms, called, lots))
    return np.concatenate(parts)


def closing_prices(book: Book, parameters: RiskParameters, account: int, rule: str, previous: Ints) -> Ints:
    """Prices of a rule of PRICES, (m,) [micro-USD per lot]; 0 for the bankruptcy price, found by each fill.

    The crossing is rounded in favour of the account; it is the previous mark where the account had nothing
    left even there.
    """
    match rule:
        case "bankruptcy":
            return np.zeros_like(previous)
        case "previous_mark":
            return previous
        case "mark":
            return book.mark
        case "crossing":
            return _crossing(book, parameters, account, previous)
    raise ValueError(f"price of deleveraging must be one of {', '.join(PRICES)}, got {rule!r}")


def _crossing(book: Book, parameters: RiskParameters, account: int, previous: Ints) -> Ints:
    size, mark = book.size[:, account], book.mark
    deficit = max(-int(account_risk(book, parameters, account)[0]), 0)
    regained = int(size @ (previous - mark))
    if regained <= deficit:
        return previous
    moves = zip(np.sign(size).tolist(), mark.tolist(), previous.tolist(), strict=True)
    return np.array([at - side * (side * (at - was) * deficit // regained) for side, at, was in moves])


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
        book, parameters, counterparty, market, -change, quote, interest, 0
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
