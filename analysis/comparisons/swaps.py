"""The swap test: how large a difference would be if the names of two policies meant nothing."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analysis.comparisons.paired import Pairs, averaged, chunks
from analysis.comparisons.statistic import Statistic
from analysis.comparisons.weighted import Floats, scored
from sim.streams import stream

SWAPS = 10_000
SLACK = 1e-12


def swapped_differences(pairs: Pairs, statistic: Statistic, seed: int = 0, swaps: int = SWAPS) -> Floats:
    """Sizes of the difference after the policies trade names in a random half of the seeds.

    Parameters
    ----------
    pairs : Pairs
    statistic : Statistic
    seed : int
        Of the swaps; the same for every metric and statistic.
    swaps : int
        How many times the names are dealt out anew.

    Returns
    -------
    (swaps,) ndarray
        Not negative. All points of a seed swap together.
    """
    swapped = swapped_seeds(seed, swaps, pairs.seeds)
    if statistic.kind in ("mean", "probability"):
        return np.abs(np.where(swapped, -1.0, 1.0) @ _gaps(pairs, statistic))
    both = np.vstack([pairs.baseline, pairs.alternative])
    drawn = np.empty(swaps)
    for rows in chunks(swaps, 2 * pairs.seeds):
        weights = np.hstack([swapped[rows], ~swapped[rows]]).astype(np.float64)
        drawn[rows] = averaged(both, weights, statistic) - averaged(both, 1 - weights, statistic)
    return np.abs(drawn)


def _gaps(pairs: Pairs, statistic: Statistic) -> Floats:
    """What each seed adds to the difference of two means or probabilities, shape (n,)."""
    known = np.isfinite(pairs.baseline)
    gaps = scored(pairs.alternative, statistic) - scored(pairs.baseline, statistic)
    return np.asarray((np.where(known, gaps, 0.0) / known.sum(axis=0)).sum(axis=1) / known.shape[1])


@lru_cache(maxsize=4)
def swapped_seeds(seed: int, swaps: int, seeds: int) -> npt.NDArray[np.bool_]:
    """In which seeds the two policies trade names, shape (swaps, seeds)."""
    swapped: npt.NDArray[np.bool_] = stream(seed, "swap", seeds).random((swaps, seeds)) < 0.5
    swapped.setflags(write=False)
    return swapped


def swap_p(difference: float, drawn: Floats) -> float:
    """Chance of a difference at least as large if the names meant nothing.

    Parameters
    ----------
    difference : float
        As observed.
    drawn : (k,) ndarray
        Sizes of the differences after swaps.

    Returns
    -------
    float
        The mid-p value: swaps that give exactly the observed size count half [1]_.

    References
    ----------
    .. [1] Fagerland, Lydersen and Laake (2013), "The McNemar test for binary matched-pairs data: mid-p and
       asymptotic are better than exact conditional", BMC Medical Research Methodology 13:91.
    """
    size, slack = abs(difference), SLACK * max(abs(difference), float(drawn.max()))
    if size <= slack:
        return 1.0
    larger = int((drawn > size + slack).sum())
    equal = int((drawn >= size - slack).sum()) - larger
    return (larger + (equal + 1) / 2) / (len(drawn) + 1)
