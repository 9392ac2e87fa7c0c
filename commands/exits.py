"""How a command ends: its results, its exit code, and the refusal of bad input."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


def refuse(lines: list[str]) -> NoReturn:
    """End the command with these complaints on the error stream."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(BAD_INPUT)


@contextmanager
def working(what: str, phase: str) -> Iterator[Callable[[int, int], None]]:
    """Progress on the error stream; a cluster or a disk that fails ends the command in one line."""
    from analysis.terminal import phase_bar
    from sim.sweeps.cluster import ClusterError

    try:
        with redirect_stdout(sys.stderr), phase_bar() as tell:
            yield partial(tell, phase)
    except (ClusterError, OSError) as error:
        typer.echo(f"the {what} stopped: {error}", err=True)
        raise typer.Exit(FAILED) from error


def show(tables: Iterable[object], verdict: str, folder: Path, failures: Iterable[str]) -> None:
    """Print what came out and where it lies; a line on the error stream for each run that failed."""
    from rich.console import Console

    Console().print(*tables)
    typer.echo(verdict)
    typer.echo(f"folder:     {folder}")
    for line in failures:
        typer.echo(line, err=True)


@contextmanager
def refusing() -> Iterator[None]:
    """Bad input inside the block ends the command with all its problems, one line each."""
    from sim.problems import ScenarioError

    try:
        yield
    except ScenarioError as error:
        refuse([str(problem) for problem in error.problems])
    except OSError as error:
        refuse([str(error)])
