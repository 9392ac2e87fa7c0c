"""What a phase of the block may do to the venue: the state before it, and the state after.

`invariants` says what holds of a state at every moment; here, in `trade_audit` and in `cascade_audit` stands
what must not happen on the way from one to the next. A snapshot is taken before a phase, and asked after it.
It copies the book, so a run asks only when it is told to; the tests always do.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from protocol.book import (
    DEPOSITS,
    FEES,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    WITHDRAWALS,
    Book,
    Ints,
    Mask,
    first_trader,
    share_rows,
)
from protocol.exchange import Exchange
from protocol.liquidations.collateral_sales import CollateralSales
from protocol.liquidations.record import Engine
from protocol.liquidations.transfers import Transfers
from protocol.liquidations.windows import Windows
from protocol.losses.backstop import vault_equity
from protocol.parameters import RiskParameters, violations
from protocol.prices.oracle import Feed
from protocol.scan import accounts_risk
from protocol.venues.amm import Amm
from protocol.venues.limit_book import LimitBook
from protocol.venues.venue import Venue


class Snapshot(NamedTuple):
    """An exchange as it stood before a phase.

    Attributes
    ----------
    book : Book
        A copy.
    risk : (3, n) int64
        Equity, initial and maintenance requirement [micro-USD].
    feed : Feed
    parameters : RiskParameters
    flagged : (n,) bool
        Accounts under liquidation, where the engine keeps such a list.
    resting : (n,) bool
        Accounts with orders that others may take.
    """

    book: Book
    risk: Ints
    feed: Feed
    parameters: RiskParameters
    flagged: Mask
    resting: Mask


Law = Callable[[Snapshot, Exchange], str]


def snapshot(exchange: Exchange) -> Snapshot:
    """A copy of all that the laws of a phase compare."""
    return Snapshot(
        book=Book._make(column.copy() for column in exchange.book),
        risk=accounts_risk(exchange.book, exchange.parameters),
        feed=exchange.prices.feed,
        parameters=exchange.parameters,
        flagged=flagged_accounts(exchange),
        resting=resting_accounts(exchange.venue, len(exchange.book.cash)),
    )


def closing_engine(exchange: Exchange) -> Engine:
    """What closes positions, without what sells assets."""
    engine = exchange.engine
    return engine.positions if isinstance(engine, CollateralSales) else engine


def flagged_accounts(exchange: Exchange) -> Mask:
    """Accounts that the engine has under liquidation since an earlier block, (n,) bool."""
    engine = closing_engine(exchange)
    if isinstance(engine, Transfers | Windows):
        return engine.flagged.copy()
    return np.zeros(len(exchange.book.cash), np.bool_)


def resting_accounts(venue: Venue, accounts: int) -> Mask:
    """Accounts whose orders wait in the venue's ladder, if it has one, (n,) bool."""
    found = np.zeros(accounts, np.bool_)
    if isinstance(venue, LimitBook | Amm):
        order = venue.ladder.order
        found[order["account"][order["size"] != 0]] = True
    return found


def unsettled_of(book: Book) -> Ints:
    """Cash that settling would add to each account, (n,) [micro-USD]."""
    index = np.where(book.size > 0, book.funding[0, :, None], book.funding[1, :, None])
    owed: Ints = (book.size * (index - book.funding_paid)).sum(axis=0)
    return -owed // FUNDING_SCALE


def moved(before: Snapshot, exchange: Exchange) -> Ints:
    """Change of every position, (m, n) [lots]."""
    change: Ints = exchange.book.size - before.book.size
    return change


def held_by(lots: Ints | Mask) -> Mask:
    """Accounts with an entry in some row of an (m, n) array, (n,) bool."""
    found: Mask = np.logical_or.reduce(lots, axis=0)
    return found


def listed(accounts: Mask, first: int = 0) -> str:
    """The accounts of a mask, as text; nothing if there are none."""
    return f"accounts {(np.flatnonzero(accounts) + first).tolist()}" if accounts.any() else ""


def positions_stay(before: Snapshot, exchange: Exchange) -> str:
    """Prices, funding and cash moves leave every position alone."""
    return listed(held_by(moved(before, exchange)))


def feed_runs_forward(before: Snapshot, exchange: Exchange) -> str:
    """No price is older than the one that it follows, and none comes from the future."""
    was, now = before.feed.observed, exchange.prices.feed.observed
    if (now < was).any() or (now > exchange.prices.time).any():
        return f"observed {was.tolist()}, then {now.tolist()}, at {exchange.prices.time}"
    return ""


def guards_refuse_old_prices(before: Snapshot, exchange: Exchange) -> str:
    """No act may use a price older than its guard says."""
    age = exchange.prices.time - exchange.prices.feed.observed
    for act, usable, rule in zip(
        exchange.usable._fields, exchange.usable, exchange.rules.prices.guards, strict=True
    ):
        if (usable & (age > rule.max_age)).any():
            return f"{act} uses prices of age {age.tolist()} s, at most {rule.max_age}"
    return ""


def funding_waits_for_its_account(before: Snapshot, exchange: Exchange) -> str:
    """What a trader owes is settled when its account is touched, not before."""
    first = first_trader(len(before.book.mark))
    return listed(exchange.book.cash[first:] < before.book.cash[first:], first)


def parameters_within_bounds(before: Snapshot, exchange: Exchange) -> str:
    """Whatever the route of a change, each number is inside its bounds and the joint constraints hold."""
    if exchange.parameters is before.parameters:
        return ""
    return "; ".join(violations(exchange.parameters))


def gate_holds_withdrawals(before: Snapshot, exchange: Exchange) -> str:
    """While the gate is shut nothing leaves the venue, and no depositor leaves a purse.

    Markets that are isolated have gates of their own; while one of them is open, something may leave.
    """
    if not exchange.halted and exchange.prices.time >= exchange.gates.cross:
        return ""
    book, was = exchange.book, before.book
    if (book.shares < was.shares).any():
        return listed(held_by(book.shares < was.shares))
    left = int(book.flows[WITHDRAWALS] - was.flows[WITHDRAWALS])
    gates = exchange.gates.of_markets(exchange.parameters)
    shut = exchange.halted or (exchange.prices.time < gates).all()
    return f"{left} micro-USD left" if left and shut else ""


def leavers_keep_their_margin(before: Snapshot, exchange: Exchange) -> str:
    """Whoever took money out, or moved it into a purse, still meets initial margin; so does the vault."""
    risk = accounts_risk(exchange.book, exchange.parameters)
    short = (risk[0] < before.risk[0]) & (risk[0] < risk[1])
    first = first_trader(len(before.book.mark))
    short[:first] &= np.arange(first) == VAULT
    return listed(short)


def withdrawals_come_from_the_pool(before: Snapshot, exchange: Exchange) -> str:
    """What leaves is not the money of fees, insurance and impact purses."""
    book = exchange.book
    if book.flows[WITHDRAWALS] == before.book.flows[WITHDRAWALS]:
        return ""
    purses = np.unique(np.concatenate([[FEES, INSURANCE], book.fund, book.impact]))
    owned = int(np.maximum(book.cash[purses], 0).sum())
    held = int(book.flows[DEPOSITS] - book.flows[WITHDRAWALS])
    return f"the venue holds {held}, its purses own {owned}" if held < owned else ""


def shares_are_not_diluted(before: Snapshot, exchange: Exchange) -> str:
    """Nobody's coming and going makes the shares of the others worth less to leave with."""
    for row, purse in zip(share_rows(exchange.purses), exchange.purses.tolist(), strict=True):
        then, now = int(before.book.shares[row].sum()), int(exchange.book.shares[row].sum())
        if then > 0 and now > 0:
            was, worth = (worth_of(exchange, book, purse) for book in (before.book, exchange.book))
            if worth * then < was * now:
                return f"purse {purse}: {was} for {then} shares, then {worth} for {now}"
    return ""


def worth_of(exchange: Exchange, book: Book, purse: int) -> int:
    """What a vault or a pool is worth to those who leave, if its accounts were as in `book` [micro-USD]."""
    if purse == VAULT:
        return vault_equity(book, exchange.parameters, exchange.backstop)
    return exchange.venue.desk(book, exchange.parameters, purse, exchange.prices.time, exchange.locks).cheap


PRICE_LAWS: tuple[Law, ...] = (
    positions_stay,
    feed_runs_forward,
    guards_refuse_old_prices,
    funding_waits_for_its_account,
    parameters_within_bounds,
)
TRANSFER_LAWS: tuple[Law, ...] = (
    positions_stay,
    gate_holds_withdrawals,
    leavers_keep_their_margin,
    withdrawals_come_from_the_pool,
    shares_are_not_diluted,
)


def broken_by_prices(before: Snapshot, exchange: Exchange) -> list[str]:
    """Laws that governance, prices and funding have broken, each with its numbers."""
    return [f"{law.__name__}: {said}" for law in PRICE_LAWS if (said := law(before, exchange))]


def broken_by_transfers(before: Snapshot, exchange: Exchange) -> list[str]:
    """Laws that moves of cash, assets and shares have broken, each with its numbers."""
    return [f"{law.__name__}: {said}" for law in TRANSFER_LAWS if (said := law(before, exchange))]
