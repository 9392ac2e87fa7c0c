"""What causes add: Shapley's axioms on worlds known by hand, and runs where one cause does all or nothing."""

from itertools import combinations

import numpy as np
import pytest
from small import calm, crash

from analysis.attribution import CAUSES, WORLD, amplification, applying, arms, attribute, shapley
from sim.configuration import Scenario

SMALL = ("agents.retail.accounts=300", "clock.duration=90m")


def subsets(names: str) -> list[frozenset[str]]:
    """All sets of some letters."""
    return [frozenset(each) for count in range(len(names) + 1) for each in combinations(names, count)]


def test_the_shares_add_up_to_what_all_causes_add_to_none() -> None:
    draws = np.linspace(3, 17, 8) ** 2 % 7
    worth = dict(zip(subsets("abc"), draws.tolist(), strict=True))

    assert sum(shapley(worth, "abc").values()) == pytest.approx(worth[frozenset("abc")] - worth[frozenset()])


def test_causes_that_do_not_interact_get_what_each_does() -> None:
    alone = {"a": 5.0, "b": 2.0, "c": 0.0}
    worth = {kept: 10 + sum(alone[name] for name in kept) for kept in subsets("abc")}

    assert shapley(worth, "abc") == pytest.approx(alone)


def test_two_causes_that_only_work_together_share_alike() -> None:
    worth = {kept: 6.0 if kept >= {"a", "b"} else 0.0 for kept in subsets("abc")}

    assert shapley(worth, "abc") == pytest.approx({"a": 3.0, "b": 3.0, "c": 0.0})


def test_three_gloves_are_worth_what_the_textbook_says() -> None:
    """One left glove, two right ones; a pair is worth 1: 2/3, 1/6, 1/6."""
    worth = {kept: float("a" in kept and len(kept) > 1) for kept in subsets("abc")}

    assert shapley(worth, "abc") == pytest.approx({"a": 2 / 3, "b": 1 / 6, "c": 1 / 6})


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), ["impact", "fund"]),
        (("world.impact.liquidations=false",), ["fund"]),
        (("risk_engine.model=hmm",), ["impact", "reaction", "fund"]),
        (
            ("risk_engine.model=hmm", "governance.preset=aave_steward"),
            ["impact", "reaction", "delay", "fund"],
        ),
        (("risk_engine.model=hmm", "governance.route=frozen"), ["impact", "fund"]),
    ],
)
def test_a_scenario_has_the_causes_that_can_do_anything_in_it(overrides, expected) -> None:
    assert [cause.name for cause in applying(calm(*overrides))] == expected


def test_every_arm_takes_away_what_it_says() -> None:
    scenario = calm("risk_engine.model=hmm", "governance.preset=aave_steward")
    found = arms(scenario, applying(scenario))

    assert len(found) == 16
    for kept, arm in found.items():
        assert arm.world.impact.liquidations == ("impact" in kept)
        assert (arm.governance.route == "frozen") == ("reaction" not in kept)
        assert (arm.protocol.insurance_fund == scenario.protocol.insurance_fund) == ("fund" in kept)
        if "reaction" in kept:
            assert (arm.governance.route == "direct") == ("delay" not in kept)


def fallen() -> Scenario:
    """A crash in which liquidations push others."""
    return crash(*SMALL)


def test_where_impact_is_all_that_there_is_it_gets_the_difference() -> None:
    found = attribute(fallen(), (7,), applying(fallen()), 0)
    losses = found.shares[found.shares["outcome"] == "bad_debt_gross_usd"].set_index("cause")["value"]
    whole = found.mean("bad_debt_gross_usd", found.everything)

    assert losses.sum() == pytest.approx(whole)
    assert losses["impact"] > 0.3 * whole
    assert amplification(found, "BTC")[0] > 1.02
    assert found.failures == ()


def test_a_world_without_impact_is_not_amplified() -> None:
    quiet = crash(*SMALL, "world.impact.coefficient=0")
    found = attribute(quiet, (7,), [cause for cause in CAUSES if cause.name == "impact"], 0)
    drawdown = found.shares[found.shares["outcome"] == "outside_drawdown_BTC"].set_index("cause")["value"]

    assert amplification(found, "BTC")[0] == pytest.approx(1.0)
    assert drawdown["impact"] == pytest.approx(0.0, abs=1e-12)
    assert drawdown[WORLD] > 0.1
