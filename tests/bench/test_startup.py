"""What a start costs: help, imports, the first block, the report, the kernels of a first run; never a gate.

Processor seconds, each from a new interpreter, the least of several. `make bench` prints them beside an
import of numpy on the same machine at the same time, for single times drift.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
REPEATS = 5
COSTLIEST = 15
SMALL = ["calm", "--set", "clock.duration=10m", "--set", "agents.retail.accounts=1000"]
LARGE = ["black_thursday", "--set", "clock.duration=1h", "--set", "shocks=[]"]

RUN = """
import collections, contextlib, json, sys, time
from numba.core import event

class Compilations(event.Listener):
    def __init__(self):
        self.open, self.spent, self.times = [], collections.Counter(), collections.Counter()
    def on_start(self, found):
        self.open.append([time.process_time(), 0.0])
    def on_end(self, found):
        start, inner = self.open.pop()
        took = time.process_time() - start
        name = found.data["dispatcher"].py_func
        self.spent[f"{name.__module__}.{name.__name__}"] += took - inner
        self.times[f"{name.__module__}.{name.__name__}"] += 1
        if self.open:
            self.open[-1][1] += took

seen, compiled = {}, Compilations()
event.register("numba:compile", compiled)

def marked(name, method):
    def wrapper(self, *arguments):
        method(self, *arguments)
        seen.setdefault(name, time.process_time())
    return wrapper

import seawall
from commands.arguments import uncollected
with uncollected():
    import sim.scenario
    import sim.model
seen["imports"] = time.process_time()
sim.model.Model.__init__ = marked("model", sim.model.Model.__init__)
sim.model.Model.step = marked("first block", sim.model.Model.step)
sys.argv[0] = "seawall"
with contextlib.suppress(SystemExit):
    seawall.main()
seen["report written"] = time.process_time()
kernels = [(name, compiled.times[name], spent) for name, spent in compiled.spent.most_common()]
print(json.dumps({"seen": seen, "kernels": kernels}))
"""


def of_children(arguments: list[str], cache: Path) -> tuple[float, str]:
    """Processor seconds of a new interpreter, and the last line that it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, (done.stdout.splitlines() or [""])[-1]


def run(scenario: list[str], out: Path, cache: Path) -> dict[str, Any]:
    """Processor seconds from the start to each milestone, and what was compiled."""
    found: dict[str, Any] = json.loads(
        of_children(["-c", RUN, "run", *scenario, "--quiet", "--out", str(out)], cache)[1]
    )
    return found


def test_what_a_start_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = tmp_path / "cache"
    cold = run(SMALL, tmp_path / "cold", cache)
    warm = [run(SMALL, tmp_path / f"warm{index}", cache)["seen"] for index in range(REPEATS)]
    least = {
        name: min(of_children(arguments, cache)[0] for _ in range(REPEATS))
        for name, arguments in {
            "import of numpy": ["-c", "import numpy"],
            "--help": ["-m", "seawall", "--help"],
            "run --help": ["-m", "seawall", "run", "--help"],
        }.items()
    }
    with capsys.disabled():
        print(f"\nprocessor seconds, load {os.getloadavg()[0]:.1f}")
        for name, seconds in least.items():
            print(f"{name:18}{seconds:8.3f}")
        for name, seconds in cold["seen"].items():
            print(f"to {name:15}{min(found[name] for found in warm):8.3f}{seconds:10.3f} without kernels")

    assert cold["kernels"]


def test_what_the_kernels_of_a_first_run_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(LARGE, tmp_path / "out", tmp_path / "cache")
    kernels = found["kernels"]
    with capsys.disabled():
        print(f"\n{len(kernels)} kernels, {sum(times for _, times, _ in kernels)} compilations,", end=" ")
        print(f"{sum(spent for *_, spent in kernels):.1f} s of {found['seen']['report written']:.1f} s")
        for name, times, spent in kernels[:COSTLIEST]:
            print(f"{spent:6.2f} s  {times} x  {name}")

    assert kernels
