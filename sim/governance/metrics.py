"""Metrics of governance: how late, how far, how often in vain.

References
----------
.. [1] Chaos Labs AgentHub and Aave RiskSteward: clamps, expiry and spacing are what these numbers measure.
"""

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


def _changes(run: RunTables, market: str = "") -> pd.DataFrame:
    """Changes of parameters after the opening, of one market or all."""
    rows = run.more.get("parameters")
    if rows is None:
        return pd.DataFrame(columns=["time", "market", "parameter", "old", "new"])
    changed = rows[rows["block"] > 0]
    return changed[changed["market"] == market] if market else changed


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
    if run.more.get("parameters") is None:
        return None
    found = 0
    for _, rows in _changes(run).groupby(["market", "parameter"]):
        step, gap = (rows["new"] - rows["old"]).map(np.sign), rows["time"].diff()
        found += int(((step * step.shift() < 0) & (gap <= DAY)).sum())
    return float(found)


@market_metric("Regime change to margin", "s", "Governance", worse="higher")
def parameter_latency_seconds(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean time from a change of the hidden regime to the first change of maintenance margin that answers it.

    A wilder regime is answered by a higher margin and a calmer one by a lower; one that nothing answers
    while it lasts counts with its whole length.
    """
    moves = _changes(run, str(rows["market"].iloc[0]))
    moves = moves[moves["parameter"] == MAINTENANCE]
    if "regime" not in run.blocks or run.more.get("proposals") is None:
        return None
    step = run.blocks["regime"].diff().fillna(0)
    starts = run.blocks["time"][step != 0]
    if not len(starts):
        return None
    ends = [*starts[1:], run.blocks["time"].iloc[-1]]
    waits = []
    for begin, end, way in zip(starts, ends, np.sign(step[step != 0]), strict=True):
        meant = np.sign(moves["new"] - moves["old"]) == way
        answered = moves["time"][meant & (moves["time"] > begin) & (moves["time"] <= end)]
        waits.append(((answered.iloc[0] if len(answered) else end) - begin).total_seconds())
    return float(np.mean(waits))


def _shortfall(rows: pd.DataFrame, run: RunTables, sign: int) -> float | None:
    """Mean over time of how far the margin in force lies below (1) or above (-1) the engine's target."""
    decided = run.more.get("decisions")
    if decided is None:
        return None
    market = str(rows["market"].iloc[0])
    wanted = decided[(decided["market"] == market) & (decided["parameter"] == "maintenance")]
    if not len(wanted):
        return None
    joined = pd.merge_asof(rows[["time", MAINTENANCE]], wanted[["time", "target"]], on="time")
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
