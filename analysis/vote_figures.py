"""Figures of votes: how they came in, and who votes for whom."""

import altair as alt
import numpy as np
import pandas as pd

from analysis.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    WIDTH,
    Figure,
    Records,
    chart,
    colours,
    figures6,
    inline,
    milliseconds,
    stacked,
    time_axis,
    titled,
    tooltip,
)
from analysis.tables import Run
from analysis.wording import count, percent

SUPPORTS = {"for": GREEN, "against": VERMILION, "abstain": GREY, "veto": PURPLE}
FOLLOWER = "follower"
KINDS = {
    "traders": ORANGE,
    "vault depositors": BLUE,
    "token holders": GREEN,
    "risk council": PURPLE,
    FOLLOWER: GREY,
}
RING = 0.42
SHOWN, POINTS = 8, 300


def votes(run: Run) -> Figure:
    """How votes came in on the last proposals that were voted on, with the largest ballots as steps."""
    ballots = run.more["votes"]
    numbers = list(dict.fromkeys(ballots["proposal"]))[-SHOWN:]
    panels = [_vote_panel(run, int(number), named=number == numbers[-1]) for number in numbers]
    shares = [_half(ballots[ballots["proposal"] == number]["weight"]) for number in numbers]
    voters, polls = ballots["voter"].nunique(), ballots["proposal"].nunique()
    text = f"{count(voters, 'holder')} voted on {count(polls, 'proposal')}"
    text += f"; {np.median(shares):.0f} of them cast half of the votes of a proposal, in the median"
    return titled(stacked(panels, color="shared"), text)


def _half(weights: pd.Series) -> int:
    """How many of the largest ballots make half of all."""
    ranked = weights.sort_values(ascending=False).cumsum()
    return int((ranked < ranked.iloc[-1] / 2).sum()) + 1


def _vote_panel(run: Run, number: int, named: bool) -> alt.Chart:
    ballots = run.more["votes"]
    mine = ballots[ballots["proposal"] == number]
    records: Records = []
    for support in SUPPORTS:
        rows = mine[mine["support"] == support]
        if rows.empty:
            continue
        total = rows["weight"].cumsum().to_numpy()
        times = milliseconds(rows["time"])
        kept = [*range(0, len(rows), max(1, len(rows) // POINTS)), len(rows) - 1]
        records += [
            {"time": int(times[index]), "line": support, "value": figures6(total[index])} for index in kept
        ]
    proposals = run.more["proposals"].set_index("number")
    state = str(proposals.loc[number, "state"])
    axis = alt.Axis(title=f"{number}: {state}", format=".3~s", tickCount=3)
    drawn: alt.Chart = (
        chart(records)
        .mark_line(interpolate="step-after", point=len(mine) < 60)
        .encode(
            x=time_axis(run, named),
            y=alt.Y("value:Q", axis=axis),
            color=colours(SUPPORTS, list(SUPPORTS.values())),
            tooltip=tooltip(("line:N", "said", None), ("value:Q", "tokens", ".4~s")),
        )
        .properties(width=WIDTH, height=80)
    )
    return drawn


def delegation(run: Run) -> Figure:
    """Who votes for whom: delegates by their power, the largest in the middle, each among his followers."""
    edges, nodes = run.more["delegation"], run.more["electorate"]
    nodes = nodes.sort_values("power", ascending=False, ignore_index=True)
    points, links = [], []
    for rank, (holder, kind, power) in enumerate(
        zip(nodes["holder"], nodes["interest"], nodes["power"], strict=True)
    ):
        x, y = _spiral(rank)
        points.append(_point(x, y, str(kind).replace("_", " "), float(power), int(holder)))
        followers = edges[(edges["delegate"] == holder) & (edges["holder"] != holder)]
        for index, (other, tokens) in enumerate(zip(followers["holder"], followers["tokens"], strict=True)):
            angle = 2 * np.pi * index / len(followers)
            at = (x + RING * np.cos(angle), y + RING * np.sin(angle))
            points.append(_point(*at, FOLLOWER, float(tokens), int(other)))
            links.append({"base": x, "top": y, "end": at[0], "value": at[1], "line": FOLLOWER})
    share = nodes["power"].nlargest(10).sum() / nodes["power"].sum()
    title = f"The ten largest of {count(len(nodes), 'delegate')} hold {percent(share)} of the power shown"
    below = "area: tokens; colour: what a delegate lives from; the largest followers stand around"
    return titled(_network(points, links or [dict(points[0], end=None)]), title, below)


def _spiral(rank: int) -> tuple[float, float]:
    """Place of a rank on a sunflower's spiral, one unit from its neighbours."""
    angle, radius = rank * np.pi * (3 - 5**0.5), (rank + 0.5) ** 0.5
    return float(radius * np.cos(angle)), float(radius * np.sin(angle))


def _point(x: float, y: float, kind: str, tokens: float, holder: int) -> dict[str, object]:
    """A holder in the picture."""
    return {"base": x, "top": y, "line": kind, "value": figures6(tokens), "holder": holder}


def _network(points: Records, links: Records) -> Figure:
    wide = alt.Scale(zero=False)
    x, y = alt.X("base:Q", axis=None, scale=wide), alt.Y("top:Q", axis=None, scale=wide)
    rules = alt.Chart(inline(links)).mark_rule(color="#cccccc", strokeWidth=0.6)
    dots = alt.Chart(inline(points)).mark_circle(opacity=0.9, stroke="white", strokeWidth=0.5)
    shown = [
        alt.Tooltip("holder:N"),
        alt.Tooltip("line:N", title="lives from"),
        alt.Tooltip("value:Q", title="tokens", format=".4~s"),
    ]
    size = alt.Size("value:Q", scale=alt.Scale(range=[4, 1100], zero=True), legend=None)
    layers = alt.layer(
        rules.encode(x=x, y=y, x2="end:Q", y2="value:Q"),
        dots.encode(x=x, y=y, size=size, color=colours(KINDS, list(KINDS.values())), tooltip=shown),
    )
    return layers.properties(width=WIDTH, height=WIDTH - 140)
