"""Heston's model: square-root variance that is correlated with the price."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.grid import YEAR, by_market, cut, sampled
from sim.prices.settings import Heston
from sim.prices.shocks import interval_noise
from sim.streams import stream

Floats = NDArray[np.float64]


def heston_prices(settings: Heston, clock: ClockSettings, markets: Sequence[str], seed: int) -> Floats:
    """Prices with square-root variance, by Euler's scheme with full truncation.

    Each market's variance V is measured by its long-run value: `dV = κ(1−V)dt + ξ√V dB`, with κ from the
    half-life and ξ from the variation in the long run, ξ² = 2κ·variation². It begins in its long-run law, a
    gamma distribution.

    Parameters
    ----------
    settings : Heston
    clock : ClockSettings
    markets : sequence of str, length m
    seed : int

    Returns
    -------
    (blocks + 1, m) ndarray
        Price [USD per base unit].

    References
    ----------
    .. [1] S. L. Heston, "A closed-form solution for options with stochastic volatility", Review of Financial
       Studies 6 (1993).
    .. [2] R. Lord, R. Koekkoek and D. van Dijk, "A comparison of biased simulation schemes for stochastic
       volatility models", Quantitative Finance 10 (2010): full truncation.
    """
    grid, count = cut(clock, settings.step), len(markets)
    noise = interval_noise(grid, count, settings.correlation, stream(seed, "prices", "heston", "noise"))
    moved = interval_noise(grid, count, settings.correlation, stream(seed, "prices", "heston", "variance"))
    moved = settings.leverage * noise + np.sqrt(1 - settings.leverage**2) * moved
    begun = _first_variances(settings, count, seed)
    columns = [_variances(settings, grid.seconds, moved[:, i], begun[i]) for i in range(count)]
    scale = np.sqrt(np.column_stack(columns) * grid.length / YEAR)
    increments = by_market(settings.volatility, markets) * scale * noise
    increments += by_market(settings.drift, markets) * grid.seconds[:, None] / YEAR
    return sampled(grid, settings.start, markets, increments)


def _first_variances(settings: Heston, count: int, seed: int) -> Floats:
    if not settings.variation:
        return np.ones(count)
    shape = settings.variation**-2
    return stream(seed, "prices", "heston", "start").standard_gamma(shape, count) / shape


def _variances(settings: Heston, seconds: Floats, noise: Floats, variance: float) -> Floats:
    """Truncated variance in each interval over its long-run value, (k,).

    `noise` has variance 1 over a step; `variance` is the value at the start.
    """
    pull = np.log(2) / settings.half_life
    push = (settings.variation * np.sqrt(2 * pull * settings.step) * noise).tolist()
    pulls = (pull * seconds).tolist()
    found = np.empty(len(push))
    for index, (kick, back) in enumerate(zip(push, pulls, strict=True)):
        kept = variance if variance > 0.0 else 0.0
        found[index] = kept
        variance += back * (1.0 - kept) + kick * kept**0.5
    return found
