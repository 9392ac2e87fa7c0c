"""`seawall sweep`: many runs, their progress, and how an interrupted sweep goes on."""

import shlex
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.arguments import SetOption
from commands.exits import FAILED, INTERRUPTED, refuse, refusing

if TYPE_CHECKING:
    from sim.sweeps.results import SweepResults


def sweep_command(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep file, or a bundled name.")],
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder or URL of the store. Default: runs/NAME."),
    ] = None,
    overrides: SetOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: a pilot decides.")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, as host:port.")] = None,
    serial: Annotated[bool, typer.Option("--serial", help="Run everything in this process.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the store only.")] = False,
) -> None:
    """Run a scenario at many points and seeds, and store a row for each run.

    A store that exists is completed: only runs that are missing, failed or new are done. Example:
    seawall sweep margin_and_fund --set agents.retail.accounts=1000 --out runs/margins
    """
    if serial and (workers or address):
        refuse(["--serial  runs everything in this process; it goes with neither --workers nor --address"])
    with refusing():
        place = out or _default_store(sweep, overrides or [])
        hired = 0 if serial else workers
        if dry_run:
            _print_plan(sweep, place, overrides or [], hired, address)
            return
        results = _sweep(sweep, place, overrides or [], hired, address, quiet)
    _deliver_sweep(results, quiet)


def _default_store(source: str, overrides: list[str]) -> str:
    from sim.sweeps.study import load_study

    return str(Path("runs") / load_study(source, overrides).name)


def _print_plan(
    source: str, out: str, overrides: list[str], workers: int | None, address: str | None
) -> None:
    from analysis.sweep_tables import plan_lines
    from sim.sweeps.sweep import plan

    for line in plan_lines(plan(source, out, overrides, workers=workers, address=address)):
        typer.echo(line)


def _sweep(
    source: str, out: str, overrides: list[str], workers: int | None, address: str | None, quiet: bool
) -> "SweepResults":
    """Run a sweep with a progress bar; an interrupt or a full disk ends it with a word on how to go on.

    Whatever error follows an interrupt counts as the interrupt: processes that the same signal ended may
    be missed before this one hears of it.
    """
    from analysis.terminal import sweep_bar
    from sim.sweeps.cluster import ClusterError
    from sim.sweeps.sweep import sweep

    asked = _noted_signals()
    again = shlex.join(["seawall", "sweep", source, *(f"--set={each}" for each in overrides), "--out", out])
    try:
        with redirect_stdout(sys.stderr), sweep_bar(quiet) as report:
            return sweep(source, out, overrides, workers=workers, address=address, report=report)
    except (Exception, KeyboardInterrupt) as error:
        if asked or isinstance(error, KeyboardInterrupt):
            typer.echo(f"stopped; finished runs are stored. Go on with: {again}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        if not isinstance(error, ClusterError | OSError):
            raise
        typer.echo(f"the sweep stopped: {error}", err=True)
        typer.echo(f"finished runs are stored. Go on with: {again}", err=True)
        raise typer.Exit(FAILED) from error


def _noted_signals() -> list[int]:
    """Let SIGINT and SIGTERM interrupt, and come to stand in the list that is returned."""
    noted: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    return noted


def _deliver_sweep(results: "SweepResults", quiet: bool) -> None:
    """Print what a sweep found, and its failures."""
    from rich.console import Console

    from analysis.sweep_tables import failure_lines, points_table

    if quiet:
        typer.echo(results.place)
    else:
        Console().print(points_table(results))
        typer.echo(f"store:   {results.place}")
        if results.manifest["axes"]:
            typer.echo(f"compare: seawall compare {results.place} --by {results.manifest['axes'][0]}")
    for line in failure_lines(results):
        typer.echo(line, err=True)
    if len(results.failures):
        raise typer.Exit(FAILED)
