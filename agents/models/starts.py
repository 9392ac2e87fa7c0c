"""Deterministic starts for Baum–Welch: the sample cut into groups by size or by level."""

from itertools import product
from typing import Literal

import numpy as np

from agents.models.observations import Observations
from agents.models.parameters import Markov
from protocol.book import Floats, Ints

Cut = Literal["quantiles", "clusters", "tails"]
CUTS: tuple[Cut, ...] = ("quantiles", "clusters", "tails")
WINDOWS = (1, 5, 25)
STAY = {1: 0.9, 5: 0.95, 25: 0.99}
START_DEGREES = 8.0
NARROWEST, LEAST_USUAL = 1e-3, 1e-6
ROUNDS = 50


def starting_models(sample: Observations, states: int, student: bool, starts: int) -> list[Markov]:
    """Models to climb from, always the same for a sample.

    Groups of observations are cut from their size (distance from the median in units of the usual one) or
    from their level (sum of the series in such units), smoothed over 1, 5 or 25 neighbours so that groups
    last; by equal counts, by clusters of the logarithm, or with each group half as large as the one below.

    Raises
    ------
    ValueError
        If `starts` is not positive.
    """
    if starts < 1:
        raise ValueError(f"starts >= 1 must hold, got {starts}")
    values = np.where(sample.observed[sample.pattern], sample.values, np.nan)
    scores = _scores(values)
    plans = list(product(CUTS, WINDOWS, range(len(scores))))[: 1 if states == 1 else starts]
    return [
        _model(values, _groups(_smooth(scores[score], window), states, cut), states, STAY[window], student)
        for cut, window, score in plans
    ]


def _scores(values: Floats) -> tuple[Floats, Floats]:
    """Size and level of each time, (T,); NaN where nothing was observed."""
    away = values - np.nanmedian(values, axis=0)
    usual = np.nanmedian(np.abs(away), axis=0)
    spread = np.nanstd(values, axis=0)
    away = away / np.where(usual > LEAST_USUAL * spread, usual, spread)
    seen = (~np.isnan(away)).sum(axis=1)
    seen = np.where(seen > 0, seen, np.nan)
    return np.log(np.sqrt(np.nansum(away**2, axis=1) / seen) + 0.05), np.nansum(away, axis=1) / seen


def _smooth(score: Floats, window: int) -> Floats:
    """Mean over neighbours that are there."""
    ones, there = np.ones(window), ~np.isnan(score)
    count = np.convolve(there, ones, "same")[: len(score)]
    total = np.convolve(np.where(there, score, 0.0), ones, "same")[: len(score)]
    return np.where(there, total / np.maximum(count, 1), np.nan)


def _groups(score: Floats, states: int, cut: Cut) -> Ints:
    """Number of the group of each time, the lowest scores first; −1 where nothing was observed."""
    known = score[~np.isnan(score)]
    rank = np.arange(1, states)
    shares = 1 - 0.5**rank if cut == "tails" else rank / states
    edges = _cluster_edges(known, states) if cut == "clusters" else np.quantile(known, shares)
    return np.where(np.isnan(score), -1, np.searchsorted(edges, np.nan_to_num(score), side="right"))


def _cluster_edges(known: Floats, states: int) -> Floats:
    """Middles between the centres that Lloyd's iteration finds on a line."""
    centres = np.quantile(known, (np.arange(states) + 0.5) / states)
    for _ in range(ROUNDS):
        label = np.searchsorted((centres[1:] + centres[:-1]) / 2, known)
        count = np.bincount(label, minlength=states)
        total = np.bincount(label, weights=known, minlength=states)
        centres = np.sort(np.where(count > 0, total / np.maximum(count, 1), centres))
    middles: Floats = (centres[1:] + centres[:-1]) / 2
    return middles


def _model(values: Floats, group: Ints, states: int, stay: float, student: bool) -> Markov:
    mean = np.tile(np.nanmean(values, axis=0), (states, 1))
    variance = np.tile(np.nanvar(values, axis=0), (states, 1))
    for k, i in product(range(states), range(values.shape[1])):
        column = values[group == k, i]
        column = column[~np.isnan(column)]
        if len(column) > 1:
            mean[k, i] = column.mean()
            variance[k, i] = max(column.var(), NARROWEST * variance[k, i])
    away = (1 - stay) / max(states - 1, 1)
    transition = np.full((states, states), away) + (stay - away) * np.eye(states)
    transition /= transition.sum(axis=1, keepdims=True)
    scale = variance[:, :, None] * np.eye(values.shape[1])
    degrees = np.full(states, START_DEGREES if student else np.inf)
    return Markov(np.full(states, 1 / states), transition, mean, scale, degrees)
