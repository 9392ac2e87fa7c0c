"""Theft of keys: what enough of them can do, and what they cannot where a route has bounds or delays."""

from typing import Any

import pytest
from plotting import ACCOUNT, DAY, FUND, HOUR, Stage, plotter

from agents.attackers.key_theft import KeyTheft, KeyTheftSettings
from protocol.arithmetic import MICRO
from protocol.governance.guardian import GuardianRules
from protocol.governance.limits import Bound
from protocol.governance.proposals import State
from protocol.governance.steward import StewardRules

COUNCIL = StewardRules(keys=5, approvals=2)


def theft(**changes: Any) -> KeyTheft:
    """A thief of two keys of a council."""
    chosen = {"market": "BTC", "budget": 1e6, "at": "1h", "keys": 2} | changes
    made = plotter(KeyTheftSettings.model_validate({"kind": "key_theft", **chosen}))
    assert isinstance(made, KeyTheft)
    return made


def played(rules: StewardRules, until: float = 5 * DAY, **changes: Any) -> Stage:
    """A stage on which a thief was for some days."""
    stage = Stage(keys=rules)
    stage.play(theft(**changes), until)
    return stage


def test_two_keys_of_a_council_without_delay_empty_the_fund_in_the_next_block() -> None:
    stage = played(COUNCIL, 2 * HOUR)

    assert stage.process.proposals[0].created == HOUR
    assert stage.process.proposals[0].state == State.EXECUTED
    assert (stage.funds[FUND], stage.funds[ACCOUNT]) == (0, 5_000_000 * MICRO)


@pytest.mark.parametrize("keys", [1, 2])
def test_one_key_is_not_enough_where_two_must_sign(keys: int) -> None:
    assert len(played(COUNCIL, keys=keys).process.proposals) == (keys == 2)


def test_signatures_collected_over_days_are_void_where_they_expire() -> None:
    kept = played(COUNCIL, presigned=True, gap="1d")
    expired = played(COUNCIL._replace(signing=12 * HOUR), presigned=True, gap="1d")

    assert kept.funds[FUND] == 0
    assert not expired.process.proposals


def test_stolen_keys_sign_whenever_their_thief_likes() -> None:
    assert played(COUNCIL._replace(signing=12 * HOUR), gap="1d").funds[FUND] == 0


def test_a_route_that_moves_no_money_refuses_the_drain() -> None:
    stage = played(COUNCIL._replace(only_bounded=True))

    assert stage.process.proposals[0].state == State.REJECTED
    assert stage.funds[ACCOUNT] == 0


def test_a_review_gives_a_guardian_the_time_to_veto() -> None:
    stage = Stage(keys=COUNCIL._replace(review=2 * DAY), guardian=GuardianRules(vetoes=True))
    thief = theft()
    stage.play(thief, DAY)
    stage.process.cancel(0, stage.time, "hostile")
    stage.play(thief, 5 * DAY)

    assert stage.process.proposals[0].state == State.CANCELLED
    assert stage.funds[FUND] == 5_000_000 * MICRO


@pytest.mark.parametrize(("bound", "state"), [(100_000, State.EXECUTED), (1_000, State.REJECTED)])
def test_a_bound_refuses_an_extreme_value(bound: int, state: State) -> None:
    rules = COUNCIL._replace(bounds={"initial": Bound(bound, bound, relative=False)})
    stage = played(rules, payload="loosen", initial_margin=0.1)

    assert stage.process.proposals[0].state == state
    assert (stage.parameters.initial[0] == 100_000) == (state == State.EXECUTED)


def test_keys_that_he_cannot_pay_for_he_does_not_get() -> None:
    poor, rich = (played(COUNCIL, price=price) for price in (6e5, 5e5))

    assert not poor.process.proposals
    assert poor.cash[ACCOUNT] == 4e5 * MICRO
    assert rich.funds[FUND] == 0
    assert rich.cash[ACCOUNT] == 0
