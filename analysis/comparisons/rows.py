"""The tidy table of a comparison: a row for each metric, statistic and alternative."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.comparisons.arms import Contrast
from analysis.comparisons.difference import Difference, difference
from analysis.comparisons.failures import failure_bounds
from analysis.comparisons.family import holm
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.paired import Pairs
from analysis.comparisons.question import Question
from analysis.comparisons.statistic import Statistic
from analysis.comparisons.weighted import scored
from analysis.wording import NBSP, count, noun
from sim.problems import Problem, ScenarioError

FEWEST_MOVED = 8
NO_DIFFERENCE = "no difference shown"


def rows_of(contrasts: Sequence[Contrast], question: Question) -> pd.DataFrame:
    """Compare every metric by every statistic for every alternative.

    Parameters
    ----------
    contrasts : sequence of Contrast
    question : Question

    Returns
    -------
    DataFrame
        `metric`, `label`, `unit` (of the numbers in the row), `worse` (which way), `statistic`,
        `statistic_label`, `share` (level of a VaR or shortfall; NaN for others), `horizon_seconds`,
        `baseline`, `alternative`; `seeds`, `seeds_asked`, `combinations`, `moved` (seeds in which the two
        differ), `without_value` (pairs in which the metric has no meaning); `baseline_estimate`,
        `baseline_low`, `baseline_high`, the same for the alternative; `difference`, `low`, `high`; the same
        as a share of the baseline's estimate in `relative`, `relative_low`, `relative_high`; `p`, `p_holm`,
        `tested` (whether it belongs to the family), `verdict`; `pairing_factor`; `failure_low` and
        `failure_high` (bounds of the difference whatever the failed runs would have given; NaN without
        failures); `warning`.

    Raises
    ------
    ScenarioError
        When a metric that was asked for by name has no value in any pair.
    """
    frame = pd.DataFrame(list(_rows(contrasts, question)))
    if frame.empty:
        raise ScenarioError(
            [Problem("", "", "at least one metric must have a value in the runs that are paired")]
        )
    frame["p_holm"] = holm(frame["p"].to_numpy(), frame["tested"].to_numpy())
    found = frame["p_holm"] < question.drawing.alpha
    frame["verdict"] = frame["verdict"].where(found, NO_DIFFERENCE)
    return frame[[*_order(frame)]]


def _order(frame: pd.DataFrame) -> Iterator[str]:
    for column in frame.columns:
        if column != "p_holm":
            yield column
        if column == "p":
            yield "p_holm"


def _rows(contrasts: Sequence[Contrast], question: Question) -> Iterator[dict[str, object]]:
    for metric, described in question.metrics.items():
        tables = [(contrast, contrast.pairs(metric)) for contrast in contrasts]
        usable = [(contrast, pairs) for contrast, pairs in tables if pairs.seeds >= 2]
        if question.chosen and not usable:
            rule = "a metric must have a value in two pairs of runs at least"
            raise ScenarioError([Problem(f"metric {metric!r}", "", rule)])
        for statistic in question.statistics:
            towards = statistic.towards(str(described["worse"]))
            if question.spoken or _speaks(towards, [pairs for _, pairs in usable]):
                yield from (
                    _row(contrast, pairs, metric, towards, question.drawing) for contrast, pairs in usable
                )


def _speaks(statistic: Statistic, tables: Sequence[Pairs]) -> bool:
    """Whether a probability tells runs apart; other statistics always speak."""
    if statistic.kind != "probability":
        return True
    values = np.concatenate(
        [side[np.isfinite(side)] for pairs in tables for side in (pairs.baseline, pairs.alternative)]
    )
    return 0 < float(scored(values, statistic).mean()) < 1


def _row(
    contrast: Contrast, pairs: Pairs, metric: str, statistic: Statistic, drawing: Drawing
) -> dict[str, object]:
    manifest = contrast.baseline.results.manifest
    described = manifest["metrics"][metric]
    found = difference(pairs, statistic, drawing)
    low, high = failure_bounds(contrast, metric, statistic)
    worse = str(described["worse"])
    return {
        "metric": metric,
        "label": _label(described),
        "unit": statistic.unit(str(described["unit"])),
        "worse": _worse(statistic, worse),
        "statistic": statistic.text,
        "statistic_label": statistic.label(str(described["unit"])),
        "share": statistic.share or np.nan,
        "horizon_seconds": int(manifest["seconds"]),
        "baseline": contrast.baseline.name,
        "alternative": contrast.alternative.name,
        "seeds": pairs.seeds,
        "seeds_asked": len(contrast.seeds),
        "combinations": pairs.baseline.shape[1],
        "moved": found.moved,
        "without_value": contrast.without_value(metric),
        **_numbers(found),
        "tested": not pairs.equal,
        "verdict": _verdict(found, _worse(statistic, worse)),
        "pairing_factor": found.pairing,
        "failure_low": low,
        "failure_high": high,
        "warning": _warning(statistic, pairs, found),
    }


def _label(described: Mapping[str, object]) -> str:
    """A metric's label with the market or role that it is about."""
    subject = noun(str(described["subject"]))
    return f"{described['label']}, {subject}" if subject else str(described["label"])


def _numbers(found: Difference) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for side, estimate in (("baseline", found.baseline), ("alternative", found.alternative)):
        numbers |= {
            f"{side}_estimate": estimate.value,
            f"{side}_low": estimate.low,
            f"{side}_high": estimate.high,
        }
    numbers |= {"difference": found.absolute.value, "low": found.absolute.low, "high": found.absolute.high}
    change = found.relative
    numbers |= {"relative": change.value, "relative_low": change.low, "relative_high": change.high}
    return numbers | {"p": found.p}


def _worse(statistic: Statistic, worse: str) -> str:
    """Which way of a statistic is worse, of a metric of which that is known: P(below) turns it round."""
    if statistic.side == "<" and worse:
        return "lower" if worse == "higher" else "higher"
    return worse


def _verdict(found: Difference, worse: str) -> str:
    way = "higher" if found.absolute.value > 0 else "lower"
    return way if not worse else "worse" if way == worse else "better"


def _warning(statistic: Statistic, pairs: Pairs, found: Difference) -> str:
    """What a reader must know before trusting a row; empty where nothing speaks against it."""
    warnings = []
    if pairs.seeds < statistic.fewest_seeds:
        name = statistic.label("").replace(NBSP, " ")
        warnings.append(f"{pairs.seeds} seeds are too few for {name}, which needs {statistic.fewest_seeds}")
    if 0 < found.moved < FEWEST_MOVED:
        warnings.append(f"the policies differ in only {count(found.moved, 'seed')}")
    return "; ".join(warnings)
