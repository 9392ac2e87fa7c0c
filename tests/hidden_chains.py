"""Small hidden Markov models for tests, and their law by enumeration of every path."""

from itertools import pairwise, product

import numpy as np
from scipy.stats import multivariate_normal, multivariate_t

from agents.models.parameters import Markov
from agents.models.sampling import sample_path
from protocol.book import Floats, Ints
from sim.streams import stream


def planted(states: int, series: int = 1, degrees: float = np.inf, stay: float = 0.96) -> Markov:
    """States that last, each with twice the volatility of the one before, and correlated series."""
    away = (1 - stay) / max(states - 1, 1)
    transition = np.full((states, states), away) + (stay - away) * np.eye(states)
    transition /= transition.sum(axis=1, keepdims=True)
    unit = 0.6 * np.eye(series) + 0.4
    scale = 4.0 ** np.arange(states)[:, None, None] * unit
    mean = 0.1 * np.arange(states * series, dtype=float).reshape(states, series)
    return Markov(np.full(states, 1 / states), transition, mean, scale, np.full(states, degrees))


def drawn(model: Markov, count: int, *name: str | int) -> tuple[Floats, Ints]:
    """A path of the model from a stream of its own."""
    return sample_path(model, count, stream(1, "hidden", *name))


def densities(model: Markov, values: Floats) -> Floats:
    """Densities by scipy, (T, K), of whatever is observed."""
    out = np.ones((len(values), model.states))
    for t, row in enumerate(values):
        there = ~np.isnan(row)
        if not there.any():
            continue
        for k in range(model.states):
            mean, scale = model.mean[k, there], model.scale[k][np.ix_(there, there)]
            if np.isinf(model.degrees[k]):
                out[t, k] = multivariate_normal(mean, scale).pdf(row[there])
            else:
                out[t, k] = multivariate_t(mean, scale, df=model.degrees[k]).pdf(row[there])
    return out


def path_probabilities(model: Markov, values: Floats) -> dict[tuple[int, ...], float]:
    """Joint density of every path of states and the observations."""
    emission = densities(model, values)
    found = {}
    for path in product(range(model.states), repeat=len(values)):
        steps = pairwise(path)
        moves = np.prod([model.transition[i, j] for i, j in steps])
        found[path] = model.initial[path[0]] * moves * np.prod([emission[t, k] for t, k in enumerate(path)])
    return found
