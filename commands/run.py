"""`seawall run` and `seawall report`: one run, its files, and the report of a run or a sweep once more."""

import gc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, folder_complaints, ready, uncollected
from commands.exits import FAILED, refuse, refusing

if TYPE_CHECKING:
    from sim.configuration import Scenario
    from sim.run import Result


def run_command(
    scenario: ScenarioArgument,
    seed: Annotated[int, typer.Option(min=0, help="Same scenario and seed, same result.")] = 1,
    overrides: SetOption = None,
    point: Annotated[
        int | None, typer.Option(help="SCENARIO is a sweep's store: run this point of it again.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/NAME-seedSEED.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the folder only.")] = False,
) -> None:
    """Run a scenario once and write tables, figures and a report.

    Nothing is overwritten: the folder must be new or empty. Examples:
    seawall run black_thursday --seed 7 --set agents.retail.accounts=5000;
    seawall run runs/policies --point 2 --seed 17
    """
    if point is None:
        loaded, folder = ready(scenario, overrides or [], out, f"{{name}}-seed{seed}")
    else:
        loaded, folder = _ready_again(scenario, point, overrides or [], seed, out)
    result = _simulate(loaded, seed, quiet)
    _deliver(result, folder, quiet)


def report_command(
    place: Annotated[
        str, typer.Argument(metavar="RUN_OR_SWEEP", help="Folder of a run, or store of a sweep.")
    ],
    by: Annotated[
        str | None, typer.Option(metavar="AXIS", help="Of a sweep: the axis whose labels are compared.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Of a sweep: folder for the report. Default: the store, or runs.")
    ] = None,
) -> None:
    """Write the report of a finished run again, or of a sweep: one HTML page that opens offline.

    A sweep of several axes is compared along --by AXIS, by default policy by policy or else point by point.
    """
    with refusing():
        page = _sweep_report(place, by, out) if _holds_sweep(place) else _run_report(place, by, out)
    typer.echo(f"report: {page}")


def _holds_sweep(place: str) -> bool:
    """Whether a sweep lies there, and not a run."""
    if "://" in place:
        return True
    manifest = Path(place) / "manifest.json"
    if not manifest.is_file():
        refuse([f"{place}  the folder must hold a finished run or a sweep, manifest.json is missing"])
    return "transcript_hash" not in json.loads(manifest.read_text(encoding="utf-8"))


def _run_report(folder: str, by: str | None, out: Path | None) -> Path:
    """Write a run's report into its folder."""
    from analysis.report import write_report

    if by or out:
        refuse(["--by and --out  are for sweeps; a run's report lies in its folder"])
    return write_report(folder)


def _sweep_report(store: str, by: str | None, out: Path | None) -> Path:
    """Compare a sweep's policies and write its report."""
    from analysis.comparisons.comparison import compare
    from analysis.comparisons.report import write_sweep_report
    from analysis.frontier_figure import frontier_plates
    from sim.sweeps.results import load_sweep

    results = load_sweep(store)
    axes = results.manifest["axes"]
    along = by or (axes[0] if len(axes) == 1 else "policy" if "policy" in axes else "point")
    beside = Path("runs") / f"report-{Path(store).name}" if "://" in store else Path(store)
    return write_sweep_report(compare(results, along), out or beside, frontier_plates(results))


def _ready_again(
    store: str, point: int, overrides: list[str], seed: int, out: Path | None
) -> tuple["Scenario", Path]:
    """Scenario of a sweep's point, and the result folder."""
    from sim.sweeps.rerun import point_scenario

    if overrides:
        refuse(["--set  a point is run again as it was; give --point or --set, not both"])
    with refusing():
        loaded = point_scenario(store, point)
    folder = out or Path("runs") / f"{loaded.name}-seed{seed}"
    if complaints := folder_complaints(folder):
        refuse(complaints)
    return loaded, folder


def _simulate(scenario: "Scenario", seed: int, quiet: bool) -> "Result":
    """Run with a progress bar on the error stream; what breaks the run ends the command in one line."""
    with uncollected():
        from agents.blame import PluginError
        from analysis.terminal import run_bar
        from protocol.laws.invariants import InvariantError
        from sim.run import run

    try:
        if quiet:
            return run(scenario, seed, None)
        with run_bar(scenario) as report:
            return run(scenario, seed, report)
    except InvariantError as error:
        typer.echo(f"the run failed, an invariant is broken: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except PluginError as error:
        typer.echo(f"the run failed: {error}", err=True)
        raise typer.Exit(FAILED) from error


def _deliver(result: "Result", folder: Path, quiet: bool) -> None:
    """Write the run and its report; say where they lie.

    A model and its agents know each other, so that its memory is free only once garbage is collected.
    """
    from rich.console import Console

    from analysis.report import write_report
    from analysis.summary import summary_table
    from sim.store import write_run

    gc.collect()
    write_run(result, folder)
    report = write_report(folder)
    if quiet:
        typer.echo(str(folder))
        return
    Console().print(summary_table(folder))
    manifest = json.loads((folder / "manifest.json").read_text())
    typer.echo(f"folder:     {folder}")
    typer.echo(f"report:     {report}")
    typer.echo(f"transcript: {manifest['transcript_hash']}")
