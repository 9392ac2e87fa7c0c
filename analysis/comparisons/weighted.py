"""A statistic under many weightings of the same runs at once: the arithmetic of bootstrap and swap test."""

import numpy as np
import numpy.typing as npt

from analysis.comparisons.statistic import Statistic

Floats = npt.NDArray[np.float64]


def estimates(values: Floats, weights: Floats, statistic: Statistic) -> Floats:
    """A statistic of weighted runs, once for each weighting.

    Parameters
    ----------
    values : (n,) ndarray
        A metric, one value per run; no NaN.
    weights : (k, n) ndarray
        How often each run counts in each of `k` weightings; whole numbers.
    statistic : Statistic
        With its tail settled.

    Returns
    -------
    (k,) ndarray
        NaN where all weights are zero. A quantile interpolates between neighbours as numpy does; a
        shortfall takes the run at the edge of the tail with the fraction that is still missing.
    """
    total = weights.sum(axis=1)
    if statistic.kind in ("mean", "probability"):
        return _ratio(weights @ scored(values, statistic), total)
    upper, share = upward(values, statistic)
    if statistic.kind == "quantile":
        found = _quantile(upper, weights, (total - 1) * (1 - share))
    else:
        found = _shortfall(upper, weights, total * (1 - share))[0]
    return np.where(total > 0, -found if _flipped(statistic) else found, np.nan)


def influences(values: Floats, weights: Floats, statistic: Statistic) -> Floats:
    """How much each run moves a mean, a probability or a shortfall, in each weighting.

    Returns
    -------
    (k, n) ndarray
        Influence values, of weighted mean zero; their spread gives the statistic's standard error.
    """
    total = weights.sum(axis=1)
    if statistic.kind in ("mean", "probability"):
        score = scored(values, statistic)
        return score - _ratio(weights @ score, total)[:, None]
    upper, share = upward(values, statistic)
    tail, edge = _shortfall(upper, weights, total * (1 - share))
    moved = edge[:, None] + np.maximum(upper - edge[:, None], 0.0) / (1 - share) - tail[:, None]
    return -moved if _flipped(statistic) else moved


def scored(values: Floats, statistic: Statistic) -> Floats:
    """What a mean or a probability averages: the values, or 1 where the event happened."""
    if statistic.kind == "mean":
        return values
    happened = values > statistic.threshold if statistic.side == ">" else values < statistic.threshold
    return happened.astype(np.float64)


def upward(values: Floats, statistic: Statistic) -> tuple[Floats, float]:
    """Values and share of an equal question about the upper tail, up to the sign."""
    if not _flipped(statistic):
        return values, statistic.share
    return -values, _tail_share(statistic)


def _flipped(statistic: Statistic) -> bool:
    return statistic.tail == "lower" or statistic.share < 0.5


def _tail_share(statistic: Statistic) -> float:
    return statistic.share if statistic.tail == "lower" else 1 - statistic.share


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return ratio


def _heaviest(values: Floats, weights: Floats, needed: Floats) -> tuple[Floats, Floats]:
    """Largest values, falling, and their running weight, as far down as every weighting needs."""
    order = np.argsort(-values, kind="stable")
    depth = int(needed.max(initial=0.0) * 2 + 8 * np.sqrt(needed.max(initial=0.0)) + 16)
    while True:
        head = order[:depth]
        running = np.cumsum(weights[:, head], axis=1)
        if depth >= len(order) or bool((running[:, -1] > needed).all()):
            return values[head], running
        depth *= 2


def _quantile(values: Floats, weights: Floats, position: Floats) -> Floats:
    """Value at a position, counted down from the largest and interpolated."""
    whole = np.floor(np.maximum(position, 0.0))
    largest, running = _heaviest(values, weights, whole + 1)
    last = len(largest) - 1
    first = np.minimum((running <= whole[:, None]).sum(axis=1), last)
    second = np.minimum((running <= whole[:, None] + 1).sum(axis=1), last)
    rest = np.maximum(position, 0.0) - whole
    found: Floats = largest[first] * (1 - rest) + largest[np.where(rest > 0, second, first)] * rest
    return found


def _shortfall(values: Floats, weights: Floats, tail: Floats) -> tuple[Floats, Floats]:
    """Mean of the largest values that weigh `tail` together, and the value at the edge of that tail."""
    largest, running = _heaviest(values, weights, tail)
    edge = np.minimum((running < tail[:, None]).sum(axis=1), len(largest) - 1)
    within = np.minimum(running, tail[:, None])
    parts = np.diff(within, axis=1, prepend=0.0)
    return _ratio(parts @ largest, tail), largest[edge]
