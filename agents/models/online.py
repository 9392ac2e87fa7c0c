"""Online expectation–maximisation: a fitted model that follows its observations, one at a time.

References
----------
.. [1] O. Cappé, "Online EM algorithm for hidden Markov models", Journal of Computational and Graphical
   Statistics 20 (2011).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agents.models.completion import Completed
from agents.models.emissions import emissions
from agents.models.following import Anchor, Present, follow, step_after
from agents.models.hmm import HMM
from agents.models.maximisation import Prior, lifted, resolve
from agents.models.observations import Observations, read_observations
from agents.models.parameters import Markov, state_order
from agents.models.running import OCCUPANCY, Memory
from agents.models.smoothing import Moments, expect, moments
from protocol.book import Floats

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
        self.reference = model.parameters_
        self.prior: Prior = resolve(model.penalty, sample, model.states)
        found = expect(sample, self.reference)
        sums = moments(sample, self.reference, found.smoothed)
        self.size = sample.size
        cycle = float(np.minimum(self.reference.dwell, self.size).sum())
        self.least = 1 / (CYCLES * cycle) if pace.least is None else pace.least
        numbers = np.array([pace.decay, self.least, pace.most, pace.trust])
        volatility, form = self.reference.volatility, model.form
        shape = form.diagonal, form.shared_degrees, model.order == "level"
        self.anchor = Anchor(sample.observed, sample.centre, volatility, self.prior, numbers, *shape)
        memory = _memory(found.smoothed[-1], found.transitions.sum(axis=0), sums)
        self.present = _present(self.reference, memory, sample)

    @property
    def parameters_(self) -> Markov:
        """The present parameters; states stay in the model's order."""
        return Markov(*(each.copy() for each in self.present.parameters))

    @property
    def memory(self) -> Memory:
        """The running statistics."""
        return self.present.memory

    @property
    def probability_(self) -> Floats:
        """Filtered probabilities of the states, (K,)."""
        return self.memory.probability

    @property
    def step_(self) -> float:
        """Weight of the next observation."""
        return float(step_after(self.size, self.anchor.pace))

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
        rows = np.asarray(values, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != self.reference.series:
            raise ValueError(f"rows must hold {self.reference.series} series, got the shape {rows.shape}")
        if np.isinf(rows).any():
            raise ValueError(f"observations must not be infinite, got {rows[np.isinf(rows).any(axis=1)][0]}")
        increments, t = np.zeros(len(rows)), 0
        while t < len(rows):
            t, self.size = follow(rows, (t, self.size), self.anchor, self.present, increments)
            if t < len(rows):
                self._rearrange()
                t += 1
        return increments

    def _rearrange(self) -> None:
        """Raise scales to the floor, put states in order, and apply the trust region."""
        moved = self.present.parameters
        moved = moved._replace(scale=lifted(moved.scale, self.prior.floor))
        for now, then in zip(self.present.parameters, self._trusted(self.ordered(moved)), strict=True):
            now[...] = then

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


def _present(start: Markov, memory: Memory, sample: Observations) -> Present:
    """Parameters that may move, beginning at a batch fit."""
    moved = Markov(*(each.copy() for each in start))
    law = emissions(moved, sample.observed)
    states, series, features = *start.mean.shape, sample.features.shape[1]
    found = Moments(np.empty((1, states)), np.empty((1, states)), np.empty((1, states, features)))
    sums = Completed(*(np.zeros((states, *shape)) for shape in ((), (), (series,), (series, series))))
    return Present(
        memory, Memory(*(np.empty_like(each) for each in memory)), moved, law, found, sums, np.empty(features)
    )
