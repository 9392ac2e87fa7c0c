"""Sweeps on Ray: the same bytes on any cluster, workers and nodes that die, and nothing open to the outside.

Ray runs in child processes: it changes the environment of the one that starts it.
"""

import gc
import os
import signal
import socket
import time
from collections import deque
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter
from typing import Any

import pandas as pd
import psutil
import pytest
from sweeping import (
    busy_workers,
    content,
    in_child,
    keys,
    listening,
    row,
    shuffled,
    stored,
    tiny,
    undisturbed,
    wait_for,
)

from sim.sweeps import cluster as module
from sim.sweeps.cluster import ENVIRONMENT, Batch, ClusterError, OnRay, on_ray, run_batch
from sim.sweeps.revision import code_revision
from sim.sweeps.store import Store
from sim.sweeps.sweep import SweepProgress, sweep
from sim.sweeps.tasks import Row, Task
from sim.sweeps.workers import Pace

LONG = 12
STORE_BYTES = 100 * 2**20
SECRET = "s3cret"
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def started(processors: int) -> None:
    """Start Ray in this process, on loopback."""
    os.environ.update(ENVIRONMENT)
    import ray

    settings = {"include_dashboard": False, "log_to_driver": False, "object_store_memory": STORE_BYTES}
    ray.init("local", num_cpus=processors, **settings)


def pairs(told: dict[str, list[list[Any]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Stored rows as they come through JSON, as `stored` gives them."""
    return {name: [tuple(pair) for pair in rows] for name, rows in told.items()}


def on_one_machine(folder: str) -> dict[str, Any]:
    """The small sweep with one and three workers, with two in another order, and a worker killed midway."""
    started(3)
    for workers in (1, 3):
        sweep(tiny(), f"{folder}/{workers}", workers=workers)
    with pytest.MonkeyPatch.context() as patch:
        shuffled(patch)
        sweep(tiny(), f"{folder}/shuffled", workers=2)
    told: dict[str, Any] = {}

    def kill(progress: SweepProgress) -> None:
        if progress.done and not told:
            wait_for(busy_workers)[0].kill()
            told.update(stored(Path(folder, "killed")))

    sweep(tiny(seeds=LONG), f"{folder}/killed", workers=2, report=kill)
    return told


@pytest.mark.long
def test_workers_leave_no_trace_and_a_killed_one_costs_nothing(tmp_path: Path) -> None:
    before = pairs(in_child(on_one_machine, tmp_path))
    attempts = pd.concat(map(pd.read_parquet, (tmp_path / "killed" / "parts").iterdir()))["attempts"]

    for name in ("1", "3", "shuffled"):
        assert content(tmp_path / name) == undisturbed(), name
    assert content(tmp_path / "killed") == undisturbed(LONG)
    assert len(set(keys(tmp_path / "killed"))) == len(keys(tmp_path / "killed")) == 4 * LONG
    assert attempts.max() == 2
    assert before
    assert before.items() <= stored(tmp_path / "killed").items()


def on_two_nodes(folder: str) -> dict[str, Any]:
    """The small sweep on a cluster of two nodes, then with one of them killed on the way."""
    os.environ.update(ENVIRONMENT)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    node = cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES)
    told: dict[str, Any] = {"workers": 0, "stored": {}}

    def kill(progress: SweepProgress) -> None:
        told["workers"] = max(told["workers"], progress.workers)
        if progress.done and not told["stored"]:
            told["stored"] = stored(Path(folder, "killed"))
            cluster.remove_node(node, allow_graceful=False)

    try:
        sweep(tiny(), f"{folder}/two", workers=3, address=cluster.address)
        sweep(tiny(seeds=LONG), f"{folder}/killed", workers=3, address=cluster.address, report=kill)
    finally:
        cluster.shutdown()
    return told


@pytest.mark.slow
def test_two_nodes_leave_no_trace_and_a_killed_one_costs_nothing(tmp_path: Path) -> None:
    told = in_child(on_two_nodes, tmp_path)

    assert told["workers"] == 3
    assert content(tmp_path / "two") == undisturbed()
    assert content(tmp_path / "killed") == undisturbed(LONG)
    assert len(set(keys(tmp_path / "killed"))) == len(keys(tmp_path / "killed")) == 4 * LONG
    assert pairs(told["stored"]).items() <= stored(tmp_path / "killed").items()


def fateful(task: Task, time_limit: float | None) -> Row:
    """A run whose scenario says what becomes of it."""
    fate, _, file = task.scenario.partition("|")
    if fate == "exits":
        os._exit(7)
    if fate == "dies once" and not Path(file).exists():
        Path(file).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "sleeps":
        time.sleep(0.4)
    if fate == "hangs":
        time.sleep(600)
    if fate == "raises":
        raise ArithmeticError(SECRET)
    return row(task.key, seed=task.seed)


def rows_of(fates: list[str], workers: int = 2, limit: float | None = None, pilot: float = 0.1) -> list[Any]:
    """Status, attempts and error of runs with these fates, in their order."""
    tasks = [Task(f"{number:03}", fate, number) for number, fate in enumerate(fates)]
    on_ray = OnRay(workers, limit, fateful)
    batches = on_ray.rows(iter(tasks), Pace(len(tasks), pilot))
    rows = sorted((each for batch in batches for each in batch), key=lambda each: each.key)
    return [[each.key, each.status, each.attempts, each.error] for each in rows]


def fates(folder: str) -> dict[str, Any]:
    """What becomes of runs that exit, die, hang and raise, among others that are fine."""
    module.GRACE_SECONDS = 0.5
    started(2)
    fine = ["fine"] * 6
    told: dict[str, Any] = {
        "dies": rows_of([*fine, "exits", *fine, f"dies once|{folder}/mark", *fine]),
        "hangs": rows_of([*fine, "hangs", *fine], limit=0.2),
        "waits": rows_of(["sleeps"] * 12, workers=6, limit=0.5, pilot=9.0),
    }
    try:
        rows_of(["raises"])
    except ClusterError as error:
        told["raises"] = str(error)
    return told


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return in_child(fates, tmp_path_factory.mktemp("fates"))


@pytest.mark.slow
def test_every_fate_of_a_run_is_one_row_and_its_neighbours_are_done(fallen: dict[str, Any]) -> None:
    exits, dies = fallen["dies"].pop(6), fallen["dies"].pop(12)
    hangs = fallen["hangs"].pop(6)

    assert exits[:3] == ["006", "lost", 3]
    assert exits[3].startswith("its worker died: ")
    assert dies[1:] in (["done", 2, ""], ["done", 3, ""])
    assert (hangs[1], hangs[3]) == ("timeout", "a run may take at most 0.2 s")
    for name, count in (("dies", 18), ("hangs", 12)):
        assert len({key for key, *_ in fallen[name]}) == len(fallen[name]) == count, name
        assert {status for _, status, *_ in fallen[name]} == {"done"}, name
    assert SECRET in fallen["raises"]


@pytest.mark.slow
def test_a_run_that_waits_for_a_worker_is_not_out_of_time(fallen: dict[str, Any]) -> None:
    assert {status for _, status, *_ in fallen["waits"]} == {"done"}


def on_its_own(folder: str) -> dict[str, Any]:
    """A sweep that starts Ray itself, and whose disk is full after its first rows."""
    before, add = dict(os.environ), Store.add
    told: dict[str, Any] = {}

    def full(self: Store, rows: list[Row]) -> None:
        told["open"] = listening(psutil.Process())
        told["reports"] = [
            each.environ().get("RAY_USAGE_STATS_ENABLED") for each in psutil.Process().children()
        ]
        add(self, rows)
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "add", full)
        try:
            sweep(tiny(), folder, workers=2)
        except OSError as error:
            told["error"] = str(error)
    gc.collect()
    import ray

    told["still there"] = ray.is_initialized()
    told["children"] = len(psutil.Process().children(recursive=True))
    told["left"] = len(list(Path(gettempdir()).glob(f"seawall-{os.getpid()}-*")))
    told["environment"] = sorted(name for name in os.environ if os.environ[name] != before.get(name))
    return told


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return in_child(on_its_own, tmp_path_factory.mktemp("own"))


@pytest.mark.slow
def test_a_ray_of_our_own_is_closed_to_the_outside_and_gone_at_the_end(alone: dict[str, Any]) -> None:
    assert "No space left" in alone["error"]
    assert len(alone["open"]) > 3
    assert {address for _, address in alone["open"]} <= LOOPBACK
    assert not any("dashboard/dashboard.py" in title for title, _ in alone["open"])
    assert set(alone["reports"]) == {"0"}
    assert (alone["still there"], alone["children"], alone["left"]) == (False, 0, 0)


@pytest.mark.slow
def test_a_sweep_leaves_the_environment_as_it_was(alone: dict[str, Any]) -> None:
    assert alone["environment"] == []


def imported_before() -> dict[str, Any]:
    """What a sweep starts where Ray was imported before, and the environment names a cluster not wanted."""
    import ray

    os.environ["RAY_ADDRESS"] = "127.0.0.1:1"
    with on_ray(1, None, None) as workers:
        open_to = listening(psutil.Process()) if ray.is_initialized() else []
        return {"workers": workers.count, "open": open_to}


@pytest.mark.slow
def test_a_ray_that_was_imported_before_is_our_own_and_closed_to_the_outside() -> None:
    told = in_child(imported_before)

    assert told["workers"] == 1
    assert told["open"]
    assert {address for _, address in told["open"]} <= LOOPBACK


def fine(task: Task, time_limit: float | None) -> Row:
    return row(task.key)


def test_a_worker_with_other_code_refuses_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, execute = [Task("a", "{}", 1)], fine

    with pytest.raises(
        ClusterError, match=r"every node must have the driver's code, ffff; .* has [0-9a-f]{16}"
    ):
        run_batch(tasks, (None, None), "ffff", execute)

    assert run_batch(tasks, (None, None), code_revision().revision, execute) == [row("a")]


def bereaved(size: int, times: int, elapsed: float = 0.0) -> tuple[list[Row], int]:
    """Rows after a batch of some size was lost several times, and how many of its tasks are to run again."""
    workers, again, rows = OnRay(2, 1.0, fine), deque[Task](), []
    for _ in range(times):
        tasks = [again.popleft() for _ in range(len(again))] or [Task(str(n), "{}", n) for n in range(size)]
        batch = Batch(tasks, perf_counter() - elapsed)
        rows += workers._bereaved(batch, RuntimeError("gone\nwith details"), again)
    return rows, len(again)


def test_the_tasks_of_a_dead_worker_run_again_and_one_that_kills_three_is_given_up() -> None:
    lost = Row("0", 0, "lost", "its worker died: RuntimeError: gone", attempts=3)

    assert bereaved(size=4, times=1) == ([], 4)
    assert bereaved(size=1, times=2) == ([], 1)
    assert bereaved(size=1, times=3) == ([lost], 0)


def test_a_run_killed_for_its_time_is_given_up_at_once_but_not_its_batch() -> None:
    late = 1.0 + module.GRACE_SECONDS + 1.0
    timeout = Row("0", 0, "timeout", "a run may take at most 1 s")

    assert bereaved(size=4, times=1, elapsed=late) == ([], 4)
    assert bereaved(size=1, times=1, elapsed=late) == ([timeout], 0)


def at_a_dead_address() -> str:
    """What is said when there is no cluster."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    try:
        with on_ray(2, f"127.0.0.1:{port}", None):
            return ""
    except ClusterError as error:
        return str(error)


def test_a_cluster_that_is_not_there_is_told_soon() -> None:
    assert "no Ray cluster answers at 127.0.0.1:" in in_child(at_a_dead_address, seconds=30.0)
