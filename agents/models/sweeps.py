"""The passes over a sample, compiled for a number of states and series, so that their loops unroll.

What a pass carries from one time to the next lies in tuples: the compiler keeps those in registers, where an
array would have to be written and read again at each time.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from agents.models.elementary import exponential, logarithm
from agents.models.emissions import Emissions, log_density
from agents.models.filtering import Chain, absorb, predict, transcribe
from protocol.book import Floats, Ints
from protocol.kernels import fragment, kernel, with_item

SMALL, LARGE = 1e-100, 1e100
BLOCK = 64


class Work(NamedTuple):
    """Arrays that the iterations over one sample share.

    Attributes
    ----------
    density : (K, T) float64
    probability : (T, K) float64
    ahead : (2, K) float64
    """

    density: Floats
    probability: Floats
    ahead: Floats


@fragment
def run_end(pattern: Ints, begin: int) -> int:
    """Where the run of equal patterns ends that begins here."""
    end = begin + 1
    while end < len(pattern) and pattern[end] == pattern[begin]:
        end += 1
    return end


@cache
def distance_sweep(series: int, diagonal: bool) -> Callable[[Floats, Ints, Emissions, Floats], None]:
    """Kernel that writes squared distances of observations, (T·D,), from the means of the states, (K, T)."""
    no_mean, no_root = (0.0,) * series, (0.0,) * series**2

    @kernel
    def sweep(values: Floats, pattern: Ints, law: Emissions, out: Floats) -> None:
        begin, mean, root = 0, no_mean, no_root
        while begin < len(pattern):
            p, end = pattern[begin], run_end(pattern, begin)
            value = values[begin * series : end * series]
            for k in range(len(out)):
                square = out[k, begin:end]
                for i in range(series):
                    mean = with_item(mean, i, law.mean[k, i])
                    for j in range(series):
                        root = with_item(root, i * series + j, law.root[p, k, i, j])
                for t in range(len(square)):
                    total = 0.0
                    for i in range(series):
                        deviation = 0.0
                        for j in range(i if diagonal else 0, i + 1):
                            deviation += root[i * series + j] * (value[t * series + j] - mean[j])
                        total += deviation * deviation
                    square[t] = total
            begin = end

    return sweep


@kernel
def relate(pattern: Ints, law: Emissions, out: Floats) -> None:
    """Turn distances into log densities in the last state, and densities in the others over that, (K, T)."""
    last, begin = len(out) - 1, 0
    while begin < len(pattern):
        p, end = pattern[begin], run_end(pattern, begin)
        for k in range(last, -1, -1):
            place = out[k, begin:end]
            take_logs(place, law.constant[p, k], law.half[p, k], law.degrees[k])
            if k < last:
                divide(place, out[last, begin:end])
        begin = end


@kernel
def take_logs(square: Floats, constant: float, half: float, degrees: float) -> None:
    """Turn squared distances into log densities; `half` is 0 for a Gaussian state."""
    if half == 0.0:
        for t in range(len(square)):
            square[t] = constant - 0.5 * square[t]
    else:
        for t in range(len(square)):
            square[t] = constant - half * logarithm(1.0 + square[t] / degrees)


@kernel
def divide(density: Floats, other: Floats) -> None:
    """Turn log densities into densities over others, whose logarithms are given."""
    for t in range(len(density)):
        density[t] = exponential(density[t] - other[t])


@cache
def forward_sweep(states: int) -> Callable[[Floats, Ints, Emissions, Chain, Work], float]:
    """Kernel that filters a sample from its densities and returns its log likelihood.

    The recursion of `agents.models.filtering` with two liberties. Densities are taken over that of the last
    state. Probabilities are divided by their sum only at the end and where it leaves the range of numbers;
    there `restart` does the step in logarithms. Any other factor would do as well: what the backward pass
    carries has the inverse factor.
    """
    nothing = (0.0,) * states

    @kernel
    def sweep(values: Floats, pattern: Ints, law: Emissions, hidden: Chain, work: Work) -> float:
        density, probability, moves = work.density, work.probability, hidden.transition
        level, now, last = restart(values, pattern, law, hidden, work, 0), nothing, len(pattern) - 1
        for k in range(states):
            now = with_item(now, k, probability[0, k])
        for t in range(1, last + 1):
            gap, then, total = hidden.step[t], now, 0.0
            log_last, density[states - 1, t] = density[states - 1, t], 1.0
            for k in range(states):
                ahead = 0.0
                for i in range(states):
                    ahead += then[i] * moves[gap, i, k]
                probability[t, k] = ahead * density[k, t]
                now = with_item(now, k, ahead * density[k, t])
                total += ahead * density[k, t]
            if SMALL < total < LARGE and t < last:
                level += log_last
                continue
            level += restart(values, pattern, law, hidden, work, t)
            for k in range(states):
                now = with_item(now, k, probability[t, k])
        return level

    return sweep


@kernel
def restart(values: Floats, pattern: Ints, law: Emissions, hidden: Chain, work: Work, t: int) -> float:
    """One step in logarithms, which cannot underflow; the first has the initial law."""
    predicted, density = work.ahead[0], work.ahead[1]
    if t == 0:
        transcribe(hidden.initial, predicted)
    else:
        predict(work.probability[t - 1], hidden.transition[hidden.step[t]], predicted)
    for k in range(len(density)):
        density[k] = log_density(values[t], pattern[t], law, k)
    increment = absorb(predicted, density, work.probability[t])
    for k in range(len(density)):
        work.density[k, t] = density[k]
    return increment


@cache
def backward_sweep(states: int) -> Callable[[Chain, Work, Floats], None]:
    """Kernel that turns filtered into smoothed probabilities, and sums what each pair of states explains.

    With β the density of what follows over its prediction, pairs(i, j) = Σ φ(i) u(j) β(j): times A(i, j) it
    is the expected number of moves.
    """
    nothing, no_pairs = (0.0,) * states, (0.0,) * states**2

    @kernel
    def sweep(hidden: Chain, work: Work, pairs: Floats) -> None:
        moves, probability, density = hidden.transition, work.probability, work.density
        last, gap, sums, now = len(probability) - 1, 0, no_pairs, nothing
        for k in range(states):
            now = with_item(now, k, density[k, last])
        for t in range(last - 1, -1, -1):
            if hidden.step[t + 1] != gap:
                add_pairs(sums, pairs[gap])
                sums, gap = no_pairs, hidden.step[t + 1]
            then = now
            for i in range(states):
                past, total = probability[t, i], 0.0
                for j in range(states):
                    total += moves[gap, i, j] * then[j]
                    place = i * states + j
                    sums = with_item(sums, place, sums[place] + past * then[j])
                now = with_item(now, i, density[i, t] * total)
                probability[t, i] = past * total
        add_pairs(sums, pairs[gap])

    return sweep


@fragment
def add_pairs(sums: tuple[float, ...], out: Floats) -> None:
    """Add a tuple of numbers to a matrix, row by row."""
    for i in range(len(out)):
        for j in range(len(out)):
            out[i, j] += sums[i * len(out) + j]


@cache
def feature_sums(states: int, features: int) -> Callable[[Floats, Ints, Floats, Floats], None]:
    """Kernel that adds a sample's first weighted features to those of its patterns and states, (P, K, M)."""
    nothing = (0.0,) * features

    @kernel
    def total(values: Floats, pattern: Ints, weights: Floats, out: Floats) -> None:
        begin = 0
        while begin < len(pattern):
            p, end = pattern[begin], run_end(pattern[: begin + BLOCK], begin)
            value, weight = values[begin:end], weights[begin:end]
            for k in range(states):
                sums = nothing
                for t in range(len(weight)):
                    for m in range(features):
                        sums = with_item(sums, m, sums[m] + weight[t, k] * value[t, m])
                for m in range(features):
                    out[p, k, m] += sums[m]
            begin = end

    return total
