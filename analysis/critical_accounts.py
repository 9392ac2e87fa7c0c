"""Accounts whose absence would have shrunk a cascade most: found by their pushes, proved by a run without."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.cascades import Anatomy
from analysis.reductions import Report, reduced, scenario_of
from sim.configuration import Scenario
from sim.rerun import changed
from sim.run import run

Floats = NDArray[np.float64]
OUTCOMES = ("bad_debt_gross_usd", "liquidated_usd")
EVERYBODY = "everybody"


def influence(found: Anatomy) -> Floats:
    """What each failure's liquidation has brought about, itself included, (n,) [USD].

    Its own volume and, by its shares, that of all failures that it pushed, and that these pushed in turn.
    """
    credit = np.zeros(len(found.moves))
    total = found.failures["liquidated_usd"].to_numpy(dtype=float).copy()
    falls, pushes = (_by_failure(table, len(total)) for table in (found.falls, found.pushes))
    for failure in range(len(total) - 1, -1, -1):
        moves, shares = pushes[failure]
        total[failure] += shares @ credit[moves]
        moves, shares = falls[failure]
        credit[moves] += shares * total[failure]
    return total


def _by_failure(table: pd.DataFrame, failures: int) -> list[tuple[NDArray[np.int64], Floats]]:
    """Moves and shares of each failure; no move is there twice."""
    ordered = table.sort_values("failure", kind="stable")
    borders = np.searchsorted(ordered["failure"], np.arange(1, failures))
    moves, shares = (np.split(ordered[name].to_numpy(), borders) for name in ("move", "share"))
    return list(zip(moves, shares, strict=True))


def suspects(found: Anatomy, count: int) -> pd.DataFrame:
    """Accounts with the largest influence: `account`, `role`, `liquidated_usd`, `influence_usd` [USD]."""
    frame = found.failures.assign(influence_usd=influence(found))
    columns = {"role": "first", "liquidated_usd": "sum", "influence_usd": "sum"}
    by_account = frame.groupby("account").agg(columns).reset_index()
    return by_account.nlargest(count, "influence_usd").reset_index(drop=True)


def reduce_cascade(name: str, scenario: Scenario, seed: int) -> dict[str, float]:
    """Bad debt and volume liquidated in one run [USD]."""
    summary = run(scenario, seed).summary
    return {outcome: float(summary[outcome] or 0.0) for outcome in OUTCOMES}


def without_each(
    scenario: Scenario,
    seed: int,
    accounts: Sequence[int],
    workers: int | None = None,
    report: Report | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The same run without one account after the other.

    Returns
    -------
    table : DataFrame
        One row for each account: `account`, and for each outcome what it was `without`, and what its absence
        `saves` [USD]; NaN where one of the two runs has failed.
    failures : tuple of str
        A line for each run that ended with an error.
    """
    if not accounts:
        return pd.DataFrame({"account": []}), ()
    arms = {EVERYBODY: scenario} | {
        str(account): changed(scenario, {"agents.absent": [*scenario.agents.absent, account]})
        for account in accounts
    }
    rows = reduced(arms, [seed], reduce_cascade, workers, report)
    done = {scenario_of(row.key): row.metrics for row in rows if row.status == "done"}
    table = pd.DataFrame({"account": accounts})
    for name in OUTCOMES:
        numbers = [done.get(arm, {}).get(name) for arm in arms]
        whole, *without = np.array(numbers, dtype=float)
        table[f"without_{name}"] = without
        table[f"saves_{name}"] = whole - np.array(without)
    return table, tuple(f"{row.key}  {row.error}" for row in rows if row.status != "done")
