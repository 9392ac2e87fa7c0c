"""Risk against capital efficiency: which points of a sweep give up one without gaining the other.

A point is dominated by another one that is better on both axes, or better on one and equal in every single
run on the other. Whether it is better is settled over the seeds that both have met, by the swap test of
comparisons, whose p-value and paired interval never contradict each other. The p-value of a pair is the
larger of its two axes [1]_, and Holm's correction runs over all pairs whose estimates say that one dominates.

References
----------
.. [1] Berger (1982), "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24:295: the
   intersection-union test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np
import pandas as pd

from analysis.comparisons.difference import difference
from analysis.comparisons.family import holm
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.paired import Pairs
from analysis.comparisons.statistic import Measure, Statistic, parse_measure
from analysis.comparisons.weighted import Floats
from analysis.tails import LOSS, done_runs, estimate, flat, point_names, warning_of
from analysis.wording import count, joined, quantity
from sim.problems import Problem, ScenarioError, suggestion
from sim.sweeps.results import SweepResults

AGAINST = "system_leverage"
MEAN = Statistic("mean", "mean")
FRONTIER, BEHIND, DOMINATED = "on the frontier", "behind, not shown", "dominated"
Better = Literal["higher", "lower", ""]


@dataclass(frozen=True)
class Axis:
    """One axis of the frontier.

    Attributes
    ----------
    metric, label, unit : str
        Of the metric, and of the statistic for the unit.
    statistic : Statistic
        With its tail settled.
    sign : float
        1 where higher is better, −1 where lower is.
    values : mapping of int to Series
        The metric by seed, of each point; runs in which it has no meaning are left out.
    """

    metric: str
    label: str
    unit: str
    statistic: Statistic
    sign: float
    values: Mapping[int, pd.Series]

    @property
    def text(self) -> str:
        """Name of the axis with its statistic."""
        return f"{self.statistic.label(self.unit)} of {self.label[:1].lower()}{self.label[1:]}"

    def told(self, value: float) -> str:
        """A value of the statistic for people."""
        return quantity(value, self.statistic.unit(self.unit))


@dataclass(frozen=True)
class Frontier:
    """The points of a sweep between risk and efficiency.

    Attributes
    ----------
    risk, gain : Axis
    points : DataFrame
        A row for each point that has both: `point`, `name`, `seeds`, `warning` (empty where there are
        enough), `risk` and `gain`, each with `_low` and `_high`, `status` ("on the frontier"; "behind, not
        shown", where only the estimates say that another one dominates; "dominated"), `by` (name of the point
        that dominates) and `p` (adjusted; NaN on the frontier).
    pairs : int
        How many pairs the p-values are adjusted for.
    level : float
    """

    risk: Axis
    gain: Axis
    points: pd.DataFrame
    pairs: int
    level: float


def frontier_table(
    results: SweepResults,
    risk: str = f"es95({LOSS})",
    against: str = AGAINST,
    better: Better = "",
    drawing: Drawing | None = None,
) -> Frontier:
    """Set a tail statistic of each point against the mean of a metric of efficiency.

    Parameters
    ----------
    results : SweepResults
    risk : str
        Statistic and metric, as in `es95(bad_debt_gross_usd)`.
    against : str
        A metric of which the mean is taken.
    better : {"higher", "lower", ""}
        Which way `against` is better; by default what the metric itself says, or else higher.
    drawing : Drawing, optional

    Raises
    ------
    ScenarioError
        If the sweep lacks a metric, or fewer than two points have runs in which both have a meaning.
    """
    drawing = drawing or Drawing()
    metrics = results.manifest["metrics"]
    measure = _measure(results, risk, against)
    worse = better and {"higher": "lower", "lower": "higher"}[better]
    first = _axis(
        results, measure.metric, measure.statistic, str(metrics[measure.metric]["worse"] or "higher")
    )
    second = _axis(results, against, MEAN, worse or str(metrics[against]["worse"] or "lower"))
    points = _estimates(results, first, second, drawing)
    if len(points) < 2:
        rule = f"two points must have runs with {measure.metric} and {against}, got {len(points)}"
        raise ScenarioError([Problem(results.place, "", rule)])
    found = _dominations(points, first, second, drawing)
    return Frontier(first, second, _judged(points, found, drawing), len(found), drawing.level)


def _measure(results: SweepResults, risk: str, against: str) -> Measure:
    problems = []
    if against not in results.metrics:
        near = suggestion(against, results.metrics)
        problems.append(f"the sweep must have the metric, got {against!r}{near}")
    try:
        measure = parse_measure(risk, results.manifest["metrics"])
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise ScenarioError([Problem(results.place, "", text) for text in problems])
    return measure


def _axis(results: SweepResults, metric: str, statistic: Statistic, worse: str) -> Axis:
    entry = results.manifest["metrics"][metric]
    subject = f", {entry['subject']}" if entry.get("subject") else ""
    values = {point: done_runs(results, point)[metric].dropna() for point in point_names(results)}
    settled, unit = statistic.towards(worse), str(entry["unit"])
    return Axis(
        metric, f"{entry['label']}{subject}", unit, settled, 1.0 if worse == "lower" else -1.0, values
    )


def _estimates(results: SweepResults, risk: Axis, gain: Axis, drawing: Drawing) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for point, name in point_names(results).items():
        both = [axis.values[point].to_numpy(dtype=np.float64) for axis in (risk, gain)]
        if min(map(len, both)) < 2:
            continue
        seeds = min(map(len, both))
        row: dict[str, object] = {"point": point, "name": name, "seeds": seeds}
        row["warning"] = warning_of(risk.statistic, seeds)
        for title, axis, values in zip(("risk", "gain"), (risk, gain), both, strict=True):
            row |= flat(title, estimate(values, axis.statistic, drawing))
        rows.append(row)
    return pd.DataFrame(rows)


def _dominations(points: pd.DataFrame, risk: Axis, gain: Axis, drawing: Drawing) -> pd.DataFrame:
    """Pairs of which the estimates say that one dominates: `point`, `by`, and the adjusted `p`."""
    rows = []
    for one, other in permutations(points.to_dict("records"), 2):
        gaps = [axis.sign * (other[title] - one[title]) for title, axis in (("risk", risk), ("gain", gain))]
        if min(gaps) >= 0 and max(gaps) > 0:
            p = max(_p(axis, one["point"], other["point"], drawing) for axis in (risk, gain))
            rows.append({"point": one["point"], "by": other["name"], "p": p})
    found = pd.DataFrame(rows, columns=["point", "by", "p"])
    raw = found["p"].to_numpy(dtype=np.float64)
    return found.assign(p=holm(raw, np.ones(len(raw), np.bool_)))


def _p(axis: Axis, one: int, other: int, drawing: Drawing) -> float:
    """P-value of one axis of a pair: 0 where both are equal in every run, 1 where the pairs say otherwise."""
    shared = axis.values[one].index.intersection(axis.values[other].index)
    columns: list[Floats] = [
        axis.values[point].loc[shared].to_numpy(dtype=np.float64)[:, None] for point in (one, other)
    ]
    pairs = Pairs.of(*columns)
    if pairs.seeds < 2:
        return 1.0
    if pairs.equal:
        return 0.0
    found = difference(pairs, axis.statistic, drawing)
    return found.p if axis.sign * found.absolute.value > 0 else 1.0


def _judged(points: pd.DataFrame, found: pd.DataFrame, drawing: Drawing) -> pd.DataFrame:
    best = found.sort_values("p", kind="stable").drop_duplicates("point")
    winners, chances = (dict(zip(best["point"], best[each], strict=True)) for each in ("by", "p"))
    p = pd.Series([chances.get(point, np.nan) for point in points["point"]], index=points.index)
    by = [winners.get(point, "") for point in points["point"]]
    status = np.where(p.isna(), FRONTIER, np.where(p < drawing.alpha, DOMINATED, BEHIND))
    return points.assign(status=status, by=by, p=p)


def frontier_answer(found: Frontier) -> list[str]:
    """What the frontier says, in plain sentences."""
    status = found.points["status"]
    first = found.points[status == FRONTIER].sort_values("gain", ascending=found.gain.sign < 0)
    told = [
        f"{row['name']} ({found.gain.told(row['gain'])}, {found.risk.told(row['risk'])})"
        for row in first.to_dict("records")
    ]
    number = f"{len(first)} of {count(len(found.points), 'point')}"
    lines = [f"{number} on the frontier of {found.gain.text} and {found.risk.text}: {joined(told)}."]
    beaten = found.points[status == DOMINATED]
    if len(beaten):
        pairs = [f"{name} by {by}" for name, by in zip(beaten["name"], beaten["by"], strict=True)]
        lines.append(f"Dominated: {joined(pairs)}.")
    behind = found.points.loc[status == BEHIND, "name"].tolist()
    if behind:
        lines.append(f"Behind it by the estimates, which the runs do not show: {joined(behind)}.")
    return lines
