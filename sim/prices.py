"""Fundamental prices on the grid of block ends: replayed candles, or waypoints with a bridge."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.candles import bar_seconds, read_candles, window
from sim.configuration import ClockSettings
from sim.problems import Problem, ScenarioError
from sim.streams import stream
from sim.waypoints import Skeleton, skeletons
from sim.world_settings import Replay, Waypoints

Floats = NDArray[np.float64]

YEAR = 365 * 86_400
BLOCKS_PER_BAR = 3


def fundamental_paths(
    settings: Waypoints | Replay, clock: ClockSettings, markets: Sequence[str], seed: int
) -> Floats:
    """Fundamental price of every market at the end of every block.

    Parameters
    ----------
    settings : Waypoints or Replay
        `world.prices` of the scenario.
    clock : ClockSettings
        Start, duration and block length.
    markets : sequence of str, length m
        Order of the columns.
    seed : int
        Seed of the run; a replay does not depend on it.

    Returns
    -------
    (blocks + 1, m) ndarray
        Price [USD per base unit]; row 0 at the start, row b at the end of block b.
    """
    names = tuple(markets)
    if isinstance(settings, Replay):
        paths = candle_paths(settings, names)
        return np.column_stack([_replayed(paths[name], clock) for name in names])
    return _bridged(settings, skeletons(settings, clock, names), clock, seed)


def price_problems(
    settings: Waypoints | Replay, clock: ClockSettings, markets: Sequence[str]
) -> list[Problem]:
    """Why the prices of a scenario cannot be made; empty when they can."""
    problems: list[Problem] = []
    try:
        if isinstance(settings, Waypoints):
            skeletons(settings, clock, tuple(markets))
            return []
        paths = candle_paths(settings, tuple(markets))
    except ScenarioError as error:
        return list(error.problems)
    for path in paths.values():
        try:
            _bars(path, clock)
        except ScenarioError as error:
            problems += error.problems
    return problems


def coarse_candles(settings: Waypoints | Replay, clock: ClockSettings, markets: Sequence[str]) -> list[str]:
    """Warnings on candle files whose bars are too short for their extremes to be visited."""
    if isinstance(settings, Waypoints):
        return []
    warnings = []
    for path in candle_paths(settings, tuple(markets)).values():
        length = bar_seconds(read_candles(path))
        if length < BLOCKS_PER_BAR * clock.block:
            text = f"a bar of {length} s has fewer than {BLOCKS_PER_BAR} blocks of {clock.block} s"
            warnings.append(f"{path}: {text}; its high and low may be missed")
    return warnings


def candle_paths(settings: Replay, markets: Sequence[str]) -> dict[str, Path]:
    """Candle file of each market.

    A mapping names them all. In one path, `{market}` stands for the market in lower or upper case;
    without it, the name of one market in the file's name is replaced by the others'.
    """
    if isinstance(settings.path, dict):
        missing = [market for market in markets if market not in settings.path]
        if missing:
            raise _path_error(f"a path is needed for {', '.join(missing)}")
        return {market: Path(settings.path[market]) for market in markets}
    if "{market}" in settings.path or len(markets) == 1:
        return {market: _filled(settings.path, market) for market in markets}
    path = Path(settings.path)
    named = [market for market in markets if market.casefold() in path.name.casefold()]
    if len(named) != 1:
        rule = f"the file's name must hold {{market}} or one of {', '.join(markets)}"
        raise _path_error(f"{rule}, got {path.name!r}")
    return {market: path.with_name(_renamed(path.name, named[0], market)) for market in markets}


def _path_error(rule: str) -> ScenarioError:
    return ScenarioError([Problem("", "world.prices.path", rule, about=(("world", "prices", "path"),))])


def _filled(template: str, market: str) -> Path:
    """`template` with the market's name, in the case in which such a file exists."""
    choices = [Path(template.replace("{market}", name)) for name in (market, market.lower(), market.upper())]
    return next((path for path in choices if path.is_file()), choices[0])


def _renamed(name: str, old: str, new: str) -> str:
    start = name.casefold().index(old.casefold())
    found = name[start : start + len(old)]
    cased = new.lower() if found.islower() else new.upper() if found.isupper() else new
    return name[:start] + cased + name[start + len(old) :]


def _bars(path: Path, clock: ClockSettings) -> pd.DataFrame:
    end = clock.start + timedelta(seconds=clock.duration)
    return window(read_candles(path), clock.start, end, str(path))


def _replayed(path: Path, clock: ClockSettings) -> Floats:
    """Candles of one market as a path on block ends, shape (blocks + 1,)."""
    frame = read_candles(path)
    length = bar_seconds(frame)
    end = clock.start + timedelta(seconds=clock.duration)
    bars = window(frame, clock.start, end, str(path))
    opened = (bars["date"] - pd.Timestamp(clock.start)).dt.total_seconds().to_numpy()
    levels = _bar_levels(bars)
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
    """Prices in the order in which a bar visits them, shape (n, 4): a rising bar dips first."""
    opening, high, low, close = (bars[name].to_numpy() for name in ("open", "high", "low", "close"))
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
    share = np.clip((grid - begin) / (end - begin), 0.0, 1.0)
    return _log_linear(levels[bar, leg], levels[bar, leg + 1], share)


def _log_linear(begin: Floats, end: Floats, share: Floats) -> Floats:
    """Geometric interpolation, exact at both ends."""
    return np.where(share == 1.0, end, begin * (end / begin) ** share)


def _bridged(settings: Waypoints, levels: dict[str, Skeleton], clock: ClockSettings, seed: int) -> Floats:
    """Waypoints joined log-linearly plus a correlated Brownian bridge, shape (blocks + 1, m)."""
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
    covariance = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
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
    path = _log_linear(prices[begin], prices[end], share) * np.exp(motion - chord)
    exact = np.searchsorted(times, knots[(knots >= times[0]) & (knots <= times[-1])])
    path[exact] = prices[(knots >= times[0]) & (knots <= times[-1])]
    return path
