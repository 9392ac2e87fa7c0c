"""Observations as kernels read them: zero where missing, with the pattern of what is missing and the gaps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from protocol.book import Floats, Ints, Mask

MOST_SERIES = 4


class Observations(NamedTuple):
    """A sample of D series at T times.

    Attributes
    ----------
    values : (T, D) float64
        [any unit]; 0 where missing.
    pattern : (T,) int64
        Row of `observed` that tells which series are there.
    observed : (P, D) bool
        The patterns that occur.
    step : (T,) int64
        Place in `gaps` of the time since the observation before; the first has none and says 0.
    gaps : (G,) float64
        The lengths that occur [steps]; the first is 1.
    centre : (D,) float64
        Mean of each series.
    features : (T, 1 + D + D(D+1)/2) float64
        1, deviations from the centre, their squares and other products; 0 where one is missing.
    """

    values: Floats
    pattern: Ints
    observed: Mask
    step: Ints
    gaps: Floats
    centre: Floats
    features: Floats

    @property
    def size(self) -> int:
        """How many times hold an observation of at least one series."""
        return int(np.any(self.observed, axis=1)[self.pattern].sum())


def read_observations(
    values: ArrayLike, gaps: ArrayLike | None = None, centre: Floats | None = None
) -> Observations:
    """Check a sample and prepare it.

    Parameters
    ----------
    values : (T,) or (T, D) array_like
        NaN where missing, one series or all of a time.
    gaps : (T,) array_like, optional
        Time since the observation before [steps], positive; the first is ignored. Default: 1. An observation
        speaks of the state at its own time, whatever the gap: a return over a longer time must be scaled.

    centre : (D,) ndarray, optional
        From which features deviate; default: the mean of each series.

    Raises
    ------
    ValueError
        If there is no observation, more than four series, an infinite value or a gap that is not positive.
    """
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[:, None] if sample.ndim == 1 else sample
    if sample.ndim != 2 or not 1 <= sample.shape[1] <= MOST_SERIES:
        rule = f"observations must have the shape (T,) or (T, D) with D from 1 to {MOST_SERIES}"
        raise ValueError(f"{rule}, got {np.shape(values)}")
    if len(sample) == 0:
        raise ValueError("observations must not be empty")
    if np.isinf(sample).any():
        raise ValueError(f"observations must not be infinite, as at row {_first(np.isinf(sample))}")
    there = ~np.isnan(sample)
    observed, pattern = np.unique(there, axis=0, return_inverse=True)
    step, lengths = _steps(len(sample), gaps)
    known = np.where(there, sample, 0.0)
    if centre is None:
        centre = known.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    features = _features(np.where(there, sample - centre, 0.0))
    return Observations(known, pattern.ravel().astype(np.int64), observed, step, lengths, centre, features)


def product_places(series: int) -> tuple[Ints, Ints]:
    """Rows and columns of the products among the features: squares first."""
    every, (rows, columns) = np.arange(series), np.tril_indices(series, -1)
    return np.append(every, rows), np.append(every, columns)


def _features(away: Floats) -> Floats:
    """What moments are made of: 1, deviations and their products."""
    rows, columns = product_places(away.shape[1])
    return np.hstack([np.ones((len(away), 1)), away, away[:, rows] * away[:, columns]])


def _steps(count: int, gaps: ArrayLike | None) -> tuple[Ints, Floats]:
    if gaps is None:
        return np.zeros(count, np.int64), np.ones(1)
    lengths = np.array(gaps, dtype=np.float64)
    if lengths.shape != (count,):
        raise ValueError(f"gaps must have the shape ({count},), got {lengths.shape}")
    lengths[0] = 1.0
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        row = _first(~(np.isfinite(lengths) & (lengths > 0))[:, None])
        raise ValueError(f"gaps must be positive and finite, got {lengths[row]} at row {row}")
    others = np.unique(lengths[lengths != 1])
    kinds = np.append(1.0, others)
    return np.where(lengths == 1, 0, 1 + np.searchsorted(others, lengths)).astype(np.int64), kinds


def _first(marked: Mask) -> int:
    return int(np.argmax(marked.any(axis=1)))
