"""The tail of a sweep: how bad the bad runs are at each point, and how often they happen.

Definitions, over the seeds of a point, each over the horizon of a run:

- VaR and ES of a loss: a quantile, and the mean of the runs beyond it.
- LaR: the 95th percentile of the liquidated notional.
- Probability of default-fund need: share of runs with gross bad debt, that is a loss beyond the trader's own
  collateral, which the insurance fund or anybody behind it bore, or was left to bear.
- Probability that the fund is not enough: share of runs with bad debt after the fund.
- Insolvency probability: share of runs with gross bad debt above 1 % of the open interest they opened with.

References
----------
.. [1] Gauntlet, "Market risk assessment of Compound" (2020): a run ends under-collateralised when more than
   1 % of its debt is; LaR is the 95th percentile of what is liquidated.
.. [2] Wilson (1927), "Probable inference, the law of succession, and statistical inference", Journal of the
   American Statistical Association 22:209.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.comparisons.difference import difference
from analysis.comparisons.intervals import Drawing, Estimate
from analysis.comparisons.paired import Pairs
from analysis.comparisons.statistic import Statistic, parse_statistic
from analysis.comparisons.weighted import Floats, estimates, scored
from analysis.extremes import Tail, beyond, fit_tail
from analysis.sweep_tables import short_names
from analysis.wording import count
from sim.problems import Problem, ScenarioError, suggestion
from sim.sweeps.results import SweepResults

LOSS = "bad_debt_gross_usd"
SHARE = "bad_debt_share"
LEVELS = (0.95, 0.99)
INSOLVENT = 0.01
FEWEST_RUNS = 2


@dataclass(frozen=True)
class Risk:
    """A row of the table: a statistic of a metric, and what it is called.

    Attributes
    ----------
    name : str
        Short name, as in CSV files.
    label : str
        Name for people.
    metric : str
    statistic : Statistic
        With its tail settled.
    """

    name: str
    label: str
    metric: str
    statistic: Statistic


def risks_of(results: SweepResults, metric: str = LOSS, levels: Sequence[float] = LEVELS) -> list[Risk]:
    """What the table of a sweep shows: VaR and ES of a metric at some levels, LaR and three probabilities.

    Raises
    ------
    ScenarioError
        If the sweep has no such metric, or a level does not lie between one half and one.
    """
    wrong = [f"50 < level < 100 must hold, got {level * 100:g}" for level in levels if not 0.5 < level < 1]
    if metric not in results.metrics:
        near = suggestion(metric, results.metrics)
        wrong.append(f"the sweep must have the metric, got {metric!r}{near}")
    if wrong:
        raise ScenarioError([Problem(results.place, "", text) for text in wrong])
    entry = results.manifest["metrics"][metric]
    found = []
    for kind in ("var", "es"):
        for level in levels:
            statistic = parse_statistic(f"{kind}{level * 100:g}").towards(str(entry["worse"]))
            label = f"{statistic.label(str(entry['unit']))}, {str(entry['label']).lower()}"
            found.append(Risk(statistic.text, label, metric, statistic))
    return found + [risk for risk in OTHERS if risk.metric in results.metrics or risk.metric == SHARE]


def _often(name: str, label: str, metric: str, threshold: float = 0.0) -> Risk:
    return Risk(name, label, metric, parse_statistic(f"p(> {threshold:g})"))


OTHERS = (
    Risk("lar95", "LaR 95 %", "liquidated_usd", parse_statistic("var95").towards("higher")),
    _often("fund_need", "default-fund need", LOSS),
    _often("fund_short", "fund not enough", "bad_debt_after_fund_usd"),
    _often("insolvency", "insolvency", SHARE, INSOLVENT),
)


def tail_table(
    results: SweepResults,
    metric: str = LOSS,
    levels: Sequence[float] = LEVELS,
    drawing: Drawing | None = None,
) -> pd.DataFrame:
    """Risk of each point of a sweep.

    Parameters
    ----------
    results : SweepResults
    metric : str
        Of which VaR and ES are taken, on its worse side.
    levels : sequence of float
        Of VaR and ES [1].
    drawing : Drawing, optional

    Returns
    -------
    DataFrame
        A row for each point and risk: `point`, `name` (of the point), `risk`, `label`, `metric`, `unit`,
        `value`, `low`, `high` (NaN as in `estimate`), `seeds` (runs that count), `fewest` (seeds that
        an interval needs) and `warning` (empty where there are enough). Failed runs do not count.

    Raises
    ------
    ScenarioError
        As `risks_of`.
    """
    drawing = drawing or Drawing()
    rows = []
    for point, name in point_names(results).items():
        runs = done_runs(results, point)
        for risk in risks_of(results, metric, levels):
            values = losses_of(runs, risk.metric, results)
            unit = str(results.manifest["metrics"].get(risk.metric, {"unit": "1"})["unit"])
            told = {"risk": risk.name, "label": risk.label, "metric": risk.metric}
            told["unit"] = risk.statistic.unit(unit)
            rows.append({"point": point, "name": name, **told, **_numbers(values, risk.statistic, drawing)})
    return pd.DataFrame(rows)


def _numbers(values: Floats, statistic: Statistic, drawing: Drawing) -> dict[str, object]:
    found = estimate(values, statistic, drawing)
    numbers = {"value": found.value, "low": found.low, "high": found.high, "seeds": len(values)}
    return {**numbers, "fewest": statistic.fewest_seeds, "warning": warning_of(statistic, len(values))}


def warning_of(statistic: Statistic, seeds: int) -> str:
    """What is wrong with an interval from so few seeds; empty where there are enough."""
    needed = statistic.fewest_seeds
    return f"{count(seeds, 'seed')} of the {needed} that it takes" if seeds < needed else ""


def estimate(values: Floats, statistic: Statistic, drawing: Drawing) -> Estimate:
    """A statistic of runs with its interval: Wilson's of a probability [2]_, or else the bootstrap's.

    Parameters
    ----------
    values : (n,) ndarray
        No NaN. With fewer than two there is no estimate, and with less than one run in the tail of a
        quantile or a shortfall no interval: nothing is known about what lies beyond the worst run.
    statistic : Statistic
        With its tail settled.
    drawing : Drawing
    """
    if len(values) < FEWEST_RUNS:
        return Estimate(np.nan, np.nan, np.nan)
    if statistic.kind == "probability":
        return wilson(int(scored(values, statistic).sum()), len(values), drawing.level)
    tail = 0.5 - abs(statistic.share - 0.5)
    if statistic.kind in ("quantile", "shortfall") and len(values) * tail < 1:
        value = estimates(values, np.ones((1, len(values))), statistic)[0]
        return Estimate(float(value), np.nan, np.nan)
    column = values[:, None]
    return difference(Pairs.of(column, column), statistic, drawing).baseline


def wilson(events: int, runs: int, level: float = 0.95) -> Estimate:
    """Share of runs with an event, and Wilson's interval [2]_."""
    ends = stats.binomtest(events, runs).proportion_ci(level, method="wilson")
    return Estimate(events / runs, float(ends.low), float(ends.high))


def point_names(results: SweepResults) -> dict[int, str]:
    """Name of each point of a sweep: its label, or axis=label for each of several axes."""
    axes = [str(axis) for axis in results.manifest["axes"]]
    names = short_names(axes)
    return {
        int(row["point"]): str(row[axes[0]])
        if len(axes) == 1
        else ", ".join(f"{name}={row[axis]}" for name, axis in zip(names, axes, strict=True))
        for row in results.points.to_dict("records")
    }


def done_runs(results: SweepResults, point: int) -> pd.DataFrame:
    """Finished runs of a point, by seed."""
    runs = results.runs
    return runs[(runs["point"] == point) & (runs["status"] == "done")].set_index("seed").sort_index()


def losses_of(runs: pd.DataFrame, metric: str, results: SweepResults) -> Floats:
    """A metric of the runs in which it has a meaning, (n,)."""
    if metric == SHARE and metric not in runs:
        values = _share_of_bad_debt(runs, [str(name) for name in results.manifest["markets"]])
    else:
        values = runs[metric]
    found: Floats = values.dropna().to_numpy(dtype=np.float64)
    return found


def _share_of_bad_debt(runs: pd.DataFrame, markets: Sequence[str]) -> pd.Series:
    """Bad debt over opening open interest, of a sweep made before that was a metric.

    A market's opening interest is what was liquidated over its share of it; in runs where nothing was, the
    median of the point's other runs. Unknown for all runs where it is unknown for one with bad debt: to count
    the others alone would be to count survivors.
    """
    opening = pd.Series(0.0, index=runs.index)
    for market in markets:
        liquidated, share = (runs.get(f"liquidated_{each}_{market}") for each in ("usd", "share"))
        if liquidated is None or share is None:
            opening[:] = np.nan
            continue
        own = liquidated / share.where(share > 0)
        opening += own.fillna(own.median())
    debt = runs[LOSS] if LOSS in runs else pd.Series(np.nan, index=runs.index)
    share = (debt / opening).mask(debt == 0, 0.0)
    return share if share.notna().all() else share * np.nan


def extremes_table(
    results: SweepResults,
    metric: str = LOSS,
    levels: Sequence[float] = LEVELS,
    drawing: Drawing | None = None,
) -> pd.DataFrame:
    """The fitted tail of each point, with its VaR and ES beside those of the runs themselves.

    Returns
    -------
    DataFrame
        A row for each point: `point`, `name`, `runs`, `exceedances`, `threshold`, `shape`, `shape_low`,
        `shape_high`, `scale`, `distance`, `p`, `verdict`, and for each level `var95`, `var95_low`,
        `var95_high`, `var95_runs` (of the runs), and the same of `es95`; in the metric's unit, large is bad
        (a metric that is worse when low is turned round).
    """
    drawing = drawing or Drawing()
    risks_of(results, metric, levels)
    sign = -1.0 if results.manifest["metrics"][metric]["worse"] == "lower" else 1.0
    rows = []
    for point, name in point_names(results).items():
        losses = sign * losses_of(done_runs(results, point), metric, results)
        tail = fit_tail(losses, drawing)
        row: dict[str, object] = {"point": point, "name": name, "runs": tail.runs}
        row |= {"exceedances": tail.exceedances, "threshold": tail.threshold, **flat("shape", tail.shape)}
        row |= {each: getattr(tail, each) for each in ("scale", "distance", "p", "verdict")}
        for level in levels:
            row |= _beside(losses, tail, level, drawing)
        rows.append(row)
    return pd.DataFrame(rows)


def _beside(losses: Floats, tail: Tail, level: float, drawing: Drawing) -> dict[str, object]:
    """VaR and ES of the fitted law, and those of the runs."""
    fitted, row = beyond(losses, tail, level, drawing), dict[str, object]()
    for kind, found in (("var", fitted.var), ("es", fitted.es)):
        statistic = parse_statistic(f"{kind}{level * 100:g}").towards("higher")
        row |= flat(statistic.text, found)
        own = estimates(losses, np.ones((1, len(losses))), statistic)[0] if len(losses) else np.nan
        row[f"{statistic.text}_runs"] = float(own)
    return row


def flat(name: str, found: Estimate) -> dict[str, object]:
    """An estimate as columns of a table."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
