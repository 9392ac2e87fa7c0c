"""What a start loads: the help waits for nothing, a run's first block only for what it computes with."""

import importlib
import inspect
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import seawall
from commands.index import COMMANDS

ROOT = Path(seawall.__file__).parent
COMPUTES = ["mesa", "networkx", "numba", "numpy", "pandas", "pyarrow", "pydantic", "scipy"]
TELLS = ["altair", "arch", "jinja2", "markdown_it", "ray", "statsmodels", "vl_convert"]
ASKS = ["scipy.fft", "scipy.optimize", "scipy.signal", "scipy.stats"]

HELP = f"""
import contextlib, json, sys
import seawall
sys.argv = ["seawall", "--help"]
with contextlib.suppress(SystemExit):
    seawall.main()
print(json.dumps([name for name in {[*COMPUTES, *TELLS, "rich", "yaml"]} if name in sys.modules]))
"""

FIRST_BLOCK = f"""
import gc, json, sys
import seawall
import sim.model

class Watched(sim.model.Model):
    def step(self):
        super().step()
        loaded = [name for name in {[*TELLS, *ASKS]} if name in sys.modules]
        print(json.dumps({{"block": self.block, "loaded": loaded, "collects": gc.isenabled()}}))
        sys.exit()

sim.model.Model = Watched
sys.argv = ["seawall", "run", "calm", "--set", "clock.duration=10m", "--set", "agents.retail.accounts=50"]
seawall.main()
"""


def last_line_of(program: str, folder: Path) -> object:
    """Value printed as JSON by a fresh interpreter."""
    lines = "import sys; sys.path.insert(0, " + repr(str(ROOT)) + ")\n" + program
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=folder, capture_output=True, text=True, timeout=600, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def processor_seconds(*arguments: str) -> float:
    """Least of five times of the interpreter with these arguments."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_is_the_first_of_its_docstring(name: str) -> None:
    module, line = COMMANDS[name]
    command = getattr(importlib.import_module(f"commands.{module}"), f"{name}_command")

    assert line == (inspect.getdoc(command) or "").splitlines()[0]


def test_every_command_is_in_the_table() -> None:
    folder = Path(seawall.__file__).parent / "commands"
    written = {
        (path.stem, name)
        for path in folder.glob("*.py")
        for name in re.findall(r"^def (\w+)_command\(", path.read_text(), re.MULTILINE)
    }

    assert written == {(module, name) for name, (module, _) in COMMANDS.items()}


def test_help_tells_every_line_in_full() -> None:
    told = " ".join(CliRunner().invoke(seawall.app, ["--help"]).stdout.split())

    for name, (_, line) in COMMANDS.items():
        assert f"{name} {line}" in told


def test_help_loads_no_heavy_library(tmp_path: Path) -> None:
    assert last_line_of(HELP, tmp_path) == []


def test_help_takes_no_longer_than_an_import_of_numpy() -> None:
    assert processor_seconds("-m", "seawall", "--help") < processor_seconds("-c", "import numpy")


def test_the_first_block_waits_for_nothing_that_only_reports_need(tmp_path: Path) -> None:
    told = last_line_of(FIRST_BLOCK, tmp_path)

    assert told == {"block": 1, "loaded": [], "collects": True}
