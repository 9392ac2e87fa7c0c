"""Candles walked bar by bar: from the open over the extremes to the close."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.candles import bar_seconds, read_candles, window

Floats = NDArray[np.float64]

BLOCKS_PER_BAR = 3


def replayed(path: Path, clock: ClockSettings) -> Floats:
    """Candles of one market as a path on block ends, shape (blocks + 1,) [USD per base unit]."""
    frame = read_candles(path)
    bars = _covering(frame, path, clock)
    since = (bars["date"] - pd.Timestamp(clock.start)).dt.total_seconds()
    opened = np.asarray(since, dtype=np.float64)
    return walked(opened, _bar_levels(bars), bar_seconds(frame), clock)


def covering_bars(path: Path, clock: ClockSettings) -> pd.DataFrame:
    """Bars of a file that cover the run; a `ScenarioError` says why they do not."""
    return _covering(read_candles(path), path, clock)


def _covering(frame: pd.DataFrame, path: Path, clock: ClockSettings) -> pd.DataFrame:
    end = clock.start + timedelta(seconds=clock.duration)
    return window(frame, clock.start, end, str(path))


def walked(opened: Floats, levels: Floats, length: float, clock: ClockSettings) -> Floats:
    """Consecutive bars as a path on block ends.

    Parameters
    ----------
    opened : (n,) ndarray
        When each bar opens [s since the start].
    levels : (n, 4) ndarray
        Prices in the order in which a bar visits them.
    length : float
        Of a bar [s].
    clock : ClockSettings

    Returns
    -------
    (blocks + 1,) ndarray
        Prices; a bar of at least three blocks shows all its levels.
    """
    nodes = opened[:, None] / clock.block + _visits(levels, length / clock.block)
    if length >= BLOCKS_PER_BAR * clock.block:
        nodes[:, [0, 3]] = np.floor(nodes[:, [0, 3]] + 0.5)
        nodes[:, 1] = np.clip(np.rint(nodes[:, 1]), nodes[:, 0] + 1, nodes[:, 3] - 2)
        nodes[:, 2] = np.clip(np.rint(nodes[:, 2]), nodes[:, 1] + 1, nodes[:, 3] - 1)
    return _walk(nodes, levels, clock.blocks)


def _visits(levels: Floats, blocks: float) -> Floats:
    """Times at which a bar visits its levels, at constant speed along them, shape (n, 4).

    A fixed third of the bar for each leg would make the long way from one extreme to the other a jump.
    """
    way = np.cumsum(np.abs(np.diff(np.log(levels), axis=1)), axis=1)
    total = way[:, -1:]
    share = np.divide(way, total, out=np.tile([1 / 3, 2 / 3, 1.0], (len(way), 1)), where=total > 0)
    return blocks * np.column_stack([np.zeros(len(way)), share])


def _bar_levels(bars: pd.DataFrame) -> Floats:
    opening, high, low, close = (bars[name].to_numpy() for name in ("open", "high", "low", "close"))
    return visiting_order(opening, high, low, close)


def visiting_order(opening: Floats, high: Floats, low: Floats, close: Floats) -> Floats:
    """Prices in the order in which a bar visits them, shape (n, 4): a rising bar dips first."""
    rising = close >= opening
    levels = [opening, np.where(rising, low, high), np.where(rising, high, low), close]
    return np.column_stack(levels)


def _walk(nodes: Floats, levels: Floats, blocks: int) -> Floats:
    """Log-linear path through the nodes of consecutive bars.

    Parameters
    ----------
    nodes : (n, 4) ndarray
        Times of each bar's levels [blocks since the start]; a bar ends where the next begins.
    levels : (n, 4) ndarray
        Prices at the nodes.
    blocks : int
        Number of blocks.

    Returns
    -------
    (blocks + 1,) ndarray
        Prices at whole numbers of blocks; where two bars meet, the close of the earlier one.
    """
    grid = np.arange(blocks + 1, dtype=np.float64)
    bar = np.minimum(np.searchsorted(nodes[:, 3], grid, side="left"), len(nodes) - 1)
    leg = (grid[:, None] > nodes[bar, 1:3]).sum(axis=1)
    begin, end = nodes[bar, leg], nodes[bar, leg + 1]
    share = np.divide(grid - begin, end - begin, out=np.ones(len(grid)), where=end > begin)
    share = np.clip(share, 0.0, 1.0)
    return log_linear(levels[bar, leg], levels[bar, leg + 1], share)


def log_linear(begin: Floats, end: Floats, share: Floats) -> Floats:
    """Geometric interpolation, exact at both ends."""
    return np.where(share == 1.0, end, begin * (end / begin) ** share)
