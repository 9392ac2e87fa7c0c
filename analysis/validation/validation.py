"""A validation: replicas of a scenario, scored against real markets."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.validation.replicas import generates, simulate
from analysis.validation.score import scores
from analysis.validation.targets import fitting, targets
from sim.configuration import Scenario


@dataclass(frozen=True)
class Validation:
    """What came out.

    Attributes
    ----------
    scores : DataFrame
        A row for each target; see `scores`.
    replicas : DataFrame
        `seed`, `error` and a column for each statistic.
    """

    scores: pd.DataFrame
    replicas: pd.DataFrame

    @property
    def share_inside(self) -> float:
        """Share of the targets that lie inside the central 95 % of replicas [1]."""
        return float(self.scores["inside"].mean())

    @property
    def failures(self) -> list[str]:
        """A line for each replica that ended with an error."""
        failed = self.replicas.loc[self.replicas["error"] != "", ["seed", "error"]]
        return [f"seed {seed}: {error}" for seed, error in failed.itertuples(index=False)]


def validate(
    scenario: Scenario,
    replicas: int = 200,
    *,
    workers: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Validation:
    """Run replicas of a scenario and say where real markets fall among them.

    Prices that follow a historical path, or levels, cannot be drawn for years: their returns are not scored.

    Parameters
    ----------
    scenario : Scenario
    replicas : int
        Independent runs, with seeds from 1.
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; all processors by default.
    report : callable, optional
        Called with how many replicas are finished, and how many there will be.
    """
    spans = fitting(targets(), scenario.clock.duration)
    known = [target for target in spans if target.family == "markets" or generates(scenario)]
    wanted = [target for target in known if target.markets <= {name.lower() for name in scenario.markets}]
    found = simulate(scenario, range(1, replicas + 1), workers, report)
    return Validation(scores(found, wanted), found)
