"""Policies of a sweep compared over the same seeds: a tidy table of differences that can be defended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

import pandas as pd

from analysis.comparisons.arms import Contrast
from analysis.comparisons.contrasts import contrasts_across, contrasts_within, left_out, other_lengths
from analysis.comparisons.failures import failure_frame
from analysis.comparisons.gates import gate_frame
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.question import Choices, asked
from analysis.comparisons.rows import rows_of
from sim.sweeps.results import SweepResults

FOREMOST = 8


@dataclass(frozen=True)
class Comparison:
    """Alternatives against a baseline.

    Attributes
    ----------
    by : str
        The axis that is compared; empty for two sweeps.
    choices : Choices
        What was asked for beyond the defaults.
    contrasts : tuple of Contrast
        One per alternative.
    drawing : Drawing
        Level and resamples.
    frame : DataFrame
        One row per metric, statistic and alternative; its columns are those of `rows_of`.
    gates : DataFrame
        One row per gate and alternative.
    failures : DataFrame
        One row per policy: how many of its runs ended how.
    notes : tuple of str
        What was left out.
    """

    by: str
    choices: Choices
    contrasts: tuple[Contrast, ...]
    drawing: Drawing
    frame: pd.DataFrame
    gates: pd.DataFrame
    failures: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def baseline(self) -> str:
        """Name of the policy that the others are compared to."""
        return self.contrasts[0].baseline.name

    @property
    def alternatives(self) -> list[str]:
        """Names of the others."""
        return [each.alternative.name for each in self.contrasts]

    @cached_property
    def foremost(self) -> list[str]:
        """Alternatives with the smallest p-values, at most eight, in their own order: what pages show."""
        least = self.frame.groupby("alternative")[["p_holm", "p"]].min().reindex(self.alternatives)
        ranked = least.sort_values(["p_holm", "p"], kind="stable").index[:FOREMOST]
        return [name for name in self.alternatives if name in set(ranked)]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Manifest of the baseline's sweep."""
        return self.contrasts[0].baseline.results.manifest

    @property
    def family(self) -> int:
        """Number of comparisons over which false alarms are controlled."""
        return int(self.frame["tested"].sum())


def compare(
    results: SweepResults, by: str, *, baseline: object = None, **choices: Unpack[Choices]
) -> Comparison:
    """Compare the labels of an axis over the same seeds.

    Parameters
    ----------
    results : SweepResults
        As `seawall.load` reads them.
    by : str
        The axis, such as `policy`; "point" compares whole points. All other axes are averaged over.
    baseline : label, optional
        What the others are compared to; by default the sweep's baseline, or else the first label.
    **choices
        As in `Choices`.

    Returns
    -------
    Comparison

    Raises
    ------
    ScenarioError
        Listing every axis, label, metric, statistic and gate that does not exist or cannot be read.
    """
    contrasts = contrasts_within(results, by, baseline, choices.get("where"))
    return _compared(by, contrasts, choices)


def compare_sweeps(first: SweepResults, second: SweepResults, **choices: Unpack[Choices]) -> Comparison:
    """Compare two sweeps over the seeds, and the labels of the axes, that both have; `first` is the baseline.

    Raises
    ------
    ScenarioError
        As `compare`, and when they have no seed or no point in common.
    """
    return _compared("", contrasts_across(first, second, choices.get("where")), choices)


def _compared(by: str, contrasts: Sequence[Contrast], choices: Choices) -> Comparison:
    question = asked(contrasts, choices)
    return Comparison(
        by=by,
        choices=choices,
        contrasts=tuple(contrasts),
        drawing=question.drawing,
        frame=rows_of(contrasts, question),
        gates=gate_frame(question.gates, contrasts, question.drawing),
        failures=failure_frame(contrasts),
        notes=(*left_out(contrasts), *other_lengths(contrasts)),
    )
