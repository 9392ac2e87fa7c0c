"""A statistic of two policies, and of their difference, in every resample of the seeds."""

from dataclasses import dataclass

import numpy as np

from analysis.comparisons.paired import Pairs, averaged, chunks, moved_by, spread
from analysis.comparisons.statistic import Statistic
from analysis.comparisons.weighted import Floats


@dataclass(frozen=True)
class Replicates:
    """A number under `k` weightings of the seeds.

    Attributes
    ----------
    values, errors : (k,) ndarray
        The number and its standard error; a quantile has no simple one, which is NaN.
    """

    values: Floats
    errors: Floats


@dataclass(frozen=True)
class PairReplicates:
    """Two policies under the same weightings of their seeds.

    Attributes
    ----------
    baseline, alternative : Replicates
    absolute : Replicates
        The alternative less the baseline.
    relative : Replicates
        That over the size of the baseline [1]; infinite where only the baseline is zero.
    """

    baseline: Replicates
    alternative: Replicates
    absolute: Replicates
    relative: Replicates


def replicated(pairs: Pairs, weights: Floats, statistic: Statistic) -> PairReplicates:
    """A statistic of two policies under each weighting of their seeds.

    Parameters
    ----------
    pairs : Pairs
        Of n seeds.
    weights : (k, n) ndarray
        How often each seed counts.
    statistic : Statistic
    """
    parts = [_chunk(pairs, weights[rows], statistic) for rows in chunks(*weights.shape)]
    columns = np.concatenate(parts, axis=1)
    first, second, first_error, second_error, error, ratio_error = columns
    gap = second - first
    endless = np.where(gap == 0, 0.0, np.copysign(np.inf, gap))
    ratio = np.divide(gap, np.abs(first), out=endless, where=first != 0)
    return PairReplicates(
        Replicates(first, first_error),
        Replicates(second, second_error),
        Replicates(gap, error),
        Replicates(ratio, ratio_error),
    )


def _chunk(pairs: Pairs, weights: Floats, statistic: Statistic) -> Floats:
    """Both statistics and the four standard errors under some weightings, shape (6, k)."""
    first, second = (averaged(table, weights, statistic) for table in (pairs.baseline, pairs.alternative))
    if statistic.kind == "quantile":
        return np.vstack([first, second, *[np.full(len(weights), np.nan)] * 4])
    one, two = (moved_by(table, weights, statistic) for table in (pairs.baseline, pairs.alternative))
    ratio = np.divide(second, first, out=np.zeros(len(first)), where=first != 0)
    scaled = spread(two - ratio[:, None] * one, weights)
    relative = np.divide(scaled, np.abs(first), out=np.full(len(first), np.nan), where=first != 0)
    return np.vstack(
        [first, second, spread(one, weights), spread(two, weights), spread(two - one, weights), relative]
    )
