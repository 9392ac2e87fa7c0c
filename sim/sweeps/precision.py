"""When a sweep has enough seeds: the half-width of a mean's interval at every point."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GROWTH = 2.0


def half_width(values: NDArray[np.float64], level: float) -> float:
    """Half the width of Student's interval of a mean.

    Parameters
    ----------
    values : (n,) ndarray
        One value per seed; NaN is left out.
    level : float
        Confidence of the interval, as in 0.95.

    Returns
    -------
    float
        In the unit of the values; infinite for fewer than two of them.
    """
    from scipy import stats

    known = values[np.isfinite(values)]
    if len(known) < 2:
        return math.inf
    quantile = float(stats.t.ppf(0.5 + level / 2, len(known) - 1))
    return quantile * float(known.std(ddof=1)) / math.sqrt(len(known))


def seeds_wanted(widths: Sequence[float], seeds: int, until: float, most: int) -> int:
    """Number of seeds for the next round: as many as the widest interval asks for, at most twice as many.

    Parameters
    ----------
    widths : sequence of float
        Half-width at each point, from `seeds` seeds.
    seeds : int
        Seeds so far.
    until : float
        Half-width to be reached at every point.
    most : int
        Largest number of seeds.

    Returns
    -------
    int
        `seeds` itself when that is enough, or all that is allowed.
    """
    widest = max(widths, default=0.0)
    if widest <= until:
        return seeds
    asked = seeds * min(GROWTH, (widest / until) ** 2) if math.isfinite(widest) else seeds * GROWTH
    return max(seeds, min(most, max(seeds + 1, math.ceil(asked))))
