"""The maximisation step: parameters from expected counts and moments, with penalties and priors.

The variances' penalty follows J. Chen, X. Tan and R. Zhang, "Inference for normal mixtures in mean and
variance", Statistica Sinica 18 (2008): −a Σ (tr S₀Σ⁻¹ + log |ΣS₀⁻¹|), with S₀ the variances of the sample.
"""

from typing import NamedTuple

import numpy as np

from agents.models.completion import Completed, completed
from agents.models.observations import Observations
from agents.models.parameters import LEAST_DEGREES, MOST_DEGREES, Markov
from agents.models.smoothing import Moments
from protocol.book import Floats, Mask
from protocol.kernels import kernel


class Penalty(NamedTuple):
    """What keeps estimates away from degenerate models; `UNPENALISED` is plain maximum likelihood.

    Attributes
    ----------
    variance : float, optional
        Weight a of the variances' penalty [observations]; default 1/√T.
    floor : float
        Least scale, of the median absolute deviation over 0.6745, which is the standard deviation of a
        Gaussian sample [1]; where half of a series is constant nothing but the penalty holds.
    dwell : float
        Mean stay that the transitions' Dirichlet prior expects [steps].
    strength : float
        Weight of that prior for each state [transitions]; 0: none.
    """

    variance: float | None = None
    floor: float = 0.05
    dwell: float = 20.0
    strength: float = 10.0


UNPENALISED = Penalty(variance=0.0, floor=0.0, strength=0.0)


class Prior(NamedTuple):
    """A penalty, resolved for a sample.

    Attributes
    ----------
    weight : float
        Of the variances' penalty.
    variance, floor : (D,) float64
        Of the sample, and the least one allowed [unit of the series, squared].
    moves : (K, K) float64
        Counts added to the expected transitions.
    """

    weight: float
    variance: Floats
    floor: Floats
    moves: Floats


def resolve(penalty: Penalty, sample: Observations, states: int) -> Prior:
    """The prior that a penalty means for a sample.

    Raises
    ------
    ValueError
        If a series has fewer than two observations or does not vary, or a number makes no sense.
    """
    if penalty.dwell < 1 or penalty.strength < 0 or penalty.floor < 0 or (penalty.variance or 0) < 0:
        raise ValueError(f"dwell >= 1 and no negative weight must hold, got {penalty}")
    values = np.where(sample.observed[sample.pattern], sample.values, np.nan)
    variance, floor = np.empty(values.shape[1]), np.empty(values.shape[1])
    for i, column in enumerate(values.T):
        seen = column[~np.isnan(column)]
        if len(seen) < 2 or not np.ptp(seen) > 0:
            raise ValueError(f"a series must vary to be fitted, got {len(seen)} equal values in series {i}")
        variance[i] = seen.var()
        floor[i] = (penalty.floor * np.median(np.abs(seen - np.median(seen))) / 0.6745) ** 2
    weight = 1 / np.sqrt(sample.size) if penalty.variance is None else penalty.variance
    stay = penalty.strength * (1 - 1 / penalty.dwell)
    away = (penalty.strength - stay) / max(states - 1, 1)
    moves = np.full((states, states), away) + (stay - away) * np.eye(states)
    return Prior(float(weight), variance, floor, moves)


def log_prior(parameters: Markov, prior: Prior) -> float:
    """What penalties and priors add to the log likelihood."""
    used, moves = prior.moves > 0, 0.0
    if used.any():
        with np.errstate(divide="ignore"):
            moves = float((prior.moves[used] * np.log(parameters.transition[used])).sum())
    if prior.weight == 0:
        return moves
    ratio = prior.variance * np.einsum("kii->ki", np.linalg.inv(parameters.scale))
    spread = np.linalg.slogdet(parameters.scale)[1] - np.log(prior.variance).sum()
    return moves - prior.weight * float(ratio.sum() + spread.sum())


def expected_moves(transition: Floats, gaps: Floats, ends: Floats) -> Floats:
    """Expected single steps between states, given the expected moves between the ends of gaps.

    Parameters
    ----------
    transition : (K, K) ndarray
    gaps : (G,) ndarray
        Whole numbers [steps].
    ends : (G, K, K) ndarray

    Notes
    -----
    A gap of d steps from a to b holds Σₛ Aˢ(a, i) A(i, j) Aᵈ⁻¹⁻ˢ(j, b) / Aᵈ(a, b) moves from i to j.
    """
    total = ends[0].copy()
    for gap, pairs in zip(gaps[1:], ends[1:], strict=True):
        whole = np.linalg.matrix_power(transition, int(gap))
        ratio = np.divide(pairs, whole, out=np.zeros_like(pairs), where=whole > 0)
        inner, power = np.zeros_like(pairs), np.eye(len(pairs))
        for _ in range(int(gap)):
            inner = transition.T @ inner + ratio @ power.T
            power = power @ transition
        total += inner * transition
    return total


class Form(NamedTuple):
    """What the emissions may be.

    Attributes
    ----------
    diagonal : bool
        Series are independent within a state.
    shared_degrees : bool
        All states have the same degrees of freedom.
    """

    diagonal: bool = False
    shared_degrees: bool = False


def maximise(
    parameters: Markov, sample: Observations, found: Moments, prior: Prior, form: Form
) -> tuple[Floats, Floats, Floats]:
    """Means, scales and degrees that maximise the expected complete likelihood.

    Parameters
    ----------
    parameters : Markov
        From which the moments were taken.
    sample : Observations
        Of which they are.
    found : Moments
    prior : Prior
    form : Form

    Returns
    -------
    mean : (K, D) ndarray
    scale : (K, D, D) ndarray
    degrees : (K,) ndarray
    """
    mean, scale, degrees = parameters.mean.copy(), parameters.scale.copy(), parameters.degrees.copy()
    settle(completed(parameters, sample, found), sample.centre, prior, form.diagonal, (mean, scale))
    settle_degrees(sample.observed, found, form.shared_degrees, degrees)
    return mean, lifted(scale, prior.floor), degrees


@kernel
def settle(sums: Completed, centre: Floats, prior: Prior, diagonal: bool, out: tuple[Floats, Floats]) -> None:
    """Write means and scales, (K, D) and (K, D, D); states that were not visited keep theirs."""
    mean, scale = out
    for k in range(len(mean)):
        count, weight, first = sums.occupancy[k], sums.weight[k], sums.first[k]
        if not (count > 0.0 and weight > 0.0):
            continue
        whole = count + 2.0 * prior.weight
        for i in range(len(first)):
            for j in range(len(first)):
                spread = sums.second[k, i, j] - first[i] * first[j] / weight
                if i == j:
                    scale[k, i, i] = (spread + 2.0 * prior.weight * prior.variance[i]) / whole
                else:
                    scale[k, i, j] = 0.0 if diagonal else spread / whole
            mean[k, i] = centre[i] + first[i] / weight


def lifted(scale: Floats, floor: Floats) -> Floats:
    """The best scales that are nowhere below the floor: in its units no eigenvalue is below 1."""
    if not (floor > 0).all():
        return scale
    unit = np.sqrt(np.outer(floor, floor))
    values, vectors = np.linalg.eigh(scale / unit)
    if (values >= 1).all():
        return scale
    return np.einsum("kij,kj,klj->kil", vectors, np.maximum(values, 1), vectors) * unit


@kernel
def settle_degrees(observed: Mask, found: Moments, shared: bool, degrees: Floats) -> None:
    """Renew the degrees of freedom of Student-t states, (K,); Gaussian ones stay so."""
    every, every_level = 0.0, 0.0
    for k in range(len(degrees)):
        if degrees[k] == np.inf:
            return
        total, level = 0.0, 0.0
        for p in range(len(observed)):
            size = observed[p].sum()
            if size > 0:
                half = (degrees[k] + size) / 2
                total += found.occupancy[p, k]
                level += found.tail[p, k] + found.occupancy[p, k] * (digamma(half) - np.log(half))
        every, every_level = every + total, every_level + level
        if total > 0.0 and not shared:
            degrees[k] = solve_degrees(level / total)
    if shared and every > 0.0:
        for k in range(len(degrees)):
            degrees[k] = solve_degrees(every_level / every)


@kernel
def solve_degrees(level: float) -> float:
    """Root of 1 + log(ν/2) − ψ(ν/2) + level = 0 in [2.1, 60], or the nearer bound."""
    low, high = LEAST_DEGREES, MOST_DEGREES
    for _ in range(60):
        middle = 0.5 * (low + high)
        if 1.0 + np.log(middle / 2) - digamma(middle / 2) + level > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@kernel
def digamma(x: float) -> float:
    """Derivative of log Γ at a positive number: its recurrence up to 8, then its asymptotic series."""
    shift = 0.0
    while x < 8.0:
        shift -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return shift + np.log(x) - 0.5 / x - series
