"""The arms of a comparison: which runs of a sweep belong to which policy, paired by seed and combination."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.comparisons.paired import Pairs
from analysis.comparisons.weighted import Floats
from sim.sweeps.design import Label
from sim.sweeps.results import SweepResults

Combination = tuple[tuple[str, Label], ...]

NOT_RUN = "not run"


@dataclass(frozen=True)
class Arm:
    """The runs of one policy: one point of a sweep for each combination of the other axes.

    Attributes
    ----------
    name : str
        As tables and sentences call it.
    label : label
        Of the axis that is compared; the name for a whole sweep.
    results : SweepResults
    points : mapping of combination to int
        A combination is the labels of the other axes.
    """

    name: str
    label: Label
    results: SweepResults
    points: Mapping[Combination, int]

    @property
    def seeds(self) -> list[int]:
        """Seeds that the sweep asks for."""
        return [int(seed) for seed in self.results.manifest["seeds"]]

    def scenario_point(self, combination: Combination) -> Mapping[str, Any]:
        """What the manifest says of the point of a combination."""
        entry: Mapping[str, Any] = self.results.manifest["points"][self.points[combination]]
        return entry


@dataclass(frozen=True)
class Contrast:
    """An alternative against the baseline, over the seeds and combinations that both have.

    Attributes
    ----------
    baseline, alternative : Arm
    seeds : tuple of int
    combinations : tuple of combinations
    """

    baseline: Arm
    alternative: Arm
    seeds: tuple[int, ...]
    combinations: tuple[Combination, ...]

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """Baseline and alternative."""
        return self.baseline, self.alternative

    def pairs(self, metric: str) -> Pairs:
        """A metric over all pairs in which both runs are done and it has a meaning."""
        return Pairs.of(*(self.table(arm, metric) for arm in self.arms))

    def table(self, arm: Arm, metric: str) -> Floats:
        """A metric by seed and combination; NaN where a run is not done or the metric has no meaning."""
        values = arm.results.runs[metric].to_numpy(dtype=float)
        rows, done = self._rows(arm), self.statuses(arm) == "done"
        return np.where(done, values[rows], np.nan)

    def statuses(self, arm: Arm) -> npt.NDArray[np.object_]:
        """Status of each run by seed and combination."""
        rows = self._rows(arm)
        known = arm.results.runs["status"].to_numpy(dtype=object)
        return np.where(rows >= 0, known[rows] if len(known) else NOT_RUN, NOT_RUN)

    def failed(self, arm: Arm) -> npt.NDArray[np.bool_]:
        """Which runs began and did not end well, by seed and combination."""
        return ~np.isin(self.statuses(arm), ["done", NOT_RUN])

    def without_value(self, metric: str) -> int:
        """Number of pairs whose runs are done and in which the metric has no meaning on some side."""
        done = np.logical_and(*(self.statuses(arm) == "done" for arm in self.arms))
        return int(done.sum() - np.isfinite(self.pairs(metric).baseline).sum())

    def extremes(self, metric: str) -> list[Pairs]:
        """Pairs had every failed run been the best for one policy and the worst for the other, and reversed.

        Notes
        -----
        The lowest and the highest value of the metric anywhere in the two sweeps stand in for failed runs.
        """
        seen = [arm.results.runs[metric].to_numpy(dtype=float) for arm in self.arms]
        ends = float(np.nanmin(np.concatenate(seen))), float(np.nanmax(np.concatenate(seen)))
        tables = [(self.table(arm, metric), self.failed(arm)) for arm in self.arms]
        return [
            Pairs.of(
                *(np.where(failed, end, table) for (table, failed), end in zip(tables, order, strict=True))
            )
            for order in (ends, ends[::-1])
        ]

    def _rows(self, arm: Arm) -> npt.NDArray[np.intp]:
        """Where each run stands in the table of runs, −1 where it is missing, by seed and combination."""
        runs = arm.results.runs
        index = pd.MultiIndex.from_arrays([runs["seed"], runs["point"]])
        points = [arm.points[combination] for combination in self.combinations]
        wanted = pd.MultiIndex.from_product([self.seeds, points])
        return np.asarray(index.get_indexer(wanted)).reshape(len(self.seeds), len(points))
