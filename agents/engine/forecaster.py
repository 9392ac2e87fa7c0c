"""What every model of an engine tells, and what it learns from."""

from typing import NamedTuple, Protocol

import numpy as np
from scipy import special

from agents.engine.targets import Outlooks
from protocol.book import Floats, Ints

RAREST = 1e-12


class Sample(NamedTuple):
    """What an engine learns from, step by step.

    Attributes
    ----------
    inputs : (T, m, F) float64
        Of every market; NaN where missing.
    returns : (T, m) float64
        Log return of each step.
    label : (T,) int64 or None
        The hidden regime at each step's end; only `hindsight` may have it.
    regimes : int
        How many there are, whether they occur or not; 0 without labels.
    """

    inputs: Floats
    returns: Floats
    label: Ints | None = None
    regimes: int = 0

    def extended(self, later: "Sample", most: int) -> "Sample":
        """The last `most` steps of this one and a later one; labels are lost."""
        inputs = np.concatenate([self.inputs, later.inputs])[-most:]
        return Sample(inputs, np.concatenate([self.returns, later.returns])[-most:])


class Forecaster(Protocol):
    """What a model tells an engine.

    Attributes
    ----------
    states : tuple of str
        What `state` holds.
    state : (s,) float64
        Probabilities of regimes, or a volatility of each market [1/√year].
    surprise : float
        How much farther out the last observation was than predicted, in standard deviations of that: mean 0
        and variance 1 under the right model, whatever the regime; NaN where nothing was observed.
    """

    states: tuple[str, ...]
    surprise: float

    @property
    def state(self) -> Floats:
        """Probabilities or volatilities."""
        ...

    def observe(self, inputs: Floats, returns: Floats, regime: int) -> None:
        """Take in a step: inputs, (m, F), returns, (m,), and the hidden regime for who may know it."""
        ...

    def outlooks(self) -> list[Outlooks]:
        """What is expected of each market from here on."""
        ...


def squared_excess(share: Floats) -> float:
    """Mean of squared normal deviates at probabilities, (d,), less 1, in its standard deviations."""
    deviate = special.ndtri(np.clip(share, RAREST, 1 - RAREST))
    return float((deviate**2 - 1).mean() * np.sqrt(len(share) / 2))
