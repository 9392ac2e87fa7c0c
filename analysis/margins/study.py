"""Policies of a sweep along the same price paths: numbers, tables and files."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import floor, log10
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from analysis.listing import listing
from analysis.margins.course import margin_course
from analysis.margins.measures import NUMBERS, intervals, measures
from analysis.reductions import Report, reduced, scenario_of
from sim.configuration import Scenario
from sim.sweeps.study import Study

SHARES = ("margin", "rise_24h", "rise_5d", "stressed_breaches", "shortfall", "moves")


SHOWN = [number for number in NUMBERS if number not in ("shortfall", "moves")]


@dataclass(frozen=True)
class Margins:
    """What policies ask for at equal coverage.

    Attributes
    ----------
    rows : DataFrame
        A row for each policy and world.
    summary : DataFrame
        As `analysis.margins.measures.intervals` returns it.
    policies : tuple of str
    baseline : str
    coverage : float
    failures : tuple of str
        A line for each world of a policy that ended with an error.
    """

    rows: pd.DataFrame
    summary: pd.DataFrame
    policies: tuple[str, ...]
    baseline: str
    coverage: float
    failures: tuple[str, ...]


def reduce_course(name: str, scenario: Scenario, seed: int, *, coverage: float) -> dict[str, float]:
    """Numbers of one policy in one world."""
    return measures(margin_course(scenario, seed), coverage)


def margins(
    study: Study,
    seeds: Sequence[int],
    coverage: float,
    workers: int | None = None,
    report: Report | None = None,
) -> Margins:
    """Run every policy of a study along the prices of every seed; see `reduced` for the other arguments.

    Parameters
    ----------
    study : Study
        Of one axis, whose points differ in their risk engine.
    seeds : sequence of int
    coverage : float
        Share of moves that every margin is scaled to cover.

    Raises
    ------
    ValueError
        If the study has more than one axis.
    """
    if len(study.axes) != 1:
        raise ValueError(f"margins are compared along one axis, got {', '.join(study.axes)}")
    scenarios = {
        str(point.labels[study.axes[0]]): Scenario.model_validate_json(point.scenario)
        for point in study.points
    }
    rows = reduced(scenarios, seeds, partial(reduce_course, coverage=coverage), workers, report)
    done = [
        {"policy": scenario_of(row.key), "seed": row.seed, **row.metrics}
        for row in rows
        if row.status == "done"
    ]
    failures = tuple(f"{row.key}  {row.error}" for row in rows if row.status != "done")
    frame = pd.DataFrame(done, columns=["policy", "seed", *NUMBERS]).astype(dict.fromkeys(NUMBERS, float))
    policies = tuple(name for name in scenarios if (frame["policy"] == name).any())
    wanted = (study.settings.baseline or {}).get(study.axes[0])
    baseline = str(wanted) if str(wanted) in policies else policies[0] if policies else ""
    return Margins(frame, intervals(frame, policies, baseline), policies, baseline, coverage, failures)


def margin_table(found: Margins) -> Table:
    """Mean over worlds and half-width of its 95 % interval; a star where it differs from the baseline."""
    table = listing("policy", [NUMBERS[number] for number in SHOWN])
    by = {(row["policy"], row["number"]): row for row in found.summary.to_dict("records")}
    for policy in found.policies:
        cells = [_cell(by[policy, number], number, policy != found.baseline) for number in SHOWN]
        table.add_row(policy, *cells)
    return table


def _cell(row: Mapping[Hashable, Any], number: str, other: bool) -> str:
    unit = 100 if number in SHARES else 1
    half = unit * (row["high"] - row["mean"])
    star = "*" if other and not row["difference_low"] <= 0 <= row["difference_high"] else ""
    return f"{measured(unit * row['mean'], half)}{star}"


def measured(value: float, half: float) -> str:
    """A number with the half-width of its interval, both to that one's first figure."""
    if not half > 1e-6 * abs(value):
        return f"{value:.3g}"
    places = max(0, -floor(log10(half)))
    return f"{value:.{places}f} ±{half:.{places}f}"


def verdict(found: Margins) -> str:
    """What was held equal, and what a star means."""
    share = f"{100 * found.coverage:g} %"
    return (
        f"every margin covers {share} of the moves over its horizon; * differs from {found.baseline} at 95 %"
    )


def write_margins(found: Margins, folder: Path) -> None:
    """Write `worlds.csv` and `margins.csv` into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.rows.to_csv(folder / "worlds.csv", index=False)
    found.summary.to_csv(folder / "margins.csv", index=False)
