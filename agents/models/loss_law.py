"""What a position may lose over h steps, given how probable each regime is for the next step.

The law of the sum of returns is linear in those probabilities, F = Σ pᵢ Fᵢ, with Fᵢ the law where the first
step is in state i. So K tabulated curves serve every block until the next fit, and a quantile is one search
in their mixture.

Returns are log returns. A loss of x is a relative loss of 1 − exp(−x) for a long position, below x, and of
exp(x) − 1 for a short one, above x. Both sides are measured in logarithms, as under Student-t emissions the
mean of the latter is infinite.
"""

from math import ceil
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agents.models.parameters import TOLERANCE, Markov
from agents.models.path_sums import Steps, path_sums
from protocol.book import LONG, SHORT, Floats
from protocol.kernels import fragment, kernel

Side = Literal["long", "short", "worst"]
REFINEMENTS = 5


class StateReturns(NamedTuple):
    """The log return over one step in each state.

    Attributes
    ----------
    mean : (K,) float64
        [1].
    scale : (K,) float64
        Scale of the Student-t law, or standard deviation of the Gaussian one [1].
    degrees : (K,) float64
        Degrees of freedom, above 2; infinite where Gaussian.
    """

    mean: Floats
    scale: Floats
    degrees: Floats


class LossLaw(NamedTuple):
    """The law of the log return over several steps, tabulated at n equally distant nodes, for kernels.

    Attributes
    ----------
    start, step : float
        The first node and the distance between nodes [1].
    cumulative : (n, K) float64
        Probability that the return is at most the node, if the first step is in the column's state.
    density : (n, K) float64
    upper : (n, K) float64
        Expectation of the return where it exceeds the node, else of 0.
    mean : (K,) float64
        Expectation of the return.
    """

    start: float
    step: float
    cumulative: Floats
    density: Floats
    upper: Floats
    mean: Floats


class Tail(NamedTuple):
    """What is lost at a level of confidence.

    Attributes
    ----------
    quantile : float
        Loss that is exceeded with probability 1 − level [log return]: value at risk.
    shortfall : float
        Mean of the losses beyond [log return]: expected shortfall.
    """

    quantile: float
    shortfall: float


def state_returns(parameters: Markov, series: int = 0) -> StateReturns:
    """Returns by state of a model whose observations are log returns, of one of its series."""
    scale = np.sqrt(parameters.scale[:, series, series])
    return StateReturns(parameters.mean[:, series], scale, parameters.degrees)


def loss_law(returns: StateReturns, transition: Floats, steps: float) -> LossLaw:
    """The law of the log return over several steps.

    Parameters
    ----------
    returns : StateReturns
    transition : (K, K) ndarray
        Over one step.
    steps : float
        Positive horizon, h [steps]. A fraction is taken as ⌈h⌉ steps whose means and variances are both
        smaller by h/⌈h⌉, so that expectation and variance grow evenly with h while a state lasts.

    Returns
    -------
    LossLaw
        Relative errors of quantiles and shortfalls at levels up to 0.999 are below 2e-5. Single returns that
        occur once in 10⁵ horizons enter by their probability and their expectation. Where the widest
        state is so much wider than the narrowest that the grid would need more than 2¹⁹ points, the narrowest
        is widened to what the grid resolves.

    Raises
    ------
    ValueError
        If shapes do not fit, or a value is out of bounds.
    """
    returns = StateReturns(*(np.atleast_1d(np.asarray(each, np.float64)) for each in returns))
    transition = np.ascontiguousarray(transition, np.float64)
    _check(returns, transition, steps)
    count = ceil(steps)
    share = steps / count
    found = path_sums(
        Steps(share * returns.mean, share**0.5 * returns.scale, returns.degrees, transition, count)
    )
    return LossLaw(
        float(found.nodes[0]),
        float(found.nodes[1] - found.nodes[0]),
        np.ascontiguousarray(found.cumulative),
        np.ascontiguousarray(found.density),
        np.ascontiguousarray(found.upper),
        found.mean,
    )


def _check(returns: StateReturns, transition: Floats, steps: float) -> None:
    if not 0 < steps < np.inf:
        raise ValueError(f"steps must be positive and finite, got {steps}")
    states = len(transition)
    shapes = {each.shape for each in returns}
    if transition.shape != (states, states) or shapes != {(states,)}:
        raise ValueError(
            f"returns of {states} states need shapes ({states},), got {sorted(shapes)} and {transition.shape}"
        )
    if not (transition >= 0).all() or np.abs(transition.sum(axis=1) - 1).max() > TOLERANCE:
        raise ValueError(f"transition must hold probabilities that sum to 1, got {transition.tolist()}")
    if not np.isfinite(returns.mean).all():
        raise ValueError(f"mean must be finite, got {returns.mean.tolist()}")
    if not ((returns.scale > 0) & np.isfinite(returns.scale)).all():
        raise ValueError(f"scale must be positive and finite, got {returns.scale.tolist()}")
    if not (returns.degrees > 2).all():
        raise ValueError(f"degrees must be above 2, got {returns.degrees.tolist()}")


def tail(law: LossLaw, probability: ArrayLike, level: float, side: Side = "worst") -> Tail:
    """Loss of a position at a level of confidence.

    Parameters
    ----------
    law : LossLaw
    probability : (K,) array_like
        Of each state at the next step: the filter's prediction.
    level : float
        Between 0.5 and 1; good up to 0.999.
    side : {"worst", "long", "short"}
        A long position loses when the price falls, a short one when it rises; the worst of both takes the
        larger quantile and the larger shortfall.

    Returns
    -------
    Tail

    Raises
    ------
    ValueError
        If the level is out of bounds or beyond the table, or probabilities are none.
    """
    if not 0.5 < level < 1:
        raise ValueError(f"0.5 < level < 1 must hold, got {level}")
    known = _probabilities(law, probability)
    sides = {"long": (LONG,), "short": (SHORT,), "worst": (LONG, SHORT)}[side]
    found = np.array([side_tail(law, known, level, each) for each in sides])
    if np.isnan(found).any():
        raise ValueError(f"a level of {level} is beyond the table of this law")
    return Tail(*found.max(axis=0).tolist())


def cumulative(law: LossLaw, probability: ArrayLike, value: float) -> float:
    """Probability that the log return over the horizon is at most `value`; NaN of NaN."""
    return cumulative_at(law, _probabilities(law, probability), float(value))


def _probabilities(law: LossLaw, probability: ArrayLike) -> Floats:
    known = np.ascontiguousarray(probability, np.float64)
    if known.shape != law.mean.shape or not (known >= 0).all() or abs(known.sum() - 1) > TOLERANCE:
        raise ValueError(
            f"probability must be {len(law.mean)} shares that sum to 1, got {np.asarray(probability)}"
        )
    return known


@kernel
def side_tail(law: LossLaw, probability: Floats, level: float, side: int) -> tuple[float, float]:
    """Quantile and shortfall of one side, `LONG` or `SHORT`, for the loops of other kernels.

    Both are NaN if a probability is, or the level lies beyond the table.
    """
    share = 1.0 - level
    target = share if side == LONG else level
    last = len(law.cumulative) - 1
    low, high = 0, last
    if not (mixed(law.cumulative[0], probability) < target < mixed(law.cumulative[last], probability)):
        return np.nan, np.nan
    while high - low > 1:
        middle = (low + high) // 2
        if mixed(law.cumulative[middle], probability) < target:
            low = middle
        else:
            high = middle
    place = position(law, probability, low, target)
    at = law.start + (low + place) * law.step
    above = mixed_upper(law, probability, low, place)
    if side == LONG:
        return -at, (above - mixed(law.mean, probability)) / share
    return at, above / share


@kernel
def cumulative_at(law: LossLaw, probability: Floats, value: float) -> float:
    """Probability that the log return is at most `value`, for the loops of other kernels."""
    if np.isnan(value):
        return np.nan
    last = len(law.cumulative) - 1
    along = (value - law.start) / law.step
    if along <= 0.0:
        return mixed(law.cumulative[0], probability)
    if along >= last:
        return mixed(law.cumulative[last], probability)
    cell = int(along)
    ends, slopes = mixed_cumulative(law, probability, cell)
    return hermite(ends, slopes, along - cell)


@fragment
def position(law: LossLaw, probability: Floats, cell: int, target: float) -> float:
    """Where in a cell, from 0 to 1, the cumulative probability meets its target, by Newton's method."""
    ends, slopes = mixed_cumulative(law, probability, cell)
    rise = ends[1] - ends[0]
    place = (target - ends[0]) / rise
    for _ in range(REFINEMENTS):
        slope = 6.0 * place * (1.0 - place) * rise
        slope += (1.0 - place) * (1.0 - 3.0 * place) * slopes[0] + place * (3.0 * place - 2.0) * slopes[1]
        if slope > 0.0:
            place = min(max(place - (hermite(ends, slopes, place) - target) / slope, 0.0), 1.0)
    return place


@fragment
def mixed_cumulative(
    law: LossLaw, probability: Floats, cell: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Cumulative probabilities at both ends of a cell, and their slopes over the cell."""
    ends = (mixed(law.cumulative[cell], probability), mixed(law.cumulative[cell + 1], probability))
    low, high = mixed(law.density[cell], probability), mixed(law.density[cell + 1], probability)
    return ends, (law.step * low, law.step * high)


@fragment
def mixed_upper(law: LossLaw, probability: Floats, cell: int, place: float) -> float:
    """Expectation of the return where it exceeds a place in a cell, else of 0."""
    low = law.start + cell * law.step
    ends = (mixed(law.upper[cell], probability), mixed(law.upper[cell + 1], probability))
    slopes = (
        -law.step * low * mixed(law.density[cell], probability),
        -law.step * (low + law.step) * mixed(law.density[cell + 1], probability),
    )
    return hermite(ends, slopes, place)


@fragment
def hermite(ends: tuple[float, float], slopes: tuple[float, float], place: float) -> float:
    """The cubic through two ends with given slopes, at a place from 0 to 1."""
    rest = 1.0 - place
    outer = ends[0] * (1.0 + 2.0 * place) * rest * rest + ends[1] * (3.0 - 2.0 * place) * place * place
    return outer + rest * place * (rest * slopes[0] - place * slopes[1])


@fragment
def mixed(row: Floats, probability: Floats) -> float:
    """Value of the mixture at a node."""
    total = 0.0
    for k in range(len(row)):
        total += probability[k] * row[k]
    return total
