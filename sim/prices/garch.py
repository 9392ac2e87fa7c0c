"""GARCH(1,1) with Student-t shocks of several markets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices.grid import YEAR, by_market, cut, sampled, step_totals
from sim.prices.settings import Garch
from sim.prices.shocks import interval_noise, mixing
from sim.streams import stream

Floats = NDArray[np.float64]


def garch_prices(settings: Garch, clock: ClockSettings, markets: Sequence[str], seed: int) -> Floats:
    """Prices whose returns over a step follow GARCH(1,1) with multivariate Student-t shocks.

    Variance is measured by its long-run value, at which it begins: `h' = (1−α−β) + (α·ε² + β)·h` with ε the
    shock of variance 1. The markets' shocks share one mixing variable, which is a t copula with t margins.
    Blocks shorter than a step share its variance and are Brownian in it; longer ones add steps up.

    Parameters
    ----------
    settings : Garch
    clock : ClockSettings
    markets : sequence of str, length m
    seed : int

    Returns
    -------
    (blocks + 1, m) ndarray
        Price [USD per base unit].

    References
    ----------
    .. [1] T. Bollerslev, "A conditionally heteroskedastic time series model for speculative prices and
       rates of return", Review of Economics and Statistics 69 (1987).
    """
    grid = cut(clock, settings.step)
    noise = interval_noise(grid, len(markets), settings.correlation, stream(seed, "prices", "garch", "noise"))
    size = mixing(settings.degrees, grid.steps, stream(seed, "prices", "garch", "size"))
    shocks = step_totals(grid, noise) * size[:, None]
    alpha, beta = by_market(settings.alpha, markets), by_market(settings.beta, markets)
    columns = [variances(shocks[:, index], alpha[index], beta[index]) for index in range(len(markets))]
    scale = np.sqrt(np.column_stack(columns) * grid.length / YEAR) * size[:, None]
    noise *= by_market(settings.volatility, markets) * scale[grid.step]
    noise += by_market(settings.drift, markets) * grid.seconds[:, None] / YEAR
    return sampled(grid, settings.start, markets, noise)


def variances(shocks: Floats, alpha: float, beta: float) -> Floats:
    """Variance of each step over its long-run value, (n,), given shocks of variance 1, (n,)."""
    factor = (alpha * shocks**2 + beta).tolist()
    base, variance = 1.0 - alpha - beta, 1.0
    found = np.empty(len(factor))
    for step, each in enumerate(factor):
        found[step] = variance
        variance = base + each * variance
    return found
