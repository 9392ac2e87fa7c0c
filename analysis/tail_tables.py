"""The tails of a sweep for the terminal: risk by point, fitted tails, plain sentences, and the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from analysis.comparisons.intervals import Drawing
from analysis.frontier import AGAINST, Better, Frontier, frontier_answer, frontier_table
from analysis.frontier_figure import write_frontier
from analysis.listing import listing
from analysis.tails import LEVELS, LOSS, extremes_table, tail_table
from analysis.wording import NBSP, count, joined, quantity, short
from sim.sweeps.results import SweepResults

SHOWN_POINTS = 30


@dataclass(frozen=True)
class Tails:
    """All that is said about the tails of a sweep.

    Attributes
    ----------
    metric, unit : str
        The loss that VaR and ES are of.
    levels : tuple of float
    risks, extremes : DataFrame
        As `tail_table` and `extremes_table`.
    frontier : Frontier or None
        ES at the first level against efficiency; None where the sweep has no metric of it.
    """

    metric: str
    unit: str
    levels: tuple[float, ...]
    risks: pd.DataFrame
    extremes: pd.DataFrame
    frontier: Frontier | None


def tails(
    results: SweepResults,
    metric: str = LOSS,
    levels: Sequence[float] = LEVELS,
    against: str = "",
    better: Better = "",
    drawing: Drawing | None = None,
) -> Tails:
    """Tails of a sweep, and its frontier.

    Parameters
    ----------
    results : SweepResults
    metric : str
    levels : sequence of float
        Of VaR and ES [1]; the first is that of the frontier.
    against : str
        Metric of efficiency; by default the system leverage, where the sweep has it.
    better : {"higher", "lower", ""}
        As `frontier_table`.
    drawing : Drawing, optional

    Raises
    ------
    ScenarioError
        As `risks_of` and `frontier_table`.
    """
    levels = tuple(dict.fromkeys(levels))
    risks = tail_table(results, metric, levels, drawing)
    extremes = extremes_table(results, metric, levels, drawing)
    named = against or (AGAINST if AGAINST in results.metrics else "")
    frontier = None
    if named and (against or len(results.points) > 1):
        frontier = frontier_table(results, f"es{levels[0] * 100:g}({metric})", named, better, drawing)
    unit = str(results.manifest["metrics"][metric]["unit"])
    return Tails(metric, unit, levels, risks, extremes, frontier)


def tails_tables(found: Tails) -> list[Table]:
    """Risk by point; the fitted tails, where there is one; the frontier, where there is one."""
    tables = [_risks(found.risks)]
    if found.extremes["shape"].notna().any():
        tables.append(_extremes(found))
    if found.frontier is not None:
        tables.append(_frontier(found.frontier))
    return tables


def _risks(risks: pd.DataFrame) -> Table:
    names = list(dict.fromkeys(risks["risk"]))
    labels = risks.drop_duplicates("risk").set_index("risk")["label"]
    table = listing("risk", [str(labels[name]).partition(",")[0] for name in names])
    for name, rows in _shown(risks):
        by = rows.set_index("risk")
        table.add_row(Text(name), *(_cell(by.loc[each]) for each in names))
    return _captioned(table, risks)


def _extremes(found: Tails) -> Table:
    level = f"{found.levels[-1] * 100:g}"
    heads = ("above", "shape", "p", f"VaR {level} %", "of the runs", f"ES {level} %", "of the runs")
    table = listing("fitted tail", list(heads))
    for name, rows in _shown(found.extremes):
        row = rows.iloc[0]
        shape = f"{short(row['shape'])}\n{short(row['shape_low'])} to {short(row['shape_high'])}"
        cells = [str(row["exceedances"]), shape, short(row["p"])]
        for kind in (f"var{level}", f"es{level}"):
            cells += [_interval(row, kind, found.unit), quantity(row[f"{kind}_runs"], found.unit)]
        table.add_row(Text(name), *cells)
    return _captioned(table, found.extremes)


def _frontier(found: Frontier) -> Table:
    table = listing("frontier", [found.gain.text, found.risk.text, "", "by", "p"])
    for name, rows in _shown(found.points):
        row = rows.iloc[0]
        gain = _interval(row, "gain", found.gain.unit)
        risk = _interval(row, "risk", found.risk.statistic.unit(found.risk.unit))
        table.add_row(Text(name), gain, risk, row["status"], Text(row["by"]), short(row["p"]))
    return _captioned(table, found.points)


def _shown(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    groups = frame.groupby("point", sort=False)
    return [(str(rows["name"].iloc[0]), rows) for _, rows in list(groups)[:SHOWN_POINTS]]


def _captioned(table: Table, frame: pd.DataFrame) -> Table:
    points = frame["point"].nunique()
    if points > SHOWN_POINTS:
        table.caption = f"the first {SHOWN_POINTS} of {points:,} points"
    return table


def _cell(row: pd.Series) -> Text:
    """A value above its interval; dim where there are too few seeds for it."""
    numbers = pd.Series({"x": row["value"], "x_low": row["low"], "x_high": row["high"]})
    return Text(_interval(numbers, "x", str(row["unit"])), style="dim" if row["warning"] else "")


def _interval(row: pd.Series, name: str, unit: str) -> str:
    """A value above its interval; without the space before the sign, at which a terminal would break."""
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return quantity(value, unit)
    if not np.isfinite(low):
        return f"{quantity(value, unit)}\nno interval"
    return f"{quantity(value, unit)}\n{quantity(low, unit)} to {quantity(high, unit)}".replace(NBSP, "")


def tails_answer(found: Tails) -> list[str]:
    """What the tables say, in plain sentences."""
    lines = [_worst(found), *_warnings(found.risks), _tail_sentence(found.extremes)]
    if found.frontier is None:
        return [*lines, "No frontier: it takes two points and a metric of efficiency, see --against."]
    return lines + frontier_answer(found.frontier)


def _worst(found: Tails) -> str:
    """The points with the worst and the mildest ES."""
    name = f"es{found.levels[0] * 100:g}"
    rows = found.risks[found.risks["risk"] == name].dropna(subset="value").sort_values("value")
    if rows.empty:
        return "No point has two finished runs."
    ends = [rows.iloc[0], rows.iloc[-1]] if len(rows) > 1 else [rows.iloc[0]]
    told = [
        f"{quantity(row['value'], found.unit)} [{quantity(row['low'], found.unit)}, "
        f"{quantity(row['high'], found.unit)}] at {row['name']}"
        for row in ends
    ]
    return f"{rows.iloc[0]['label']}: {' to '.join(told)}."


def _warnings(risks: pd.DataFrame) -> list[str]:
    """One sentence on what has too few seeds, if anything has."""
    few = risks[risks["warning"] != ""]
    if few.empty:
        return []
    needed = few.groupby("fewest")["label"].unique()
    told = [
        f"{joined([label.partition(',')[0] for label in labels])} {'take' if len(labels) > 1 else 'takes'} "
        f"{number}"
        for number, labels in needed.items()
    ]
    seeds = count(int(few["seeds"].min()), "seed")
    return [f"Too few seeds for a fair interval: {'; '.join(told)}; some point has {seeds}."]


def _tail_sentence(extremes: pd.DataFrame) -> str:
    """What the extreme-value check says, point by point where points differ."""
    by = extremes.groupby("verdict", sort=False)["name"].apply(list)
    if len(by) == 1:
        return f"Extreme values, every point: {by.index[0]}."
    told = [f"{joined(names)}: {verdict}" for verdict, names in list(by.items())[:SHOWN_POINTS]]
    return f"Extreme values. {'; '.join(told)}."


def write_tails(found: Tails, folder: Path) -> None:
    """Write `tails.csv`, `extremes.csv` and, where there is one, the frontier into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.risks.to_csv(folder / "tails.csv", index=False)
    found.extremes.to_csv(folder / "extremes.csv", index=False)
    if found.frontier is not None:
        write_frontier(found.frontier, folder)
