"""Standard errors from the observed information: numerical second differences of the log likelihood.

The parameters vary in coordinates without bounds: log odds of each transition against staying, means in units
of the scale, the logarithms of the scale's Cholesky diagonal with the rest of it in units of that, and the
logarithm of the degrees of freedom above 2. The delta method carries the covariance back.
"""

from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from agents.models.filtering import chain
from agents.models.maximisation import Form
from agents.models.observations import Observations
from agents.models.parameters import LEAST_DEGREES, MOST_DEGREES, Markov
from agents.models.smoothing import go_forward, work_space
from protocol.book import Floats, Ints, Mask

RARE = 1e-6
STEP = 2e-3


class Coordinates(NamedTuple):
    """Coordinates of a model around an estimate; those at a bound are held.

    Attributes
    ----------
    estimate : Markov
    moving : (K, K) bool
        Transitions that vary, the diagonal excluded.
    lower : (rows, columns), two ndarrays of int
        Places of the Cholesky factor that vary.
    degrees : (K,) bool
        States whose degrees of freedom vary.
    shared : bool
        All with one coordinate.
    """

    estimate: Markov
    moving: Mask
    lower: tuple[Ints, Ints]
    degrees: Mask
    shared: bool

    @property
    def size(self) -> int:
        """Number of coordinates."""
        states, series = self.estimate.mean.shape
        tails = min(1, self.degrees.sum()) if self.shared else self.degrees.sum()
        return int(self.moving.sum() + states * (series + len(self.lower[0])) + tails)


def coordinates(estimate: Markov, form: Form) -> Coordinates:
    """What may vary: no transition that is practically never made, no degrees of freedom at a bound."""
    series = estimate.series
    moving = (estimate.transition > RARE) & ~np.eye(estimate.states, dtype=bool)
    rows, columns = np.diag_indices(series) if form.diagonal else np.tril_indices(series)
    lower = rows.astype(np.int64), columns.astype(np.int64)
    inside = (estimate.degrees > LEAST_DEGREES * 1.01) & (estimate.degrees < MOST_DEGREES * 0.99)
    return Coordinates(estimate, moving, lower, inside, form.shared_degrees)


def displaced(space: Coordinates, move: Floats) -> Markov:
    """The model at a distance from the estimate, (p,)."""
    was = space.estimate
    states, series = was.mean.shape
    edges = np.cumsum([space.moving.sum(), states * series, states * len(space.lower[0])])
    odds, means, roots, tails = np.split(move, edges)
    transition = was.transition.copy()
    transition[space.moving] *= np.exp(odds)
    transition /= transition.sum(axis=1, keepdims=True)
    root = np.linalg.cholesky(was.scale)
    unit = np.einsum("kii->ki", root)
    mean = was.mean + means.reshape(states, series) * unit
    change = np.zeros_like(root)
    change[:, space.lower[0], space.lower[1]] = roots.reshape(states, -1)
    diagonal = np.eye(series, dtype=bool)
    root = np.where(diagonal, root * np.exp(change), root + change * unit[:, :, None])
    degrees = was.degrees.copy()
    degrees[space.degrees] = 2 + (degrees[space.degrees] - 2) * np.exp(tails)
    return Markov(was.initial, transition, mean, root @ root.transpose(0, 2, 1), degrees)


def standard_errors(sample: Observations, estimate: Markov, form: Form) -> Markov:
    """Standard errors of the parameters, in the shape of parameters.

    Parameters
    ----------
    sample : Observations
        What the model was fitted to.
    estimate : Markov
        At the maximum of the likelihood, or near it if penalised.
    form : Form

    Returns
    -------
    Markov
        `initial` NaN, as one sample path cannot tell; NaN for what lies at a bound, for infinite degrees,
        and everywhere if the likelihood is not concave at the estimate.
    """
    space = coordinates(estimate, form)
    information = _information(sample, space)
    try:
        np.linalg.cholesky(information)
        covariance = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        return Markov(*(np.full_like(each, np.nan) for each in estimate))
    slopes = np.column_stack([_slope(space, i) for i in range(space.size)])
    variance = np.einsum("ai,ij,aj->a", slopes, covariance, slopes)
    error = np.where(variance > 0, np.sqrt(np.maximum(variance, 0)), np.nan)
    sizes = np.cumsum([each.size for each in estimate])[:-1]
    parts = [part.reshape(each.shape) for part, each in zip(np.split(error, sizes), estimate, strict=True)]
    return Markov(*parts)


def _slope(space: Coordinates, place: int) -> Floats:
    """Derivative of every parameter by one coordinate."""
    move = np.zeros(space.size)
    move[place] = STEP
    pair = [displaced(space, sign * move) for sign in (1, -1)]
    flat = [np.concatenate([each.ravel() for each in found]) for found in pair]
    with np.errstate(invalid="ignore"):
        return np.nan_to_num((flat[0] - flat[1]) / (2 * STEP))


def _information(sample: Observations, space: Coordinates) -> Floats:
    """Minus the second differences of the log likelihood, (p, p)."""
    work = work_space(len(sample.values), space.estimate.states)

    def likelihood(move: Floats) -> float:
        model = displaced(space, move)
        return go_forward(sample, model, chain(model, sample), work)

    steps = STEP * np.eye(space.size)
    out = np.empty((space.size, space.size))
    for i, j in combinations_with_replacement(range(space.size), 2):
        corners = [(1, 1), (-1, -1), (1, -1), (-1, 1)]
        values = [sign * other * likelihood(sign * steps[i] + other * steps[j]) for sign, other in corners]
        out[i, j] = out[j, i] = -sum(values) / (4 * STEP**2)
    return out
