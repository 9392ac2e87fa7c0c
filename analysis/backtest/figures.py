"""What is compared: each figure of an event by one definition, from its course hour by hour."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from analysis.backtest.course import value_at

Measure = Callable[[pd.DataFrame, pd.Timestamp, pd.Timestamp], float]


class Definition(NamedTuple):
    """A figure of an event.

    Attributes
    ----------
    unit : str
    meaning : str
    value : callable
        From the course and the two moments between which it is looked at.
    """

    unit: str
    meaning: str
    value: Measure


def _within(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Hours after `start`, up to the one that ends at `end`."""
    return course[(course.index > start) & (course.index <= end)]


def _change(column: str) -> Measure:
    def change(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
        return value_at(course, end, column) / value_at(course, start, column) - 1

    return change


def _drawdown(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    hours = _within(course, start, end)
    return float((1 - hours["low"] / hours["high"].cummax()).max())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _coin_over_usd(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    coin, usd = (-_change(name)(course, start, end) for name in ("open_interest", "open_interest_usd"))
    return _ratio(coin, usd)


def _forced(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    columns = ["longs_usd", "shorts_usd", "deleveraged_usd"]
    return float(_within(course, start, end)[columns].to_numpy().sum())


def _liquidated_share(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    return _ratio(_forced(course, start, end), value_at(course, start, "open_interest_usd"))


def _forced_over_lost(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    before, after = (value_at(course, moment, "open_interest_usd") for moment in (start, end))
    return _ratio(_forced(course, start, end), before - after)


def _longs_share(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    longs, shorts = (float(_within(course, start, end)[side].sum()) for side in ("longs_usd", "shorts_usd"))
    return _ratio(longs, longs + shorts)


def _cover_share(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    hours = _within(course, start, end)
    return _ratio(float(hours["cover_usd"].sum()), float(hours["forced_usd"].sum()))


def _basis_low(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    return float(_within(course, start, end)["basis"].min())


def _funding_low(course: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> float:
    daily = _within(course, start, end)["funding"].resample("1D", closed="right").mean()
    return float(daily.min())


FIGURES = {
    "drawdown": Definition("1", "largest fall of the outside price below an earlier high", _drawdown),
    "open_interest_usd": Definition("1", "change of open interest in USD", _change("open_interest_usd")),
    "open_interest_coin": Definition("1", "change of open interest in coin", _change("open_interest")),
    "coin_over_usd": Definition("1", "fall of open interest in coin over that in USD", _coin_over_usd),
    "liquidated_share": Definition("1", "closed by force over open interest before", _liquidated_share),
    "forced_over_lost": Definition("1", "closed by force over open interest lost", _forced_over_lost),
    "longs_share": Definition("1", "longs' share of what was liquidated", _longs_share),
    "cover_share": Definition("1", "paid by fund and vault over what was closed by force", _cover_share),
    "basis_low": Definition("bp", "lowest basis at the end of an hour", _basis_low),
    "funding_low": Definition("bp", "lowest mean funding of 8 hours of a day", _funding_low),
}
