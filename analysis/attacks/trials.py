"""Runs of attacks with and without guards, reduced to a handful of numbers each."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.attacks.catalogue import HOLE, AttackCase, SuccessRule
from analysis.margins.measures import student_interval
from analysis.reductions import Report, reduced
from sim.configuration import Scenario
from sim.run import run
from sim.scenario import load_scenario

MEASURED = ("profit", "executed", "shift", "cost", "loss", "detection")
PROTOCOL = ("insurance_fund", "depositors", "venue")
LEVEL = 0.95


@dataclass(frozen=True)
class Trials:
    """What came of attacks.

    Attributes
    ----------
    rows : DataFrame
        A row for each attack, arm and seed that was run to its end, with `success` beside what is measured.
    summary : DataFrame
        A row for each attack and arm; see `summarised`.
    least : dict of str to str
        For each attack with a swept guard the weakest strength at which it pays in no more than 5 % of
        seeds; empty where none of those tried is enough.
    failures : tuple of str
        A line for each run that ended with an error.
    """

    rows: pd.DataFrame
    summary: pd.DataFrame
    least: Mapping[str, str]
    failures: tuple[str, ...]


def reduce_attack(name: str, scenario: Scenario, seed: int) -> dict[str, float]:
    """Numbers of one run.

    Returns
    -------
    dict
        Profit of all attackers [USD]; whether a proposal of theirs was executed; their largest shift of a
        margin [1]; cost of votes [USD]; loss of insurance funds, depositors and the venue, with what nobody
        has paid [USD]; time until somebody noticed [s]. NaN where there is no such number.
    """
    found = run(scenario, seed)
    summary, agents = found.summary, found.tables["agents"].set_index("role")["pnl"]
    profits = [value for key, value in summary.items() if key.startswith("attack_profit_")]
    shifts = [value for key, value in summary.items() if key.startswith("margin_shift_")]
    return {
        "profit": sum(_number(value) for value in profits),
        "executed": _number(summary["attack_success"]),
        "shift": max(map(_number, shifts), default=nan),
        "cost": _number(summary["attack_cost_usd"]),
        "loss": float(_number(summary["uncovered_usd"]) - agents[agents.index.isin(PROTOCOL)].sum()),
        "detection": _number(summary["attack_detection_seconds"]),
    }


def _number(value: float | None) -> float:
    return nan if value is None else value


def trials(
    cases: Mapping[str, AttackCase],
    seeds: Sequence[int],
    workers: int | None = None,
    report: Report | None = None,
) -> Trials:
    """Run every attack with its hole open, and under each guard, with the same seeds.

    Parameters
    ----------
    cases : mapping of str to AttackCase
    seeds : sequence of int
    workers, report
        As for `analysis.reductions.reduced`.

    Raises
    ------
    ScenarioError
        If an arm is no scenario that can be run.
    """
    arms = {(name, arm): settings for name, case in cases.items() for arm, settings in case.arms().items()}
    scenarios = {
        f"{name}|{arm}": load_scenario(cases[name].scenario, list(settings))
        for (name, arm), settings in arms.items()
    }
    done = reduced(scenarios, seeds, reduce_attack, workers, report)
    rows = [
        {"attack": key[0], "arm": key[1], "seed": row.seed, **row.metrics}
        for row in done
        if row.status == "done" and (key := row.key.partition(":")[0].split("|"))
    ]
    frame = pd.DataFrame(rows, columns=["attack", "arm", "seed", *MEASURED])
    frame = frame.astype(dict.fromkeys(MEASURED, float))
    frame["success"] = [_succeeded(cases[row["attack"]].success, row) for row in frame.to_dict("records")]
    failures = tuple(f"{row.key}  {row.error}" for row in done if row.status != "done")
    summary = summarised(frame, list(arms))
    return Trials(frame, summary, least_guards(cases, frame), failures)


def _succeeded(rule: SuccessRule, row: Mapping[Hashable, Any]) -> bool:
    return bool(row[rule.number] > rule.above)


def summarised(rows: pd.DataFrame, arms: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Numbers of each attack and arm over seeds, those left out that have no run.

    Returns
    -------
    DataFrame
        `attack`, `arm`, `seeds`; `success` with Wilson's interval; mean `cost`; mean `profit` with Student's
        interval, and the best of all seeds for the attacker; mean `loss`; share of seeds in which it was
        `noticed`, and the median time of those [s].
    """
    groups = dict(iter(rows.groupby(["attack", "arm"], sort=False)))
    found = [_of_arm(*key, groups[key]) for key in arms if key in groups]
    return pd.DataFrame(found)


def _of_arm(attack: str, arm: str, rows: pd.DataFrame) -> dict[str, object]:
    wins, count = int(rows["success"].sum()), len(rows)
    wilson = stats.binomtest(wins, count).proportion_ci(LEVEL, method="wilson")
    mean, low, high = student_interval(rows["profit"].to_numpy(), LEVEL)
    noticed = rows["detection"].dropna()
    return {
        "attack": attack,
        "arm": arm,
        "seeds": count,
        "success": wins / count,
        "success_low": float(wilson.low),
        "success_high": float(wilson.high),
        "cost": rows["cost"].mean(),
        "profit": mean,
        "profit_low": low,
        "profit_high": high,
        "profit_most": float(rows["profit"].max()),
        "loss": rows["loss"].mean(),
        "noticed": len(noticed) / count,
        "detection": noticed.median() if len(noticed) else nan,
    }


def least_guards(cases: Mapping[str, AttackCase], rows: pd.DataFrame) -> dict[str, str]:
    """The weakest strength of each swept guard from which on an attack no longer pays; empty without one.

    It does not pay where 95 % of seeds bring no profit; for an attack that is after a margin, no success.
    """
    worst = {
        key: np.quantile(group[["profit", "shift"]], 0.95, axis=0, method="higher")
        for key, group in rows.groupby(["attack", "arm"])
    }
    found = {}
    for name, case in cases.items():
        moves = case.success.number == "shift"
        bar = case.success.above if moves else 0.0
        strengths = [arm for arm in case.strengths() if (name, arm) in worst]
        if strengths:
            pays = [index for index, arm in enumerate(strengths) if worst[name, arm][int(moves)] > bar]
            first = pays[-1] + 1 if pays else 0
            found[name] = strengths[first] if first < len(strengths) else ""
    return found


def guarded(summary: pd.DataFrame, attack: str, arm: str = HOLE) -> pd.Series:
    """The row of one attack and arm."""
    rows = summary[(summary["attack"] == attack) & (summary["arm"] == arm)]
    return rows.iloc[0]
