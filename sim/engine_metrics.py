"""Metrics of a risk engine: what it asked for, how it moved, and whom it liquidated.

References
----------
.. [1] D. Murphy, M. Vasios and N. Vause, "An investigation into the procyclicality of risk-based initial
   margin models", Bank of England Financial Stability Paper 29 (2014): peak-to-trough and n-day measures.
"""

import pandas as pd

from sim.metric_registry import RunTables, market_metric, venue_metric

HOUR, DAY = 3600, 86_400
CAUSED, TIGHTENED = "engine_caused_usd", "tightened_usd"


def _governed(run: RunTables) -> bool:
    return CAUSED in run.blocks


def _rise(rows: pd.DataFrame, run: RunTables, seconds: int) -> float | None:
    """Largest relative rise of the maintenance margin within a time."""
    steps = seconds // run.block_seconds
    if not _governed(run) or not 0 < steps < len(rows):
        return None
    margin = rows["maintenance_margin"]
    lowest = margin.rolling(steps + 1, min_periods=1).min()
    return float((margin / lowest - 1).max())


@market_metric("Maintenance margin, mean", "1", "Risk engine")
def maintenance_mean(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean over time of the maintenance margin in force; only where a risk engine may change it."""
    return float(rows["maintenance_margin"].mean()) if _governed(run) else None


@market_metric("Initial margin, mean", "1", "Risk engine")
def initial_mean(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Mean over time of the initial margin in force; only where a risk engine may change it."""
    return float(rows["initial_margin"].mean()) if _governed(run) else None


@market_metric("Maintenance margin, peak to trough", "1", "Risk engine", worse="higher")
def peak_to_trough(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Highest over lowest maintenance margin in force; only where a risk engine may change it."""
    if not _governed(run):
        return None
    return float(rows["maintenance_margin"].max() / rows["maintenance_margin"].min())


@market_metric("Largest rise of margin in 1 h", "1", "Risk engine", worse="higher")
def margin_rise_1h(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Largest rise of the maintenance margin within an hour, over what it was."""
    return _rise(rows, run, HOUR)


@market_metric("Largest rise of margin in 24 h", "1", "Risk engine", worse="higher")
def margin_rise_24h(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Largest rise of the maintenance margin within a day, over what it was."""
    return _rise(rows, run, DAY)


@market_metric("Largest rise of margin in 5 d", "1", "Risk engine", worse="higher")
def margin_rise_5d(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Largest rise of the maintenance margin within five days, over what it was."""
    return _rise(rows, run, 5 * DAY)


@venue_metric("Liquidated by a change of margin", "USD", "Risk engine", worse="higher")
def engine_caused_usd(run: RunTables) -> float | None:
    """Notional liquidated of accounts that a change put below maintenance at the prices of that moment."""
    return float(run.blocks[CAUSED].sum()) if _governed(run) else None


@venue_metric("Liquidated under tighter margins", "USD", "Risk engine", worse="higher")
def tightened_usd(run: RunTables) -> float | None:
    """Notional liquidated of accounts that would have been healthy under the venue's opening margins."""
    return float(run.blocks[TIGHTENED].sum()) if _governed(run) else None


@venue_metric("Engine-caused share", "1", "Risk engine", worse="higher")
def engine_caused_share(run: RunTables) -> float | None:
    """Share of liquidated notional that a change of margin caused, see `engine_caused_usd`."""
    if not _governed(run):
        return None
    sides = ["long_liquidated_usd", "short_liquidated_usd"]
    total = float(run.markets[sides].sum().sum())
    return float(run.blocks[CAUSED].sum()) / total if total > 0 else None
