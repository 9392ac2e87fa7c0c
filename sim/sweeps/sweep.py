"""A sweep: what is missing in a store is run, stored as it comes, and put together at the end."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

from sim.sweeps.cluster import on_ray
from sim.sweeps.manifest import describe_sweep
from sim.sweeps.parts import Parts
from sim.sweeps.place import Place
from sim.sweeps.plan import Plan, disk_bytes, pilot_seconds, worth_starting
from sim.sweeps.precision import half_width, seeds_wanted
from sim.sweeps.results import SweepResults, load_sweep
from sim.sweeps.revision import code_revision
from sim.sweeps.store import Store, admit
from sim.sweeps.study import Study, load_study
from sim.sweeps.tasks import Row, Task, task_key
from sim.sweeps.workers import InProcess, Pace, Workers


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep has come.

    Attributes
    ----------
    done, failed, total : int
        Runs stored as done, stored as anything else, and asked for.
    rate : float
        Runs per second since the work began.
    seconds_left : float
        About, at that rate.
    workers : int
        Processes at work; 0 when it is this one.
    phase : str
        What is going on, in words.
    """

    done: int
    failed: int
    total: int
    rate: float
    seconds_left: float
    workers: int
    phase: str


Report = Callable[[SweepProgress], None]


@dataclass(frozen=True)
class Means:
    """What a sweep may use.

    Attributes
    ----------
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; None lets a pilot decide.
    address : str, optional
        Of a running Ray cluster.
    """

    workers: int | None = None
    address: str | None = None

    def chosen(self, work: float) -> int | None:
        """Number of workers for so many seconds of work; 0 for this process, None for a whole cluster."""
        if self.workers is not None or self.address is not None:
            return self.workers
        processors = len(os.sched_getaffinity(0))
        return processors if worth_starting(work, processors) else 0


def sweep(
    source: str | Path | Mapping[str, Any],
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    workers: int | None = None,
    address: str | None = None,
    report: Report | None = None,
) -> SweepResults:
    """Run what a store lacks of a sweep.

    Parameters
    ----------
    source : str, Path or mapping
        Sweep file, name of a bundled sweep, or the content of such a file.
    out : str or Path
        Store: a folder, or a URL that pyarrow or fsspec can write. May hold an unfinished sweep of the
        same scenario and code, which is then completed and extended.
    overrides : sequence of str
        Settings laid over the scenario, as `clock.block=30s`.
    workers : int, optional
        Processes on Ray; 0 runs everything in this process; by default a pilot decides.
    address : str, optional
        Of a running Ray cluster.
    report : callable, optional
        Called with a `SweepProgress` now and then.

    Returns
    -------
    SweepResults
        The same bytes for the same file, however many workers there were.

    Raises
    ------
    ScenarioError
        Listing what is wrong with the sweep file, a scenario or the store.
    ClusterError
        When the cluster cannot run the tasks.
    OSError
        When the store cannot be written; what it holds stays valid.
    """
    study = load_study(source, overrides)
    manifest = describe_sweep(study, code_revision(), study.seeds)
    store = Store.open(Place(out), manifest, study.text)
    try:
        Sweep(study, store, Means(workers, address), report).run()
    finally:
        store.close()
    return load_sweep(out)


def plan(
    source: str | Path | Mapping[str, Any],
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Plan:
    """What `sweep` would do with the same arguments; nothing is written."""
    study = load_study(source, overrides)
    manifest = describe_sweep(study, code_revision(), study.seeds)
    place = Place(out)
    admit(place, manifest)
    statuses, _ = Parts.of(place).check()
    keys = {key for _, _, key in manifest.tasks()}
    stored = sum(statuses.get(key) == "done" for key in keys)
    seconds = pilot_seconds(study) if stored < len(keys) else math.nan
    chosen = Means(workers, address).chosen((len(keys) - stored) * seconds)
    return Plan(
        points=len(study.points),
        seeds=len(study.seeds),
        tasks=len(keys),
        stored=stored,
        run_seconds=seconds,
        workers=chosen,
        disk_bytes=disk_bytes(manifest, len(keys), 0.0 if math.isnan(seconds) else seconds * len(keys)),
    )


class Sweep:
    """A sweep in progress.

    Parameters
    ----------
    study : Study
    store : Store
        Open for writing.
    means : Means
    report : callable, optional
    """

    def __init__(self, study: Study, store: Store, means: Means, report: Report | None) -> None:
        self.study = study
        self.store = store
        self.means = means
        self.report = report
        self.limit = study.settings.time_limit
        self.workers: Workers | None = None
        self.pace = Pace(0, 0.0)
        self.tried: set[str] = set()
        self.total = self.done = self.failed = 0
        self.began = perf_counter()

    def run(self) -> None:
        """Run what is missing, with more seeds until intervals are narrow enough; then finish the store."""
        for name, wrong in self.store.damaged.items():
            self._tell(f"part {name} is damaged ({wrong}); its runs are done again")
        with ExitStack() as stack:
            while True:
                self._round(stack)
                seeds = self._seeds_wanted()
                if seeds == len(self.store.manifest.seeds):
                    break
                self.store.widen(range(1, seeds + 1))
        self._tell("writing results")
        self.store.finish()

    def missing(self) -> Iterator[Task]:
        """Tasks without a result, each once, seed by seed, so that an unfinished sweep can be compared."""
        for key, point, seed in self._asked():
            if not self.store.done(key) and key not in self.tried:
                yield Task(key, self.study.points[point].scenario, seed)

    def _asked(self) -> Iterator[tuple[str, int, int]]:
        """Key, point and seed of every different task."""
        manifest, known = self.store.manifest, set()
        for seed, entry in product(manifest.seeds, manifest.points):
            key = task_key(manifest.code.revision, entry.scenario, seed)
            if key not in known:
                known.add(key)
                yield key, entry.point, seed

    def _handed_out(self) -> Iterator[Task]:
        for task in self.missing():
            self.tried.add(task.key)
            yield task

    def _round(self, stack: ExitStack) -> None:
        """Run all tasks that are missing now."""
        missing = sum(1 for _ in self.missing())
        self.total = sum(1 for _ in self._asked())
        self.done = self.total - missing - self.failed
        if not missing:
            return
        if self.workers is None:
            self.workers = self._hired(stack, missing)
            self.began = perf_counter()
        self._tell("running")
        self.pace.remaining = missing
        for rows in self.workers.rows(self._handed_out(), self.pace):
            self.store.add(rows)
            self._count(rows)
            self._tell("running")

    def _hired(self, stack: ExitStack, missing: int) -> Workers:
        """Workers for so many tasks; a pilot says whether Ray's start pays, and what makes a batch."""
        if self.means.workers == 0:
            return InProcess(self.limit)
        self._tell("timing a run (a first one compiles its kernels)")
        pilot = pilot_seconds(self.study)
        self.pace = Pace(missing, pilot)
        chosen = self.means.chosen(missing * pilot)
        if chosen == 0:
            return InProcess(self.limit)
        self._tell("starting Ray")
        return stack.enter_context(on_ray(chosen, self.means.address, self.limit))

    def _count(self, rows: Sequence[Row]) -> None:
        failed = sum(row.status != "done" for row in rows)
        self.failed += failed
        self.done += len(rows) - failed

    def _tell(self, phase: str) -> None:
        if self.report is None:
            return
        rate = self.pace.runs / (perf_counter() - self.began)
        left = self.total - self.done - self.failed
        seconds = left / rate if rate else math.nan
        workers = getattr(self.workers, "count", 0) if not isinstance(self.workers, InProcess) else 0
        self.report(SweepProgress(self.done, self.failed, self.total, rate, seconds, workers, phase))

    def _seeds_wanted(self) -> int:
        """Number of seeds that the sweep needs now that these results are known."""
        rule, manifest = self.study.settings.replicates, self.store.manifest
        if rule is None:
            return len(manifest.seeds)
        widths = [half_width(values, rule.level) for values in self.store.values(rule.metric)]
        return seeds_wanted(widths, len(manifest.seeds), rule.until, rule.max)
