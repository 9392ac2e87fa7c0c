"""Replays: one scenario on the prices of each event, with many seeds, each run reduced to its course."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from analysis.backtest.course import course_of, hourly_course, numbers
from analysis.backtest.events import Event
from sim.configuration import Scenario
from sim.problems import ScenarioError
from sim.provenance import resolved
from sim.run import run
from sim.scenario import load_scenario
from sim.sweeps.cluster import on_ray
from sim.sweeps.tasks import Row, Task
from sim.sweeps.workers import Execute, InProcess, Pace, Workers

Report = Callable[[int, int], None]
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


def execute_replay(task: Task, time_limit: float | None = None, *, markets: Mapping[str, str]) -> Row:
    """One replay; an exception becomes a row, so that none is missing.

    `markets` says which market of each event is looked at.
    """
    start = perf_counter()
    try:
        result = run(Scenario.model_validate_json(task.scenario), task.seed)
        course = hourly_course(result.tables, markets[_event(task.key)])
    except Exception as error:  # noqa: BLE001 - a failed replay is counted, never a hole
        told = f"{type(error).__name__}: {error}"
        return Row(task.key, task.seed, "failed", told, seconds=perf_counter() - start)
    found = {name: value if np.isfinite(value) else None for name, value in numbers(course).items()}
    return Row(task.key, task.seed, "done", metrics=found, seconds=perf_counter() - start)


def _event(key: str) -> str:
    return key.partition(":")[0]


def replay(
    scenarios: Mapping[str, Scenario],
    markets: Mapping[str, str],
    seeds: Sequence[int],
    workers: int | None = None,
    report: Report | None = None,
) -> tuple[Courses, list[str]]:
    """Run every event with every seed.

    Parameters
    ----------
    scenarios : mapping of str to Scenario
        By event.
    markets : mapping of str to str
        The one that is looked at, by event.
    seeds : sequence of int
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; all processors by default.
    report : callable, optional
        Called with how many runs are finished, and how many there will be.

    Returns
    -------
    courses : dict of str to dict of int to DataFrame
        Course of every finished run, by event and seed.
    failures : list of str
        A line for each run that ended with an error.
    """
    texts = {
        name: json.dumps(resolved(scenario), separators=(",", ":"), allow_nan=False)
        for name, scenario in scenarios.items()
    }
    tasks = [Task(f"{name}:{seed}", text, seed) for name, text in texts.items() for seed in seeds]
    rows: list[Row] = []
    with ExitStack() as stack:
        hired = _hired(stack, workers, partial(execute_replay, markets=markets))
        for batch in hired.rows(iter(tasks), Pace(len(tasks), 10.0)):
            rows += batch
            if report:
                report(len(rows), len(tasks))
    courses: Courses = {name: {} for name in scenarios}
    for row in sorted(rows, key=lambda row: row.seed):
        if row.status == "done":
            courses[_event(row.key)][row.seed] = course_of(row.metrics)
    return courses, [f"{row.key}  {row.error}" for row in rows if row.status != "done"]


def _hired(stack: ExitStack, workers: int | None, execute: Execute) -> Workers:
    if workers == 0:
        return InProcess(None, execute)
    hired = stack.enter_context(on_ray(workers, None, None))
    hired.execute = execute
    return hired
