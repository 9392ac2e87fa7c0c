"""The figure of a comparison: differences with their intervals, a panel for each metric and statistic."""

from typing import cast

import altair as alt
import numpy as np
import pandas as pd

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.words import Row, horizon, interval, number, rejected, signed
from analysis.style import BLUE, GREEN, GREY, ORANGE, USD_LABEL, VERMILION, Figure, inline, statement, titled
from analysis.wording import count, joined, percent

METRICS, STATISTICS = 6, 4
CELL, STEP = 165, 20
VERDICTS = {
    "better": GREEN,
    "worse": VERMILION,
    "lower": BLUE,
    "higher": ORANGE,
    "no difference shown": GREY,
}
POINTS_LABEL = "format(datum.value * 100, '~g')"


def comparison_figure(comparison: Comparison) -> Figure:
    """Differences of all alternatives from the baseline, with intervals.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Figure
        A row for each of the first metrics in which some policy differs, a column for each statistic.
    """
    frame = shown_rows(comparison)
    if frame.empty:
        return titled(statement("The policies did the same in every run."), _title(comparison))
    rows = [_row(rows, str(label), comparison.drawing) for label, rows in frame.groupby("label", sort=False)]
    figure = cast("Figure", alt.vconcat(*rows, spacing=18))
    return titled(figure, _title(comparison), _subtitle(comparison))


def shown_rows(comparison: Comparison) -> pd.DataFrame:
    """Rows that the figure draws: metrics that differ, and the policies that differ most."""
    frame = comparison.frame
    differing = frame.groupby("metric", sort=False)["tested"].any()
    metrics = [name for name, differs in differing.items() if differs][:METRICS]
    statistics = list(dict.fromkeys(frame["statistic"]))[:STATISTICS]
    kept = frame["metric"].isin(metrics) & frame["statistic"].isin(statistics)
    return frame[kept & frame["alternative"].isin(comparison.foremost)]


def _title(comparison: Comparison) -> str:
    names = comparison.foremost
    who = joined(names) if len(names) <= 3 else count(len(comparison.alternatives), "policy", "policies")
    return f"{who} against {comparison.baseline}"


def _subtitle(comparison: Comparison) -> str:
    seeds = count(int(comparison.frame["seeds"].max()), "seed")
    span, level = horizon(float(comparison.manifest["seconds"])), percent(comparison.drawing.level)
    drawn, all_ = len(comparison.foremost), len(comparison.alternatives)
    some = f" The {drawn} policies that differ most, of {all_}." if drawn < all_ else ""
    colours = {"better": "green is better", "worse": "red is worse", "lower": "blue is lower",
               "higher": "orange is higher"}  # fmt: skip
    met = set(comparison.frame["verdict"])
    told = [text for verdict, text in colours.items() if verdict in met]
    key = joined([*told, "grey means no difference shown"])
    return (
        f"Difference from {comparison.baseline} over {seeds} of {span}, with {level} intervals.{some} "
        f"{key[0].upper()}{key[1:]}, after correction for {comparison.family} comparisons."
    )


def _row(rows: pd.DataFrame, label: str, drawing: Drawing) -> alt.HConcatChart:
    names = list(dict.fromkeys(rows["alternative"]))
    cells = [
        _cell(cell, names, drawing, first=index == 0)
        for index, (_, cell) in enumerate(rows.groupby("statistic_label", sort=False))
    ]
    title = alt.TitleParams(text=label, fontSize=13, fontWeight=600, offset=6, frame="bounds")
    return alt.hconcat(*cells, spacing=22, title=title)


def _cell(rows: pd.DataFrame, names: list[str], drawing: Drawing, first: bool) -> alt.LayerChart:
    unit = str(rows["unit"].iloc[0])
    records = [_record(row, drawing) for row in rows.to_dict("records")]
    base = alt.Chart(inline(records), width=CELL, height=STEP * len(names) + 6)
    axis = alt.Axis(title=None, ticks=False, domain=False, labelLimit=200, labels=first)
    y = alt.Y("policy:N", sort=None, scale=alt.Scale(domain=names), axis=axis)
    colour = alt.Color(
        "line:N", scale=alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values())), legend=None
    )
    tips = [alt.Tooltip(f"{field}:N") for field in ("policy", "difference", "interval", "line")]
    x = alt.X("base:Q", axis=_axis(unit), scale=alt.Scale(zero=False, nice=True))
    zero = base.mark_rule(color="#777", strokeDash=[3, 3]).encode(x=alt.datum(0))
    span = base.mark_rule(strokeWidth=2.5).encode(x=x, x2="top:Q", y=y, color=colour, tooltip=tips)
    dots = base.mark_point(filled=True, size=55, opacity=1).encode(
        x="value:Q", y=y, color=colour, tooltip=tips
    )
    heading = str(rows["statistic_label"].iloc[0])
    title = alt.TitleParams(
        text=f"{heading}, points" if unit == "1" else heading,
        fontSize=11,
        fontWeight="normal",
        color="#555",
        offset=4,
        frame="group",
    )
    return cast("alt.LayerChart", alt.layer(zero, span, dots, title=title))


def _axis(unit: str) -> alt.Axis:
    label = {"USD": USD_LABEL, "1": POINTS_LABEL}.get(unit, "format(datum.value, '~s')")
    return alt.Axis(title=None, labelExpr=label, tickCount=3, labelFlush=True)


def _record(row: Row, drawing: Drawing) -> dict[str, object]:
    unit, low, high = str(row["unit"]), number(row, "low"), number(row, "high")
    return {
        "policy": row["alternative"],
        "line": row["verdict"],
        "base": low if np.isfinite(low) else None,
        "value": row["difference"],
        "top": high if np.isfinite(high) else None,
        "difference": signed(number(row, "difference"), unit),
        "interval": interval(row, unit, rejected(row, drawing)),
    }
