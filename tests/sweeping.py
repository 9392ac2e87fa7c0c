"""A sweep small enough for the tests, runs that take no time, and processes that may be killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from sim.configuration import Scenario
from sim.streams import stream
from sim.sweeps.manifest import Manifest, describe_sweep
from sim.sweeps.revision import code_revision
from sim.sweeps.sheet import as_yaml
from sim.sweeps.study import load_study
from sim.sweeps.sweep import Sweep, sweep
from sim.sweeps.tasks import Row, Task

FUND, POINTS = "protocol.insurance_fund", "world.prices.points"
FLAT = [{"at": "0s", "BTC": 8000.0, "ETH": 200.0}]
BEYOND = [*FLAT, {"at": "1m", "BTC": 1e13, "ETH": 200.0}]  # a price that no venue can hold, so the run fails
FILES = ("results.parquet", "manifest.json", "sweep.yaml")
SEEDS = 6
SETTINGS = {
    "clock": {"duration": "1h", "block": "10m"},
    "shocks": [],
    "agents.retail.accounts": 100,
    "agents.depositors.accounts": 20,
}
TIGHT = {"protocol.markets.BTC": {"initial_margin": 0.1, "maintenance_margin": 0.06}}


def tiny(**changes: Any) -> dict[str, Any]:
    """A sweep of four points and six seeds, a run of which takes about 50 ms, with some keys replaced."""
    axes = {FUND: [0, 1_000_000], "policy": {"as_it_was": {}, "tight": TIGHT}}
    made = {"name": "tiny", "scenario": "black_thursday", "set": SETTINGS, "axes": axes, "seeds": SEEDS}
    return made | changes


def saved(folder: Path, content: Mapping[str, Any], name: str = "tiny.yaml") -> Path:
    """A sweep or scenario as a file."""
    file = folder / name
    file.write_text(as_yaml(content))
    return file


def described(**changes: Any) -> Manifest:
    """Manifest of the small sweep."""
    study = load_study(tiny(**changes))
    return describe_sweep(study, code_revision(), study.seeds)


def content(folder: Path) -> dict[str, bytes]:
    """What a finished sweep must have byte for byte, whoever ran it."""
    return {name: (folder / name).read_bytes() for name in FILES}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@cache
def undisturbed(seeds: int = SEEDS) -> dict[str, bytes]:
    """The small sweep, run in this process without interruption."""
    with TemporaryDirectory() as folder:
        sweep(tiny(seeds=seeds), folder, workers=0)
        return content(Path(folder))


def invented(scenario: Scenario, seed: int, progress: object = None) -> SimpleNamespace:
    """A run that takes no time: its numbers follow from the seed and from the insurance fund."""
    draw = float(stream(seed, "invented").standard_normal())
    debt = 500.0 + 100.0 * draw - scenario.protocol.insurance_fund / 1e4
    summary = {"bad_debt_gross_usd": debt, "liquidated_usd": 7.0 * seed, "mark_drawdown_BTC": None}
    return SimpleNamespace(summary=summary, transcript=f"{seed:064x}")


class Counted:
    """Invented runs that are counted; those of some seeds raise an error instead."""

    def __init__(self, *failing: int) -> None:
        self.failing = failing
        self.seeds: list[int] = []

    def __call__(self, scenario: Scenario, seed: int, progress: object = None) -> SimpleNamespace:
        self.seeds.append(seed)
        if seed in self.failing:
            raise ArithmeticError(f"seed {seed} fails")
        return invented(scenario, seed)


def shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand out tasks in another order."""
    in_order = Sweep.missing

    def missing(self: Sweep) -> Iterator[Task]:
        tasks = list(in_order(self))
        return iter([tasks[index] for index in stream(1, "shuffled").permutation(len(tasks))])

    monkeypatch.setattr(Sweep, "missing", missing)


def row(key: str, value: float = 1.0, **changes: Any) -> Row:
    """A finished run with one metric."""
    fields: dict[str, Any] = {"seed": 1, "status": "done", "metrics": {"liquidated_usd": value}}
    return Row(key, **(fields | changes))


def stored(folder: Path) -> dict[str, list[tuple[str, float]]]:
    """Key and wall time of every row, by the name of the part that holds it."""
    return {
        file.name: list(
            zip(*pq.read_table(file, columns=["key", "seconds"]).to_pydict().values(), strict=True)
        )
        for file in sorted((folder / "parts").glob("part-*"))
    }


def keys(folder: Path) -> list[str]:
    """Key of every stored row, as often as it is stored."""
    return [key for rows in stored(folder).values() for key, _ in rows]


def environment(*folders: Path) -> dict[str, str]:
    """Environment of a child process, in which the tests' own modules can be imported."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*folders, Path(__file__).parent)))}


def in_child(function: Callable[..., Any], *arguments: Any, seconds: float = 600.0) -> Any:
    """Value of a function in a process of its own: Ray leaves traces in the one that it was started in."""
    file = Path(function.__code__.co_filename)
    module, known = file.stem, environment(file.parent)
    call = f"{module}.{function.__name__}(*json.loads(sys.argv[1]))"
    program = f"import json, sys, {module}\njson.dump({call}, open(sys.argv[2], 'w'))"
    with TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [sys.executable, "-c", program, json.dumps(arguments, default=str), str(answer)]
        done = subprocess.run(
            command, env=known, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            pytest.fail(f"{module}.{function.__name__} ended with {done.returncode}\n{done.stderr[-4000:]}")
        return json.loads(answer.read_text())


def seawall_command(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The `seawall` command in a session of its own, its output in pipes."""
    command = [sys.executable, "-m", "seawall", *map(str, arguments)]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, start_new_session=True, env=environment(), **streams, **options)


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """First value of a condition that holds; an error when it does not in time."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise TimeoutError(f"waited {seconds:g} s in vain")


def listening(process: psutil.Process) -> list[list[str]]:
    """Title and address of a process and of all below it that wait for connections."""
    found = []
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            sockets = [at for at in each.net_connections("inet") if at.status == psutil.CONN_LISTEN]
            found += [[" ".join(each.cmdline()), at.laddr.ip] for at in sockets]
    return found


def busy_workers() -> list[psutil.Process]:
    """Workers of Ray below this process that are running tasks."""
    return [each for each in psutil.Process().children(recursive=True) if _title(each) == "ray::serve"]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""
