"""What speed is worth: a loss against the delay of parameter changes and the largest change at once.

References
----------
.. [1] Loss avoided is the loss without updates less that of a policy; regret is a policy's loss less that of
   an engine that knows the regime and acts at once; the value of speed is the slope of loss over delay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from agents.settings import parse_duration
from analysis.comparisons.difference import difference
from analysis.comparisons.intervals import Drawing, Estimate
from analysis.comparisons.paired import Pairs
from analysis.comparisons.statistic import Statistic
from analysis.listing import listing
from analysis.wording import duration, joined, percent, quantity
from sim.problems import Problem, ScenarioError
from sim.sweeps.design import patched
from sim.sweeps.results import SweepResults

DAY = 86_400
UNBOUNDED = np.inf
MEAN = Statistic("mean", "mean")


@dataclass(frozen=True)
class Speed:
    """The curves of a sweep.

    Attributes
    ----------
    metric, unit : str
        The loss that is looked at.
    curves : DataFrame
        A row for each delay and width: `policy`, `delay` [s], `width` [1] (infinite where nothing bounds a
        change), `loss`, `avoided` and `regret`, each with `_low` and `_high`, and `avoided_p`.
    slopes : DataFrame
        A row for each pair of neighbouring delays of a width, and of the shortest with each other: `width`,
        `begin`, `end` [s], and what a day of delay costs between them, `value`, `low`, `high` [unit/day].
    without, hindsight, best : Estimate
        The loss without updates, and with perfect knowledge at once; what that avoids.
    seeds : int
    level : float
        Of all intervals.
    """

    metric: str
    unit: str
    curves: pd.DataFrame
    slopes: pd.DataFrame
    without: Estimate
    hindsight: Estimate
    best: Estimate
    seeds: int
    level: float

    def worth(self, width: float, begin: float, end: float) -> Mapping[str, float] | None:
        """The slope of a width between two delays [s]; None where the sweep has no such pair."""
        rows = self.slopes
        rows = rows[(rows["width"] == width) & (rows["begin"] == begin) & (rows["end"] == end)]
        return None if rows.empty else {str(key): float(value) for key, value in rows.iloc[0].items()}


def speed(results: SweepResults, metric: str = "bad_debt_gross_usd", drawing: Drawing | None = None) -> Speed:
    """Read the curves from a sweep over delays and widths.

    Parameters
    ----------
    results : SweepResults
        With one point on the route `frozen`, one whose engine has hindsight, and others on `direct` or by a
        steward that differ in `review` and in the relative bound of the maintenance margin.
    metric : str
    drawing : Drawing, optional

    Raises
    ------
    ScenarioError
        If the sweep has no such points, or no such metric.
    """
    drawing = drawing or Drawing()
    roles = _roles(results)
    _require(results, metric, roles)
    losses = _losses(results, metric)
    frozen, perfect = (losses[:, [roles.index(role)]] for role in ("frozen", "hindsight"))
    moving = sorted((role, index) for index, role in enumerate(roles) if isinstance(role, tuple))
    rows = []
    for (width, delay), index in moving:
        own = losses[:, [index]]
        avoided = difference(Pairs.of(own, frozen), MEAN, drawing)
        regret = difference(Pairs.of(perfect, own), MEAN, drawing)
        columns = {"loss": avoided.baseline, "avoided": avoided.absolute, "regret": regret.absolute}
        policy = str(results.points.iloc[index, 1])
        rows.append({"policy": policy, "delay": delay, "width": width, **_flat(columns), "p": avoided.p})
    ends = difference(Pairs.of(perfect, frozen), MEAN, drawing)
    unit = str(results.manifest["metrics"][metric]["unit"])
    slopes = _slopes(losses, moving, drawing)
    levels = (ends.alternative, ends.baseline, ends.absolute)
    return Speed(metric, unit, pd.DataFrame(rows), slopes, *levels, len(losses), drawing.level)


def _roles(results: SweepResults) -> list[str | tuple[float, float]]:
    """What each point is: "frozen", "hindsight", or its width and delay [s]."""
    manifest = results.manifest
    scenarios = [
        patched(manifest["scenario"], each["changes"], each["removed"]) for each in manifest["points"]
    ]
    return [_role(scenario) for scenario in scenarios]


def _role(scenario: Mapping[str, Any]) -> str | tuple[float, float]:
    governance = scenario["governance"]
    if governance["route"] == "frozen":
        return "frozen"
    if scenario["risk_engine"]["model"] == "hindsight":
        return "hindsight"
    if governance["route"] == "direct":
        return UNBOUNDED, _seconds(governance["review"])
    keyed = governance[governance["route"]] if governance["route"] in ("steward", "hub") else {}
    bound = keyed.get("bounds", {}).get("maintenance_margin", {})
    return float(bound.get("relative") or UNBOUNDED), _seconds(keyed.get("review", "0s"))


def _seconds(text: str) -> float:
    return float(str(parse_duration(text)))


def _require(results: SweepResults, metric: str, roles: list[str | tuple[float, float]]) -> None:
    problems = []
    if metric not in results.metrics:
        problems.append(Problem(results.place, "", f"the sweep must have the metric {metric}"))
    for role in ("frozen", "hindsight"):
        if roles.count(role) != 1:
            rule = f"one point of the sweep must be {role}, got {roles.count(role)}"
            problems.append(Problem(results.place, "points", rule))
    moving = [role for role in roles if isinstance(role, tuple)]
    if len(moving) < 2 or len(set(moving)) < len(moving):
        rule = "the other points must differ in delay or width, and be two at least"
        problems.append(Problem(results.place, "points", rule))
    if problems:
        raise ScenarioError(problems)


def _losses(results: SweepResults, metric: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The metric by seed and point, (n, p), of seeds that every point has finished."""
    done = results.runs[results.runs["status"] == "done"]
    table = done.pivot_table(index="seed", columns="point", values=metric, dropna=False)
    table = table.reindex(columns=results.points["point"]).dropna()
    if len(table) < 2:
        rule = f"at least 2 seeds must be done at every point, got {len(table)}"
        raise ScenarioError([Problem(results.place, "seeds", rule)])
    found: np.ndarray[Any, np.dtype[np.float64]] = table.to_numpy(dtype=float)
    return found


def _flat(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    return {
        f"{name}{end}": value
        for name, each in estimates.items()
        for end, value in (("", each.value), ("_low", each.low), ("_high", each.high))
    }


def _slopes(
    losses: np.ndarray[Any, np.dtype[np.float64]],
    moving: list[tuple[tuple[float, float], int]],
    drawing: Drawing,
) -> pd.DataFrame:
    """What a day of delay costs between neighbouring delays, and from the shortest on."""
    rows = []
    for width in dict.fromkeys(role[0] for role, _ in moving):
        mine = [(role[1], index) for role, index in moving if role[0] == width]
        pairs = sorted({*pairwise(mine), *((mine[0], other) for other in mine[1:])})
        for (begin, first), (end, second) in pairs:
            days = (end - begin) / DAY
            found = difference(Pairs.of(losses[:, [first]], losses[:, [second]]), MEAN, drawing).absolute
            values = {"value": found.value / days, "low": found.low / days, "high": found.high / days}
            rows.append({"width": width, "begin": begin, "end": end, **values})
    return pd.DataFrame(rows, columns=["width", "begin", "end", "value", "low", "high"])


def width_name(width: float) -> str:
    """A width in words."""
    return "any change" if np.isinf(width) else f"±{percent(width)} a change"


def delay_name(delay: float) -> str:
    """A delay in words."""
    return "at once" if delay == 0 else f"after {duration(round(delay))}"


def speed_tables(found: Speed) -> list[Table]:
    """Loss avoided by delay and width, and what a day of delay costs."""
    widths = sorted(dict.fromkeys(found.curves["width"]), reverse=True)
    first = listing("loss avoided", [width_name(width) for width in widths])
    for delay in sorted(dict.fromkeys(found.curves["delay"])):
        by = found.curves[found.curves["delay"] == delay].set_index("width")
        first.add_row(delay_name(delay), *_cells(by, widths, "avoided", found.unit))
    second = listing("a day of delay costs", [width_name(width) for width in widths])
    spans = sorted(dict.fromkeys(zip(found.slopes["begin"], found.slopes["end"], strict=True)))
    for begin, end in spans:
        by = found.slopes[(found.slopes["begin"] == begin) & (found.slopes["end"] == end)].set_index("width")
        start = "at once" if begin == 0 else duration(begin)
        second.add_row(f"{start} to {duration(end)}", *_cells(by, widths, "", found.unit))
    return [first, second]


def _cells(by: pd.DataFrame, widths: list[float], name: str, unit: str) -> list[str]:
    rows = {width: row for width, (_, row) in zip(by.index, by.iterrows(), strict=True)}
    return [_cell(rows[width], name, unit) if width in rows else "" for width in widths]


def _cell(row: pd.Series, name: str, unit: str) -> str:
    """A number with its interval; a star where zero is outside."""
    low, high = (row[f"{name}_low"], row[f"{name}_high"]) if name else (row["low"], row["high"])
    star = "*" if not low <= 0 <= high else ""
    return _told(row, name, unit).replace(" [", f"{star} \\[", 1)


def answer(found: Speed) -> list[str]:
    """What the curves say, in three sentences."""
    widest = found.curves["width"].max()
    free = found.curves[found.curves["width"] == widest].sort_values("delay")
    first = free.iloc[0]
    without, best = (quantity(each.value, found.unit) for each in (found.without, found.hindsight))
    return [
        f"Without updates the mean loss is {without}, with hindsight {best}; changes "
        f"{delay_name(first['delay'])} and without bounds avoid {_told(first, 'avoided', found.unit)}.",
        _price_of_delay(found, free),
        _price_of_bounds(found, first),
    ]


def _price_of_delay(found: Speed, free: pd.DataFrame) -> str:
    """What a day costs, and from which delay on changes are not shown to help."""
    slopes, first = found.slopes, free.iloc[0]
    mine = slopes[(slopes["width"] == first["width"]) & (slopes["begin"] == first["delay"])]
    steep = mine.loc[(mine["end"] - first["delay"] - DAY).abs().idxmin()]
    late = free[~(free["avoided_low"] > 0)]
    ends = delay_name(late["delay"].iloc[0]) if len(late) else delay_name(free["delay"].iloc[-1])
    until = f"{ends} they are not shown to help" if len(late) else f"even {ends} they are shown to help"
    return (
        f"A day of delay costs {_told(steep, '', found.unit)} between changes {delay_name(steep['begin'])} "
        f"and {delay_name(steep['end'])}; {until}."
    )


def _price_of_bounds(found: Speed, first: pd.Series) -> str:
    """What is left of the loss avoided where changes are bounded."""
    rows = found.curves[(found.curves["width"] < first["width"]) & (found.curves["delay"] == first["delay"])]
    if rows.empty:
        return "No bounds on changes were compared."
    told = [
        f"{width_name(row['width'])} avoids {_told(row, 'avoided', found.unit)}"
        for _, row in rows.sort_values("width", ascending=False).iterrows()
    ]
    return f"With a bound on each change, {delay_name(first['delay'])}, {joined(told)}."


def _told(row: pd.Series, name: str, unit: str) -> str:
    """A number with its interval."""
    names = (name, f"{name}_low", f"{name}_high") if name else ("value", "low", "high")
    value, low, high = (quantity(row[each], unit) for each in names)
    return f"{value} [{low}, {high}]"
