"""Metrics of attacks on governance: whether they came through, what they cost and brought, who noticed."""

import numpy as np
import pandas as pd

from sim.metric_registry import RunTables, market_metric, venue_metric

EXTREME = 1e-9


def _attacks(run: RunTables) -> pd.DataFrame | None:
    """Rows of attackers who propose; None without any."""
    rows = run.more.get("attacks")
    if rows is None or not len(rows):
        return None
    return rows[rows["proposes"]] if rows["proposes"].any() else None


@venue_metric("Hostile proposal executed", "1", "Governance", worse="higher")
def attack_success(run: RunTables) -> float | None:
    """Whether a proposal of an attacker was executed within the run: 1 or 0."""
    rows = _attacks(run)
    return None if rows is None else float((rows["executed"] > 0).any())


@venue_metric("Paid to attackers", "USD", "Governance", worse="higher")
def attack_paid_usd(run: RunTables) -> float | None:
    """Money that attackers' proposals moved to their accounts, and what tokens brought that these made."""
    rows = _attacks(run)
    return None if rows is None else float(rows["paid_usd"].sum())


@venue_metric("Attackers' costs", "USD", "Governance", worse="lower")
def attack_cost_usd(run: RunTables) -> float | None:
    """What attackers of governance spent: purchases of votes net of sales, interest, fees, bribes, keys."""
    rows = run.more.get("attacks")
    return None if rows is None else float(rows["cost_usd"].sum())


@venue_metric("Attack to notice", "s", "Governance", worse="higher")
def attack_detection_seconds(run: RunTables) -> float | None:
    """Time from an attacker's first act to a veto or pause of the guardian, or the engine's drift alarm."""
    rows = run.more.get("attacks")
    if rows is None or not len(rows) or rows["noticed"].isna().all():
        return None
    return float((rows["noticed"] - rows["first"]).dt.total_seconds().min())


@venue_metric("Farthest drift", "1", "Governance", worse="higher")
def parameter_drift(run: RunTables) -> float | None:
    """Largest size of the log of a parameter over its opening value, of those that proposals have changed."""
    changed = run.more.get("parameters")
    if changed is None or run.more.get("proposals") is None:
        return None
    moved = changed[changed["block"] > 0]
    first = moved.groupby(["market", "parameter"])["old"].transform("first")
    both = (first > EXTREME) & (moved["new"] > EXTREME)
    ratio = np.abs(np.log((moved["new"] / first)[both].to_numpy()))
    return float(ratio.max(initial=0.0))


@market_metric("Margin since the attack", "1", "Governance", worse="higher")
def margin_shift(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean maintenance margin from an attacker's first act to the end, over that in force at that act."""
    attacks = run.more.get("attacks")
    if attacks is None or attacks["first"].isna().all():
        return None
    since = rows["time"] >= attacks["first"].min()
    margin = rows.loc[since, "maintenance_margin"]
    return float(margin.mean() / margin.iloc[0])
