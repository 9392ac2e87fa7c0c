"""What really happened, as far as files tell: spot, the perpetual's basis, open interest."""

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.backtest.events import Event
from analysis.validation.market_statistics import BP, HOUR
from sim.prices.candles import read_candles
from sim.problems import Problem, ScenarioError


def real_course(event: Event, data: Path) -> pd.DataFrame:
    """Real columns of an event's course, at the same moments as a run's.

    Parameters
    ----------
    event : Event
    data : Path
        Folder of its files.

    Returns
    -------
    DataFrame
        A row for each hour, named by its end (UTC): `price`, `high`, `low` of spot [USD]; `basis` [bp] where
        the event names candles of the perpetual; `open_interest` [base units] and `open_interest_usd` at the
        ends of days where it names open interest. NaN where nothing is known.

    Raises
    ------
    ScenarioError
        When a file that the event names is missing or cannot be read.
    """
    hours = pd.date_range(event.start + pd.Timedelta(HOUR), event.end, freq=HOUR)
    spot = read_candles(data / event.candles[event.market]).set_index("date")
    bars = spot.loc[: event.end].resample(HOUR)
    course = pd.DataFrame(
        {"price": bars["close"].last(), "high": bars["high"].max(), "low": bars["low"].min()}
    )
    course.index = course.index + pd.Timedelta(HOUR)
    course = course.reindex(hours)
    course["basis"] = BP * (_perpetual(event, data).reindex(hours) / course["price"] - 1)
    course["open_interest_usd"] = _open_interest(event, data).reindex(hours)
    return course.assign(open_interest=course["open_interest_usd"] / course["price"])


def _perpetual(event: Event, data: Path) -> pd.Series:
    """Closes of the perpetual's hours [USD]."""
    if not event.perpetual:
        return pd.Series(np.nan, index=pd.DatetimeIndex([], tz="UTC"))
    bars = read_candles(data / event.perpetual).set_index("date")["close"].resample(HOUR).last()
    return bars.set_axis(bars.index + pd.Timedelta(HOUR))


def _open_interest(event: Event, data: Path) -> pd.Series:
    """Open interest at the ends of days [USD]."""
    if not event.open_interest:
        return pd.Series(np.nan, index=pd.DatetimeIndex([], tz="UTC"))
    path = data / event.open_interest
    if not path.is_file():
        raise ScenarioError([Problem(str(path), "", "no such file of open interest")])
    frame = pd.read_csv(path)
    days = pd.to_datetime(frame["date"], utc=True) + pd.Timedelta("1D")
    return pd.Series(frame["oi_usd"].to_numpy(dtype=float), index=pd.DatetimeIndex(days))
