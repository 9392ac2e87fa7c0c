"""One figure for each event: price, open interest, basis and liquidations, real and simulated."""

from collections.abc import Callable, Mapping
from typing import cast

import altair as alt
import pandas as pd

from analysis.backtest.course import value_at
from analysis.backtest.events import Event
from analysis.style import (
    BLACK,
    BLUE,
    WIDTH,
    Figure,
    Records,
    chart,
    colours,
    figures6,
    inline,
    lines,
    milliseconds,
    span_axis,
    titled,
    tooltip,
)
from analysis.wording import percent

Series = Callable[[pd.DataFrame], pd.Series]
REAL, SIMULATED = "real", "simulated, median and range of the runs"
HEIGHT = 105
SPARSE = 0.25


def event_figure(event: Event, courses: Mapping[int, pd.DataFrame], real: pd.DataFrame) -> Figure:
    """Five panels above each other.

    Parameters
    ----------
    event : Event
    courses : mapping of int to DataFrame
        Every run hour by hour.
    real : DataFrame
        What `real_course` returned.
    """
    before = pd.Timestamp(event.before)
    panels: list[tuple[str, str, Series]] = [
        (f"{event.market} [USD]", "$,.0f", lambda course: course["price"]),
        ("open interest in coin", ".0%", lambda course: _relative(course, "open_interest", before)),
        ("open interest in USD", ".0%", lambda course: _relative(course, "open_interest_usd", before)),
        ("basis [bp]", ",.0f", lambda course: course["basis"]),
        ("closed by force, of open interest", ".0%", lambda course: _liquidated(course, before)),
    ]
    last = len(panels) - 1
    drawn = [
        _panel(event, (title, form), _band(courses, series), _real(real, series), index == last)
        for index, (title, form, series) in enumerate(panels)
    ]
    figure: Figure = alt.vconcat(*drawn, spacing=14).resolve_scale(color="shared")
    return titled(figure, event.title, _finding(event, courses, real))


def _relative(course: pd.DataFrame, column: str, before: pd.Timestamp) -> pd.Series:
    """A column over its value before the event [1]."""
    return course[column] / value_at(course, before, column)


def _liquidated(course: pd.DataFrame, before: pd.Timestamp) -> pd.Series:
    """Closed by force since the moment before the event, over open interest then [1]."""
    if "longs_usd" not in course:
        return pd.Series(float("nan"), index=course.index)
    forced = course[["longs_usd", "shorts_usd", "deleveraged_usd"]].sum(axis=1)
    forced = forced.where(course.index > before, 0.0)
    return forced.cumsum() / value_at(course, before, "open_interest_usd")


def _band(courses: Mapping[int, pd.DataFrame], series: Series) -> pd.DataFrame:
    """Median, lowest and highest of the runs, by the hour."""
    runs = pd.concat([series(course) for course in courses.values()], axis=1)
    found = pd.DataFrame({"median": runs.median(axis=1), "low": runs.min(axis=1), "high": runs.max(axis=1)})
    return found.rename_axis("time").reset_index()


def _real(real: pd.DataFrame, series: Series) -> pd.DataFrame:
    """What is known, without the hours in which nothing is."""
    return series(real).dropna().rename("value").rename_axis("time").reset_index()


def _panel(
    event: Event, axis: tuple[str, str], band: pd.DataFrame, real: pd.DataFrame, named: bool
) -> alt.LayerChart:
    title, form = axis
    x = span_axis(pd.Timestamp(event.start), pd.Timestamp(event.end), named)
    y = alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=title, format=form, tickCount=5))
    color = colours((REAL, SIMULATED), (BLACK, BLUE))
    told = tooltip(("line:N", "course", None), ("value:Q", title, form))
    known = lines(real, {"value": REAL})
    drawn = chart(known + lines(band, {"median": SIMULATED})).mark_line()
    days = chart(known if len(known) < SPARSE * len(band) else []).mark_circle(size=28, opacity=1)
    spread = alt.Chart(inline(_spread(band))).mark_area(opacity=0.2, color=BLUE)
    moments = [{"time": int(pd.Timestamp(each).timestamp() * 1000)} for each in (event.before, event.after)]
    layers = alt.layer(
        alt.Chart(inline(moments)).mark_rule(color="#bbb", strokeDash=[3, 3]).encode(x=x),
        spread.encode(x=x, y=alt.Y("base:Q", title=title), y2="top:Q"),
        drawn.encode(x=x, y=y, color=color, tooltip=told),
        days.encode(x=x, y=y, color=color, tooltip=told),
    )
    return cast("alt.LayerChart", layers.properties(width=WIDTH, height=HEIGHT))


def _spread(band: pd.DataFrame) -> Records:
    times = milliseconds(band["time"])
    return [
        {"time": int(time), "base": figures6(low), "top": figures6(high)}
        for time, low, high in zip(times, band["low"], band["high"], strict=True)
    ]


def _finding(event: Event, courses: Mapping[int, pd.DataFrame], real: pd.DataFrame) -> str:
    """What open interest did, in words."""

    def change(course: pd.DataFrame, column: str) -> float:
        return value_at(course, event.after, column) / value_at(course, event.before, column) - 1

    parts = []
    for column, unit in (("open_interest", "coin"), ("open_interest_usd", "USD")):
        runs = pd.Series([change(course, column) for course in courses.values()]).median()
        known = change(real, column)
        told = "" if pd.isna(known) else f", really {percent(known)}"
        parts.append(f"in {unit} {percent(runs)}{told}")
    span = f"{event.before:%-d %b %H:%M} to {event.after:%-d %b %H:%M}"
    return f"Change of open interest {span} (dashed lines): {'; '.join(parts)}"
