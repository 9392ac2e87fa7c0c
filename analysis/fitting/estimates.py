"""What a fit returns, and standard errors from blocks of days."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.fitting.samples import Sample, Samples
from analysis.return_statistics import YEAR
from sim.prices.settings import PriceSettings
from sim.streams import stream

Floats = NDArray[np.float64]

DAY = 86_400
COVERED = 0.8
BLOCK_DAYS = 20
DRAWS = 200


class Estimate(NamedTuple):
    """A number of a fitted generator.

    Attributes
    ----------
    name : str
        Its path below `world.prices`.
    value, error : float
        And its standard error; NaN where there is none.
    unit : str
    method : str
        How both were found.
    """

    name: str
    value: float
    error: float
    unit: str
    method: str


class Fit(NamedTuple):
    """A calibrated generator.

    Attributes
    ----------
    settings : PriceSettings
        Ready for `world.prices`.
    estimates : tuple of Estimate
    notes : tuple of str
        What a reader must know about them.
    """

    settings: PriceSettings
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...] = ()


class Days(NamedTuple):
    """A sample by UTC day, days with less than 80 % of their bars left out.

    Attributes
    ----------
    variance : (d, m) float64
        Mean squared return of a bar, by the year [1/year].
    product : (d, m, m) float64
        Mean product of the markets' returns, by the year [1/year].
    agreement : (d, m, m) float64
        Mean product of the signs of the markets' returns [1].
    change : (d, m) float64
        Log return over the day's known bars [1].
    """

    variance: Floats
    product: Floats
    agreement: Floats
    change: Floats


def daily(sample: Sample) -> Days:
    """Realised variances and covariances of the days of a sample whose bars are shorter than a day."""
    returns = sample.returns
    known = np.isfinite(returns).all(axis=1)
    day = sample.times[1:].floor("D").asi8
    number = pd.factorize(day)[0]
    count = np.bincount(number[known], minlength=number.max() + 1)
    enough = count >= COVERED * DAY / sample.seconds
    moves, where = returns[known], number[known]
    signs = np.sign(moves)
    product, agreement, change = (
        _sums(each, where, len(count))[enough]
        for each in (moves[:, :, None] * moves[:, None, :], signs[:, :, None] * signs[:, None, :], moves)
    )
    bars = count[enough, None, None]
    product = product / bars * YEAR / sample.seconds
    return Days(np.einsum("dii->di", product), product, agreement / bars, change)


def _sums(values: Floats, where: NDArray[np.int64], count: int) -> Floats:
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, where, values)
    return total


def last_closes(samples: Samples) -> dict[str, float]:
    """Last known close of each market [USD]."""
    closes = samples.longest.closes
    return {m: float(closes[np.isfinite(closes[:, i]), i][-1]) for i, m in enumerate(samples.markets)}


def block_errors(
    statistic: Callable[[NDArray[np.int64]], Floats], count: int, length: int = BLOCK_DAYS
) -> Floats:
    """Standard errors from the circular block bootstrap.

    Parameters
    ----------
    statistic : callable
        Estimates, (p,), from the numbers of the rows to use.
    count : int
        Number of rows.
    length : int
        Rows in a block.

    Returns
    -------
    (p,) ndarray
        Standard deviation of the estimates over 200 resamples.

    References
    ----------
    .. [1] D. N. Politis and J. P. Romano, "A circular block-resampling procedure for stationary data",
       in Exploring the Limits of Bootstrap (1992).
    """
    chance = stream(0, "fit", "blocks")
    blocks = -(-count // length)
    draws = []
    for _ in range(DRAWS):
        begin = chance.integers(count, size=blocks)
        rows = (begin[:, None] + np.arange(length)).ravel()[:count] % count
        draws.append(statistic(rows))
    errors: Floats = np.nanstd(np.array(draws), axis=0)
    return errors
