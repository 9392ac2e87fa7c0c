"""The law of a sum of returns along a hidden chain, by characteristic functions on a grid.

With the emissions' characteristic functions D(u) on the diagonal and the transition A, the sum over h steps
that begin in state i has the characteristic function [(D A)^(h−1) D 1]_i: the mixture over every path of
states. The emissions' densities are sampled on the grid: for smooth densities that is exact but for rounding,
as is the way back. Densities are cut off where a single return beyond decides on which side the sum ends;
that mass and its expectation are added from the closed form.
"""

from math import ceil, isqrt
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special

from protocol.book import Floats
from protocol.kernels import kernel

Complexes = NDArray[np.complex128]

FINENESS, LEAST_FINENESS = 8, 2
DEVIATIONS = 8.0
RARE = 1e-5
MARGIN = 1.5
MOST_POINTS = 2**19
MOST_SPREAD = 3.0


class Steps(NamedTuple):
    """What each of several equal steps adds.

    Attributes
    ----------
    mean : (K,) float64
        [1].
    scale : (K,) float64
        [1].
    degrees : (K,) float64
        Infinite: Gaussian.
    transition : (K, K) float64
    horizon : int
        Number of steps, h.
    """

    mean: Floats
    scale: Floats
    degrees: Floats
    transition: Floats
    horizon: int


class Grid(NamedTuple):
    """Points at `step` × (−size/2, …, size/2 − 1); emissions reach `cut` to both sides of their means."""

    size: int
    step: float
    cut: float


class Curves(NamedTuple):
    """The law of the sum from each first state, at equally distant nodes.

    Attributes
    ----------
    nodes : (n,) float64
    cumulative : (n, K) float64
        Probability that the sum is at most the node.
    density : (n, K) float64
    upper : (n, K) float64
        Expectation of the sum where it exceeds the node, else of 0.
    mean : (K,) float64
        Expectation of the sum.
    """

    nodes: Floats
    cumulative: Floats
    density: Floats
    upper: Floats
    mean: Floats


def chosen_grid(steps: Steps) -> Grid:
    """A grid that reaches beyond rare single returns and eight deviations of the wildest path."""
    finite = np.isfinite(steps.degrees)
    degrees = np.where(finite, steps.degrees, 10.0)
    spread = np.where(finite, np.minimum(degrees / (degrees - 2), MOST_SPREAD), 1.0) ** 0.5
    rare = np.where(finite, -special.stdtrit(degrees, RARE / steps.horizon), 0.0)
    cut = float((steps.scale * np.maximum(DEVIATIONS * steps.horizon**0.5 * spread, rare)).max())
    width = MARGIN * cut + steps.horizon * float(np.abs(steps.mean).max())
    finest = float(steps.scale.min()) * min(isqrt(steps.horizon), 2) / FINENESS
    step = max(finest, 2 * width / MOST_POINTS)
    half = scipy.fft.next_fast_len(ceil(width / step), real=True)
    return Grid(2 * half, step, cut)


def path_sums(steps: Steps) -> Curves:
    """Tabulate the law of the sum from each first state.

    Nodes are about an eighth of the calmest state's scale times √h apart. A state narrower than two
    distances of the finest grid's points is widened to that.
    """
    grid = chosen_grid(steps)
    steps = steps._replace(scale=np.maximum(steps.scale, LEAST_FINENESS * grid.step))
    spectrum = scipy.fft.rfft(sampled_densities(steps, grid), axis=0)
    fill_paths(spectrum, steps.transition, steps.horizon, np.empty((2, *steps.transition.shape), complex))
    return _curves(spectrum, steps, grid)


def sampled_densities(steps: Steps, grid: Grid) -> Floats:
    """Densities of the emissions times the distance of points, (size, K), from 0 upwards and around."""
    points = grid.step * scipy.fft.fftfreq(grid.size, 1 / grid.size)[:, None]
    away = points - steps.mean
    inside = np.clip((grid.cut - np.abs(away)) / grid.step + 0.5, 0, 1)
    return inside * grid.step / steps.scale * standard_density(away / steps.scale, steps.degrees)


def standard_density(value: Floats, degrees: Floats) -> Floats:
    """Density of Student-t laws of location 0 and scale 1; of normal ones where degrees are infinite."""
    finite = np.isfinite(degrees)
    known = np.where(finite, degrees, 1.0)
    peak = special.gammaln((known + 1) / 2) - special.gammaln(known / 2) - 0.5 * np.log(np.pi * known)
    student = peak - (known + 1) / 2 * np.log1p(value**2 / known)
    found: Floats = np.exp(np.where(finite, student, -0.5 * (value**2 + np.log(2 * np.pi))))
    return found


@kernel
def fill_paths(spectrum: Complexes, transition: Floats, count: int, work: Complexes) -> None:
    """Replace the emissions' characteristic functions, (F, K), by those of sums over `count` steps.

    Parameters
    ----------
    spectrum : (F, K) ndarray
    transition : (K, K) ndarray
    count : int
    work : (2, K, K) ndarray
    """
    states = len(transition)
    for f in range(len(spectrum)):
        left = count - 1
        for i in range(states):
            for j in range(states):
                work[0, i, j] = spectrum[f, i] * transition[i, j]
        while left > 0:
            if left % 2 == 1:
                apply_matrix(work[0], spectrum[f], work[1, 0])
            left //= 2
            if left > 0:
                square_matrix(work[0], work[1])


@kernel
def apply_matrix(matrix: Complexes, vector: Complexes, work: Complexes) -> None:
    """Replace a vector by its image."""
    for i in range(len(vector)):
        work[i] = 0.0
        for j in range(len(vector)):
            work[i] += matrix[i, j] * vector[j]
    for i in range(len(vector)):
        vector[i] = work[i]


@kernel
def square_matrix(matrix: Complexes, work: Complexes) -> None:
    """Replace a matrix by its square."""
    states = len(matrix)
    for i in range(states):
        for j in range(states):
            work[i, j] = 0.0
            for m in range(states):
                work[i, j] += matrix[i, m] * matrix[m, j]
    for i in range(states):
        for j in range(states):
            matrix[i, j] = work[i, j]


def _curves(spectrum: Complexes, steps: Steps, grid: Grid) -> Curves:
    """From characteristic functions to curves at the upper ends of the cells around the points."""
    angle = np.pi * np.arange(len(spectrum))[:, None] / grid.size
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(angle > 0, np.sin(angle) / angle**2 - np.cos(angle) / angle, 0.0)
    points: Floats = grid.step * (np.arange(grid.size) - grid.size // 2)[:, None].astype(np.float64)
    mass = _back(spectrum * np.sinc(angle / np.pi), grid)
    moment = points * mass + _back(spectrum * (0.5j * grid.step * inner), grid)
    density = _back(spectrum * np.exp(1j * angle), grid) / grid.step
    beyond = np.maximum(1 - mass.sum(axis=0), 0) / 2
    visits = expected_visits(steps.transition, steps.horizon)
    mean = visits @ steps.mean
    far = visits @ _expectation_beyond(steps, grid.cut) + (mean - moment.sum(axis=0)) / 2
    cumulative = np.clip(np.maximum.accumulate(beyond + np.cumsum(mass, axis=0)), 0, 1)
    upper = far + moment.sum(axis=0) - np.cumsum(moment, axis=0)
    kept = slice(None, None, max(1, isqrt(steps.horizon) // 2))
    nodes: Floats = points[kept, 0] + grid.step / 2
    return Curves(nodes, cumulative[kept], np.maximum(density[kept], 0), upper[kept], mean)


def _back(spectrum: Complexes, grid: Grid) -> Floats:
    """Values at the points in rising order, (size, K)."""
    found: Floats = scipy.fft.fftshift(scipy.fft.irfft(spectrum, grid.size, axis=0), axes=0)
    return found


def expected_visits(transition: Floats, count: int) -> Floats:
    """Expected number of `count` steps in each state, (K, K), from each first state."""
    states = len(transition)
    one = np.eye(states)
    both = np.block([[transition, one], [np.zeros((states, states)), one]])
    found: Floats = np.linalg.matrix_power(both, count)[:states, states:]
    return found


def _expectation_beyond(steps: Steps, cut: float) -> Floats:
    """Expectation, (K,), of a return's excess over its mean where that exceeds `cut`, else of 0."""
    finite = np.isfinite(steps.degrees)
    degrees = np.where(finite, steps.degrees, 2.0)
    at = cut / steps.scale
    student = standard_density(at, degrees) * (degrees + at**2) / (degrees - 1)
    return steps.scale * np.where(finite, student, 0.0)
