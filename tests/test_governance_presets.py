"""Bundled forms of governance: their numbers, sources, and the rules that a scenario's own must keep."""

import pytest
from small import calm

from protocol.arithmetic import MICRO, PPM
from protocol.governance.governed import GOVERNED, NAMES, scale, setting
from protocol.governance.limits import Bound
from sim.bundled import names
from sim.governance.rules import governor_rules, guardian_rules, order, steward_rules
from sim.provenance import provenance, resolved
from sim.scenario import ScenarioError, load_scenario
from sim.venue_rules import risk_parameters

DAY = 86_400
PRESETS = names("governance")


def complaints(*overrides: str) -> str:
    with pytest.raises(ScenarioError) as error:
        load_scenario("base", list(overrides))
    return str(error.value)


def test_the_forms_of_governance_that_the_field_talks_of_are_there() -> None:
    assert {
        "compound", "uniswap", "aave", "dydx", "gmx", "aave_steward", "aave_automated", "autonomous", "frozen"
    } <= set(PRESETS)  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_every_number_of_a_preset_says_where_it_is_from(preset: str) -> None:
    rows = provenance(calm(f"governance.preset={preset}"))
    given = [row for row in rows if row["origin"] == f"preset:{preset}"]
    silent = [row["path"] for row in given if row["source"] == "assumed"]

    assert given
    assert silent == []


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_resolves_to_a_scenario_that_loads_again(preset: str) -> None:
    scenario = calm(f"governance.preset={preset}")

    assert type(scenario).model_validate(resolved(scenario)) == scenario


def test_any_number_of_a_preset_can_be_overridden() -> None:
    scenario = calm("governance.preset=compound", "governance.governor.timelock=9d")

    assert scenario.governance.governor.timelock == 9 * DAY
    assert scenario.governance.governor.quorum == 400_000


def test_compound_takes_as_long_as_its_contracts_say() -> None:
    rules = governor_rules(calm("governance.preset=compound").governance.governor)

    assert rules.threshold == 25_000 * MICRO
    assert rules.delay == 13_140 * 12
    assert rules.period == 19_710 * 12
    assert rules.extension == 14_400 * 12
    assert rules.timelock == 2 * DAY
    assert rules.grace == 14 * DAY


def test_a_steward_moves_margins_by_half_a_point_and_caps_by_all_of_them() -> None:
    rules = steward_rules(calm("governance.preset=aave_steward").governance.steward)

    assert rules.bounds["maintenance"] == Bound(5_000, 5_000, relative=False)
    assert rules.bounds["open_interest_cap"] == Bound(PPM, PPM, relative=True)
    assert rules.spacing == 3 * DAY
    assert (rules.keys, rules.approvals) == (2, 2)


def test_a_hub_forgets_what_is_six_hours_old() -> None:
    rules = steward_rules(calm("governance.preset=aave_automated").governance.hub)

    assert rules.expiry == 6 * 3600
    assert rules.ordered
    assert not rules.joint
    assert rules.bounds["open_interest_cap"] == Bound(300_000, 300_000, relative=True)


def test_bounds_may_differ_downwards() -> None:
    chosen = "governance.hub={bounds: {maintenance_margin: {relative: 0.3, down: 0.1}}}"
    rules = steward_rules(calm(chosen).governance.hub)

    assert rules.bounds["maintenance"] == Bound(300_000, 100_000, relative=True)


def test_a_guardian_without_an_end_keeps_its_power() -> None:
    chosen = "governance.guardian={vetoes: true, pauses: [trading], until: 3d}"

    assert guardian_rules(calm(chosen).governance.guardian).until == 3 * DAY
    assert guardian_rules(calm().governance.guardian).until == float("inf")


def test_every_governed_name_is_a_field_of_the_parameters_in_its_shape() -> None:
    parameters = risk_parameters(calm().protocol)

    for name, governed in GOVERNED.items():
        held = getattr(parameters, governed.field)
        assert isinstance(held, int) != governed.each_market, name
        assert NAMES[governed.field] == name
        assert scale(governed.field) in (PPM, MICRO, 1)
    assert setting("taker_fee", 1, 0.0005) == ("taker_fee", -1, 500)
    assert setting("maintenance_margin", 1, 0.03) == ("maintenance", 1, 30_000)


def test_limits_are_in_the_units_of_the_protocol() -> None:
    chosen = "governance.limits={open_interest_cap: {least: 0, most: 1e9}}"

    assert order(calm(chosen).governance).limits == {"open_interest_cap": (0, 10**15)}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("governance.preset=compund", "no such preset 'compund'; did you mean compound?"),
        (
            "governance.steward={bounds: {maintenance_margn: {relative: 0.1}}}",
            "governance knows no parameter 'maintenance_margn'; did you mean maintenance_margin",
        ),
        ("governance.hub={keys: 1, approvals: 3}", "approvals <= keys must hold, got approvals=3, keys=1"),
        (
            "governance.hub={bounds: {gain_weight: {relative: 0.1, absolute: 0.1}}}",
            "a bound is relative or absolute, not both, got relative=0.1, absolute=0.1",
        ),
        (
            "governance.hub={drift: {gain_weight: {relative: 0.1}}}",
            "drift needs a window over which it counts",
        ),
        (
            "governance.limits={maintenance_margin: {least: 0.3, most: 0.2}}",
            "least <= most must hold, got least=0.3, most=0.2",
        ),
        (
            "governance.limits={maintenance_margin: {least: 0.05, most: 0.2}}",
            "the venue must open within its limits: 50000 <= maintenance <= 200000 must hold, got 12000",
        ),
        (
            "governance.agenda=[{at: 1h, set: {taker_fee: {BTC: 0.001}}}]",
            "taker_fee is written as one value, got {'BTC': 0.001}",
        ),
        (
            "governance.agenda=[{at: 1h, set: {initial_margin: 0.1}}]",
            "initial_margin is written as {MARKET: value}, got 0.1",
        ),
        (
            "governance.agenda=[{at: 1h, set: {initial_margin: {BCT: 0.1}}}]",
            "no such market 'BCT'; did you mean BTC",
        ),
        ("governance.agenda=[{at: 1h}]", "an item of the agenda sets parameters, or pauses, or cancels"),
        ("governance.agenda=[{at: 1h, pause: [trading]}]", "the guardian may only pause what"),
        ("governance.agenda=[{at: 1h, cancels: x}]", "only a guardian that vetoes can cancel"),
        (
            "governance={route: frozen, agenda: [{at: 1h, set: {taker_fee: 0.001}}]}",
            "a proposal needs a route, and governance is frozen, got route=frozen",
        ),
        (
            "governance.agenda=[{at: 1h, proposer: 4, set: {taker_fee: 0.001}}]",
            "proposer must be one of 0 to 0 on the route direct, got proposer=4",
        ),
    ],
)
def test_a_mistake_is_told_with_rule_value_and_place(override: str, message: str) -> None:
    text = complaints(override)

    assert message in text
    assert "--set governance" in text
