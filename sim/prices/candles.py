"""Candle files: read, checked from end to end, and cut to the window asked for."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.problems import Problem, ScenarioError

PRICES = ["open", "high", "low", "close"]
COLUMNS = ["date", *PRICES, "volume"]
SHOWN = 3


def read_candles(path: str | Path) -> pd.DataFrame:
    """Candles of one market.

    Parameters
    ----------
    path : str or Path
        `.csv`, `.csv.gz` or `.parquet` with the columns date (UTC, when the bar opens; ISO text or
        timestamps), open, high, low, close [USD] and volume [base units].

    Returns
    -------
    DataFrame
        The six columns, `date` in UTC, rising; gaps are left as they are.

    Raises
    ------
    ScenarioError
        Naming every broken rule with the rows (lines of a CSV) that break it.
    """
    raw = _read(Path(path))
    frame, problems = _typed(raw, str(path))
    if not problems:
        problems = [*_time_problems(frame, str(path)), *_price_problems(frame, str(path))]
    if problems:
        raise ScenarioError(problems)
    return frame


def bar_seconds(frame: pd.DataFrame) -> int:
    """Length of a bar [s]: the most frequent step between neighbours; 0 for a single row."""
    steps = frame["date"].diff().dt.total_seconds().dropna()
    return int(steps.mode().iloc[0]) if len(steps) else 0


def window(frame: pd.DataFrame, start: datetime, end: datetime, name: str) -> pd.DataFrame:
    """Bars that cover a span without a gap.

    Parameters
    ----------
    frame : DataFrame
        What `read_candles` returned.
    start, end : datetime
        First and last moment for which a price is needed (UTC).
    name : str
        The file, for error messages.

    Returns
    -------
    DataFrame
        The bars from the one that holds `start` to the one that holds `end`.
    """
    length = bar_seconds(frame)
    if length == 0:
        raise ScenarioError([Problem(name, "", "a candle file must hold at least two bars", f"{len(frame)}")])
    bar = pd.Timedelta(seconds=length)
    first, last = frame["date"].iloc[0], frame["date"].iloc[-1] + bar
    if start < first or end > last:
        rule = f"candles must cover {_stamp(start)} to {_stamp(end)}"
        raise ScenarioError([Problem(name, "", rule, f"{_stamp(first)} to {_stamp(last)}")])
    opened = frame["date"].searchsorted(pd.Timestamp(start), side="right") - 1
    closed = (frame["date"] + bar).searchsorted(pd.Timestamp(end), side="left")
    inside = frame.iloc[opened : max(opened, closed) + 1]
    gaps = _gap_problem(inside, bar, name)
    if gaps:
        raise ScenarioError([gaps])
    return inside.reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    name = str(path)
    if not path.is_file():
        raise ScenarioError([Problem(name, "", "no such candle file")])
    try:
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        if name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path)
    except (OSError, ValueError, EOFError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ScenarioError([Problem(name, "", f"the candle file cannot be read: {text}")]) from error
    raise ScenarioError([Problem(name, "", "a candle file must end in .csv, .csv.gz or .parquet")])


def _typed(raw: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[Problem]]:
    raw = raw.rename(columns={column: str(column).strip().lower() for column in raw.columns})
    missing = [column for column in COLUMNS if column not in raw.columns]
    if missing:
        found = ", ".join(map(str, raw.columns))
        return raw, [Problem(name, "", f"columns {', '.join(missing)} must be present", found)]
    if raw.empty:
        return raw, [Problem(name, "", "a candle file must hold at least two bars", "0")]
    if pd.api.types.is_numeric_dtype(raw["date"]):
        return raw, [Problem(name, "", "date must be ISO text or timestamps", f"{raw['date'].iloc[0]}")]
    date = pd.to_datetime(raw["date"], utc=True, errors="coerce", format="ISO8601")
    numbers = raw[COLUMNS[1:]].apply(pd.to_numeric, errors="coerce").astype("float64")
    frame = pd.concat([date.rename("date"), numbers], axis=1)
    problems = [
        _rows(name, frame[column].isna().to_numpy(), f"{column} must be given", raw[column])
        for column in COLUMNS
    ]
    return frame, [problem for problem in problems if problem]


def _time_problems(frame: pd.DataFrame, name: str) -> list[Problem]:
    step = frame["date"].diff()
    zero = pd.Timedelta(0)
    found = [
        _rows(name, (step == zero).to_numpy(), "a time must stand once", frame["date"]),
        _rows(name, (step < zero).to_numpy(), "times must rise", frame["date"]),
    ]
    return [problem for problem in found if problem]


def _price_problems(frame: pd.DataFrame, name: str) -> list[Problem]:
    prices = frame[PRICES]
    positive = ((prices > 0) & np.isfinite(prices)).all(axis=1)
    ordered = frame["high"] >= frame["low"]
    ends = frame[["open", "close"]]
    inside = ends.ge(frame["low"], axis=0).all(axis=1) & ends.le(frame["high"], axis=0).all(axis=1)
    rules = {
        "prices must be > 0 and finite": ~positive,
        "high >= low must hold": positive & ~ordered,
        "open and close must lie within [low, high]": positive & ordered & ~inside,
        "volume must be >= 0 and finite": ~((frame["volume"] >= 0) & np.isfinite(frame["volume"])),
    }
    found = [_rows(name, broken.to_numpy(), rule, frame[COLUMNS[1:]]) for rule, broken in rules.items()]
    return [problem for problem in found if problem]


def _rows(
    name: str, broken: NDArray[np.bool_], rule: str, values: "pd.DataFrame | pd.Series[Any]"
) -> Problem | None:
    rows = np.flatnonzero(broken)
    if not len(rows):
        return None
    csv = name.endswith((".csv", ".csv.gz"))
    where = "line" if csv else "row"
    shown = "; ".join(f"{where} {row + 2 if csv else row}: {_cell(values.iloc[row])}" for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    place = f"{name}:{rows[0] + 2}" if csv else name
    return Problem(place, "", rule, f"{shown}{more}")


def _cell(value: Any) -> str:
    if isinstance(value, pd.Series):
        return " ".join(f"{key}={number:g}" for key, number in value.items())
    return str(value)


def _gap_problem(inside: pd.DataFrame, bar: pd.Timedelta, name: str) -> Problem | None:
    step = inside["date"].diff()
    rows = np.flatnonzero((step.notna() & (step != bar)).to_numpy())
    if not len(rows):
        return None
    spans = [
        f"{_stamp(inside['date'].iloc[row - 1] + bar)} to {_stamp(inside['date'].iloc[row])}" for row in rows
    ]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    count = "1 gap" if len(rows) == 1 else f"{len(rows)} gaps"
    rule = f"bars must follow each other every {int(bar.total_seconds())} s"
    return Problem(name, "", rule, f"{count}: {'; '.join(spans[:SHOWN])}{more}")


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
