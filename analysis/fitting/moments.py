"""Simulated moments: the activity factors, tails and reversal under which paths look like the data."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from analysis.fitting.estimates import Estimate
from analysis.fitting.replicas import Report, real_statistics, replica_statistics
from analysis.fitting.samples import Samples
from sim.prices.settings import Activity, Regime, Regimes, Reversal
from sim.prices.shocks import mean_mixing

Floats = NDArray[np.float64]

HALF_LIVES = {"15m": 900, "2h": 7_200, "16h": 57_600, "5d": 432_000}
PATHS = 4
SCALES = 16
ROUNDS = 8
METHOD = "simulated moments; errors from replicas"
LEFT_OUT = ("correlation", "tail_dependence")


class Target(NamedTuple):
    """Real statistics that simulated ones should meet.

    Attributes
    ----------
    names : tuple of str, length q
    value : (q,) float64
        Kurtosis and volatility by their logarithms.
    scale : (q,) float64
        Standard deviation of each over replicas.
    """

    names: tuple[str, ...]
    value: Floats
    scale: Floats


def match_moments(
    settings: Regimes, samples: Samples, seed: int, report: Report
) -> tuple[Regimes, tuple[Estimate, ...], tuple[str, ...]]:
    """Regimes with the activity, degrees, leverage, reversal and level that match the data best.

    Each statistic of `return_statistics` but those of pairs is a moment, weighted by the inverse of its
    variance over replicas at the first guess. Paths use the same random numbers throughout. Half-lives of
    the factors are not estimated: 15 minutes, 2 and 16 hours and 5 days, as far as the bars can tell.

    References
    ----------
    .. [1] D. Duffie and K. Singleton, "Simulated moments estimation of Markov models of asset prices",
       Econometrica 61 (1993).
    """
    settings = settings.model_copy(update={"step": samples.by_length[0].seconds})
    names, guess, lower, upper = _unknowns(settings.step)
    target = _target(_built(settings, names, guess), samples, seed, report)
    tried = 0

    def distance(values: Floats) -> Floats:
        nonlocal tried
        tried += 1
        report("simulated moments", tried, (len(names) + 1) * ROUNDS)
        model = _built(settings, names, values)
        drawn = [
            _vector(replica_statistics(model, samples, seed + path), target.names) for path in range(PATHS)
        ]
        away: Floats = (np.mean(drawn, axis=0) - target.value) / target.scale
        return away

    found = least_squares(
        distance,
        guess,
        bounds=(lower, upper),
        x_scale=0.2 * np.abs(guess) + 0.05,
        diff_step=np.full(len(guess), 0.05),
        max_nfev=ROUNDS,
    )
    errors = _errors(np.asarray(found.jac), settings, names, found.x, (samples, target, seed))
    estimates = [
        Estimate(name, float(value), float(error), "1", METHOD)
        for name, value, error in zip(names, found.x, errors, strict=True)
    ]
    note = f"volatilities were multiplied by {found.x[-1]:.3f} so that hourly returns vary as the data's do"
    return _built(settings, names, found.x), tuple(estimates), (note,)


def _unknowns(step: int) -> tuple[list[str], Floats, Floats, Floats]:
    """Names of what is estimated, a first guess, and bounds."""
    factors = [name for name, seconds in HALF_LIVES.items() if seconds >= step]
    names = [*(f"activity.{name}.sigma" for name in factors), "activity.leverage", "degrees"]
    names += ["skew", "reversal.share", "reversal.hours", "level"]
    guess = [*(0.3 for _ in factors), -0.2, 4.0, -0.1, 0.08, 1.0, 1.0]
    lower = [*(0.0 for _ in factors), -0.9, 2.2, -1.0, 0.0, 0.05, 0.5]
    upper = [*(1.2 for _ in factors), 0.9, 30.0, 1.0, 0.6, 24.0, 2.0]
    return names, np.array(guess), np.array(lower), np.array(upper)


def _built(settings: Regimes, names: list[str], values: Floats) -> Regimes:
    """Settings with the estimated numbers in their places."""
    value = {name: round(float(each), 4) for name, each in zip(names, values, strict=True)}
    activity = tuple(
        Activity.model_validate(
            {
                "sigma": value[f"activity.{name}.sigma"],
                "half_life": name,
                "leverage": value["activity.leverage"],
            }
        )
        for name in HALF_LIVES
        if f"activity.{name}.sigma" in value
    )
    common = value["skew"] ** 2 * (1 - mean_mixing(value["degrees"]) ** 2)
    regimes = tuple(_scaled(each, value["level"], common) for each in settings.regimes)
    reversal = Reversal.model_validate(
        {"share": value["reversal.share"], "half_life": f"{round(3600 * value['reversal.hours'])}s"}
    )
    changed: dict[str, Any] = {"activity": activity, "regimes": regimes, "reversal": reversal}
    return settings.model_copy(update={**changed, "degrees": value["degrees"], "skew": value["skew"]})


def _scaled(regime: Regime, level: float, common: float) -> Regime:
    """A regime with its volatilities times `level`, and without the correlation that the skew brings."""
    volatility = {market: round(level * value, 4) for market, value in regime.volatility.items()}
    correlation = round(max(regime.correlation * (1 + common) - common, -1.0), 4)
    return regime.model_copy(update={"volatility": volatility, "correlation": correlation})


def _target(settings: Regimes, samples: Samples, seed: int, report: Report) -> Target:
    real = real_statistics(samples)
    rows = []
    for path in range(SCALES):
        rows.append(replica_statistics(settings, samples, seed + 1000 + path))
        report("weights of the moments", path + 1, SCALES)
    names = tuple(
        name
        for name in real
        if not any(part in name for part in LEFT_OUT)
        and np.isfinite([real[name], *(row[name] for row in rows)]).all()
    )
    scale = np.std([_vector(row, names) for row in rows], axis=0)
    return Target(names, _vector(real, names), np.maximum(scale, 1e-6))


def _vector(statistics: Mapping[str, float], names: tuple[str, ...]) -> Floats:
    values = [statistics[name] for name in names]
    logs = [("kurtosis" in name or "volatility" in name) for name in names]
    return np.array([np.log(value) if log else value for value, log in zip(values, logs, strict=True)])


def _errors(
    slope: Floats, settings: Regimes, names: list[str], values: Floats, data: tuple[Samples, Target, int]
) -> Floats:
    """Standard errors, (p,): the variance of statistics over replicas, carried through the estimator."""
    samples, target, seed = data
    model = _built(settings, names, values)
    drawn = [
        _vector(replica_statistics(model, samples, seed + 2000 + path), target.names)
        for path in range(2 * SCALES)
    ]
    spread = np.cov(np.array(drawn).T / target.scale[:, None])
    inverse = np.linalg.pinv(slope.T @ slope)
    gain = inverse @ slope.T
    variance = gain @ spread @ gain.T * (1 + 1 / PATHS)
    return np.sqrt(np.maximum(np.diagonal(variance), 0.0))
