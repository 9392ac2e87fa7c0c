"""The store of a sweep: what is known, what is missing, and the table of results at the end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sim.problems import Problem, ScenarioError
from sim.sources import digest
from sim.sweeps.manifest import NAME, Manifest, read_manifest, strangeness
from sim.sweeps.parts import FOLDER, Parts
from sim.sweeps.place import Place
from sim.sweeps.results import RESULTS, metric_entries, write_results
from sim.sweeps.tasks import Row

SWEEP = "sweep.yaml"
LOCK = ".lock"
SHOWN = 12


@dataclass
class Store:
    """A sweep on disk, open for writing.

    Attributes
    ----------
    place : Place
    manifest : Manifest
        Of the sweep that is being run; a store of the same scenario and code grows by its points and seeds.
    parts : Parts
    statuses : dict of str to str
        Status of every stored task by its key.
    damaged : dict of str to str
        What was wrong with parts that could not be read when the store was opened; they lie in `damaged`
        now, and their runs are missing.
    """

    place: Place
    manifest: Manifest
    parts: Parts
    statuses: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    lock: IO[str] | None = None

    @classmethod
    def open(cls, place: Place, manifest: Manifest, text: str) -> "Store":
        """Open a store, or make one; what it holds already must come from the same scenario and code.

        Raises
        ------
        ScenarioError
            When the place holds something else, a store of another scenario or code, or a sweep that is
            still running.
        """
        admit(place, manifest)
        store = cls(place, manifest, Parts.of(place), lock=_locked(place))
        try:
            admit(place, manifest)
            store._prepare(text)
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, text: str) -> None:
        """Write down what is about to be run, and find out what is there already."""
        self.place.delete(RESULTS)
        self.place.write(NAME, self.manifest.text())
        self.place.write(SWEEP, text.encode())
        self.place.sweep_up()
        self.place.sweep_up(FOLDER)
        self.parts = Parts.of(self.place)
        self.statuses, self.damaged = self.parts.check()
        for name in self.damaged:
            self.parts.set_aside(name)

    def done(self, key: str) -> bool:
        """Whether a task need not be run again."""
        return self.statuses.get(key) == "done"

    def add(self, rows: Sequence[Row]) -> None:
        """Store rows, at once and for good."""
        self.parts.add(rows)
        self.statuses |= {row.key: row.status for row in rows}

    def widen(self, seeds: Sequence[int]) -> None:
        """Go on with more seeds."""
        self.manifest = self.manifest.model_copy(update={"seeds": list(seeds)})
        self.place.write(NAME, self.manifest.text())

    def values(self, metric: str) -> list[NDArray[np.float64]]:
        """A metric's values over the seeds, one array for each point; NaN where a run has none."""
        known = self.parts.values(metric)
        values = [known.get(key, math.nan) for _, _, key in self.manifest.tasks()]
        return list(np.reshape(values, (len(self.manifest.points), len(self.manifest.seeds))))

    def finish(self) -> None:
        """Write the table of results and what its columns mean; the same results give the same bytes."""
        metrics = write_results(self.place, self.manifest, self.parts)
        described = metric_entries(metrics, self.manifest.markets)
        written = {"metrics": described, "results": digest(self.place.read(RESULTS))}
        self.manifest = self.manifest.model_copy(update=written)
        self.place.write(NAME, self.manifest.text())

    def close(self) -> None:
        """Let go of the store."""
        if self.lock:
            self.lock.close()


def admit(place: Place, manifest: Manifest) -> None:
    """Make sure that a sweep may be stored at a place.

    Raises
    ------
    ScenarioError
        When the place holds something else, or results of another scenario or code.
    """
    if place.exists(NAME):
        stored = read_manifest(place.read(NAME), str(place))
        strange = strangeness(stored, manifest)
        if strange:
            more = [f"and {len(strange) - SHOWN} more"] if len(strange) > SHOWN else []
            rule = "results of different code or scenarios are never mixed; choose another --out"
            raise ScenarioError(Problem(str(place), "", rule, line) for line in [*strange[:SHOWN], *more])
    elif not place.empty() and not place.exists(SWEEP):
        raise ScenarioError([Problem(str(place), "", "--out must be a new or empty folder, or hold a sweep")])


def _locked(place: Place) -> IO[str] | None:
    """Lock of a local store, which the kernel releases even when the process is killed."""
    if place.local is None:
        return None
    import fcntl

    place.local.mkdir(parents=True, exist_ok=True)
    lock = (place.local / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ScenarioError([Problem(str(place), "", "another sweep is writing here; wait for it")]) from None
    return lock
