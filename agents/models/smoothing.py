"""The expectation step: smoothed probabilities, expected transitions and moments of the observations."""

from typing import NamedTuple

import numpy as np

from agents.models.elementary import logarithm
from agents.models.emissions import Emissions, emissions
from agents.models.filtering import Chain, chain
from agents.models.observations import Observations
from agents.models.parameters import Markov
from agents.models.sweeps import (
    Work,
    backward_sweep,
    distance_sweep,
    feature_sums,
    forward_sweep,
    relate,
    run_end,
)
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
    return Work(np.empty((states, count)), np.empty((count, states)), np.empty((2, states)))


def go_forward(sample: Observations, parameters: Markov, hidden: Chain, work: Work) -> float:
    """Forward pass over a sample; returns its log likelihood."""
    law = emissions(parameters, sample.observed)
    measure(sample, parameters, law, work.density)
    relate(sample.pattern, law, work.density)
    likelihood = forward_sweep(parameters.states)(sample.values, sample.pattern, law, hidden, work)
    return float(likelihood)


def measure(sample: Observations, parameters: Markov, law: Emissions, out: Floats) -> None:
    """Write the squared distances of the observations from the means of the states, (K, T)."""
    sweep = distance_sweep(parameters.series, is_diagonal(parameters.scale))
    sweep(sample.values.ravel(), sample.pattern, law, out)


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
    hidden = chain(parameters, sample)
    likelihood = go_forward(sample, parameters, hidden, work)
    pairs = np.zeros(hidden.transition.shape)
    backward_sweep(parameters.states)(hidden, work, pairs)
    return Expectation(likelihood, work.probability, pairs * hidden.transition)


@kernel
def is_diagonal(scale: Floats) -> bool:
    """Whether no series depends on another in any state."""
    for k in range(len(scale)):
        for i in range(scale.shape[1]):
            for j in range(i):
                if scale[k, i, j] != 0.0:
                    return False
    return True


def moments(sample: Observations, parameters: Markov, smoothed: Floats, diagonal: bool = False) -> Moments:
    """Weighted sums of features, from which the emissions are estimated; without products if `diagonal`."""
    shape = (len(sample.observed), parameters.states)
    found = Moments(np.zeros(shape), np.zeros(shape), np.zeros((*shape, sample.features.shape[1])))
    used = 1 + 2 * parameters.series if diagonal else sample.features.shape[1]
    add_up = feature_sums(parameters.states, used)
    if np.isinf(parameters.degrees).all():
        add_up(sample.features, sample.pattern, smoothed, found.weighted)
        return found._replace(occupancy=found.weighted[:, :, 0].copy(), tail=-found.weighted[:, :, 0])
    law, room = emissions(parameters, sample.observed), np.empty((2, *smoothed.shape[::-1]))
    measure(sample, parameters, law, room[0])
    weights = np.empty(smoothed.shape)
    weigh(room, sample.pattern, law, smoothed, (weights, found))
    add_up(sample.features, sample.pattern, weights, found.weighted)
    return found


@kernel
def weigh(room: Floats, pattern: Ints, law: Emissions, smoothed: Floats, out: tuple[Floats, Moments]) -> None:
    """Write how much each observation counts, (T, K), and sum occupancy and tail; distances are spent."""
    begin, (weights, found) = 0, out
    while begin < len(pattern):
        p, end = pattern[begin], run_end(pattern, begin)
        for k in range(smoothed.shape[1]):
            weight, tail = room[0, k, begin:end], room[1, k, begin:end]
            turn_to_weights(weight, tail, law.half[p, k], law.degrees[k])
            for t in range(len(weight)):
                share = smoothed[begin + t, k]
                weights[begin + t, k] = share * weight[t]
                found.occupancy[p, k] += share
                found.tail[p, k] += share * tail[t]
        begin = end


@kernel
def turn_to_weights(square: Floats, tail: Floats, half: float, degrees: float) -> None:
    """Turn squared distances into weights w, and write log w − w; `half` is 0 for a Gaussian state."""
    for t in range(len(square)):
        weight = 2.0 * half / (degrees + square[t]) if half > 0.0 else 1.0
        square[t] = weight
        tail[t] = logarithm(weight) - weight
