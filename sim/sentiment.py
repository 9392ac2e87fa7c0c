"""The mood of the market: a process that follows returns, a replayed file, or a feed of one's own."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.blame import PluginError, method_place, user_place
from sim.configuration import ClockSettings
from sim.plugins import plugin
from sim.problems import Problem, ScenarioError
from sim.streams import stream
from sim.world_settings import SentimentSettings

Floats = NDArray[np.float64]

DAY = 86_400.0
FEED = "sentiment feed"


class Sight(NamedTuple):
    """What a sentiment feed may look at when a block has moved the outside price.

    Attributes
    ----------
    block : int
    time, seconds : float
        Since the start, and the length of the block [s].
    price : (m,) float64
        Outside price [USD].
    change : (m,) float64
        Its log return over the block [1].
    """

    block: int
    time: float
    seconds: float
    price: Floats
    change: Floats


class SentimentFeed(Protocol):
    """Anything that says how the market feels."""

    def sentiment(self, sight: Sight) -> float:
        """Mood after a block: -1 is panic, 1 is euphoria."""


class Mood:
    """The process: `s = tanh(x)`, where x takes up returns and forgets by halves.

    `dx = −(ln 2 / h) x dt + g dr + ν dW`, and jumps, with r the mean log price over the markets.
    """

    def __init__(self, settings: SentimentSettings, clock: ClockSettings, jumps: Floats, seed: int) -> None:
        self.gain = settings.gain
        self.keep = 0.5 ** (clock.block / settings.half_life)
        self.shocks = jumps + self._noise(settings, clock, seed)
        self.x = 0.0

    def _noise(self, settings: SentimentSettings, clock: ClockSettings, seed: int) -> Floats:
        """Shocks of its own to x in each block, (blocks + 1,) [1]."""
        if not settings.noise:
            return np.zeros(clock.blocks + 1)
        rate = 2 * math.log(2) / settings.half_life * DAY
        scale = settings.noise * math.sqrt((1 - self.keep**2) / rate)
        normal: Floats = stream(seed, "world", "sentiment").standard_normal(clock.blocks + 1)
        return scale * normal

    def sentiment(self, sight: Sight) -> float:
        """Mood after a block's returns."""
        self.x = self.keep * self.x + self.gain * float(sight.change.mean()) + float(self.shocks[sight.block])
        return math.tanh(self.x)


class Replayed:
    """A file's last value known at each block end."""

    def __init__(self, path: str, clock: ClockSettings) -> None:
        self.values = replayed_values(path, clock)

    def sentiment(self, sight: Sight) -> float:
        """Mood at the end of a block."""
        return float(self.values[sight.block])


class Own:
    """A user's feed, whose answers are checked."""

    def __init__(self, reference: str) -> None:
        own = plugin(reference)
        self.feed: SentimentFeed = own.make({}, "sentiment(sight)")
        self.files = frozenset(own.files())

    def sentiment(self, sight: Sight) -> float:
        """Mood that the feed reports; one that is no number in [-1, 1] ends the run."""
        shown = sight._replace(price=sight.price.copy(), change=sight.change.copy())
        try:
            value = float(self.feed.sentiment(shown))
        except Exception as error:
            place = user_place(error, self.files) or method_place(self.feed.sentiment)
            told = f"{type(error).__name__}: {error}"
            raise PluginError(f"{place}  {FEED}, block {sight.block}: {told}") from error
        if not -1 <= value <= 1:
            place, rule = method_place(self.feed.sentiment), "sentiment must lie in [-1, 1]"
            raise PluginError(f"{place}  {FEED}, block {sight.block}: {rule}, got {value}")
        return value


def sentiment_feed(
    settings: SentimentSettings, clock: ClockSettings, jumps: Floats, seed: int
) -> SentimentFeed:
    """The feed that a scenario asks for; `jumps`, (blocks + 1,), are the scripted ones of the process."""
    if settings.provider:
        return Own(settings.provider)
    if settings.path:
        return Replayed(settings.path, clock)
    return Mood(settings, clock, jumps, seed)


def sentiment_problems(settings: SentimentSettings, clock: ClockSettings) -> list[Problem]:
    """Why the sentiment of a scenario cannot be made; empty when it can."""
    try:
        if settings.provider:
            Own(settings.provider)
        elif settings.path:
            replayed_values(settings.path, clock)
    except PluginError as error:
        return [_problem("provider", str(error))]
    except ScenarioError as error:
        return list(error.problems)
    return []


def sentiment_files(settings: SentimentSettings) -> dict[str, Path]:
    """Files of data that decide on sentiment, by what they are."""
    return {"sentiment": Path(settings.path)} if settings.path else {}


def replayed_values(path: str, clock: ClockSettings) -> Floats:
    """Last value of a file known at each block end, (blocks + 1,) [1].

    Parameters
    ----------
    path : str
        `.csv`, `.csv.gz` or `.parquet` with the columns time (UTC, ISO text or timestamps) and value in
        [-1, 1]; times rise, and the first is not after the start.

    Raises
    ------
    ScenarioError
        Naming the rule that the file breaks, and the first row that breaks it.
    """
    frame = _read(path)
    start = pd.Timestamp(clock.start)
    if frame["time"].iloc[0] > start:
        raise ScenarioError([_problem("path", f"{path}: the first time must not be after clock.start")])
    ends = start + pd.to_timedelta(clock.block * np.arange(clock.blocks + 1), unit="s")
    row = frame["time"].searchsorted(ends, side="right") - 1
    values: Floats = frame["value"].to_numpy()[row]
    return values


def _read(path: str) -> pd.DataFrame:
    """Times and values of a file, checked."""
    frame = _frame(path)
    lacking = [name for name in ("time", "value") if name not in frame.columns]
    if lacking or frame.empty:
        rule = f"{path}: columns time and value must be present, with at least one row"
        raise ScenarioError([_problem("path", rule, ", ".join(map(str, frame.columns)))])
    if pd.api.types.is_numeric_dtype(frame["time"]):
        raise ScenarioError([_problem("path", f"{path}: time must be ISO text or timestamps")])
    time = pd.to_datetime(frame["time"], utc=True, errors="coerce", format="ISO8601")
    value = pd.to_numeric(frame["value"], errors="coerce").astype("float64")
    rules: Sequence[tuple[str, pd.Series]] = (
        ("time must be given", time.notna()),
        ("times must rise", ~(time.diff() <= pd.Timedelta(0))),
        ("value must lie in [-1, 1]", value.between(-1, 1)),
    )
    for rule, held in rules:
        if not held.all():
            row = int(np.flatnonzero(~held.to_numpy())[0])
            raise ScenarioError(
                [_problem("path", f"{path}: {rule}", f"row {row}: {frame['value'].iloc[row]}")]
            )
    return pd.DataFrame({"time": time, "value": value})


def _frame(path: str) -> pd.DataFrame:
    """A file as it is."""
    if not Path(path).is_file():
        raise ScenarioError([_problem("path", "no such file", path)])
    try:
        if path.endswith(".parquet"):
            return pd.read_parquet(path)
        if path.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path)
    except (OSError, ValueError, EOFError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ScenarioError([_problem("path", f"{path} cannot be read: {text}")]) from error
    raise ScenarioError([_problem("path", "a file of sentiment must end in .csv, .csv.gz or .parquet", path)])


def _problem(name: str, rule: str, value: str = "") -> Problem:
    path = ("world", "sentiment", name)
    return Problem("", ".".join(path), rule, value, about=(path,))
