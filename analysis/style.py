"""How figures look: palette, fonts, axes, and the thinning of long lines."""

import csv
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.tables import Run

Figure: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart
Records: TypeAlias = list[dict[str, Any]]

# Okabe and Ito's palette, told apart under the common kinds of colour blindness.
BLACK, GREY = "#222222", "#9a9a9a"
BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, VERMILION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
MARKET_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)

WIDTH = 720
POINTS = 600
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {"labelColor": "#444", "titleColor": "#444", "titleFontWeight": "normal", "labelFontSize": 11,
             "titleFontSize": 11, "gridColor": "#e8e8e8", "domainColor": "#bbb", "tickColor": "#bbb"},
    "legend": {"orient": "top", "direction": "horizontal", "title": None, "labelFontSize": 12,
               "labelColor": "#222", "symbolStrokeWidth": 2.5, "labelLimit": 260, "columns": 6},
    "title": {"anchor": "start", "fontSize": 16, "fontWeight": 600, "color": "#111", "offset": 12,
              "subtitleColor": "#555", "subtitleFontSize": 12, "subtitlePadding": 5},
    "header": {"labelFontSize": 12, "titleFontSize": 12},
    "line": {"strokeWidth": 1.4, "strokeJoin": "round"},
}  # fmt: skip

NUMBERS = ("time", "end", "value", "base", "top")
USD_LABEL = "replace(replace(format(datum.value, '$.3~s'), 'G', 'B'), 'k', 'K')"
TIME_LABEL = (
    "utcFormat(datum.value, utchours(datum.value) == 0 && utcminutes(datum.value) == 0 ? '%-d %b' : '%H:%M')"
)


def milliseconds(times: pd.Series) -> npt.NDArray[np.int64]:
    """UTC times as milliseconds since 1970, which is what Vega reads."""
    return np.asarray(times.dt.as_unit("ms").astype("int64"), dtype=np.int64)


def extremes(values: npt.NDArray[np.float64], points: int = POINTS) -> npt.NDArray[np.intp]:
    """Which values to draw so that a long line keeps its highs and lows.

    Parameters
    ----------
    values : (n,) ndarray
        One line in the order of time; NaN where it is broken.
    points : int
        About how many values to keep.

    Returns
    -------
    (k,) ndarray of int
        Rising indices: the ends of the line, and of each of `points / 2` stretches the lowest and the
        highest value, or its first when all are NaN.
    """
    n = len(values)
    if n <= points:
        return np.arange(n)
    width = -(-2 * n // points)
    padded = np.full(-(-n // width) * width, np.nan)
    padded[:n] = values
    stretches = padded.reshape(-1, width)
    starts = np.arange(len(stretches)) * width
    low = starts + np.argmin(np.where(np.isnan(stretches), np.inf, stretches), axis=1)
    high = starts + np.argmax(np.where(np.isnan(stretches), -np.inf, stretches), axis=1)
    kept: npt.NDArray[np.intp] = np.unique(np.concatenate(([0, n - 1], low, high)))
    return kept[kept < n]


def figures6(value: float) -> float | None:
    """A number as the page stores it, to six figures; None where there is none."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def lines(frame: pd.DataFrame, columns: Mapping[str, str], extra: Mapping[str, str] | None = None) -> Records:
    """Columns of a table as thinned lines in long form.

    Parameters
    ----------
    frame : DataFrame
        In the order of time, with a column `time`.
    columns : mapping of str to str
        Column to the name of its line.
    extra : mapping of str to str, optional
        Fields that all records get, such as the market.
    """
    times = milliseconds(frame["time"])
    records: Records = []
    for column, name in columns.items():
        values = frame[column].to_numpy(dtype=float)
        records += [
            {"time": int(times[i]), "line": name, "value": figures6(values[i]), **(extra or {})}
            for i in extremes(values)
        ]
    return records


def chart(records: Records) -> alt.Chart:
    """A chart of inline records, with `when` as their time in words."""
    when = "utcFormat(datum.time, '%-d %b %Y %H:%M UTC')"
    return alt.Chart(inline(records)).transform_calculate(when=when)


def inline(records: Records) -> alt.InlineData:
    """Records as comma-separated text: half the size of JSON, and not validated value by value."""
    text = io.StringIO()
    fields = list(records[0]) if records else ["time", "line", "value"]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    numbers = {field: "number" for field in fields if field in NUMBERS}
    return alt.InlineData(values=text.getvalue(), format=alt.CsvDataFormat(type="csv", parse=numbers))


def time_axis(run: Run, named: bool = True) -> alt.X:
    """The time axis that all figures of a run share; only the lowest panel names it."""
    return span_axis(pd.Timestamp(run.blocks["time"].min()), pd.Timestamp(run.blocks["time"].max()), named)


def span_axis(start: pd.Timestamp, end: pd.Timestamp, named: bool = True) -> alt.X:
    """A time axis from `start` to `end`."""
    low, high = (round(time.timestamp() * 1000) for time in (start, end))
    last = end - pd.Timedelta(seconds=1)
    span = f"{start:%-d %B %Y}" if start.date() == last.date() else f"{start:%-d %B} to {last:%-d %B %Y}"
    return alt.X(
        "time:T",
        scale=alt.Scale(type="utc", nice=False, domainMin=low, domainMax=high),
        axis=alt.Axis(title=f"{span}, UTC" if named else None, labelExpr=TIME_LABEL, grid=False, tickCount=8),
    )


def zoom(views: list[str]) -> alt.TopLevelSelectionParameter:
    """Drag to pan, shift and wheel to zoom, so that a page still scrolls."""
    select = alt.IntervalSelectionConfig(type="interval", encodings=["x"], zoom="wheel![event.shiftKey]")
    return alt.TopLevelSelectionParameter(name="zoom", select=select, bind="scales", views=views)


def colours(names: Iterable[str], palette: Sequence[str]) -> alt.Color:
    """A colour for each name of the field `line`, with a legend in that order."""
    domain = list(names)
    return alt.Color("line:N", scale=alt.Scale(domain=domain, range=list(palette[: len(domain)])), sort=None)


def tooltip(*fields: tuple[str, str, str | None]) -> list[alt.Tooltip]:
    """Tooltips from (field with type, title, number format); the time comes first."""
    rows = [alt.Tooltip("when:N", title="time")]
    return rows + [
        alt.Tooltip(field, title=title, format=form) if form else alt.Tooltip(field, title=title)
        for field, title, form in fields
    ]


def usd_axis(title: str, **options: Any) -> alt.Axis:
    """An axis of US dollars, labelled $5M and not 5000000."""
    return alt.Axis(title=title, labelExpr=USD_LABEL, tickCount=5, **options)


def titled(figure: Figure, text: str, subtitle: str = "") -> Figure:
    """Put what is seen above a figure, in lines as wide as it, and set its look."""
    below = textwrap.wrap(subtitle, 115) if subtitle else alt.Undefined
    title = alt.TitleParams(text=textwrap.wrap(text, 82), subtitle=below)
    return cast("Figure", figure.properties(title=title).configure(**CONFIG))


def stacked(panels: Sequence[Figure], **resolve: Any) -> Figure:
    """Panels above each other on one time axis, on which they zoom together.

    Layers zoom by the first of them.
    """
    named = [_named(panel, f"panel_{i}") for i, panel in enumerate(panels)]
    views = [f"panel_{i}" for i in range(len(panels))]
    figure = alt.vconcat(*named, spacing=14, params=[zoom(views)])
    return cast("Figure", figure.resolve_scale(x="shared", **resolve))


def _named(panel: Figure, name: str) -> Figure:
    if isinstance(panel, alt.LayerChart):
        first, *others = panel.layer
        return cast(
            "Figure",
            alt.layer(first.properties(name=name), *others).properties(
                width=panel.width, height=panel.height
            ),
        )
    return panel.properties(name=name)


def zoomable(figure: Figure, view: str) -> Figure:
    """A chart, or layers, on whose time axis one can pan and zoom; `view` is the name of its main marks."""
    return figure.properties(params=[zoom([view])])


def statement(text: str) -> alt.Chart:
    """A figure that says in words that there is nothing to draw."""
    words = alt.Chart(inline([{"text": text}]), width=WIDTH, height=60).mark_text(fontSize=14, color="#444")
    return cast("alt.Chart", words.encode(text="text:N"))
