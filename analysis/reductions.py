"""Runs that are reduced to numbers where they were made: on all processors, and none is lost."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from time import perf_counter

import numpy as np

from sim.configuration import Scenario
from sim.provenance import resolved
from sim.sweeps.cluster import on_ray
from sim.sweeps.tasks import Row, Task
from sim.sweeps.workers import Execute, InProcess, Pace, Workers

Report = Callable[[int, int], None]
Reduce = Callable[[str, Scenario, int], Mapping[str, float]]


def reduced(
    scenarios: Mapping[str, Scenario],
    seeds: Sequence[int],
    reduce: Reduce,
    workers: int | None = None,
    report: Report | None = None,
) -> list[Row]:
    """Reduce every scenario with every seed.

    Parameters
    ----------
    scenarios : mapping of str to Scenario
        By a name without a colon.
    seeds : sequence of int
    reduce : callable
        Numbers by name, from a scenario's name, the scenario and a seed; it must be picklable.
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; all processors by default.
    report : callable, optional
        Called with how many are finished, and how many there will be.

    Returns
    -------
    list of Row
        One for each scenario and seed, in that order, with the key `NAME:SEED`. An exception is a row with
        the status `failed`; numbers that are not finite are None.
    """
    texts = {
        name: json.dumps(resolved(scenario), separators=(",", ":"), allow_nan=False)
        for name, scenario in scenarios.items()
    }
    tasks = [Task(f"{name}:{seed}", text, seed) for name, text in texts.items() for seed in seeds]
    rows: dict[str, Row] = {}
    with ExitStack() as stack:
        hired = _hired(stack, workers, partial(execute, reduce=reduce))
        for batch in hired.rows(iter(tasks), Pace(len(tasks), 10.0)):
            rows |= {row.key: row for row in batch}
            if report:
                report(len(rows), len(tasks))
    return [rows[task.key] for task in tasks]


def execute(task: Task, time_limit: float | None = None, *, reduce: Reduce) -> Row:
    """Reduce one run; an exception becomes a row, so that none is missing."""
    start = perf_counter()
    try:
        found = reduce(scenario_of(task.key), Scenario.model_validate_json(task.scenario), task.seed)
    except Exception as error:  # noqa: BLE001 - a failed run is counted, never a hole
        told = f"{type(error).__name__}: {error}"
        return Row(task.key, task.seed, "failed", told, seconds=perf_counter() - start)
    metrics = {name: value if np.isfinite(value) else None for name, value in found.items()}
    return Row(task.key, task.seed, "done", metrics=metrics, seconds=perf_counter() - start)


def scenario_of(key: str) -> str:
    """Name of the scenario that a row is about."""
    return key.partition(":")[0]


def _hired(stack: ExitStack, workers: int | None, execute: Execute) -> Workers:
    if workers == 0:
        return InProcess(None, execute)
    hired = stack.enter_context(on_ray(workers, None, None))
    hired.execute = execute
    return hired
