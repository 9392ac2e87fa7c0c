"""Made-up results of a sweep with known effects, the same every time, for tests of what compares policies."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from sim.streams import stream
from sim.sweeps.results import SweepResults, metric_entries

MARKETS = ["BTC", "ETH"]
SCENARIO = {
    "name": "crash",
    "description": "A day in March",
    "clock": {"start": "2020-03-12T00:00:00Z", "duration": "172800s", "block": "60s"},
    "world": {"reading": "small", "share": 0.02},
    "protocol": {
        "insurance_fund": 1_000_000.0,
        "markets": {
            "BTC": {"initial_margin": 0.05, "maintenance_margin": 0.03},
            "ETH": {"initial_margin": 0.05, "maintenance_margin": 0.03},
        },
    },
}
POLICIES: dict[str, dict[str, Any]] = {
    "as_it_was": {},
    "more_margin": {
        "protocol.markets.BTC.initial_margin": 0.1,
        "protocol.markets.BTC.maintenance_margin": 0.06,
        "protocol.markets.ETH.initial_margin": 0.1,
    },
    "more_capital": {"protocol.insurance_fund": 4_000_000.0},
}
LOSSES = {"as_it_was": 1.0, "more_margin": 0.35, "more_capital": 1.0}
Axes = Mapping[str, Mapping[Any, Mapping[str, Any]]]
Effect = Callable[[Mapping[str, Any]], float]


def losses_of(labels: Mapping[str, Any]) -> float:
    """How large the losses of a point are, of those of the rules as they were."""
    return LOSSES.get(labels.get("policy", ""), 1.0)


def _metrics(severity: np.ndarray, noise: np.ndarray, factor: float, fund: float) -> dict[str, np.ndarray]:
    """Metrics of a point by seed: a zero-inflated heavy tail of bad debt, and who paid it."""
    loss = factor * 4e5 * np.maximum(np.exp(1.2 * (severity + 0.3 * noise)) - 1.0, 0.0)
    debt = np.round(np.where(loss > 5e4, loss, 0.0), 2)
    paid = np.minimum(debt, fund)
    rest = debt - paid
    time = np.where(rest > 0, np.round(600 + 60 * np.abs(noise)), np.nan)
    return {
        "bad_debt_gross_usd": debt,
        "liquidated_usd": np.round(2e7 * np.sqrt(factor) * np.exp(0.5 * severity + 0.05 * noise), 2),
        "insurance_fund_paid_usd": paid,
        "adl_paid_usd": 0.8 * rest,
        "socialised_loss_usd": np.zeros(len(debt)),
        "uncovered_usd": 0.2 * rest,
        "insurance_fund_end_usd": fund - paid,
        "pnl_retail_usd": -np.round(1.5 * loss + 1e6 * severity, 2),
        "time_to_adl_seconds": time,
        "mark_drawdown_BTC": np.round(0.3 + 0.1 * np.tanh(severity), 6),
    }


def sweep_results(
    axes: Axes | None = None,
    effect: Effect = losses_of,
    seeds: Sequence[int] = range(1, 65),
    failed: Mapping[tuple[int, int], str] | None = None,
    place: str = "runs/policies",
    **manifest: Any,
) -> SweepResults:
    """Results of a grid over axes.

    `axes` maps an axis to its labels, and each label to what it changes; `effect` scales the losses of a
    point; `failed` maps (point, seed) to a status; `manifest` overrides what the manifest says.
    """
    axes = {"policy": POLICIES} if axes is None else axes
    rows, points = [], []
    for point, labels in enumerate(product(*axes.values())):
        named = dict(zip(axes, labels, strict=True))
        changes = {path: value for axis, label in named.items() for path, value in axes[axis][label].items()}
        points.append({"point": point, "labels": named, "changes": changes, "removed": [], "scenario": ""})
        rows += _runs(point, named, changes, effect, seeds)
    runs = pd.DataFrame(rows)
    names = [name for name in runs.columns if name in _names()]
    for (point, seed), status in (failed or {}).items():
        row = (runs["point"] == point) & (runs["seed"] == seed)
        runs.loc[row, ["status", "error"]] = [status, "InvariantError: cash"]
        runs.loc[row, names] = np.nan
    entries = {name: entry.model_dump() for name, entry in metric_entries(names, MARKETS).items()}
    told = {
        "kind": "sweep", "format": 1, "seawall": "0.1.0", "name": "policies", "description": "Three policies",
        "git_revision": "0123456789abcdef",
        "code": {"revision": "feedc0de" * 8, "sources": {}, "packages": {}},
        "scenario": SCENARIO, "markets": MARKETS, "seconds": 172_800, "reading": "small", "design": "grid",
        "axes": list(axes), "seeds": list(seeds), "points": points, "metrics": entries, "baseline": {},
        "gates": [], "level": 0.95, **manifest,
    }  # fmt: skip
    table = pd.DataFrame([{"point": each["point"], **each["labels"]} for each in points])
    return SweepResults(place, told, table, runs)


def _names() -> list[str]:
    return list(_metrics(np.zeros(1), np.zeros(1), 1.0, 1.0))


def _runs(
    point: int, labels: Mapping[str, Any], changes: Mapping[str, Any], effect: Effect, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    severity = np.array([stream(seed, "severity").standard_normal() for seed in seeds])
    noise = np.array([stream(seed, "noise", point).standard_normal() for seed in seeds])
    fund = float(changes.get("protocol.insurance_fund", SCENARIO["protocol"]["insurance_fund"]))
    columns = _metrics(severity, noise, effect(labels), fund)
    head = {"status": "done", "error": "", "traceback": "", "transcript": "0" * 16}
    return [
        {
            "point": point,
            **labels,
            "seed": seed,
            **head,
            **{name: float(values[i]) for name, values in columns.items()},
        }
        for i, seed in enumerate(seeds)
    ]
