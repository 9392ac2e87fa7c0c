"""`seawall compare`: policies held against each other, as tables and a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.exits import FAILED, refuse, refusing

if TYPE_CHECKING:
    from analysis.comparisons.comparison import Comparison
    from analysis.comparisons.question import Choices


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
    with refusing():
        comparison = _compared(stores, by, baseline, choices)
    _deliver_comparison(comparison, out or _comparison_folder(stores, by))


def _compared(stores: list[str], by: str | None, baseline: str | None, choices: "Choices") -> "Comparison":
    """Compare the labels of an axis of one store, or two stores."""
    from analysis.comparisons.comparison import compare, compare_sweeps
    from sim.sweeps.results import load_sweep

    if len(stores) > 2:
        refuse([f"compare  takes one store or two, got {len(stores)}"])
    if len(stores) == 2 and (by or baseline):
        refuse(
            ["--by  two stores are compared as wholes, the first as the baseline; drop --by and --baseline"]
        )
    loaded = [load_sweep(store) for store in stores]
    if len(loaded) == 2:
        return compare_sweeps(loaded[0], loaded[1], **choices)
    axes = loaded[0].manifest["axes"]
    if by is None and len(axes) != 1:
        refuse([f"--by  one axis must be named, of {', '.join(axes) or 'none: compare two stores'}"])
    return compare(loaded[0], by or axes[0], baseline=baseline, **choices)


def _parsed_labels(texts: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        axis, equals, label = text.partition("=")
        if not equals:
            refuse([f"--where {text}  is written AXIS=LABEL"])
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
