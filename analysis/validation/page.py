"""A validation for people: a table for the terminal, a figure, and the files that hold both."""

from pathlib import Path

import altair as alt
from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.figures import write_images
from analysis.style import BLUE, GREY, VERMILION, WIDTH, Figure, inline, titled
from analysis.validation.validation import Validation
from analysis.wording import short

ROW_HEIGHT = 15
BAND = (0.025, 0.975)


def score_table(validation: Validation) -> Table:
    """Every statistic with its real value, the replicas' interval, and the rank of the one in the others."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("statistic", no_wrap=True)
    for name in ("real", "median", "2.5 %", "97.5 %", "rank"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("inside", no_wrap=True)
    for row in validation.scores.to_dict("records"):
        numbers = [short(row[name]) for name in ("real", "median", "low", "high")]
        inside = "yes" if row["inside"] else "NO"
        style = "" if row["inside"] else "bold"
        table.add_row(row["statistic"], *numbers, f"{row['rank']:.3f}", inside, style=style)
    return table


def verdict(validation: Validation) -> str:
    """How many statistics lie inside, of all and of each family."""
    found = validation.scores
    parts = [
        f"{family} {int(group['inside'].sum())} of {len(group)}"
        for family, group in found.groupby("family", sort=False)
    ]
    inside = int(found["inside"].sum())
    share = f"{100 * validation.share_inside:.0f} %"
    where = "lie in the central 95 % of replicas"
    return f"{inside} of {len(found)} statistics ({share}) {where}: {', '.join(parts)}"


def rank_figure(validation: Validation) -> Figure:
    """The rank of each real statistic among the replicas, with the central 95 % shaded."""
    found = validation.scores
    shown = found[found["rank"].notna()]
    records = [
        {
            "statistic": row["statistic"],
            "value": round(row["rank"], 4),
            "inside": "inside" if row["inside"] else "outside",
            "real": f"{row['real']:.3g}",
            "interval": f"{row['low']:.3g} to {row['high']:.3g}",
        }
        for row in shown.to_dict("records")
    ]
    order = shown["statistic"].tolist()
    ranks = alt.X("value:Q", title="share of replicas below the real value", scale=alt.Scale(domain=[0, 1]))
    colour = alt.Color(
        "inside:N", scale=alt.Scale(domain=["inside", "outside"], range=[BLUE, VERMILION]), sort=None
    )
    points = (
        alt.Chart(inline(records), width=WIDTH - 240, height=ROW_HEIGHT * max(len(order), 1))
        .mark_circle(size=60, opacity=1)
        .encode(
            x=ranks,
            y=alt.Y("statistic:N", sort=order, title=None, axis=alt.Axis(labelLimit=230, grid=True)),
            color=colour,
            tooltip=["statistic:N", "real:N", alt.Tooltip("interval:N", title="95 % of replicas")],
        )
    )
    band = (
        alt.Chart(inline([{"base": BAND[0], "top": BAND[1]}]))
        .mark_rect(opacity=0.12, color=GREY)
        .encode(x="base:Q", x2="top:Q")
    )
    figure: Figure = alt.layer(band, points)
    return titled(figure, "Where real markets fall among the simulated ones", verdict(validation))


def write_validation(validation: Validation, folder: Path) -> None:
    """Write `scores.csv`, `replicas.parquet` and the figure as PNG and SVG into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    validation.scores.to_csv(folder / "scores.csv", index=False, lineterminator="\n")
    validation.replicas.to_parquet(folder / "replicas.parquet", index=False)
    write_images({"ranks": rank_figure(validation)}, folder)
