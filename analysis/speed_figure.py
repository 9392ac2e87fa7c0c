"""The curve of what speed is worth: loss avoided by delay, a line for each width, below that of hindsight."""

from pathlib import Path
from typing import Literal

import altair as alt
import numpy as np

from analysis.figures import write_images
from analysis.speed import Speed, answer, delay_name, width_name
from analysis.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    USD_LABEL,
    VERMILION,
    Figure,
    Records,
    inline,
    titled,
)
from analysis.wording import count, percent
from sim.metrics import describe

LINES = (BLUE, ORANGE, PURPLE, VERMILION, BLACK)
WIDE, HIGH, APART = 640, 320, 0.13


def speed_figure(found: Speed) -> Figure:
    """Mean loss avoided at each delay with its paired interval, and what hindsight avoids."""
    delays = sorted(dict.fromkeys(found.curves["delay"]))
    widths = sorted(dict.fromkeys(found.curves["width"]), reverse=True)
    place = {delay: float(index) for index, delay in enumerate(delays)}
    records: Records = [
        {
            "value": place[row["delay"]] + APART * (widths.index(row["width"]) - (len(widths) - 1) / 2),
            "line": width_name(row["width"]),
            "loss": row["avoided"],
            "base": row["avoided_low"],
            "top": row["avoided_high"],
            "when": delay_name(row["delay"]),
        }
        for row in found.curves.to_dict("records")
    ]
    axis = alt.Axis(
        title="from a decision to its force",
        values=list(range(len(delays))),
        labelExpr=f"{[delay_name(delay) for delay in delays]}[datum.value]",
        grid=False,
    )
    scale = alt.Scale(domain=[-0.5, len(delays) - 0.5], nice=False)
    x = alt.X("value:Q", axis=axis, scale=scale)
    label = describe(found.metric, []).label.lower()
    y_axis = alt.Axis(
        title=f"avoided: {label} (mean of {count(found.seeds, 'seed')})", labelExpr=USD_LABEL, tickCount=6
    )
    colour = alt.Color(
        "line:N",
        scale=alt.Scale(domain=[width_name(width) for width in widths], range=list(LINES[: len(widths)])),
        sort=None,
    )
    shown = [
        alt.Tooltip("line:N", title="largest change"),
        alt.Tooltip("when:N", title="in force"),
        *(alt.Tooltip(f"{name}:Q", format="$.3~s") for name in ("loss", "base", "top")),
    ]
    points = alt.Chart(inline(records)).encode(x=x, color=colour, tooltip=shown)
    y = alt.Y("loss:Q", axis=y_axis)
    layers = alt.layer(
        *_level(0.0, VERMILION, "no update", -0.47, "left", 11),
        *_level(found.best.value, GREEN, "hindsight, at once", len(delays) - 0.53, "right", -7),
        points.mark_line(opacity=0.5).encode(y=y),
        points.mark_rule(strokeWidth=1.6).encode(y=alt.Y("base:Q", axis=y_axis), y2="top:Q"),
        points.mark_point(filled=True, size=55, opacity=1).encode(y=y),
    ).properties(width=WIDE, height=HIGH)
    below = f"against no update, on the same random worlds; bars: {percent(found.level)} intervals"
    return titled(layers, answer(found)[1], below)


def _level(
    value: float, colour: str, name: str, place: float, align: Literal["left", "right"], dy: float
) -> list[alt.Chart]:
    """A line across the figure with its name at a place."""
    record: Records = [{"value": place, "loss": value, "line": name}]
    base = alt.Chart(inline(record)).encode(y="loss:Q")
    text = base.mark_text(align=align, dy=dy, color=colour, fontSize=12).encode(x="value:Q", text="line:N")
    return [base.mark_rule(color=colour, strokeDash=[5, 4]), text]


def write_speed(found: Speed, folder: Path) -> None:
    """Write `speed.csv`, `slopes.csv` and the figure into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.curves.replace(np.inf, "any").to_csv(folder / "speed.csv", index=False)
    found.slopes.replace(np.inf, "any").to_csv(folder / "slopes.csv", index=False)
    write_images({"speed": speed_figure(found)}, folder)
