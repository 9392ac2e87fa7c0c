"""Averages of prices, and the mark: the price that margin is held against."""

from typing import NamedTuple

import numpy as np

from protocol.book import Floats, Ints

BASIS_SECONDS = 150.0
RECENT_SECONDS = 30.0
WIDEST_BAND = 1e9


class AverageRule(NamedTuple):
    """How a price is averaged over time.

    Attributes
    ----------
    weighting : {"exponential", "linear", "window"}
        Weights that fade with age, the same however time is cut into blocks; Drift's recursion, where a
        price that stood for t seconds gets the weight t over the window; or the plain mean of the window.
    window : float
        Mean age of the weights, or length of the window [s].
    band : (m,) float64 or float
        How far from the last average a price counts [1], > 0; what lies beyond counts as the edge.

    References
    ----------
    .. [1] Drift protocol-v2, math/stats.rs and math/amm.rs: band 10 % in tier A, 20 % in B, 50 % in C,
       a third in the others.
    """

    weighting: str
    window: float
    band: Floats | float = np.inf


class Average(NamedTuple):
    """A running average.

    Attributes
    ----------
    price : (m,) float64
        The average [micro-USD per lot]; NaN where no price was ever seen.
    time : float
        When it was last brought up to date [s].
    past : (k, m) float64
        Prices inside a plain window, oldest first; none under the other weightings.
    spans : (k,) float64
        How long each of them stood [s].
    """

    price: Floats
    time: float
    past: Floats
    spans: Floats


def open_average(price: Floats | Ints, time: float) -> Average:
    """An average that stands at `price`, (m,) [micro-USD per lot], at `time` [s]."""
    return Average(np.asarray(price, np.float64).copy(), time, np.empty((0, len(price))), np.empty(0))


def observe_average(average: Average, rule: AverageRule, price: Floats | Ints, time: float) -> Average:
    """The average at `time` [s], if `price` has stood since it was last brought up to date.

    Parameters
    ----------
    price : (m,) float64 or int64
        [micro-USD per lot]; a market where it is NaN keeps its average.
    """
    seconds = time - average.time
    start = np.where(np.isfinite(average.price), average.price, price)
    shown = np.where(np.isfinite(price), price, start)
    if rule.weighting == "exponential":
        return average._replace(price=_fade(start, shown, seconds, rule), time=time)
    if rule.weighting == "linear":
        share = seconds / (seconds + max(rule.window - seconds, 1.0))
        return average._replace(price=start + share * (_within(start, shown, rule) - start), time=time)
    if rule.weighting == "window":
        return _slide(average, _within(start, np.asarray(price, np.float64), rule), rule, time)
    raise ValueError(f"weighting must be exponential, linear or window, got {rule.weighting!r}")


def _within(average: Floats, price: Floats, rule: AverageRule) -> Floats:
    """`price`, or the edge of the band around the last average."""
    band = np.minimum(rule.band, WIDEST_BAND)
    return np.clip(price, average * (1 - band), average * (1 + band))


def _fade(average: Floats, price: Floats, seconds: float, rule: AverageRule) -> Floats:
    """Solution of `dA/dt = (clamp(price) − A) / window`: first along the edge of the band, then freely."""
    band = np.minimum(rule.band, WIDEST_BAND)
    above = np.log(np.maximum(price, 1.0) / average) - np.log1p(band)
    below = np.log(np.maximum(1 - band, 1e-300)) - np.log(np.maximum(price, 1.0) / average)
    edge = np.clip(rule.window / band * np.maximum(above, below), 0.0, seconds)
    led = average * np.exp(np.where(above > 0, band, -band) * edge / rule.window)
    return price + (led - price) * np.exp(-(seconds - edge) / rule.window)


def _slide(average: Average, price: Floats, rule: AverageRule, time: float) -> Average:
    """Append the newest price to a plain window, drop what has left it, average what was seen."""
    spans = np.append(average.spans, time - average.time)
    past = np.vstack([average.past, price])
    spans = np.minimum(spans, np.maximum(rule.window - (np.cumsum(spans[::-1])[::-1] - spans), 0.0))
    kept = spans > 0
    past, spans = past[kept], spans[kept]
    weight = np.where(np.isfinite(past), spans[:, None], 0.0).sum(axis=0)
    total = (np.nan_to_num(past) * spans[:, None]).sum(axis=0)
    mean = np.divide(total, weight, out=average.price.copy(), where=weight > 0)
    return Average(mean, time, past, spans)


class Ema(NamedTuple):
    """An exponential average that weighs each sample by the time since the one before, each (m,) float64.

    Attributes
    ----------
    weighted, weight : float64
        Numerator [unit of the sample · s] and denominator [s].
    waited : float64
        Time since the last sample [s].
    """

    weighted: Floats
    weight: Floats
    waited: Floats


def open_ema(markets: int) -> Ema:
    """An average that has seen nothing."""
    return Ema(np.zeros(markets), np.zeros(markets), np.zeros(markets))


def observe_ema(ema: Ema, sample: Floats, seconds: float, memory: float) -> Ema:
    """The average `seconds` later, with a new sample, (m,), where it is not NaN; `memory` in seconds.

    References
    ----------
    .. [1] Hyperliquid docs, "Robust price indices": the numerator fades by exp(−t/memory) and gains
       sample · t, the denominator gains t, with t since the last update.
    """
    waited = ema.waited + seconds
    seen = np.isfinite(sample)
    decay = np.exp(-waited / memory)
    return Ema(
        np.where(seen, ema.weighted * decay + np.where(seen, sample, 0.0) * waited, ema.weighted),
        np.where(seen, ema.weight * decay + waited, ema.weight),
        np.where(seen, 0.0, waited),
    )


def ema_value(ema: Ema) -> Floats:
    """The average, (m,) [unit of the sample]; NaN where nothing was seen."""
    return np.divide(ema.weighted, ema.weight, out=np.full_like(ema.weighted, np.nan), where=ema.weight > 0)


class Prices(NamedTuple):
    """All prices that a mark is made of, each (m,) [micro-USD per lot]; 0 for one that does not exist.

    Attributes
    ----------
    oracle : int64
    outside : int64
        Of perpetuals on other venues.
    bid, ask : float64
        Best quotes on the venue.
    last : int64
        Last trade on the venue.
    """

    oracle: Ints
    outside: Ints
    bid: Floats
    ask: Floats
    last: Ints


def mid_price(prices: Prices) -> Floats:
    """Middle of the best quotes, (m,) float64; NaN where the book is one-sided."""
    two_sided = (prices.bid > 0) & (prices.ask > 0)
    return np.where(two_sided, (prices.bid + prices.ask) / 2, np.nan)


def own_price(prices: Prices) -> Floats:
    """Median of best bid, best ask and last trade, (m,) float64; NaN where none exists.

    A missing quote counts as the last trade, so that one side alone cannot set the price.
    """
    last = np.where(prices.last > 0, prices.last, np.nan)
    bid, ask = np.where(prices.bid > 0, prices.bid, last), np.where(prices.ask > 0, prices.ask, last)
    return _median_of_known(np.stack([bid, ask, last]))


class MarkRule(NamedTuple):
    """How the mark is found.

    Attributes
    ----------
    kind : {"oracle", "median", "twap"}
        The oracle itself; the median of oracle, venue and outside; or the average of the venue's mid.
    mid : AverageRule
        Of the last kind.

    References
    ----------
    .. [1] dYdX v4: the oracle. Hyperliquid docs, "Robust price indices": the median.
    .. [2] Perpetual Protocol v2, ClearingHouseConfig: average over 30 minutes.
    """

    kind: str = "oracle"
    mid: AverageRule = AverageRule("window", 1800.0)


class MarkMemory(NamedTuple):
    """What the mark remembers: the venue's mid over the oracle, its own price of late, its average mid."""

    basis: Ema
    recent: Ema
    mid: Average


def open_memory(price: Ints, time: float) -> MarkMemory:
    """A venue that opens at `price`, (m,) [micro-USD per lot], at `time` [s]."""
    return MarkMemory(open_ema(len(price)), open_ema(len(price)), open_average(price, time))


def remember(memory: MarkMemory, rule: MarkRule, prices: Prices, time: float) -> MarkMemory:
    """The memory at `time` [s], if `prices` have stood since it was last brought up to date."""
    seconds = time - memory.mid.time
    mid = mid_price(prices)
    return MarkMemory(
        observe_ema(memory.basis, mid - prices.oracle, seconds, BASIS_SECONDS),
        observe_ema(memory.recent, own_price(prices), seconds, RECENT_SECONDS),
        observe_average(memory.mid, rule.mid, mid, time),
    )


def mark_price(rule: MarkRule, prices: Prices, memory: MarkMemory) -> Ints:
    """The price of margin, (m,) int64 [micro-USD per lot], ≥ 1."""
    if rule.kind == "oracle":
        return prices.oracle.copy()
    if rule.kind == "median":
        mark = _median_mark(prices, memory)
    elif rule.kind == "twap":
        mark = np.where(np.isfinite(memory.mid.price), memory.mid.price, prices.oracle)
    else:
        raise ValueError(f"mark must be oracle, median or twap, got {rule.kind!r}")
    return np.maximum(np.rint(mark), 1.0).astype(np.int64)


def _median_mark(prices: Prices, memory: MarkMemory) -> Floats:
    """Median of oracle plus average basis, own and outside price; of two only, with the recent own price."""
    anchored = prices.oracle + np.nan_to_num(ema_value(memory.basis))
    outside = np.where(prices.outside > 0, prices.outside, np.nan)
    three = np.stack([anchored, own_price(prices), outside])
    two = np.isfinite(three).sum(axis=0) == 2
    return _median_of_known(np.vstack([three, np.where(two, ema_value(memory.recent), np.nan)]))


def _median_of_known(values: Floats) -> Floats:
    """Median over the first axis of what is not NaN, (m,); NaN where nothing is known."""
    ranked = np.sort(values, axis=0)
    count = np.isfinite(values).sum(axis=0)
    middle = np.stack([(count - 1) // 2, count // 2])
    return np.take_along_axis(ranked, middle, axis=0).mean(axis=0)
