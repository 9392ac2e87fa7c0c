"""The figure of a fit: where real statistics lie among those of replicas."""

from typing import cast

import altair as alt
import pandas as pd

from analysis.style import BLUE, GREY, VERMILION, WIDTH, Figure, inline, titled

REACH = 4.0


def goodness_figure(goodness: pd.DataFrame, kind: str, replicas: int) -> Figure:
    """Each real statistic as a dot on the central 95 % of replicas, drawn from -1 to 1 with the median at 0.

    Parameters
    ----------
    goodness : DataFrame
        As returned by `analysis.fitting.replicas.goodness`.
    kind : str
        Of the generator.
    replicas : int
    """
    away = goodness["real"] - goodness["median"]
    reach = (goodness["high"] - goodness["median"]).where(away >= 0, goodness["median"] - goodness["low"])
    place = (away / reach.clip(lower=1e-12)).clip(-REACH, REACH)
    records = [
        {
            "line": name,
            "value": float(value),
            "base": -1.0,
            "top": 1.0,
            "verdict": "inside" if inside else "outside",
        }
        for name, value, inside in zip(goodness["statistic"], place, goodness["inside"], strict=True)
    ]
    chart = alt.Chart(inline(records), width=WIDTH - 200, height=14 * len(records))
    order = alt.Y("line:N", sort=None, title=None)
    bar = chart.mark_rule(strokeWidth=7, color=GREY, opacity=0.45).encode(
        y=order, x=alt.X("base:Q", title="0: median; ±1: 2.5 and 97.5 % of replicas"), x2="top:Q"
    )
    scale = alt.Scale(domain=["inside", "outside"], range=[BLUE, VERMILION])
    dot = chart.mark_circle(size=60, opacity=1).encode(
        y=order, x="value:Q", color=alt.Color("verdict:N", scale=scale)
    )
    met = int(goodness["inside"].sum())
    title = f"{kind}: {met} of {len(goodness)} real statistics lie among those of its paths"
    below = (
        f"Central 95 % of {replicas} replicas of the data's length; dots beyond ±{REACH:g} stand at the edge."
    )
    return titled(cast("Figure", bar + dot), title, below)
