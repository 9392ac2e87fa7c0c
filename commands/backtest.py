"""`seawall backtest`: one population in real events, and how far it is from what happened."""

import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, ready
from commands.exits import FAILED, refusing

if TYPE_CHECKING:
    from analysis.backtest.backtest import Backtest, Plan


def backtest_command(
    scenario: ScenarioArgument,
    data: Annotated[Path, typer.Option(help="Folder of the candle files that the events name.")],
    events: Annotated[
        Path | None, typer.Option(help="File of events. Default: March 2020, May 2021, the LUNA week.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each event, with seeds from 1.")] = 8,
    overrides: SetOption = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/backtest-NAME.")
    ] = None,
) -> None:
    """Send one population through real events, and say how far it is from what happened.

    Only prices and dates differ between events. Example:
    seawall backtest validation --data candles --seeds 8
    """
    from analysis.backtest.backtest import plan_backtest
    from analysis.backtest.events import FILE

    _, folder = ready(scenario, overrides or [], out, "backtest-{name}")
    with refusing():
        plan = plan_backtest(scenario, data, overrides or [], events or FILE)
    found = _replayed(plan, seeds, workers)
    _deliver(found, folder)
    if found.failures:
        raise typer.Exit(FAILED)


def _replayed(plan: "Plan", seeds: int, workers: int | None) -> "Backtest":
    """Run the events with a progress bar; a cluster that fails ends the command in one line."""
    from analysis.backtest.backtest import backtest
    from analysis.terminal import phase_bar
    from sim.sweeps.cluster import ClusterError

    try:
        with redirect_stdout(sys.stderr), phase_bar() as tell:
            return backtest(plan, seeds, workers=workers, report=partial(tell, "replays"))
    except (ClusterError, OSError) as error:
        typer.echo(f"the backtest stopped: {error}", err=True)
        raise typer.Exit(FAILED) from error


def _deliver(found: "Backtest", folder: Path) -> None:
    """Write and print the error tables, and runs that failed."""
    from rich.console import Console

    from analysis.backtest.page import error_tables, verdict, write_backtest

    write_backtest(found, folder)
    Console().print(*error_tables(found))
    typer.echo(verdict(found))
    typer.echo(f"folder:     {folder}")
    for line in found.failures:
        typer.echo(line, err=True)
