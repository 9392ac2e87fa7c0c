"""Intervals of a statistic, of its difference between two policies and of its relative change.

Their kinds were chosen by experiment, on heavy-tailed and zero-inflated pairs. With 64 seeds a percentile or
BCa interval holds the true difference of two shortfalls in 60 to 77 % of the cases, and excludes zero in 9 to
27 % when there is no difference. A symmetric bootstrap-t interval holds the true one in 86 to 96 %; whether
zero lies inside it is left to the swap test, which is exact where the names of the policies mean nothing.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.comparisons.replicates import Replicates
from analysis.comparisons.statistic import Statistic
from analysis.comparisons.swaps import SWAPS
from analysis.comparisons.weighted import Floats

RESAMPLES = 4000
FLOOR = 0.2


@dataclass(frozen=True)
class Drawing:
    """How intervals and p-values are drawn.

    Attributes
    ----------
    level : float
        Confidence of the intervals.
    seed : int
        Equal seeds give equal intervals.
    resamples, swaps : int
        Of the bootstrap and of the swap test.
    """

    level: float = 0.95
    seed: int = 0
    resamples: int = RESAMPLES
    swaps: int = SWAPS

    @property
    def alpha(self) -> float:
        """Chance of a false alarm that is accepted; p-values below it reject."""
        return round(1 - self.level, 12)

    @property
    def z(self) -> float:
        """Half the width of the central interval of a standard normal."""
        return NormalDist().inv_cdf(0.5 + self.level / 2)

    @property
    def tails(self) -> tuple[float, float]:
        """Shares below the two ends of an equal-tailed interval."""
        return (1 - self.level) / 2, (1 + self.level) / 2


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value, low, high : float
    without_zero : bool
        Whether zero is outside although it may be an end of the interval.
    """

    value: float
    low: float
    high: float
    without_zero: bool = False

    def holds(self, number: float) -> bool:
        """Whether a number lies in the interval."""
        low, high = self.ends
        return low <= number <= high

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest number in the interval, the one next to zero where zero is outside."""
        if self.without_zero and 0.0 in (self.low, self.high):
            tiny = math.ulp(0.0)
            return (tiny, self.high) if self.low == 0 else (self.low, -tiny)
        return self.low, self.high

    def within(self, least: float, most: float) -> "Estimate":
        """The interval, cut to what is possible."""
        return Estimate(self.value, max(self.low, least), min(self.high, most))

    def settled(self, rejected: bool) -> "Estimate":
        """The interval of a difference, cut at zero if a test rejects zero, and widened to zero if not."""
        low, high = self.low, self.high
        if not rejected:
            return Estimate(self.value, min(low, 0.0), max(high, 0.0))
        cut = (max(low, 0.0), high) if self.value > 0 else (low, min(high, 0.0))
        return Estimate(self.value, *cut, without_zero=True)


def equal_tailed_t(observed: Replicates, drawn: Replicates, drawing: Drawing) -> Estimate:
    """Bootstrap-t interval of one policy's mean or shortfall, wider on the side of the tail.

    Notes
    -----
    The shortfall of less than one run is the worst value, without a standard error: then percentiles serve.
    """
    value, error = float(observed.values[0]), float(observed.errors[0])
    if error == 0:
        return percentile(observed, drawn, drawing)
    low, high = np.quantile(_roots(value, error, drawn), drawing.tails, method="inverted_cdf")
    return Estimate(value, min(value, value - float(high) * error), max(value, value - float(low) * error))


def symmetric_t(observed: Replicates, drawn: Replicates, drawing: Drawing) -> Estimate:
    """Bootstrap-t interval of a difference, as far up as down; a normal one where no error is known."""
    value, error = float(observed.values[0]), float(observed.errors[0])
    if error == 0:
        return normal(observed, drawn, drawing)
    roots = np.abs(_roots(value, error, drawn))
    half = float(np.quantile(roots, drawing.level, method="inverted_cdf")) * error
    return Estimate(value, value - half, value + half)


def _roots(value: float, error: float, drawn: Replicates) -> Floats:
    """Errors of the resamples in units of their standard error, shape (k,); infinite where there is none.

    Notes
    -----
    In some resamples all runs of a tail are alike. A floor on their standard errors keeps these from blowing
    up the interval; it costs hardly any coverage.
    """
    gaps, errors = drawn.values - value, np.maximum(drawn.errors, FLOOR * error)
    known = np.isfinite(gaps) & np.isfinite(errors)
    roots: Floats = np.divide(gaps, errors, out=np.full(len(gaps), np.inf), where=known)
    return roots


def normal(observed: Replicates, drawn: Replicates, drawing: Drawing) -> Estimate:
    """Interval from the standard deviation over resamples."""
    value, half = float(observed.values[0]), drawing.z * float(drawn.values.std())
    return Estimate(value, value - half, value + half)


def percentile(observed: Replicates, drawn: Replicates, drawing: Drawing) -> Estimate:
    """Interval between two quantiles over resamples, some of which may be infinite."""
    low, high = np.quantile(drawn.values, drawing.tails, method="inverted_cdf")
    return Estimate(float(observed.values[0]), float(low), float(high))


def of_quantile(observed: Replicates, drawn: Replicates, statistic: Statistic, drawing: Drawing) -> Estimate:
    """Interval of one policy's quantile: percentile, and towards the tail no narrower than the normal one.

    Notes
    -----
    No resample knows a value beyond the worst run, so that percentiles alone end too early.
    """
    plain, wide = percentile(observed, drawn, drawing), normal(observed, drawn, drawing)
    if statistic.share == 0.5:
        return plain
    if (statistic.tail == "lower") != (statistic.share < 0.5):
        return Estimate(plain.value, min(plain.low, wide.low), plain.high)
    return Estimate(plain.value, plain.low, max(plain.high, wide.high))


def of_probability(scores: Floats, drawing: Drawing) -> Estimate:
    """Agresti and Coull's interval of a probability, which is no point when an event never happened.

    Parameters
    ----------
    scores : (n,) ndarray
        Per seed, the share of its runs in which the event happened.
    drawing : Drawing

    References
    ----------
    .. [1] Agresti and Coull (1998), "Approximate is better than exact for interval estimation of binomial
       proportions", The American Statistician 52:119.
    """
    more = drawing.z**2
    seeds = len(scores) + more
    centre = (float(scores.sum()) + more / 2) / seeds
    variance = (float((scores**2).sum()) + more / 2) / seeds - centre**2
    half = drawing.z * math.sqrt(variance / seeds)
    return Estimate(float(scores.mean()), centre - half, centre + half).within(0.0, 1.0)


def of_probabilities(gaps: Floats, drawing: Drawing) -> Estimate:
    """Bonett and Price's interval of a difference of paired probabilities.

    Parameters
    ----------
    gaps : (n,) ndarray
        Per seed, by how much the share of runs with the event differs.
    drawing : Drawing

    References
    ----------
    .. [1] Bonett and Price (2012), "Adjusted Wald confidence interval for a difference of binomial
       proportions based on paired data", Journal of Educational and Behavioral Statistics 37:479.
    """
    seeds = len(gaps) + 2
    centre = float(gaps.sum()) / seeds
    half = drawing.z * math.sqrt(((float((gaps**2).sum()) + 2) / seeds - centre**2) / seeds)
    return Estimate(float(gaps.mean()), centre - half, centre + half).within(-1.0, 1.0)
