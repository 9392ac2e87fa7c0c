"""The one state machine: transitions, limits, conflicts, stale proposals, vetoes."""

from typing import Any

import numpy as np
import pytest
from chamber import Chamber, fee, maintenance

from protocol.governance.governor import GovernorRules
from protocol.governance.guardian import Guardian, GuardianRules, Pauses
from protocol.governance.limits import Range
from protocol.governance.payload import Setting
from protocol.governance.process import Order
from protocol.governance.proposals import NEXT, State
from protocol.governance.steward import StewardRules

QUICK = GovernorRules(delay=1.0, period=10.0, timelock=5.0, grace=5.0)
KEYS = StewardRules(review=5.0)


def guarded(until: float = np.inf, vetoes: bool = True) -> Guardian:
    """A guardian with a veto."""
    return Guardian(GuardianRules(vetoes=vetoes, until=until), Pauses())


def test_no_state_follows_a_final_one_and_every_open_one_has_a_next() -> None:
    assert {state for state in State if not state.final} == set(NEXT)
    assert all(state not in after for state, after in NEXT.items())


def test_all_events_are_told_in_their_order() -> None:
    here = Chamber(QUICK, 5)
    here.propose(maintenance(15_000))
    here.vote(0, at=1.0)
    for time in (11.0, 12.0, 16.0, 17.0):
        here.state_at(time)

    assert [(event.time, event.state.name) for event in here.process.events] == [
        (0.0, "PENDING"),
        (1.0, "ACTIVE"),
        (12.0, "QUEUED"),
        (17.0, "EXECUTED"),
    ]
    assert here.process.open == []


@pytest.mark.parametrize(
    ("time", "state"),
    [(16.9, State.QUEUED), (17.0, State.EXECUTED), (22.0, State.EXECUTED), (22.1, State.EXPIRED)],
)
def test_a_proposal_is_executed_from_its_time_until_its_grace_is_over(time: float, state: State) -> None:
    here = Chamber(QUICK, 5)
    here.propose(maintenance(15_000))
    here.vote(0, at=1.0)
    here.state_at(12.0)

    assert here.state_at(time) == state
    assert here.parameters.maintenance[0] == (15_000 if state == State.EXECUTED else 12_000)


def test_execution_after_the_end_waits_for_no_advance() -> None:
    here = Chamber(KEYS._replace(grace=5.0))
    here.propose(maintenance(15_000))
    here.process.execute(10.5, lambda: here.parameters, here._enact)

    assert here.parameters.maintenance[0] == 12_000


def test_what_is_due_is_executed_in_the_order_of_its_time() -> None:
    here = Chamber(KEYS, initial=50_000)
    here.propose(maintenance(15_000), at=1.0)
    here.propose(fee(1), at=0.0)
    here.propose(maintenance(16_000), fee(2), at=0.0)
    here.state_at(9.0)

    executed = [each.number for each in here.process.events if each.state == State.EXECUTED]
    assert executed == [1, 2, 0]
    assert (here.parameters.maintenance[0], here.parameters.taker_fee) == (15_000, 2)


LIMITS = Order(limits={"maintenance": Range(10_000, 15_000), "taker_fee": Range(0, 500)})


@pytest.mark.parametrize("rules", [QUICK, KEYS], ids=["vote", "keys"])
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (maintenance(15_001), "10000 <= maintenance <= 15000 must hold, got 15001"),
        (fee(-1), "0 <= taker_fee <= 500 must hold, got -1; taker_fee + maker_fee >= 0 must hold"),
        (Setting("initial", 1, 11_999), "0 < maintenance <= initial <= 1 must hold"),
    ],
    ids=str,
)
def test_no_route_leads_outside_limits_and_joint_constraints(
    rules: Any, setting: Setting, reason: str
) -> None:
    here = Chamber(rules, 5, order=LIMITS)
    before = here.parameters
    proposal = here.propose(setting)
    if isinstance(rules, GovernorRules):
        here.vote(0, at=1.0)
        here.state_at(12.0)

    assert here.state_at(17.0) == State.REJECTED
    assert proposal.reason.startswith(reason)
    assert here.parameters is before


def test_two_settings_that_hold_only_together_are_executed_together() -> None:
    here = Chamber(KEYS)
    here.propose(Setting("initial", 0, 40_000), maintenance(30_000))

    assert here.state_at(5.0) == State.EXECUTED


def test_a_stale_proposal_falls_where_the_rules_say_so() -> None:
    for refuses, state, held in ((True, State.REJECTED, 13_000), (False, State.EXECUTED, 14_000)):
        here = Chamber(KEYS, order=Order(refuses_stale=refuses))
        here.propose(maintenance(13_000), at=0.0)
        late = here.propose(maintenance(14_000), fee(3), at=1.0)
        here.state_at(5.0)

        assert here.state_at(6.0) == state
        assert here.parameters.maintenance[0] == held
        if refuses:
            assert late.reason == "stale: maintenance was 12000 when proposed, and is 13000"


def test_a_conflict_waits_where_the_rules_say_so() -> None:
    here = Chamber(KEYS, order=Order(refuses_conflicts=True))
    here.propose(maintenance(13_000), at=0.0)
    other = here.propose(maintenance(14_000), fee(1), at=1.0)
    beside = here.propose(maintenance(14_000, 1), at=1.0)
    here.state_at(6.0)
    after = here.propose(maintenance(14_000), at=6.0)

    assert other.reason == "proposal 0 about the same parameter is still open"
    assert [each.state for each in (other, beside, after)] == [State.REJECTED, State.EXECUTED, State.QUEUED]


def test_without_that_rule_conflicting_proposals_run_beside_each_other() -> None:
    here = Chamber(KEYS)

    assert [here.propose(maintenance(13_000 + i)).state for i in range(2)] == [State.QUEUED] * 2


@pytest.mark.parametrize("moment", [0.5, 5.0, 12.0])
def test_the_guardian_vetoes_what_is_not_at_its_end(moment: float) -> None:
    here = Chamber(QUICK, 5, guardian=guarded())
    proposal = here.propose(maintenance(15_000))
    if moment > 1.0:
        here.vote(0, at=1.0)
    here.process.advance(moment)

    assert here.process.cancel(0, moment, "hostile") == ""
    assert (proposal.state, proposal.reason) == (State.CANCELLED, "hostile")
    assert here.process.cancel(0, moment, "again") == "only what is open can be cancelled, got CANCELLED"
    assert here.state_at(17.0) == State.CANCELLED


def test_a_guardian_without_power_vetoes_nothing() -> None:
    for guardian, reason in (
        (None, "there is no guardian"),
        (guarded(until=1.0), "the guardian's power ended at 1 s, got 2 s"),
        (guarded(vetoes=False), "this guardian has no veto"),
    ):
        here = Chamber(KEYS, guardian=guardian)
        here.propose(maintenance(15_000))

        assert here.process.cancel(0, 2.0, "hostile") == reason
        assert here.state_at(5.0) == State.EXECUTED


def test_a_proposal_is_withdrawn_only_before_its_end() -> None:
    here = Chamber(KEYS)
    here.propose(maintenance(15_000))

    assert here.process.withdraw(0, 1.0) == ""
    assert here.process.withdraw(0, 1.0) == "only what is open can be withdrawn, got CANCELLED"
    assert here.state_at(5.0) == State.CANCELLED


def test_a_vote_on_a_route_by_keys_and_a_signature_on_a_vote_are_mistakes() -> None:
    keys, votes = Chamber(KEYS), Chamber(QUICK, 5)
    keys.propose(maintenance(15_000))
    votes.propose(maintenance(15_000))

    with pytest.raises(TypeError, match="the route of proposal 0 must be a Governor, got route"):
        keys.vote(0, at=1.0)
    with pytest.raises(TypeError, match="the route of proposal 0 must be a Steward, got route"):
        votes.process.sign(0, 0, 1.0)


def test_a_proposal_about_no_parameter_is_a_mistake() -> None:
    here = Chamber(KEYS)

    with pytest.raises(ValueError, match="a setting must name a parameter"):
        here.propose(Setting("speed", 0, 1))
    assert here.process.proposals == []


def test_a_proposal_that_sets_a_parameter_twice_is_a_mistake() -> None:
    here = Chamber(KEYS)

    with pytest.raises(ValueError, match="sets each parameter once, got maintenance of market 0 twice"):
        here.propose(maintenance(13_000), fee(1), maintenance(14_000))
    assert here.process.proposals == []


def test_a_state_that_no_proposal_may_come_to_is_a_mistake() -> None:
    here = Chamber(QUICK, 5)
    proposal = here.propose(maintenance(15_000))

    with pytest.raises(ValueError, match="no proposal goes from PENDING to EXECUTED"):
        here.process._to(proposal, State.EXECUTED, 1.0, "")
