"""Waypoints joined log-linearly, with a correlated Brownian bridge between them."""

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.grid import YEAR, correlation_root
from sim.prices.replay import log_linear
from sim.prices.settings import Waypoints
from sim.prices.waypoints import Skeleton
from sim.streams import stream

Floats = NDArray[np.float64]


def bridged(settings: Waypoints, levels: dict[str, Skeleton], clock: ClockSettings, seed: int) -> Floats:
    """Price at the end of every block, shape (blocks + 1, m): hits every level of `levels` [USD]."""
    grid = clock.block * np.arange(clock.blocks + 1, dtype=np.float64)
    knots = [level.seconds for level in levels.values()]
    times = np.unique(np.concatenate([grid, *(_bracketing(seconds, grid[-1]) for seconds in knots)]))
    volatility = np.array([settings.volatility[market] for market in levels])
    motion = volatility * _brownian(times, len(levels), settings.correlation, seed)
    columns = [
        _joined(level, times, motion[:, column])[np.searchsorted(times, grid)]
        for column, level in enumerate(levels.values())
    ]
    return np.column_stack(columns)


def _bracketing(seconds: Floats, end: float) -> Floats:
    """Knots from the last one at or before the start to the first one at or after the end."""
    first = np.searchsorted(seconds, 0.0, side="right") - 1
    last = np.searchsorted(seconds, end, side="left")
    return seconds[first : last + 1]


def _brownian(times: Floats, count: int, correlation: float, seed: int) -> Floats:
    """Correlated standard Brownian motions by time in years, shape (len(times), count)."""
    root = correlation_root(count, correlation)
    draws = stream(seed, "prices", "bridge").standard_normal((len(times) - 1, count))
    steps = np.sqrt(np.diff(times) / YEAR)[:, None] * (draws @ root.T)
    return np.concatenate([np.zeros((1, count)), np.cumsum(steps, axis=0)])


def _joined(level: Skeleton, times: Floats, motion: Floats) -> Floats:
    """One market: levels joined by a bridge; free motion after the last level."""
    knots, prices = level.seconds, level.prices
    begin = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 1)
    end = np.minimum(begin + 1, len(knots) - 1)
    span = np.where(end > begin, knots[end] - knots[begin], 1.0)
    share = np.where(end > begin, (times - knots[begin]) / span, 0.0)
    at_knot = motion[np.clip(np.searchsorted(times, knots), 0, len(times) - 1)]
    chord = at_knot[begin] + share * (at_knot[end] - at_knot[begin])
    path = log_linear(prices[begin], prices[end], share) * np.exp(motion - chord)
    exact = np.searchsorted(times, knots[(knots >= times[0]) & (knots <= times[-1])])
    path[exact] = prices[(knots >= times[0]) & (knots <= times[-1])]
    return path
