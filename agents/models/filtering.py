"""The forward filter: what is known of the state from the past, one observation at a time.

With the filtered probabilities φ of the time before, the transition A and the log densities l,

    p = A'φ,  m = max l where p > 0,  u = p·exp(l − m),  s = Σ u,  φ = u / s,  log likelihood += m + log s,

so nothing underflows. An observation that is missing has l = 0 and leaves φ = p.
"""

from typing import NamedTuple

import numpy as np

from agents.models.emissions import Emissions, log_densities, log_density
from agents.models.observations import Observations
from agents.models.parameters import Markov, transition_over
from protocol.book import Floats, Ints
from protocol.kernels import fragment, kernel


class Chain(NamedTuple):
    """The hidden chain along a sample.

    Attributes
    ----------
    initial : (K,) float64
    transition : (G, K, K) float64
        For each length of gap.
    step : (T,) int64
        Which of them leads to each time.
    """

    initial: Floats
    transition: Floats
    step: Ints


class Filtered(NamedTuple):
    """What the filter knows.

    Attributes
    ----------
    log_likelihood : float
        Of the whole sample.
    probability : (T, K) float64
        Of each state given all observations up to and with this one.
    predicted : (T, K) float64
        Of each state given all observations before this one.
    increment : (T,) float64
        Log predictive density of each observation.
    """

    log_likelihood: float
    probability: Floats
    predicted: Floats
    increment: Floats


def chain(parameters: Markov, sample: Observations) -> Chain:
    """The transitions that lead to each observation."""
    powers = np.stack([transition_over(parameters.transition, float(gap)) for gap in sample.gaps])
    return Chain(parameters.initial, powers, sample.step)


def filter_states(sample: Observations, parameters: Markov) -> Filtered:
    """Filtered and predicted probabilities of the states, and the likelihood."""
    density = log_densities(sample, parameters)
    shape = density.shape
    found = Filtered(0.0, np.empty(shape), np.empty(shape), np.empty(shape[0]))
    run_filter(chain(parameters, sample), density, found)
    return found._replace(log_likelihood=float(found.increment.sum()))


@kernel
def run_filter(hidden: Chain, density: Floats, out: Filtered) -> None:
    """Write probabilities and increments of a sample; the log densities are spent."""
    for t in range(len(density)):
        if t == 0:
            transcribe(hidden.initial, out.predicted[0])
        else:
            predict(out.probability[t - 1], hidden.transition[hidden.step[t]], out.predicted[t])
        out.increment[t] = absorb(out.predicted[t], density[t], out.probability[t])


@fragment
def transcribe(source: Floats, out: Floats) -> None:
    """Copy one array into another, which numpy's assignment would do by way of a third."""
    for k in range(len(out)):
        out[k] = source[k]


@fragment
def predict(probability: Floats, transition: Floats, out: Floats) -> None:
    """Probabilities one transition later, (K,); `out` must be another array."""
    for j in range(len(out)):
        total = 0.0
        for i in range(len(out)):
            total += probability[i] * transition[i, j]
        out[j] = total


@fragment
def absorb(predicted: Floats, density: Floats, out: Floats) -> float:
    """Condition on an observation.

    Parameters
    ----------
    predicted : (K,) ndarray
    density : (K,) ndarray
        Log densities, replaced by densities over the predictive density.
    out : (K,) ndarray
        Filtered probabilities; may be `predicted`.

    Returns
    -------
    float
        Log predictive density of the observation.
    """
    highest = -np.inf
    for k in range(len(out)):
        if predicted[k] > 0.0 and density[k] > highest:
            highest = density[k]
    total = 0.0
    for k in range(len(out)):
        density[k] = np.exp(min(density[k] - highest, 0.0))
        total += predicted[k] * density[k]
    share = 1.0 / total
    for k in range(len(out)):
        density[k] *= share
        out[k] = predicted[k] * density[k]
    return highest + np.log(total)


@fragment
def filter_step(
    probability: Floats, value: Floats, transition: Floats, law: Emissions, work: Floats
) -> float:
    """One step of the filter, for the loops of other kernels.

    Parameters
    ----------
    probability : (K,) ndarray
        Filtered probabilities, replaced by those after the observation.
    value : (D,) ndarray
        NaN in the first place means that nothing was observed.
    transition : (K, K) ndarray
        Over the time since the step before.
    law : Emissions
        Of the pattern with all series.
    work : (2, K) ndarray

    Returns
    -------
    float
        Log predictive density of the observation; 0 if there was none.
    """
    predict(probability, transition, work[0])
    if np.isnan(value[0]):
        transcribe(work[0], probability)
        return 0.0
    for k in range(len(probability)):
        work[1, k] = log_density(value, 0, law, k)
    return absorb(work[0], work[1], probability)
