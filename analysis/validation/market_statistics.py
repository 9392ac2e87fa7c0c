"""What the venue of one run looks like: funding, basis, activity, liquidations, each by one definition."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.typing import Resampler

from analysis.return_statistics import autocorrelation, correlation

Floats = NDArray[np.float64]

FIVE_MINUTES, HOUR, DAY = "5min", "1h", "1D"
BP = 1e4


def market_statistics(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Every statistic of the markets of a run, by name.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        `markets` and `liquidations` of a run.

    Returns
    -------
    dict of str to float
        As `btc_funding_mean`; NaN where a run is too short or nothing happened.
    """
    found: dict[str, float] = {}
    for market, frame in tables["markets"].groupby("market", sort=False):
        course = frame.set_index("time")
        sizes = tables["liquidations"].query("market == @market and filled != 0")["notional_usd"]
        values = (
            _funding(course)
            | _basis(course)
            | _activity(course)
            | _liquidations(course)
            | _sizes(sizes.abs().to_numpy())
        )
        found |= {f"{str(market).lower()}_{name}": value for name, value in values.items()}
    return found


def _funding(course: pd.DataFrame) -> dict[str, float]:
    """Funding of 8 hours [bp], the mean of the hours' rates, and its memory."""
    rate = BP * by(HOUR, course["funding_rate"]).last().resample("8h").mean().to_numpy()
    low, high = np.quantile(rate, [0.05, 0.95])
    memory = _memory(rate, [1, 3])
    return {
        "funding_mean": float(rate.mean()),
        "funding_p5": float(low),
        "funding_p95": float(high),
        "funding_below_zero": float((rate < 0).mean()),
        "funding_acf_8h": memory[0],
        "funding_acf_1d": memory[1],
    }


def _basis(course: pd.DataFrame) -> dict[str, float]:
    """Middle of the venue's book over the outside price by the hour [bp]."""
    basis = BP * by(HOUR, book_middle(course) / course["outside"] - 1).last().to_numpy()
    low, high = np.quantile(basis, [0.01, 0.99])
    return {
        "basis_mean": float(basis.mean()),
        "basis_sd": float(basis.std()),
        "basis_p1": float(low),
        "basis_p99": float(high),
        "basis_acf_1h": _memory(basis, [1])[0],
    }


def _activity(course: pd.DataFrame) -> dict[str, float]:
    """Volume and open interest by the day, and what returns do to both."""
    interest = by(DAY, course["open_interest_usd"]).last().dropna()
    volume = by(DAY, course["volume_usd"]).sum()
    coins = by(DAY, course["open_interest"]).last().dropna()
    price = by(DAY, course["outside"]).last().dropna()
    change, move = np.diff(np.log(interest)), np.diff(np.log(price))
    hourly = by(HOUR, course["volume_usd"]).sum().to_numpy()
    returns = np.abs(np.diff(np.log(by(HOUR, course["outside"]).last()), prepend=np.nan))
    with np.errstate(divide="ignore"):
        busy = np.where(hourly > 0, np.log(hourly), np.nan)
    return {
        "volume_over_oi": float((volume / interest).median()),
        "oi_change_sd": float(change.std()) if len(change) > 1 else float("nan"),
        "oi_change_sd_coin": float(np.diff(np.log(coins)).std()) if len(change) > 1 else float("nan"),
        "oi_return_correlation": correlation(change, move),
        "return_volume_correlation": correlation(returns, busy),
    }


def _liquidations(course: pd.DataFrame) -> dict[str, float]:
    """Forced volume over open interest by the day, its sides, and the memory of its imbalance."""
    longs, shorts = course["long_liquidated_usd"], course["short_liquidated_usd"]
    share = by(DAY, longs + shorts).sum() / by(DAY, course["open_interest_usd"]).mean()
    total = float((longs + shorts).sum())
    imbalance = by(FIVE_MINUTES, longs - shorts).sum().to_numpy()
    memory = _memory(imbalance, [1, 12])
    return {
        "liquidated_median": float(share.median()),
        "liquidated_p90": float(share.quantile(0.9)),
        "liquidated_longs": float(longs.sum() / total) if total > 0 else float("nan"),
        "imbalance_acf_5m": memory[0],
        "imbalance_acf_60m": memory[1],
    }


def _sizes(notional: Floats) -> dict[str, float]:
    """Liquidation sizes, free of scale: mean, p95 and p99 over the median [1]."""
    if len(notional) < 20:
        return dict.fromkeys(("size_mean", "size_p95", "size_p99"), float("nan"))
    median, high, highest = np.quantile(notional, [0.5, 0.95, 0.99])
    return {
        "size_mean": float(notional.mean() / median),
        "size_p95": float(high / median),
        "size_p99": float(highest / median),
    }


def book_middle(course: pd.DataFrame) -> pd.Series:
    """Middle of the venue's book [USD]; the mark where a side is empty."""
    shown = (course["bid"] > 0) & (course["ask"] > 0)
    return ((course["bid"] + course["ask"]) / 2).where(shown, course["mark"])


def by(length: str, values: pd.Series) -> "Resampler[Any]":
    """Values by stretches of time; one that is taken at the end of a stretch belongs to it."""
    return values.resample(length, closed="right")


def _memory(values: Floats, lags: list[int]) -> list[float]:
    """Autocorrelations [1]; NaN for a series that is too short or never moves."""
    if len(values) <= 2 * max(lags) or not np.ptp(values) > 0:
        return [float("nan")] * len(lags)
    return [float(value) for value in autocorrelation(values, lags)]
