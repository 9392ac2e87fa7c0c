"""An event hour by hour: prices, open interest, forced volume, basis and funding of one market."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from analysis.validation.market_statistics import BP, HOUR, book_middle, by

COLUMNS = (
    "price",
    "high",
    "low",
    "open_interest",
    "open_interest_usd",
    "longs_usd",
    "shorts_usd",
    "deleveraged_usd",
    "forced_usd",
    "cover_usd",
    "basis",
    "funding",
)
COVER = ("insurance_fund", "backstop_vault")
FORCED = ("long_liquidated_usd", "short_liquidated_usd", "deleveraged_usd")


def hourly_course(tables: Mapping[str, pd.DataFrame], market: str) -> pd.DataFrame:
    """A run hour by hour.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        `markets` and `waterfall` of a run.
    market : str
        The one that is looked at.

    Returns
    -------
    DataFrame
        A row for each hour, named by its end (UTC): the outside `price` then, its `high` and `low` [USD];
        `open_interest` then [base units] and `open_interest_usd` at the mark; closed by liquidation,
        `longs_usd` and `shorts_usd`, and against winners, `deleveraged_usd`; `forced_usd`, all three in
        all markets together; `cover_usd`, what the insurance fund and the vault paid in all of them;
        `basis` then [bp], as in `market_statistics`; and the mean `funding` [bp per 8 h].
    """
    markets = tables["markets"]
    rows = markets[markets["market"] == market].set_index("time")
    outside = by(HOUR, rows["outside"])
    forced = markets.set_index("time")[list(FORCED)].sum(axis=1)
    paid = tables["waterfall"].query("stage in @COVER").set_index("time")["amount_usd"]
    course = pd.DataFrame(
        {
            "price": outside.last(),
            "high": outside.max(),
            "low": outside.min(),
            "open_interest": by(HOUR, rows["open_interest"]).last(),
            "open_interest_usd": by(HOUR, rows["open_interest_usd"]).last(),
            "longs_usd": by(HOUR, rows["long_liquidated_usd"]).sum(),
            "shorts_usd": by(HOUR, rows["short_liquidated_usd"]).sum(),
            "deleveraged_usd": by(HOUR, rows["deleveraged_usd"]).sum(),
            "forced_usd": by(HOUR, forced).sum(),
            "basis": by(HOUR, BP * (book_middle(rows) / rows["outside"] - 1)).last(),
            "funding": by(HOUR, BP * rows["funding_rate"]).mean(),
        }
    )
    course["cover_usd"] = _hourly_sums(paid, course.index)
    course.index = course.index + pd.Timedelta(HOUR)
    return course[list(COLUMNS)]


def _hourly_sums(amounts: pd.Series, hours: pd.Index) -> pd.Series:
    """Sums by the hour; nought where there is nothing to add."""
    if amounts.empty:
        return pd.Series(0.0, index=hours)
    sums: pd.Series = by(HOUR, amounts).sum().reindex(hours, fill_value=0.0)
    return sums


def value_at(course: pd.DataFrame, moment: datetime, column: str) -> float:
    """A value of a course at the end of an hour."""
    return float(course[column].to_numpy(dtype=float)[course.index.get_loc(pd.Timestamp(moment))])


def numbers(course: pd.DataFrame) -> dict[str, float]:
    """Every value of a course by `COLUMN TIME`, as the result of a task carries numbers."""
    return {f"{column} {time}": float(value) for column in course for time, value in course[column].items()}


def course_of(found: Mapping[str, float | None]) -> pd.DataFrame:
    """The course that `numbers` took apart."""
    names = [name.partition(" ") for name in found]
    index = pd.MultiIndex.from_tuples([(pd.Timestamp(time), column) for column, _, time in names])
    values = [np.nan if value is None else value for value in found.values()]
    course = pd.Series(values, index=index, dtype=float).unstack()
    return course[list(COLUMNS)]
