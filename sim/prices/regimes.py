"""Markov-switching volatility, times activity that comes and goes, times Student-t shocks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.models.fading import fading_sum
from sim.configuration import ClockSettings
from sim.prices.grid import YEAR, Grid, by_market, correlated, cut, sampled, step_totals
from sim.prices.settings import Regimes, Reversal
from sim.prices.shocks import (
    half_life_keep,
    interval_noise,
    mean_mixing,
    mixing,
    reverting,
    tilted,
)
from sim.streams import stream

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]


def regime_prices(
    settings: Regimes, clock: ClockSettings, markets: Sequence[str], seed: int
) -> tuple[Floats, Labels]:
    """Prices whose volatility switches between regimes.

    In a step of length τ the log return of market i is `σ(s,i)·√τ·A·W·Z`, with s the regime at the step's
    start, A the product of the activity factors (mean square 1), W the size of the shock that all markets
    share, and Z normal and correlated; `skew` tilts Z where W is large. Within a step prices are Brownian.

    Parameters
    ----------
    settings : Regimes
    clock : ClockSettings
    markets : sequence of str, length m
    seed : int

    Returns
    -------
    (blocks + 1, m) ndarray of float64
        Price [USD per base unit].
    (blocks + 1,) ndarray of int8
        Regime that held until the end of each block, as an index of `settings.regimes`.

    References
    ----------
    .. [1] J. D. Hamilton, "A new approach to the economic analysis of nonstationary time series and the
       business cycle", Econometrica 57 (1989).
    .. [2] P. K. Clark, "A subordinated stochastic process model with finite variance for speculative
       prices", Econometrica 41 (1973).
    """
    grid = cut(clock, settings.step)
    label = regime_labels(settings, grid.steps, seed)
    inside = label[grid.step]
    noise = _noise(settings, grid, inside, len(markets), seed)
    activity = _activity(settings, step_totals(grid, noise).mean(axis=1), seed)
    size = mixing(settings.degrees, grid.steps, stream(seed, "prices", "regimes", "size"))
    noise = tilted(noise, grid, size, settings.skew, mean_mixing(settings.degrees))
    volatility = np.array([by_market(regime.volatility, markets) for regime in settings.regimes])
    drift = np.array([by_market(regime.drift, markets) for regime in settings.regimes])
    noise *= volatility[inside] * (activity * np.sqrt(grid.length / YEAR))[grid.step, None]
    noise += drift[inside] * grid.seconds[:, None] / YEAR
    increments = reversed_in_part(noise, grid, settings.reversal)
    ended = inside[np.maximum(grid.ends - 1, 0)]
    return sampled(grid, settings.start, markets, increments), ended


def regime_labels(settings: Regimes, steps: int, seed: int) -> Labels:
    """Regime at the start of each step, (steps,): exponential stays, then the next by its odds."""
    chance = stream(seed, "prices", "regimes", "switches")
    odds, stay = transition_odds(settings), np.array([float(each.duration) for each in settings.regimes])
    names = [each.name for each in settings.regimes]
    draw = chance.random()
    now = names.index(settings.initial) if settings.initial else _drawn(long_run(odds, stay), draw)
    label = np.full(steps, now, np.int8)
    moment, span = 0.0, float(steps * settings.step)
    while len(names) > 1:
        moment += chance.exponential(stay[now])
        now = _drawn(odds[now], chance.random())
        if moment >= span:
            break
        label[int(np.ceil(moment / settings.step)) :] = now
    return label


def transition_odds(settings: Regimes) -> Floats:
    """Probability of each next regime, (K, K), given that one ends; rows sum to 1."""
    names = [each.name for each in settings.regimes]
    odds = np.ones((len(names), len(names)))
    for row, regime in enumerate(settings.regimes):
        if regime.next:
            odds[row] = by_market(regime.next, names)
    if len(names) > 1:
        np.fill_diagonal(odds, 0.0)
    shares: Floats = odds / odds.sum(axis=1, keepdims=True)
    return shares


def long_run(odds: Floats, stay: Floats) -> Floats:
    """Share of time in each regime, (K,), from the odds of the next and mean stays."""
    visits = np.linalg.matrix_power(0.5 * (odds + np.eye(len(odds))), 2**20).mean(axis=0)
    time: Floats = visits * stay / (visits * stay).sum()
    return time


def _drawn(probability: Floats, draw: float) -> int:
    """Index at which the cumulated probability passes a uniform draw."""
    return min(int(np.searchsorted(np.cumsum(probability), draw, side="right")), len(probability) - 1)


def _noise(settings: Regimes, grid: Grid, inside: Labels, count: int, seed: int) -> Floats:
    """Brownian increments, (k, count), with the correlation of the regime in which they lie."""
    noise = interval_noise(grid, count, 0.0, stream(seed, "prices", "regimes", "noise"))
    for index, regime in enumerate(settings.regimes):
        rows = inside == index
        noise[rows] = correlated(noise[rows], regime.correlation)
    return noise


def _activity(settings: Regimes, shocks: Floats, seed: int) -> Floats:
    """Product of the activity factors by step, (n,): mean square 1; moves with the shocks before it."""
    shocks = shocks / max(float(shocks.std()), 1e-12)
    level = np.zeros(len(shocks))
    for index, factor in enumerate(settings.activity):
        innovations = stream(seed, "prices", "regimes", "activity", index).standard_normal(len(shocks))
        innovations *= np.sqrt(1 - factor.leverage**2)
        innovations[1:] += factor.leverage * shocks[:-1]
        keep = half_life_keep(settings.step, factor.half_life)
        level += factor.sigma * reverting(innovations, keep) - factor.sigma**2
    return np.exp(level)


def reversed_in_part(increments: Floats, grid: Grid, reversal: Reversal) -> Floats:
    """Log increments by interval, (k, m), of which a part fades away from the end of its step on."""
    if not reversal.share:
        return increments
    transient = reversal.share * step_totals(grid, increments)
    left = fading_sum(transient, half_life_keep(grid.length, reversal.half_life))
    before = np.concatenate([np.zeros((1, increments.shape[1])), left[:-1]])
    ended = np.cumsum(grid.seconds)
    since = ended - (ended - grid.seconds)[grid.first][grid.step]
    begun = since - grid.seconds
    faded = 0.5 ** (since / reversal.half_life) - 0.5 ** (begun / reversal.half_life)
    result: Floats = increments + before[grid.step] * faded[:, None]
    return result
