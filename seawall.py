"""Seawall's front door: the `seawall` command, and the same as functions."""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from analysis.comparisons.comparison import Comparison
    from analysis.comparisons.question import Choices
    from sim.configuration import Scenario
    from sim.problems import Problem
    from sim.run import Result
    from sim.sweeps.results import SweepResults

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

PUBLIC = {
    "load_scenario": "sim.scenario",
    "Scenario": "sim.configuration",
    "ScenarioError": "sim.problems",
    "run": "sim.run",
    "write_run": "sim.store",
    "validate": "analysis.validation.validation",
    "write_report": "analysis.report",
    "summary_frame": "analysis.summary",
    "sweep": "sim.sweeps.sweep",
    "plan": "sim.sweeps.sweep",
    "load": "analysis.tables",
    "fit_prices": "analysis.fitting.fit",
    "write_fit": "analysis.fitting.fit",
    "compare": "analysis.comparisons.comparison",
    "compare_sweeps": "analysis.comparisons.comparison",
    "write_comparison": "analysis.comparisons.page",
    "resolved": "sim.provenance",
    "provenance": "sim.provenance",
    "preset_names": "sim.presets",
    "preset_parameters": "sim.presets",
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
        loaded, folder = _ready(scenario, overrides or [], out, f"{{name}}-seed{seed}")
    else:
        loaded, folder = _ready_again(scenario, point, overrides or [], seed, out)
    result = _simulate(loaded, seed, quiet)
    _deliver(result, folder, quiet)


@app.command("check")
def check_command(scenario: ScenarioArgument, overrides: SetOption = None) -> None:
    """Say what a scenario would run, or everything that is wrong with it."""
    from sim.prices.paths import coarse_candles

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


@app.command("presets")
def presets_command(
    name: Annotated[str | None, typer.Argument(metavar="[PRESET]", help="Explain this one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Defaults that it leaves alone too.")] = False,
) -> None:
    """List the venues that scenarios may run on, or explain one: every number with its source.

    Choose one with protocol.preset in a scenario file, or --set protocol.preset=hyperliquid.
    """
    from rich.console import Console

    from analysis.preset_tables import preset_table, presets_table

    with _refusing():
        table = preset_table(name, everything) if name else presets_table()
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


@app.command("sweep")
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
        _refuse(["--serial  runs everything in this process; it goes with neither --workers nor --address"])
    with _refusing():
        place = out or _default_store(sweep, overrides or [])
        hired = 0 if serial else workers
        if dry_run:
            _print_plan(sweep, place, overrides or [], hired, address)
            return
        results = _sweep(sweep, place, overrides or [], hired, address, quiet)
    _deliver_sweep(results, quiet)


@app.command("compare")
def compare_command(
    stores: Annotated[
        list[str], typer.Argument(metavar="SWEEP [OTHER]", help="One store with --by, or two stores.")
    ],
    by: Annotated[
        str | None, typer.Option(metavar="AXIS", help="The axis whose labels are compared.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="LABEL", help="What the others are compared to.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="AXIS=LABEL", help="Keep to one label of another axis. Repeatable."),
    ] = None,
    metrics: Annotated[list[str] | None, typer.Option("--metric", help="A metric. Repeatable.")] = None,
    statistics: Annotated[
        list[str] | None, typer.Option("--statistic", help="mean, median, var95, es95, p(> 0)… Repeatable.")
    ] = None,
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", help="A rule to pass, as 'es95(bad_debt_gross_usd) <= 1e6'. Repeatable."),
    ] = None,
    level: Annotated[float | None, typer.Option(help="Confidence of the intervals. Default: 0.95.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the page. Default: runs/compare-NAME.")] = None,
) -> None:
    """Compare policies over the same seeds, with intervals, and write a page fit for a forum.

    The page is comparison.md with comparison.csv and a figure. Example:
    seawall compare runs/policies --by policy --gate 'change of mean(liquidated_usd) <= 5%'.
    Exit code 1 when a gate is not passed.
    """
    choices: Choices = {
        "metrics": metrics,
        "statistics": statistics,
        "gates": gates,
        "level": level,
        "where": dict(_parsed_labels(where or [])) or None,
    }
    with _refusing():
        comparison = _compared(stores, by, baseline, choices)
    _deliver_comparison(comparison, out or _comparison_folder(stores, by))


@app.command("fit")
def fit_command(
    candles: Annotated[list[str], typer.Argument(metavar="CANDLES…", help="CSV or Parquet, or NAME=FILE.")],
    out: Annotated[Path, typer.Option(help="Scenario file to write; table and figure beside it.")],
    model: Annotated[str, typer.Option(help="regimes, garch, heston, jumps or bootstrap.")] = "regimes",
    replicas: Annotated[int, typer.Option(min=20, help="Simulated paths to hold against the data.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulations.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the files only.")] = False,
) -> None:
    """Calibrate a generator of prices to candles of several markets, and say how well it fits.

    Nothing is overwritten. Example:
    seawall fit btc_1h.csv eth_1h.csv --model garch --out fitted.yaml; seawall run fitted.yaml
    """
    from analysis.fitting.fit import fit_prices, outputs, write_fit
    from analysis.fitting.tables import print_fit
    from analysis.terminal import phase_bar

    taken = [str(file) for file in outputs(out) if file.exists()]
    if out.suffix != ".yaml" or taken:
        _refuse([f"--out {out}  must end in .yaml and be new; nothing is overwritten: {', '.join(taken)}"])
    with _refusing():
        with phase_bar(quiet) as report:
            fitted = fit_prices(candles, model, replicas, seed, report)
        written = write_fit(fitted, out)
    print_fit(fitted, written, quiet)


@app.command("validate")
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
    from functools import partial

    from rich.console import Console

    from analysis.terminal import phase_bar
    from analysis.validation.page import score_table, verdict, write_validation
    from analysis.validation.validation import validate

    loaded, folder = _ready(scenario, overrides or [], out, "validate-{name}")
    with redirect_stdout(sys.stderr), phase_bar() as tell:
        validation = validate(loaded, replicas, workers=workers, report=partial(tell, "replicas"))
    write_validation(validation, folder)
    Console().print(score_table(validation))
    typer.echo(verdict(validation))
    typer.echo(f"folder:     {folder}")
    for line in validation.failures:
        typer.echo(line, err=True)
    if validation.failures or validation.share_inside < at_least:
        raise typer.Exit(FAILED)


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


@contextmanager
def _refusing() -> Iterator[None]:
    """Bad input inside the block ends the command with all its problems, one line each."""
    from sim.problems import ScenarioError

    try:
        yield
    except ScenarioError as error:
        _refuse([str(problem) for problem in error.problems])
    except OSError as error:
        _refuse([str(error)])


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
    import shlex

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
    import signal

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


def _compared(stores: list[str], by: str | None, baseline: str | None, choices: "Choices") -> "Comparison":
    """Compare the labels of an axis of one store, or two stores."""
    from analysis.comparisons.comparison import compare, compare_sweeps
    from sim.sweeps.results import load_sweep

    if len(stores) > 2:
        _refuse([f"compare  takes one store or two, got {len(stores)}"])
    if len(stores) == 2 and (by or baseline):
        _refuse(
            ["--by  two stores are compared as wholes, the first as the baseline; drop --by and --baseline"]
        )
    loaded = [load_sweep(store) for store in stores]
    if len(loaded) == 2:
        return compare_sweeps(loaded[0], loaded[1], **choices)
    axes = loaded[0].manifest["axes"]
    if by is None and len(axes) != 1:
        _refuse([f"--by  one axis must be named, of {', '.join(axes) or 'none: compare two stores'}"])
    return compare(loaded[0], by or axes[0], baseline=baseline, **choices)


def _parsed_labels(texts: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        axis, equals, label = text.partition("=")
        if not equals:
            _refuse([f"--where {text}  is written AXIS=LABEL"])
        yield axis, label


def _comparison_folder(stores: list[str], by: str | None) -> Path:
    names = [Path(store).name for store in stores]
    return Path("runs") / "-".join(["compare", *names, *([by] if by else [])])


def _deliver_comparison(comparison: "Comparison", folder: Path) -> None:
    """Print a comparison and its gates, and write its page."""
    from rich.console import Console

    from analysis.comparisons.page import write_comparison
    from analysis.comparisons.table import comparison_table, gate_table, warning_lines

    page = write_comparison(comparison, folder)
    console = Console()
    console.print(comparison_table(comparison))
    if len(comparison.gates):
        console.print(gate_table(comparison))
    for line in warning_lines(comparison):
        typer.echo(line, err=True)
    typer.echo(f"page:   {page}")
    if (comparison.gates["outcome"] != "pass").any():
        raise typer.Exit(FAILED)


def _loaded(source: str, overrides: list[str]) -> "Scenario":
    from sim.scenario import ScenarioError, load_scenario

    try:
        return load_scenario(source, overrides)
    except ScenarioError as error:
        _refuse([str(problem) for problem in error.problems])


def _ready(source: str, overrides: list[str], out: Path | None, default: str) -> tuple["Scenario", Path]:
    """Scenario and result folder, or every complaint on either, before anything is computed.

    The `default` folder lies in `runs`; `{name}` in it stands for the scenario's name.
    """
    from sim.scenario import ScenarioError, load_scenario

    complaints: list[str] = []
    try:
        loaded = load_scenario(source, overrides)
    except ScenarioError as error:
        _refuse([*(str(problem) for problem in error.problems), *(_folder_complaints(out) if out else [])])
    folder = out or Path("runs") / default.format(name=loaded.name)
    complaints = _folder_complaints(folder)
    if complaints:
        _refuse(complaints)
    return loaded, folder


def _ready_again(
    store: str, point: int, overrides: list[str], seed: int, out: Path | None
) -> tuple["Scenario", Path]:
    """Scenario of a sweep's point, and the result folder."""
    from sim.sweeps.rerun import point_scenario

    if overrides:
        _refuse(["--set  a point is run again as it was; give --point or --set, not both"])
    with _refusing():
        loaded = point_scenario(store, point)
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
    accounts = scenario.agents.counts()
    typer.echo(f"scenario  {scenario.name}: {scenario.description}")
    typer.echo(f"span      {clock.start:%Y-%m-%d %H:%M} UTC, {clock.duration / 3600:g} h")
    typer.echo(f"blocks    {clock.blocks} of {clock.block} s")
    typer.echo(f"markets   {', '.join(scenario.markets)}")
    typer.echo(f"accounts  {sum(accounts.values())}: " + ", ".join(f"{n} {k}" for k, n in accounts.items()))
    typer.echo(f"reading   {scenario.world.reading}, share of the market {scenario.world.share:g}")


def _simulate(scenario: "Scenario", seed: int, quiet: bool) -> "Result":
    """Run with a progress bar on the error stream; what breaks the run ends the command in one line."""
    from agents.custom import AgentError
    from analysis.terminal import run_bar
    from protocol.laws.invariants import InvariantError
    from sim.plugins import PluginError
    from sim.run import run

    try:
        if quiet:
            return run(scenario, seed, None)
        with run_bar(scenario) as report:
            return run(scenario, seed, report)
    except InvariantError as error:
        typer.echo(f"the run failed, an invariant is broken: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except (AgentError, PluginError) as error:
        typer.echo(f"the run failed: {error}", err=True)
        raise typer.Exit(FAILED) from error


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
