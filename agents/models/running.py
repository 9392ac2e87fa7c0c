"""Running statistics of the past, and the recursion that carries them over an observation."""

from typing import NamedTuple

import numpy as np

from agents.models.emissions import Emissions, distance, log_density
from agents.models.filtering import absorb, predict
from protocol.book import Floats
from protocol.kernels import kernel

OCCUPANCY, TAIL, FEATURES = 0, 1, 2


class Memory(NamedTuple):
    """The filter and the running statistics, each given the state at the present end.

    Attributes
    ----------
    probability : (K,) float64
    pairs : (K, K, K) float64
        Share of moves from the first to the second state, for each state at the end.
    sums : (K, M, K) float64
        Occupancy, tail and weighted features of each state, for each state at the end.
    density : (K,) float64
        Room for the densities of an observation.
    """

    probability: Floats
    pairs: Floats
    sums: Floats
    density: Floats


@kernel
def describe(value: Floats, centre: Floats, out: Floats) -> None:
    """Write the features of a row, as `agents.models.observations` defines them."""
    series = len(centre)
    place, out[0] = 1 + 2 * series, 1.0
    for i in range(series):
        away = value[i] - centre[i]
        out[1 + i], out[1 + series + i] = away, away * away
        for j in range(i):
            out[place] = away * (value[j] - centre[j])
            place += 1


@kernel
def adopt(source: Memory, out: Memory) -> None:
    """Copy the running statistics."""
    for j in range(len(out.probability)):
        out.probability[j] = source.probability[j]
        for i in range(len(out.probability)):
            for k in range(len(out.probability)):
                out.pairs[i, k, j] = source.pairs[i, k, j]
            for m in range(out.sums.shape[1]):
                out.sums[i, m, j] = source.sums[i, m, j]


@kernel
def learn(
    memory: Memory, after: Memory, model: tuple[Emissions, Floats], row: tuple[Floats, Floats], step: float
) -> float:
    """Filter one observation and move the running statistics toward it.

    Parameters
    ----------
    memory : Memory
    after : Memory
        The one after the observation, written here.
    model : (Emissions, (K, K) ndarray)
        Densities and transition probabilities.
    row : ((D,) ndarray, (M,) ndarray)
        The observation and its features.
    step : float
        Weight of the observation; 0: it is missing.

    Returns
    -------
    float
        Log predictive density.
    """
    law, transition = model
    states, increment = len(memory.probability), 0.0
    predict(memory.probability, transition, after.probability)
    for j in range(states):
        ahead = after.probability[j]
        for i in range(states):
            origin = memory.probability[i] * transition[i, j] / ahead if ahead > 0 else 1.0 / states
            carry(memory, after, origin, step, i, j)
    if step > 0.0:
        for k in range(states):
            after.density[k] = log_density(row[0], 0, law, k)
            note(after.sums[k], law, row, step, k)
        increment = absorb(after.probability, after.density, after.probability)
    return increment


@kernel
def carry(memory: Memory, after: Memory, origin: float, step: float, i: int, j: int) -> None:
    """Add the share of the statistics of paths that ended in `i` and now end in `j`."""
    states, statistics = memory.sums.shape[0], memory.sums.shape[1]
    for a in range(states):
        for b in range(states):
            kept = 0.0 if i == 0 else after.pairs[a, b, j]
            after.pairs[a, b, j] = kept + origin * (1.0 - step) * memory.pairs[a, b, i]
        for m in range(statistics):
            kept = 0.0 if i == 0 else after.sums[a, m, j]
            after.sums[a, m, j] = kept + origin * (1.0 - step) * memory.sums[a, m, i]
    after.pairs[i, j, j] += origin * step


@kernel
def note(sums: Floats, law: Emissions, row: tuple[Floats, Floats], step: float, state: int) -> None:
    """Add an observation to the statistics, (M + 2, K), of the state at the end."""
    value, features = row
    weight = 1.0
    if law.half[0, state] > 0.0:
        weight = 2.0 * law.half[0, state] / (law.degrees[state] + distance(value, 0, law, state))
    sums[OCCUPANCY, state] += step
    sums[TAIL, state] += step * (np.log(weight) - weight)
    for m in range(len(features)):
        sums[FEATURES + m, state] += step * weight * features[m]
