"""What generators of prices draw: correlated normal noise, mixing of its size, mean-reverting levels."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from agents.models.fading import fading_sum
from sim.prices.grid import Grid, correlated

Floats = NDArray[np.float64]

LOGITS = np.linspace(-40.0, 36.0, 4001)


def interval_noise(grid: Grid, count: int, correlation: float, generator: np.random.Generator) -> Floats:
    """Correlated Brownian increments by interval, (k, count): variance 1 over a whole step."""
    draws = generator.standard_normal((len(grid.seconds), count))
    share = np.sqrt(grid.seconds / grid.length)[:, None]
    return share * correlated(draws, correlation)


def mixing(degrees: float, count: int, generator: np.random.Generator) -> Floats:
    """Factors that turn normal into Student-t shocks of variance 1, shape (count,).

    Shocks that share a factor are jointly extreme: this is what makes tails of several markets depend on
    each other. Each factor comes from one uniform number, so that a path moves smoothly with `degrees`.

    References
    ----------
    .. [1] S. Demarta and A. McNeil, "The t copula and related copulas", International Statistical Review
       73 (2005), section 2.
    """
    level = special.logit(generator.random(count))
    log_gamma = np.interp(level, LOGITS, _log_gamma_quantiles(degrees / 2))
    factor: Floats = np.sqrt((degrees - 2) / 2) * np.exp(-0.5 * log_gamma)
    return factor


@lru_cache(maxsize=64)
def _log_gamma_quantiles(shape: float) -> Floats:
    """Logarithm of the gamma law's quantiles at the probabilities whose log odds are `LOGITS`."""
    quantile = special.gammaincinv(shape, special.expit(LOGITS))
    found: Floats = np.log(np.maximum(quantile, 1e-300))
    return found


def mean_mixing(degrees: float) -> float:
    """Mean of `mixing`; its mean square is 1."""
    ratio = special.gammaln((degrees - 1) / 2) - special.gammaln(degrees / 2)
    return float(np.sqrt((degrees - 2) / 2) * np.exp(ratio))


def tilted(noise: Floats, grid: Grid, size: Floats, skew: float, mean: float) -> Floats:
    """Shocks by interval, (k, m), of variance 1 over a step: W·(Z + skew) less its mean.

    Parameters
    ----------
    noise : (k, m) ndarray
        Brownian increments Z of variance 1 over a step.
    grid : Grid
    size : (n,) ndarray
        Mixing variable W of each step.
    skew : float
        Below 0 large shocks point down, in all markets at once [1].
    mean : float
        Of W.

    References
    ----------
    .. [1] K. Aas and I. H. Haff, "The generalized hyperbolic skew Student's t-distribution", Journal of
       Financial Econometrics 4 (2006): a cousin, tilted by W² where this is by W.
    """
    share = grid.seconds / grid.length
    tilt = skew * (size - mean)[grid.step] * share
    scale = 1 / np.sqrt(1 + skew**2 * (1 - mean**2))
    shocks: Floats = scale * (noise * size[grid.step, None] + tilt[:, None])
    return shocks


def reverting(innovations: Floats, keep: float) -> Floats:
    """Level that keeps a part of itself and adds an innovation at every step, along the first axis.

    Parameters
    ----------
    innovations : (n,) or (n, m) ndarray
        Of unit variance; the first is the level at the start.
    keep : float
        Autocorrelation from one step to the next [1].

    Returns
    -------
    ndarray
        Stationary, of unit variance.
    """
    scaled = innovations * np.sqrt(1 - keep**2)
    scaled[0] = innovations[0]
    return fading_sum(scaled, keep)


def half_life_keep(seconds: float, half_life: float) -> float:
    """Part that is left after `seconds` of what halves every `half_life` [s]."""
    return float(0.5 ** (seconds / half_life))
