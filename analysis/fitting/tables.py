"""A fit in the terminal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.fitting.fit import Fitted


def print_fit(fitted: Fitted, written: Sequence[Path], quiet: bool) -> None:
    """Say what was found, how well it fits, and where it lies."""
    console = Console(soft_wrap=quiet)
    if not quiet:
        console.print(estimates_table(fitted))
        console.print(goodness_table(fitted))
        for note in fitted.fit.notes:
            console.print(f"note: {note}", highlight=False)
    for path in written:
        console.print(str(path), highlight=False, soft_wrap=True)


def estimates_table(fitted: Fitted) -> Table:
    """Every estimate with its standard error, below the way in which it was found."""
    table = Table(title=f"{fitted.kind}: estimates", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("parameter", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("standard error", justify="right")
    table.add_column("unit", no_wrap=True)
    for method in dict.fromkeys(each.method for each in fitted.fit.estimates):
        table.add_section()
        table.add_row(Text(method, style="italic"))
        for each in fitted.fit.estimates:
            if each.method == method:
                error = f"{each.error:.2g}" if np.isfinite(each.error) else ""
                table.add_row(each.name, f"{each.value:.4g}", error, each.unit)
    return table


def goodness_table(fitted: Fitted) -> Table:
    """Every statistic of the data among those of the replicas."""
    inside = int(fitted.goodness["inside"].sum())
    title = (
        f"{inside} of {len(fitted.goodness)} statistics inside the central 95 % of {fitted.replicas} replicas"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("statistic", no_wrap=True)
    for name in ("real", "simulated median", "2.5 %", "97.5 %"):
        table.add_column(name, justify="right")
    table.add_column("inside?")
    for row in fitted.goodness.to_dict("records"):
        numbers = (f"{row[name]:.3g}" for name in ("real", "median", "low", "high"))
        table.add_row(row["statistic"], *numbers, "yes" if row["inside"] else "[red]no[/red]")
    return table
