"""Two policies under one statistic: estimates, difference, p-value, and what pairing was worth."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.comparisons.intervals import (
    Drawing,
    Estimate,
    equal_tailed_t,
    normal,
    of_probabilities,
    of_probability,
    of_quantile,
    percentile,
    symmetric_t,
)
from analysis.comparisons.paired import Pairs, bootstrap_weights
from analysis.comparisons.replicates import PairReplicates, Replicates, replicated
from analysis.comparisons.statistic import Statistic
from analysis.comparisons.swaps import swap_p, swapped_differences
from analysis.comparisons.weighted import Floats, scored


@dataclass(frozen=True)
class Difference:
    """Two policies under one statistic.

    Attributes
    ----------
    baseline, alternative : Estimate
    absolute : Estimate
        The alternative's less the baseline's.
    relative : Estimate
        That over the size of the baseline's [1]; infinite where only the baseline's is zero.
    p : float
        Chance of a difference at least as large if the policies' names meant nothing.
    pairing : float
        How many times wider the interval would be had the policies met different worlds.
    moved : int
        Number of seeds in which the policies differ in what the statistic averages.
    """

    baseline: Estimate
    alternative: Estimate
    absolute: Estimate
    relative: Estimate
    p: float
    pairing: float
    moved: int


def difference(pairs: Pairs, statistic: Statistic, drawing: Drawing) -> Difference:
    """Compare two policies over the seeds that both have met.

    Parameters
    ----------
    pairs : Pairs
    statistic : Statistic
        With its tail settled.
    drawing : Drawing

    Returns
    -------
    Difference
        Zero lies in the interval of the difference exactly where p is not below the drawing's `alpha`.
        Policies that did the same in every run differ by [0, 0].

    Raises
    ------
    ValueError
        With fewer than two seeds.
    """
    if pairs.seeds < 2:
        raise ValueError(f"at least 2 seeds with a run of both policies are needed, got {pairs.seeds}")
    observed = replicated(pairs, np.ones((1, pairs.seeds)), statistic)
    weights = bootstrap_weights(drawing.seed, drawing.resamples, pairs.seeds)
    drawn = replicated(pairs, weights, statistic)
    absolute, relative, p = _changes(pairs, statistic, observed, drawn, drawing)
    return Difference(
        baseline=_alone(pairs.baseline, observed.baseline, drawn.baseline, statistic, drawing),
        alternative=_alone(pairs.alternative, observed.alternative, drawn.alternative, statistic, drawing),
        absolute=absolute,
        relative=relative,
        p=p,
        pairing=_pairing(drawn),
        moved=_moved(pairs, statistic),
    )


def _changes(
    pairs: Pairs, statistic: Statistic, observed: PairReplicates, drawn: PairReplicates, drawing: Drawing
) -> tuple[Estimate, Estimate, float]:
    """Absolute and relative change with the p-value."""
    if pairs.equal:
        return Estimate(0.0, 0.0, 0.0), Estimate(0.0, 0.0, 0.0), 1.0
    sizes = swapped_differences(pairs, statistic, drawing.seed, drawing.swaps)
    p = swap_p(float(observed.absolute.values[0]), sizes)
    rejected = p < drawing.alpha
    absolute = _absolute(pairs, statistic, observed, drawn, drawing).settled(rejected)
    if observed.baseline.values[0] == 0:
        value = math.nan if absolute.value else 0.0
        return absolute, Estimate(value, value, value), p
    return absolute, _relative(statistic, observed, drawn, drawing).settled(rejected), p


def _absolute(
    pairs: Pairs, statistic: Statistic, observed: PairReplicates, drawn: PairReplicates, drawing: Drawing
) -> Estimate:
    match statistic.kind:
        case "probability":
            gaps = _scores(pairs.alternative, statistic) - _scores(pairs.baseline, statistic)
            return of_probabilities(gaps, drawing)
        case "quantile":
            return normal(observed.absolute, drawn.absolute, drawing)
    return symmetric_t(observed.absolute, drawn.absolute, drawing)


def _relative(
    statistic: Statistic, observed: PairReplicates, drawn: PairReplicates, drawing: Drawing
) -> Estimate:
    kind = symmetric_t if statistic.kind in ("mean", "shortfall") else percentile
    return kind(observed.relative, drawn.relative, drawing)


def _alone(
    values: Floats, observed: Replicates, drawn: Replicates, statistic: Statistic, drawing: Drawing
) -> Estimate:
    if statistic.kind == "probability":
        return of_probability(_scores(values, statistic), drawing)
    least = 0.0 if np.nanmin(values) >= 0 else -math.inf
    most = 0.0 if np.nanmax(values) <= 0 else math.inf
    if statistic.kind == "quantile":
        return of_quantile(observed, drawn, statistic, drawing).within(least, most)
    return equal_tailed_t(observed, drawn, drawing).within(least, most)


def _scores(values: Floats, statistic: Statistic) -> Floats:
    """What a mean or a probability averages, by seed, shape (n,)."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, scored(values, statistic), 0.0).sum(axis=1) / known.sum(axis=1))


def _pairing(drawn: PairReplicates) -> float:
    """Spread of a difference between strangers over that between pairs; infinite where pairs never differ."""
    apart = math.hypot(float(drawn.baseline.values.std()), float(drawn.alternative.values.std()))
    together = float(drawn.absolute.values.std())
    if together > 0:
        return apart / together
    return math.inf if apart > 0 else 1.0


def _moved(pairs: Pairs, statistic: Statistic) -> int:
    tables = pairs.baseline, pairs.alternative
    if statistic.kind == "probability":
        first, second = (scored(table, statistic) for table in tables)
        return int((first != second).any(axis=1).sum())
    return int((np.nan_to_num(tables[0]) != np.nan_to_num(tables[1])).any(axis=1).sum())
