"""How tasks are run: the pace of a sweep, and the plainest way, one after another in this process."""

import gc
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from sim.sweeps.tasks import Row, Task, execute

BATCH_SECONDS = 1.0
AHEAD = 2

Execute = Callable[[Task, float | None], Row]


@dataclass
class Pace:
    """How long runs take, and so how many make a batch.

    Attributes
    ----------
    remaining : int
        Tasks that were not handed out yet.
    pilot : float
        Wall time of a run as a pilot found it [s]; NaN when it did not come to its end.
    seconds : float
        Sum of the wall time of all runs so far.
    runs : int
        Number of these runs.
    """

    remaining: int
    pilot: float
    seconds: float = 0.0
    runs: int = 0

    def batch(self, workers: int) -> int:
        """Number of tasks worth a second of work, fewer near the end so that all workers finish together."""
        pilot = BATCH_SECONDS if math.isnan(self.pilot) else self.pilot
        mean = (pilot + self.seconds) / (1 + self.runs)
        worth = round(BATCH_SECONDS / max(mean, 1e-6))
        return max(1, min(worth, math.ceil(self.remaining / (AHEAD * workers))))

    def learn(self, rows: Iterable[Row]) -> None:
        """Take the time of finished runs into account."""
        for row in rows:
            self.seconds += row.seconds
            self.runs += 1


def executed(tasks: Iterable[Task], time_limit: float | None, execute: Execute) -> Iterator[Row]:
    """Rows of tasks, one after another; what a run leaves in cycles is freed before the next one.

    Notes
    -----
    Left to itself, the collector lets finished models pile up for dozens of runs, which fragments the heap
    by some 0.7 MB a run. What stays in memory is none of its business here, such as modules that the first
    run has imported: without it, collecting takes a fifth of a millisecond.
    """
    gc.freeze()
    try:
        for task in tasks:
            yield execute(task, time_limit)
            gc.collect()
            gc.freeze()
    finally:
        gc.unfreeze()


class Workers(Protocol):
    """Whatever runs tasks."""

    count: int

    def rows(self, tasks: Iterator[Task], pace: Pace) -> Iterator[list[Row]]:
        """Rows of all tasks, some at a time, in the order in which they are ready."""


@dataclass
class InProcess:
    """Runs tasks one after another in this process.

    Attributes
    ----------
    time_limit : float, optional
        Wall time that a run may take [s].
    """

    time_limit: float | None = None
    execute: Execute = execute
    count: int = 1

    def rows(self, tasks: Iterator[Task], pace: Pace) -> Iterator[list[Row]]:
        """Rows of about a second of work at a time; those that are ready come before an interrupt."""
        rows: list[Row] = []
        since = perf_counter()
        try:
            for row in executed(tasks, self.time_limit, self.execute):
                rows.append(row)
                pace.learn([row])
                if perf_counter() - since > BATCH_SECONDS:
                    yield rows
                    rows, since = [], perf_counter()
        except KeyboardInterrupt:
            if rows:
                yield rows
            raise
        if rows:
            yield rows
