"""A branch: the same world up to a moment, and another policy from there on."""

import pandas as pd
import pytest
from small import crash

from sim.branching import branch
from sim.configuration import Scenario
from sim.problems import ScenarioError
from sim.rerun import changed, changes_of, recorded
from sim.run import Result, run
from sim.store import write_run

MOMENT, BLOCK = 1800.0, 30


def scenario(*overrides: str) -> Scenario:
    """A small crash."""
    return crash("agents.retail.accounts=300", "clock.duration=90m", *overrides)


@pytest.fixture(scope="module")
def base() -> Result:
    return run(scenario(), 7)


def branched(*overrides: str) -> Result:
    """The small crash with something changed after half an hour."""
    return branch(scenario(), 7, MOMENT, changes_of(overrides))


def test_a_branch_that_changes_nothing_is_the_run_itself(base) -> None:
    assert branched().transcript == base.transcript


@pytest.mark.parametrize(
    "override",
    [
        "protocol.markets.BTC.maintenance_margin=0.02",
        "protocol.insurance_fund=9000000",
        "shocks=[{at: 40m, kind: price_jump, size: -0.2}]",
        "governance.agenda=[{at: 35m, set: {maintenance_margin: {BTC: 0.025}}}]",
    ],
)
def test_a_branch_differs_after_the_moment_and_nowhere_before(base, override: str) -> None:
    found = branched(override)
    for name in ("blocks", "markets"):
        before = [each.tables[name][lambda rows: rows["block"] <= BLOCK] for each in (base, found)]
        common = [column for column in before[0] if column in before[1]]
        pd.testing.assert_frame_equal(before[0][common], before[1][common], check_exact=True)

    assert found.transcript != base.transcript


def test_a_margin_that_is_changed_holds_from_the_next_block_on(base) -> None:
    margin = branched("protocol.markets.BTC.maintenance_margin=0.02").tables["markets"]
    margin = margin[margin["market"] == "BTC"].set_index("block")["maintenance_margin"]

    assert margin[BLOCK] == base.tables["markets"]["maintenance_margin"].iloc[0]
    assert (margin[BLOCK + 1 :] == 0.02).all()


def test_a_guardian_may_come_in(base) -> None:
    found = branched(
        "governance.guardian.pauses=[liquidations]",
        "governance.agenda=[{at: 31m, pause: [liquidations], length: 20m}]",
    )
    rows = found.tables["liquidations"]

    assert not rows["block"].between(32, 50).any()
    assert rows["block"].gt(51).any()


def test_a_preset_of_governance_may_come_in() -> None:
    item = "{at: 35m, set: {maintenance_margin: {BTC: 0.025}}}"
    at_once = branched(f"governance.agenda=[{item}]").tables["parameters"]
    behind = branched("governance.preset=aave_steward", f"governance.agenda=[{item}]")

    assert (at_once["block"] == 36).any()
    assert behind.scenario.governance.steward.approvals == 2
    assert not (behind.tables["parameters"]["block"] > 0).any()  # a council takes half a day to sign


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        ("agents.retail.accounts=400", "a branch may change governance"),
        ("protocol.markets.BTC.tick=2", "a branch may change governance"),
        ("protocol.insurance_fund=1", "a branch may only add to the fund"),
        ("shocks=[{at: 10m, kind: price_jump, size: -0.2}]", "what was due by 1800s has happened"),
        ("governance.route=governor", "a vote needs holders of tokens"),
        ("governance.route=sideways", "Input should be"),
        ("governance.preset=athens", "no such preset"),
        ("protocol.markets.BTC.maintenance_margin=0.9", "maintenance"),
    ],
)
def test_what_nobody_could_still_decide_is_refused(override: str, rule: str) -> None:
    with pytest.raises(ScenarioError, match=rule):
        branched(override)


@pytest.mark.parametrize("moment", [0.0, 5400.0])
def test_a_moment_outside_the_run_is_refused(moment: float) -> None:
    with pytest.raises(ScenarioError, match="--at must lie within the run"):
        branch(scenario(), 7, moment, {})


def test_a_run_is_found_again_in_its_folder(base, tmp_path) -> None:
    write_run(base, tmp_path / "run")
    found, seed = recorded(tmp_path / "run")

    assert (found, seed) == (base.scenario, 7)
    assert run(found, seed).transcript == base.transcript


def test_a_branch_cannot_be_branched(base, tmp_path) -> None:
    write_run(base, tmp_path / "run", {"branch": {"run": "elsewhere"}})
    with pytest.raises(ScenarioError, match="a branch is no run of one scenario"):
        recorded(tmp_path / "run")


def test_no_run_is_told(tmp_path) -> None:
    with pytest.raises(ScenarioError, match=r"manifest\.json is missing"):
        recorded(tmp_path)


def test_a_change_that_breaks_a_rule_between_settings_is_refused() -> None:
    with pytest.raises(ScenarioError, match="at must lie within"):
        changed(scenario(), {"shocks": [{"at": "3h", "kind": "price_jump", "size": -0.1, "markets": []}]})
