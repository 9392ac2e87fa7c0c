"""Is a predictive law right? Tests of probability transforms, of breaches and of shortfalls.

Horizons must follow each other without overlap: then, and only then, the transforms of a right law are
independent. Every test takes that for granted.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from analysis.forecasts import Floats, Forecasts, Losses, losses, simulated_sums, transforms
from analysis.return_statistics import autocorrelation

Mask = NDArray[np.bool_]

BINS, LAGS, DRAWS = 20, 10, 999
LEAST = 30


class Verdict(NamedTuple):
    """Outcome of a test whose null hypothesis is that the law is right."""

    statistic: float
    p_value: float
    sample: int


class Calibration(NamedTuple):
    """Every test of one model at one horizon.

    Attributes
    ----------
    uniform : Verdict
        Kolmogorov–Smirnov.
    bins : Verdict
        Chi-square on twenty bins.
    independent : Verdict
        Ljung–Box, of the normal scores.
    steady : Verdict
        Ljung–Box, of their squares: volatility that the law has not followed.
    coverage : Verdict
        Kupiec, of breaches on either side.
    separate : Verdict
        Christoffersen, that breaches do not cluster.
    conditional : Verdict
        Both of these.
    shortfall : Verdict
        Acerbi and Szekely's second.
    """

    uniform: Verdict
    bins: Verdict
    independent: Verdict
    steady: Verdict
    coverage: Verdict
    separate: Verdict
    conditional: Verdict
    shortfall: Verdict


def calibration(
    forecasts: Forecasts, sums: Floats, level: float, rng: np.random.Generator, draws: int = DRAWS
) -> Calibration:
    """Test forecasts against what came.

    Parameters
    ----------
    forecasts : Forecasts
    sums : (n,) ndarray
        Log returns over the horizons: `analysis.forecasts.block_sums`. NaN is left out.
    level : float
        Of the quantiles and shortfalls of each side.
    rng : numpy.random.Generator
        For the law of the shortfall's statistic.
    draws : int
        Samples that this law is made of.
    """
    there = np.isfinite(sums)
    known = Forecasts(forecasts.law, forecasts.probability[there], forecasts.unit[there])
    pit, found = transforms(known, sums[there]), losses(known, sums[there], level)
    breach: Mask = np.any(found.loss > found.quantile, axis=1)
    return Calibration(
        uniformity(pit),
        bin_uniformity(pit),
        independence(pit),
        independence(pit, power=2),
        coverage(breach, 2 * found.share),
        separation(breach),
        conditional_coverage(breach, 2 * found.share),
        shortfall_test(found, simulated_sums(known, draws, rng)),
    )


def uniformity(pit: Floats) -> Verdict:
    """Whether transforms, (n,), are uniform: Kolmogorov–Smirnov, largest distance of the distributions."""
    _check(pit)
    found = stats.kstest(pit, "uniform")
    return Verdict(float(found.statistic), float(found.pvalue), len(pit))


def bin_uniformity(pit: Floats, bins: int = BINS) -> Verdict:
    """Whether transforms, (n,), fall equally often into equal bins: chi-square."""
    _check(pit)
    counts, _ = np.histogram(pit, bins, (0, 1))
    found = stats.chisquare(counts)
    return Verdict(float(found.statistic), float(found.pvalue), len(pit))


def independence(pit: Floats, lags: int = LAGS, power: int = 1) -> Verdict:
    """Whether normal scores of transforms, or a power of them, are free of autocorrelation: Ljung–Box.

    Parameters
    ----------
    pit : (n,) ndarray
        In order of time.
    lags : int
        How many lags are summed.
    power : int
        1 for the scores, 2 for their squares.

    References
    ----------
    .. [1] J. Berkowitz, "Testing density forecasts, with applications to risk management", Journal of
       Business and Economic Statistics 19 (2001).
    """
    _check(pit)
    count = len(pit)
    scores = special.ndtri(np.clip(pit, 1e-12, 1 - 1e-12)) ** power
    every = np.arange(1, lags + 1)
    found = autocorrelation(scores, every.tolist()) * (count - every) / count
    statistic = float(count * (count + 2) * (found**2 / (count - every)).sum())
    return Verdict(statistic, float(stats.chi2.sf(statistic, lags)), count)


def coverage(breach: Mask, share: float) -> Verdict:
    """Whether breaches, (n,), are as frequent as promised: likelihood ratio.

    References
    ----------
    .. [1] P. H. Kupiec, "Techniques for verifying the accuracy of risk measurement models", Journal of
       Derivatives 3 (1995).
    """
    _check(breach)
    hits, count = int(breach.sum()), len(breach)
    statistic = 2 * (_likelihood(hits, count - hits) - _likelihood(hits, count - hits, share))
    return Verdict(statistic, float(stats.chi2.sf(statistic, 1)), count)


def separation(breach: Mask) -> Verdict:
    """Whether a breach is as probable after a breach as after none: likelihood ratio.

    References
    ----------
    .. [1] P. F. Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998).
    """
    _check(breach)
    before, after = breach[:-1], breach[1:]
    parts = [(int(after[given].sum()), int((~after[given]).sum())) for given in (before, ~before)]
    pooled = _likelihood(int(after.sum()), int((~after).sum()))
    statistic = 2 * (sum(_likelihood(*part) for part in parts) - pooled)
    return Verdict(statistic, float(stats.chi2.sf(statistic, 1)), len(breach))


def conditional_coverage(breach: Mask, share: float) -> Verdict:
    """Whether breaches are both as frequent as promised and not clustered: the sum of both statistics."""
    statistic = coverage(breach, share).statistic + separation(breach).statistic
    return Verdict(statistic, float(stats.chi2.sf(statistic, 2)), len(breach))


def shortfall_test(found: Losses, simulated: Floats) -> Verdict:
    """Whether losses beyond the quantile are no larger and no more frequent than forecast.

    The statistic is the sum of breaching losses over their forecast shortfalls, over its expectation, less 1:
    0.2 means that a fifth more was lost in the tails than forecast. The p-value is the share of simulated
    samples in which it is as large, so that a law that is too careful is not rejected.

    Parameters
    ----------
    found : Losses
    simulated : (S, n) ndarray
        Returns drawn from the forecasts: `analysis.forecasts.simulated_sums`.

    References
    ----------
    .. [1] C. Acerbi and B. Szekely, "Back-testing expected shortfall", Risk (December 2014), test 2.
    """
    _check(found.loss)
    statistic = float(_tail_excess(found.loss[:, 0], found))
    null = _tail_excess(-simulated, found)
    p_value = (1 + int((null >= statistic).sum())) / (1 + len(null))
    return Verdict(statistic, p_value, len(found.loss))


def _tail_excess(falls: Floats, found: Losses) -> Floats:
    """Acerbi and Szekely's second statistic, positive where too much is lost, over the last axis of falls."""
    total: Floats = np.zeros(falls.shape[:-1])
    for side, loss in enumerate((falls, -falls)):
        breaching = np.where(loss > found.quantile[:, side], loss / found.shortfall[:, side], 0.0)
        total = total + breaching.sum(axis=-1)
    return total / (2 * found.share * len(found.loss)) - 1


def _likelihood(hits: int, misses: int, share: float | None = None) -> float:
    """Log likelihood of breaches at a probability; at the most probable one by default."""
    chance = hits / max(hits + misses, 1) if share is None else share
    return float(special.xlogy(hits, chance) + special.xlog1py(misses, -chance))


def _check(sample: Floats | Mask) -> None:
    if len(sample) < LEAST:
        raise ValueError(f"a test of calibration needs at least {LEAST} horizons, got {len(sample)}")
    if np.isnan(sample).any():
        raise ValueError(f"a test of calibration needs known values, got {int(np.isnan(sample).sum())} NaN")
