"""Figures of fairness and contagion: who bore what was lost, which wealth lost it, and who hangs on whom."""

from collections.abc import Callable, Mapping

import altair as alt
import networkx as nx
import numpy as np

from analysis.contagion import exposure_network
from analysis.fairness import gini_of_losses, haircut_distribution, haircuts, loss_by_decile, who_paid
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
    figures6,
    inline,
    statement,
    titled,
    usd_axis,
)
from analysis.tables import Run
from analysis.wording import count, percent, usd

BEARER_COLOURS = (GREY, BLUE, GREEN, PURPLE, VERMILION, ORANGE, BLACK)
KINDS = {
    "group": ("traders", GREY),
    "market": ("markets", ORANGE),
    "asset": ("assets", SKY),
    "vault": ("vault and pools", GREEN),
    "fund": ("insurance fund", BLUE),
}
LINKS = {
    "position": ("positions", "#d9c9a8"),
    "collateral": ("collateral", SKY),
    "deposit": ("deposits", GREEN),
    "payment": ("debts paid", BLUE),
    "haircut": ("haircuts", VERMILION),
}
BINS = 30
WITHIN = 0.4


def who_bore(run: Run) -> Figure:
    """What failed accounts lost, from traders' own money down the waterfall, each bar where the last ends."""
    frame = who_paid(run)
    total = float(frame["amount_usd"].sum())
    if total <= 0:
        return titled(statement("No account failed, so nobody paid."), "Nobody failed")
    ends = frame["amount_usd"].cumsum()
    records = [
        {
            "payer": payer,
            "base": figures6(end - amount),
            "top": figures6(end),
            "value": figures6(amount),
            "text": f"{usd(amount)}  ({percent(share)})",
        }
        for payer, amount, share, end in zip(
            frame["payer"], frame["amount_usd"], frame["share"], ends, strict=True
        )
    ]
    order = list(frame["payer"])
    axis = alt.Axis(title=None, labelFontSize=12, labelLimit=220, ticks=False, labelPadding=6)
    start = alt.Chart(inline(records)).encode(y=alt.Y("payer:N", sort=order, axis=axis))
    reach = alt.Scale(domain=[0, total * 1.22])
    bars = start.mark_bar(height=20).encode(
        x=alt.X("base:Q", scale=reach, axis=usd_axis("loss of failed accounts [USD]")),
        x2="top:Q",
        color=alt.Color("payer:N", scale=alt.Scale(domain=order, range=list(BEARER_COLOURS)), legend=None),
        tooltip=[alt.Tooltip("payer:N"), alt.Tooltip("value:Q", title="USD", format="$,.0f")],
    )
    labels = start.mark_text(align="left", dx=5, fontSize=12, color="#222").encode(x="top:Q", text="text:N")
    own = float(frame["share"].iloc[0])
    text = f"Failed accounts lost {usd(total)}; {percent(own)} of it was their own"
    return titled(alt.layer(bars, labels).properties(width=WIDTH, height=200), text)


def decile_losses(run: Run) -> Figure:
    """Loss of retail traders over what they had at the start, by decile of wealth, with its share of all."""
    frame = loss_by_decile(run)
    if frame.empty or frame["loss"].sum() <= 0:
        return titled(statement("No retail trader lost anything."), "No losses")
    records = [
        {"decile": int(decile), "value": figures6(rate), "liquidated": figures6(part), "text": percent(share)}
        for decile, rate, part, share in zip(
            frame["decile"], frame["rate"], frame["liquidated"], frame["share"], strict=True
        )
    ]
    reach = alt.Scale(domain=[0, 1.1 * float(frame["rate"].max())])
    title = "decile of equity at the start, the poorest first; above: share of all losses"
    axis = alt.Axis(title=title, labelAngle=0)
    start = alt.Chart(inline(records)).encode(
        x=alt.X("decile:O", sort=list(range(1, len(frame) + 1)), axis=axis)
    )
    bars = start.mark_bar(color=VERMILION, opacity=0.85).encode(
        y=alt.Y("value:Q", scale=reach, axis=alt.Axis(title="loss over equity", format="%", tickCount=5)),
        tooltip=[
            alt.Tooltip("decile:O"),
            alt.Tooltip("value:Q", title="loss over equity", format=".1%"),
            alt.Tooltip("liquidated:Q", title="accounts liquidated", format=".1%"),
            alt.Tooltip("text:N", title="share of all losses"),
        ],
    )
    labels = start.mark_text(dy=-7, fontSize=11, color="#222").encode(y="value:Q", text="text:N")
    poor, rich = float(frame["rate"].iloc[0]), float(frame["rate"].iloc[-1])
    text = f"The poorest tenth lost {percent(poor)} of what it had, the richest {percent(rich)}"
    below = f"Gini coefficient of losses: {gini_of_losses(run):.2f}; nobody loses more than they had"
    return titled(alt.layer(bars, labels).properties(width=WIDTH, height=220), text, below)


def haircut_histogram(run: Run) -> Figure:
    """How much of their notional deleveraged winners gave up against the mark."""
    share = haircuts(run)["share"].to_numpy(dtype=float)
    if not len(share):
        return titled(statement("Nobody was deleveraged."), "No haircuts")
    counts, edges = np.histogram(share, bins=min(BINS, max(1, len(np.unique(share)))))
    records = [
        {"base": figures6(low), "top": figures6(high), "value": int(number)}
        for low, high, number in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    bars = alt.Chart(inline(records)).mark_rect(color=PURPLE, opacity=0.85, stroke="white")
    drawn = bars.encode(
        x=alt.X("base:Q", axis=alt.Axis(title="haircut over notional at the mark", format="~%", grid=False)),
        x2="top:Q",
        y=alt.Y("value:Q", axis=alt.Axis(title="accounts", tickMinStep=1, tickCount=5)),
        y2=alt.datum(0),
        tooltip=[alt.Tooltip("value:Q", title="accounts"), alt.Tooltip("base:Q", format=".2%")],
    )
    found = haircut_distribution(run)
    text = f"{count(found['winners'], 'winner')} gave up {usd(found['haircut_usd'])} to deleveraging"
    below = f"Of their notional {percent(found['median'])} in the median, {percent(found['max'])} at most"
    return titled(drawn.properties(width=WIDTH, height=200), text, below)


def exposures(run: Run) -> Figure:
    """Who hangs on whom: what groups of traders held and had deposited, and whose debts others bore."""
    graph = exposure_network(run)
    places = _places(graph)
    points = [
        {"base": places[name][0], "top": places[name][1], "line": KINDS[data["kind"]][0]}
        | {"value": figures6(max(data["usd"], 0.0)), "text": name}
        for name, data in graph.nodes(data=True)
    ]
    most = max((usd for *_, usd in graph.edges(data="usd")), default=1.0)
    links = [
        {"base": places[a][0], "top": places[a][1], "end": places[b][0], "value": places[b][1]}
        | {"kind": LINKS[data["kind"]][0], "usd": figures6(data["usd"]), "text": f"{a} → {b}"}
        | {"width": figures6(0.5 + 7 * (data["usd"] / most) ** 0.5)}
        for a, b, data in sorted(graph.edges(data=True), key=lambda edge: edge[2]["kind"], reverse=True)
        if a != b
    ]
    held = [(usd, a, b) for a, b, usd in graph.edges(data="usd")]
    largest = max(held) if held else (0.0, "nobody", "nothing")
    text = f"The largest exposure is that of {largest[1]} to {largest[2]}, {usd(largest[0])}"
    below = "area: USD of a node; width: root of an exposure; positions, collateral and deposits of the start"
    return titled(_drawn(points, links), text, below)


def _places(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """Groups on a ring in order of role and wealth, what they hang on on a ring within; (x, y)."""
    ring = [name for name, kind in graph.nodes(data="kind") if kind == "group"]
    ring = sorted(ring, key=lambda name: (name.rstrip("0123456789"), len(name), name))
    inner = [name for name in graph if name not in ring]
    outside = nx.circular_layout(ring, scale=1.0)
    within = nx.circular_layout(inner, scale=WITHIN)
    return {name: (float(x), float(y)) for name, (x, y) in (outside | within).items()}


def _drawn(points: Records, links: Records) -> Figure:
    wide = alt.Scale(domain=[-1.15, 1.15])
    x, y = alt.X("base:Q", axis=None, scale=wide), alt.Y("top:Q", axis=None, scale=wide)
    start = alt.Chart(inline(points))
    size = alt.Size("value:Q", scale=alt.Scale(range=[30, 1500], zero=True), legend=None)
    dots = start.mark_circle(opacity=1, stroke="white", strokeWidth=0.8).encode(
        x=x,
        y=y,
        size=size,
        fill=alt.Fill("line:N", scale=_present(points, "line", KINDS), sort=None),
        tooltip=[alt.Tooltip("text:N", title="who"), alt.Tooltip("value:Q", title="USD", format="$,.0f")],
    )
    names = start.mark_text(dy=-16, fontSize=10, color="#222").encode(x=x, y=y, text="text:N")
    layers = [_rules(links, x, y), dots, names] if links else [dots, names]
    return alt.layer(*layers).properties(width=WIDTH, height=WIDTH - 140)


def _rules(links: Records, x: alt.X, y: alt.Y) -> alt.Chart:
    tip = [alt.Tooltip("text:N", title="exposure"), alt.Tooltip("kind:N")]
    drawn: alt.Chart = (
        alt.Chart(inline(links))
        .mark_rule(opacity=0.7)
        .encode(
            x=x,
            y=y,
            x2="end:Q",
            y2="value:Q",
            color=alt.Color("kind:N", scale=_present(links, "kind", LINKS), sort=None),
            strokeWidth=alt.StrokeWidth("width:Q", scale=None, legend=None),
            tooltip=[*tip, alt.Tooltip("usd:Q", format="$,.0f")],
        )
    )
    return drawn


def _present(records: Records, field: str, kinds: Mapping[str, tuple[str, str]]) -> alt.Scale:
    """Colours of the kinds that there are."""
    found = {each[field] for each in records}
    shown = [kind for kind in kinds.values() if kind[0] in found]
    return alt.Scale(domain=[name for name, _ in shown], range=[colour for _, colour in shown])


FAIRNESS_FIGURES: dict[str, tuple[Callable[[Run], Figure], str]] = {
    "who_bore": (who_bore, "accounts"),
    "decile_losses": (decile_losses, "accounts"),
    "haircuts": (haircut_histogram, "accounts"),
    "exposures": (exposures, "positions"),
}
