"""The expectation step: smoothed probabilities, expected transitions and moments of the observations."""

from typing import NamedTuple

import numpy as np

from agents.models.emissions import Emissions, distance, emissions
from agents.models.filtering import chain
from agents.models.observations import Observations
from agents.models.parameters import Markov
from agents.models.sweeps import Work, backward_sweep, feature_sums, forward_sweep
from protocol.book import Floats, Ints
from protocol.kernels import kernel


class Moments(NamedTuple):
    """Sums over the sample, by pattern of observed series and state.

    Attributes
    ----------
    occupancy : (P, K) float64
        Σ γ, the expected number of observations.
    tail : (P, K) float64
        Σ γ(log w − w), with w = 1 for Gaussian and (ν + D) / (ν + distance) for Student-t states.
    weighted : (P, K, M) float64
        Σ γw times each of the sample's features.
    """

    occupancy: Floats
    tail: Floats
    weighted: Floats


class Expectation(NamedTuple):
    """What one pass over the sample says of the hidden states.

    Attributes
    ----------
    log_likelihood : float
    smoothed : (T, K) float64
        Probability of each state given the whole sample.
    transitions : (G, K, K) float64
        Expected number of moves between the states at the ends of gaps of each length.
    """

    log_likelihood: float
    smoothed: Floats
    transitions: Floats


def work_space(count: int, states: int) -> Work:
    """Room for a sample of `count` times."""
    shape = (count, states)
    return Work(np.empty(shape), np.empty(shape), np.empty((2, states)))


def expect(sample: Observations, parameters: Markov, work: Work | None = None) -> Expectation:
    """Forward and backward pass over a sample.

    Parameters
    ----------
    sample : Observations
    parameters : Markov
    work : Work, optional
        From `work_space`; the next call with it overwrites `smoothed`.
    """
    work = work or work_space(len(sample.values), parameters.states)
    law, hidden = emissions(parameters, sample.observed), chain(parameters, sample)
    likelihood = forward_sweep(parameters.states, parameters.series, is_diagonal(parameters.scale))(
        sample.values, sample.pattern, law, hidden, work
    )
    pairs = np.zeros(hidden.transition.shape)
    backward_sweep(parameters.states)(hidden, work, pairs)
    return Expectation(float(likelihood), work.probability, pairs * hidden.transition)


def is_diagonal(scale: Floats) -> bool:
    """Whether no series depends on another in any state."""
    off = ~np.eye(scale.shape[1], dtype=bool)
    return not scale[:, off].any()


def moments(sample: Observations, parameters: Markov, smoothed: Floats, diagonal: bool = False) -> Moments:
    """Weighted sums of features, from which the emissions are estimated; without products if `diagonal`."""
    shape = (len(sample.observed), parameters.states)
    found = Moments(np.zeros(shape), np.zeros(shape), np.zeros((*shape, sample.features.shape[1])))
    used = 1 + 2 * parameters.series if diagonal else sample.features.shape[1]
    add_up = feature_sums(parameters.states, used)
    if np.isinf(parameters.degrees).all():
        add_up(sample.features, sample.pattern, smoothed, found.weighted)
        return found._replace(occupancy=found.weighted[:, :, 0].copy(), tail=-found.weighted[:, :, 0])
    weights = np.empty(smoothed.shape)
    weigh(sample.values, sample.pattern, emissions(parameters, sample.observed), smoothed, (weights, found))
    add_up(sample.features, sample.pattern, weights, found.weighted)
    return found


@kernel
def weigh(
    values: Floats, pattern: Ints, law: Emissions, smoothed: Floats, out: tuple[Floats, Moments]
) -> None:
    """Write how much each observation counts, (T, K), and sum occupancy and tail."""
    weights, found = out
    for t in range(len(smoothed)):
        p = pattern[t]
        for k in range(smoothed.shape[1]):
            weight = 1.0
            if law.half[p, k] > 0.0:
                square = distance(values[t], p, law, k)
                weight = 2.0 * law.half[p, k] / (law.degrees[k] + square)
            weights[t, k] = smoothed[t, k] * weight
            found.occupancy[p, k] += smoothed[t, k]
            found.tail[p, k] += smoothed[t, k] * (np.log(weight) - weight)
