"""The maximisation step: parameters from expected counts and moments, with penalties and priors.

The variances' penalty follows J. Chen, X. Tan and R. Zhang, "Inference for normal mixtures in mean and
variance", Statistica Sinica 18 (2008): −a Σ (tr S₀Σ⁻¹ + log |ΣS₀⁻¹|), with S₀ the variances of the sample.
"""

from math import log
from typing import NamedTuple

import numpy as np

from agents.models.observations import Observations, product_places
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
    count, weight, first, second = _completed(parameters, sample, found)
    visited = (count > 0) & (weight > 0)
    shift = first / np.where(visited, weight, 1.0)[:, None]
    spread = second - weight[:, None, None] * shift[:, :, None] * shift[:, None, :]
    target = 2 * prior.weight * np.diag(prior.variance)
    scale = (spread + target) / np.where(visited, count + 2 * prior.weight, 1.0)[:, None, None]
    if form.diagonal:
        scale = scale * np.eye(parameters.series)
    if not visited.all():
        shift = np.where(visited[:, None], shift, parameters.mean - sample.centre)
        scale = np.where(visited[:, None, None], scale, parameters.scale)
    degrees = _degrees(parameters, sample.observed, found, form)
    return sample.centre + shift, _lifted(scale, prior.floor), degrees


def _completed(
    parameters: Markov, sample: Observations, found: Moments
) -> tuple[Floats, Floats, Floats, Floats]:
    """Moments around the centre in which what is missing has its expectation given what is there."""
    states, series = parameters.mean.shape
    count, weight = np.zeros(states), np.zeros(states)
    first, second = np.zeros((states, series)), np.zeros((states, series, series))
    for p, there in enumerate(sample.observed):
        if not there.any():
            continue
        total, linear, square = _unpacked(found.weighted[p], series)
        count += found.occupancy[p]
        weight += total
        if there.all():
            first += linear
            second += square
            continue
        fill, offset, rest = _imputation(parameters, sample.centre, there)
        level = np.einsum("kij,kj->ki", fill, linear)
        cross = level[:, :, None] * offset[:, None, :]
        first += level + total[:, None] * offset
        second += fill @ square @ fill.transpose(0, 2, 1) + cross + cross.transpose(0, 2, 1)
        second += total[:, None, None] * offset[:, :, None] * offset[:, None, :]
        second += found.occupancy[p][:, None, None] * rest
    return count, weight, first, second


def _unpacked(weighted: Floats, series: int) -> tuple[Floats, Floats, Floats]:
    """Sums of features, (K, M), as weights (K,), first (K, D) and second moments (K, D, D)."""
    rows, columns = product_places(series)
    square = np.empty((len(weighted), series, series))
    square[:, rows, columns] = square[:, columns, rows] = weighted[:, 1 + series :]
    return weighted[:, 0], weighted[:, 1 : 1 + series], square


def _imputation(parameters: Markov, centre: Floats, there: Mask) -> tuple[Floats, Floats, Floats]:
    """How deviations from the centre are completed, and what stays unknown.

    Returns
    -------
    fill : (K, D, D) ndarray
        Times the observed deviations,
    offset : (K, D) ndarray
        plus this, are the expected ones.
    rest : (K, D, D) ndarray
        Scale of what is missing given what is there.
    """
    scale, away = parameters.scale, parameters.mean - centre
    fill = np.tile(np.diag(there.astype(np.float64)), (parameters.states, 1, 1))
    offset, rest = np.zeros_like(away), np.zeros_like(scale)
    seen, hidden = np.flatnonzero(there), np.flatnonzero(~there)
    cross = scale[:, hidden[:, None], seen]
    slope = np.linalg.solve(scale[:, seen[:, None], seen], cross.transpose(0, 2, 1)).transpose(0, 2, 1)
    fill[:, hidden[:, None], seen] = slope
    offset[:, hidden] = away[:, hidden] - np.einsum("kij,kj->ki", slope, away[:, seen])
    rest[:, hidden[:, None], hidden] = scale[:, hidden[:, None], hidden] - slope @ cross.transpose(0, 2, 1)
    return fill, offset, rest


def _lifted(scale: Floats, floor: Floats) -> Floats:
    """The best scales that are nowhere below the floor: in its units no eigenvalue is below 1."""
    if not (floor > 0).all():
        return scale
    unit = np.sqrt(np.outer(floor, floor))
    values, vectors = np.linalg.eigh(scale / unit)
    if (values >= 1).all():
        return scale
    return np.einsum("kij,kj,klj->kil", vectors, np.maximum(values, 1), vectors) * unit


def _degrees(parameters: Markov, observed: Mask, found: Moments, form: Form) -> Floats:
    """Degrees of freedom of Student-t states; Gaussian ones stay so."""
    if np.isinf(parameters.degrees).any():
        return parameters.degrees
    sizes = observed.sum(axis=1)
    used = sizes > 0
    counts = found.occupancy[used]
    half = (parameters.degrees + sizes[used, None]) / 2
    drift = np.array([[digamma(x) - log(x) for x in row] for row in half])
    level = found.tail[used] + counts * drift
    total, level = counts.sum(axis=0), level.sum(axis=0)
    if form.shared_degrees:
        total, level = (np.full_like(total, each.sum()) for each in (total, level))
    pairs = zip(total, level, parameters.degrees, strict=True)
    return np.array([solve_degrees(y / n) if n > 0 else old for n, y, old in pairs])


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
