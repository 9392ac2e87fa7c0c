"""How many states: what predicts best, then what describes best, then what is usable as a regime."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agents.models.hmm import HMM
from agents.models.observations import Observations, read_observations
from agents.models.parameters import Markov, state_order
from protocol.book import Floats


class Veto(NamedTuple):
    """What a regime must be.

    Attributes
    ----------
    dwell : float
        Least mean stay [steps].
    occupancy : float
        Least share of the sample's time.
    ratio : float
        Least ratio of the volatility of neighbouring states, the wilder over the calmer.
    """

    dwell: float = 6.0
    occupancy: float = 0.05
    ratio: float = 1.5


USUAL = Veto()


class Candidate(NamedTuple):
    """One number of states.

    Attributes
    ----------
    model : HMM
        Fitted to the whole sample.
    score : float
        Mean log predictive density of the held-out observations [nats].
    error : float
        Standard error of its distance to the best score; 0 for the best.
    bic : float
        Bayesian information criterion; lower is better.
    vetoes : tuple of str
        What is wrong with its regimes.
    """

    model: HMM
    score: float
    error: float
    bic: float
    vetoes: tuple[str, ...]


class Choice(NamedTuple):
    """The chosen number of states, and all that were tried.

    Attributes
    ----------
    states : int
    candidates : mapping of int to Candidate
    """

    states: int
    candidates: dict[int, Candidate]


def choose_states(
    values: ArrayLike,
    model: Callable[[int], HMM],
    candidates: Sequence[int] = (1, 2, 3, 4),
    folds: int = 4,
    veto: Veto = USUAL,
) -> Choice:
    """Choose the number of states.

    The second half of the sample is cut into folds; each is predicted, one step ahead, by a model fitted to
    all before it. Of the candidates that no veto strikes, those within one standard error of the best score
    remain, and of them the one with the lowest Bayesian criterion is taken. One state is never vetoed.

    Parameters
    ----------
    values : (T,) or (T, D) array_like
    model : callable
        Makes an unfitted model from a number of states.
    candidates : sequence of int
        Numbers of states, 1 among them.
    folds : int
    veto : Veto

    Raises
    ------
    ValueError
        If 1 is no candidate or the folds are empty.
    """
    if 1 not in candidates or min(candidates) < 1:
        raise ValueError(f"candidates must be positive and hold 1, got {list(candidates)}")
    sample = np.asarray(values, dtype=np.float64)
    edges = np.linspace(len(sample) // 2, len(sample), folds + 1).astype(int)
    if folds < 1 or (np.diff(edges) < 1).any() or edges[0] < 2:
        raise ValueError(f"folds must hold observations, got {folds} folds of {len(sample)} observations")
    held = {k: held_out(sample, model, k, edges) for k in candidates}
    best = max(held, key=lambda k: held[k].mean())
    prepared = read_observations(sample)
    found = {k: _candidate(model(k).fit(sample), prepared, held[k], held[best], veto) for k in sorted(held)}
    usable = {k: each for k, each in found.items() if not each.vetoes}
    top = max(usable.values(), key=lambda each: each.score)
    paired = {k: _error(held[k] - held[top.model.states]) for k in usable}
    close = [k for k, each in usable.items() if each.score >= top.score - paired[k]]
    return Choice(min(close, key=lambda k: found[k].bic), found)


def free_parameters(model: HMM) -> int:
    """Number of parameters that a fit chooses, the initial law included."""
    states, series = model.parameters_.mean.shape
    shape = series if model.form.diagonal else series * (series + 1) // 2
    tails = 0 if model.emissions == "gaussian" else 1 if model.form.shared_degrees else states
    return states * (states - 1) + states - 1 + states * (series + shape) + tails


def regime_faults(model: HMM, occupancy: Floats, veto: Veto) -> tuple[str, ...]:
    """What keeps the states of a fitted model from being regimes; a single state has no faults."""
    parameters = model.parameters_
    if parameters.states == 1:
        return ()
    ratio = _ratios(parameters, model)
    rules = (
        (f"a mean stay of {parameters.dwell.min():.1f} steps", parameters.dwell.min() < veto.dwell),
        (f"an occupancy of {occupancy.min():.3f}", occupancy.min() < veto.occupancy),
        (f"a ratio of volatilities of {ratio:.2f}", ratio < veto.ratio),
    )
    return tuple(text for text, broken in rules if broken)


def _ratios(parameters: Markov, model: HMM) -> float:
    """Least ratio of neighbouring states; of levels that are logarithms of a volatility if so ordered."""
    ordered = parameters.permuted(state_order(parameters, model.order))
    if model.order == "level":
        return float(np.exp(np.diff(ordered.mean[:, 0]).min()))
    return float(np.exp(np.diff(np.log(ordered.volatility).mean(axis=1)).min()))


def held_out(sample: Floats, model: Callable[[int], HMM], states: int, edges: Floats) -> Floats:
    """Log predictive densities of the second half, each from a model that has not seen it."""
    parts = []
    for begin, end in pairwise(edges):
        fitted = model(states).fit(sample[:begin])
        parts.append(fitted.filter(sample[:end]).increment[begin:])
    return np.concatenate(parts)


def _candidate(model: HMM, sample: Observations, held: Floats, best: Floats, veto: Veto) -> Candidate:
    bic = free_parameters(model) * np.log(sample.size) - 2 * model.log_likelihood_
    faults = regime_faults(model, model.smoothed_.mean(axis=0), veto)
    return Candidate(model, float(held.mean()), _error(held - best), float(bic), faults)


def _error(difference: Floats) -> float:
    return float(difference.std() / np.sqrt(len(difference)))
