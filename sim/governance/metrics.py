"""Metrics of governance: how late, how far, how often in vain.

References
----------
.. [1] Chaos Labs AgentHub and Aave RiskSteward: clamps, expiry and spacing are what these numbers measure.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from sim.metric_registry import RunTables, market_metric, venue_metric

DAY = pd.Timedelta(days=1)
MAINTENANCE = "maintenance_margin"


def _proposals(run: RunTables) -> pd.DataFrame | None:
    return run.more.get("proposals")


def _share(run: RunTables, state: str) -> float | None:
    rows = _proposals(run)
    return None if rows is None else float((rows["state"] == state).mean())


@venue_metric("Proposals", "proposals", "Governance")
def proposals(run: RunTables) -> float | None:
    """Number of proposals, on all routes, those that were refused at once included."""
    rows = _proposals(run)
    return None if rows is None else float(len(rows))


@venue_metric("Executed", "1", "Governance")
def proposals_executed_share(run: RunTables) -> float | None:
    """Share of proposals that were executed within the run."""
    return _share(run, "executed")


@venue_metric("Expired", "1", "Governance", worse="higher")
def proposals_expired_share(run: RunTables) -> float | None:
    """Share of proposals that expired before they could be executed."""
    return _share(run, "expired")


@venue_metric("Superseded or vetoed", "1", "Governance")
def proposals_cancelled_share(run: RunTables) -> float | None:
    """Share of proposals that a newer one, their proposer or the guardian has cancelled."""
    return _share(run, "cancelled")


@venue_metric("Refused", "1", "Governance", worse="higher")
def proposals_rejected_share(run: RunTables) -> float | None:
    """Share of proposals that their route refused, at once or when they were due."""
    return _share(run, "rejected")


@venue_metric("Cut to a bound", "1", "Governance", worse="higher")
def clamp_binding_share(run: RunTables) -> float | None:
    """Share of proposals of which some value was cut to the largest change at once."""
    rows = _proposals(run)
    return None if rows is None else float((rows["truncated"] > 0).mean())


@venue_metric("From proposal to force", "s", "Governance", worse="higher")
def execution_delay_seconds(run: RunTables) -> float | None:
    """Mean time from the moment a proposal speaks of to its execution, of those that were executed."""
    rows = _proposals(run)
    if rows is None or not (rows["state"] == "executed").any():
        return None
    done = rows[rows["state"] == "executed"]
    return float((done["ended"] - done["published"]).dt.total_seconds().mean())


@venue_metric("Whipsaws", "changes", "Governance", worse="higher")
def whipsaws(run: RunTables) -> float | None:
    """Number of changes of a parameter that turned back, within a day, the way the one before had gone."""
    changed, found = run.more.get("parameters"), 0
    if changed is None:
        return None
    for _, rows in changed[changed["block"] > 0].groupby(["market", "parameter"]):
        step, gap = (rows["new"] - rows["old"]).map(np.sign), rows["time"].diff()
        found += int(((step * step.shift() < 0) & (gap <= DAY)).sum())
    return float(found)


@market_metric("Regime change to margin", "s", "Governance", worse="higher")
def parameter_latency_seconds(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean time from a change of the hidden regime until the margin in force is half way to its target."""
    wanted = _targets(rows, run)
    if wanted is None or "regime" not in run.blocks:
        return None
    frame = rows[["time", MAINTENANCE]].assign(regime=run.blocks["regime"].to_numpy())
    frame = pd.merge_asof(frame, wanted, on="time")
    stretches = [stretch for _, stretch in frame.groupby((frame["regime"].diff() != 0).cumsum())]
    waits = [_wait(before, after) for before, after in pairwise(stretches)]
    return float(np.mean(waits)) if waits else None


def _wait(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Time until the margin has followed half way [s].

    Half way from the mean of the targets in the stretch before to their mean in the new one; all of it, where
    the margin never does.
    """
    old, new = before["target"].mean(), after["target"].mean()
    there = np.sign(new - old) * (after[MAINTENANCE] - (old + new) / 2) >= 0
    reached = after["time"][there].iloc[0] if there.any() else after["time"].iloc[-1]
    return float((reached - before["time"].iloc[-1]).total_seconds())


def _targets(rows: pd.DataFrame, run: RunTables) -> pd.DataFrame | None:
    """Targets of a market's maintenance margin in the order of time; None where no engine had any."""
    decided = run.more.get("decisions")
    if decided is None:
        return None
    mine = (decided["market"] == rows["market"].iloc[0]) & (decided["parameter"] == "maintenance")
    return decided.loc[mine, ["time", "target"]] if mine.any() else None


def _shortfall(rows: pd.DataFrame, run: RunTables, sign: int) -> float | None:
    """Mean over time of how far the margin in force lies below (1) or above (-1) the engine's target."""
    wanted = _targets(rows, run)
    if wanted is None:
        return None
    joined = pd.merge_asof(rows[["time", MAINTENANCE]], wanted, on="time")
    gap = sign * (joined["target"] - joined[MAINTENANCE])
    return float(gap.clip(lower=0).mean())


@market_metric("Under the target", "1", "Governance", worse="higher")
def under_margin(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean over time of how far the maintenance margin in force lay below what the engine aimed at."""
    return _shortfall(rows, run, 1)


@market_metric("Over the target", "1", "Governance")
def over_margin(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean over time of how far the maintenance margin in force lay above what the engine aimed at."""
    return _shortfall(rows, run, -1)


@venue_metric("Turnout, mean", "1", "Governance")
def turnout(run: RunTables) -> float | None:
    """Mean share of delegated power that voted, of proposals whose vote has ended."""
    rows = _proposals(run)
    if rows is None or "turnout" not in rows or rows["turnout"].isna().all():
        return None
    return float(rows["turnout"].mean())


@venue_metric("Acts of the guardian", "acts", "Governance")
def guardian_acts(run: RunTables) -> float | None:
    """Number of vetoes and pauses."""
    rows = run.more.get("governance")
    return None if rows is None else float((rows["proposal"] < 0).sum())
