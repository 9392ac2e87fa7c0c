"""Moments of a sample with holes: what is missing has its expectation given what is there."""

from typing import NamedTuple

import numpy as np

from agents.models.observations import Observations
from agents.models.parameters import Markov
from agents.models.smoothing import Moments
from protocol.book import Floats, Mask
from protocol.kernels import kernel


class Completed(NamedTuple):
    """Moments of each state around the centre of the sample.

    Attributes
    ----------
    occupancy, weight : (K,) float64
        Expected number of observations, and the sum of their weights.
    first : (K, D) float64
    second : (K, D, D) float64
    """

    occupancy: Floats
    weight: Floats
    first: Floats
    second: Floats


def completed(parameters: Markov, sample: Observations, found: Moments) -> Completed:
    """Add up the moments of all patterns of observed series."""
    states, series = parameters.mean.shape
    sums = Completed(
        np.zeros(states), np.zeros(states), np.zeros((states, series)), np.zeros((states, series, series))
    )
    for p, there in enumerate(sample.observed):
        total, linear, square = sums[1:] if there.all() else (np.zeros_like(each) for each in sums[1:])
        unpack(found.weighted[p], (total, linear, square))
        if there.any():
            sums.occupancy[:] += found.occupancy[p]
        if there.all() or not there.any():
            continue
        fill, offset, rest = _imputation(parameters, sample.centre, there)
        level = np.einsum("kij,kj->ki", fill, linear)
        cross = level[:, :, None] * offset[:, None, :]
        sums.weight[:] += total
        sums.first[:] += level + total[:, None] * offset
        sums.second[:] += fill @ square @ fill.transpose(0, 2, 1) + cross + cross.transpose(0, 2, 1)
        sums.second[:] += total[:, None, None] * offset[:, :, None] * offset[:, None, :]
        sums.second[:] += found.occupancy[p][:, None, None] * rest
    return sums


@kernel
def unpack(weighted: Floats, out: tuple[Floats, Floats, Floats]) -> None:
    """Add sums of features, (K, M), to weights (K,), first (K, D) and second moments (K, D, D)."""
    total, linear, square = out
    series = linear.shape[1]
    for k in range(len(total)):
        total[k] += weighted[k, 0]
        place = 1 + 2 * series
        for i in range(series):
            linear[k, i] += weighted[k, 1 + i]
            square[k, i, i] += weighted[k, 1 + series + i]
            for j in range(i):
                square[k, i, j] += weighted[k, place]
                square[k, j, i] += weighted[k, place]
                place += 1


def _imputation(parameters: Markov, centre: Floats, there: Mask) -> tuple[Floats, Floats, Floats]:
    """How deviations from the centre are completed, and what stays unknown.

    Returns
    -------
    fill : (K, D, D) ndarray
        Times the observed deviations,
    offset : (K, D) ndarray
        plus this, are the expected ones.
    rest : (K, D, D) ndarray
        Scale of what is missing given what is there.
    """
    scale, away = parameters.scale, parameters.mean - centre
    fill = np.tile(np.diag(there.astype(np.float64)), (parameters.states, 1, 1))
    offset, rest = np.zeros_like(away), np.zeros_like(scale)
    seen, hidden = np.flatnonzero(there), np.flatnonzero(~there)
    cross = scale[:, hidden[:, None], seen]
    slope = np.linalg.solve(scale[:, seen[:, None], seen], cross.transpose(0, 2, 1)).transpose(0, 2, 1)
    fill[:, hidden[:, None], seen] = slope
    offset[:, hidden] = away[:, hidden] - np.einsum("kij,kj->ki", slope, away[:, seen])
    rest[:, hidden[:, None], hidden] = scale[:, hidden[:, None], hidden] - slope @ cross.transpose(0, 2, 1)
    return fill, offset, rest
