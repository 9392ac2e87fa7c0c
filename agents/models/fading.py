"""Sums of which a part fades with every step."""

import numpy as np

from protocol.book import Floats
from protocol.kernels import kernel


def fading_sum(additions: Floats, keep: float) -> Floats:
    """Sum of additions of which a part, `keep`, is left after every step; along the first axis.

    Parameters
    ----------
    additions : (n,) or (n, m) ndarray
    keep : float

    Returns
    -------
    ndarray
        Of the same shape, xₜ + keep·yₜ₋₁; the bits are those of `scipy.signal.lfilter([1], [1, -keep], x)`,
        whose import takes as long as all other imports of scipy.
    """
    columns = np.array(additions, dtype=np.float64, order="C").reshape(len(additions), -1)
    _fade(columns, keep)
    return columns.reshape(additions.shape)


@kernel
def _fade(level: Floats, keep: float) -> None:
    """Add to every row the part of the row before that is left."""
    for step in range(1, level.shape[0]):
        for column in range(level.shape[1]):
            level[step, column] += keep * level[step - 1, column]
