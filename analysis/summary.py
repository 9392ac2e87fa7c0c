"""The numbers of a run as a table, for the terminal and for notebooks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import get_args

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analysis.tables import Run, load_run
from analysis.wording import noun, quantity
from sim.metric_registry import Section
from sim.metrics import describe

SECTIONS: tuple[str, ...] = get_args(Section)
ALWAYS = {
    "liquidated_accounts",
    "liquidated_usd",
    "bad_debt_gross_usd",
    "insurance_fund_start_usd",
    "insurance_fund_end_usd",
    "deleveraged_usd",
    "withdrawals_gated_share",
}
VENUE = "venue"
DETAIL = ("oracle_change_", "oracle_drawdown_", "bad_debt_after_", "mark_change_", "mark_drawdown_")


@dataclass(frozen=True)
class Line:
    """One line of a printed summary: a metric, or a role's profit, with its numbers by market or venue."""

    section: str
    label: str
    cells: dict[str, str]
    definition: str
    speaks: bool


def metrics_of(run: Run) -> pd.DataFrame:
    """Metrics of a loaded run, ordered by section; columns as in `summary_frame`."""
    rows = [_row(key, value, run.names) for key, value in run.summary.items()]
    columns = ["metric", "label", "subject", "value", "unit", "text", "section", "definition"]
    frame = pd.DataFrame(rows, columns=columns)
    order = frame["section"].map({section: i for i, section in enumerate(SECTIONS)})
    return frame.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def _row(key: str, value: float | None, markets: Sequence[str]) -> tuple[object, ...]:
    metric = describe(key, markets)
    number = float("nan") if value is None else value
    text = quantity(value, metric.unit)
    return key, metric.label, metric.subject, number, metric.unit, text, metric.section, metric.definition


def summary_frame(folder: str | Path) -> pd.DataFrame:
    """Metrics of a run, one row each.

    Parameters
    ----------
    folder : str or Path
        As written by `seawall run`.

    Returns
    -------
    DataFrame
        `metric` (key in `summary.json`), `label`, `subject` (market or role; empty for the venue),
        `value` (in `unit`; NaN where the metric has no meaning), `unit`, `text` (for people),
        `section`, `definition`.
    """
    return metrics_of(load_run(folder))


def summary_table(folder: str | Path) -> Table:
    """Metrics of a run that say something, grouped, for the terminal."""
    run = load_run(folder)
    columns = [*run.names, VENUE]
    title = f"{run.manifest['name']}, seed {run.manifest['seed']}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    told = [line for line in lines_of(run) if line.speaks]
    for section, group in groupby(told, key=lambda line: line.section):
        table.add_section()
        table.add_row(Text(section, style="bold"))
        for line in group:
            table.add_row(Text(f"  {line.label}"), *(Text(line.cells.get(c, "")) for c in columns))
    return table


def lines_of(run: Run) -> list[Line]:
    """All lines of a summary, section by section; one in which nothing has a meaning is left out."""
    frame = metrics_of(run)
    frame = frame[frame.groupby("section")["value"].transform("count") > 0].copy()
    roles = frame["metric"].str.startswith("pnl_")
    frame["label"] = frame["label"].mask(roles, frame["subject"].map(noun).str.capitalize())
    attacks = frame["metric"].str.startswith("attack_profit_")
    frame["label"] = frame["label"].mask(attacks, "Profit of " + frame["subject"])
    frame["place"] = frame["subject"].mask(roles | attacks, "").replace("", VENUE)
    lines = []
    for (section, label), rows in frame.groupby(["section", "label"], sort=False):
        cells = dict(zip(rows["place"], rows["text"], strict=True))
        speaks = any(map(_says_something, rows["metric"], rows["value"]))
        definition = str(rows["definition"].iloc[-1])
        lines.append(Line(str(section), str(label), cells, definition, speaks))
    return lines


def _says_something(key: str, value: float) -> bool:
    return key in ALWAYS or not (key.startswith(DETAIL) or math.isnan(value) or value == 0)
