"""Regimes from daily realised volatility; activity and tails from simulated moments."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.fitting.estimates import Days, Estimate, Fit, block_errors, daily, last_closes
from analysis.fitting.moments import match_moments
from analysis.fitting.replicas import Report
from analysis.fitting.samples import Samples
from sim.prices.settings import Regimes

Floats = NDArray[np.float64]

NAMES = {1: ("usual",), 2: ("calm", "turbulent"), 3: ("calm", "usual", "turbulent")}
REGIMES = 3
SWITCHING = "Markov switching of log daily realised volatility (statsmodels)"
WEIGHTED = "days weighted by the regime's probability; block bootstrap"


class Chain(NamedTuple):
    """Regimes of days, the calmest first.

    Attributes
    ----------
    odds : (K, K) float64
        Probability of each regime on the next day; rows sum to 1.
    errors : (K,) float64
        Standard errors of the probabilities to stay.
    weight : (d, K) float64
        Probability of each regime on each day, given all days.
    """

    odds: Floats
    errors: Floats
    weight: Floats


def fit_regimes(samples: Samples, seed: int, report: Report) -> Fit:
    """Regimes with mean stays, volatilities and correlations, then activity, degrees and reversal.

    The chain is estimated on the mean over markets of log daily realised volatility. Drift stays 0: its
    standard error over a few years is larger than any drift worth simulating.
    """
    days = daily(samples.longest)
    report("regimes of days", 0, 1)
    chain = _chain(days)
    data, estimates = _regimes(samples, days, chain)
    report("regimes of days", 1, 1)
    settings, more, notes = match_moments(Regimes.model_validate(data), samples, seed, report)
    return Fit(settings, (*estimates, *more), notes)


def _chain(days: Days) -> Chain:
    """Maximum likelihood; regimes sorted by their level of volatility."""
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    level = 0.5 * np.log(np.maximum(days.variance, 1e-12)).mean(axis=1)
    model = MarkovRegression(level, k_regimes=REGIMES, trend="c", switching_variance=True)
    found: Any = model.fit(disp=False, maxiter=500)
    names = list(found.model.param_names)
    constants = np.array([found.params[names.index(f"const[{i}]")] for i in range(REGIMES)])
    order = np.argsort(constants)
    odds = np.asarray(found.regime_transition)[:, :, 0].T[np.ix_(order, order)]
    errors = np.array([_stay_error(found, names, int(i)) for i in order])
    return Chain(odds, errors, np.asarray(found.smoothed_marginal_probabilities)[:, order])


def _stay_error(found: Any, names: list[str], regime: int) -> float:
    """Standard error of the probability to stay; that of the last regime's row is 1 minus the others."""
    columns = [i for i, name in enumerate(names) if name.startswith(f"p[{regime}->")]
    own = [i for i in columns if _destination(names[i]) == regime]
    covariance = np.asarray(found.cov_params())
    if own:
        return float(np.sqrt(max(covariance[own[0], own[0]], 0.0)))
    return float(np.sqrt(max(covariance[np.ix_(columns, columns)].sum(), 0.0)))


def _destination(parameter: str) -> int:
    """Regime to which a transition such as `p[0->1]` leads."""
    return int(parameter.split("->")[1].rstrip("]"))


def _regimes(samples: Samples, days: Days, chain: Chain) -> tuple[dict[str, Any], list[Estimate]]:
    """Settings without activity, and their estimates."""
    names = NAMES[REGIMES]
    estimates: list[Estimate] = []
    regimes = []
    for index, name in enumerate(names):
        stay = 1 / max(1 - chain.odds[index, index], 1e-6)
        error = chain.errors[index] * stay**2
        estimates.append(Estimate(f"regimes.{name}.duration", stay, error, "day", SWITCHING))
        values, errors = _levels(days, chain.weight[:, index])
        labels = [*(f"volatility.{market}" for market in samples.markets), "correlation"]
        units = ["1 per sqrt(year)"] * len(samples.markets) + ["1"]
        estimates += [
            Estimate(f"regimes.{name}.{label}", float(value), float(spread), unit, WEIGHTED)
            for label, value, spread, unit in zip(labels, values, errors, units, strict=True)
        ]
        away = {other: round(chain.odds[index, i] * stay, 4) for i, other in enumerate(names) if i != index}
        regimes.append(
            {
                "name": name,
                "duration": f"{round(stay * 24)}h",
                "volatility": {m: round(float(v), 4) for m, v in zip(samples.markets, values, strict=False)},
                "correlation": round(float(values[-1]), 4),
                "next": away if any(away.values()) else {},
            }
        )
    return {"kind": "regimes", "regimes": regimes, "start": last_closes(samples)}, estimates


def _levels(days: Days, weight: Floats) -> tuple[Floats, Floats]:
    """Volatility of each market and the mean correlation on weighted days, (m + 1,), with errors."""

    def levels(rows: NDArray[np.int64]) -> Floats:
        mean = np.tensordot(weight[rows], days.product[rows], 1) / max(weight[rows].sum(), 1e-12)
        deviation = np.sqrt(np.diagonal(mean))
        matrix = mean / np.outer(deviation, deviation)
        others = matrix[~np.eye(len(matrix), dtype=bool)]
        return np.append(deviation, others.mean() if len(others) else 0.0)

    every = np.arange(len(weight))
    return levels(every), block_errors(levels, len(weight))
