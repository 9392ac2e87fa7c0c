"""Reductions: every scenario with every seed, in order, and what goes wrong is told."""

from math import inf

from small import calm

from analysis.reductions import reduced, scenario_of
from sim.configuration import Scenario

MARKED = "clock.block=30s"


def numbers(name: str, scenario: Scenario, seed: int) -> dict[str, float]:
    """What a run gives, without running it; seed 2 of one scenario fails."""
    if (name, seed) == ("second", 2):
        raise ArithmeticError("planted")
    return {"block": float(scenario.clock.block), "seed": float(seed), "endless": inf}


def test_rows_come_in_the_order_of_scenarios_and_seeds_and_none_is_missing() -> None:
    seen: list[tuple[int, int]] = []
    pair = {"first": calm(), "second": calm(MARKED)}
    rows = reduced(pair, [2, 1], numbers, workers=0, report=lambda done, total: seen.append((done, total)))

    assert [row.key for row in rows] == ["first:2", "first:1", "second:2", "second:1"]
    assert [row.status for row in rows] == ["done", "done", "failed", "done"]
    assert rows[2].error == "ArithmeticError: planted"
    assert dict(rows[3].metrics) == {"block": 30.0, "seed": 1.0, "endless": None}
    assert dict(rows[1].metrics)["block"] == 60.0
    assert seen[-1] == (4, 4)
    assert scenario_of(rows[3].key) == "second"
