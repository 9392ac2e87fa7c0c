"""Merton's jump diffusion, with jumps that all markets share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.grid import YEAR, Grid, by_market, correlated, cut, sampled
from sim.prices.settings import Jumps, JumpSettings
from sim.prices.shocks import interval_noise
from sim.streams import stream

Floats = NDArray[np.float64]

DAY = 86_400


def jump_prices(settings: Jumps, clock: ClockSettings, markets: Sequence[str], seed: int) -> Floats:
    """Prices that move as a Brownian motion and jump at the times of Poisson processes.

    Parameters
    ----------
    settings : Jumps
        `common` jumps strike all markets at once, with correlated sizes; `own` ones each market alone.
    clock : ClockSettings
    markets : sequence of str, length m
    seed : int

    Returns
    -------
    (blocks + 1, m) ndarray
        Price [USD per base unit].

    References
    ----------
    .. [1] R. C. Merton, "Option pricing when underlying stock returns are discontinuous", Journal of
       Financial Economics 3 (1976).
    """
    grid, count = cut(clock, clock.block), len(markets)
    noise = interval_noise(grid, count, settings.correlation, stream(seed, "prices", "jumps", "noise"))
    increments = by_market(settings.volatility, markets) * np.sqrt(clock.block / YEAR) * noise
    increments += by_market(settings.drift, markets) * grid.seconds[:, None] / YEAR
    chance = stream(seed, "prices", "jumps", "common")
    moments = _moments(settings.common, clock, chance)
    draws = chance.standard_normal((len(moments), count))
    _strike(increments, grid, moments, _sizes(settings.common, draws, settings.common_correlation))
    for index, market in enumerate(markets):
        chance = stream(seed, "prices", "jumps", "own", market)
        moments = _moments(settings.own, clock, chance)
        sizes = _sizes(settings.own, chance.standard_normal((len(moments), 1)), 1.0)
        _strike(increments[:, index : index + 1], grid, moments, sizes)
    return sampled(grid, settings.start, markets, increments)


def _moments(settings: JumpSettings, clock: ClockSettings, chance: np.random.Generator) -> Floats:
    """Times of jumps [s since the start]."""
    count = chance.poisson(settings.rate * clock.duration / DAY)
    return chance.uniform(0.0, clock.duration, count)


def _sizes(settings: JumpSettings, draws: Floats, correlation: float) -> Floats:
    return settings.mean + settings.sigma * correlated(draws, correlation)


def _strike(increments: Floats, grid: Grid, moments: Floats, sizes: Floats) -> None:
    """Add jumps to the increments of the intervals in which they happen."""
    np.add.at(increments, (moments // grid.length).astype(np.int64), sizes)
