"""Figures of governance: when rules were asked for, what became of that, and how they changed."""

import altair as alt
import pandas as pd

from analysis.governance_words import became, outcomes
from analysis.style import (
    BLACK,
    GREEN,
    GREY,
    MARKET_COLOURS,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    Figure,
    Records,
    chart,
    colours,
    figures6,
    lines,
    milliseconds,
    stacked,
    statement,
    time_axis,
    titled,
    tooltip,
)
from analysis.tables import Run
from analysis.vote_figures import delegation, votes
from analysis.wording import count

ENDS = {
    "executed": GREEN,
    "defeated": VERMILION,
    "rejected": ORANGE,
    "expired": PURPLE,
    "cancelled": GREY,
    "open": SKY,
}
LANES, LAWS = 14, 6
RATES = ("margin", "weight", "fee", "share", "trigger")


def timeline(run: Run) -> Figure:
    """Proposals, votes, executions and acts of the guardian under the path of the price."""
    panels = [_prices(run), _lanes(run) if _laned(run) else _strips(run)]
    acts = _acts(run)
    panels += [acts] if acts is not None else []
    return titled(stacked(panels, color="independent"), outcomes(run))


def _prices(run: Run) -> Figure:
    """Oracle prices over what they began at."""
    records: Records = []
    for name in run.names:
        rows = run.market(name)
        records += lines(rows.assign(ratio=rows["oracle"] / rows["oracle"].iloc[0]), {"ratio": name})
    drawn: alt.Chart = (
        chart(records)
        .mark_line()
        .encode(
            x=time_axis(run, named=False),
            y=alt.Y(
                "value:Q",
                scale=alt.Scale(zero=False),
                axis=alt.Axis(title="oracle price, start = 1", format=".2f", tickCount=5),
            ),
            color=colours(run.names, MARKET_COLOURS),
            tooltip=tooltip(("line:N", "market", None), ("value:Q", "over the start", ".3f")),
        )
        .properties(width=WIDTH, height=150)
    )
    return drawn


def _laned(run: Run) -> bool:
    """Whether there are few enough proposals for a lane each."""
    return len(run.more["proposals"]) <= LANES


def _spans(run: Run) -> pd.DataFrame:
    """Proposals with what became of them, and when they were last open."""
    rows, last = run.more["proposals"], run.blocks["time"].iloc[-1]
    return rows.assign(became=became(rows), last=rows["ended"].fillna(last))


def _lanes(run: Run) -> Figure:
    """A lane for each proposal: its vote dark, its time before and after light, its end in colour."""
    rows = _spans(run)
    named = rows["title"].where(~rows["title"].str.startswith("risk engine"), rows["changes"])
    pairs = zip(rows["number"], named, strict=True)
    names = [f"{number} · {_short(what)}" for number, what in pairs]
    y = alt.Y("lane:N", sort=names, axis=alt.Axis(title=None, labelLimit=230, grid=True))
    spans = [
        {"time": int(begin), "end": int(end), "lane": lane, "changes": changes, "line": became}
        for begin, end, lane, changes, became in zip(
            milliseconds(rows["created"]), milliseconds(rows["last"]), names, rows["changes"], rows["became"],
            strict=True,
        )
    ]  # fmt: skip
    shown = tooltip(("lane:N", "proposal", None), ("changes:N", "does", None), ("line:N", "became", None))
    x = time_axis(run)
    bars = (
        chart(spans).mark_bar(height=5, opacity=0.35, color=GREY).encode(x=x, x2="end:T", y=y, tooltip=shown)
    )
    polls = [
        {**span, "time": int(begin), "end": int(min(end, span["end"]))}
        for span, begin, end in zip(
            spans, milliseconds(rows["opens"].fillna(rows["created"])),
            milliseconds(rows["closes"].fillna(rows["opens"])), strict=True,
        )
        if begin < min(end, span["end"])
    ]  # fmt: skip
    voting = chart(polls or [_nothing(spans)]).mark_bar(height=5, color=BLACK, opacity=0.7)
    ends = chart([{**span, "time": span["end"]} for span in spans]).mark_point(
        size=90, filled=True, opacity=1
    )
    colour = colours(ENDS, list(ENDS.values()))
    drawn = alt.layer(
        bars.encode(x=x, x2="end:T", y=y, tooltip=shown),
        voting.encode(x=x, x2="end:T", y=y, tooltip=shown),
        ends.encode(x=x, y=y, color=colour, tooltip=shown),
    )
    return drawn.properties(width=WIDTH, height=max(60, 20 * len(rows)))


def _nothing(spans: Records) -> dict[str, object]:
    """A record like others that draws nothing."""
    return {**spans[0], "time": None, "end": None}


def _short(changes: str) -> str:
    """What fits beside a lane."""
    first, more, _ = changes.replace("_", " ").partition(";")
    return f"{first[:38]} …" if more else first[:40]


def _strips(run: Run) -> Figure:
    """Where proposals are many: a tick for each at its end, a strip for what became of them."""
    rows = _spans(run)
    kept = rows.iloc[:: max(1, len(rows) // 1500)]
    records = [
        {"time": int(time), "line": became, "about": title, "changes": changes}
        for time, became, title, changes in zip(
            milliseconds(kept["last"]), kept["became"], kept["title"], kept["changes"], strict=True
        )
    ]
    present = [name for name in ENDS if name in set(rows["became"])]
    marks = chart(records).mark_tick(thickness=1.2, height=14)
    drawn: alt.Chart = marks.encode(
        x=time_axis(run),
        y=alt.Y("line:N", sort=present, axis=alt.Axis(title=None)),
        color=colours(ENDS, list(ENDS.values())),
        tooltip=tooltip(("about:N", "proposal", None), ("changes:N", "does", None)),
    ).properties(width=WIDTH, height=24 * len(present))
    return drawn


def _acts(run: Run) -> Figure | None:
    """Vetoes and pauses; None where the guardian did nothing."""
    events = run.more["governance"]
    rows = events[events["proposal"] < 0]
    if rows.empty:
        return None
    records = [
        {"time": int(time), "line": event, "about": str(about), "reason": str(reason)}
        for time, event, about, reason in zip(
            milliseconds(rows["time"]), rows["event"], rows["about"], rows["reason"], strict=True
        )
    ]
    drawn: alt.Chart = (
        chart(records)
        .mark_point(shape="triangle-down", size=80, filled=True, color=VERMILION, opacity=1)
        .encode(
            x=time_axis(run),
            y=alt.Y("line:N", axis=alt.Axis(title="guardian")),
            tooltip=tooltip(("line:N", "act", None), ("about:N", "on", None), ("reason:N", "because", None)),
        )
        .properties(width=WIDTH, height=24 * rows["event"].nunique())
    )
    return drawn


def parameter_history(run: Run) -> Figure:
    """Every parameter that changed, as it was in force."""
    rows = run.parameters
    changed = rows[rows["block"] > 0].groupby(["parameter", "market"], sort=False).ngroups
    named = list(dict.fromkeys(rows[rows["block"] > 0]["parameter"]))[:LAWS]
    if not named:
        return titled(statement("No parameter changed."), "The rules stayed as they were")
    panels = [_parameter_panel(run, name, named=name == named[-1]) for name in named]
    changes = int((rows["block"] > 0).sum())
    text = f"{count(changes, 'change')} of {count(changed, 'parameter')} came into force"
    return titled(stacked(panels, color="shared"), text)


def _parameter_panel(run: Run, name: str, named: bool) -> alt.Chart:
    rows = run.parameters[run.parameters["parameter"] == name]
    records: Records = []
    for market, mine in rows.groupby("market", sort=False):
        label = str(market) or "venue"
        first = mine["old"].dropna().iloc[0] if mine["block"].iloc[0] > 0 else mine["new"].iloc[0]
        steps = [(run.blocks["time"].iloc[0], first, "at the start")]
        steps += list(zip(mine["time"], mine["new"], mine["reason"], strict=True))
        steps.append((run.blocks["time"].iloc[-1], mine["new"].iloc[-1], ""))
        times = milliseconds(pd.Series([step[0] for step in steps]))
        records += [
            {"time": int(time), "line": label, "value": figures6(float(value)), "reason": str(reason)}
            for time, (_, value, reason) in zip(times, steps, strict=True)
        ]
    rate = any(word in name for word in RATES)
    axis = alt.Axis(title=name.replace("_", " "), format=".1%" if rate else ".3~s", tickCount=4)
    labels = [*run.names, "venue"]
    drawn: alt.Chart = (
        chart(records)
        .mark_line(interpolate="step-after")
        .encode(
            x=time_axis(run, named),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=axis),
            color=colours(labels, [*MARKET_COLOURS[: len(run.names)], BLACK]),
            tooltip=tooltip(
                ("line:N", "market", None), ("value:Q", "in force", None), ("reason:N", "why", None)
            ),
        )
        .properties(width=WIDTH, height=110)
    )
    return drawn


GOVERNANCE_FIGURES = {
    "timeline": (timeline, "proposals"),
    "parameter_history": (parameter_history, "proposals"),
    "votes": (votes, "votes"),
    "delegation": (delegation, "delegation"),
}
