"""Online learning compiled: observation after observation, parameters from the running statistics."""

from typing import NamedTuple

import numpy as np

from agents.models.completion import Completed, unpack
from agents.models.emissions import Emissions, fill_law
from agents.models.maximisation import Prior, settle, settle_degrees
from agents.models.parameters import Markov
from agents.models.running import FEATURES, OCCUPANCY, TAIL, Memory, adopt, describe, learn
from agents.models.smoothing import Moments
from protocol.book import Floats, Mask
from protocol.kernels import kernel


class Anchor(NamedTuple):
    """What stays while the model moves.

    Attributes
    ----------
    observed : (1, D) bool
        All.
    centre : (D,) float64
        From which features deviate.
    volatility : (K, D) float64
        Of the batch fit.
    prior : Prior
    pace : (4,) float64
        Decay, least and most step, and the trust region of `agents.models.online.Pace`.
    diagonal, shared, by_level : bool
        Form of the emissions, and whether states are ordered by their first mean.
    """

    observed: Mask
    centre: Floats
    volatility: Floats
    prior: Prior
    pace: Floats
    diagonal: bool
    shared: bool
    by_level: bool


class Present(NamedTuple):
    """What moves, and room for it.

    Attributes
    ----------
    memory, after : Memory
        The running statistics, and room for the next ones.
    parameters : Markov
    law : Emissions
        With the means and degrees of the parameters themselves.
    found : Moments
    sums : Completed
    features : (M,) float64
    """

    memory: Memory
    after: Memory
    parameters: Markov
    law: Emissions
    found: Moments
    sums: Completed
    features: Floats


@kernel
def follow(
    rows: Floats, place: tuple[int, int], anchor: Anchor, present: Present, out: Floats
) -> tuple[int, int]:
    """Learn from rows until the end, or until a step that leaves scales too small or states out of order.

    Parameters
    ----------
    rows : (n, D) ndarray
    place : (int, int)
        The row to begin with, and how many observations were learnt from before.
    anchor : Anchor
    present : Present
    out : (n,) ndarray
        Log predictive density of each row; stays where anything is missing.

    Returns
    -------
    int
        The row whose step must be put right by the caller; n at the end.
    int
        How many observations were learnt from.
    """
    begin, size = place
    memory, after, moved, law = present.memory, present.after, present.parameters, present.law
    for t in range(begin, len(rows)):
        there, step = True, step_after(size, anchor.pace)
        for value in rows[t]:
            there = there and not np.isnan(value)
        fill_law(moved.scale, anchor.observed, law)
        describe(rows[t], anchor.centre, present.features)
        row = rows[t], present.features
        increment = learn(memory, after, (law, moved.transition), row, step if there else 0.0)
        adopt(after, memory)
        if there:
            size += 1
            out[t] = increment
            renew(anchor, present, step_after(size, anchor.pace))
            if not presentable(moved, anchor, law.root[0]):
                return t, size
            hold(moved, anchor)
    return len(rows), size


@kernel
def step_after(size: int, pace: Floats) -> float:
    """Weight of the observation that follows so many."""
    return min(pace[2], max(size ** -pace[0], pace[1]))


@kernel
def renew(anchor: Anchor, present: Present, step: float) -> None:
    """Write the parameters that maximise the likelihood of the running statistics."""
    memory, moved, found, sums = present.memory, present.parameters, present.found, present.sums
    for k in range(len(memory.probability)):
        total = 0.0
        for m in range(memory.sums.shape[1]):
            level = 0.0
            for j in range(len(memory.probability)):
                level += memory.sums[k, m, j] * memory.probability[j] / step
            if m == OCCUPANCY:
                found.occupancy[0, k] = sums.occupancy[k] = level
            elif m == TAIL:
                found.tail[0, k] = level
            else:
                found.weighted[0, k, m - FEATURES] = level
        for i in range(len(memory.probability)):
            moves = 0.0
            for j in range(len(memory.probability)):
                moves += memory.pairs[k, i, j] * memory.probability[j]
            moved.transition[k, i] = moves / step + anchor.prior.moves[k, i]
            total += moved.transition[k, i]
        for i in range(len(memory.probability)):
            moved.transition[k, i] /= total
    sums.weight[:], sums.first[:], sums.second[:] = 0.0, 0.0, 0.0
    unpack(found.weighted[0], (sums.weight, sums.first, sums.second))
    settle(sums, anchor.centre, anchor.prior, anchor.diagonal, (moved.mean, moved.scale))
    settle_degrees(anchor.observed, found, anchor.shared, moved.degrees)


@kernel
def presentable(moved: Markov, anchor: Anchor, room: Floats) -> bool:
    """Whether scales are above the floor and states in order; `room` is (K, D, D)."""
    last_level, last_spread = -np.inf, -np.inf
    for k in range(len(moved.mean)):
        spread, level = 0.0, moved.mean[k, 0]
        for i in range(len(anchor.centre)):
            spread += np.log(volatility(moved, k, i))
        first, second = (level, spread) if anchor.by_level else (spread, level)
        if first < last_level or (first == last_level and second < last_spread):
            return False
        if not above(moved.scale[k], anchor.prior.floor, room[k]):
            return False
        last_level, last_spread = first, second
    return True


@kernel
def above(scale: Floats, floor: Floats, room: Floats) -> bool:
    """Whether a scale less the floor's variances is positive definite: then nothing is to be lifted."""
    for least in floor:
        if not least > 0.0:
            return True
    for i in range(len(floor)):
        for j in range(i + 1):
            rest = scale[i, j] - (floor[i] if i == j else 0.0)
            for m in range(j):
                rest -= room[i, m] * room[j, m]
            if i == j and not rest > 0.0:
                return False
            room[i, j] = np.sqrt(rest) if i == j else rest / room[j, j]
    return True


@kernel
def volatility(moved: Markov, k: int, i: int) -> float:
    """Standard deviation of a series in a state."""
    tail = 1.0 if moved.degrees[k] == np.inf else 1.0 / (1.0 - 2.0 / moved.degrees[k])
    return np.sqrt(moved.scale[k, i, i] * tail)


@kernel
def hold(moved: Markov, anchor: Anchor) -> None:
    """Pull volatilities back to the trust region around the batch fit."""
    for k in range(len(moved.mean)):
        for i in range(len(anchor.centre)):
            ratio = np.log(volatility(moved, k, i) / anchor.volatility[k, i])
            pull = np.exp(min(max(ratio, -anchor.pace[3]), anchor.pace[3]) - ratio)
            for j in range(len(anchor.centre)):
                moved.scale[k, i, j] *= pull
                moved.scale[k, j, i] *= pull
