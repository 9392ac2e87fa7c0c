"""The past in another order: blocks of real candles laid end to end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.candles import PRICES, bar_seconds, read_candles
from sim.prices.files import candle_paths
from sim.prices.replay import visiting_order, walked
from sim.prices.settings import Bootstrap
from sim.problems import Problem, ScenarioError
from sim.streams import stream

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class History(NamedTuple):
    """Bars that all markets have, each over the close before it.

    Attributes
    ----------
    ratios : (n, m, 4) float64
        Open, high, low and close over the last close [1].
    run_end : (n,) int64
        First bar behind the next gap.
    length : int
        Of a bar [s].
    """

    ratios: Floats
    run_end: Indices
    length: int


def bootstrap_prices(settings: Bootstrap, clock: ClockSettings, markets: Sequence[str], seed: int) -> Floats:
    """Prices made of blocks of past bars, the same for all markets, of geometric length.

    Bars are walked from the open over the extremes to the close, as in a replay.

    Parameters
    ----------
    settings : Bootstrap
    clock : ClockSettings
    markets : sequence of str, length m
    seed : int

    Returns
    -------
    (blocks + 1, m) ndarray
        Price [USD per base unit].

    References
    ----------
    .. [1] D. N. Politis and J. P. Romano, "The stationary bootstrap", Journal of the American Statistical
       Association 89 (1994).
    """
    past = read_history(candle_paths(settings, markets))
    count = -(-clock.duration // past.length)
    bars = past.ratios[stationary_order(settings, past, count, stream(seed, "prices", "bootstrap"))]
    opened = past.length * np.arange(count, dtype=np.float64)
    columns = []
    for index, market in enumerate(markets):
        close = settings.start[market] * np.cumprod(bars[:, index, 3])
        before = np.concatenate([[settings.start[market]], close[:-1]])
        opening, high, low, last = (before[:, None] * bars[:, index]).T
        columns.append(walked(opened, visiting_order(opening, high, low, last), past.length, clock))
    return np.column_stack(columns)


def stationary_order(settings: Bootstrap, past: History, count: int, chance: np.random.Generator) -> Indices:
    """Which past bar stands at each of `count` places: blocks of geometric length from random starts."""
    size = len(past.ratios)
    mean = max(settings.mean_length / past.length, 1.0)
    order = np.empty(count, np.int64)
    filled = 0
    while filled < count:
        begin = int(chance.integers(size))
        wanted = int(chance.geometric(1 / mean))
        if settings.gaps == "skip":
            wanted = min(wanted, int(past.run_end[begin]) - begin)
        wanted = min(wanted, count - filled)
        order[filled : filled + wanted] = (begin + np.arange(wanted)) % size
        filled += wanted
    return order


def read_history(paths: Mapping[str, Path]) -> History:
    """Bars of candle files at the times that all of them have.

    Raises
    ------
    ScenarioError
        If a file is broken, the files' bars differ in length, or they share no two neighbouring bars.
    """
    frames = {market: read_candles(path).set_index("date")[PRICES] for market, path in paths.items()}
    lengths = {market: bar_seconds(frame.reset_index()) for market, frame in frames.items()}
    if len(set(lengths.values())) != 1:
        shown = ", ".join(f"{market}={length}s" for market, length in lengths.items())
        raise _refused("candle files must have bars of one length", shown)
    length = next(iter(lengths.values()))
    joined = pd.concat(frames, axis=1, join="inner", sort=True)
    follows = np.diff(joined.index.to_numpy()) == np.timedelta64(length, "s")
    if length == 0 or not follows.any():
        raise _refused("candle files must share two bars that follow each other", f"{len(joined)} bars")
    bars = joined.to_numpy().reshape(len(joined), len(paths), 4)
    ratios = bars[1:] / bars[:-1, :, 3:]
    return History(ratios[follows], _run_ends(np.flatnonzero(follows)), length)


def _run_ends(rows: Indices) -> Indices:
    """For each kept row, where the run of neighbouring rows that it lies in ends."""
    last = np.flatnonzero(np.append(np.diff(rows) != 1, True))
    return last[np.searchsorted(last, np.arange(len(rows)))] + 1


def _refused(rule: str, value: str) -> ScenarioError:
    return ScenarioError([Problem("", "world.prices.path", rule, value, (("world", "prices", "path"),))])
