"""What log returns look like: tails, memory, asymmetry and dependence, each with one exact definition.

Missing returns are NaN: moments leave them out, and correlations use the pairs of which both are known.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

YEAR = 365 * 86_400
TAIL = 0.025
JOINT_TAIL = 0.05
DECAY_LAGS = 700
SECONDS = {"5m": 300, "1h": 3600, "4h": 14_400, "1d": 86_400, "1w": 604_800}
ABSOLUTE_LAGS = {"5m": (1, 12, 72, 288), "1h": (1, 6, 24, 72, 168)}


def log_returns(prices: Floats, step: int = 1) -> Floats:
    """Log returns over `step` rows that do not overlap, from the first row on.

    Parameters
    ----------
    prices : (n,) or (n, m) ndarray
        Prices at equal distances in time; NaN where there is none.
    step : int
        Rows in a return.

    Returns
    -------
    ndarray
        ((n - 1) // step,) or ((n - 1) // step, m) log returns [1].
    """
    return np.diff(np.log(prices[::step]), axis=0)


def volatility(returns: Floats, seconds: float) -> float:
    """Standard deviation of returns over `seconds` each, by the year [1 per sqrt(year)]."""
    return float(np.nanstd(returns) * np.sqrt(YEAR / seconds))


def skewness(returns: Floats) -> float:
    """Third central moment over the cube of the standard deviation [1]; not corrected for bias."""
    return _standardised_moment(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Fourth central moment over the squared variance [1]: 3 for a normal law, not corrected for bias."""
    return _standardised_moment(returns, 4)


def _standardised_moment(returns: Floats, order: int) -> float:
    centred = returns - np.nanmean(returns)
    scale = np.sqrt(np.nanmean(centred**2))
    return float(np.nanmean(centred**order) / scale**order) if scale > 0 else float("nan")


def hill_index(returns: Floats, share: float = TAIL) -> float:
    """Tail index of the gains; pass `-returns` for the losses.

    Parameters
    ----------
    returns : (n,) ndarray
        Log returns [1].
    share : float
        Part of the gains that counts as the tail [1].

    Returns
    -------
    float
        Inverse of the mean logarithm of the tail's returns over its threshold [1]; NaN without a tail.

    References
    ----------
    .. [1] B. M. Hill, "A simple general approach to inference about the tail of a distribution",
       Annals of Statistics 3 (1975).
    """
    gains = np.sort(returns[returns > 0])
    count = int(share * len(gains))
    if count < 1:
        return float("nan")
    excess = np.log(gains[-count:] / gains[-count - 1]).mean()
    return float(1 / excess) if excess > 0 else float("nan")


def autocorrelation(values: Floats, lags: Sequence[int]) -> Floats:
    """Autocorrelation at given lags.

    Parameters
    ----------
    values : (n,) ndarray
        Values at equal distances in time; NaN where there is none.
    lags : sequence of int, length k
        Distances, each below n.

    Returns
    -------
    (k,) ndarray
        Mean product of the centred pairs at each lag over the variance of all [1].
    """
    known = np.isfinite(values)
    centred = np.where(known, values - np.nanmean(values), 0.0)
    length = fft.next_fast_len(len(values) + max(lags), real=True)
    wanted = np.asarray(lags, np.int64)
    products = fft.irfft(np.abs(fft.rfft(centred, length)) ** 2, length)
    pairs = len(values) - wanted.astype(np.float64)
    if not known.all():
        spectrum = np.abs(fft.rfft(known.astype(np.float64), length)) ** 2
        pairs = np.rint(fft.irfft(spectrum, length)[wanted])
    variance = products[0] / known.sum()
    if variance <= 0:
        return np.full(len(wanted), np.nan)
    found: Floats = products[wanted] / np.maximum(pairs, 1) / variance
    return found


def decay_exponent(returns: Floats, lags: int = DECAY_LAGS) -> float:
    """Exponent b of the power law c·lag^-b closest to the autocorrelation of absolute returns [1].

    Least squares over about forty lags from 1 to `lags`, evenly spread in their logarithm. The fit is to the
    values, not to their logarithms: those of long lags are mostly noise, and may be negative.
    """
    longest = min(lags, len(returns) - 2)
    if longest < 3:
        return float("nan")
    chosen = np.unique(np.geomspace(1, longest, 40).astype(np.int64))
    found = autocorrelation(np.abs(returns), chosen.tolist())
    if not np.isfinite(found).all():
        return float("nan")

    def left(exponent: float) -> float:
        law = chosen**-exponent
        return float(((found - law * (found @ law) / (law @ law)) ** 2).sum())

    return float(minimize_scalar(left, bounds=(0.0, 3.0), method="bounded").x)


def leverage_effect(returns: Floats) -> float:
    """Correlation of a return with the absolute return that follows it [1]: below 0 where falls excite."""
    return correlation(returns[:-1], np.abs(returns[1:]))


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's correlation of the pairs that are known [1]."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3 or first[known].std() == 0 or second[known].std() == 0:
        return float("nan")
    return float(np.corrcoef(first[known], second[known])[0, 1])


def tail_dependence(first: Floats, second: Floats, share: float = JOINT_TAIL) -> float:
    """Probability that `second` lies in its lowest part given that `first` lies in its own.

    Parameters
    ----------
    first, second : (n,) ndarray
        Simultaneous log returns [1].
    share : float
        The lowest part [1]: 0.05 for the worst 5 %.

    Returns
    -------
    float
        Share of the lowest returns of `first` [1]; `share` itself where the two are independent.
    """
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if not len(first):
        return float("nan")
    low = first <= np.quantile(first, share)
    return float((second[low] <= np.quantile(second, share)).mean())


def return_statistics(returns: Mapping[str, Floats], markets: Sequence[str]) -> dict[str, float]:
    """Every statistic of the returns of several markets, by name.

    Parameters
    ----------
    returns : mapping of str to (n, m) ndarray
        Log returns by horizon, of `5m`, `1h`, `4h`, `1d` and `1w`; a column for each market. The longer a
        horizon, the fewer statistics it has.
    markets : sequence of str, length m
        Names of the columns.

    Returns
    -------
    dict of str to float
        Statistics of a market as `btc_kurtosis_1h`, of a pair as `btc_eth_correlation_1h`; NaN where a
        sample is too short.
    """
    found: dict[str, float] = {}
    for horizon, table in returns.items():
        if horizon not in SECONDS:
            raise ValueError(f"a horizon must be one of {', '.join(SECONDS)}, got {horizon!r}")
        for column, market in enumerate(markets):
            for name, value in _single_statistics(table[:, column], horizon).items():
                found[f"{market.lower()}_{name}_{horizon}"] = value
        for name, value in _pair_statistics(table, markets, horizon).items():
            found[f"{name}_{horizon}"] = value
    return found


def _single_statistics(returns: Floats, horizon: str) -> dict[str, float]:
    """Statistics of one market at one horizon."""
    found = {"kurtosis": kurtosis(returns)}
    if horizon in ("1h", "1d"):
        found["skew"] = skewness(returns)
    if horizon in ("5m", "1h", "1d"):
        found["acf_1"] = float(autocorrelation(returns, [1])[0])
    if horizon in ABSOLUTE_LAGS:
        found |= {"hill_up": hill_index(returns), "hill_down": hill_index(-returns)}
        lags = [lag for lag in ABSOLUTE_LAGS[horizon] if lag < len(returns)]
        memory = autocorrelation(np.abs(returns), lags)
        found |= {f"acf_abs_{lag}": float(value) for lag, value in zip(lags, memory, strict=True)}
        found["leverage"] = leverage_effect(returns)
    if horizon == "1h":
        found["decay"] = decay_exponent(returns)
        found["volatility"] = volatility(returns, SECONDS[horizon])
    return found


def _pair_statistics(returns: Floats, markets: Sequence[str], horizon: str) -> dict[str, float]:
    """Statistics of every pair of markets at one horizon."""
    measures: dict[str, Callable[[Floats, Floats], float]] = {}
    if horizon in ("1h", "1d"):
        measures["correlation"] = correlation
    if horizon == "1h":
        measures["tail_dependence"] = tail_dependence
    return {
        f"{markets[i].lower()}_{markets[j].lower()}_{name}": measure(returns[:, i], returns[:, j])
        for i in range(len(markets))
        for j in range(i + 1, len(markets))
        for name, measure in measures.items()
    }
