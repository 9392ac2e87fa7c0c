"""What a start loads: the help waits for nothing, a run's first block only for what it computes with."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import seawall
from commands.index import COMMANDS


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
