"""Densities of observations in each state, Gaussian or Student-t, with any series missing."""

from math import lgamma
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
    shape = len(observed), states
    root, constant, half = np.zeros((*shape, series, series)), np.zeros(shape), np.zeros(shape)
    law = Emissions(parameters.mean, root, constant, parameters.degrees, half)
    if not fill_law(parameters.scale, observed, law):
        raise np.linalg.LinAlgError("a scale must be positive definite")
    return law


@kernel
def fill_law(scale: Floats, observed: Mask, out: Emissions) -> bool:
    """Write all but means and degrees; the rest is zero before.

    Returns
    -------
    bool
        False if a scale is not positive definite.
    """
    for p in range(len(observed)):
        size = observed[p].sum()
        for k in range(len(scale)):
            degrees = out.degrees[k]
            out.constant[p, k] = log_peak(degrees, size)
            out.half[p, k] = 0.5 * (degrees + size) if degrees < np.inf else 0.0
            for i in range(len(observed[p])):
                if observed[p, i]:
                    pivot = eliminate(scale[k], observed[p], out.root[p, k], i)
                    if not pivot > 0.0:
                        return False
                    out.constant[p, k] -= np.log(pivot)
            invert(out.root[p, k])
    return True


@kernel
def invert(root: Floats) -> None:
    """Turn a lower triangle, its diagonal inverted, into its inverse."""
    for i in range(len(root)):
        for j in range(i):
            total = 0.0
            for m in range(j, i):
                total += root[i, m] * root[m, j]
            root[i, j] = -total * root[i, i]


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


@kernel
def log_peak(degrees: float, size: int) -> float:
    """Log density at the mean of a standard law in `size` dimensions."""
    if degrees == np.inf:
        return -0.5 * size * np.log(2 * np.pi)
    law = lgamma((degrees + size) / 2) - lgamma(degrees / 2)
    return law - 0.5 * size * np.log(np.pi * degrees)


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
    return law.constant[pattern, state] - law.half[pattern, state] * np.log(1.0 + square / law.degrees[state])


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
