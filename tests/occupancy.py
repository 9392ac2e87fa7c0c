"""The law of a sum of Gaussian returns along a hidden chain in closed form, by counting visits."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from agents.models.loss_law import StateReturns
from protocol.book import Floats


class Mixture(NamedTuple):
    """Normal laws with weights."""

    weight: Floats
    mean: Floats
    deviation: Floats

    def quantile(self, level: float) -> float:
        reach = 40 * self.deviation.max() + np.abs(self.mean).max()

        def excess(value: float) -> float:
            return float(self.weight @ stats.norm.cdf((value - self.mean) / self.deviation)) - level

        return float(optimize.brentq(excess, -reach, reach, xtol=1e-16))

    def shortfall(self, level: float) -> float:
        """Mean of what exceeds the quantile."""
        away = (self.quantile(level) - self.mean) / self.deviation
        beyond = self.mean * stats.norm.sf(away) + self.deviation * stats.norm.pdf(away)
        return float(self.weight @ beyond) / (1 - level)

    def mirrored(self) -> "Mixture":
        return self._replace(mean=-self.mean)


def visit_law(probability: Floats, transition: Floats, count: int) -> dict[tuple[int, ...], float]:
    """Probability of each number of visits to the states in `count` steps."""
    states = len(probability)
    now = {
        (state, tuple(np.eye(states, dtype=int)[state].tolist())): probability[state]
        for state in range(states)
    }
    for _ in range(count - 1):
        after: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
        for (state, visits), weight in now.items():
            for j in range(states):
                more = tuple(each + (k == j) for k, each in enumerate(visits))
                after[j, more] += weight * transition[state, j]
        now = after
    law: dict[tuple[int, ...], float] = defaultdict(float)
    for (_, visits), weight in now.items():
        law[visits] += weight
    return law


def occupancy_mixture(returns: StateReturns, transition: Floats, probability: Floats, count: int) -> Mixture:
    """The exact law of the sum over `count` steps."""
    law = visit_law(probability, transition, count)
    visits = np.array(list(law), float)
    return Mixture(
        np.array(list(law.values())), visits @ returns.mean, np.sqrt(visits @ np.square(returns.scale))
    )
