"""What several commands take: a scenario with changes, and a new folder for results."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.exits import refuse, refusing

if TYPE_CHECKING:
    from sim.configuration import Scenario

ScenarioArgument = Annotated[
    str,
    typer.Argument(metavar="SCENARIO", help="A scenario file, or a bundled name (see: seawall scenarios)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as in clock.block=30s. Repeatable."),
]


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collection of garbage while modules are imported: what they make lives to the end."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def loaded(source: str, overrides: list[str]) -> "Scenario":
    """Scenario of a command's arguments."""
    with uncollected():
        from sim.scenario import load_scenario

    with refusing(), uncollected():
        return load_scenario(source, overrides)


def ready(source: str, overrides: list[str], out: Path | None, default: str) -> tuple["Scenario", Path]:
    """Scenario and result folder, or every complaint on either, before anything is computed.

    The `default` folder lies in `runs`; `{name}` in it stands for the scenario's name.
    """
    with uncollected():
        from sim.scenario import ScenarioError, load_scenario

    try:
        with uncollected():
            found = load_scenario(source, overrides)
    except ScenarioError as error:
        refuse([*(str(problem) for problem in error.problems), *(folder_complaints(out) if out else [])])
    folder = out or Path("runs") / default.format(name=found.name)
    if complaints := folder_complaints(folder):
        refuse(complaints)
    return found, folder


def folder_complaints(folder: Path) -> list[str]:
    """Why results cannot be written to a folder; empty when they can."""
    if folder.is_dir() and any(folder.iterdir()):
        return [f"--out {folder}  the folder must be new or empty; nothing is overwritten"]
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        return [f"--out {folder}  the folder cannot be made: {nearest} is a file"]
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [f"--out {folder}  the folder cannot be made: {nearest} is not writable"]
    return []
