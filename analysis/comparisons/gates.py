"""Gates: rules that a policy must pass, such as `change of mean(liquidated_usd) <= 5%`."""

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.comparisons.arms import Contrast
from analysis.comparisons.difference import Difference, difference
from analysis.comparisons.failures import extreme_values
from analysis.comparisons.intervals import Drawing, Estimate
from analysis.comparisons.statistic import NUMBER, Measure, parse_measure
from sim.problems import Problem

RULE = "a gate is written as es95(bad_debt_gross_usd) <= 1e6, or change of mean(liquidated_usd) <= 5%"
PERCENT_RULE = "a percentage is a limit of a share, or of a change (change of ...)"
RELATIONS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}
_GATE = re.compile(
    rf"(?P<change>change\s+of\s+)?(?P<measure>.+?)\s*(?P<relation><=|>=|<|>)\s*(?P<limit>{NUMBER})\s*(?P<percent>%)?"
)
PASS, FAIL, NOT_SHOWN = "pass", "fail", "not shown"


@dataclass(frozen=True)
class Gate:
    """A rule on one statistic of one metric.

    Attributes
    ----------
    text : str
        As the user wrote it.
    measure : Measure
    change : bool
        Whether it is about the change against the baseline.
    relative : bool
        Whether that change is taken over the size of the baseline's estimate.
    relation : str
        `<=`, `<`, `>=` or `>`.
    limit : float
        In the measure's unit, or as a share.
    """

    text: str
    measure: Measure
    change: bool
    relative: bool
    relation: str
    limit: float

    def satisfied(self, value: float) -> bool:
        """Whether a value keeps the rule."""
        return bool(RELATIONS[self.relation](value, self.limit))

    def outcome(self, estimate: Estimate) -> str:
        """Pass when the whole interval keeps the rule, fail when none of it does, not shown otherwise."""
        ends = [self.satisfied(end) for end in estimate.ends]
        return PASS if all(ends) else NOT_SHOWN if any(ends) else FAIL

    def judged(self, found: Difference) -> Estimate:
        """The number that the rule is about."""
        if not self.change:
            return found.alternative
        return found.relative if self.relative else found.absolute

    def value(self, baseline: float, alternative: float) -> float:
        """The number that the rule is about, of two estimates."""
        if not self.change:
            return alternative
        gap = alternative - baseline
        if not self.relative or gap == 0:
            return gap
        return gap / abs(baseline) if baseline else math.copysign(math.inf, gap)


def parse_gates(
    texts: Sequence[str], metrics: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Gate], list[Problem]]:
    """Gates of texts, and everything that is wrong with the others.

    Parameters
    ----------
    texts : sequence of str
    metrics : mapping
        Known metrics, with `unit` and `worse` of each.
    """
    gates, problems = [], []
    for text in texts:
        try:
            gates.append(_parsed(text, metrics))
        except ValueError as error:
            problems.append(Problem(f"gate {text!r}", "", str(error)))
    return gates, problems


def _parsed(text: str, metrics: Mapping[str, Mapping[str, Any]]) -> Gate:
    found = _GATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{RULE}, got {text!r}")
    measure = parse_measure(found["measure"], metrics)
    change, percent = bool(found["change"]), bool(found["percent"])
    if percent and not change and measure.statistic.unit(str(metrics[measure.metric]["unit"])) != "1":
        raise ValueError(f"{PERCENT_RULE}, got {text!r}")
    limit = float(found["limit"]) / (100 if percent else 1)
    return Gate(" ".join(text.split()), measure, change, change and percent, found["relation"], limit)


def gate_frame(gates: Sequence[Gate], contrasts: Sequence[Contrast], drawing: Drawing) -> pd.DataFrame:
    """How every alternative does at every gate.

    Parameters
    ----------
    gates : sequence of Gate
    contrasts : sequence of Contrast
    drawing : Drawing

    Returns
    -------
    DataFrame
        `gate`, `baseline`, `alternative`, `estimate`, `low`, `high` (of what the gate is about; a relative
        change as a share), `limit`, `unit`, `seeds`, `outcome` ("pass", "fail" or "not shown") and `reason`,
        which says why nothing could be shown.
    """
    names, numbers = ["gate", "baseline", "alternative"], ["estimate", "low", "high", "limit"]
    columns = [*names, *numbers, "unit", "seeds", "outcome", "reason"]
    rows = [_row(gate, contrast, drawing) for gate in gates for contrast in contrasts]
    return pd.DataFrame(rows, columns=columns)


def _row(gate: Gate, contrast: Contrast, drawing: Drawing) -> tuple[object, ...]:
    measure = gate.measure
    pairs = contrast.pairs(measure.metric)
    estimate = gate.judged(difference(pairs, measure.statistic, drawing))
    outcome, reason = _verdict(gate, estimate, contrast, pairs.seeds)
    described = contrast.baseline.results.manifest["metrics"][measure.metric]
    unit = "1" if gate.relative else measure.statistic.unit(str(described["unit"]))
    names = contrast.baseline.name, contrast.alternative.name
    numbers = estimate.value, estimate.low, estimate.high, gate.limit
    return gate.text, *names, *numbers, unit, pairs.seeds, outcome, reason


def _verdict(gate: Gate, estimate: Estimate, contrast: Contrast, seeds: int) -> tuple[str, str]:
    statistic = gate.measure.statistic
    if math.isnan(estimate.value):
        return NOT_SHOWN, "the baseline is zero, so that there is no relative change"
    if seeds < statistic.fewest_seeds:
        return NOT_SHOWN, f"{seeds} seeds are too few, at least {statistic.fewest_seeds} are needed"
    outcome = gate.outcome(estimate)
    if outcome == NOT_SHOWN:
        return outcome, "the interval holds values on both sides"
    extremes = [gate.value(*values) for values in extreme_values(contrast, gate.measure.metric, statistic)]
    if any(gate.satisfied(value) != (outcome == PASS) for value in extremes):
        return NOT_SHOWN, "the failed runs could turn it around"
    return outcome, ""
