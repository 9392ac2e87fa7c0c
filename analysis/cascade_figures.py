"""Figures of a cascade: what liquidations made others fall, and who pushed whom."""

from collections.abc import Callable

import altair as alt
import numpy as np

from analysis.cascades import Anatomy, anatomy
from analysis.style import (
    BLACK,
    GREY,
    MARKET_COLOURS,
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
    time_axis,
    titled,
    tooltip,
    usd_axis,
)
from analysis.tables import Run
from analysis.venue_figures import bin_seconds, bins, piled
from analysis.wording import count, duration, percent

CAUSES = {False: ("by the world", GREY), True: ("by liquidations", VERMILION)}
SHOWN = 400


def pushed(run: Run) -> Figure:
    """What accounts that fell were liquidated for, by what made them fall, and what that made of prices."""
    found = anatomy(run)
    panels = [_volume(run, found)]
    if run.markets["forced_impact"].abs().max() > 0:
        panels.append(_impact(run))
    share = found.endogenous_share
    text = f"Earlier liquidations caused {percent(share)} of what was liquidated"
    below = "by liquidations: would have stood without what earlier ones had made of prices"
    return titled(stacked(panels, color="independent"), text, below)


def _volume(run: Run, found: Anatomy) -> alt.Chart:
    width = bin_seconds(run)
    failures = found.failures
    sums = (
        failures["liquidated_usd"].groupby([bins(run, failures["time"], width), failures["endogenous"]]).sum()
    )
    table = sums.unstack(fill_value=0).reindex(columns=list(CAUSES), fill_value=0.0)
    records = piled(table.set_axis([name for name, _ in CAUSES.values()], axis=1), width)
    names, palette = zip(*CAUSES.values(), strict=True)
    drawn: alt.Chart = (
        chart(records)
        .mark_rect()
        .encode(
            x=time_axis(run, named=False),
            x2="end",
            y=alt.Y("base:Q", axis=usd_axis(f"USD per {duration(width)}")),
            y2="top:Q",
            color=colours(names, palette),
            tooltip=tooltip(("line:N", "made to fall", None), ("value:Q", "USD", "$,.0f")),
        )
        .properties(width=WIDTH, height=170)
    )
    return drawn


def _impact(run: Run) -> alt.Chart:
    records: Records = []
    for name in run.names:
        records += lines(run.market(name), {"forced_impact": name})
    drawn: alt.Chart = (
        chart(records)
        .mark_line()
        .encode(
            x=time_axis(run),
            y=alt.Y("value:Q", axis=alt.Axis(title="forced impact", format="~%", tickCount=4)),
            color=colours(run.names, MARKET_COLOURS),
            tooltip=tooltip(("line:N", "market", None), ("value:Q", "of the price", ".2%")),
        )
        .properties(width=WIDTH, height=90)
    )
    return drawn


def generations(run: Run) -> Figure:
    """The largest liquidations by generation: nought fell by the world, each line leads to whom it pushed."""
    found = anatomy(run)
    failures = found.failures
    shown = failures.nlargest(SHOWN, "liquidated_usd").sort_index()
    times = dict(zip(failures.index.tolist(), milliseconds(failures["time"]).tolist(), strict=True))
    shares = found.falls.groupby("failure").size()
    dots: Records = [
        {
            "time": times[int(str(index))],
            "value": figures6(row["generation"]),
            "line": CAUSES[bool(row["endogenous"])][0],
            "top": figures6(row["liquidated_usd"]),
            "who": f"{row['role']} {row['account']}",
            "pushes": int(shares.get(index, 0)),
        }
        for index, row in shown.iterrows()
    ]
    links: Records = [
        {
            "time": times[cause],
            "end": times[index],
            "base": figures6(failures["generation"].iloc[cause]),
            "value": figures6(failures["generation"].iloc[index]),
        }
        for index, cause in zip(shown.index.tolist(), shown["cause"].tolist(), strict=True)
        if cause in shown.index
    ]
    return titled(stacked([_tree(run, dots, links)]), _deepest(found), _note(found, len(shown)))


def _tree(run: Run, dots: Records, links: Records) -> Figure:
    names, palette = zip(*CAUSES.values(), strict=True)
    x, title = time_axis(run), "generation"
    points = (
        chart(dots)
        .mark_circle(opacity=0.75, stroke="white", strokeWidth=0.5)
        .encode(
            x=x,
            y=alt.Y("value:Q", axis=alt.Axis(title=title, tickMinStep=1, format="d")),
            size=alt.Size("top:Q", scale=alt.Scale(range=[12, 500]), legend=None),
            color=colours(names, palette),
            tooltip=tooltip(
                ("who:N", "account", None),
                ("top:Q", "liquidated for, USD", "$,.0f"),
                ("value:Q", "generation", ".2f"),
                ("pushes:Q", "pushes that made it fall", "d"),
            ),
        )
    )
    rules = (
        chart(links)
        .mark_rule(opacity=0.18, color=BLACK, strokeWidth=0.7)
        .encode(x=x, x2="end", y=alt.Y("base:Q", axis=alt.Axis(title=title)), y2="value:Q")
    )
    drawn: Figure = alt.layer(points, rules) if links else points
    return drawn.properties(width=WIDTH, height=240)


def _deepest(found: Anatomy) -> str:
    volume = found.volume
    deep = np.flatnonzero(volume > 0.01 * volume.sum())
    if not len(deep) or not deep[-1]:
        return "Next to no liquidation was led to by another"
    return f"Liquidations led to others over {count(int(deep[-1]), 'generation')}"


def _note(found: Anatomy, shown: int) -> str:
    many = len(found.failures)
    which = f"the {shown:,} largest of {many:,} falls" if shown < many else count(many, "fall")
    return f"{which} below maintenance; area: USD liquidated; lines lead from main causes to whom they pushed"


CASCADE_FIGURES: dict[str, tuple[Callable[[Run], Figure], str]] = {
    "pushed": (pushed, "failures"),
    "generations": (generations, "failures"),
}
