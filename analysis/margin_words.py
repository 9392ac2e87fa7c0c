"""What the page says of margins that moved: how far, how fast, and what that called for."""

import numpy as np
import pandas as pd

from analysis.passages import PageTable, Passage, columns
from analysis.procyclicality import DAY, HOUR, procyclicality
from analysis.tables import Run
from analysis.wording import duration, percent, usd

MARGINS = {"initial_margin": "initial", "maintenance_margin": "maintenance"}
NOTE = (
    "Peak to trough: the highest margin over the lowest. Largest rises within an hour and a day, over "
    "what the margin was. Called for: all rises, each times the open interest of both sides before it; "
    "most within a day, less falls. Response: rise of the margin after an hourly return one standard "
    "deviation larger, at its peak, with a 95 % interval."
)


def margin_words(run: Run) -> Passage | None:
    """Procyclicality of the margins that a run has changed; None where none has."""
    rows = [
        row
        for margin, label in MARGINS.items()
        if (run.markets.groupby("market")[margin].nunique() > 1).any()
        for row in _rows(run, margin, label)
    ]
    if not rows:
        return None
    numbers = ("peak to trough", "in an hour", "in a day", "called for", "most in a day", "response")
    table = PageTable(columns(("margin",), numbers), rows, "How far margins rose", NOTE)
    return Passage("", (table,))


def _rows(run: Run, margin: str, label: str) -> list[tuple[str, ...]]:
    return [
        (
            f"{each.market}, {label}",
            f"{each.peak_to_trough:.2f}",
            _share(each.rises[HOUR]),
            _share(each.rises[DAY]),
            usd(each.demand.total_usd),
            usd(each.demand.day_usd),
            _response(each.response),
        )
        for each in procyclicality(run, margin)
    ]


def _share(value: float) -> str:
    return percent(value) if np.isfinite(value) else "–"


def _response(found: pd.DataFrame) -> str:
    if found.empty:
        return "–"
    peak = found.iloc[int(found["response"].to_numpy().argmax())]
    value, low, high = (percent(float(peak[name])) for name in ("response", "low", "high"))
    return f"{value} [{low}, {high}] after {duration(float(peak['seconds']))}"
