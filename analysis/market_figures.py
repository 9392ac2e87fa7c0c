"""Figures of the markets: prices, open interest, basis, funding, depth and gas."""

import altair as alt
import pandas as pd

from analysis.narrative import move, price_finding
from analysis.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MARKET_COLOURS,
    VERMILION,
    WIDTH,
    Figure,
    Records,
    chart,
    colours,
    inline,
    lines,
    stacked,
    time_axis,
    titled,
    tooltip,
    usd_axis,
    zoomable,
)
from analysis.tables import Run
from analysis.wording import joined, percent, quantity

FUNDINGS_PER_YEAR = 3 * 365
PRICES = {
    "outside": "outside",
    "mark": "mark",
    "oracle": "oracle",
    "mid": "book mid",
    "fundamental": "fundamental",
}
PRICE_COLOURS = (BLACK, GREEN, BLUE, VERMILION, GREY)


def _by_market(run: Run, column: str) -> Records:
    return [record for name in run.names for record in lines(run.market(name), {column: name})]


def prices(run: Run) -> Figure:
    """Prices outside and on the venue, a panel for each market."""
    panels = [_price_panel(run, name, named=name == run.names[-1]) for name in run.names]
    others = [
        f"{name} {percent(move(rows['outside']), 1)} outside, {percent(move(rows['mid']), 1)} on the venue"
        for name, rows in ((name, run.market(name)) for name in run.names[1:])
    ]
    if _mark_is_oracle(run):
        others.append("the mark is the oracle price")
    return titled(stacked(panels, color="shared"), price_finding(run, run.names[0]), "; ".join(others))


def _mark_is_oracle(run: Run) -> bool:
    return bool((run.markets["mark"] == run.markets["oracle"]).all())


def _price_panel(run: Run, name: str, named: bool) -> alt.Chart:
    rows = run.market(name)
    shown = {
        column: label for column, label in PRICES.items() if column != "mark" or not _mark_is_oracle(run)
    }
    domain = list(shown.values())
    palette = [colour for column, colour in zip(PRICES, PRICE_COLOURS, strict=True) if column in shown]
    dash = alt.StrokeDash(
        "line:N", sort=None, scale=alt.Scale(domain=domain, range=[*[[1, 0]] * (len(domain) - 1), [5, 4]])
    )
    form = "$,.0f" if rows["outside"].max() >= 100 else "$,.4~r"
    drawn: alt.Chart = (
        chart(lines(rows, shown))
        .mark_line()
        .encode(
            x=time_axis(run, named),
            y=alt.Y(
                "value:Q",
                scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(title=f"{name} price [USD]", format=form, tickCount=6),
            ),
            color=colours(domain, palette),
            strokeDash=dash,
            tooltip=tooltip(("line:N", "price", None), ("value:Q", "USD", form)),
        )
        .properties(width=WIDTH, height=max(120, 420 // len(run.names)))
    )
    return drawn


def open_interest(run: Run) -> Figure:
    """Open interest of each market, in coin against its start and in USD."""
    relative = pd.concat([_relative_interest(run.market(name)) for name in run.names])
    coin = [
        record
        for name, rows in relative.groupby("market", sort=False)
        for record in lines(rows, {"relative": str(name)})
    ]
    color = colours(run.names, MARKET_COLOURS)
    upper = (
        chart(coin)
        .mark_line()
        .encode(
            x=time_axis(run, named=False),
            y=alt.Y(
                "value:Q",
                scale=alt.Scale(zero=False),
                axis=alt.Axis(title="in coin, start = 100 %", format=".0%", tickCount=5),
            ),
            color=color,
            tooltip=tooltip(("line:N", "market", None), ("value:Q", "of start", ".1%")),
        )
        .properties(width=WIDTH, height=150)
    )
    lower = _usd_panel(run, _by_market(run, "open_interest_usd"), "in USD").properties(height=150)
    return titled(stacked([upper, lower], color="shared"), _interest_finding(run))


def _relative_interest(rows: pd.DataFrame) -> pd.DataFrame:
    start = rows["open_interest"].replace(0.0, float("nan")).bfill().iloc[0]
    return rows.assign(relative=rows["open_interest"] / start)


def _usd_panel(run: Run, records: Records, title: str) -> alt.Chart:
    drawn: alt.Chart = (
        chart(records)
        .mark_line()
        .encode(
            x=time_axis(run),
            y=alt.Y("value:Q", axis=usd_axis(title)),
            color=colours(run.names, MARKET_COLOURS),
            tooltip=tooltip(("line:N", "market", None), ("value:Q", "USD", "$,.0f")),
        )
        .properties(width=WIDTH)
    )
    return drawn


def _interest_finding(run: Run) -> str:
    changes = []
    for name in run.names:
        change = run.value(f"open_interest_change_{name}")
        verb = "fell" if change < -0.005 else "rose" if change > 0.005 else "held"
        changes.append(f"{name} {verb}" + (f" {percent(abs(change))}" if verb != "held" else " steady"))
    return f"Open interest in coin: {joined(changes)}"


def basis(run: Run) -> Figure:
    """Gap between the middle of the book and the outside price of each market, in basis points."""
    records = []
    for name in run.names:
        rows = run.market(name)
        records += lines(rows.assign(gap=(rows["mid"] / rows["outside"] - 1) * 1e4), {"gap": name})
    widest = max(run.names, key=lambda name: run.value(f"book_gap_max_{name}"))
    rows = run.market(widest)
    gaps = (rows["mid"] / rows["outside"] - 1).dropna()
    gap = float(gaps.iloc[int(gaps.abs().argmax())]) if len(gaps) else 0.0
    side = "below" if gap < 0 else "above"
    text = f"{widest} stood up to {percent(abs(gap))} {side} the outside price on the venue's book"
    return titled(_rate_chart(run, records, "book mid − outside [bp]", ",.0f", ",.1f", "bp"), text)


def funding(run: Run) -> Figure:
    """Funding rate of each market per 8 hours."""
    means = [
        f"{name} {quantity(run.summary.get(f'funding_mean_{name}'), '1/8h')}"
        f" ({percent(run.value(f'funding_mean_{name}') * FUNDINGS_PER_YEAR)} a year)"
        for name in run.names
    ]
    figure = _rate_chart(
        run, _by_market(run, "funding_rate"), "funding per 8 h, longs pay when > 0", ".3%", ".4%", "per 8 h"
    )
    return titled(figure, f"Funding per 8 h averaged {joined(means)}")


def _rate_chart(run: Run, records: Records, title: str, form: str, tip: str, unit: str) -> Figure:
    zero = alt.Chart(inline([{"value": 0}])).mark_rule(color="#888").encode(y="value:Q")
    curves = (
        chart(records)
        .mark_line()
        .encode(
            x=time_axis(run),
            y=alt.Y("value:Q", axis=alt.Axis(title=title, format=form, tickCount=6)),
            color=colours(run.names, MARKET_COLOURS),
            tooltip=tooltip(("line:N", "market", None), ("value:Q", unit, tip)),
        )
        .properties(name="rates")
    )
    return zoomable(alt.layer(zero, curves).properties(width=WIDTH, height=220), "rates")


def depth(run: Run) -> Figure:
    """Depth within one per cent, outside and on the venue, and the gas price."""
    color = colours(run.names, MARKET_COLOURS)
    panels = [
        _usd_panel(run, _by_market(run, column), title).encode(x=time_axis(run, named=False), color=color)
        for column, title in (("depth_usd", "outside, USD in 1 %"), ("venue_depth_usd", "venue, USD in 1 %"))
    ]
    gas = (
        chart(lines(run.blocks, {"gas": "gas"}))
        .mark_line(color=BLACK)
        .encode(
            x=time_axis(run),
            y=alt.Y("value:Q", axis=alt.Axis(title="gas [gwei]", tickCount=4)),
            tooltip=tooltip(("value:Q", "gwei", ",.1f")),
        )
        .properties(width=WIDTH)
    )
    sized = [panel.properties(height=115) for panel in (*panels, gas)]
    return titled(stacked(sized, color="shared"), _depth_finding(run))


def _depth_finding(run: Run) -> str:
    name = run.names[0]
    rows = run.market(name)
    fall = 1 - rows["depth_usd"].min() / rows["depth_usd"].iloc[0]
    gas = quantity(run.summary.get("gas_peak_gwei"), "gwei")
    if fall < 0.05:
        return f"{name}'s outside depth held and gas peaked at {gas}"
    return f"{name}'s outside depth fell as much as {percent(fall)} and gas peaked at {gas}"
