"""What a comparison is asked: metrics, statistics and gates, checked all at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from analysis.comparisons.arms import Contrast
from analysis.comparisons.contrasts import Where
from analysis.comparisons.gates import Gate, parse_gates
from analysis.comparisons.intervals import RESAMPLES, Drawing
from analysis.comparisons.statistic import Statistic, parse_statistic
from sim.problems import Problem, ScenarioError, suggestion

HEADLINE = (
    "bad_debt_gross_usd",
    "liquidated_usd",
    "insurance_fund_paid_usd",
    "vault_paid_usd",
    "adl_paid_usd",
    "socialised_loss_usd",
    "uncovered_usd",
    "insurance_fund_end_usd",
    "vault_equity_end_usd",
    "pnl_retail_usd",
)
STATISTICS = ("mean", "var95", "es95", "p(> 0)")


class Choices(TypedDict, total=False):
    """What a comparison may be told.

    Attributes
    ----------
    metrics : sequence of str
        By default what a risk team asks for first: bad debt, liquidations, who paid, what is left.
    statistics : sequence of str
        Such as `mean`, `median`, `var95`, `es99`, `q90`, `p(> 1e6)`; by default mean, var95, es95, and p(> 0)
        where some runs are above zero and others are not.
    gates : sequence of str
        Such as `change of mean(liquidated_usd) <= 5%`; by default those of the sweep.
    where : mapping of axis to label
        Keeps other axes at one label; the rest is averaged over.
    level : float
        Confidence of all intervals; by default the sweep's.
    seed, resamples : int
        Of the bootstrap; 0 and 4,000.
    """

    metrics: Sequence[str] | None
    statistics: Sequence[str] | None
    gates: Sequence[str] | None
    where: Where | None
    level: float | None
    seed: int
    resamples: int


@dataclass(frozen=True)
class Question:
    """What is asked of the contrasts.

    Attributes
    ----------
    metrics : mapping of str to mapping
        Label, unit and direction of each metric that is shown.
    statistics : tuple of Statistic
    chosen : bool
        Whether metrics were asked for by name, so that one without values is a mistake.
    spoken : bool
        Whether statistics were asked for by name, so that they are shown even where they say nothing.
    gates : tuple of Gate
    drawing : Drawing
    """

    metrics: Mapping[str, Mapping[str, Any]]
    statistics: tuple[Statistic, ...]
    chosen: bool
    spoken: bool
    gates: tuple[Gate, ...]
    drawing: Drawing


def asked(contrasts: Sequence[Contrast], choices: Choices) -> Question:
    """The question that choices and the sweep's own settings ask.

    Raises
    ------
    ScenarioError
        Listing every metric, statistic, gate and number that is wrong, and every policy without a pair.
    """
    known = _common_metrics(contrasts)
    manifest = contrasts[0].baseline.results.manifest
    wanted, named = choices.get("metrics"), choices.get("statistics")
    rules = choices.get("gates")
    gates, broken_gates = parse_gates(manifest["gates"] if rules is None else rules, known)
    statistics, broken_statistics = _statistics(STATISTICS if named is None else named)
    drawing, broken_numbers = _drawing(choices, float(manifest["level"]))
    problems = [*_unpaired(contrasts), *_unknown(wanted or (), known), *broken_statistics, *broken_gates]
    if problems or broken_numbers:
        raise ScenarioError([*problems, *broken_numbers])
    shown = [name for name in (HEADLINE if wanted is None else wanted) if name in known]
    metrics = {name: known[name] for name in shown or known}
    return Question(metrics, statistics, wanted is not None, named is not None, tuple(gates), drawing)


def _common_metrics(contrasts: Sequence[Contrast]) -> dict[str, Mapping[str, Any]]:
    first, *others = [arm.results.manifest["metrics"] for each in contrasts for arm in each.arms]
    return {name: metric for name, metric in first.items() if all(name in other for other in others)}


def _unpaired(contrasts: Sequence[Contrast]) -> list[Problem]:
    rule = "at least two seeds must have a finished run of both {} and {}"
    problems = []
    for each in contrasts:
        pairs = (each.statuses(each.baseline) == "done") & (each.statuses(each.alternative) == "done")
        seeds = int(pairs.any(axis=1).sum())
        if seeds < 2:
            names = each.baseline.name, each.alternative.name
            problems.append(Problem(each.alternative.results.place, "", rule.format(*names), f"{seeds}"))
    return problems


def _unknown(names: Iterable[str], known: Mapping[str, object]) -> list[Problem]:
    return [
        Problem(f"metric {name!r}", "", f"no such metric{suggestion(name, known)}")
        for name in names
        if name not in known
    ]


def _statistics(texts: Iterable[str]) -> tuple[tuple[Statistic, ...], list[Problem]]:
    found, problems = [], []
    for text in texts:
        try:
            found.append(parse_statistic(text))
        except ValueError as error:
            problems.append(Problem(f"statistic {text!r}", "", str(error)))
    return tuple(dict.fromkeys(found)), problems


def _drawing(choices: Choices, level: float) -> tuple[Drawing, list[Problem]]:
    chosen, seed, resamples = (
        choices.get("level"),
        choices.get("seed", 0),
        choices.get("resamples", RESAMPLES),
    )
    level = level if chosen is None else chosen
    rules = (
        ("0.5 < level < 1 must hold", level, 0.5 < level < 1),
        ("seed >= 0 must hold", seed, seed >= 0),
        ("resamples >= 100 must hold", resamples, resamples >= 100),
    )
    problems = [Problem("", "", rule, f"{value}") for rule, value, kept in rules if not kept]
    return Drawing(level, seed, resamples), problems
