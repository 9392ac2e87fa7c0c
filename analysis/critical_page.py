"""Critical shocks as tables, a figure and sentences."""

from pathlib import Path

import altair as alt
import numpy as np
from rich.table import Table

from analysis.critical import AS_IT_IS, Critical, out_of_order
from analysis.figures import write_images
from analysis.listing import listing
from analysis.style import BLUE, ORANGE, VERMILION, Figure, inline, titled
from analysis.wording import count, percent

COLUMNS = {
    "gross": "bad debt",
    "beyond": "bad debt beyond the fund",
    "reproduction": "R0 = 1",
}
COLOURS = dict(zip(COLUMNS, (BLUE, ORANGE, VERMILION), strict=True))
WIDE, HIGH = 640, 300


def critical_tables(found: Critical) -> list[Table]:
    """Critical shocks by variant, and what each buys."""
    share = percent(found.probe.share)
    labels = [label if name == "reproduction" else f"{label} > {share}" for name, label in COLUMNS.items()]
    table = listing(f"smallest fall, {count(found.seeds, 'seed')}", labels)
    names = list(dict.fromkeys(found.rows["variant"]))
    for name in names:
        table.add_row(name, *(_points(found.interval(name, column)) for column in COLUMNS))
    for name in names[1:]:
        table.add_row(f"bought by {name}", *(_points(found.bought(name, column)) for column in COLUMNS))
    return [table]


def _points(interval: tuple[float, float, float]) -> str:
    """Percentage points with their interval."""
    value, low, high = (100 * each for each in interval)
    if np.isnan(value):
        return "none"
    return f"{value:.1f}" if np.isnan(low) else f"{value:.1f} \\[{low:.1f}, {high:.1f}]"


def sentences(found: Critical) -> list[str]:
    """What the table says."""
    if found.rows.empty:
        return ["No world was searched to its end, so nothing is known of a critical shock."]
    told = []
    for column, label in (("gross", "bad debt"), ("beyond", "bad debt beyond the insurance fund")):
        value, low, high = found.interval(AS_IT_IS, column)
        worlds = found.rows[found.rows["variant"] == AS_IT_IS]
        missing = int(worlds[column].isna().sum())
        if np.isnan(value):
            told.append(
                f"No fall up to 90 % makes {label} exceed {percent(found.probe.share)} of open interest."
            )
            continue
        between = "" if np.isnan(low) else f" [{percent(low, 1)}, {percent(high, 1)}]"
        rare = f", in the {len(worlds) - missing} of {len(worlds)} worlds where one does" if missing else ""
        told.append(
            f"A fall of {percent(value, 1)}{between} makes {label} exceed "
            f"{percent(found.probe.share)} of open interest{rare}."
        )
    return [*told, _of_reproduction(found), *_of_order(found)]


def _of_reproduction(found: Critical) -> str:
    """Whether each dollar liquidated by the world leads to another where the venue breaks."""
    worlds = found.rows[found.rows["variant"] == AS_IT_IS]
    gap = (worlds["reproduction"] - worlds["gross"]).dropna()
    if len(gap):
        apart = float(gap.median())
        way = f"{abs(apart) * 100:.1f} points {'deeper' if apart > 0 else 'shallower'}"
        which = f", in the median of the {len(gap)} worlds of {len(worlds)} where it does"
        return f"R0 passes 1 at a fall {way}{which if len(worlds) > 1 else ''}."
    curve = found.curve[found.curve["variant"] == AS_IT_IS]
    broken = ", so the venue breaks before that" if worlds["gross"].notna().any() else ""
    sizes, ratios = (curve[name].to_numpy(dtype=float) for name in ("shock", "reproduction"))
    return (
        f"R0 reaches {ratios.max():.2f} at most, after a fall of {percent(float(sizes[ratios.argmax()]))}: "
        f"nowhere does a dollar liquidated by the fall lead to another{broken}."
    )


def _of_order(found: Critical) -> list[str]:
    """Deeper falls with less bad debt."""
    curve = found.curve[found.curve["variant"] == AS_IT_IS]
    wrong = out_of_order(curve, "shock", "gross")
    if wrong.empty:
        return []
    return [f"Of {wrong['steps'].iloc[0]:,} steps to a deeper fall {len(wrong)} had less bad debt."]


def critical_figure(found: Critical) -> Figure:
    """Bad debt over open interest by the size of the fall: a line for each world, and their mean."""
    curve = found.curve[found.curve["variant"] == AS_IT_IS]
    floor = found.probe.share / 100
    records = [
        {
            "shock": row["shock"],
            "value": max(float(row[column]), floor),
            "line": COLUMNS[column],
            "seed": row["seed"],
        }
        for row in curve.to_dict(orient="records")
        for column in ("gross", "beyond")
    ]
    worlds = curve.groupby("shock")["seed"].nunique()
    tried = set(worlds.index[worlds == worlds.max()])
    chart = alt.Chart(inline(records))
    shared = alt.Chart(inline([row for row in records if row["shock"] in tried]))
    x = alt.X("shock:Q", title="fall of prices", axis=alt.Axis(format=".0%"))
    y = alt.Y(
        "value:Q",
        title="bad debt over opening open interest",
        scale=alt.Scale(type="log", domain=[floor, 1]),
        axis=alt.Axis(format="~%"),
    )
    colour = alt.Color(
        "line:N",
        scale=alt.Scale(
            domain=[COLUMNS["gross"], COLUMNS["beyond"]], range=[COLOURS["gross"], COLOURS["beyond"]]
        ),
        sort=None,
        legend=alt.Legend(symbolOpacity=1),
    )
    level = alt.Chart(inline([{"value": found.probe.share}])).mark_rule(strokeDash=[5, 4]).encode(y="value:Q")
    layers = alt.layer(
        chart.mark_line(opacity=0.35).encode(x=x, y=y, color=colour, detail="seed:N"),
        shared.mark_line(strokeWidth=2.5).encode(x=x, y=alt.Y("mean(value):Q"), color=colour),
        level,
    ).properties(width=WIDE, height=HIGH)
    bar = percent(found.probe.share)
    below = f"a line for each of {count(found.seeds, 'world')}, thick their mean; dashed: {bar}"
    return titled(layers, sentences(found)[0], below)


def write_critical(found: Critical, folder: Path) -> None:
    """Write `critical.csv`, `curve.csv` and the figure into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.rows.to_csv(folder / "critical.csv", index=False)
    found.curve.to_csv(folder / "curve.csv", index=False)
    write_images({"critical": critical_figure(found)}, folder)
