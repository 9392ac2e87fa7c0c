"""How a command ends: exit codes, and the refusal of bad input."""

from collections.abc import Iterator
from contextlib import contextmanager
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
def refusing() -> Iterator[None]:
    """Bad input inside the block ends the command with all its problems, one line each."""
    from sim.problems import ScenarioError

    try:
        yield
    except ScenarioError as error:
        refuse([str(problem) for problem in error.problems])
    except OSError as error:
        refuse([str(error)])
