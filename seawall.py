"""Seawall's front door: the `seawall` command, and the same as functions."""

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from sim.configuration import Scenario
    from sim.problems import Problem
    from sim.run import Progress, Result

FAILED = 1
BAD_INPUT = 2

PUBLIC = {
    "load_scenario": "sim.scenario",
    "Scenario": "sim.configuration",
    "ScenarioError": "sim.problems",
    "run": "sim.run",
    "write_run": "sim.store",
    "write_report": "analysis.report",
    "summary_frame": "analysis.summary",
    "resolved": "sim.provenance",
    "provenance": "sim.provenance",
    "scenario_schema": "sim.schema",
}

__all__ = ["check", "main", *PUBLIC]


def __getattr__(name: str) -> Any:
    """Public names, imported when first asked for: the command's help must not wait for compilers."""
    if name not in PUBLIC:
        raise AttributeError(f"module 'seawall' has no attribute {name!r}")
    return getattr(importlib.import_module(PUBLIC[name]), name)


def check(source: str | Path, overrides: tuple[str, ...] = ()) -> list["Problem"]:
    """What is wrong with a scenario, all at once; empty when it can be run."""
    from sim.scenario import ScenarioError, load_scenario

    try:
        load_scenario(source, overrides)
    except ScenarioError as error:
        return list(error.problems)
    return []


app = typer.Typer(
    name="seawall",
    help="Stress a derivatives venue and its risk rules in simulated markets.",
    epilog="Start with: seawall run black_thursday",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

ScenarioArgument = Annotated[
    str,
    typer.Argument(metavar="SCENARIO", help="A scenario file, or a bundled name (see: seawall scenarios)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as in clock.block=30s. Repeatable."),
]


@app.command("run")
def run_command(
    scenario: ScenarioArgument,
    seed: Annotated[int, typer.Option(min=0, help="Same scenario and seed, same result.")] = 1,
    overrides: SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/NAME-seedSEED.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the folder only.")] = False,
) -> None:
    """Run a scenario once and write tables, figures and a report.

    Nothing is overwritten: the folder must be new or empty. Example:
    seawall run black_thursday --seed 7 --set agents.retail.accounts=5000
    """
    loaded, folder = _ready(scenario, overrides or [], seed, out)
    result = _simulate(loaded, seed, quiet)
    _deliver(result, folder, quiet)


@app.command("check")
def check_command(scenario: ScenarioArgument, overrides: SetOption = None) -> None:
    """Say what a scenario would run, or everything that is wrong with it."""
    from sim.prices import coarse_candles

    loaded = _loaded(scenario, overrides or [])
    _describe(loaded)
    for warning in coarse_candles(loaded.world.prices, loaded.clock, loaded.markets):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo("ok")


@app.command("scenarios")
def scenarios_command() -> None:
    """List the bundled scenarios."""
    from rich.console import Console
    from rich.table import Table

    from sim.bundled import bundled, names
    from sim.layers import read_layer

    table = Table("scenario", "what it is", box=None)
    for name in names("scenario"):
        file = bundled("scenario", name)
        layer = read_layer(file)[0] if file else None
        table.add_row(name, str(layer.data.get("description", "")) if layer else "")
    Console().print(table)


@app.command("report")
def report_command(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder that a run has written.")],
) -> None:
    """Write the report of a finished run again."""
    if not (folder / "manifest.json").is_file():
        _refuse([f"{folder}  the folder must hold a finished run, manifest.json is missing"])
    from analysis.report import write_report

    typer.echo(f"report: {write_report(folder)}")


@app.command("schema")
def schema_command() -> None:
    """Print the JSON schema of scenario files, for editors."""
    from sim.schema import scenario_schema

    typer.echo(json.dumps(scenario_schema(), indent=2))


def main() -> None:
    """Entry point of the `seawall` command."""
    app()


def _refuse(lines: list[str]) -> NoReturn:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(BAD_INPUT)


def _loaded(source: str, overrides: list[str]) -> "Scenario":
    from sim.scenario import ScenarioError, load_scenario

    try:
        return load_scenario(source, overrides)
    except ScenarioError as error:
        _refuse([str(problem) for problem in error.problems])


def _ready(source: str, overrides: list[str], seed: int, out: Path | None) -> tuple["Scenario", Path]:
    """Scenario and result folder, or every complaint on either, before anything is computed."""
    from sim.scenario import ScenarioError, load_scenario

    complaints: list[str] = []
    try:
        loaded = load_scenario(source, overrides)
    except ScenarioError as error:
        _refuse([*(str(problem) for problem in error.problems), *(_folder_complaints(out) if out else [])])
    folder = out or Path("runs") / f"{loaded.name}-seed{seed}"
    complaints = _folder_complaints(folder)
    if complaints:
        _refuse(complaints)
    return loaded, folder


def _folder_complaints(folder: Path) -> list[str]:
    """Why results cannot be written to a folder; empty when they can."""
    if folder.is_dir() and any(folder.iterdir()):
        return [f"--out {folder}  the folder must be new or empty; nothing is overwritten"]
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        return [f"--out {folder}  the folder cannot be made: {nearest} is a file"]
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [f"--out {folder}  the folder cannot be made: {nearest} is not writable"]
    return []


def _describe(scenario: "Scenario") -> None:
    clock = scenario.clock
    roles = scenario.agents
    accounts = {name: getattr(roles, name).accounts for name in type(roles).model_fields}
    typer.echo(f"scenario  {scenario.name}: {scenario.description}")
    typer.echo(f"span      {clock.start:%Y-%m-%d %H:%M} UTC, {clock.duration / 3600:g} h")
    typer.echo(f"blocks    {clock.blocks} of {clock.block} s")
    typer.echo(f"markets   {', '.join(scenario.markets)}")
    typer.echo(f"accounts  {sum(accounts.values())}: " + ", ".join(f"{n} {k}" for k, n in accounts.items()))
    typer.echo(f"reading   {scenario.world.reading}, share of the market {scenario.world.share:g}")


def _simulate(scenario: "Scenario", seed: int, quiet: bool) -> "Result":
    """Run with a progress bar on the error stream; a broken invariant ends the command in one line."""
    from protocol.invariants import InvariantError
    from sim.run import run

    try:
        if quiet:
            return run(scenario, seed, None)
        with _progress_bar() as bar:
            return run(scenario, seed, _reporter(bar, scenario))
    except InvariantError as error:
        typer.echo(f"the run failed, an invariant is broken: {error}", err=True)
        raise typer.Exit(FAILED) from error


def _progress_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.fields[moment]}"),
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[market]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _reporter(bar: Any, scenario: "Scenario") -> Callable[["Progress"], None]:
    first = scenario.markets[0]
    task = bar.add_task(
        "run", total=scenario.clock.blocks, moment="starting (a first run compiles its kernels)", market=""
    )

    def report(progress: "Progress") -> None:
        interest = progress.open_interest_usd / 1e6
        market = f"{first} {progress.prices[first]:,.0f}  open interest ${interest:,.0f}M"
        moment = f"{progress.time:%Y-%m-%d %H:%M}"
        bar.update(task, completed=progress.block, moment=moment, market=market)

    return report


def _deliver(result: "Result", folder: Path, quiet: bool) -> None:
    """Write the run and its report; say where they lie."""
    from rich.console import Console

    from analysis.report import write_report
    from analysis.summary import summary_table
    from sim.store import write_run

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


if __name__ == "__main__":
    main()
