"""What the venue believes about prices: push, pull and median feeds behind one function, `advance`.

A feed is pure state, (m,) over markets. Failures are properties of what it is given: a stall, gas, a wrong
scale, sources that are dead, bounds at which it stops.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, Mask

LARGEST_PRICE = 1 << 62


class Bounds(NamedTuple):
    """The answers a feed is able to give.

    Attributes
    ----------
    minimum, maximum : (m,) int64 or int
        Lowest and highest answer [micro-USD per lot]; 0 for none.
    stops : bool
        Whether the feed falls silent at a bound and grows stale, as an aggregator does that refuses answers
        out of range [1]; otherwise it goes on reporting the bound as fresh, as a capping adapter does [2].

    References
    ----------
    .. [1] Chainlink OffchainAggregator, `minAnswer` and `maxAnswer`; LUNA on 12 May 2022.
    .. [2] Aave CAPO on 10 March 2026, when the cap stood below the market.
    """

    minimum: Ints | int = 0
    maximum: Ints | int = 0
    stops: bool = True


UNBOUNDED = Bounds()


class PushRule(NamedTuple):
    """When a push feed writes a new price, and how long it takes to arrive.

    Attributes
    ----------
    deviation : (m,) float64 or float
        Relative move that triggers an update [1].
    heartbeat : (m,) float64 or float
        Longest time between updates [s].
    delay : (m,) float64 or float
        From observation to inclusion at normal gas [s].

    References
    ----------
    .. [1] Chainlink, "Decentralized data model": deviation threshold and heartbeat.
    """

    deviation: Floats | float
    heartbeat: Floats | float
    delay: Floats | float
    bounds: Bounds = UNBOUNDED


class PullRule(NamedTuple):
    """A feed whose signed price users bring along, so that it is as fresh as the network allows.

    Attributes
    ----------
    latency : float
        Age of the price when it is used [s].
    confidence_floor : float
        Smallest confidence interval over the price [1].
    confidence_seconds : float
        The interval is what volatility moves the price in this time [s].

    References
    ----------
    .. [1] Pyth, "Best practices": price, confidence (about one standard deviation), publish time.
    """

    latency: float = 0.0
    confidence_floor: float = 0.0
    confidence_seconds: float = 0.0
    bounds: Bounds = UNBOUNDED


class MedianRule(NamedTuple):
    """Sources or validators, of whose prices the weighted median holds.

    Attributes
    ----------
    weights : (s,) int64
        Weight of each source: exchange weights, or stake.
    minimum_sources, quorum : int
        Live sources, and share of all weight that is live [ppm], below which the price stays as it is.
    minimum_change : (m,) int64 or int
        Move below which the old price is confirmed instead of replaced [ppm].
    period : float
        Time between updates [s]; 0 for every block.

    References
    ----------
    .. [1] dYdX v4-chain, x/prices: `min_exchanges`, `min_price_change_ppm`; two thirds of the power.
    .. [2] Hyperliquid docs, "Oracle": every 3 s; weights 3, 2, 2, 1, 1, 1, 1, 1.
    """

    weights: Ints
    minimum_sources: int = 1
    quorum: int = 0
    minimum_change: Ints | int = 0
    period: float = 0.0
    bounds: Bounds = UNBOUNDED


AnyFeedRule = PushRule | PullRule | MedianRule


class Reading(NamedTuple):
    """What the world shows a feed at the end of a block.

    Attributes
    ----------
    reference : (m,) int64
        Outside price [micro-USD per lot].
    sources, live : (s, m) int64 and bool
        Price at each source of a median feed, and whether it answers; no positive price is no answer.
    volatility : (m,) float64
        Of the outside price [1/√s].
    stalled : (m,) bool
        Feeds that send nothing now; what is on its way still arrives.
    slowdown : float
        Factor on the inclusion delay, from gas [1].
    scale : (m,) float64
        Factor on all that is reported [1]; other than 1 for a misconfigured feed.
    seconds : float
        Length of the block [s]: what would arrive nearer to its end than to the next one's has arrived.
    """

    reference: Ints
    sources: Ints
    live: Mask
    volatility: Floats
    stalled: Mask
    slowdown: float
    scale: Floats
    seconds: float


def calm_reading(reference: Ints) -> Reading:
    """A world without failures, where the one source is the outside price, (m,)."""
    markets = len(reference)
    return Reading(
        reference=reference,
        sources=reference[None, :],
        live=np.ones((1, markets), np.bool_),
        volatility=np.zeros(markets),
        stalled=np.zeros(markets, np.bool_),
        slowdown=1.0,
        scale=np.ones(markets),
        seconds=0.0,
    )


class Feed(NamedTuple):
    """A feed's state, each (m,).

    Attributes
    ----------
    price : int64
        Last included price [micro-USD per lot], ≥ 1.
    observed : float64
        When that price was observed, or last confirmed by a quorum [s]; never runs backwards.
    pending : int64
        Price on its way, 0 for none.
    pending_observed, pending_due : float64
        When it was observed, and when it arrives [s].
    confidence : float64
        Half-width of the confidence interval over the price [1]; 0 for a feed that publishes none.
    """

    price: Ints
    observed: Floats
    pending: Ints
    pending_observed: Floats
    pending_due: Floats
    confidence: Floats


def open_feed(price: Ints, time: float) -> Feed:
    """A feed that has just written `price`, (m,) [micro-USD per lot], at `time` [s]."""
    observed, never = np.full(len(price), time), np.full(len(price), np.inf)
    return Feed(price.copy(), observed, np.zeros_like(price), never, never.copy(), np.zeros(len(price)))


def advance(feed: Feed, rule: AnyFeedRule, reading: Reading, time: float) -> Feed:
    """The feed at `time` [s], after all updates that its rule calls for and the world lets through."""
    if isinstance(rule, PushRule):
        return _advance_push(feed, rule, reading, time)
    if isinstance(rule, PullRule):
        return _advance_pull(feed, rule, reading, time)
    return _advance_median(feed, rule, reading, time)


def price_range(feed: Feed) -> tuple[Ints, Ints]:
    """Lowest and highest price within the confidence interval, each (m,) int64 [micro-USD per lot].

    A pool fills a buyer at the highest and a seller at the lowest.
    """
    width = feed.confidence * feed.price
    low = np.maximum(np.floor(feed.price - width), 1.0).astype(np.int64)
    return low, np.ceil(feed.price + width).astype(np.int64)


def weighted_median(prices: Ints, weights: Ints, live: Mask) -> Ints:
    """Lowest price at which half of the live weight is reached, (m,) int64; 0 where nothing is live.

    Parameters
    ----------
    prices, live : (s, m) int64 and bool
    weights : (s,) int64
        Not negative; a source without weight counts for nothing.

    References
    ----------
    .. [1] Connect, pkg/math/voteweighted: the lower median. Hyperliquid's docs leave ties open.
    """
    order = np.argsort(prices, axis=0, kind="stable")
    reached = np.cumsum(np.take_along_axis(np.where(live, weights[:, None], 0), order, axis=0), axis=0)
    first = np.argmax(2 * reached >= reached[-1], axis=0)
    column = np.arange(prices.shape[1])
    found: Ints = np.where(reached[-1] > 0, prices[order[first, column], column], 0)
    return found


def _answer(feed: Feed, bounds: Bounds, price: Ints, scale: Floats) -> tuple[Ints, Mask]:
    """What the feed would report for an outside price, and whether it is able to; 0 or less is no answer."""
    scaled = np.where(scale == 1.0, price, np.rint(price * scale).astype(np.int64))
    highest = np.where(np.asarray(bounds.maximum) > 0, bounds.maximum, LARGEST_PRICE)
    answer = np.clip(scaled, np.maximum(bounds.minimum, 1), highest)
    refused = (price <= 0) | (scale <= 0) | (bounds.stops & (answer != scaled) & (answer == feed.price))
    return answer, ~refused


def _advance_push(feed: Feed, rule: PushRule, reading: Reading, time: float) -> Feed:
    """Include what is due, send what is called for, one update at a time."""
    horizon = time + reading.seconds / 2
    feed = _include_pending(feed, horizon)
    answer, able = _answer(feed, rule.bounds, reading.reference, reading.scale)
    moved = np.abs(answer - feed.price) >= rule.deviation * feed.price
    silent = time - feed.observed >= rule.heartbeat
    send = (moved | silent) & able & ~reading.stalled & (feed.pending == 0)
    feed = feed._replace(
        pending=np.where(send, answer, feed.pending),
        pending_observed=np.where(send, time, feed.pending_observed),
        pending_due=np.where(send, time + rule.delay * reading.slowdown, feed.pending_due),
    )
    return _include_pending(feed, horizon)


def _include_pending(feed: Feed, time: float) -> Feed:
    """The feed after the updates that are due by `time` have arrived."""
    due = (feed.pending > 0) & (feed.pending_due <= time)
    return feed._replace(
        price=np.where(due, feed.pending, feed.price),
        observed=np.where(due, feed.pending_observed, feed.observed),
        pending=np.where(due, 0, feed.pending),
        pending_observed=np.where(due, np.inf, feed.pending_observed),
        pending_due=np.where(due, np.inf, feed.pending_due),
    )


def _advance_pull(feed: Feed, rule: PullRule, reading: Reading, time: float) -> Feed:
    """Take the price of `latency` seconds ago, of which the block's end is the nearest that is known."""
    answer, able = _answer(feed, rule.bounds, reading.reference, reading.scale)
    heard = able & ~reading.stalled
    spread = reading.volatility * np.sqrt(rule.confidence_seconds)
    return feed._replace(
        price=np.where(heard, answer, feed.price),
        observed=np.where(heard, np.maximum(feed.observed, time - rule.latency), feed.observed),
        confidence=np.where(heard, np.maximum(rule.confidence_floor, spread), feed.confidence),
    )


def _advance_median(feed: Feed, rule: MedianRule, reading: Reading, time: float) -> Feed:
    """Replace the price, or confirm it, where enough sources are live and the period is over."""
    shape = len(rule.weights), len(feed.price)
    if reading.sources.shape != shape:
        raise ValueError(f"sources by markets must be {shape}, got sources={reading.sources.shape}")
    live = reading.live & (reading.sources > 0) & (rule.weights[:, None] > 0)
    enough = live.sum(axis=0) >= max(rule.minimum_sources, 1)
    enough &= rule.weights @ live >= rule.quorum / PPM * rule.weights.sum()
    median = weighted_median(reading.sources, rule.weights, live)
    answer, able = _answer(feed, rule.bounds, median, reading.scale)
    heard = enough & able & ~reading.stalled & (time - feed.observed >= rule.period)
    least = feed.price // PPM * rule.minimum_change + feed.price % PPM * rule.minimum_change // PPM
    replaced = heard & (np.abs(answer - feed.price) >= least)
    price = np.where(replaced, answer, feed.price)
    return feed._replace(price=price, observed=np.where(heard, time, feed.observed))
