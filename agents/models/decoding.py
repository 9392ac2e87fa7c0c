"""The most probable path of states (Viterbi)."""

from typing import NamedTuple

import numpy as np

from agents.models.emissions import log_densities
from agents.models.filtering import chain
from agents.models.observations import Observations
from agents.models.parameters import Markov
from protocol.book import Floats, Ints
from protocol.kernels import kernel


class Path(NamedTuple):
    """A path of states.

    Attributes
    ----------
    states : (T,) int64
    log_probability : float
        Joint log density of the path and the observations.
    """

    states: Ints
    log_probability: float


def decode_states(sample: Observations, parameters: Markov) -> Path:
    """The path that is most probable given the whole sample; ties go to the lower state."""
    density = log_densities(sample, parameters)
    hidden = chain(parameters, sample)
    states = np.empty(len(density), np.int64)
    origin = np.empty(density.shape, np.int64)
    with np.errstate(divide="ignore"):
        density[0] += np.log(hidden.initial)
        moves = np.log(hidden.transition)
    return Path(states, float(find_path(moves, hidden.step, density, origin, states)))


@kernel
def find_path(moves: Floats, step: Ints, score: Floats, origin: Ints, out: Ints) -> float:
    """Write the best path; `score` holds log densities and becomes the best score of each end."""
    last, count = len(score) - 1, score.shape[1]
    for t in range(1, last + 1):
        for j in range(count):
            best, source = -np.inf, 0
            for i in range(count):
                reached = score[t - 1, i] + moves[step[t], i, j]
                if reached > best:
                    best, source = reached, i
            score[t, j] += best
            origin[t, j] = source
    out[last] = np.argmax(score[last])
    for t in range(last, 0, -1):
        out[t - 1] = origin[t, out[t]]
    return score[last, out[last]]
