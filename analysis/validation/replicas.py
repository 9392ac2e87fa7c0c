"""Replicas of a scenario: independent runs, each reduced to the statistics of its returns and its markets."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter

import numpy as np
import pandas as pd

from analysis.return_statistics import log_returns, return_statistics
from analysis.validation.market_statistics import market_statistics
from analysis.validation.targets import Target, targets
from sim.configuration import Scenario
from sim.prices.paths import fundamental_paths
from sim.prices.settings import Replay, Waypoints
from sim.provenance import resolved
from sim.run import run
from sim.sweeps.cluster import on_ray
from sim.sweeps.tasks import Row, Task
from sim.sweeps.workers import InProcess, Pace, Workers

STEP = 300
STEPS = {"5m": 1, "1h": 12, "4h": 48, "1d": 288, "1w": 2016}
Report = Callable[[int, int], None]


def generates(scenario: Scenario) -> bool:
    """Whether a scenario's prices can be drawn for any span, as a generator's can."""
    return not isinstance(scenario.world.prices, Waypoints | Replay)


def path_statistics(scenario: Scenario, seed: int, wanted: Sequence[Target]) -> dict[str, float]:
    """Statistics of a fundamental path in steps of five minutes, of samples as long as the real ones.

    Each target is computed from as long a sample, from the start of one path on, as its source had.
    """
    found: dict[str, float] = {}
    spans = {target.span for target in wanted if target.family == "returns"}
    clock = scenario.clock.model_copy(update={"duration": max(spans), "block": STEP})
    price = fundamental_paths(scenario.world.prices, clock, scenario.markets, seed).price
    for span in sorted(spans):
        sample = price[: span // STEP + 1]
        names = {target.name for target in wanted if target.span == span}
        horizons = {name.rsplit("_", 1)[1] for name in names}
        returns = {horizon: log_returns(sample, STEPS[horizon]) for horizon in STEPS if horizon in horizons}
        values = return_statistics(returns, scenario.markets)
        found |= {name: value for name, value in values.items() if name in names}
    return found


def execute_replica(task: Task, time_limit: float | None = None) -> Row:
    """One replica; an exception becomes a row, so that none is missing from the score."""
    start = perf_counter()
    try:
        scenario = Scenario.model_validate_json(task.scenario)
        result = run(scenario, task.seed)
        found: dict[str, float] = market_statistics(result.tables)
        if generates(scenario):
            found |= path_statistics(scenario, task.seed, targets())
    except Exception as error:  # noqa: BLE001 - a failed replica is counted, never a hole
        told = f"{type(error).__name__}: {error}"
        return Row(task.key, task.seed, "failed", told, seconds=perf_counter() - start)
    metrics = {name: value if np.isfinite(value) else None for name, value in found.items()}
    return Row(task.key, task.seed, "done", metrics=metrics, seconds=perf_counter() - start)


def simulate(
    scenario: Scenario, seeds: Sequence[int], workers: int | None = None, report: Report | None = None
) -> pd.DataFrame:
    """Run replicas.

    Parameters
    ----------
    scenario : Scenario
    seeds : sequence of int
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; all processors by default.
    report : callable, optional
        Called with how many are finished, and how many there will be.

    Returns
    -------
    DataFrame
        `seed`, `error` (empty for a replica that was finished) and a column for each statistic.
    """
    text = json.dumps(resolved(scenario), separators=(",", ":"), allow_nan=False)
    tasks = [Task(f"{seed}", text, seed) for seed in seeds]
    rows: list[Row] = []
    with ExitStack() as stack:
        hired = _hired(stack, workers)
        for batch in hired.rows(iter(tasks), Pace(len(tasks), 10.0)):
            rows += batch
            if report:
                report(len(rows), len(tasks))
    rows.sort(key=lambda row: row.seed)
    return pd.DataFrame([{"seed": row.seed, "error": row.error} | dict(row.metrics) for row in rows])


def _hired(stack: ExitStack, workers: int | None) -> Workers:
    if workers == 0:
        return InProcess(None, execute_replica)
    hired = stack.enter_context(on_ray(workers, None, None))
    hired.execute = execute_replica
    return hired
