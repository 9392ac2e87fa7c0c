"""A backtest: one population on the prices of several real events, held against what really happened."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.backtest.events import FILE, Event, read_events
from analysis.backtest.figures import FIGURES
from analysis.backtest.real_course import real_course
from analysis.backtest.replays import Courses, event_scenarios, replay
from sim.configuration import Scenario

CENTRAL = 0.95


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes
    ----------
    events : tuple of Event
    scenarios : mapping of str to Scenario
        By event; only the clock and the prices differ.
    real : mapping of str to DataFrame
        What really happened hour by hour, by event; see `real_course`.
    """

    events: tuple[Event, ...]
    scenarios: Mapping[str, Scenario]
    real: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Backtest:
    """What came out.

    Attributes
    ----------
    plan : Plan
    errors : DataFrame
        A row for each figure of each event; see `errors`.
    runs : DataFrame
        `event`, `figure`, `start`, `end`, `seed` and `value`, a row for each figure of each run.
    courses : dict of str to dict of int to DataFrame
        Every run hour by hour, by event and seed.
    failures : list of str
        A line for each run that ended with an error.
    """

    plan: Plan
    errors: pd.DataFrame
    runs: pd.DataFrame
    courses: Courses
    failures: list[str]


def plan_backtest(
    source: str, data: str | Path, overrides: Sequence[str] = (), events: str | Path = FILE
) -> Plan:
    """The scenario of every event, checked.

    Parameters
    ----------
    source : str
        Scenario file or bundled name.
    data : str or Path
        Folder of the candle files that events name.
    overrides : sequence of str
        Settings laid over the scenario, the same for all events.
    events : str or Path
        File of events; those that come with Seawall by default.

    Raises
    ------
    ScenarioError
        Listing every problem of the events, the scenario and the candles.
    """
    wanted = read_events(Path(events))
    scenarios = event_scenarios(source, wanted, Path(data), overrides)
    return Plan(wanted, scenarios, {event.name: real_course(event, Path(data)) for event in wanted})


def backtest(
    plan: Plan,
    seeds: int = 8,
    *,
    workers: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Run every event and compare figures.

    Parameters
    ----------
    plan : Plan
    seeds : int
        Runs of each event, with seeds from 1.
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; all processors by default.
    report : callable, optional
        Called with how many runs are finished, and how many there will be.
    """
    markets = {event.name: event.market for event in plan.events}
    courses, failures = replay(plan.scenarios, markets, range(1, seeds + 1), workers, report)
    runs = run_figures(plan.events, courses)
    return Backtest(plan, errors(plan.events, runs), runs, courses, failures)


def run_figures(events: Iterable[Event], courses: Courses) -> pd.DataFrame:
    """Every figure of every run, in long form."""
    rows = []
    for event in events:
        for wanted in event.figures:
            start, end = (pd.Timestamp(moment) for moment in event.span(wanted))
            where = {"event": event.name, "figure": wanted.figure, "start": start, "end": end}
            value = FIGURES[wanted.figure].value
            rows += [
                where | {"seed": seed, "value": value(course, start, end)}
                for seed, course in courses[event.name].items()
            ]
    return pd.DataFrame(rows, columns=["event", "figure", "start", "end", "seed", "value"])


def errors(events: Iterable[Event], runs: pd.DataFrame) -> pd.DataFrame:
    """How far runs are from what really happened.

    Returns
    -------
    DataFrame
        `event`, `figure`, `unit`, `start`, `end`, `real` (NaN where it is not known), `median`, `low` and
        `high` (the central 95 % of runs), `difference` of median and real, their `ratio`, `inside`
        ("yes", "no", or empty without a real figure), `runs` (how many had a value) and `source`.
    """
    rows = []
    for event in events:
        for wanted in event.figures:
            start, end = (pd.Timestamp(moment) for moment in event.span(wanted))
            same = (runs["event"] == event.name) & (runs["figure"] == wanted.figure)
            values = runs.loc[same & (runs["start"] == start) & (runs["end"] == end), "value"].dropna()
            real = np.nan if wanted.real is None else wanted.real
            where = {"event": event.name, "figure": wanted.figure, "unit": FIGURES[wanted.figure].unit}
            row = where | {"start": start, "end": end, "real": real} | _compared(values, real)
            rows.append(row | {"runs": len(values), "source": wanted.source})
    return pd.DataFrame(rows)


def _compared(values: pd.Series, real: float) -> dict[str, object]:
    if values.empty:
        return dict.fromkeys(("median", "low", "high", "difference", "ratio"), np.nan) | {"inside": ""}
    low, median, high = values.quantile([(1 - CENTRAL) / 2, 0.5, (1 + CENTRAL) / 2])
    inside = "" if np.isnan(real) else "yes" if low <= real <= high else "no"
    ratio = median / real if real else np.nan
    numbers = {"median": median, "low": low, "high": high}
    return numbers | {"difference": median - real, "ratio": ratio, "inside": inside}
