"""The critical shock: the smallest fall of prices at which a venue breaks, and what protection buys.

A fall is laid over a scenario, and the same world is run again with deeper and deeper ones: first on a grid,
then by halving between the last shock that the venue bears and the first that it does not. Within the grid a
narrow region of failure between two shocks that are borne would be missed.

References
----------
.. [1] Gauntlet, market risk of Compound (2020): a run is under-collateralised that ends with more than 1 % of
   debt uncovered.
.. [2] Perez, Werner, Xu and Livshits, "Liquidations: DeFi on a knife-edge" (2021).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.cascades import result_anatomy
from analysis.margins.measures import student_interval
from analysis.reductions import Report, reduced, scenario_of
from analysis.waves import reproduction
from sim.configuration import Scenario
from sim.provenance import resolved
from sim.rerun import changed
from sim.run import Result, run

LEVEL = 0.95
GROSS, BEYOND = "bad_debt_gross_usd", "bad_debt_after_fund_usd"
GRID = tuple(np.arange(0.05, 0.901, 0.05).round(4).tolist())
DEEPER = 0.10
INSURANCE, DEPTH, MARGIN = 1e6, 1e6, 0.01
MEASURED = ("gross", "beyond", "reproduction")
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Probe:
    """What is laid over a scenario, and when it counts as broken.

    Attributes
    ----------
    at : float
        When prices jump [s].
    markets : tuple of str
        Whose prices do; all if none is named.
    share : float
        Bad debt over opening open interest from which the venue is broken [1].
    tolerance : float
        Width of the bracket at the end [1].
    """

    at: float
    markets: tuple[str, ...] = ()
    share: float = 0.01
    tolerance: float = 0.0025


@dataclass(frozen=True)
class Outcome:
    """What a shock did: bad debt over opening open interest, gross and beyond the fund, and R₀ [1]."""

    gross: float
    beyond: float
    reproduction: float


@dataclass(frozen=True)
class Critical:
    """Critical shocks of a scenario and its variants.

    Attributes
    ----------
    probe : Probe
    seeds : int
    rows : DataFrame
        A row for each variant and seed: `gross`, `beyond` and `reproduction`, the smallest shock [1] at which
        bad debt, bad debt beyond the fund, or R₀ = 1 is passed; NaN where none of the grid does. R₀ is looked
        at in falls up to ten points deeper than those that break the venue.
    curve : DataFrame
        A row for each variant, seed and shock of the grid that was tried: `gross`, `beyond`, `reproduction`.
    failures : tuple of str
    """

    probe: Probe
    seeds: int
    rows: pd.DataFrame
    curve: pd.DataFrame
    failures: tuple[str, ...]

    def interval(self, variant: str, column: str) -> tuple[float, float, float]:
        """Mean critical shock over seeds with Student's 95 % interval [1]."""
        values = self.rows.loc[self.rows["variant"] == variant, column]
        return student_interval(values.to_numpy(dtype=float), LEVEL)

    def bought(self, variant: str, column: str) -> tuple[float, float, float]:
        """By how much a variant moves the critical shock, paired over seeds, with its interval [1]."""
        table = self.rows.pivot(index="seed", columns="variant", values=column)
        return student_interval((table[variant] - table[AS_IT_IS]).to_numpy(dtype=float), LEVEL)


def shocked(scenario: Scenario, probe: Probe, size: float) -> Scenario:
    """The scenario with one more fall of prices, by `size` [1]; unchanged for 0."""
    if size == 0:
        return scenario
    jump = {"at": f"{probe.at:g}s", "kind": "price_jump", "size": -size, "markets": list(probe.markets)}
    return changed(scenario, {"shocks": [*resolved(scenario)["shocks"], jump]})


def variants(scenario: Scenario) -> dict[str, Scenario]:
    """The scenario as it is, and with a little more of each protection."""
    protocol, depth = scenario.protocol, scenario.world.depth.within_1pct
    margins: dict[str, Any] = {}
    for name, market in protocol.markets.items():
        margins[f"protocol.markets.{name}.initial_margin"] = min(market.initial_margin + MARGIN, 1.0)
        margins[f"protocol.markets.{name}.maintenance_margin"] = market.maintenance_margin + MARGIN
    deeper = {f"world.depth.within_1pct.{name}": depth[name] + DEPTH for name in scenario.markets}
    return {
        AS_IT_IS: scenario,
        "$1M more insurance": changed(
            scenario, {"protocol.insurance_fund": protocol.insurance_fund + INSURANCE}
        ),
        "$1M more depth": changed(scenario, deeper),
        "a point more margin": changed(scenario, margins),
    }


def critical(
    scenarios: Mapping[str, Scenario],
    probe: Probe,
    seeds: Sequence[int],
    workers: int | None = None,
    report: Report | None = None,
) -> Critical:
    """Find the critical shock of each variant in each world.

    Parameters
    ----------
    scenarios : mapping of str to Scenario
        One of them named AS_IT_IS.
    probe : Probe
    seeds : sequence of int
    workers, report
        As for `analysis.reductions.reduced`.
    """
    done = reduced(scenarios, seeds, partial(search, probe=probe), workers, report)
    finished = [row for row in done if row.status == "done"]
    rows, curve = [], []
    for row in finished:
        name = {"variant": scenario_of(row.key), "seed": row.seed}
        rows.append(name | {each: row.metrics[each] for each in MEASURED})
        curve += [
            name | {"shock": size} | {each: row.metrics[f"{each}@{size:g}"] for each in MEASURED}
            for size in GRID
            if f"gross@{size:g}" in row.metrics
        ]
    failures = tuple(f"{row.key}  {row.error}" for row in done if row.status != "done")
    frame = pd.DataFrame(rows, columns=["variant", "seed", *MEASURED])
    table = pd.DataFrame(curve, columns=["variant", "seed", "shock", *MEASURED])
    numbers = dict.fromkeys(MEASURED, float)
    return Critical(probe, len(seeds), frame.astype(numbers), table.astype(numbers), failures)


def out_of_order(table: pd.DataFrame, size: str, value: str) -> pd.DataFrame:
    """Where the same world has less of something after a deeper fall.

    Parameters
    ----------
    table : DataFrame
        A row for each world and fall, with the columns `seed`, `size` and `value`; runs of a sweep are such.
    size : str
        Column of the depth of the fall, by its absolute value.
    value : str
        Column that should not fall.

    Returns
    -------
    DataFrame
        A row for each neighbouring pair in the wrong order: `seed`, `shallower`, `deeper`, `before`, `after`,
        and `steps`, how many pairs there were in all.
    """
    ordered = table.assign(depth=table[size].astype(float).abs()).sort_values(["seed", "depth"])
    worlds = ordered.groupby("seed")
    pairs = pd.DataFrame(
        {
            "seed": ordered["seed"],
            "shallower": worlds["depth"].shift(),
            "deeper": ordered["depth"],
            "before": worlds[value].shift(),
            "after": ordered[value],
        }
    ).dropna()
    wrong = pairs[pairs["after"] < pairs["before"]].reset_index(drop=True)
    return wrong.assign(steps=len(pairs))


def search(name: str, scenario: Scenario, seed: int, *, probe: Probe) -> dict[str, float]:
    """Critical shocks of one world, and the outcomes on the grid."""
    known: dict[float, Outcome] = {}

    def outcome(size: float) -> Outcome:
        if size not in known:
            known[size] = judged(run(shocked(scenario, probe, size), seed))
        return known[size]

    found = {
        "gross": _first(lambda size: outcome(size).gross > probe.share, probe.tolerance),
        "beyond": _first(lambda size: outcome(size).beyond > probe.share, probe.tolerance),
    }
    deepest = max(GRID) if np.isnan(found["beyond"]) else found["beyond"] + DEEPER
    grid = [size for size in GRID if size <= deepest]
    found["reproduction"] = _first(lambda size: outcome(size).reproduction > 1, probe.tolerance, grid)
    for size in GRID:
        if size in known:
            for each in MEASURED:
                found[f"{each}@{size:g}"] = getattr(known[size], each)
    return found


def _first(broken: Callable[[float], bool], tolerance: float, grid: Sequence[float] = GRID) -> float:
    """The smallest shock that breaks the venue, the middle of its bracket; NaN if none of the grid does."""
    low = 0.0
    if broken(low):
        return 0.0
    for size in grid:
        if broken(size):
            high = size
            break
        low = size
    else:
        return np.nan
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if broken(middle) else (middle, high)
    return float((low + high) / 2)


def judged(result: Result) -> Outcome:
    """What a run's shock did."""
    markets = result.tables["markets"]
    opening = float(markets.loc[markets["block"] == 1, "open_interest_usd"].sum())
    gross, beyond = (float(result.summary[name] or 0.0) / opening for name in (GROSS, BEYOND))
    return Outcome(gross, beyond, first_reproduction(result))


def first_reproduction(result: Result) -> float:
    """Volume of the first generation over that of what the world liquidated [1]; 0 without any.

    Zero as well where the world's own part is below 1 % of opening open interest, of which no ratio is made.
    """
    markets, volume = result.tables["markets"], result_anatomy(result).volume
    opening = float(markets.loc[markets["block"] == 1, "open_interest_usd"].sum())
    if not len(volume) or volume[0] < 0.01 * opening:
        return 0.0
    return float(np.nan_to_num(reproduction(volume)[0]))
