"""The parts of a comparison's page on how far it can be trusted, each a list of lines of Markdown."""

import shlex
from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.contrasts import label_text
from analysis.comparisons.failures import failure_sentences
from analysis.comparisons.findings import LISTED, measured
from analysis.comparisons.rows import NO_DIFFERENCE
from analysis.comparisons.words import factor, number, signed
from analysis.wording import count, joined, percent


def failures_section(comparison: Comparison) -> list[str]:
    """Runs that gave no result, and what they may do to the differences."""
    sentences = failure_sentences(comparison.failures)
    missing = comparison.frame[comparison.frame["without_value"] > 0].drop_duplicates("metric")
    sentences += [
        f"{row['label']} has no meaning in {count(row['without_value'], 'pair')} of runs, which are left out."
        for row in missing.to_dict("records")
    ]
    if comparison.frame["failure_low"].notna().any():
        sentences += list(_bounds(comparison))
    if not sentences:
        total = int(comparison.failures["runs"].sum())
        sentences = [f"None: all {count(total, 'run')} are done, and every one of them counts."]
    return ["## Failed runs", "", " ".join(sentences)]


def _bounds(comparison: Comparison) -> Iterator[str]:
    frame = comparison.frame[comparison.frame["failure_low"].notna()]
    yield "A pair of runs counts only where both are done."
    for row in frame.drop_duplicates("alternative").to_dict("records"):
        low, high = (signed(number(row, f"failure_{end}"), str(row["unit"])) for end in ("low", "high"))
        yield (
            "Had every failed run been the best or the worst seen anywhere, the difference of "
            f"{row['alternative']} in {measured(row)} would lie between {low} and {high}."
        )
    shown = frame[frame["verdict"] != NO_DIFFERENCE]
    fragile = shown[(shown["failure_low"] <= 0) & (shown["failure_high"] >= 0)].to_dict("records")
    if fragile:
        undone = [f"{measured(row)} of {row['alternative']}" for row in fragile]
        more = [f"{len(undone) - LISTED} more"] if len(undone) > LISTED else []
        verdicts = "verdict" if len(undone) == 1 else "verdicts"
        yield f"That could undo the {verdicts} on {joined([*undone[:LISTED], *more])}."


def method_section(comparison: Comparison) -> list[str]:
    """How intervals and p-values come about."""
    drawing, family = comparison.drawing, comparison.family
    alarms = family * drawing.alpha
    text = (
        "Every policy met the same worlds, seed by seed, so differences are taken within seeds; intervals "
        f"come from {drawing.resamples:,} resamples of the seeds, all runs of a seed together (bootstrap-t "
        "for means and ES, bootstrap standard errors for quantiles, adjusted Wald for shares). p comes "
        f"from {drawing.swaps:,} random swaps of the policies' names within seeds, which also decide whether "
        f"zero lies in an interval; Holm's correction covers the family of {count(family, 'comparison')}, in "
        f"which {alarms:.2g} false alarms would be expected without it if no policy made a difference. "
        f"{_pairing(comparison.frame)}"
    )
    return ["## Method", "", text]


def _pairing(frame: pd.DataFrame) -> str:
    factors = frame.loc[frame["tested"] & np.isfinite(frame["pairing_factor"]), "pairing_factor"]
    if factors.empty:
        return "Pairing had nothing to narrow."
    median, low, high = (factor(float(value)) for value in (factors.median(), factors.min(), factors.max()))
    return (
        "Against runs on different seeds, pairing narrowed the intervals by a factor of "
        f"{median} in the median, and from {low} to {high}."
    )


def limits_section(comparison: Comparison) -> list[str]:
    """What a reader must not conclude."""
    level = percent(comparison.drawing.level)
    lines = [
        "- This is a simulation: intervals cover the chance of its worlds, not what the model leaves out.",
        "- Differences belong to this scenario and horizon, and to the settings that all policies share.",
        f"- On heavy-tailed losses with 64 seeds the {level} intervals of means and ES hold the true value "
        "in 85 to 95 % of tests, and what they miss is mostly a larger loss.",
        f"- Estimates, intervals and gates are at {level} each; only verdicts are corrected for their "
        "number.",
    ]
    return ["## Limits", "", *lines]


def reproduction_section(comparison: Comparison) -> list[str]:
    """The command that gives this page again."""
    return ["## Reproduce", "", "```", shlex.join(_command(comparison)), "```"]


def _command(comparison: Comparison) -> Iterator[str]:
    first, choices = comparison.contrasts[0], comparison.choices
    yield from ("seawall", "compare", first.baseline.results.place)
    if comparison.by:
        yield from ("--by", comparison.by, "--baseline", label_text(first.baseline.label))
    else:
        yield first.alternative.results.place
    for axis, label in (choices.get("where") or {}).items():
        yield from ("--where", f"{axis}={label_text(label)}")
    metrics, statistics, gates = choices.get("metrics"), choices.get("statistics"), choices.get("gates")
    for option, texts in (("--metric", metrics), ("--statistic", statistics), ("--gate", gates)):
        for text in texts or ():
            yield from (option, text)
    if choices.get("level") is not None:
        yield from ("--level", f"{choices['level']}")
