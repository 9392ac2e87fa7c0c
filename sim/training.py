"""What a risk engine has learned from before the run begins."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.engine.features import YEAR_SECONDS
from agents.engine.forecaster import Sample
from agents.engine.settings import LEAST_STEPS, RiskEngineSettings
from protocol.book import Floats
from sim.configuration import ClockSettings, Scenario
from sim.prices.candles import bar_seconds, read_candles
from sim.prices.files import candle_paths
from sim.prices.paths import Paths, fundamental_paths, price_files
from sim.prices.rules import market_tables
from sim.prices.settings import PriceSettings, Regimes, Replay, Waypoints
from sim.problems import Problem, ScenarioError
from sim.streams import stream

USUAL_HISTORY = "btc_eth_regimes"
PLACE = ("risk_engine", "training")
PIECES = 12
LEAST_VARIANCE = 1e-12
LARGEST_SEED = 2**31


def sample_problems(scenario: Scenario) -> list[Problem]:
    """Why an engine's training sample cannot be had; empty when it can."""
    engine = scenario.risk_engine
    if engine.model == "none" or engine.training.kind == "burn_in":
        return []
    try:
        if engine.training.path:
            candle_sample(scenario)
        else:
            history_prices(scenario)
    except ScenarioError as error:
        return list(error.problems)
    return []


def training_sample(scenario: Scenario, seed: int) -> Sample | None:
    """The sample that a scenario's engine is trained on; None where it first watches the run.

    Raises
    ------
    ScenarioError
        If candles do not fit the engine's step, or a history cannot be made.
    """
    settings = scenario.risk_engine
    match settings.training.kind:
        case "burn_in":
            return None
        case "candles":
            return candle_sample(scenario)
    chance = stream(seed, "risk_engine", "training")
    return _from_history(scenario, int(chance.integers(LARGEST_SEED)))


def history_prices(scenario: Scenario) -> PriceSettings:
    """The generator of an engine's history: that of the scenario it names, its own, or the usual one.

    Raises
    ------
    ScenarioError
        If the named scenario cannot be read, or the prices are none that a generator makes for these markets.
    """
    from sim.scenario import load_scenario

    own, named = scenario.world.prices, scenario.risk_engine.training.prices
    if not (named or isinstance(own, Waypoints | Replay)):
        return own
    found = load_scenario(named or USUAL_HISTORY).world.prices
    unknown = [
        each for table in market_tables(found).values() for each in scenario.markets if each not in table
    ]
    if unknown or isinstance(found, Waypoints | Replay):
        rule = f"a history needs a generator of prices for {', '.join(scenario.markets)}"
        about = ((*PLACE, "prices"), PLACE)
        raise ScenarioError([Problem("", ".".join(PLACE), rule, named or USUAL_HISTORY, about)])
    return found


def training_history(scenario: Scenario) -> dict[str, Any] | None:
    """The generator of an engine's history as plain data, but for the path of its files; None without one."""
    if scenario.risk_engine.training.kind != "history":
        return None
    return history_prices(scenario).model_dump(mode="json", exclude={"path"})


def training_files(scenario: Scenario) -> dict[str, Path]:
    """Files of data that decide on what an engine has learned, by what they are."""
    match scenario.risk_engine.training.kind:
        case "candles":
            found = _training_candles(scenario)
        case "history":
            found = price_files(history_prices(scenario), scenario.markets)
        case _:
            found = {}
    return {f"training {name}": path for name, path in found.items()}


def _training_candles(scenario: Scenario) -> dict[str, Path]:
    replay = Replay(kind="replay", path=scenario.risk_engine.training.path)
    return candle_paths(replay, scenario.markets, (*PLACE, "path"))


def _from_history(scenario: Scenario, seed: int) -> Sample:
    """The prices of a generator before the start, from a seed of their own."""
    settings = scenario.risk_engine
    pieces = PIECES if "volatility" in settings.inputs and settings.every % PIECES == 0 else 1
    length = settings.training.length // settings.every * settings.every
    start = scenario.clock.start - timedelta(seconds=length)
    clock = ClockSettings.model_construct(start=start, duration=length, block=settings.every // pieces)
    prices = history_prices(scenario)
    sample = sample_of(fundamental_paths(prices, clock, scenario.markets, seed), settings, pieces)
    return sample._replace(regimes=len(prices.regimes) if isinstance(prices, Regimes) else 0)


def sample_of(paths: Paths, settings: RiskEngineSettings, pieces: int = 1) -> Sample:
    """The steps of a price path as an engine would have seen them.

    Parameters
    ----------
    paths : Paths
        On a grid of which `pieces` intervals make a step.
    settings : RiskEngineSettings
    pieces : int
        Intervals in a step, from whose returns realised volatility is taken.
    """
    moves = np.diff(np.log(paths.price), axis=0)
    steps = len(moves) // pieces
    moves = moves[: steps * pieces].reshape(steps, pieces, -1)
    returns = moves.sum(axis=1)
    variance = np.maximum((moves**2).sum(axis=1) / settings.every * YEAR_SECONDS, LEAST_VARIANCE)
    known: dict[str, Floats] = {"returns": returns, "volatility": np.log(variance) / 2}
    nothing = np.full_like(returns, np.nan)
    inputs = np.stack([known.get(name, nothing) for name in settings.inputs], axis=-1)
    regime = paths.regime if settings.model == "hindsight" else None
    label = None if regime is None else regime[pieces::pieces][:steps].astype(np.int64)
    return Sample(inputs, returns, label)


def candle_sample(scenario: Scenario) -> Sample:
    """What closes of candle files show, up to the start of the run.

    Raises
    ------
    ScenarioError
        If a file cannot be read, its bars do not fit the engine's step, or it has too few before the start.
    """
    settings = scenario.risk_engine
    files = _training_candles(scenario)
    frames = {name: read_candles(path).set_index("date")["close"] for name, path in files.items()}
    lengths = {name: bar_seconds(frame.reset_index()) for name, frame in frames.items()}
    bar = max(lengths.values())
    if min(lengths.values()) != bar or bar <= 0 or settings.every % bar:
        rule = f"every={settings.every}s must be a multiple of the length of the bars, which is {lengths} s"
        raise _unfit(rule)
    joined = pd.DataFrame(frames).loc[: pd.Timestamp(scenario.clock.start) - pd.Timedelta(seconds=bar)]
    joined = joined.asfreq(f"{bar}s")
    joined = joined.iloc[-settings.training.length // bar - 1 :]
    if len(joined) * bar < LEAST_STEPS * settings.every:
        rule = f"at least {LEAST_STEPS} steps of {settings.every} s are needed before {scenario.clock.start}"
        raise _unfit(f"{rule}, got {len(joined)} bars of {bar} s")
    return sample_of(Paths(joined.to_numpy()), settings, settings.every // bar)


def _unfit(rule: str) -> ScenarioError:
    place = (*PLACE, "path")
    return ScenarioError([Problem("", ".".join(place), rule, about=(place,))])
