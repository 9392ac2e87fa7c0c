"""The numbers of `summary.json`: what each means and how a run's tables yield it.

Definitions stand beside their computation in `market_metrics` and `venue_metrics`. The horizon of every
metric is the run itself; percentiles over runs belong to sweeps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from sim import efficiency_metrics, engine_metrics, market_metrics, venue_metrics
from sim.governance import attack_metrics
from sim.governance import metrics as governance_metrics
from sim.metric_registry import MARKET_METRICS, VENUE_METRICS, Metric, RunTables

__all__ = [
    "METRICS",
    "Metric",
    "attack_metrics",
    "describe",
    "efficiency_metrics",
    "engine_metrics",
    "governance_metrics",
    "market_metrics",
    "summarise",
    "venue_metrics",
]

PNL = Metric(
    "pnl_{role}_usd",
    "Profit and loss",
    "USD",
    "Equity at the end less equity at the start and net deposits, plus gains outside, less gas, of all "
    "accounts of the role.",
    "Profit and loss",
    "role",
    worse="lower",
)

ATTACK_PROFIT = Metric(
    "attack_profit_{attacker}_usd",
    "Attacker's profit",
    "USD",
    "What an attacker has at the end, on the venue and outside at the outside price, less what it brought "
    "and less gas; accounts below zero are left behind and count as nothing.",
    "Profit and loss",
    "attacker",
    worse="higher",
)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in [*(m for m, _ in MARKET_METRICS), *(m for m, _ in VENUE_METRICS), PNL, ATTACK_PROFIT]
}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def summarise(
    tables: Mapping[str, pd.DataFrame], markets: Sequence[str], block_seconds: int
) -> dict[str, float | None]:
    """All metrics of one run; None where a metric has no meaning in it.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        `blocks`, `markets`, `liquidations`, `deleverages`, `waterfall`, `agents`; money in USD. What
        others there are is read where a metric is about it.
    markets : sequence of str
        Markets, in the order of the scenario.
    block_seconds : int
        Length of a block [s].

    Returns
    -------
    dict
        Metric key to value, in the units of `METRICS`.
    """
    run = RunTables.of(tables, markets, block_seconds)
    summary: dict[str, float | None] = {}
    for market in run.names:
        rows = run.market(market)
        for metric, of_market in MARKET_METRICS:
            summary[metric.name.format(market=market)] = _number(of_market(rows, run))
    for metric, of_venue in VENUE_METRICS:
        summary[metric.name] = _number(of_venue(run))
    for role, pnl in zip(run.agents["role"], run.agents["pnl"], strict=True):
        summary[PNL.name.format(role=role)] = _number(pnl)
    attacks = run.agents[run.agents["attacks"]] if "attacks" in run.agents else run.agents[:0]
    for role, profit in zip(attacks["role"], attacks["pnl"] + attacks.get("owed", 0.0), strict=True):
        summary[ATTACK_PROFIT.name.format(attacker=role)] = _number(profit)
    return summary


def describe(key: str, markets: Sequence[str]) -> Metric:
    """The metric behind a key of `summary.json`, with the market or role it is about.

    Parameters
    ----------
    key : str
        As in `summary.json`, for example `mark_drawdown_BTC`.
    markets : sequence of str
        Markets of the run.
    """
    if key in METRICS:
        return METRICS[key]
    for market in markets:
        metric = METRICS.get(f"{key.removesuffix(f'_{market}')}_{{market}}")
        if metric is not None and key.endswith(f"_{market}"):
            return replace(metric, name=key, subject=market)
    for metric, prefix in ((PNL, "pnl_"), (ATTACK_PROFIT, "attack_profit_")):
        if key.startswith(prefix) and key.endswith("_usd"):
            return replace(metric, name=key, subject=key.removeprefix(prefix).removesuffix("_usd"))
    raise KeyError(f"a metric must be declared in sim.metrics, got {key!r} with markets {list(markets)}")
