"""Densities of observations in each state, Gaussian or Student-t, with any series missing."""

from math import inf, lgamma, log, pi
from typing import NamedTuple

import numpy as np

from agents.models.observations import Observations
from agents.models.parameters import Markov
from protocol.book import Floats, Mask
from protocol.kernels import fragment, kernel


class Emissions(NamedTuple):
    """What the densities of K states need, for each of P patterns of observed series.

    Attributes
    ----------
    mean : (K, D) float64
    root : (P, K, D, D) float64
        Lower triangle that turns deviations into independent ones of scale 1; 0 for what is missing.
    constant : (P, K) float64
        Log density at the mean.
    degrees : (K,) float64
        Infinite: Gaussian.
    half : (P, K) float64
        Half of degrees plus number of observed series; 0 for Gaussian states.
    """

    mean: Floats
    root: Floats
    constant: Floats
    degrees: Floats
    half: Floats


def emissions(parameters: Markov, observed: Mask) -> Emissions:
    """Prepare the densities of a model for the patterns of a sample, (P, D)."""
    states, series = parameters.mean.shape
    student = np.isfinite(parameters.degrees)
    sizes = observed.sum(axis=1)
    root, logs = np.zeros((len(observed), states, series, series)), np.zeros((len(observed), states))
    if not fill_roots(parameters.scale, observed, root, logs):
        raise np.linalg.LinAlgError("a scale must be positive definite")
    peak = np.array([[_peak(degrees, size) for degrees in parameters.degrees] for size in sizes])
    half = np.where(student, (parameters.degrees + sizes[:, None]) / 2, 0.0)
    return Emissions(parameters.mean, root, peak + logs, parameters.degrees, half)


@kernel
def fill_roots(scale: Floats, observed: Mask, root: Floats, logs: Floats) -> bool:
    """Write inverse Cholesky factors of what is observed, and the logarithms of their determinants.

    Returns
    -------
    bool
        False if a scale is not positive definite.
    """
    series = scale.shape[1]
    for p in range(len(observed)):
        for k in range(len(scale)):
            for i in range(series):
                if observed[p, i]:
                    pivot = eliminate(scale[k], observed[p], root[p, k], i)
                    if not pivot > 0.0:
                        return False
                    logs[p, k] -= np.log(pivot)
            for i in range(series):
                for j in range(i):
                    total = 0.0
                    for m in range(j, i):
                        total += root[p, k, i, m] * root[p, k, m, j]
                    root[p, k, i, j] = -total * root[p, k, i, i]
    return True


@kernel
def eliminate(scale: Floats, there: Mask, root: Floats, i: int) -> float:
    """Write row `i` of the Cholesky factor, its diagonal inverted; return that diagonal."""
    rest = scale[i, i]
    for j in range(i):
        if there[j]:
            total = scale[i, j]
            for m in range(j):
                total -= root[i, m] * root[j, m]
            root[i, j] = total * root[j, j]
            rest -= root[i, j] * root[i, j]
    pivot = np.sqrt(rest)
    root[i, i] = 1.0 / pivot
    return pivot


def _peak(degrees: float, count: int) -> float:
    """Log density at the mean of a standard law in `count` dimensions."""
    if degrees == inf:
        return -0.5 * count * log(2 * pi)
    return lgamma((degrees + count) / 2) - lgamma(degrees / 2) - 0.5 * count * log(pi * degrees)


def log_densities(sample: Observations, parameters: Markov) -> Floats:
    """Log density of each observation in each state, (T, K); 0 where all is missing."""
    out = np.empty((len(sample.values), parameters.states))
    fill_log_densities(sample.values, sample.pattern, emissions(parameters, sample.observed), out)
    return out


@kernel
def fill_log_densities(values: Floats, pattern: np.ndarray, law: Emissions, out: Floats) -> None:
    """Write the log densities, (T, K)."""
    for t in range(len(values)):
        for k in range(out.shape[1]):
            out[t, k] = log_density(values[t], pattern[t], law, k)


@fragment
def log_density(value: Floats, pattern: int, law: Emissions, state: int) -> float:
    """Log density of one observation, (D,), in one state."""
    square = distance(value, pattern, law, state)
    if law.half[pattern, state] == 0.0:
        return law.constant[pattern, state] - 0.5 * square
    return law.constant[pattern, state] - law.half[pattern, state] * np.log1p(square / law.degrees[state])


@fragment
def distance(value: Floats, pattern: int, law: Emissions, state: int) -> float:
    """Squared Mahalanobis distance of what is observed from the state's mean."""
    total = 0.0
    for i in range(len(value)):
        deviation = 0.0
        for j in range(i + 1):
            deviation += law.root[pattern, state, i, j] * (value[j] - law.mean[state, j])
        total += deviation * deviation
    return total
