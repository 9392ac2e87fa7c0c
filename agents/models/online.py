"""Online expectation–maximisation: a fitted model that follows its observations, one at a time.

References
----------
.. [1] O. Cappé, "Online EM algorithm for hidden Markov models", Journal of Computational and Graphical
   Statistics 20 (2011).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agents.models.emissions import Emissions, distance, emissions, log_density
from agents.models.filtering import absorb, predict
from agents.models.hmm import HMM
from agents.models.maximisation import Prior, maximise, resolve
from agents.models.observations import read_observations
from agents.models.parameters import Markov, state_order
from agents.models.smoothing import Moments, expect, moments
from protocol.book import Floats
from protocol.kernels import kernel

OCCUPANCY, TAIL, FEATURES = 0, 1, 2
CYCLES = 8.0


class Pace(NamedTuple):
    """How fast the model may move.

    Attributes
    ----------
    decay : float
        The step is n^−decay after n observations, those of the batch fit included; between 0.5 and 1.
    least, most : float
        Bounds of the step; `least` None: an eighth of a cycle through all states, as a shorter memory
        underestimates the volatility of calm times.
    trust : float
        How far the log of a volatility may be from that of the batch fit.
    """

    decay: float = 0.6
    least: float | None = None
    most: float = 0.05
    trust: float = 0.25


USUAL = Pace()


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


class OnlineHMM:
    """A model that learns from every observation, near a batch fit.

    Parameters
    ----------
    model : HMM
        Fitted; it is not changed.
    values : (T,) or (T, D) array_like
        What it was fitted to.
    pace : Pace, optional

    Attributes
    ----------
    parameters_ : Markov
        The present ones; states stay in the model's order.
    probability_ : (K,) ndarray
        Filtered probabilities of the states.
    step_ : float
        Weight of the newest observation.
    """

    def __init__(self, model: HMM, values: ArrayLike, pace: Pace = USUAL) -> None:
        if not 0.5 < pace.decay <= 1 or pace.trust < 0 or not 0 < pace.most < 1:
            raise ValueError(f"0.5 < decay <= 1, 0 < most < 1 and trust >= 0 must hold, got {pace}")
        sample = read_observations(values)
        if not np.all(sample.observed, axis=1)[sample.pattern].all():
            raise ValueError("a batch to start from must have no missing values")
        self.model, self.pace = model, pace
        self.whole = sample
        self.parameters_ = self.reference = model.parameters_
        self.prior: Prior = resolve(model.penalty, sample, model.states)
        found = expect(sample, self.reference)
        sums = moments(sample, self.reference, found.smoothed)
        self.memory = _memory(found.smoothed[-1], found.transitions.sum(axis=0), sums)
        self.after = Memory(*(np.empty_like(each) for each in self.memory))
        self.size = sample.size
        cycle = float(np.minimum(self.reference.dwell, self.size).sum())
        self.least = 1 / (CYCLES * cycle) if pace.least is None else pace.least

    @property
    def probability_(self) -> Floats:
        """Filtered probabilities of the states, (K,)."""
        return self.memory.probability

    @property
    def step_(self) -> float:
        """Weight of the newest observation."""
        return min(self.pace.most, max(self.size**-self.pace.decay, self.least))

    def update(self, values: ArrayLike) -> Floats:
        """Learn from observations, one after the other.

        Parameters
        ----------
        values : (n,) or (n, D) array_like
            A row with anything missing moves the chain alone.

        Returns
        -------
        (n,) ndarray
            Log predictive density of each, under the parameters before it; 0 where missing.
        """
        sample = read_observations(values, centre=self.whole.centre)
        if sample.values.shape[1] != self.reference.series:
            raise ValueError(f"rows must hold {self.reference.series} series, got {sample.values.shape[1]}")
        there = np.all(sample.observed, axis=1)[sample.pattern]
        increments = np.zeros(len(there))
        for t, row in enumerate(zip(sample.values, sample.features, strict=True)):
            model = emissions(self.parameters_, self.whole.observed), self.parameters_.transition
            step = self.step_ if there[t] else 0.0
            increments[t] = learn(self.memory, self.after, model, row, step)
            self.memory, self.after = self.after, self.memory
            if there[t]:
                self.size += 1
                self._maximise()
        return increments

    def _maximise(self) -> None:
        """Parameters from the running statistics, in order and inside the trust region."""
        pairs, sums = self.memory.pairs @ self.probability_, self.memory.sums @ self.probability_
        size = 1 / self.step_
        parts = sums[:, OCCUPANCY], sums[:, TAIL], sums[:, FEATURES:]
        found = Moments(*(size * each[None] for each in parts))
        mean, scale, degrees = maximise(self.parameters_, self.whole, found, self.prior, self.model.form)
        counts = pairs * size + self.prior.moves
        transition = counts / counts.sum(axis=1, keepdims=True)
        moved = Markov(self.reference.initial, transition, mean, scale, degrees)
        self.parameters_ = self._trusted(self.ordered(moved))

    def ordered(self, moved: Markov) -> Markov:
        """The parameters with states in order, and the memory permuted as they were."""
        order = state_order(moved, self.model.order)
        if (order == np.arange(len(order))).all():
            return moved
        self.memory.probability[:] = self.memory.probability[order]
        self.memory.pairs[:] = self.memory.pairs[np.ix_(order, order, order)]
        self.memory.sums[:] = self.memory.sums[order][:, :, order]
        return moved.permuted(order)

    def _trusted(self, moved: Markov) -> Markov:
        """Volatilities no further from the batch fit than the trust region."""
        ratio = np.log(moved.volatility / self.reference.volatility)
        pull = np.exp(np.clip(ratio, -self.pace.trust, self.pace.trust) - ratio)
        return moved._replace(scale=moved.scale * pull[:, :, None] * pull[:, None, :])


def _memory(probability: Floats, pairs: Floats, found: Moments) -> Memory:
    """Running statistics that start at the means over a batch, whatever the state at its end."""
    states = len(probability)
    parts = [each.sum(axis=0)[:, None] for each in (found.occupancy, found.tail)]
    flat = np.hstack([*parts, found.weighted.sum(axis=0)])
    spread = np.repeat(flat[:, :, None] / flat[:, OCCUPANCY].sum(), states, axis=2)
    moves = np.repeat(pairs[:, :, None] / max(pairs.sum(), 1.0), states, axis=2)
    return Memory(probability.copy(), moves, spread, np.empty(states))


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
