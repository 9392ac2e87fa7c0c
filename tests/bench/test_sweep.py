"""What a sweep costs beside its runs: measured side by side, never a gate.

A thousand short runs on two workers of Ray, one after another, in a plain pool and by Mesa's `batch_run`;
then ten thousand rows that cost next to nothing, and the memory of the process that collects them.
"""

import json
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import mesa
import psutil
import pytest
from sweeping import in_child, stored, tiny

from sim import model as simulation
from sim.configuration import Scenario
from sim.frames import Tables
from sim.metrics import summarise
from sim.streams import stream
from sim.sweeps import sweep as module
from sim.sweeps.cluster import OnRay, on_ray
from sim.sweeps.study import load_study, metric_names
from sim.sweeps.sweep import SweepProgress, sweep
from sim.sweeps.tasks import Row, Task, execute

WORKERS = 2
CHUNK = 20
RUNS = 1_000
MANY = 10_000
BRIEF_SECONDS = 0.003


def on_our_own(folder: str, workers: int) -> dict[str, float]:
    """A sweep of a thousand runs: wall time, the moment of the first rows, and the time of all runs [s]."""
    start, first = time.perf_counter(), [0.0, 0.0]

    def watch(progress: SweepProgress) -> None:
        if progress.done and not first[0]:
            first[:] = [time.perf_counter() - start, _seconds(folder)]

    sweep(tiny(seeds=RUNS // 4), folder, workers=workers, report=watch)
    wall, work = time.perf_counter() - start, _seconds(folder)
    return {"wall": wall, "first": first[0], "work": work, "work after": work - first[1]}


def _seconds(folder: str) -> float:
    return sum(seconds for rows in stored(Path(folder)).values() for _, seconds in rows)


def tasks() -> list[Task]:
    """The runs of the sweep."""
    study = load_study(tiny(seeds=RUNS // 4))
    return [Task("", point.scenario, seed) for seed in study.seeds for point in study.points]


def in_a_pool() -> dict[str, float]:
    """The same runs in a pool of processes."""
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        rows = list(pool.imap_unordered(partial(execute, time_limit=None), tasks(), chunksize=CHUNK))
    return {"wall": time.perf_counter() - start, "work": sum(row.seconds for row in rows)}


class Batched(mesa.Model):
    """A run as `batch_run` wants it: made from parameters, stepped until it stops, asked for its numbers."""

    def __init__(self, point: str, number: int) -> None:
        super().__init__(seed=number)
        scenario = Scenario.model_validate_json(point)
        self.inner = simulation.Model(scenario, number)
        self.left = scenario.clock.blocks
        self.datacollector = mesa.DataCollector(model_reporters={"blocks left": "left"})
        self.datacollector.collect(self)

    def step(self) -> None:
        """Go on by a block; after the last one, do what `run` does to have a summary."""
        self.inner.step()
        self.left -= 1
        if not self.left:
            self.running = False
            tables = Tables(self.inner.recorder).all()
            summarise(tables, self.inner.units.names, self.inner.seconds)
            self.inner.recorder.transcript()
            self.inner.close()
        self.datacollector.collect(self)


def by_mesa() -> dict[str, float]:
    """The same runs by `batch_run`; the seed is a parameter, for it would repeat its own."""
    points = [point.scenario for point in load_study(tiny(seeds=1)).points]
    start = time.perf_counter()
    mesa.batch_run(  # noqa: TID251 - measured here, used nowhere
        Batched,
        {"point": points, "number": range(1, RUNS // 4 + 1)},
        number_processes=WORKERS,
        max_steps=1_000,
        display_progress=False,
    )
    return {"wall": time.perf_counter() - start}


def test_what_a_sweep_costs_beside_its_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = {
        "one after another": in_child(on_our_own, tmp_path / "serial", 0, seconds=3600),
        "sweep on Ray": in_child(on_our_own, tmp_path / "ray", WORKERS, seconds=3600),
        "pool": in_child(in_a_pool, seconds=3600),
        "mesa.batch_run": in_child(by_mesa, seconds=3600),
    }
    with capsys.disabled():
        print(f"\n{RUNS:,} runs, {WORKERS} workers, load {os.getloadavg()[0]:.1f}")
        for name, found in measured.items():
            print(f"{name:18}{_told(found, 1 if name == 'one after another' else WORKERS)}")

    assert len(list((tmp_path / "ray" / "parts").iterdir())) > 1


def _told(found: dict[str, float], workers: int) -> str:
    wall, work = found["wall"], found.get("work")
    line = f"{wall:7.1f} s"
    if work is not None:
        line += f", a run {1e3 * work / RUNS:5.1f} ms, efficiency {work / workers / wall:5.1%}"
    if "first" not in found:
        return line
    after = wall - found["first"]
    share = found["work after"] / workers / after
    spare = (workers * after - found["work after"]) / RUNS
    return f"{line}; after the first rows at {found['first']:.1f} s {share:5.1%}, {1e3 * spare:.2f} ms a run"


def brief(names: list[str], task: Task, time_limit: float | None) -> Row:
    """A run of a few milliseconds with as many metrics as a real one."""
    time.sleep(BRIEF_SECONDS)
    values = stream(task.seed, "brief").standard_normal(len(names)).tolist()
    numbers = dict(zip(names, values, strict=True))
    return Row(task.key, task.seed, "done", transcript=task.key, metrics=numbers, seconds=BRIEF_SECONDS)


def collecting(folder: str) -> dict[str, Any]:
    """Memory of this process [bytes] each second while it collects ten thousand brief runs."""
    study = load_study(tiny(seeds=MANY // 4))
    names = metric_names(study.base)
    samples: list[int] = []
    done = threading.Event()

    @contextmanager
    def briefly(workers: int | None, address: str | None, time_limit: float | None) -> Iterator[OnRay]:
        with on_ray(workers, address, time_limit) as hired:
            hired.execute = partial(brief, names)
            sampler.start()
            yield hired

    def sample() -> None:
        while not done.wait(1.0):
            samples.append(psutil.Process().memory_info().rss)

    sampler = threading.Thread(target=sample, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "on_ray", briefly)
        patch.setattr(module, "pilot_seconds", lambda study: BRIEF_SECONDS)
        start = time.perf_counter()
        sweep(tiny(seeds=MANY // 4), folder, workers=WORKERS)
    done.set()
    return {"seconds": time.perf_counter() - start, "samples": samples}


def test_the_memory_of_a_driver_that_collects_many_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = in_child(collecting, tmp_path, seconds=3600)
    samples = [size / 2**20 for size in found["samples"]]
    quarter = max(1, len(samples) // 4)
    first, last = statistics.mean(samples[:quarter]), statistics.mean(samples[-quarter:])
    with capsys.disabled():
        print(
            f"\n{MANY:,} runs of {1e3 * BRIEF_SECONDS:.0f} ms in {found['seconds']:.1f} s: the driver holds "
            f"{first:.0f} MB in the first quarter, {last:.0f} MB in the last, {max(samples):.0f} MB at most"
        )

    assert json.loads((tmp_path / "manifest.json").read_text())["seeds"][-1] == MANY // 4
