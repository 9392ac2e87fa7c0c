"""What a sweep would do, before it does it."""

import math
from dataclasses import dataclass

from sim.configuration import Scenario
from sim.metrics import METRICS
from sim.sweeps.manifest import Manifest
from sim.sweeps.parts import YOUNG_PARTS
from sim.sweeps.pilot import run_seconds
from sim.sweeps.study import Study
from sim.sweeps.workers import BATCH_SECONDS

RAY_START_SECONDS = 8.0
ROW_BYTES, METRIC_BYTES, COPIES = 300, 9, 2
PART_BYTES = 28_000


@dataclass(frozen=True)
class Plan:
    """Size of a sweep.

    Attributes
    ----------
    points, seeds : int
    tasks : int
        Different runs that the sweep asks for; points of equal scenarios share theirs.
    stored : int
        Of these, done already.
    run_seconds : float
        Wall time of a run, from a pilot [s]; NaN when none was needed, or none came to its end.
    workers : int, optional
        Processes that would share the work; 0 when this one does it alone, None for all of a cluster.
    disk_bytes : int
        Size of the finished store, about.
    """

    points: int
    seeds: int
    tasks: int
    stored: int
    run_seconds: float
    workers: int | None
    disk_bytes: int

    @property
    def remaining(self) -> int:
        """Runs that are still to be done."""
        return self.tasks - self.stored

    @property
    def seconds(self) -> float:
        """Wall time that the sweep would still take, about [s]; NaN where nobody can tell."""
        if not self.remaining:
            return 0.0
        if self.workers is None:
            return math.nan
        work = self.remaining * self.run_seconds / max(1, self.workers)
        return work + (RAY_START_SECONDS if self.workers else 0.0)


def pilot_seconds(study: Study) -> float:
    """Mean wall time of a run at the first and at the last point [s]; NaN when both fail."""
    ends = dict.fromkeys((study.points[0].scenario, study.points[-1].scenario))
    times = [seconds for text in ends if (seconds := _seconds(text, study.seeds[0])) is not None]
    return sum(times) / len(times) if times else math.nan


def _seconds(scenario: str, seed: int) -> float | None:
    try:
        return run_seconds(Scenario.model_validate_json(scenario), seed)
    except Exception:  # noqa: BLE001 - the sweep itself makes a row of it
        return None


def worth_starting(work: float, workers: int) -> bool:
    """Whether Ray's start pays for itself.

    Parameters
    ----------
    work : float
        Sum of the wall time of all runs [s].
    workers : int
        Processes that would share it.
    """
    return work / workers + RAY_START_SECONDS < work


def disk_bytes(manifest: Manifest, tasks: int, work: float = 0.0) -> int:
    """Size of a finished store, about: its parts and its table of results.

    Parameters
    ----------
    manifest : Manifest
    tasks : int
    work : float
        Sum of the wall time of all runs [s]: about every second a part is written, until some are merged.
    """
    metrics = sum(len(manifest.markets) if metric.scope == "market" else 1 for metric in METRICS.values())
    parts = max(1, math.ceil(min(tasks, YOUNG_PARTS, work / BATCH_SECONDS)))
    return tasks * (ROW_BYTES + METRIC_BYTES * metrics) * COPIES + (parts + 1) * PART_BYTES
