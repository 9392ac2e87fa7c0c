"""A metric under two policies that met the same seeds, and its statistics under resampled seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analysis.comparisons.statistic import Statistic
from analysis.comparisons.weighted import Floats, estimates, influences
from sim.streams import stream

CELLS = 4_000_000


@dataclass(frozen=True)
class Pairs:
    """One metric under two policies, by seed and combination of the other axes; NaN where there is no pair.

    Attributes
    ----------
    baseline, alternative : (n, c) ndarray
        Of `n` seeds with at least one pair, in `c` combinations with at least one pair.
    """

    baseline: Floats
    alternative: Floats

    @classmethod
    def of(cls, baseline: Floats, alternative: Floats) -> "Pairs":
        """Pairs of two tables of seeds and combinations; what lacks one side is left out."""
        whole = np.isfinite(baseline) & np.isfinite(alternative)
        rows, columns = whole.any(axis=1), whole.any(axis=0)
        first, second = (
            np.where(whole, table, np.nan)[rows][:, columns] for table in (baseline, alternative)
        )
        return cls(first, second)

    @property
    def seeds(self) -> int:
        """Number of seeds with at least one pair."""
        return len(self.baseline)

    @property
    def equal(self) -> bool:
        """Whether the two policies did exactly the same in every pair."""
        return bool(np.array_equal(self.baseline, self.alternative, equal_nan=True))


@lru_cache(maxsize=4)
def bootstrap_weights(seed: int, resamples: int, seeds: int) -> Floats:
    """How often each seed is drawn in each resample, shape (resamples, seeds)."""
    drawn = stream(seed, "bootstrap", seeds).multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    weights = drawn.astype(np.float64)
    weights.setflags(write=False)
    return weights


def averaged(values: Floats, weights: Floats, statistic: Statistic) -> Floats:
    """A statistic within each combination, averaged over combinations; once for each weighting of seeds.

    Parameters
    ----------
    values : (n, c) ndarray
        NaN where there is no run; every seed has at least one.
    weights : (k, n) ndarray
    statistic : Statistic

    Returns
    -------
    (k,) ndarray
    """
    columns = [estimates(column[known], _of(weights, known), statistic) for column, known in _columns(values)]
    return np.asarray(np.nanmean(columns, axis=0), dtype=np.float64)


def moved_by(values: Floats, weights: Floats, statistic: Statistic) -> Floats:
    """Influence of each seed on the averaged statistic in each weighting, shape (k, n)."""
    moved = np.zeros((len(weights), len(values)))
    total = weights.sum(axis=1)
    for column, known in _columns(values):
        present = _of(weights, known)
        here = present.sum(axis=1)
        scale = np.divide(total, here, out=np.zeros(len(here)), where=here > 0)
        share = np.nan_to_num(influences(column[known], present, statistic))
        moved[:, known] += share * scale[:, None] / values.shape[1]
    return moved


def spread(moved: Floats, weights: Floats) -> Floats:
    """Standard error of a statistic from the influences of its seeds, once for each weighting, shape (k,)."""
    total = weights.sum(axis=1)
    return np.asarray(np.sqrt((weights * moved**2).sum(axis=1) / (total * (total - 1))), dtype=np.float64)


def chunks(rows: int, columns: int) -> Iterator[slice]:
    """Stretches of the rows of a large table that fit into memory together."""
    step = max(1, CELLS // max(1, columns))
    return (slice(start, start + step) for start in range(0, rows, step))


def _columns(values: Floats) -> Iterator[tuple[Floats, npt.NDArray[np.bool_]]]:
    for column in values.T:
        yield column, np.isfinite(column)


def _of(weights: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Weights of the seeds that a combination knows; copied only where some are missing."""
    return weights if known.all() else weights[:, known]
