"""Paths drawn from a hidden Markov model, from the numbers of a named stream."""

import numpy as np

from agents.models.parameters import Markov
from protocol.book import Floats, Ints
from protocol.kernels import kernel


def sample_path(parameters: Markov, count: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Draw observations and the states behind them.

    Parameters
    ----------
    parameters : Markov
    count : int
        Number of times, T.
    rng : numpy.random.Generator
        Blocks of fixed shape are drawn from it, whatever the states turn out to be.

    Returns
    -------
    values : (T, D) ndarray
    states : (T,) ndarray of int64
    """
    if count < 1:
        raise ValueError(f"count >= 1 must hold, got {count}")
    uniform = rng.random(count)
    normal = rng.standard_normal((count, parameters.series))
    student = np.isfinite(parameters.degrees)
    half = np.where(student, parameters.degrees, 2.0) / 2
    mixing = np.where(student, rng.standard_gamma(half, (count, parameters.states)) / half, 1.0)
    states = np.empty(count, np.int64)
    walk(parameters.initial, parameters.transition, uniform, states)
    root = np.linalg.cholesky(parameters.scale)[states]
    spread = np.sqrt(mixing[np.arange(count), states])[:, None]
    return parameters.mean[states] + np.einsum("tij,tj->ti", root, normal) / spread, states


@kernel
def walk(initial: Floats, transition: Floats, uniform: Floats, out: Ints) -> None:
    """Write a path of the chain by inversion of uniform numbers in [0, 1)."""
    for t in range(len(out)):
        odds = initial if t == 0 else transition[out[t - 1]]
        state, passed = 0, odds[0]
        while state < len(odds) - 1 and uniform[t] >= passed:
            state += 1
            passed += odds[state]
        out[t] = state
