"""Attacks on governance in whole runs: each comes through where its hole is open, and fails under a guard.

The incidents of 2022 to 2026 are held to the numbers that were published; see their scenario files.
"""

from functools import cache

import pytest

from analysis.attacks.catalogue import AttackCase, load_catalogue
from analysis.attacks.trials import reduce_attack
from sim.run import Result, run
from sim.scenario import load_scenario

CATALOGUE = {name: case for name, case in load_catalogue().items() if case.scenario.startswith("governance_")}
MILLION = 1e6


@cache
def measured(name: str, *overrides: str) -> dict[str, float]:
    """Numbers of an attack in one world; shared between tests."""
    scenario = load_scenario(CATALOGUE[name].scenario, list(overrides))
    return reduce_attack(name, scenario, 1)


def succeeds(case: AttackCase, numbers: dict[str, float]) -> bool:
    """Whether it is a success by the catalogue's rule."""
    return numbers[case.success.number] > case.success.above


@cache
def incident(name: str, *overrides: str, seed: int = 2) -> Result:
    """Result of an incident; shared between tests, which leave it as it is."""
    return run(load_scenario(name, list(overrides)), seed)


def number(result: Result, metric: str) -> float:
    """A metric that is defined in this run."""
    value = result.summary[metric]
    assert value is not None
    return value


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_an_attack_comes_through_where_its_hole_is_open(name: str) -> None:
    case = CATALOGUE[name]

    assert succeeds(case, measured(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_an_attack_fails_under_its_first_guard(name: str) -> None:
    case = CATALOGUE[name]
    guarded = measured(name, *next(iter(case.guards.values())))

    assert not succeeds(case, guarded)
    assert guarded["profit"] <= max(0.0, measured(name)["profit"])


@pytest.mark.parametrize("weighing", ["opening", "creation"])
def test_a_flash_loan_is_worth_nothing_where_power_is_that_of_an_earlier_block(weighing: str) -> None:
    guarded = measured("flash_loan", f"governance.governor.weighing={weighing}")

    assert guarded["executed"] == 0
    assert guarded["cost"] > 0
    assert measured("flash_loan")["executed"] == 1


def test_beanstalk_is_emptied_after_a_day_by_two_thirds_of_all_votes_on_loan() -> None:
    result = incident("beanstalk_2022")
    table, proposal = result.tables["attacks"].iloc[0], result.tables["proposals"].iloc[0]
    share = proposal["votes_for"] / 1e8

    assert 0.67 < share < 0.79
    assert 0.9e9 < table["fees_usd"] / 0.0009 < 1.1e9
    assert proposal["ended"] - proposal["created"] == proposal["eta"] - proposal["created"]
    assert (proposal["ended"] - proposal["created"]).total_seconds() == 86_400
    assert number(result, "attack_profit_attacker_usd") == pytest.approx(78 * MILLION, rel=0.05)


def test_compound_289_carries_by_a_few_per_cent_and_is_taken_back() -> None:
    result = incident("compound_289_2024")
    earlier, last = result.tables["proposals"].iloc[:2], result.tables["proposals"].iloc[2]

    assert earlier["state"].tolist() == ["defeated", "defeated"]
    assert last["votes_for"] == pytest.approx(682_191, rel=0.05)
    assert last["votes_against"] == pytest.approx(633_636, rel=0.05)
    assert (last["state"], last["reason"]) == ("cancelled", "vetoed by the guardian: agenda")
    assert number(result, "attack_paid_usd") == 0
    assert result.tables["attacks"]["purchases_usd"].iloc[1] == pytest.approx(24 * MILLION, rel=0.1)


def test_compound_289_would_have_paid_24_millions_if_nobody_had_negotiated() -> None:
    result = incident("compound_289_2024", "governance.agenda=[]")

    assert number(result, "attack_paid_usd") == pytest.approx(24 * MILLION)


def test_build_finance_is_lost_to_whoever_makes_tokens_and_sells_them() -> None:
    result = incident("build_finance_2022")

    assert number(result, "attack_success") == 1
    assert number(result, "attack_paid_usd") == pytest.approx(470_000, rel=0.05)
    assert "mint 1,100,000 tokens" in result.tables["proposals"]["changes"].iloc[-1]


def test_two_old_signatures_take_285_millions_out_in_twelve_minutes() -> None:
    result = incident("council_2026")
    done = result.tables["proposals"]

    assert number(result, "attack_paid_usd") == pytest.approx(285 * MILLION, rel=0.01)
    assert (done["ended"].max() - done["created"].min()).total_seconds() == 12 * 60
    assert not incident("council_2026", "governance.steward.signing=30m").summary["attack_paid_usd"]
