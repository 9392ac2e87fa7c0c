"""Routes by keys, by hand: Aave's steward, Chaos Labs' hub, the inconsistency of March 2026, a council."""

from typing import Any

import numpy as np
import pytest
from chamber import DAY, HOUR, Chamber, fee, maintenance
from venue import integers

from protocol.governance.limits import Bound
from protocol.governance.payload import Mint, Payment, Setting
from protocol.governance.proposals import State
from protocol.governance.steward import StewardRules

HALF_POINT = Bound(5_000, 5_000, False)
AGRS = StewardRules(spacing=3 * DAY, bounds={"maintenance": HALF_POINT}, only_bounded=True)
HUB = StewardRules(
    expiry=6 * HOUR,
    ordered=True,
    spacing=HOUR,
    bounds={"maintenance": Bound(300_000, 100_000, True)},
    joint=False,
)


@pytest.mark.parametrize(
    ("value", "state"),
    [(17_000, State.EXECUTED), (7_000, State.EXECUTED), (17_001, State.REJECTED), (6_999, State.REJECTED)],
)
def test_a_steward_may_move_a_margin_by_half_a_point(value: int, state: State) -> None:
    here = Chamber(AGRS)
    proposal = here.propose(maintenance(value))

    assert here.state_at(0.0) == state
    assert here.parameters.maintenance[0] == (value if state == State.EXECUTED else 12_000)
    if state == State.REJECTED:
        assert proposal.reason.startswith("maintenance may go to")


def test_a_steward_rests_three_days_between_changes_of_one_parameter_of_one_market() -> None:
    here = Chamber(AGRS, initial=30_000)
    here.propose(maintenance(15_000), at=10.0)
    here.state_at(10.0)
    second = here.propose(maintenance(16_000), at=20.0)
    other = here.propose(maintenance(16_000, 1), at=20.0)
    here.state_at(20.0)

    assert (second.state, other.state) == (State.QUEUED, State.EXECUTED)
    assert second.reason == "maintenance must rest 259200 s between changes"
    assert here.state_at(np.nextafter(3 * DAY + 10.0, 0.0), second.number) == State.QUEUED
    assert here.state_at(3 * DAY + 10.0, second.number) == State.EXECUTED
    assert here.parameters.maintenance.tolist() == [16_000, 16_000]


def test_a_parameter_may_have_a_spacing_of_its_own() -> None:
    here = Chamber(StewardRules(spacing=3 * DAY, spacings={"maintenance": 8 * HOUR}))
    for value in (13_000, 14_000):
        here.propose(maintenance(value), fee(value), at=0.0)
        here.state_at(0.0)
    here.propose(maintenance(15_000), at=8 * HOUR)
    here.propose(fee(15_000), at=8 * HOUR)
    here.process.withdraw(1, 8 * HOUR)
    here.state_at(8 * HOUR)

    assert [each.state for each in here.process.proposals[2:]] == [State.EXECUTED, State.QUEUED]


def test_the_rest_begins_again_with_every_change() -> None:
    here = Chamber(StewardRules(spacing=10.0))
    for time, value in ((0.0, 13_000), (10.0, 14_000), (15.0, 15_000)):
        here.propose(maintenance(value), at=time)
        here.state_at(time)

    assert here.parameters.maintenance[0] == 14_000
    assert here.state_at(20.0) == State.EXECUTED


@pytest.mark.parametrize(
    ("value", "expected"), [(15_600, 15_600), (15_601, 12_000), (10_800, 10_800), (10_799, 12_000)]
)
def test_a_hub_has_a_range_upward_and_another_downward(value: int, expected: int) -> None:
    here = Chamber(HUB)
    here.propose(maintenance(value))
    here.state_at(0.0)

    assert here.parameters.maintenance[0] == expected


def test_an_update_is_too_old_after_six_hours() -> None:
    for age, state in ((6 * HOUR, State.EXECUTED), (6 * HOUR + 1.0, State.EXPIRED)):
        here = Chamber(HUB)
        here.propose(maintenance(13_000), at=age, published=0.0)

        assert here.state_at(age) == state


def test_an_update_that_waits_for_its_spacing_grows_too_old() -> None:
    here = Chamber(HUB._replace(spacing=DAY))
    here.propose(maintenance(13_000))
    here.state_at(0.0)
    waiting = here.propose(maintenance(14_000), at=10.0)
    here.state_at(6 * HOUR + 10.0)

    assert waiting.state == State.QUEUED
    here.state_at(6 * HOUR + 11.0)
    assert waiting.state == State.EXPIRED
    assert waiting.reason == "maintenance must rest 86400 s between changes"


@pytest.mark.parametrize(("published", "state"), [(100.0, State.REJECTED), (101.0, State.EXECUTED)])
def test_an_update_is_applied_once_and_never_after_a_newer_one(published: float, state: State) -> None:
    here = Chamber(HUB)
    here.propose(maintenance(13_000), at=100.0)
    here.state_at(100.0)
    replay = here.propose(maintenance(14_000), at=2 * HOUR, published=published)
    here.state_at(2 * HOUR)

    assert replay.state == state
    assert ("newer update" in replay.reason) == (state == State.REJECTED)


def test_nobody_publishes_the_future() -> None:
    here = Chamber(HUB)
    proposal = here.propose(maintenance(13_000), at=10.0, published=10.5)

    assert proposal.state == State.REJECTED
    assert proposal.reason == "published <= now=10 s must hold, got 10.5 s"


def test_of_two_waiting_updates_the_newer_supersedes_the_older() -> None:
    here = Chamber(HUB)
    here.propose(maintenance(13_000))
    here.state_at(0.0)
    older = here.propose(maintenance(14_000), at=10.0)
    newer = here.propose(maintenance(13_500), at=20.0)
    here.state_at(HOUR)

    assert (older.state, older.reason) == (State.CANCELLED, "superseded by a newer update")
    assert newer.state == State.EXECUTED
    assert here.parameters.maintenance[0] == 13_500


def test_an_update_about_less_supersedes_nothing() -> None:
    here = Chamber(StewardRules(review=10.0))
    wide = here.propose(maintenance(14_000), fee(7), at=0.0)
    here.propose(maintenance(13_500), at=5.0)
    here.state_at(20.0)

    assert wide.state == State.EXECUTED
    assert (here.parameters.maintenance[0], here.parameters.taker_fee) == (13_500, 7)


@pytest.mark.parametrize("more", [{"payments": (Payment(0, 1, 1),)}, {"mints": (Mint(0, 1),)}], ids=str)
def test_what_also_moves_money_is_not_superseded_by_what_only_sets(more: dict[str, Any]) -> None:
    here = Chamber(StewardRules(review=10.0), 1)
    older = here.propose(maintenance(14_000), at=0.0, **more)
    here.propose(maintenance(13_500), at=5.0)
    here.state_at(20.0)

    assert older.state == State.EXECUTED


# Aave on 10 March 2026: the ratio may rise by 3 % in three days, its time stamp is not bounded.
CAPO = {"cap_ratio": Bound(30_000, 30_000, True)}
OLD, NEW = (1_157_200, -65_000_000), (1_228_200, -604_800)


def ratio(value: int) -> Setting:
    """A new ratio of the first market over the second [ppm]."""
    return Setting("cap_ratio", 0, value)


def adapter(rules: StewardRules) -> Chamber:
    """A ceiling over the second market with a ratio of two years ago."""
    columns = {"cap_ratio": integers(OLD[0], 0), "cap_time": integers(OLD[1], 0)}
    return Chamber(rules, cap_base=integers(1, -1), **columns)


def capo(rules: StewardRules) -> tuple[Chamber, State]:
    """A ratio of 1.1572 that is to become 1.2282, and beside it the moment that it speaks of."""
    here = adapter(rules)
    here.propose(ratio(NEW[0]), Setting("cap_time", 0, NEW[1]))
    return here, here.state_at(0.0)


def held(here: Chamber) -> tuple[int, int]:
    """Ratio and moment in force."""
    return int(here.parameters.cap_ratio[0]), int(here.parameters.cap_time[0])


def test_without_a_joint_check_one_of_two_parameters_is_cut_and_the_other_is_not() -> None:
    here, state = capo(StewardRules(bounds=CAPO, joint=False, truncates=True))

    assert state == State.EXECUTED
    assert held(here) == (1_191_916, NEW[1])
    assert here.process.proposals[0].truncated == 1


def test_with_a_joint_check_neither_holds() -> None:
    here, state = capo(StewardRules(bounds=CAPO, joint=True, truncates=True))

    assert state == State.REJECTED
    assert held(here) == OLD
    assert here.process.proposals[0].reason == "settings that belong together must not be cut to their bounds"


def test_without_cutting_a_joint_check_makes_the_difference_between_one_and_none() -> None:
    for joint, state, moment in ((False, State.EXECUTED, NEW[1]), (True, State.REJECTED, OLD[1])):
        here, found = capo(StewardRules(bounds=CAPO, joint=joint))

        assert found == state
        assert held(here) == (OLD[0], moment)


def test_a_single_setting_is_cut_with_a_joint_check_too() -> None:
    here = adapter(StewardRules(bounds=CAPO, truncates=True))
    proposal = here.propose(ratio(NEW[0]))

    assert here.state_at(0.0) == State.EXECUTED
    assert held(here) == (1_191_916, OLD[1])
    assert proposal.truncated == 1


def test_no_more_settings_are_cut_than_there_are() -> None:
    here = adapter(StewardRules(bounds=CAPO, truncates=True))
    proposal = here.propose(ratio(NEW[0]), truncated=1)
    here.state_at(0.0)

    assert proposal.truncated == 1


def test_a_parameter_drifts_no_further_in_a_window_than_it_may() -> None:
    rules = StewardRules(window=10.0, drift={"maintenance": Bound(3_000, 3_000, False)}, truncates=True)
    here = Chamber(rules, initial=50_000)
    found = []
    for time in range(0, 14, 2):
        here.propose(maintenance(50_000), at=float(time))
        here.state_at(float(time))
        found.append(int(here.parameters.maintenance[0]))

    assert found == [15_000, 15_000, 15_000, 15_000, 15_000, 18_000, 18_000]


def test_what_a_bound_and_the_window_allow_together_may_be_nothing() -> None:
    """10 to 14 and back to 11: once the first change has left the window, no value is near enough to both."""
    rules = StewardRules(
        bounds={"maintenance": Bound(4_000, 3_000, False)},
        window=10.0,
        drift={"maintenance": Bound(4_000, 1_000, False)},
        truncates=True,
    )
    here = Chamber(rules._replace(drift={}), initial=50_000)
    here.propose(maintenance(16_000), at=0.0)
    here.state_at(0.0)
    here.propose(maintenance(13_000), at=5.0)
    here.state_at(5.0)
    here.route.rules = rules._replace(bounds={"maintenance": Bound(1_000, 1_000, False)})
    last = here.propose(maintenance(30_000), at=11.0)

    assert here.state_at(11.0) == State.REJECTED
    assert last.reason == "maintenance has gone as far within 10 s as it may"
    assert here.parameters.maintenance[0] == 13_000


def test_a_key_must_exist() -> None:
    for key in (-1, 2):
        here = Chamber(StewardRules(keys=2))

        assert here.propose(maintenance(13_000), by=key).reason == f"a key must be one of 0 to 1, got {key}"


def test_a_council_needs_its_signatures_each_from_another_key() -> None:
    here = Chamber(StewardRules(keys=5, approvals=2, signing=10.0, review=5.0))
    proposal = here.propose(maintenance(13_000))

    assert proposal.state == State.ACTIVE
    assert here.process.sign(0, 0, 1.0) == "each key signs once, got a second signature of key 0"
    assert here.process.sign(0, 5, 1.0) == "a key must be one of 0 to 4, got 5"
    assert here.state_at(1.0) == State.ACTIVE
    assert here.process.sign(0, 3, 10.0) == ""
    assert (proposal.state, proposal.eta) == (State.QUEUED, 15.0)
    assert here.process.sign(0, 4, 10.0) == "a proposal must wait for signatures, got QUEUED at 10.0"
    assert here.state_at(14.9) == State.QUEUED
    assert here.state_at(15.0) == State.EXECUTED


def test_signatures_come_in_time_or_not_at_all() -> None:
    here = Chamber(StewardRules(keys=5, approvals=2, signing=10.0))
    proposal = here.propose(maintenance(13_000))

    assert here.process.sign(0, 1, 10.5) == "a proposal must wait for signatures, got ACTIVE at 10.5"
    assert here.state_at(10.5) == State.DEFEATED
    assert proposal.reason == "too few signatures"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"payments": (Payment(0, 1, 1),)}, "this route moves no money and makes no tokens"),
        ({"mints": (Mint(0, 1),)}, "this route moves no money and makes no tokens"),
        ({}, "taker_fee is out of reach of this route"),
    ],
    ids=str,
)
def test_what_has_no_bound_may_be_out_of_reach(more: dict[str, Any], reason: str) -> None:
    here = Chamber(AGRS)
    settings = (maintenance(13_000),) if more else (maintenance(13_000), fee(1))

    assert here.propose(*settings, **more).reason == reason


def test_a_route_without_rules_lets_every_key_do_what_it_wants() -> None:
    here = Chamber(StewardRules())
    here.propose(maintenance(20_000), fee(900_000), at=5.0)

    assert here.state_at(5.0) == State.EXECUTED
    assert (here.parameters.maintenance[0], here.parameters.taker_fee) == (20_000, 900_000)


def test_a_change_waits_no_longer_than_its_grace() -> None:
    here = Chamber(StewardRules(review=10.0, grace=5.0))
    proposal = here.propose(maintenance(13_000))
    here.refusal = "it would liquidate somebody"

    assert here.state_at(15.0) == State.QUEUED
    assert proposal.reason == "it would liquidate somebody"
    here.refusal = ""
    assert here.state_at(15.5) == State.EXPIRED
    assert here.parameters.maintenance[0] == 12_000


def test_without_grace_a_change_is_executed_at_its_very_moment_or_never() -> None:
    for time, state in ((10.0, State.EXECUTED), (10.5, State.EXPIRED)):
        here = Chamber(StewardRules(review=10.0, grace=0.0))
        here.propose(maintenance(13_000))

        assert here.state_at(time) == state
