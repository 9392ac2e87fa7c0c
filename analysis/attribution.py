"""What caused a loss: the same world again, without one cause after the other, and without several at once.

Causes interact: where liquidations move no price, a finite fund may be enough. So each cause is given its
Shapley value, the mean of what it adds over all orders in which causes could come; with what is left when
all are gone, the shares add up to the loss exactly.

References
----------
.. [1] Shapley, "A value for n-person games" (1953).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.cascades import result_anatomy
from analysis.margins.measures import student_interval
from analysis.reductions import Report, reduced, scenario_of
from analysis.waves import reproduction, wave_sizes
from sim.configuration import Scenario
from sim.rerun import changed
from sim.run import Result, run
from sim.sweeps.tasks import Row, scenario_digest

LEVEL = 0.95
ENDLESS_FUND = 20.0
WORLD = "the world"
SHARES = ["outcome", "cause", "value", "low", "high", "without", "saved", "saved_low", "saved_high"]


@dataclass(frozen=True)
class Cause:
    """Something that may have made a crash worse.

    Attributes
    ----------
    name, label : str
        In tables, and what it says to people.
    applies : callable
        Whether a scenario has it.
    without : callable
        Settings by path under which it is gone.
    """

    name: str
    label: str
    applies: Callable[[Scenario], bool]
    without: Callable[[Scenario], dict[str, Any]]


def _changes_rules(scenario: Scenario) -> bool:
    """Whether parameters may change in a run."""
    governance = scenario.governance
    acts = scenario.risk_engine.model not in ("none", "static") or governance.proposes
    return bool(acts and governance.route != "frozen")


def _fund(scenario: Scenario) -> dict[str, Any]:
    """An insurance fund that no loss on the venue can empty."""
    interest = scenario.world.share * scenario.world.open_interest
    return {"protocol.insurance_fund": ENDLESS_FUND * interest}


CAUSES = (
    Cause(
        "impact",
        "liquidations move prices",
        lambda scenario: scenario.world.impact.liquidations,
        lambda _: {"world.impact.liquidations": False},
    ),
    Cause(
        "reaction",
        "parameters change",
        _changes_rules,
        lambda _: {"governance.route": "frozen", "governance.agenda": []},
    ),
    Cause(
        "delay",
        "changes take time",
        lambda scenario: (
            _changes_rules(scenario)
            and (scenario.governance.route != "direct" or scenario.governance.review > 0)
        ),
        lambda _: {"governance.route": "direct", "governance.review": 0},
    ),
    Cause("fund", "the insurance fund has an end", lambda scenario: True, _fund),
)
ENDOGENOUS, REPRODUCTION, SIZE = "endogenous_share", "reproduction", "cascade@"
MEASURED = (ENDOGENOUS, REPRODUCTION)
OUTCOMES = ("bad_debt_gross_usd", "liquidated_usd", "deleveraged_usd", "uncovered_usd")


def applying(scenario: Scenario, names: Sequence[str] = ()) -> tuple[Cause, ...]:
    """Causes that a scenario has; of those only the named ones, if any are named."""
    return tuple(each for each in CAUSES if each.applies(scenario) and (not names or each.name in names))


def arms(scenario: Scenario, causes: Sequence[Cause]) -> dict[frozenset[str], Scenario]:
    """The scenario with each set of causes at work, the others taken away; by the set."""
    found = {}
    for kept in _subsets([each.name for each in causes]):
        changes: dict[str, Any] = {}
        for cause in reversed(causes):
            if cause.name not in kept:
                changes |= cause.without(scenario)
        found[kept] = changed(scenario, changes) if changes else scenario
    return found


def _subsets(names: Sequence[str]) -> list[frozenset[str]]:
    return [frozenset(each) for count in range(len(names) + 1) for each in combinations(names, count)]


def shapley(worth: Mapping[frozenset[str], float], names: Sequence[str]) -> dict[str, float]:
    """What each cause adds, the mean over all orders in which they could come.

    Parameters
    ----------
    worth : mapping of frozenset of str to float
        Outcome with exactly these causes at work, for every subset of `names`.
    names : sequence of str

    Returns
    -------
    dict of str to float
        They add up to what all causes add to none.
    """
    count, found = len(names), dict.fromkeys(names, 0.0)
    for name in names:
        others = [other for other in names if other != name]
        for before in _subsets(others):
            weight = factorial(len(before)) * factorial(count - len(before) - 1) / factorial(count)
            found[name] += weight * (worth[before | {name}] - worth[before])
    return found


@dataclass(frozen=True)
class Attribution:
    """What caused the outcomes of a run.

    Attributes
    ----------
    causes : tuple of Cause
    seeds : int
        Worlds in which every set of causes was run to its end.
    rows : DataFrame
        A row for each set of causes and seed: `kept` (names joined by "+"), `seed`, and every outcome.
    shares : DataFrame
        A row for each outcome and cause, and one for what is left without any, `the world`: `outcome`,
        `cause`, `value`, `low`, `high` (Student's 95 % interval over seeds), and what the outcome would be
        `without` it, all others at work, with `saved`, `saved_low`, `saved_high`, the paired difference.
    cascades : DataFrame
        A row for each seed with all causes at work: `endogenous_share`, the share of what was liquidated that
        liquidations caused, and `reproduction`, R₀ [1]; NaN where nothing was liquidated.
    sizes : (c,) float64
        What was liquidated in each cascade of these runs [USD].
    failures : tuple of str
    """

    causes: tuple[Cause, ...]
    seeds: int
    rows: pd.DataFrame
    shares: pd.DataFrame
    cascades: pd.DataFrame
    sizes: NDArray[np.float64]
    failures: tuple[str, ...]

    def mean(self, outcome: str, kept: frozenset[str]) -> float:
        """Mean of an outcome with these causes at work."""
        return float(self.rows.loc[self.rows["kept"] == _key(kept), outcome].mean())

    @property
    def everything(self) -> frozenset[str]:
        """All causes at work, as it was."""
        return frozenset(each.name for each in self.causes)


def reduce_outcomes(name: str, scenario: Scenario, seed: int, *, whole: str = "") -> dict[str, float]:
    """Outcomes of one run.

    Losses and volumes [USD], the worst fall of each market's prices [1]; of the arm `whole` also the
    endogenous share and R₀ [1], and what was liquidated in each cascade [USD], under `cascade@` and a number.
    """
    result = run(scenario, seed)
    names = [
        *OUTCOMES,
        *(f"{kind}_drawdown_{market}" for kind in ("outside", "mark") for market in scenario.markets),
    ]
    values = {each: result.summary[each] for each in names}
    told = _anatomy(result) if name == whole else {}
    return {each: np.nan if value is None else float(value) for each, value in (values | told).items()}


def _anatomy(result: Result) -> dict[str, float | None]:
    found = result_anatomy(result)
    ratios = reproduction(found.volume)
    told = {ENDOGENOUS: found.endogenous_share, REPRODUCTION: ratios[0] if len(ratios) else None}
    return told | {f"{SIZE}{number}": size for number, size in enumerate(wave_sizes(found))}


def attribute(
    scenario: Scenario,
    seeds: Sequence[int],
    causes: Sequence[Cause],
    workers: int | None = None,
    report: Report | None = None,
) -> Attribution:
    """Run a scenario with every set of its causes at work, on the same seeds, and share out what came of it.

    Parameters
    ----------
    scenario : Scenario
    seeds : sequence of int
    causes : sequence of Cause
    workers, report
        As for `analysis.reductions.reduced`.
    """
    wanted = {_key(kept): each for kept, each in arms(scenario, causes).items()}
    equal: dict[str, list[str]] = {}
    for name, each in wanted.items():
        equal.setdefault(scenario_digest(each), []).append(name)
    twins = {names[0]: names for names in equal.values()}
    everything = _key(frozenset(each.name for each in causes))
    whole = next(name for name, names in twins.items() if everything in names)
    reduce = partial(reduce_outcomes, whole=whole)
    done = reduced({name: wanted[name] for name in twins}, seeds, reduce, workers, report)
    finished = [row for row in done if row.status == "done"]
    rows = pd.DataFrame(
        [
            {"kept": name, "seed": row.seed} | _outcomes(row.metrics)
            for row in finished
            for name in twins[scenario_of(row.key)]
        ]
    )
    cascades, sizes = _cascades([row for row in finished if scenario_of(row.key) == whole])
    failures = tuple(f"{row.key}  {row.error}" for row in done if row.status != "done")
    names = [each.name for each in causes]
    complete = _complete(rows, len(wanted)) if len(rows) else pd.DataFrame(columns=["kept", "seed"])
    return Attribution(
        tuple(causes),
        complete["seed"].nunique(),
        rows,
        _shares(complete, names),
        cascades,
        sizes,
        failures,
    )


def _cascades(rows: Sequence[Row]) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Endogenous share and R₀ of each run, and the sizes of all their cascades."""
    told = [{"seed": row.seed} | {name: row.metrics[name] for name in MEASURED} for row in rows]
    sizes = [size for row in rows for name, size in row.metrics.items() if name.startswith(SIZE)]
    frame = pd.DataFrame(told, columns=["seed", *MEASURED])
    return frame.astype(dict.fromkeys(MEASURED, float)), np.array(sizes, dtype=float)


def _outcomes(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """What is shared out among causes."""
    return {
        name: value for name, value in metrics.items() if name not in MEASURED and not name.startswith(SIZE)
    }


def _key(kept: frozenset[str]) -> str:
    return "+".join(sorted(kept)) or "none"


def _complete(rows: pd.DataFrame, arms: int) -> pd.DataFrame:
    """Rows of seeds that every arm has finished."""
    finished = rows.groupby("seed")["kept"].transform("nunique") == arms
    return rows[finished]


def _shares(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Shapley values of each outcome over seeds, with intervals."""
    found = []
    outcomes = [column for column in rows.columns if column not in ("kept", "seed")]
    for outcome in outcomes:
        table = rows.pivot(index="seed", columns="kept", values=outcome).fillna(0.0)
        by_seed = [
            shapley({kept: float(row[_key(kept)]) for kept in _subsets(names)}, names)
            for _, row in table.iterrows()
        ]
        for name in (*names, WORLD):
            values = table["none"] if name == WORLD else pd.Series([each[name] for each in by_seed])
            found.append(_share_row(outcome, name, values.to_numpy(dtype=float), table, names))
    return pd.DataFrame(found, columns=SHARES)


def _share_row(
    outcome: str, name: str, values: np.ndarray[Any, Any], table: pd.DataFrame, names: Sequence[str]
) -> dict[str, object]:
    everything = frozenset(names)
    row: dict[str, object] = {"outcome": outcome, "cause": name}
    row |= dict(zip(("value", "low", "high"), student_interval(values, LEVEL), strict=True))
    if name == WORLD:
        return row | dict.fromkeys(("without", "saved", "saved_low", "saved_high"), np.nan)
    without = table[_key(everything - {name})]
    saved = student_interval((table[_key(everything)] - without).to_numpy(dtype=float), LEVEL)
    row["without"] = float(without.mean())
    return row | dict(zip(("saved", "saved_low", "saved_high"), saved, strict=True))


def amplification(found: Attribution, market: str, kind: str = "outside") -> tuple[float, float, float]:
    """Fall of a price over what it would have fallen if liquidations moved none, with Student's interval.

    1 where they do not matter; NaN where the run has no such cause.
    """
    if "impact" not in found.everything:
        return (np.nan, np.nan, np.nan)
    table = found.rows.pivot(index="seed", columns="kept", values=f"{kind}_drawdown_{market}")
    with_it, without = table[_key(found.everything)], table[_key(found.everything - {"impact"})]
    return student_interval((with_it / without).to_numpy(dtype=float), LEVEL)
