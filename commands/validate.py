"""`seawall validate`: where real markets fall among replicas of a scenario."""

import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, ready
from commands.exits import FAILED

if TYPE_CHECKING:
    from analysis.validation.validation import Validation
    from sim.configuration import Scenario


def validate_command(
    scenario: ScenarioArgument,
    replicas: Annotated[int, typer.Option(min=20, help="Independent runs, with seeds from 1.")] = 200,
    overrides: SetOption = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    at_least: Annotated[
        float, typer.Option(min=0, max=1, help="Exit with 1 if fewer statistics lie inside.")
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/validate-NAME.")
    ] = None,
) -> None:
    """Ask whether a scenario's market looks like real ones.

    Runs replicas and says where each statistic of real returns, funding, basis, activity and liquidations
    falls among theirs. Example: seawall validate validation --replicas 200
    """
    found, folder = ready(scenario, overrides or [], out, "validate-{name}")
    validation = _validated(found, replicas, workers)
    _deliver(validation, folder)
    if validation.failures or validation.share_inside < at_least:
        raise typer.Exit(FAILED)


def _validated(scenario: "Scenario", replicas: int, workers: int | None) -> "Validation":
    """Score replicas with a progress bar; a cluster that fails ends the command in one line."""
    from analysis.terminal import phase_bar
    from analysis.validation.validation import validate
    from sim.sweeps.cluster import ClusterError

    try:
        with redirect_stdout(sys.stderr), phase_bar() as tell:
            return validate(scenario, replicas, workers=workers, report=partial(tell, "replicas"))
    except (ClusterError, OSError) as error:
        typer.echo(f"the validation stopped: {error}", err=True)
        raise typer.Exit(FAILED) from error


def _deliver(validation: "Validation", folder: Path) -> None:
    """Write and print where real markets fall, and which replicas failed."""
    from rich.console import Console

    from analysis.validation.page import score_table, verdict, write_validation

    write_validation(validation, folder)
    Console().print(score_table(validation))
    typer.echo(verdict(validation))
    typer.echo(f"folder:     {folder}")
    for line in validation.failures:
        typer.echo(line, err=True)
