"""Candle files of several markets as closes on regular grids, one for each length of bar."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.return_statistics import SECONDS, log_returns
from sim.prices.candles import bar_seconds, read_candles
from sim.problems import Problem, ScenarioError

Floats = NDArray[np.float64]

LEAST = 50


class Sample(NamedTuple):
    """Closes of all markets at one length of bar.

    Attributes
    ----------
    seconds : int
        Length of a bar [s].
    times : (n,) DatetimeIndex
        When each bar opens (UTC).
    closes : (n, m) float64
        Last price of each bar [USD]; NaN where a bar is missing.
    """

    seconds: int
    times: pd.DatetimeIndex
    closes: Floats

    @property
    def returns(self) -> Floats:
        """Log returns from close to close, (n - 1, m); NaN beside a gap."""
        return log_returns(self.closes)


class Samples(NamedTuple):
    """What a generator is fitted to.

    Attributes
    ----------
    markets : tuple of str, length m
    by_length : tuple of Sample
        The shortest bars first; every length is a multiple of the first.
    files : mapping of str to tuple of Path
        Candle files of each market.
    """

    markets: tuple[str, ...]
    by_length: tuple[Sample, ...]
    files: Mapping[str, tuple[Path, ...]]

    @property
    def longest(self) -> Sample:
        """The sample that covers the longest span."""
        return max(self.by_length, key=lambda sample: sample.seconds * len(sample.closes))


def read_samples(arguments: Sequence[str]) -> Samples:
    """Candle files given as `PATH` or `NAME=PATH`.

    Parameters
    ----------
    arguments : sequence of str
        Without a name the market is the first word of the file's name, in capitals: `btc_usdt_1h.csv`
        holds BTC. Files of one market and length of bar are joined; where they overlap, the first counts.

    Raises
    ------
    ScenarioError
        If a file is broken, a market lacks a length of bar, or lengths are no multiples of the shortest.
    """
    files: dict[str, list[Path]] = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        market = name if equals else re.split(r"[^A-Za-z0-9]", Path(argument).name)[0].upper()
        files.setdefault(market, []).append(Path(path if equals else argument))
    columns = {market: _by_length(paths) for market, paths in files.items()}
    lengths = sorted({length for column in columns.values() for length in column})
    _refuse_unequal(columns, lengths)
    samples = [
        _sample({market: column[length] for market, column in columns.items()}, length) for length in lengths
    ]
    return Samples(tuple(files), tuple(samples), {market: tuple(paths) for market, paths in files.items()})


def _by_length(paths: Iterable[Path]) -> dict[int, "pd.Series[float]"]:
    """Closes of one market by length of bar."""
    found: dict[int, pd.Series[float]] = {}
    for path in paths:
        frame = read_candles(path)
        length = bar_seconds(frame)
        if length == 0:
            raise ScenarioError([Problem(str(path), "", "a candle file must hold at least two bars", "1")])
        closes = frame.set_index("date")["close"]
        found[length] = closes.combine_first(found[length]) if length in found else closes
    return found


def _refuse_unequal(columns: Mapping[str, Mapping[int, object]], lengths: Sequence[int]) -> None:
    problems = [
        Problem(market, "", f"bars of {length} s must be given, as they are for another market")
        for market, column in columns.items()
        for length in lengths
        if length not in column
    ]
    problems += [
        Problem("", "", f"bars must be multiples of the shortest, {lengths[0]} s", f"{length} s")
        for length in lengths
        if length % lengths[0]
    ]
    if problems:
        raise ScenarioError(problems)


def _sample(columns: Mapping[str, "pd.Series[float]"], length: int) -> Sample:
    joined = pd.concat(columns, axis=1, sort=True)
    shared = joined.dropna()
    if len(shared) < LEAST:
        rule = f"at least {LEAST} bars of {length} s must be common to all markets"
        raise ScenarioError([Problem("", "", rule, f"{len(shared)}")])
    times = pd.date_range(shared.index[0], shared.index[-1], freq=pd.Timedelta(seconds=length))
    return Sample(length, times, joined.reindex(times).to_numpy(np.float64))


def horizon_returns(samples: Samples, closes: Sequence[Floats]) -> dict[str, Floats]:
    """Log returns at each horizon for which there are bars.

    Parameters
    ----------
    samples : Samples
    closes : sequence of (n, m) ndarray
        In place of those of the samples, as those of a replica.

    Returns
    -------
    dict of str to (k, m) ndarray
        Each horizon from the sample with the longest span whose bars divide it.
    """
    found = {}
    for horizon, seconds in SECONDS.items():
        fitting = [i for i, sample in enumerate(samples.by_length) if seconds % sample.seconds == 0]
        if not fitting:
            continue
        chosen = max(fitting, key=lambda i: samples.by_length[i].seconds * len(samples.by_length[i].closes))
        returns = log_returns(closes[chosen], seconds // samples.by_length[chosen].seconds)
        if len(returns) >= LEAST:
            found[horizon] = returns
    return found
