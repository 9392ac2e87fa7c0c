"""Delegates: they vote once, in time, for what they live from; nobody shifts anybody's draws."""

import numpy as np
import pytest
from electing import (
    DAY,
    EVERYBODY,
    HOUR,
    PLAIN,
    RULES,
    delegates,
    facts,
    parameters,
    passing,
    people,
    submit,
    voting,
)

from agents.delegates.ballots import attention
from agents.delegates.settings import AttentionSettings, InitiativeSettings, OpinionSettings, PeopleSettings
from protocol.book import VAULT, first_trader
from protocol.governance.payload import Mint, Payload, Payment, Setting, applied
from protocol.governance.proposals import State, Support
from protocol.parameters import violations
from sim.streams import stream

TIGHTER = (Setting("initial", 0, 200_000), Setting("maintenance", 0, 100_000))
HALF = AttentionSettings(level=0.5, slope=0.0, habit=0.0, salience=0.0, called=0.0)


def outcome(interests: dict[str, float], volatility: float = 1.0) -> State:
    """How a tightening ends among people of these interests."""
    agents = delegates(people(interests, opinion=PLAIN))
    process = voting(agents)
    submit(process, 0.0, *TIGHTER)
    passing(agents, process, 6 * DAY, seen=lambda time: facts(volatility))
    return process.proposals[0].state


def test_nobody_votes_before_the_opening_or_after_the_end_nor_twice() -> None:
    agents = delegates(people(attention=HALF))
    process = voting(agents)
    for day in range(4):
        submit(process, day * DAY)

    cast = passing(agents, process, 10 * DAY)

    for time, vote in cast:
        proposal = process.proposals[vote.number]
        assert proposal.opens <= time <= proposal.closes
    assert len({(vote.number, vote.voter) for _, vote in cast}) == len(cast)
    assert len(process.routes["vote"].ballots) == len(cast) > 100


def test_who_looks_too_late_has_missed_the_vote() -> None:
    agents = delegates(people())
    process = voting(agents)
    submit(process, 0.0)
    process.advance(2 * DAY)

    assert agents.votes(process, facts(), 5 * DAY + 1) == []


def test_two_proposals_of_one_day_are_two_decisions() -> None:
    agents = delegates(people(attention=HALF))
    process = voting(agents)
    submit(process, 0.0)
    submit(process, 0.0)
    cast = passing(agents, process, 6 * DAY)
    first, second = ({vote.voter for _, vote in cast if vote.number == number} for number in (0, 1))

    assert len(first & second) < 0.8 * len(first | second)


def test_votes_are_spread_over_the_whole_period() -> None:
    agents = delegates(people())
    process = voting(agents)
    submit(process, 0.0)

    parts = np.array([(time - 2 * DAY) / (3 * DAY) for time, _ in passing(agents, process, 6 * DAY)])

    assert parts.mean() == pytest.approx(0.465, abs=0.1)
    assert parts.min() < 0.15
    assert parts.max() > 0.85


def test_traders_vote_a_tightening_down_and_depositors_vote_it_up() -> None:
    assert outcome({"traders": 1.0}) == State.DEFEATED
    assert outcome({"vault_depositors": 1.0}) == State.QUEUED


def test_stress_turns_token_holders_and_the_council() -> None:
    assert outcome({"token_holders": 1.0}, volatility=1.0) == State.DEFEATED
    assert outcome({"token_holders": 1.0}, volatility=4.0) == State.QUEUED
    assert outcome({"risk_council": 1.0}, volatility=1.0) == State.DEFEATED
    assert outcome({"risk_council": 1.0}, volatility=4.0) == State.QUEUED


def test_a_vote_speaks_of_the_moment_in_which_it_is_cast() -> None:
    agents = delegates(people({"token_holders": 1.0}, opinion=PLAIN))
    process = voting(agents)
    submit(process, 0.0, *TIGHTER)
    storm = 3.5 * DAY

    cast = passing(agents, process, 6 * DAY, seen=lambda time: facts(1.0 if time < storm else 4.0))

    assert {vote.support for time, vote in cast if time < storm} == {Support.AGAINST}
    assert {vote.support for time, vote in cast if time >= storm} == {Support.FOR}


def test_the_facts_move_nobodys_turnout() -> None:
    runs = []
    for volatility in (1.0, 9.0):
        agents = delegates(people(attention=HALF))
        process = voting(agents)
        submit(process, 0.0, *TIGHTER)
        cast = passing(agents, process, 6 * DAY, seen=lambda time, now=volatility: facts(now))
        runs.append([(time, vote.voter) for time, vote in cast])

    assert runs[0] == runs[1]


def test_without_attention_nobody_votes() -> None:
    agents = delegates(people(attention=AttentionSettings(level=0.0)))
    process = voting(agents)
    submit(process, 0.0)

    assert passing(agents, process, 6 * DAY) == []


def test_the_order_of_proposals_does_not_change_their_draws() -> None:
    votes = []
    for times in ((0.0, 0.0), (0.0, 30 * HOUR)):
        agents = delegates(people(attention=HALF))
        process = voting(agents)
        submit(process, times[0])
        opened = []
        for time in np.arange(0.0, 7 * DAY, HOUR).tolist():
            if len(process.proposals) < 2 and time >= times[1]:
                submit(process, time)
            process.advance(time)
            opened += [
                (vote.number, vote.voter, vote.support) for vote in agents.votes(process, facts(), time)
            ]
        votes.append(sorted(opened))

    assert votes[0] == votes[1]


def test_the_length_of_a_block_moves_no_vote_but_those_of_the_last_moment() -> None:
    cast = []
    for step in (HOUR, HOUR / 12):
        agents = delegates(people(attention=HALF))
        process = voting(agents)
        submit(process, 0.0)
        cast.append({vote for _, vote in passing(agents, process, 6 * DAY, step=step)})

    assert cast[0] == cast[1]


def test_nothing_is_drawn_while_no_vote_opens() -> None:
    asked: list[tuple[str | int, ...]] = []

    def noting(*name: str | int) -> np.random.Generator:
        asked.append(name)
        return stream(1, *name)

    agents = delegates(people())
    agents.stream = noting
    process = voting(agents)
    submit(process, 0.0)
    passing(agents, process, 2 * DAY - HOUR)
    before = len(asked)
    passing(agents, process, 6 * DAY)

    assert before == 0
    assert {name[-1] for name in asked} == {0}
    assert len(asked) == len(set(asked)) == 3


def test_a_called_delegate_votes_only_while_the_quorum_is_missing() -> None:
    attending = AttentionSettings(level=0.2, slope=0.0, habit=0.0, salience=0.0, called=1.0)
    counts = []
    for quorum in (0, 10**18):
        agents = delegates(people(attention=attending))
        process = voting(agents, RULES._replace(quorum=quorum))
        submit(process, 0.0)
        cast = passing(agents, process, 6 * DAY)
        known = sum(agents.people.known[vote.voter] for _, vote in cast)
        counts.append((len(cast), int(known)))

    assert counts[0][1] < 15
    assert counts[1][1] == 20
    assert counts[1][0] - counts[0][0] == counts[1][1] - counts[0][1]


def test_who_watches_votes_against_a_payment_to_an_outsider() -> None:
    theft = Payload(payments=(Payment(VAULT, first_trader(1), 10**12),))
    shares = []
    for vigilance in (0.0, 0.5, 1.0):
        opinion = OpinionSettings(appeal=20.0, appeal_spread=0.0, ideology=0.0, vigilance=vigilance)
        agents = delegates(people(opinion=opinion))
        process = voting(agents)
        submit(process, 0.0, payload=theft)
        cast = passing(agents, process, 6 * DAY)
        shares.append(np.mean([vote.support == Support.AGAINST for _, vote in cast]))

    assert shares[0] == 0.0
    assert shares[1] == pytest.approx(0.5, abs=0.2)
    assert shares[2] == 1.0


def test_a_mint_is_seen_too() -> None:
    opinion = OpinionSettings(appeal=20.0, vigilance=1.0)
    agents = delegates(people(opinion=opinion))
    process = voting(agents)
    submit(process, 0.0, payload=Payload(mints=(Mint(3, 10**9),)))

    assert {vote.support for _, vote in passing(agents, process, 6 * DAY)} == {Support.AGAINST}


def test_abstentions_have_their_share() -> None:
    agents = delegates(people(opinion=OpinionSettings(abstention=1.0)))
    process = voting(agents)
    submit(process, 0.0)

    assert {vote.support for _, vote in passing(agents, process, 6 * DAY)} == {Support.ABSTAIN}


def test_delegates_leave_the_tokens_alone() -> None:
    agents = delegates(people())
    process = voting(agents)
    tokens = process.routes["vote"].tokens
    before = tokens.balances.copy(), tokens.delegates.copy(), tokens.power.copy()
    submit(process, 0.0)
    passing(agents, process, 6 * DAY)

    after = tokens.balances, tokens.delegates, tokens.power
    assert all((first == second).all() for first, second in zip(before, after, strict=True))


def test_attention_by_hand() -> None:
    rules = AttentionSettings(level=0.2, slope=0.5)
    found = attention(np.array([0.01, 0.04, 0.01]), np.array([0.0, 0.0, np.log(4.0)]), 0.0, rules)

    assert found == pytest.approx([0.2, 1 / 3, 0.5])


def test_salience_makes_turnout_vary_between_proposals() -> None:
    spreads = []
    for salience in (0.0, 2.0):
        agents = delegates(people(attention=HALF.model_copy(update={"salience": salience})))
        process = voting(agents)
        for _ in range(30):
            submit(process, 0.0)
        cast = passing(agents, process, 6 * DAY)
        spreads.append(np.std(np.bincount([vote.number for _, vote in cast], minlength=30)))

    assert spreads[1] > 3 * spreads[0]


def wishing(interest: str, **initiative: float) -> PeopleSettings:
    settings = people({interest: 1.0}, attention=EVERYBODY)
    return settings.model_copy(update={"initiative": InitiativeSettings(**initiative)})


def test_people_propose_nothing_unless_told_to() -> None:
    agents = delegates(people())

    assert agents.wishes(facts(), parameters(), 1e9) == []


def test_people_propose_at_their_rate_whatever_the_block() -> None:
    found = []
    for step in (HOUR, DAY):
        agents = delegates(wishing("traders", rate=2.0))
        times = np.arange(0.0, 100 * DAY + step, step).tolist()
        found.append([wish for time in times for wish in agents.wishes(facts(), parameters(), time)])

    assert len(found[0]) == pytest.approx(200, abs=45)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("interest", "volatility", "parameter", "rises"),
    [
        ("traders", 1.0, "initial", False),
        ("vault_depositors", 1.0, "maintenance", True),
        ("token_holders", 1.0, "open_interest_cap", True),
        ("token_holders", 4.0, "open_interest_cap", False),
        ("risk_council", 4.0, "initial", True),
        ("risk_council", 0.5, "initial", False),
    ],
)
def test_people_propose_what_they_live_from(
    interest: str, volatility: float, parameter: str, rises: bool
) -> None:
    agents = delegates(wishing(interest, rate=2.0))
    wish = agents.wishes(facts(volatility), parameters(), 30 * DAY)[0]
    asked = {setting.parameter: setting.value for setting in wish.draft.payload.settings}
    old = int(getattr(parameters(), parameter)[0])

    assert (asked[parameter] > old) == rises
    assert abs(np.log(asked[parameter] / old)) == pytest.approx(
        0.1 if interest != "risk_council" else 0.07, abs=0.031
    )
    assert violations(applied(parameters(), wish.draft.payload.settings)) == []


def test_only_who_has_the_power_proposes() -> None:
    agents = delegates(wishing("traders", rate=5.0, power=0.03))
    supply = agents.people.balances.sum()
    proposers = {wish.proposer for wish in agents.wishes(facts(), parameters(), 50 * DAY)}

    assert proposers
    assert all(agents.people.power[each] >= 0.03 * supply for each in proposers)


def test_the_streams_of_a_run_make_the_same_votes_again() -> None:
    runs = []
    for _ in range(2):
        agents = delegates(people(attention=HALF), seed=5)
        process = voting(agents)
        submit(process, 0.0)
        runs.append(passing(agents, process, 6 * DAY))

    assert runs[0] == runs[1]
