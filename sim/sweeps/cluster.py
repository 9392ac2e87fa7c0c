"""Tasks on Ray: in batches, bounded in flight, with the tasks of a dead worker run again."""

import os
import shutil
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any

from sim.sweeps.revision import code_revision
from sim.sweeps.tasks import Row, Status, Task, execute
from sim.sweeps.workers import AHEAD, Execute, Pace, executed

ATTEMPTS = 3
GRACE_SECONDS = 30.0
STORE_BYTES = 100 * 2**20
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what makes every process of Ray listen on loopback only
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class ClusterError(Exception):
    """The cluster cannot do what a sweep asks of it; says why."""


@dataclass
class Batch:
    """Tasks that went to a worker together."""

    tasks: list[Task]
    start: float = field(default_factory=perf_counter)
    overdue: bool = False


@dataclass
class OnRay:
    """Runs tasks on the Ray cluster that this process is connected to.

    A worker that dies takes its batch along: the tasks are run again one by one, and one that was lost
    `ATTEMPTS` times is recorded as such.

    Attributes
    ----------
    count : int
        Workers.
    time_limit : float, optional
        Wall time that a run may take [s]; a worker that does not even notice is killed.
    attempts : dict of str to int
        How often tasks were started in vain, by key.
    """

    count: int
    time_limit: float | None = None
    execute: Execute = execute
    attempts: dict[str, int] = field(default_factory=dict)

    def rows(self, tasks: Iterator[Task], pace: Pace) -> Iterator[list[Row]]:
        """Rows of all tasks, some at a time, in the order in which they are ready."""
        import ray

        remote = ray.remote(num_cpus=1, max_retries=0)(run_batch)
        flying: dict[Any, Batch] = {}
        again: deque[Task] = deque()
        try:
            while True:
                while len(flying) < AHEAD * self.count and (batch := self._next(tasks, again, pace)):
                    reference = remote.remote(batch, self.time_limit, code_revision().revision, self.execute)
                    flying[reference] = Batch(batch)
                if not flying:
                    return
                rows = self._landed(flying, again)
                pace.learn(rows)
                if rows:
                    yield rows
                self._stop_overdue(flying)
        finally:
            for reference in flying:
                ray.cancel(reference, force=True)

    def _next(self, tasks: Iterator[Task], again: deque[Task], pace: Pace) -> list[Task]:
        if again:
            return [again.popleft()]
        batch = list(islice(tasks, pace.batch(self.count)))
        pace.remaining -= len(batch)
        return batch

    def _landed(self, flying: dict[Any, Batch], again: deque[Task]) -> list[Row]:
        """Rows of all batches that are ready, after waiting a second at most for the first."""
        import ray

        ray.wait(list(flying), num_returns=1, timeout=1.0)
        ready, _ = ray.wait(list(flying), num_returns=len(flying), timeout=0)
        return [row for reference in ready for row in self._outcome(reference, flying.pop(reference), again)]

    def _outcome(self, reference: Any, batch: Batch, again: deque[Task]) -> list[Row]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            rows: list[Row] = ray.get(reference)
        except RayTaskError as error:
            raise ClusterError(f"a worker cannot run tasks: {error.cause}") from error
        except RayError as error:
            return self._bereaved(batch, error, again)
        return [self._counted(row) for row in rows]

    def _counted(self, row: Row) -> Row:
        failures = self.attempts.pop(row.key, 0)
        return Row(**{**vars(row), "attempts": row.attempts + failures}) if failures else row

    def _bereaved(self, batch: Batch, error: Exception, again: deque[Task]) -> list[Row]:
        """Have the tasks of a dead worker run again; rows of those that are given up."""
        rows = []
        for task in batch.tasks:
            self.attempts[task.key] = self.attempts.get(task.key, 0) + 1
            alone = len(batch.tasks) == 1
            if alone and batch.overdue:
                rows.append(self._given_up(task, "timeout", f"a run may take at most {self.time_limit:g} s"))
            elif alone and self.attempts[task.key] >= ATTEMPTS:
                rows.append(self._given_up(task, "lost", f"its worker died: {_first_line(error)}"))
            else:
                again.append(task)
        return rows

    def _given_up(self, task: Task, status: Status, error: str) -> Row:
        return Row(task.key, task.seed, status, error, attempts=self.attempts.pop(task.key))

    def _stop_overdue(self, flying: dict[Any, Batch]) -> None:
        """Kill workers whose runs do not stop by themselves when their time is over."""
        import ray

        if self.time_limit is None:
            return
        longest = max((len(batch.tasks) for batch in flying.values()), default=0)
        allowed = self.time_limit * AHEAD * longest + GRACE_SECONDS
        for reference, batch in flying.items():
            if not batch.overdue and perf_counter() - batch.start > allowed:
                batch.overdue = True
                ray.cancel(reference, force=True)


def run_batch(tasks: list[Task], time_limit: float | None, revision: str, execute: Execute) -> list[Row]:
    """Run tasks in a worker, whose code must be the driver's."""
    here = code_revision().revision
    if here != revision:
        raise ClusterError(
            f"every node must have the driver's code, {revision}; {os.uname().nodename} has {here}"
        )
    return list(executed(tasks, time_limit, execute))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextmanager
def on_ray(workers: int | None, address: str | None, time_limit: float | None) -> Iterator[OnRay]:
    """Workers on Ray: of the cluster at an address, of the one that is connected already, or of a new one.

    A new one listens on loopback only, without dashboard and usage reports, and is gone at the end.

    Parameters
    ----------
    workers : int, optional
        How many; all processors when not given.
    address : str, optional
        As Ray writes it: `auto`, `host:port` or `ray://host:port`.
    time_limit : float, optional
        Wall time that a run may take [s].

    Raises
    ------
    ClusterError
        When there is no cluster at the address.
    """
    ray = _ray(address)
    folder, connected = "", ray.is_initialized()
    try:
        with _own_signals():
            if not connected and address:
                _connect(ray, address)
            elif not connected:
                folder = tempfile.mkdtemp(prefix="seawall-")
                _start(ray, workers or os.cpu_count() or 1, folder)
        processors = int(ray.cluster_resources().get("CPU", 0))
        if processors < 1:
            raise ClusterError(f"the cluster at {address} has no processors")
        yield OnRay(min(workers or processors, processors), time_limit)
    finally:
        if not connected:
            ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process' handling of SIGTERM, in the place of which Ray puts its own when it starts."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _ray(address: str | None) -> Any:
    """Ray, imported with what it reads from the environment when it is."""
    wanted = ENVIRONMENT if address is None else {"RAY_USAGE_STATS_ENABLED": "0"}
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error


def _start(ray: Any, workers: int, folder: str) -> None:
    ray.init(
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        object_store_memory=STORE_BYTES,
        _temp_dir=folder,
    )
