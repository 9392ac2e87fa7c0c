"""Intended orders: what agents return and venues execute."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protocol.book import VAULT, Ints, Mask, first_trader

REST, IMMEDIATE, POST_ONLY, FILL_OR_KILL, CANCEL = range(5)


class Orders(NamedTuple):
    """Orders as columns, each of shape (k,).

    Attributes
    ----------
    account, market : int64
        Who, and where.
    size : int64
        Signed lots; positive buys.
    limit : int64
        Worst acceptable price [micro-USD per lot]; 0 accepts any.
    kind : int64
        REST stays in the book, IMMEDIATE cancels what does not fill at once, POST_ONLY never takes,
        FILL_OR_KILL fills whole or not at all, CANCEL withdraws a resting order.
    reduce_only : bool
        Cut to the position it closes when its turn comes, and again at every fill while it rests.
    expiry : int64
        Last block in which a resting order lives.
    priority : int64
        Priority fee [micro-USD]; higher comes first.
    id : int64
        Of CANCEL, the resting order that it withdraws; of others, written by the order book: the number
        under which the order rests, 0 if it does not.
    """

    account: Ints
    market: Ints
    size: Ints
    limit: Ints
    kind: Ints
    reduce_only: Mask
    expiry: Ints
    priority: Ints
    id: Ints


def orders(
    account: Ints,
    market: int | Ints,
    size: Ints,
    limit: int | Ints = 0,
    kind: int = IMMEDIATE,
    reduce_only: bool = False,
    expiry: int | Ints = 0,
    priority: int = 0,
) -> Orders:
    """Orders from columns of one length and scalars; orders of size zero are dropped."""
    given = [np.asarray(value) for value in (account, market, size, limit, kind, expiry, priority)]
    count = max(value.size for value in given[:4]) if all(value.size for value in given[:4]) else 0
    wanted = given[2] != 0 if given[2].ndim else np.full(count, bool(given[2]))
    kept = int(np.count_nonzero(wanted)) if count else 0
    if not kept:
        return NONE
    columns = np.zeros((8, kept), np.int64)
    for column, value in zip(columns, given, strict=False):
        column[:] = value[wanted] if value.ndim else value
    accounts, markets, sizes, limits, kinds, expiries, priorities, unnamed = columns
    reducing = np.full(kept, reduce_only)
    return Orders(accounts, markets, sizes, limits, kinds, reducing, expiries, priorities, unnamed)


def cancels(account: Ints, order: Ints) -> Orders:
    """Withdrawals of the resting orders with these ids, (k,), by their owners, (k,)."""
    zero = np.zeros(len(order), np.int64)
    kind, reducing = np.full(len(order), CANCEL, np.int64), np.zeros(len(order), np.bool_)
    return Orders(account.astype(np.int64), zero, zero, zero, kind, reducing, zero, zero, order.copy())


NOTHING = np.empty(0, np.int64)
NONE = Orders(*5 * (NOTHING,), np.empty(0, np.bool_), *3 * (NOTHING,))


def join(batches: Sequence[Orders]) -> Orders:
    """One batch of all orders, in the order given."""
    filled = [batch for batch in batches if len(batch.account)]
    if len(filled) < 2:
        return filled[0] if filled else NONE
    return Orders._make(np.concatenate(columns) for columns in zip(*filled, strict=True))


def require_known(batch: Orders, kinds: frozenset[int], accounts: int, markets: int) -> None:
    """Raise ValueError unless all orders are of these kinds, from traders or the vault, for known markets.

    Compiled code reads whatever lies beyond an array, so this is the place where a wrong number stops.
    """
    first, account, market = first_trader(markets), batch.account, batch.market
    for rule, name, column, known in (
        (
            f"{first} <= account < {accounts}, or account = {VAULT},",
            "account",
            account,
            (account == VAULT) | (account >= first) & (account < accounts),
        ),
        (f"0 <= market < {markets}", "market", market, (market >= 0) & (market < markets)),
        (
            f"kind in {sorted(kinds)}",
            "kind",
            batch.kind,
            np.logical_or.reduce([batch.kind == kind for kind in kinds]),
        ),
    ):
        if not known.all():
            order = int(np.argmin(known))
            raise ValueError(f"{rule} must hold, got {name}={column[order]} (order {order})")


def sequence(batch: Orders, tickets: Ints) -> Orders:
    """Orders as the venue takes them: cancels, then quotes, then the rest by priority fee and lottery.

    Parameters
    ----------
    tickets : (k,) int64
        A random permutation, drawn by the caller.

    References
    ----------
    .. [1] Hyperliquid docs, "Order book": cancels and post-only orders precede takers within a block.
    """
    taking = np.where(batch.kind == CANCEL, 0, np.where(batch.kind == POST_ONLY, 1, 2))
    order = np.lexsort((tickets, -batch.priority, taking))
    return Orders._make(column[order] for column in batch)
