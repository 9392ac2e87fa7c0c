"""Tasks on Ray: in batches, bounded in flight, with the tasks of a dead worker run again."""

import faulthandler
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from sim.sweeps.revision import code_revision
from sim.sweeps.tasks import Row, Status, Task, execute
from sim.sweeps.workers import AHEAD, Execute, Pace, executed

ATTEMPTS = 3
GRACE_SECONDS = 30.0
CONNECT_SECONDS = 5.0
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

        remote = ray.remote(num_cpus=1, max_retries=0)(serve)
        flying: dict[Any, Batch] = {}
        again: deque[Task] = deque()
        try:
            while True:
                while len(flying) < AHEAD * self.count and (batch := self._next(tasks, again, pace)):
                    limits = (self.time_limit, self._patience)
                    reference = remote.remote(batch, limits, code_revision().revision, self.execute)
                    flying[reference] = Batch(batch)
                if not flying:
                    return
                rows = self._landed(flying, again)
                pace.learn(rows)
                if rows:
                    yield rows
        finally:
            for reference in flying:
                ray.cancel(reference, force=True)

    @property
    def _patience(self) -> float | None:
        """Wall time after which a run's process is ended [s]."""
        return None if self.time_limit is None else self.time_limit + GRACE_SECONDS

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
            if alone and self._patience is not None and perf_counter() - batch.start > self._patience:
                rows.append(self._given_up(task, "timeout", f"a run may take at most {self.time_limit:g} s"))
            elif alone and self.attempts[task.key] >= ATTEMPTS:
                rows.append(self._given_up(task, "lost", f"its worker died: {_first_line(error)}"))
            else:
                again.append(task)
        return rows

    def _given_up(self, task: Task, status: Status, error: str) -> Row:
        return Row(task.key, task.seed, status, error, attempts=self.attempts.pop(task.key))


def serve(
    tasks: list[Task], limits: tuple[float | None, float | None], revision: str, execute: Execute
) -> list[Row]:
    """`run_batch` in a worker that leaves interrupts to the driver.

    One that reaches all processes at once, and ends a task whose answer is on its way, can break the driver's
    own account of tasks, and with it the driver.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return run_batch(tasks, limits, revision, execute)


def run_batch(
    tasks: list[Task], limits: tuple[float | None, float | None], revision: str, execute: Execute
) -> list[Row]:
    """Run tasks in a worker, whose code must be the driver's.

    Parameters
    ----------
    tasks : list of Task
    limits : (float or None, float or None)
        Wall time after which a run stops itself, and after which its process is ended [s].
    revision : str
        Of the driver's code.
    execute : callable
        What runs a task.
    """
    here = code_revision().revision
    if here != revision:
        node = os.uname().nodename
        raise ClusterError(f"every node must have the driver's code, {revision}; {node} has {here}")
    time_limit, patience = limits
    if patience is None:
        return list(executed(tasks, time_limit, execute))
    with Path(os.devnull).open("w") as nowhere:
        return list(executed(tasks, time_limit, _watched(execute, patience, nowhere)))


def _watched(execute: Execute, patience: float, nowhere: IO[str]) -> Execute:
    """The same, but a run that does not stop by itself takes its process along, whatever it is doing."""

    def watched(task: Task, time_limit: float | None) -> Row:
        faulthandler.dump_traceback_later(patience, exit=True, file=nowhere)
        try:
            return execute(task, time_limit)
        finally:
            faulthandler.cancel_dump_traceback_later()

    return watched


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
    with _environment({} if address else ENVIRONMENT):
        import ray

        connected = ray.is_initialized()
        folder = "" if connected or address else _folder()
        try:
            with _own_signals():
                if address and not connected:
                    _connect(ray, address)
                elif not connected:
                    _start(ray, workers or os.cpu_count() or 1, folder)
            yield OnRay(_processors(ray, workers), time_limit)
        finally:
            if not connected:
                ray.shutdown()
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


def _folder() -> str:
    """Folder for a Ray of our own; those of processes that were killed go."""
    for left in Path(tempfile.gettempdir()).glob("seawall-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdecimal() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"seawall-{os.getpid()}-")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _processors(ray: Any, wanted: int | None) -> int:
    """Processors of the cluster, or as many of them as are wanted."""
    processors = int(ray.cluster_resources().get("CPU", 0))
    if processors < 1:
        raise ClusterError("the cluster has no processors")
    return min(wanted or processors, processors)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process' handling of SIGTERM, in the place of which Ray puts its own when it starts."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Variables that processes started here inherit; those that are set already stay, and none is left."""
    before = dict(os.environ)
    os.environ.update({name: value for name, value in wanted.items() if name not in before})
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Have a Ray that starts now listen on loopback only, which it decides when it is imported."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _connect(ray: Any, address: str) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if colon and port.isdecimal():
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error


def _start(ray: Any, workers: int, folder: str) -> None:
    with _on_loopback():
        ray.init(
            "local",
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            object_store_memory=STORE_BYTES,
            _temp_dir=folder,
        )
