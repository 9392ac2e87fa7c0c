"""Replicas of a scenario: independent runs, each reduced to the statistics of its returns and its markets."""

from collections.abc import Sequence

import pandas as pd

from analysis.reductions import Report, reduced
from analysis.return_statistics import log_returns, return_statistics
from analysis.validation.market_statistics import market_statistics
from analysis.validation.targets import Target, targets
from sim.configuration import Scenario
from sim.prices.paths import fundamental_paths
from sim.prices.settings import Replay, Waypoints
from sim.run import run

STEP = 300
STEPS = {"5m": 1, "1h": 12, "4h": 48, "1d": 288, "1w": 2016}


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


def reduce_replica(name: str, scenario: Scenario, seed: int) -> dict[str, float]:
    """Every statistic of one replica."""
    found = market_statistics(run(scenario, seed).tables)
    return found | (path_statistics(scenario, seed, targets()) if generates(scenario) else {})


def simulate(
    scenario: Scenario, seeds: Sequence[int], workers: int | None = None, report: Report | None = None
) -> pd.DataFrame:
    """Run replicas; see `reduced` for the arguments.

    Returns
    -------
    DataFrame
        `seed`, `error` (empty for a replica that was finished) and a column for each statistic.
    """
    rows = reduced({scenario.name: scenario}, seeds, reduce_replica, workers, report)
    return pd.DataFrame([{"seed": row.seed, "error": row.error} | dict(row.metrics) for row in rows])
