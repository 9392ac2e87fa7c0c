"""The frontier as a picture: a tail statistic against efficiency, with intervals both ways."""

from pathlib import Path
from typing import Literal

import altair as alt

from analysis.figures import write_images
from analysis.frontier import (
    AGAINST,
    BEHIND,
    DOMINATED,
    FRONTIER,
    Axis,
    Frontier,
    frontier_answer,
    frontier_table,
)
from analysis.style import BLUE, GREY, SKY, USD_LABEL, Figure, Records, inline, titled
from analysis.tails import LOSS
from analysis.wording import count, percent
from sim.sweeps.results import SweepResults

Step = Literal["step-before", "step-after"]

WIDE, HIGH = 640, 380
NAMED = 12
MOST = 40
FORMATS = {"USD": USD_LABEL, "1": "format(datum.value, '.3~%')", "x": "datum.label + '×'"}
STATES = (FRONTIER, BEHIND, DOMINATED)
NUMBERS = tuple(f"{name}{end}" for name in ("risk", "gain") for end in ("", "_low", "_high"))


def frontier_figure(found: Frontier) -> Figure:
    """Every point with both intervals; a step line joins those that no estimate dominates."""
    shown = ("name", "status", "by", *NUMBERS)
    rows = found.points.sort_values("gain").to_dict("records")
    records: Records = [{name: row[name] for name in shown} for row in rows]
    table = alt.Chart(inline(records))
    x = alt.X("gain:Q", axis=_axis(found.gain), scale=alt.Scale(zero=False))
    y = alt.Y("risk:Q", axis=_axis(found.risk), scale=alt.Scale(zero=False))
    colour = alt.Color("status:N", sort=None, scale=alt.Scale(domain=list(STATES), range=[BLUE, SKY, GREY]))
    best = table.transform_filter(alt.datum.status == FRONTIER)
    named = table if len(found.points) <= NAMED else best
    step: Step = "step-before" if found.gain.sign > 0 else "step-after"
    layers = alt.layer(
        best.mark_line(interpolate=step, color=BLUE, opacity=0.35, strokeWidth=1.2).encode(
            x=x, y=y, order="gain:Q"
        ),
        table.mark_rule(opacity=0.55).encode(x=x, y=alt.Y("risk_low:Q"), y2="risk_high:Q", color=colour),
        table.mark_rule(opacity=0.55).encode(x=alt.X("gain_low:Q"), x2="gain_high:Q", y=y, color=colour),
        table.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=colour, tooltip=_tooltip()),
        named.mark_text(align="left", dx=6, dy=-8, fontSize=11, color="#333").encode(x=x, y=y, text="name:N"),
    ).properties(width=WIDE, height=HIGH)
    way = "right" if found.gain.sign > 0 else "left"
    side = "higher" if found.risk.sign > 0 else "lower"
    below = f"better is {side} and to the {way}; bars: {percent(found.level)} intervals of each point alone"
    return titled(layers, _headline(found), below)


def frontier_plates(results: SweepResults) -> dict[str, tuple[Figure, str]]:
    """The frontier for a sweep's report, with a sentence.

    Nothing where the sweep has no losses or leverage, one point only, or more than `MOST`: too many to read.
    """
    missing = {LOSS, AGAINST} - set(results.metrics)
    if missing or not 1 < results.runs.loc[results.runs["status"] == "done", "point"].nunique() <= MOST:
        return {}
    found = frontier_table(results)
    return {"frontier": (frontier_figure(found), frontier_answer(found)[0])}


def _headline(found: Frontier) -> str:
    status = found.points["status"]
    text = f"{(status == FRONTIER).sum()} of {count(len(status), 'point')} on the frontier"
    dominated = int((status == DOMINATED).sum())
    return (
        f"{text}, {dominated} shown to be dominated" if dominated else f"{text}, none shown to be dominated"
    )


def _axis(axis: Axis) -> alt.Axis:
    form = FORMATS.get(axis.statistic.unit(axis.unit), "datum.label")
    return alt.Axis(title=axis.text, tickCount=6, labelExpr=form)


def _tooltip() -> list[alt.Tooltip]:
    numbers = [alt.Tooltip(f"{name}:Q", format=".4~s") for name in NUMBERS]
    return [
        alt.Tooltip("name:N"),
        alt.Tooltip("status:N"),
        alt.Tooltip("by:N", title="dominated by"),
        *numbers,
    ]


def write_frontier(found: Frontier, folder: Path) -> None:
    """Write `frontier.csv` and the figure into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.points.to_csv(folder / "frontier.csv", index=False)
    write_images({"frontier": frontier_figure(found)}, folder)
