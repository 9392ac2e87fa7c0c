"""Cascades of a run as a table: failures close to each other, what they cost and how they ended."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from analysis.cascades import Anatomy, anatomy
from analysis.tables import Run
from sim.streams import stream

Floats = NDArray[np.float64]

GAP = 600.0
FEWEST = 50
DRAWS = 200


def waves(run: Run, gap: float = GAP, found: Anatomy | None = None) -> pd.DataFrame:
    """Cascades of a run: failures none of which comes more than `gap` after the one before.

    Parameters
    ----------
    run : Run
    gap : float
        Longest quiet time within a cascade [s]; by default the half-life of impact.
    found : Anatomy, optional
        That of the run; worked out if not given.

    Returns
    -------
    DataFrame
        One row for each: `begin`, `end`, `failures`, `liquidated_usd`, `bad_debt_usd`; `endogenous`, the
        share of volume that liquidations caused; `first_generation`, volume of generation 1 over that of 0;
        `largest_reproduction`, the largest such ratio of all generations; `deepest`, the last generation
        with a hundredth of volume; `first_deleverage` after its begin [s], NaN without one; `truncated`,
        blocks that ended with accounts still to be liquidated.
    """
    found = found or anatomy(run)
    return pd.DataFrame([_wave(run, found, rows, gap) for rows in _groups(found, gap)])


def wave_sizes(found: Anatomy, gap: float = GAP) -> Floats:
    """What was liquidated in each cascade, (c,) [USD]."""
    volume = found.failures["liquidated_usd"].to_numpy(dtype=float)
    return np.array([volume[rows].sum() for rows in _groups(found, gap)])


def _groups(found: Anatomy, gap: float) -> list[NDArray[np.int64]]:
    """Failures of each cascade, in the order of time."""
    if not len(found.failures):
        return []
    pause = found.failures["time"].diff().dt.total_seconds()
    return np.split(np.arange(len(pause)), np.flatnonzero(pause > gap))


def _wave(run: Run, found: Anatomy, rows: NDArray[np.int64], gap: float) -> dict[str, object]:
    mine = found.failures.iloc[rows]
    begin, end = mine["time"].iloc[0], mine["time"].iloc[-1]
    volume = mine["liquidated_usd"].to_numpy() @ found.generations[rows]
    total = volume.sum()
    ratios = reproduction(volume)
    until = end + pd.Timedelta(seconds=gap)
    deleverages = run.deleverages["time"]
    deleverages = deleverages[(deleverages >= begin) & (deleverages <= until)]
    blocks = run.blocks[(run.blocks["time"] >= begin) & (run.blocks["time"] <= end)]
    paid = run.waterfall[(run.waterfall["time"] >= begin) & (run.waterfall["time"] <= until)]
    deep = np.flatnonzero(volume > 0.01 * total)
    return {
        "begin": begin,
        "end": end,
        "failures": len(rows),
        "liquidated_usd": float(total),
        "bad_debt_usd": float(paid["amount_usd"].sum()),
        "endogenous": float(1 - volume[0] / total) if total else np.nan,
        "first_generation": float(ratios[0]) if len(ratios) else np.nan,
        "largest_reproduction": float(np.nanmax(ratios)) if np.isfinite(ratios).any() else np.nan,
        "deepest": int(deep[-1]) if len(deep) else 0,
        "first_deleverage": (deleverages.min() - begin).total_seconds() if len(deleverages) else np.nan,
        "truncated": int(blocks["truncated"].sum()),
    }


def reproduction(volume: Floats) -> Floats:
    """Volume of each generation over that of the one before, (g − 1,) [1]; NaN after next to nothing."""
    found: Floats = np.full(max(len(volume) - 1, 0), np.nan)
    np.divide(volume[1:], volume[:-1], out=found, where=volume[:-1] > 0.001 * volume.sum())
    return found


@dataclass(frozen=True)
class TailFit:
    """A power law for the sizes of cascades above a threshold.

    Attributes
    ----------
    exponent, low, high : float
        Of the density, with its 95 % interval from resampling.
    threshold : float
        Least size that counts, in the unit of the sizes.
    count : int
        Sizes above it.
    distance : float
        Kolmogorov's, between sizes and law.
    against_lognormal : float
        Log likelihood ratio for each size, positive where the power law fits better than a lognormal cut at
        the threshold, over its standard error: beyond ±2 it says something.
    """

    exponent: float
    low: float
    high: float
    threshold: float
    count: int
    distance: float
    against_lognormal: float


def tail_fit(sizes: Floats, seed: int = 1) -> TailFit:
    """Fit a power law to the tail of sizes, the threshold where it fits best.

    Parameters
    ----------
    sizes : (n,) float64
        Positive.
    seed : int
        Of the resampling.

    Raises
    ------
    ValueError
        With fewer than 50 positive sizes, of which no tail can be told.

    References
    ----------
    .. [1] Clauset, Shalizi and Newman, "Power-law distributions in empirical data" (2009).
    """
    kept = np.sort(sizes[sizes > 0])
    if len(kept) < FEWEST:
        raise ValueError(f"sizes >= {FEWEST} positive ones must hold, got {len(kept)}")
    threshold, exponent, distance = _best(kept)
    tail = kept[kept >= threshold]
    draws = stream(seed, "tail fit")
    again = [_hill(draws.choice(tail, len(tail)), threshold) for _ in range(DRAWS)]
    low, high = np.quantile(again, [0.025, 0.975])
    return TailFit(
        exponent, float(low), float(high), threshold, len(tail), distance, _against(tail, threshold, exponent)
    )


def _best(sizes: Floats) -> tuple[float, float, float]:
    """Threshold, exponent and distance where the law fits best; at least ten sizes stay above it."""
    options = np.unique(sizes[: -FEWEST // 2])
    options = options[:: max(len(options) // 200, 1)]
    found = []
    for threshold in options.tolist():
        tail = sizes[sizes >= threshold]
        exponent = _hill(tail, threshold)
        law = 1 - (tail / threshold) ** (1 - exponent)
        steps = np.arange(len(tail) + 1) / len(tail)
        distance = float(max(np.abs(steps[1:] - law).max(), np.abs(steps[:-1] - law).max()))
        found.append((distance, threshold, exponent))
    distance, threshold, exponent = min(found)
    return threshold, exponent, distance


def _hill(tail: Floats, threshold: float) -> float:
    return float(1 + len(tail) / np.log(tail / threshold).sum())


def _against(tail: Floats, threshold: float, exponent: float) -> float:
    """Vuong's statistic of the power law against a lognormal cut at the same threshold."""
    logs, base = np.log(tail), np.log(threshold)

    def density(values: Floats) -> Floats:
        mean, spread = values[0], np.exp(values[1])
        z, cut = (logs - mean) / spread, (base - mean) / spread
        told: Floats = -0.5 * z**2 - np.log(spread) - 0.5 * np.log(2 * np.pi) - special.log_ndtr(-cut) - logs
        return told

    def cost(values: Floats) -> float:
        return float(-density(values).sum())

    start = np.array([logs.mean(), np.log(logs.std() + 1e-9)])
    best = optimize.minimize(cost, start, method="Nelder-Mead")
    power = np.log((exponent - 1) / threshold) - exponent * (logs - base)
    gap = power - density(best.x)
    return float(gap.mean() / max(gap.std(ddof=1) / np.sqrt(len(gap)), 1e-12))
