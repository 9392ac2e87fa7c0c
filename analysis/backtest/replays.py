"""Replays: one scenario on the prices of each event, with many seeds, each run reduced to its course."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from analysis.backtest.course import course_of, hourly_course, numbers
from analysis.backtest.events import Event
from analysis.reductions import Report, reduced, scenario_of
from sim.configuration import Scenario
from sim.problems import ScenarioError
from sim.run import run
from sim.scenario import load_scenario

Courses = dict[str, dict[int, pd.DataFrame]]


def event_scenario(source: str, event: Event, data: Path, overrides: Sequence[str] = ()) -> Scenario:
    """A scenario at the time of an event, on its spot prices; all else is left as it is.

    Raises
    ------
    ScenarioError
        When the scenario cannot be run, or candles are missing or do not cover the event.
    """
    paths = {market: str(data / file) for market, file in event.candles.items()}
    prices = json.dumps({"kind": "replay", "path": paths})
    seconds = int((event.end - event.start).total_seconds())
    when = [f"clock.start={event.start.isoformat()}", f"clock.duration={seconds}s"]
    return load_scenario(source, [*overrides, *when, f"world.prices={prices}"])


def event_scenarios(
    source: str, events: Sequence[Event], data: Path, overrides: Sequence[str] = ()
) -> dict[str, Scenario]:
    """The scenario of every event by its name; a `ScenarioError` has the problems of all."""
    found, problems = {}, []
    for event in events:
        try:
            found[event.name] = event_scenario(source, event, data, overrides)
        except ScenarioError as error:
            problems += [replace(each, rule=f"{each.rule} (event {event.name})") for each in error.problems]
    if problems:
        raise ScenarioError(problems)
    return found


def reduce_replay(
    name: str, scenario: Scenario, seed: int, *, markets: Mapping[str, str]
) -> dict[str, float]:
    """The course of one run, in numbers; `markets` says which market of each event is looked at."""
    return numbers(hourly_course(run(scenario, seed).tables, markets[name]))


def replay(
    scenarios: Mapping[str, Scenario],
    markets: Mapping[str, str],
    seeds: Sequence[int],
    workers: int | None = None,
    report: Report | None = None,
) -> tuple[Courses, list[str]]:
    """Run every event with every seed; see `reduced` for the other arguments.

    Parameters
    ----------
    markets : mapping of str to str
        The one that is looked at, by event.

    Returns
    -------
    courses : dict of str to dict of int to DataFrame
        Course of every finished run, by event and seed.
    failures : list of str
        A line for each run that ended with an error.
    """
    rows = reduced(scenarios, seeds, partial(reduce_replay, markets=markets), workers, report)
    courses: Courses = {name: {} for name in scenarios}
    for row in rows:
        if row.status == "done":
            courses[scenario_of(row.key)][row.seed] = course_of(row.metrics)
    return courses, [f"{row.key}  {row.error}" for row in rows if row.status != "done"]
