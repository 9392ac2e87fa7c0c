"""Predictive laws along a sample, and what came of them, on horizons that do not overlap."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.models.filtering import filter_states
from agents.models.loss_law import LossLaw, StateReturns, Tail, cumulative, loss_law, state_returns, tail
from agents.models.observations import read_observations
from agents.models.parameters import Markov
from agents.models.volatility import Volatility

Floats = NDArray[np.float64]


class Forecasts(NamedTuple):
    """The law of the return over each of n horizons, said at its beginning.

    Attributes
    ----------
    law : LossLaw
        Of the return over its unit.
    probability : (n, K) float64
        Of each state at the first step of the horizon.
    unit : (n,) float64
        [log return]; 1 where the law itself is in log returns.
    """

    law: LossLaw
    probability: Floats
    unit: Floats


class Losses(NamedTuple):
    """What was lost and what was said of it, on both sides of the market.

    Attributes
    ----------
    loss : (n, 2) float64
        Of a long and of a short position [log return].
    quantile : (n, 2) float64
        Value at risk [log return].
    shortfall : (n, 2) float64
        Expected shortfall [log return].
    share : float
        Probability of a loss beyond the quantile on each side, 1 − level.
    """

    loss: Floats
    quantile: Floats
    shortfall: Floats
    share: float


def block_sums(values: ArrayLike, steps: int) -> Floats:
    """Returns over horizons that follow each other, (n,); NaN where a step is missing, the rest cut off."""
    known = np.asarray(values, np.float64)
    if steps < 1 or known.ndim != 1 or len(known) < steps:
        rule = "horizons need at least one step, and a series at least as long"
        raise ValueError(f"{rule}, got steps={steps} and values of shape {known.shape}")
    found: Floats = known[: len(known) // steps * steps].reshape(-1, steps).sum(axis=1)
    return found


def regime_forecasts(
    values: ArrayLike, parameters: Markov, steps: int, law: LossLaw | None = None
) -> Forecasts:
    """Forecasts of a hidden Markov model of log returns from its filter.

    Parameters
    ----------
    values : (T,) array_like
        Log returns over a step, NaN where missing.
    parameters : Markov
        Of one series; not fitted to these values, or the forecasts have seen them.
    steps : int
        Horizon, h.
    law : LossLaw, optional
        In place of the model's own, in the order of its states.

    Returns
    -------
    Forecasts
        For the T // h horizons.
    """
    predicted = filter_states(read_observations(values), parameters).predicted
    starts = np.arange(len(block_sums(values, steps))) * steps
    own = law or loss_law(state_returns(parameters), parameters.transition, steps)
    return Forecasts(own, predicted[starts], np.ones(len(starts)))


def volatility_forecasts(values: ArrayLike, model: Volatility, steps: int) -> Forecasts:
    """Forecasts of a fitted volatility that goes on to learn from these values; see `regime_forecasts`."""
    series, shape = np.asarray(values, np.float64), model.shape(steps)
    unit = np.empty(len(block_sums(series, steps)))
    for block in range(len(unit)):
        unit[block] = model.variance(steps) ** 0.5
        for value in series[block * steps : (block + 1) * steps]:
            model.observe(value)
    student = StateReturns(np.zeros(1), np.array([shape.scale]), np.array([shape.degrees]))
    return Forecasts(loss_law(student, np.ones((1, 1)), 1), np.ones((len(unit), 1)), unit)


def transforms(forecasts: Forecasts, sums: Floats) -> Floats:
    """Probability, (n,), that each forecast gave to at most what came: uniform if it was right."""
    rows = zip(forecasts.probability, sums / forecasts.unit, strict=True)
    return np.array([cumulative(forecasts.law, row, value) for row, value in rows])


def losses(forecasts: Forecasts, sums: Floats, level: float) -> Losses:
    """Losses of both sides beside the tails that were forecast at a level of confidence."""
    tails: list[list[Tail]] = [
        [tail(forecasts.law, row, level, "long"), tail(forecasts.law, row, level, "short")]
        for row in forecasts.probability
    ]
    both = forecasts.unit[:, None, None] * np.array(tails)
    return Losses(np.column_stack([-sums, sums]), both[..., 0], both[..., 1], 1 - level)


def simulated_sums(forecasts: Forecasts, count: int, rng: np.random.Generator) -> Floats:
    """Draw returns from the forecasts, (count, n): what would have come if they were right."""
    law = forecasts.law
    nodes = law.start + law.step * np.arange(len(law.cumulative))
    shape = (count, len(forecasts.unit))
    state = (rng.random(shape)[..., None] > forecasts.probability.cumsum(axis=1)[:, :-1]).sum(axis=-1)
    uniform, found = rng.random(shape), np.empty(shape)
    for k, column in enumerate(law.cumulative.T):
        found[state == k] = np.interp(uniform[state == k], column, nodes)
    return found * forecasts.unit
