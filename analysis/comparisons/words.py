"""The numbers of a comparison as people read them: estimates with intervals, differences, p-values."""

import math
from collections.abc import Hashable, Mapping

from analysis.comparisons.intervals import Drawing
from analysis.wording import MINUS, NBSP, duration, percent, quantity

Row = Mapping[Hashable, object]


def number(row: Row, column: str) -> float:
    """A number of a row."""
    return float(str(row[column]))


def rejected(row: Row, drawing: Drawing) -> bool:
    """Whether a difference would be shown if it were the only one that is looked at."""
    return number(row, "p") < drawing.alpha


def signed(value: float, unit: str) -> str:
    """A difference with its sign: +$1.20M, −4.1 points, $0."""
    text = points(abs(value)) if unit == "1" else quantity(abs(value), unit)
    if not any(digit in text for digit in "123456789"):
        return text
    return f"{MINUS if value < 0 else '+'}{text}"


def points(value: float) -> str:
    """Size of a difference of shares in percentage points: 4.1 points."""
    size = value * 100
    return f"{size:.0f}{NBSP}points" if size >= 9.95 or size == 0 else f"{size:.2g}{NBSP}points"


def estimate(row: Row, side: str, unit: str) -> str:
    """A policy's estimate with its interval: $1.20M ($0.80M to $2.30M)."""
    value, low, high = (number(row, f"{side}_{end}") for end in ("estimate", "low", "high"))
    if low == value == high:
        return quantity(value, unit)
    return f"{quantity(value, unit)} ({quantity(low, unit)} to {quantity(high, unit)})"


def interval(row: Row, unit: str, without_zero: bool) -> str:
    """Interval of a difference: −$0.5M to +$1.2M, or above 0 to +$1.2M where zero itself is outside."""
    low, high = number(row, "low"), number(row, "high")
    above, below = without_zero and low == 0, without_zero and high == 0
    first = f"above{NBSP}0" if above else signed(low, unit).removesuffix(f"{NBSP}points")
    return f"{first} to {f'below{NBSP}0' if below else signed(high, unit)}"


def spread_of(row: Row, unit: str, drawing: Drawing) -> str:
    """A difference with its interval: −$0.2M (−$0.5M to +$1.2M)."""
    gap = signed(number(row, "difference"), unit)
    if number(row, "low") == number(row, "high"):
        return gap
    return f"{gap} ({interval(row, unit, rejected(row, drawing))})"


def change(row: Row) -> str:
    """A difference as a share of the baseline's estimate: −52 %; a dash where that is zero."""
    value = number(row, "relative")
    if not math.isfinite(value):
        return "–"
    text = percent(value)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def chance(p: float) -> str:
    """A p-value: 0.03, 0.004, <0.001, 1."""
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.01 else f"{p:.2f}" if p < 0.995 else "1"


def factor(value: float) -> str:
    """A ratio of widths: 2.4, over 100."""
    return "over 100" if value > 100 else f"{value:.1f}"


def horizon(seconds: float) -> str:
    """Length of a run, in hours up to four days: 48 h."""
    hours = seconds / 3600
    return f"{hours:g}{NBSP}h" if 1 <= hours <= 96 and hours == round(hours, 2) else duration(seconds)
