"""Forecasts of one who knows the regime: what perfect knowledge of it would be worth."""

import numpy as np

from agents.engine.forecaster import Sample
from agents.engine.laws import labelled_returns, market_laws
from agents.engine.settings import RiskEngineSettings
from agents.engine.targets import Outlooks
from protocol.book import Floats, Ints


class Hindsight:
    """Knows the regime of every step, and has learned what each is like from labelled ones.

    Parameters
    ----------
    settings : RiskEngineSettings
    sample : Sample
        With labels.
    """

    def __init__(self, settings: RiskEngineSettings, sample: Sample) -> None:
        if sample.label is None:
            raise ValueError("hindsight needs a sample with regimes, got one without")
        self.settings, self.surprise = settings, 0.0
        count = max(sample.regimes, int(sample.label.max()) + 1)
        emitted = labelled_returns(sample.returns, sample.label, count)
        wildness = np.sum([np.log(market.scale) for market in emitted], axis=0)
        order = np.argsort(wildness)
        self.chain = counted_transitions(sample.label, count)
        self.laws = market_laws(settings, emitted, self.chain, order)
        self.states = tuple(f"regime_{k + 1}" for k in range(count))
        self.probability = np.eye(count)[int(sample.label[-1])]

    @property
    def state(self) -> Floats:
        """Probability of each regime, (K,)."""
        return self.probability

    def observe(self, inputs: Floats, returns: Floats, regime: int) -> None:
        """Look at the regime, and at nothing else."""
        self.probability = np.eye(len(self.probability))[regime]

    def outlooks(self) -> list[Outlooks]:
        """What is expected of each market from here on."""
        ahead = self.probability @ self.chain
        return [market.outlooks(ahead, self.settings.targets) for market in self.laws]


def counted_transitions(label: Ints, states: int) -> Floats:
    """Shares of moves between known states, (K, K); half a move is added to each that could have been."""
    counts = np.full((states, states), 0.5 / states)
    np.add.at(counts, (label[:-1], label[1:]), 1.0)
    shares: Floats = counts / counts.sum(axis=1, keepdims=True)
    return shares
