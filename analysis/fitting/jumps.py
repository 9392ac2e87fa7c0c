"""Merton's jump diffusion by maximum likelihood, with jumps of all markets and of each alone."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from analysis.fitting.estimates import Estimate, Fit, last_closes
from analysis.fitting.samples import Samples
from analysis.return_statistics import YEAR
from sim.prices.settings import Jumps

Floats = NDArray[np.float64]

DAY = 86_400
METHOD = "maximum likelihood; errors from its curvature"
NAMES = (
    "correlation",
    "common.rate",
    "common.mean",
    "common.sigma",
    "common_correlation",
    "own.rate",
    "own.mean",
)
UNITS = ("1", "1/day", "1", "1", "1", "1/day", "1", "1")


def fit_jumps(samples: Samples) -> Fit:
    """Diffusion and jumps of the bars' returns; at most one jump in a bar, as in Ball and Torous.

    The rate of own jumps is raised by those that another jump in the same bar hides.

    References
    ----------
    .. [1] C. A. Ball and W. N. Torous, "A simplified jump process for common stock returns", Journal of
       Financial and Quantitative Analysis 18 (1983).
    """
    sample, count = samples.longest, len(samples.markets)
    returns = sample.returns[np.isfinite(sample.returns).all(axis=1)]
    per_day = DAY / sample.seconds

    def loss(free: Floats) -> float:
        return -_log_likelihood(returns, _natural(free, count)) / len(returns)

    found = minimize(loss, _guess(returns), method="L-BFGS-B", options={"maxiter": 400, "maxfun": 20_000})
    value = _natural(found.x, count)
    slope = _slope(lambda free: _natural(free, count), found.x)
    variance = slope @ np.linalg.pinv(_curvature(loss, found.x) * len(returns)) @ slope.T
    scale = np.array([*np.full(count, np.sqrt(YEAR / sample.seconds)), 1, per_day, 1, 1, 1, per_day, 1, 1])
    seen = 1 - value[count + 1] - (count - 1) * value[count + 5]
    scale[count + 5] /= max(seen, 0.1)
    errors = scale * np.sqrt(np.maximum(np.diagonal(variance), 0.0))
    names = [*(f"volatility.{market}" for market in samples.markets), *NAMES, "own.sigma"]
    units = [*("1 per sqrt(year)" for _ in samples.markets), *UNITS]
    estimates = tuple(
        Estimate(name, float(number), float(error), unit, METHOD)
        for name, number, error, unit in zip(names, scale * value, errors, units, strict=True)
    )
    return Fit(_settings(samples, estimates), estimates)


def _guess(returns: Floats) -> Floats:
    """Free parameters of a first guess: jumps in 2 % of the bars, of three times the deviation."""
    deviation = returns.std(axis=0)
    size = np.log(3 * deviation.mean())
    tilted = np.arctanh(0.8)
    rare = np.log(0.02 / 0.98)
    return np.array([*np.log(0.7 * deviation), tilted, rare, 0.0, size, tilted, rare, 0.0, size])


def _natural(free: Floats, count: int) -> Floats:
    """Parameters of a bar: deviations, correlation, then the shares, means and deviations of jumps."""
    given = free[count:]
    common = [1 / (1 + np.exp(-given[1])), 0.01 * given[2], np.exp(given[3]), np.tanh(given[4])]
    own = [1 / (1 + np.exp(-given[5])), 0.01 * given[6], np.exp(given[7])]
    return np.array([*np.exp(free[:count]), np.tanh(given[0]), *common, *own])


def _log_likelihood(returns: Floats, value: Floats) -> float:
    """Of bars without a jump, with one of all markets, or with one of a single market."""
    count = returns.shape[1]
    deviation, rest = value[:count], value[count:]
    base = _covariance(deviation, rest[0])
    share, mean, sigma, together, alone, own_mean, own_sigma = rest[1:]
    parts = [np.log(max(1 - share - count * alone, 1e-12)) + _log_normal(returns, base)]
    jump = _covariance(np.full(count, sigma), together)
    parts.append(np.log(share) + _log_normal(returns - mean, base + jump))
    for index in range(count):
        unit = np.eye(count)[index]
        moved = base + own_sigma**2 * np.outer(unit, unit)
        parts.append(np.log(alone) + _log_normal(returns - own_mean * unit, moved))
    return float(logsumexp(parts, axis=0).sum())


def _covariance(deviation: Floats, correlation: float) -> Floats:
    matrix: Floats = np.outer(deviation, deviation)
    return matrix * (correlation + (1 - correlation) * np.eye(len(deviation)))


def _log_normal(values: Floats, covariance: Floats) -> Floats:
    """Log density of a centred normal law, (n,)."""
    values_of, vectors = np.linalg.eigh(covariance)
    values_of = np.maximum(values_of, 1e-18)
    rotated = values @ vectors
    found: Floats = -0.5 * ((rotated**2 / values_of).sum(axis=1) + np.log(2 * np.pi * values_of).sum())
    return found


def _slope(function: Callable[[Floats], Floats], at: Floats, step: float = 1e-5) -> Floats:
    """Jacobian by central differences."""
    moves = step * np.eye(len(at))
    return np.column_stack([(function(at + move) - function(at - move)) / (2 * step) for move in moves])


def _curvature(loss: Callable[[Floats], float], at: Floats, step: float = 1e-3) -> Floats:
    """Matrix of second derivatives by central differences."""

    def gradient(here: Floats) -> Floats:
        moves = step * np.eye(len(at))
        return np.array([(loss(here + move) - loss(here - move)) / (2 * step) for move in moves])

    found = _slope(gradient, at, step)
    return (found + found.T) / 2


def _settings(samples: Samples, estimates: tuple[Estimate, ...]) -> Jumps:
    value = {estimate.name: round(estimate.value, 6) for estimate in estimates}
    return Jumps.model_validate(
        {
            "kind": "jumps",
            "start": last_closes(samples),
            "volatility": {market: round(value[f"volatility.{market}"], 4) for market in samples.markets},
            "correlation": value["correlation"],
            "common": {name: value[f"common.{name}"] for name in ("rate", "mean", "sigma")},
            "common_correlation": value["common_correlation"],
            "own": {name: value[f"own.{name}"] for name in ("rate", "mean", "sigma")},
        }
    )
