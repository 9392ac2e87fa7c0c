"""A run and its branch side by side: what another policy has changed from the moment at which it came."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
from rich.table import Table

from analysis.figures import write_images
from analysis.listing import listing
from analysis.report import write_report
from analysis.style import BLUE, VERMILION, Figure, inline, span_axis, titled
from analysis.tables import Run, load_run
from analysis.wording import count, duration, quantity
from sim.branching import branch
from sim.metrics import describe
from sim.problems import Problem, ScenarioError
from sim.rerun import recorded
from sim.store import write_run

SHARED = ("blocks", "markets", "liquidations", "deleverages")
TOLD = ("bad_debt_gross_usd", "liquidated_usd", "deleveraged_usd", "insurance_fund_end_usd")
WIDE, HIGH, MOST = 640, 240, 600


@dataclass(frozen=True)
class Branch:
    """A run and its branch.

    Attributes
    ----------
    base, other : Run
    at : float
        When they part [s].
    table : DataFrame
        A row for each metric that differs: `metric`, `label`, `unit`, `base`, `branch`, `difference`.
    """

    base: Run
    other: Run
    at: float
    table: pd.DataFrame


def branched(folder: Path, at: float, changes: Mapping[str, Any], target: Path) -> Branch:
    """Run a branch of a finished run, write it into a new folder, and hold both side by side.

    Parameters
    ----------
    folder : Path
        Of the run.
    at : float
        When it branches off [s].
    changes : mapping of str to object
        Settings by their paths.
    target : Path
        New folder of the branch.

    Raises
    ------
    ScenarioError
        When no run of this version lies there, the world up to the moment is another one, or a change is
        not to be made.
    """
    scenario, seed = recorded(folder)
    result = branch(scenario, seed, at, changes)
    base = load_run(folder)
    for name in SHARED:
        same_until(
            getattr(base, name), result.tables[name], int(at // base.block_seconds), f"{folder}/{name}"
        )
    note = {"run": str(folder), "at": at, "changes": {path: str(value) for path, value in changes.items()}}
    write_run(result, target, {"branch": note})
    write_report(target)
    other = load_run(target)
    return Branch(base, other, at, compared(base, other))


def same_until(one: pd.DataFrame, other: pd.DataFrame, block: int, place: str) -> None:
    """Refuse two tables that differ in what both hold up to a block."""
    columns = [name for name in one.columns if name in other.columns]
    parts = [table.loc[table["block"] <= block, columns].reset_index(drop=True) for table in (one, other)]
    if not parts[0].equals(parts[1]):
        rule = "a branch shares its run's world up to the moment; another version has made this run"
        raise ScenarioError([Problem(place, "", rule, f"block {block}")])


def compared(base: Run, other: Run) -> pd.DataFrame:
    """Metrics that differ between two runs."""
    rows = []
    for key in base.summary:
        mine, theirs = base.summary[key], other.summary.get(key)
        if mine != theirs:
            metric = describe(key, base.names)
            values = [float("nan") if each is None else float(each) for each in (mine, theirs)]
            label = f"{metric.label} {metric.subject}".strip()
            rows.append((key, label, metric.unit, *values, values[1] - values[0]))
    return pd.DataFrame(rows, columns=["metric", "label", "unit", "base", "branch", "difference"])


def branch_tables(found: Branch) -> list[Table]:
    """Metrics that differ, for the terminal."""
    table = listing("", ("as it was", "branch", "difference"))
    for row in found.table.to_dict(orient="records"):
        unit = str(row["unit"])
        cells = [quantity(row[name], unit) for name in ("base", "branch", "difference")]
        table.add_row(str(row["label"]), *cells)
    return [table]


def sentences(found: Branch) -> list[str]:
    """What has become of losses."""
    moment = duration(found.at)
    if found.table.empty:
        return [f"From {moment} on nothing differs."]
    told = []
    for metric in TOLD:
        rows = found.table[found.table["metric"] == metric]
        if len(rows):
            row = rows.iloc[0]
            values = [quantity(row[name], str(row["unit"])) for name in ("base", "branch")]
            told.append(f"{row['label']}: {values[1]} instead of {values[0]}.")
    return [f"The same world up to {moment}; {count(len(found.table), 'metric')} differ.", *told]


def branch_figure(found: Branch) -> Figure:
    """Liquidated by then, and the mark of the first market, as it was and in the branch."""
    market = found.base.names[0]
    marks = [run.market(market).set_index("time")["mark"] for run in _both(found)]
    parts = [
        _panel(found, f"{market}, mark", marks, named=False),
        _panel(found, "liquidated so far", [_liquidated(run) for run in _both(found)], named=True),
    ]
    return titled(
        alt.vconcat(*parts), sentences(found)[0], "as it was, and with another policy from the line on"
    )


def _both(found: Branch) -> tuple[Run, Run]:
    return found.base, found.other


def _liquidated(run: Run) -> pd.Series:
    rows = run.markets.groupby("time")[["long_liquidated_usd", "short_liquidated_usd"]].sum()
    total: pd.Series = rows.sum(axis=1).cumsum()
    return total


def _panel(found: Branch, title: str, series: list[pd.Series], named: bool) -> Figure:
    """Both lines over time, and a rule where they part; only the lowest panel names the time."""
    step = max(len(series[0]) // MOST, 1)
    records = [
        {"time": _milliseconds(moment), "value": float(value), "line": name}
        for name, line in zip(("as it was", "branch"), series, strict=True)
        for moment, value in line.iloc[::step].items()
    ]
    scale = alt.Scale(domain=["as it was", "branch"], range=[BLUE, VERMILION])
    lines = (
        alt.Chart(inline(records))
        .mark_line()
        .encode(
            x=span_axis(series[0].index.min(), series[0].index.max(), named),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format="$.3~s")),
            color=alt.Color("line:N", scale=scale, sort=None),
            tooltip=["time:T", "line:N", alt.Tooltip("value:Q", format="$,.2f")],
        )
    )
    start = pd.Timestamp(found.base.manifest["start"]) + pd.Timedelta(seconds=found.at)
    rule = alt.Chart(inline([{"time": _milliseconds(start)}])).mark_rule(strokeDash=[4, 3]).encode(x="time:T")
    return alt.layer(lines, rule).properties(width=WIDE, height=HIGH)


def _milliseconds(moment: Hashable) -> int:
    """A moment as figures count time, since 1970."""
    return round(pd.Timestamp(str(moment)).timestamp() * 1000)


def write_branch(found: Branch, folder: Path) -> None:
    """Write the comparison and its figure beside the branch's own files."""
    found.table.to_csv(folder / "branch.csv", index=False)
    write_images({"branch": branch_figure(found)}, folder)
