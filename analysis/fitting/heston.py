"""Heston's model from the moments of daily realised variance."""

import numpy as np
from numpy.typing import NDArray

from analysis.fitting.estimates import Estimate, Fit, block_errors, daily, last_closes
from analysis.fitting.samples import Samples
from analysis.return_statistics import autocorrelation
from sim.prices.settings import Heston

Floats = NDArray[np.float64]

LAGS = tuple(range(1, 21))
MONTHS = 90
METHOD = "moments of daily realised variance; block bootstrap of days"


def fit_heston(samples: Samples) -> Fit:
    """Long-run volatilities; half-life, variation and leverage common to the markets.

    The autocorrelation of daily realised variance is `c·exp(−κ·lag)`: what is missing to 1 at lag 0 is noise
    of the measurement. Hence the half-life, and the variation without that noise. Leverage is the
    correlation of a day's return with the change of variance to the next day, which noise draws to 0.

    References
    ----------
    .. [1] O. E. Barndorff-Nielsen and N. Shephard, "Econometric analysis of realized volatility and its use
       in estimating stochastic volatility models", Journal of the Royal Statistical Society B 64 (2002).
    """
    days = daily(samples.longest)

    def numbers(rows: NDArray[np.int64]) -> Floats:
        variance, change = days.variance[rows], days.change[rows]
        columns = [_memory(variance[:, i]) for i in range(variance.shape[1])]
        half_life, variation = np.mean(columns, axis=0)
        leverage = np.mean([_leverage(change[:, i], variance[:, i]) for i in range(variance.shape[1])])
        return np.array(
            [
                *np.sqrt(variance.mean(axis=0)),
                half_life,
                variation,
                leverage,
                _correlation(days.agreement[rows]),
            ]
        )

    names = [*(f"volatility.{market}" for market in samples.markets), "half_life", "variation", "leverage"]
    units = [*("1 per sqrt(year)" for _ in samples.markets), "day", "1", "1", "1"]
    found, errors = numbers(np.arange(len(days.variance))), block_errors(numbers, len(days.variance), MONTHS)
    estimates = tuple(
        Estimate(name, float(value), float(error), unit, METHOD)
        for name, value, error, unit in zip([*names, "correlation"], found, errors, units, strict=True)
    )
    return Fit(_settings(samples, estimates), estimates)


def _memory(variance: Floats) -> Floats:
    """Half-life [days] and variation of the variance behind noisy daily ones."""
    memory = autocorrelation(variance, LAGS)
    positive = memory > 0.02
    if positive.sum() < 2:
        return np.array([1.0, 0.0])
    slope, level = np.polyfit(np.array(LAGS)[positive], np.log(memory[positive]), 1, w=memory[positive])
    half_life = float(np.clip(np.log(2) / max(-slope, 1e-6), 0.05, 365.0))
    share = float(np.clip(np.exp(level), 0.0, 1.0))
    return np.array([half_life, np.sqrt(share) * variance.std() / variance.mean()])


def _leverage(change: Floats, variance: Floats) -> float:
    return float(np.clip(np.corrcoef(change[:-1], np.diff(variance))[0, 1], -1.0, 1.0))


def _correlation(agreement: Floats) -> float:
    """Correlation of normal shocks whose signs agree so often, mean over pairs, whatever their variance."""
    mean = agreement.mean(axis=0)
    others = np.sin(np.pi / 2 * mean[~np.eye(len(mean), dtype=bool)])
    return float(others.mean()) if len(others) else 0.0


def _settings(samples: Samples, estimates: tuple[Estimate, ...]) -> Heston:
    value = {estimate.name: estimate.value for estimate in estimates}
    numbers = {name: round(value[name], 4) for name in ("variation", "leverage", "correlation")}
    return Heston.model_validate(
        {
            "kind": "heston",
            "step": f"{min(3600, samples.by_length[0].seconds)}s",
            "start": last_closes(samples),
            "volatility": {market: round(value[f"volatility.{market}"], 4) for market in samples.markets},
            "half_life": f"{round(24 * value['half_life'] * 3600)}s",
            **numbers,
        }
    )
