"""Time cut at the ends of blocks and at the steps of a model, so that no law depends on the block."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

YEAR = 365 * 86_400


class Grid(NamedTuple):
    """Intervals between neighbouring moments, each a block's end or the start of a step.

    Attributes
    ----------
    seconds : (k,) float64
        Length of each interval [s].
    step : (k,) int64
        The step in which it lies.
    first : (n,) int64
        First interval of each step.
    ends : (blocks + 1,) int64
        Number of intervals before the end of each block.
    length : int
        Length of a step [s]; the last one may be cut short by the end of the run.
    """

    seconds: Floats
    step: Indices
    first: Indices
    ends: Indices
    length: int

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.first)


def cut(clock: ClockSettings, length: int) -> Grid:
    """The run's span cut into steps of `length` [s] and at the ends of blocks."""
    blocks = clock.block * np.arange(clock.blocks + 1, dtype=np.int64)
    starts = np.arange(0, blocks[-1], length, dtype=np.int64)
    moments = np.sort(np.concatenate([blocks, starts]), kind="stable")
    moments = moments[np.append(True, np.diff(moments) > 0)]
    return Grid(
        seconds=np.diff(moments).astype(np.float64),
        step=moments[:-1] // length,
        first=np.searchsorted(moments, starts),
        ends=np.searchsorted(moments, blocks),
        length=length,
    )


def sampled(grid: Grid, start: Mapping[str, float], markets: Sequence[str], increments: Floats) -> Floats:
    """Prices at the ends of blocks, (blocks + 1, m) [USD], from log increments by interval, (k, m)."""
    level = np.concatenate([np.zeros((1, len(markets))), np.cumsum(increments, axis=0)])
    prices: Floats = by_market(start, markets) * np.exp(level[grid.ends])
    return prices


def step_totals(grid: Grid, values: Floats) -> Floats:
    """Sums over the intervals of each step, (n, m), of values by interval, (k, m)."""
    totals: Floats = np.add.reduceat(values, grid.first, axis=0)
    return totals


def correlation_root(count: int, correlation: float) -> Floats:
    """Root R of a correlation matrix with one value off its diagonal, R Rᵀ, shape (count, count)."""
    covariance = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def correlated(draws: Floats, correlation: float) -> Floats:
    """Rows of independent normal draws, (k, m), as rows of correlated ones."""
    found: Floats = np.einsum("kj,ij->ki", draws, correlation_root(draws.shape[1], correlation))
    return found


def by_market(table: Mapping[str, float], markets: Sequence[str]) -> Floats:
    """Values of a table in the order of the markets, (m,); 0 where it has none."""
    return np.array([table.get(market, 0.0) for market in markets])
