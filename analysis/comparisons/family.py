"""Many comparisons at once: how to keep false alarms rare over the whole family of them."""

import numpy as np
import numpy.typing as npt

from analysis.comparisons.weighted import Floats


def holm(p: Floats, tested: npt.NDArray[np.bool_]) -> Floats:
    """P-values adjusted so that the chance of any false alarm in the family stays below the level [1]_.

    Parameters
    ----------
    p : (n,) ndarray
    tested : (n,) ndarray of bool
        Which comparisons can be rejected at all. Policies that did the same in every run cannot, and do not
        count [2]_.

    Returns
    -------
    (n,) ndarray
        Not smaller than `p`.

    References
    ----------
    .. [1] Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
       Statistics 6:65.
    .. [2] Tarone (1990), "A modified Bonferroni method for discrete data", Biometrics 46:515.
    """
    adjusted = np.array(p, dtype=np.float64)
    order = np.flatnonzero(tested)[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted
