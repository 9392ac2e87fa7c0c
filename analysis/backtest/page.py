"""A backtest for people: the error tables for the terminal, and the files that hold it all."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.backtest.backtest import Backtest
from analysis.backtest.pictures import event_figure
from analysis.figures import write_images
from analysis.wording import short


def error_tables(backtest: Backtest) -> list[Table]:
    """A table for each event: what happened, what the runs say, how far that is off; a dash for unknown."""
    errors = backtest.errors
    return [_table(event.title, errors[errors["event"] == event.name]) for event in backtest.plan.events]


def _table(title: str, errors: pd.DataFrame) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("until", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    for name in ("real", "median", "2.5 %", "97.5 %", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("inside", no_wrap=True)
    for row in errors.to_dict("records"):
        table.add_row(*_cells(row), style="bold" if row["inside"] == "no" else "")
    return table


def _cells(row: Mapping[Hashable, Any]) -> list[str]:
    numbers = [row[name] for name in ("real", "median", "low", "high", "difference")]
    inside = {"yes": "yes", "no": "NO", "": "–"}[row["inside"]]
    return [f"{row['end']:%d %b}", row["figure"], *map(short, numbers), inside]


def verdict(backtest: Backtest) -> str:
    """How many of the figures that are known lie inside the range of the runs."""
    known = backtest.errors[backtest.errors["inside"] != ""]
    inside = int((known["inside"] == "yes").sum())
    runs = int(backtest.errors["runs"].max())
    return f"{inside} of {len(known)} known figures lie in the central 95 % of {runs} runs an event"


def write_backtest(backtest: Backtest, folder: Path) -> None:
    """Write `errors.csv`, `runs.csv`, and the figure of each event as PNG and SVG into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    backtest.errors.to_csv(folder / "errors.csv", index=False, lineterminator="\n")
    backtest.runs.to_csv(folder / "runs.csv", index=False, lineterminator="\n")
    figures = {
        event.name: event_figure(event, backtest.courses[event.name], backtest.plan.real[event.name])
        for event in backtest.plan.events
        if backtest.courses[event.name]
    }
    write_images(figures, folder)
