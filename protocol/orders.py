"""Intended orders: what agents return and venues execute."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protocol.book import VAULT, Ints, Mask

REST, IMMEDIATE, POST_ONLY = range(3)


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
        REST stays in the book, IMMEDIATE cancels what does not fill at once, POST_ONLY never takes.
    reduce_only : bool
        Cut, when its turn comes, to the position it closes; what rests of it is not cut again.
    expiry : int64
        Last block in which a resting order lives.
    priority : int64
        Priority fee [micro-USD]; higher comes first.
    """

    account: Ints
    market: Ints
    size: Ints
    limit: Ints
    kind: Ints
    reduce_only: Mask
    expiry: Ints
    priority: Ints


def orders(
    account: Ints,
    market: int | Ints,
    size: Ints,
    limit: int | Ints = 0,
    kind: int = IMMEDIATE,
    reduce_only: bool = False,
    expiry: int = 0,
    priority: int = 0,
) -> Orders:
    """Orders from columns of one length and scalars; orders of size zero are dropped."""
    given = (account, market, size, limit)
    count = max(np.size(value) for value in given) if all(np.size(value) for value in given) else 0
    wanted = np.broadcast_to(size, count) != 0

    def column(value: int | Ints) -> Ints:
        if np.ndim(value) == 0:
            return np.full(kept, value, np.int64)
        chosen: Ints = np.asarray(value)[wanted].astype(np.int64)
        return chosen

    kept = int(np.count_nonzero(wanted))
    columns = (column(value) for value in (*given, kind, expiry, priority))
    account, market, size, limit, kinds, expiries, priorities = columns
    return Orders(account, market, size, limit, kinds, np.full(kept, reduce_only), expiries, priorities)


NONE = orders(np.empty(0, np.int64), 0, np.empty(0, np.int64))


def join(batches: Sequence[Orders]) -> Orders:
    """One batch of all orders, in the order given."""
    if not batches:
        return NONE
    return Orders._make(np.concatenate(columns) for columns in zip(*batches, strict=True))


def require_known(batch: Orders, accounts: int, markets: int) -> None:
    """Raise ValueError unless all orders come from traders or the vault and go to existing markets.

    Compiled code reads whatever lies beyond an array, so this is the place where a wrong number stops.
    """
    for name, column, low, high in (
        ("account", batch.account, VAULT, accounts),
        ("market", batch.market, 0, markets),
    ):
        wrong = np.flatnonzero((column < low) | (column >= high))
        if len(wrong):
            raise ValueError(
                f"{low} <= {name} < {high} must hold, got {name}={column[wrong[0]]} (order {wrong[0]})"
            )


def sequence(batch: Orders, tickets: Ints) -> Orders:
    """Orders as the venue takes them: quotes first, then by priority fee, then by lottery.

    Parameters
    ----------
    tickets : (k,) int64
        A random permutation, drawn by the caller.

    References
    ----------
    .. [1] Hyperliquid docs, "Order book": cancels and post-only orders precede takers within a block.
    """
    taking = batch.kind != POST_ONLY
    order = np.lexsort((tickets, -batch.priority, taking))
    return Orders._make(column[order] for column in batch)
