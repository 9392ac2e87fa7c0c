"""Fundamental prices on the grid of block ends, whatever they come from."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.bootstrap import bootstrap_prices, read_history
from sim.prices.bridge import bridged
from sim.prices.candles import bar_seconds, read_candles
from sim.prices.files import candle_paths
from sim.prices.garch import garch_prices
from sim.prices.heston import heston_prices
from sim.prices.jumps import jump_prices
from sim.prices.regimes import regime_prices
from sim.prices.replay import BLOCKS_PER_BAR, covering_bars, replayed
from sim.prices.settings import Bootstrap, Garch, Heston, PriceSettings, Regimes, Replay, Waypoints
from sim.prices.waypoints import event_file, skeletons
from sim.problems import Problem, ScenarioError

Floats = NDArray[np.float64]


class Paths(NamedTuple):
    """Fundamental prices of a run.

    Attributes
    ----------
    price : (blocks + 1, m) float64
        Price [USD per base unit]; row 0 at the start, row b at the end of block b.
    regime : (blocks + 1,) int8 or None
        The hidden regime until the end of each block, where the prices have one; nobody in the run sees it.
    """

    price: Floats
    regime: NDArray[np.int8] | None = None


def fundamental_paths(
    settings: PriceSettings, clock: ClockSettings, markets: Sequence[str], seed: int
) -> Paths:
    """Fundamental price of every market at the end of every block.

    Parameters
    ----------
    settings : PriceSettings
        `world.prices` of the scenario.
    clock : ClockSettings
        Start, duration and block length.
    markets : sequence of str, length m
        Order of the columns.
    seed : int
        Seed of the run; a replay does not depend on it.
    """
    names = tuple(markets)
    match settings:
        case Replay():
            files = candle_paths(settings, names)
            return Paths(np.column_stack([replayed(files[name], clock) for name in names]))
        case Waypoints():
            return Paths(bridged(settings, skeletons(settings, clock, names), clock, seed))
        case Bootstrap():
            return Paths(bootstrap_prices(settings, clock, names, seed))
        case Garch():
            return Paths(garch_prices(settings, clock, names, seed))
        case Heston():
            return Paths(heston_prices(settings, clock, names, seed))
        case Regimes():
            return Paths(*regime_prices(settings, clock, names, seed))
    return Paths(jump_prices(settings, clock, names, seed))


def price_problems(settings: PriceSettings, clock: ClockSettings, markets: Sequence[str]) -> list[Problem]:
    """Why the prices of a scenario cannot be made; empty when they can."""
    names = tuple(markets)
    try:
        if isinstance(settings, Waypoints):
            skeletons(settings, clock, names)
        elif isinstance(settings, Bootstrap):
            read_history(candle_paths(settings, names))
        elif isinstance(settings, Replay):
            return _replay_problems(candle_paths(settings, names).values(), clock)
    except ScenarioError as error:
        return list(error.problems)
    return []


def _replay_problems(paths: Iterable[Path], clock: ClockSettings) -> list[Problem]:
    problems: list[Problem] = []
    for path in paths:
        try:
            covering_bars(path, clock)
        except ScenarioError as error:
            problems += error.problems
    return problems


def price_files(settings: PriceSettings, markets: Sequence[str]) -> dict[str, Path]:
    """Files from which a run reads its prices, by market or by the event's name."""
    if isinstance(settings, Replay | Bootstrap):
        return candle_paths(settings, markets)
    event = event_file(settings.event) if isinstance(settings, Waypoints) and settings.event else None
    return {settings.event: event} if isinstance(settings, Waypoints) and event else {}


def coarse_candles(settings: PriceSettings, clock: ClockSettings, markets: Sequence[str]) -> list[str]:
    """Warnings on candle files whose bars are too short for their extremes to be visited."""
    if not isinstance(settings, Replay):
        return []
    warnings = []
    for path in candle_paths(settings, tuple(markets)).values():
        length = bar_seconds(read_candles(path))
        if length < BLOCKS_PER_BAR * clock.block:
            text = f"a bar of {length} s has fewer than {BLOCKS_PER_BAR} blocks of {clock.block} s"
            warnings.append(f"{path}: {text}; its high and low may be missed")
    return warnings
