"""What the venue believes about prices: a push feed with deviation and heartbeat, and the mark price."""

from typing import NamedTuple

import numpy as np

from protocol.book import Floats, Ints, Mask

EMA_SECONDS = 150.0


class FeedRule(NamedTuple):
    """When a push feed writes a new price, and how long it takes to arrive.

    Attributes
    ----------
    deviation : float
        Relative move that triggers an update [1].
    heartbeat : float
        Longest time between updates [s].
    delay : float
        From observation to inclusion at normal gas [s].
    """

    deviation: float
    heartbeat: float
    delay: float


class Feed(NamedTuple):
    """A push feed's state, each (m,).

    Attributes
    ----------
    price : int64
        Last included price [micro-USD per lot].
    observed : float64
        When that price was observed [s].
    pending : int64
        Price on its way, 0 for none.
    pending_observed, pending_due : float64
        When it was observed, and when it arrives [s].
    """

    price: Ints
    observed: Floats
    pending: Ints
    pending_observed: Floats
    pending_due: Floats


def open_feed(price: Ints, time: float) -> Feed:
    """A feed that has just written `price`, (m,) [micro-USD per lot], at `time` [s]."""
    count = len(price)
    idle = np.full(count, np.inf)
    return Feed(price.copy(), np.full(count, time), np.zeros(count, np.int64), idle, idle.copy())


def include_pending(feed: Feed, time: float) -> Feed:
    """The feed after the updates that are due by `time` have arrived."""
    due = (feed.pending > 0) & (feed.pending_due <= time)
    return Feed(
        np.where(due, feed.pending, feed.price),
        np.where(due, feed.pending_observed, feed.observed),
        np.where(due, 0, feed.pending),
        np.where(due, np.inf, feed.pending_observed),
        np.where(due, np.inf, feed.pending_due),
    )


def push(feed: Feed, reference: Ints, time: float, rule: FeedRule, stalled: Mask, slowdown: float) -> Feed:
    """Advance a push feed to `time`: send updates that are called for, include those that are due.

    Parameters
    ----------
    reference : (m,) int64
        Outside price [micro-USD per lot].
    stalled : (m,) bool
        Feeds that send nothing now; what is on its way still arrives.
    slowdown : float
        Factor on the inclusion delay, from gas [1].

    References
    ----------
    .. [1] dYdX v4-chain, `min_price_change_ppm`; Chainlink, "Decentralized data model": deviation
       threshold and heartbeat.
    """
    feed = include_pending(feed, time)
    latest = np.where(feed.pending > 0, feed.pending, feed.price)
    moved = np.abs(reference / latest - 1.0) >= rule.deviation
    silent = time - feed.observed >= rule.heartbeat
    send = (moved | silent) & ~stalled & (feed.pending == 0)
    feed = feed._replace(
        pending=np.where(send, reference, feed.pending),
        pending_observed=np.where(send, time, feed.pending_observed),
        pending_due=np.where(send, time + rule.delay * slowdown, feed.pending_due),
    )
    return include_pending(feed, time)


class Basis(NamedTuple):
    """Exponential average of the venue's mid over the oracle, each (m,) float64 [micro-USD per lot, s]."""

    weighted: Floats
    weight: Floats


def open_basis(markets: int) -> Basis:
    """An average that has seen nothing."""
    return Basis(np.zeros(markets), np.zeros(markets))


def observe_basis(basis: Basis, mid: Floats, oracle: Ints, seconds: float) -> Basis:
    """Average after `seconds` more at `mid`, (m,) float64 (NaN where the book is one-sided)."""
    decay = np.exp(-seconds / EMA_SECONDS)
    seen = np.isfinite(mid)
    gap = np.where(seen, mid - oracle, 0.0)
    weighted = np.where(seen, basis.weighted * decay + gap * seconds, basis.weighted)
    weight = np.where(seen, basis.weight * decay + seconds, basis.weight)
    return Basis(weighted, weight)


def median_mark(oracle: Ints, basis: Basis, bid: Floats, ask: Floats, last: Ints, outside: Ints) -> Ints:
    """Median of oracle plus average basis, the venue's own price, and the outside price; (m,) int64.

    The venue's own price is the median of best bid, best ask and last trade; an empty side counts as the
    last trade.

    References
    ----------
    .. [1] Hyperliquid docs, "Robust price indices".
    """
    average = np.divide(
        basis.weighted, basis.weight, out=np.zeros_like(basis.weighted), where=basis.weight > 0
    )
    own = np.median([np.where(bid > 0, bid, last), np.where(ask > 0, ask, last), last], axis=0)
    mark = np.median([oracle + average, own, outside], axis=0)
    return np.rint(mark).astype(np.int64)
