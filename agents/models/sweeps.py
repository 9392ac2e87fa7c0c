"""The passes over a sample, compiled for a number of states and series, so that their loops unroll."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from agents.models.emissions import Emissions, log_density
from agents.models.filtering import Chain, absorb, predict, transcribe
from protocol.book import Floats, Ints
from protocol.kernels import fragment, kernel

SMALL, LARGE = 1e-150, 1e150


class Work(NamedTuple):
    """Arrays that the iterations over one sample share.

    Attributes
    ----------
    density, probability : (T, K) float64
    ahead : (2, K) float64
    """

    density: Floats
    probability: Floats
    ahead: Floats


@cache
def forward_sweep(
    states: int, series: int, diagonal: bool
) -> Callable[[Floats, Ints, Emissions, Chain, Work], float]:
    """Kernel that filters a sample, returns its log likelihood and leaves densities over the predictive one.

    The recursion of `agents.models.filtering`, but densities are taken over that of the last state, which
    saves an exponential and a comparison, and one logarithm serves many observations. Where that leaves the
    range of numbers, `restart` does the step as it stands there.
    """
    places = series, diagonal

    @kernel
    def sweep(values: Floats, pattern: Ints, law: Emissions, hidden: Chain, work: Work) -> float:
        density, probability, moves = work.density, work.probability, hidden.transition
        level, product = restart(values, pattern, law, hidden, work, 0), 1.0
        for t in range(1, len(values)):
            gap, p, total = hidden.step[t], pattern[t], 0.0
            last = density_at(values, law, t, p, states - 1, places)
            for k in range(states):
                relative, ahead = 1.0, 0.0
                if k < states - 1:
                    relative = np.exp(density_at(values, law, t, p, k, places) - last)
                for i in range(states):
                    ahead += probability[t - 1, i] * moves[gap, i, k]
                density[t, k] = relative
                probability[t, k] = ahead * relative
                total += ahead * relative
            if not SMALL < total < LARGE:
                level += restart(values, pattern, law, hidden, work, t)
                continue
            share = 1.0 / total
            for k in range(states):
                density[t, k] *= share
                probability[t, k] *= share
            level += last
            product *= total
            if not SMALL < product < LARGE:
                level += np.log(product)
                product = 1.0
        return level + np.log(product)

    return sweep


@fragment
def density_at(values: Floats, law: Emissions, t: int, p: int, k: int, places: tuple[int, bool]) -> float:
    """`log_density` of row `t` in state `k`, for a number of series and a form that the compiler knows."""
    square, (series, diagonal) = 0.0, places
    for i in range(series):
        deviation = 0.0
        for j in range(i if diagonal else 0, i + 1):
            deviation += law.root[p, k, i, j] * (values[t, j] - law.mean[k, j])
        square += deviation * deviation
    if law.half[p, k] == 0.0:
        return law.constant[p, k] - 0.5 * square
    return law.constant[p, k] - law.half[p, k] * np.log1p(square / law.degrees[k])


@kernel
def restart(values: Floats, pattern: Ints, law: Emissions, hidden: Chain, work: Work, t: int) -> float:
    """One step in logarithms, which cannot underflow; the first has the initial law."""
    if t == 0:
        transcribe(hidden.initial, work.ahead[0])
    else:
        predict(work.probability[t - 1], hidden.transition[hidden.step[t]], work.ahead[0])
    for k in range(work.density.shape[1]):
        work.density[t, k] = log_density(values[t], pattern[t], law, k)
    return absorb(work.ahead[0], work.density[t], work.probability[t])


@cache
def backward_sweep(states: int) -> Callable[[Chain, Work, Floats], None]:
    """Kernel that turns filtered into smoothed probabilities, and sums what each pair of states explains.

    With β the density of what follows over its prediction, pairs(i, j) = Σ φ(i) u(j) β(j): times A(i, j) it
    is the expected number of moves.
    """

    @kernel
    def sweep(hidden: Chain, work: Work, pairs: Floats) -> None:
        moves, probability, ahead = hidden.transition, work.probability, work.ahead
        last = len(probability) - 1
        for k in range(states):
            ahead[last & 1, k] = work.density[last, k]
        for t in range(last - 1, -1, -1):
            gap, old, new = hidden.step[t + 1], (t + 1) & 1, t & 1
            for i in range(states):
                past, total = probability[t, i], 0.0
                for j in range(states):
                    total += moves[gap, i, j] * ahead[old, j]
                    pairs[gap, i, j] += past * ahead[old, j]
                ahead[new, i] = work.density[t, i] * total
                probability[t, i] = past * total

    return sweep


@cache
def feature_sums(states: int, features: int) -> Callable[[Floats, Ints, Floats, Floats], None]:
    """Kernel that adds a sample's first weighted features to those of its patterns and states, (P, K, M)."""

    @kernel
    def total(values: Floats, pattern: Ints, weights: Floats, out: Floats) -> None:
        for t in range(len(values)):
            p = pattern[t]
            for k in range(states):
                for m in range(features):
                    out[p, k, m] += weights[t, k] * values[t, m]

    return total
