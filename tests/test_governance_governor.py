"""Votes by hand: Compound, Aave, dYdX, OpenZeppelin's rules at their edges, Beanstalk's missing snapshot."""

from typing import Any

import numpy as np
import pytest
from chamber import COMPOUND, DAY, HOUR, Chamber, maintenance
from venue import integers

from protocol.arithmetic import MICRO
from protocol.governance.governor import Governor, GovernorRules
from protocol.governance.payload import Mint
from protocol.governance.proposals import State, Support
from protocol.governance.tokens import Tokens

AGAINST, FOR, ABSTAIN, VETO = Support
QUICK = GovernorRules(delay=1.0, period=10.0)
OPENS, CLOSES = COMPOUND.delay, COMPOUND.delay + COMPOUND.period

AAVE = GovernorRules(
    threshold=50_000 * MICRO + 1,
    rechecked=True,
    delay=DAY,
    period=3 * DAY,
    quorum=320_000 * MICRO + 1,
    differential=80_000 * MICRO,
    timelock=DAY,
    grace=7 * DAY,
)
DYDX = GovernorRules(
    deposit=10_000 * MICRO,
    period=4 * DAY,
    quorum_share=334_000,
    counts_abstentions=True,
    counts_against=True,
    veto=334_000,
)


def test_a_compound_proposal_takes_its_clocks_one_after_the_other() -> None:
    here = Chamber(COMPOUND, 600_000, 25_000)
    proposal = here.propose(maintenance(15_000), by=1)

    assert here.state_at(OPENS - 1.0) == State.PENDING
    assert here.state_at(OPENS) == State.ACTIVE
    assert here.vote(0, at=OPENS + HOUR) == ""
    assert here.state_at(CLOSES) == State.ACTIVE
    assert here.state_at(CLOSES + 60.0) == State.QUEUED
    assert (proposal.eta, proposal.expires) == (CLOSES + 60.0 + 2 * DAY, CLOSES + 60.0 + 16 * DAY)
    assert here.state_at(proposal.eta - 1.0) == State.QUEUED
    assert here.parameters.maintenance.tolist() == [12_000, 12_000]
    assert here.state_at(proposal.eta) == State.EXECUTED
    assert here.parameters.maintenance.tolist() == [15_000, 12_000]
    assert proposal.eta / DAY == pytest.approx((44 + 66) / 24 + 2, abs=1e-3)


def test_a_vote_that_reaches_its_quorum_late_goes_on() -> None:
    here = Chamber(COMPOUND, 300_000, 200_000, 800_000)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=OPENS)

    assert (proposal.quorum_reached, proposal.closes) == (np.inf, CLOSES)
    here.vote(1, at=CLOSES - HOUR)
    assert (proposal.quorum_reached, proposal.closes) == (CLOSES - HOUR, CLOSES + 47 * HOUR)
    assert here.vote(2, AGAINST, at=CLOSES + 47 * HOUR) == ""
    assert proposal.closes == CLOSES + 47 * HOUR
    assert here.state_at(CLOSES + 47 * HOUR + 1.0) == State.DEFEATED
    assert proposal.reason == "no majority"


def test_a_quorum_that_is_early_lengthens_nothing() -> None:
    here = Chamber(COMPOUND, 600_000)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=OPENS)

    assert (proposal.quorum_reached, proposal.closes) == (OPENS, CLOSES)


@pytest.mark.parametrize(("wanted", "state"), [(399_999.999999, State.DEFEATED), (400_000, State.QUEUED)])
def test_the_quorum_is_reached_by_exactly_its_votes(wanted: float, state: State) -> None:
    here = Chamber(COMPOUND, wanted, 25_000)
    here.propose(maintenance(15_000), by=1)
    here.vote(0, at=OPENS)

    assert here.state_at(CLOSES + 1.0) == state
    assert here.process.proposals[0].reason == ("" if state == State.QUEUED else "no quorum")


def test_a_proposer_needs_power_from_before() -> None:
    here = Chamber(COMPOUND, 24_999, 100_000)
    here.tokens.transfer(1, 0, 50_000 * MICRO, 10.0)
    during, after = here.propose(maintenance(15_000), at=10.0), here.propose(maintenance(15_000), at=11.0)

    assert (during.state, after.state) == (State.REJECTED, State.PENDING)
    assert during.reason == "power >= threshold=25000000000 must hold, got 24999000000"
    assert [event.state for event in here.process.events] == [State.PENDING, State.REJECTED, State.PENDING]


@pytest.mark.parametrize(("against", "reason"), [(300_000, "too small a lead"), (299_999, "")])
def test_an_aave_majority_needs_its_lead(against: float, reason: str) -> None:
    here = Chamber(AAVE, 380_000, against)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=DAY)
    here.vote(1, AGAINST, at=DAY)
    here.state_at(4 * DAY + 1.0)

    assert proposal.reason == reason
    assert proposal.state == (State.DEFEATED if reason else State.QUEUED)


@pytest.mark.parametrize("moment", [0.5 * DAY, 2 * DAY, 4.5 * DAY], ids=["pending", "active", "queued"])
@pytest.mark.parametrize("rechecked", [True, False])
def test_an_aave_proposal_falls_with_its_proposer_at_every_stage(moment: float, rechecked: bool) -> None:
    here = Chamber(AAVE._replace(rechecked=rechecked), 50_001, 500_000)
    proposal = here.propose(maintenance(15_000))
    if moment > DAY:
        here.vote(1, at=DAY)
    here.state_at(moment)
    here.tokens.transfer(0, 1, 2 * MICRO, moment)
    unseen = here.state_at(moment)
    here.state_at(moment + 1.0)

    assert unseen not in (State.CANCELLED, State.EXECUTED)
    assert (proposal.state == State.CANCELLED) == rechecked
    assert proposal.reason == ("the proposer's power fell below the threshold" if rechecked else "")


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        ({FOR: 334_000}, ""),
        ({FOR: 333_999}, "no quorum"),
        ({FOR: 167_001, AGAINST: 167_000}, ""),
        ({FOR: 167_000, AGAINST: 167_000}, "no majority"),
        ({FOR: 100_000, AGAINST: 99_999, ABSTAIN: 134_001}, ""),
        ({FOR: 600_000, VETO: 300_000}, ""),
        ({FOR: 666_000, VETO: 334_000}, "vetoed by voters"),
        ({FOR: 10_000, VETO: 324_000}, "vetoed by voters"),
        ({FOR: 450_000, AGAINST: 200_000, VETO: 250_000}, "no majority"),
        ({FOR: 450_001, AGAINST: 200_000, VETO: 250_000}, ""),
    ],
    ids=str,
)
def test_a_dydx_vote_needs_a_third_of_supply_more_than_half_and_no_veto(
    votes: dict[Support, int], reason: str
) -> None:
    cast = [votes.get(each, 0) for each in Support]
    here = Chamber(DYDX, *cast, 1_000_000 - sum(cast))
    proposal = here.propose(maintenance(15_000), by=int(np.argmax(cast)))
    for voter, support in enumerate(Support):
        here.vote(voter, support, at=DAY)
    here.state_at(4 * DAY + 1.0)

    assert proposal.reason == reason
    assert proposal.state == (State.DEFEATED if reason else State.EXECUTED)


@pytest.mark.parametrize(
    ("veto", "supply", "locked"),
    [(FOR, 1_000_000, 10_000), (AGAINST, 1_000_000, 10_000), (VETO, 990_000, 10_000)],
    ids=["passed", "lost", "vetoed"],
)
def test_a_veto_burns_the_deposit_and_nothing_else_does(veto: Support, supply: int, locked: int) -> None:
    here = Chamber(DYDX, 20_000, 980_000)
    here.propose(maintenance(15_000))
    here.vote(1, veto, at=DAY)

    assert here.tokens.locked[0] == locked * MICRO
    here.state_at(4 * DAY + 1.0)
    assert here.tokens.supply == supply * MICRO
    assert here.tokens.locked[0] == 0


def test_a_deposit_cannot_flee_nor_stand_for_two_proposals() -> None:
    here = Chamber(DYDX, 15_000, 985_000)
    here.propose(maintenance(15_000))
    second = here.propose(maintenance(16_000))

    assert second.state == State.REJECTED
    assert second.reason == "free tokens >= deposit=10000000000 must hold, got 5000000000"
    with pytest.raises(ValueError, match="free=5000000000"):
        here.tokens.transfer(0, 1, 6_000 * MICRO, 1.0)
    here.process.withdraw(0, 2.0)
    assert here.tokens.free(0) == 15_000 * MICRO


def test_who_calls_a_cancellation_a_veto_of_voters_burns_nothing() -> None:
    here = Chamber(DYDX, 20_000)
    proposal = here.propose(maintenance(15_000))
    here.process.withdraw(0, 1.0)
    proposal.reason = "vetoed by voters"
    here.route.conclude(proposal, 1.0)

    assert here.tokens.supply == 20_000 * MICRO


def test_a_tie_fails() -> None:
    here = Chamber(QUICK, 5, 5)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=1.0)
    here.vote(1, AGAINST, at=1.0)

    assert here.state_at(11.5) == State.DEFEATED
    assert proposal.reason == "no majority"


def test_a_proposal_that_nobody_votes_on_fails_even_without_a_quorum() -> None:
    here = Chamber(QUICK, 5)
    here.propose(maintenance(15_000))

    assert here.state_at(100.0) == State.DEFEATED


def test_a_vote_counts_at_the_very_end_and_not_after_it() -> None:
    here = Chamber(QUICK, 5, 6)
    here.propose(maintenance(15_000))

    assert "while the proposal is active, got PENDING" in here.vote(0, at=0.5)
    assert here.vote(0, at=11.0) == ""
    assert "while the proposal is active, got QUEUED" in here.vote(1, AGAINST, at=np.nextafter(11.0, 12.0))


def test_a_vote_after_its_end_does_not_count_though_nothing_has_advanced() -> None:
    here = Chamber(QUICK, 5, 6)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=1.0)

    assert here.process.vote(0, 1, AGAINST, 11.5) != ""
    assert proposal.tally == [0, 5 * MICRO, 0, 0]


def test_each_holder_votes_once_and_without_power_not_at_all() -> None:
    here = Chamber(QUICK, 5, 0)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=1.0)

    assert here.vote(0, AGAINST, at=1.0) == "each holder votes once, got a second vote of holder 0"
    assert here.vote(1, at=1.0) == "a vote needs power, got 0 for holder 1"
    assert proposal.tally == [0, 5 * MICRO, 0, 0]
    assert [(each.voter, each.weight) for each in here.route.ballots] == [(0, 5 * MICRO)]


def test_nobody_votes_a_second_time_under_a_number_from_the_end() -> None:
    here = Chamber(QUICK, 5)
    proposal = here.propose(maintenance(15_000))
    here.vote(0, at=1.0)

    with pytest.raises(ValueError, match="a holder must be one of 0 to 0, got -1"):
        here.vote(-1, at=1.0)
    assert proposal.tally == [0, 5 * MICRO, 0, 0]


FLASH = GovernorRules(delay=100.0, period=100.0, quorum_share=500_000, emergency_share=666_667)


@pytest.mark.parametrize(
    ("weighing", "moment", "weight"),
    [
        ("creation", 10.0, 1),
        ("creation", 9.0, 1_001),
        ("opening", 10.0, 1_001),
        ("opening", 110.0, 1),
        ("opening", 109.0, 1_001),
        ("opening", 150.0, 1),
        ("voting", 110.0, 1_001),
        ("voting", 150.0, 1_001),
    ],
)
def test_tokens_count_from_before_the_moment_that_is_weighed(
    weighing: Any, moment: float, weight: int
) -> None:
    here = Chamber(FLASH._replace(weighing=weighing), 1, 1_000)
    if moment < 10.0:
        here.tokens.transfer(1, 0, 1_000 * MICRO, moment)
    proposal = here.propose(maintenance(15_000), at=10.0)
    if moment >= 10.0:
        here.tokens.transfer(1, 0, 1_000 * MICRO, moment)
    here.vote(0, at=max(moment, 110.0))

    assert proposal.tally[FOR] == weight * MICRO


@pytest.mark.parametrize(("weighing", "carried"), [("creation", False), ("opening", False), ("voting", True)])
def test_a_flash_loan_carries_an_emergency_only_without_a_snapshot(weighing: Any, carried: bool) -> None:
    here = Chamber(FLASH._replace(weighing=weighing), 1, 999)
    here.propose(maintenance(20_000))
    here.process.advance(150.0)
    here.tokens.transfer(1, 0, 999 * MICRO, 150.0)
    here.vote(0, at=150.0)
    refusal = here.process.commit(0, 150.0)
    state = here.state_at(150.0)
    here.tokens.transfer(0, 1, 999 * MICRO, 150.0)

    assert refusal == ("" if carried else "an emergency needs 66.7% of supply")
    assert state == (State.EXECUTED if carried else State.ACTIVE)
    assert here.parameters.maintenance[0] == (20_000 if carried else 12_000)


def test_an_emergency_waits_and_ends_with_the_vote() -> None:
    here = Chamber(FLASH._replace(emergency_wait=120.0), 1_000)
    here.propose(maintenance(15_000))
    early = here.process.commit(0, 50.0)
    here.vote(0, at=100.0)

    assert early == "an emergency needs an active proposal, got PENDING at 50.0"
    assert here.process.commit(0, 119.0) == "an emergency must wait 120.0 s, got 119.0"
    assert here.process.commit(0, 200.5) == "an emergency needs an active proposal, got ACTIVE at 200.5"
    assert here.process.commit(0, 200.0) == ""
    assert here.process.proposals[0].state == State.QUEUED


def test_a_venue_without_an_emergency_majority_has_none() -> None:
    here = Chamber(QUICK, 5)
    here.propose(maintenance(15_000))
    here.vote(0, at=1.0)

    assert here.process.commit(0, 1.0) == "there is no emergency majority"


def test_an_emergency_is_measured_by_the_supply_of_now() -> None:
    here = Chamber(FLASH, 667, 333)
    here.propose(maintenance(15_000))
    here.vote(0, at=100.0)
    here.tokens.mint(1, 1 * MICRO, 101.0)

    assert here.process.commit(0, 101.0) == "an emergency needs 66.7% of supply"
    here.tokens.burn(1, 1 * MICRO, 102.0)
    assert here.process.commit(0, 102.0) == ""


@pytest.mark.parametrize(("moment", "needed"), [(99.0, 1_000), (100.0, 500)])
def test_tokens_minted_after_the_snapshot_do_not_raise_the_quorum(moment: float, needed: int) -> None:
    here = Chamber(FLASH, 600, 400)
    proposal = here.propose(maintenance(15_000))
    here.tokens.mint(1, 1_000 * MICRO, moment)
    here.vote(0, at=100.0)

    assert here.route.needed(proposal) == needed * MICRO
    assert here.route.quorate(proposal) == (needed == 500)


def test_abstentions_count_for_the_quorum_where_the_rules_say_so() -> None:
    for counts, reason in ((True, ""), (False, "no quorum")):
        here = Chamber(QUICK._replace(quorum=10 * MICRO, counts_abstentions=counts), 6, 5)
        proposal = here.propose(maintenance(15_000))
        here.vote(0, at=1.0)
        here.vote(1, ABSTAIN, at=1.0)
        here.state_at(12.0)

        assert proposal.reason == reason


def test_a_quorum_of_a_billion_tokens_does_not_overflow() -> None:
    tokens = Tokens(integers(10**15), integers(0))
    tokens.mint(0, np.int64(10**15), -1.0)
    governor = Governor(FLASH, tokens)
    here = Chamber(FLASH, 1)
    here.process.routes["route"] = governor
    proposal = here.propose(maintenance(15_000), mints=(Mint(0, 1),))
    here.vote(0, at=100.0)

    assert governor.needed(proposal) == 10**15
    assert governor.quorate(proposal)
    assert here.process.commit(0, 100.0) == ""


def test_a_long_block_passes_every_state_once() -> None:
    here = Chamber(QUICK, 5)
    here.propose(maintenance(15_000))
    states = [here.state_at(1_000.0)]

    assert states == [State.DEFEATED]
    assert [each.state for each in here.process.events] == [State.PENDING, State.ACTIVE, State.DEFEATED]


def test_what_is_defeated_has_no_time_of_execution() -> None:
    here = Chamber(QUICK, 5)
    proposal = here.propose(maintenance(15_000))
    here.state_at(1_000.0)

    assert np.isinf(proposal.eta)
    assert np.isinf(proposal.expires)
