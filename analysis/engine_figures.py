"""Figures of a risk engine: what it believed, what it asked for, and what that was made of."""

from collections import Counter

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.engine.law import LAW_STAGES
from agents.settings import parse_duration
from analysis.passages import PageTable, Passage, columns
from analysis.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    Figure,
    Records,
    chart,
    colours,
    inline,
    lines,
    milliseconds,
    stacked,
    time_axis,
    titled,
    tooltip,
)
from analysis.tables import Run
from analysis.wording import count, duration, joined, percent

PALETTE, PALE = (BLUE, VERMILION, PURPLE, SKY, ORANGE, GREEN), "#d9d9d9"
GROUPS = {
    "calm loss": ("calm_loss",),
    "regime": ("regime",),
    "slippage and oracle": ("slippage", "deviation"),
    "fee": ("fee",),
    "scale": ("scale", "top_up", "bonus"),
    "control law": LAW_STAGES[:-1],
    "held by an alarm": LAW_STAGES[-1:],
}


def beliefs(run: Run) -> Figure:
    """What the engine believes: how probable wilder regimes are, or what volatility it expects."""
    regimes = run.more["regimes"]
    states = [str(name) for name in regimes if str(name).startswith(("regime_", "volatility_"))]
    likely = [name for name in states if name.startswith("regime_")]
    shown = {name: name.replace("_", " ") for name in states if name != "regime_1"}
    shared = {"x": time_axis(run), "color": colours(shown.values(), PALETTE)}
    curves = (
        chart(lines(regimes, shown))
        .mark_line(interpolate="step-before")
        .encode(
            y=alt.Y("value:Q", axis=alt.Axis(title=_unit(likely), format=".0%", tickCount=5)),
            tooltip=tooltip(("line:N", "state", None), ("value:Q", _unit(likely), ".1%")),
            **shared,
        )
    )
    known = bool(likely) and "regime" in run.blocks
    drawn = alt.layer(curves, _hidden(run)) if known else curves
    panel = drawn.properties(width=WIDTH, height=190)
    note = "grey: the wildest regime really lasts, which the engine does not see" if known else ""
    return titled(stacked([panel]), _belief_finding(run, likely), note)


def _hidden(run: Run) -> alt.Chart:
    """Stretches of the wildest hidden regime, from 0 to 1."""
    wild = run.blocks["regime"] == run.blocks["regime"].max()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wild.to_numpy().astype(int), [0]])))
    times = milliseconds(run.blocks["time"])
    records = [
        {"time": int(times[begin]), "end": int(times[min(end, len(times) - 1)])}
        for begin, end in edges.reshape(-1, 2).tolist()
    ]
    spans = alt.Chart(inline(records)).mark_rect(color=GREY, opacity=0.25)
    drawn: alt.Chart = spans.encode(x="time:T", x2="end:T")
    return drawn


def _unit(likely: list[str]) -> str:
    return "probability" if likely else "volatility a year"


def _belief_finding(run: Run, likely: list[str]) -> str:
    regimes = run.more["regimes"]
    if not likely:
        column = next(str(name) for name in regimes if str(name).startswith("volatility_"))
        low, high = regimes[column].min(), regimes[column].max()
        return f"The engine expected a volatility between {percent(low)} and {percent(high)} a year"
    share = float(regimes[likely[-1]].mean())
    return f"The engine gave the wildest of its {len(likely)} regimes {percent(share)} on average"


def margins(run: Run) -> Figure:
    """Margins aimed at and in force; a mark where prices moved by more within the horizon."""
    panels = [_margin_panel(run, name, named=name == run.names[-1]) for name in run.names]
    found = breaches(run)
    who, often = joined(list(found)), joined([percent(share, 1) for share in found.values()])
    text = f"{who} moved by more than maintenance margin within {duration(horizon(run))} in {often} of blocks"
    return titled(stacked(panels, color="shared"), text)


def _margin_panel(run: Run, name: str, named: bool) -> Figure:
    rows, wanted = run.market(name), decided(run, name, "maintenance")
    records: Records = [
        *lines(rows, {"maintenance_margin": "maintenance", "initial_margin": "initial"}),
        *lines(wanted, {"target": "target of maintenance"}),
    ]
    broken = rows[breached(run, name)]
    marks = [
        {"time": int(time), "line": "breach", "value": float(value)}
        for time, value in zip(milliseconds(broken["time"]), broken["maintenance_margin"], strict=True)
    ]
    names = ["maintenance", "initial", "target of maintenance", "breach"]
    shared = {
        "x": time_axis(run, named),
        "y": alt.Y("value:Q", axis=alt.Axis(title=f"{name} margin", format=".1%", tickCount=5)),
        "color": colours(names, [BLUE, SKY, BLACK, VERMILION]),
        "tooltip": tooltip(("line:N", "what", None), ("value:Q", "of notional", ".2%")),
    }
    curves = chart(records).mark_line(interpolate="step-after").encode(**shared)
    points = chart(marks or [{"time": None, "line": "breach", "value": None}]).mark_tick(thickness=2, size=9)
    layers = alt.layer(curves, points.encode(**shared))
    return layers.properties(width=WIDTH, height=max(110, 300 // len(run.names)))


def attribution(run: Run) -> Figure:
    """What the maintenance margin was made of: parts of the target, then what the control law added."""
    panels = [_attribution_panel(run, name, named=name == run.names[-1]) for name in run.names]
    first = decided(run, run.names[0], "maintenance")
    first = first[first["safety"] == 0]
    means = {group: float(first[list(parts)].sum(axis=1).mean()) for group, parts in GROUPS.items()}
    largest = sorted(means, key=lambda group: -abs(means[group]))[:3]
    told = [f"{group} {percent(means[group], 2)}" for group in largest]
    text = f"{run.names[0]}'s maintenance margin was made of {joined(told)} of notional on average"
    return titled(stacked(panels, color="shared"), text)


def _attribution_panel(run: Run, name: str, named: bool) -> alt.Chart:
    rows = decided(run, name, "maintenance")
    grouped = pd.DataFrame({group: rows[list(parts)].sum(axis=1) for group, parts in GROUPS.items()})
    grouped.insert(0, "time", rows["time"])
    kept = grouped.iloc[:: max(1, len(grouped) // 200)]
    records = [
        {"time": int(time), "line": group, "value": float(f"{value:.6g}")}
        for group in GROUPS
        for time, value in zip(milliseconds(kept["time"]), kept[group], strict=True)
    ]
    drawn: alt.Chart = (
        chart(records)
        .mark_bar(width=max(1.0, 0.9 * WIDTH / max(len(kept), 1)))
        .encode(
            x=time_axis(run, named),
            y=alt.Y(
                "value:Q", stack=True, axis=alt.Axis(title=f"{name}, of notional", format=".1%", tickCount=5)
            ),
            color=colours(GROUPS, [GREEN, VERMILION, SKY, GREY, PURPLE, ORANGE, PALE]),
            tooltip=tooltip(("line:N", "part", None), ("value:Q", "of notional", ".2%")),
        )
        .properties(width=WIDTH, height=max(100, 300 // len(run.names)))
    )
    return drawn


def decided(run: Run, market: str, parameter: str) -> pd.DataFrame:
    """The engine's decisions on one parameter of a market, in the order of time."""
    rows = run.more["decisions"]
    return rows[(rows["market"] == market) & (rows["parameter"] == parameter)].reset_index(drop=True)


def horizon(run: Run) -> int:
    """The liquidation horizon of the engine's targets [s]."""
    settings = run.manifest["scenario"]["risk_engine"]["targets"]
    return int(str(parse_duration(settings["horizon"])))


def breached(run: Run, market: str) -> NDArray[np.bool_]:
    """Blocks, (b,), after which the oracle price moved by more than maintenance margin within the horizon."""
    rows = run.market(market)
    steps = max(1, horizon(run) // run.block_seconds)
    level = np.log(rows["oracle"].to_numpy())
    ahead = np.abs(level[steps:] - level[:-steps]) > rows["maintenance_margin"].to_numpy()[:-steps]
    return np.append(ahead, np.zeros(min(steps, len(level)), np.bool_))


def breaches(run: Run) -> dict[str, float]:
    """Share of blocks with a breach, by market."""
    return {name: float(breached(run, name).mean()) for name in run.names}


def law_table(run: Run) -> PageTable:
    """What became of the engine's targets: how many decisions, by parameter and reason."""
    rows = run.more["decisions"]
    told = rows["reason"].where(rows["reason"] != "", "followed")
    counted = Counter(zip(rows["parameter"], told, strict=True))
    return PageTable(
        columns(("parameter", "what became of the target"), ("decisions",)),
        [
            (parameter.replace("_", " "), reason, count(number))
            for (parameter, reason), number in sorted(counted.items())
        ],
    )


def engine_words(run: Run) -> Passage:
    """What the report says of the engine in words and in a table."""
    settings, route = run.manifest["scenario"]["risk_engine"], run.manifest["scenario"]["governance"]["route"]
    became = "were never enacted" if route == "frozen" else "came into force"
    changes = int((run.parameters["block"] > 0).sum())
    decisions = len(run.more["decisions"])
    text = f"The engine ({settings['model']}) took {count(decisions, 'decision')}; they {became}"
    text += f" as {count(changes, 'change')} of a parameter." if changes else "."
    return Passage(text, (law_table(run),))


ENGINE_FIGURES = {"beliefs": beliefs, "margins": margins, "attribution": attribution}
