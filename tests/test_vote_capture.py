"""Vote capture: each way to get votes, what it costs by hand, and what makes it fail."""

from typing import Any

import numpy as np
import pytest
from plotting import ACCOUNT, DAY, FUND, HOUR, LENDER, PLOTTER, RULES, SUPPLY, TOKEN, Stage, plotter

from agents.attackers.vote_capture import VoteCapture, VoteCaptureSettings
from agents.token_market import TokenMarket
from protocol.arithmetic import MICRO
from protocol.governance.guardian import GuardianRules
from protocol.governance.proposals import State

MEANS = ("flash", "borrow", "buy", "bribe", "quiet")


def capture(means: str, **changes: Any) -> VoteCapture:
    """An attacker who proposes after an hour, and needs no tokens to propose."""
    chosen = {"market": "BTC", "budget": 1e6, "at": "1h", "sponsor": True, "opposition": 0.3} | changes
    made = plotter(VoteCaptureSettings.model_validate({"kind": "vote_capture", "means": means, **chosen}))
    assert isinstance(made, VoteCapture)
    return made


def played(means: str, stage: Stage, until: float = 10 * DAY, **changes: Any) -> VoteCapture:
    """An attacker after some days on a stage."""
    attacker = capture(means, **changes)
    stage.play(attacker, until)
    return attacker


def took(stage: Stage) -> bool:
    """Whether the fund is empty, and the attacker has what was in it."""
    return (stage.funds[FUND], stage.funds[ACCOUNT]) == (0, 5_000_000 * MICRO)


@pytest.mark.parametrize("means", ["borrow", "buy", "bribe"])
def test_votes_that_count_from_before_the_vote_empty_the_fund(means: str) -> None:
    stage = Stage(rules=RULES._replace(quorum=20_000 * MICRO), money=3e6)
    attacker = played(means, stage)

    assert took(stage)
    assert attacker.succeeded(stage.chamber())


@pytest.mark.parametrize("weighing", ["opening", "creation", "voting"])
def test_a_loan_of_one_moment_counts_only_where_power_is_that_of_the_moment_of_voting(weighing: Any) -> None:
    stage = Stage(rules=RULES._replace(weighing=weighing))
    played("flash", stage)

    assert took(stage) == (weighing == "voting")


def test_an_emergency_majority_is_borrowed_voted_with_and_executed_within_one_block() -> None:
    rules = RULES._replace(
        weighing="voting", delay=0.0, emergency_share=150_000, emergency_wait=DAY, timelock=9 * DAY
    )
    stage = Stage(rules=rules)
    played("flash", stage, 2 * DAY)

    assert took(stage)
    assert stage.process.events[-1].state == State.EXECUTED
    assert stage.process.events[-1].time == stage.process.proposals[0].created + DAY
    assert stage.tokens.balances[PLOTTER] == 0


def test_an_emergency_that_needs_more_than_can_be_borrowed_never_comes() -> None:
    stage = Stage(rules=RULES._replace(weighing="voting", emergency_share=250_000, emergency_wait=DAY))
    played("flash", stage)

    assert not stage.process.proposals
    assert stage.cash[ACCOUNT] == 1e6 * MICRO


@pytest.mark.parametrize("means", MEANS)
def test_no_trade_changes_the_number_of_tokens(means: str) -> None:
    stage = Stage(rules=RULES._replace(weighing="voting", quorum=20_000 * MICRO), money=3e6)
    played(means, stage, sponsor=False)

    assert len(stage.process.proposals) == 1
    assert stage.tokens.balances.sum() == SUPPLY * MICRO == stage.tokens.supply
    assert stage.tokens.balances[PLOTTER] == 0
    assert stage.tokens.balances[LENDER] == (SUPPLY - 120_000) * MICRO


@pytest.mark.parametrize("means", MEANS)
def test_an_attacker_without_money_or_votes_within_reach_does_nothing(means: str) -> None:
    stage = Stage(money=0.0, token=TOKEN.model_copy(update={"lendable": 0.0}))
    attacker = played(means, stage, budget=1e-6, sponsor=False, at="1h")

    assert not stage.process.proposals
    assert attacker.holding.cost == 0
    assert stage.funds[FUND] == 5_000_000 * MICRO


def test_bought_votes_cost_the_area_under_the_line_of_prices_and_a_fee_both_ways() -> None:
    stage = Stage(rules=RULES._replace(quorum=20_000 * MICRO))
    attacker = capture("buy", votes=20_000)
    stage.play(attacker, 3 * DAY)
    bought = 1.003 * (20_000 * 10 + 20_000 * 0.2 / 2)
    sold = 0.997 * (20_000 * 10.2 - 20_000 * 0.2 / 2)

    assert attacker.holding.spent["purchases"] == pytest.approx(bought)
    assert attacker.holding.spent["sales"] == pytest.approx(-sold)
    assert stage.cash[ACCOUNT] / MICRO == pytest.approx(1e6 - bought + sold)
    assert stage.market.price == pytest.approx(10.0)


def test_a_loan_of_one_moment_costs_its_fee_and_is_given_back() -> None:
    stage = Stage(rules=RULES._replace(weighing="voting"))
    attacker = played("flash", stage, votes=50_000)

    assert attacker.holding.cost == pytest.approx(50_000 * 10 * 0.0009)
    assert attacker.holding.spent["fees"] == attacker.holding.cost
    assert attacker.holding.earned == 0
    assert stage.cash[ACCOUNT] / MICRO == pytest.approx(1e6 - attacker.holding.cost)
    assert stage.process.proposals[0].tally[1] == 50_000 * MICRO


def test_borrowed_votes_cost_interest_for_as_long_as_they_are_held() -> None:
    stage = Stage(rules=RULES._replace(quorum=20_000 * MICRO))
    attacker = capture("borrow", votes=20_000)
    stage.play(attacker, 10 * DAY)

    assert attacker.holding.cost == pytest.approx(20_000 * 10 * 0.0005 / 24)
    assert attacker.holding.spent["interest"] == attacker.holding.cost
    assert attacker.holding.borrowed == 0


def test_bribes_are_paid_at_the_price_of_the_dearest_vote_that_is_needed() -> None:
    stage = Stage(rules=RULES._replace(quorum=60_000 * MICRO))
    attacker = capture("bribe", votes=60_000, reputation=2.0, spread=0.0, share=0.2)
    stage.play(attacker, 3 * DAY)
    price = 0.2 * 5_000_000 / SUPPLY + 2.0

    assert attacker.holding.spent["bribes"] == pytest.approx(60_000 * price)
    assert stage.process.proposals[0].tally[1] == 60_000 * MICRO


@pytest.mark.parametrize(("money", "passes"), [(181_000.0, True), (179_000.0, False)])
def test_a_bribe_that_cannot_be_paid_is_not_taken(money: float, passes: bool) -> None:
    stage = Stage(rules=RULES._replace(quorum=60_000 * MICRO), money=money)
    attacker = capture("bribe", votes=60_000, reputation=2.0, spread=0.0, share=0.2)
    stage.play(attacker, 10 * DAY)

    assert attacker.succeeded(stage.chamber()) == passes
    assert attacker.holding.spent["bribes"] == (180_000 if passes else 0)


def test_delegates_who_own_what_they_vote_with_cost_more_than_those_who_do_not() -> None:
    owners, agents = Stage(), Stage()
    agents.tokens.delegate(LENDER, 0, 0.0)
    bills = []
    for stage in (owners, agents):
        attacker = capture("bribe", votes=30_000, reputation=0.0)
        stage.play(attacker, 3 * DAY)
        bills.append(attacker.holding.spent["bribes"])

    assert bills[0] == pytest.approx(30_000 * 5.0)
    assert bills[1] == pytest.approx(910_000 * 30_000 / 910_000 * 5.0)


def test_a_guardian_with_a_veto_stops_it_within_the_time_lock() -> None:
    stage = Stage(rules=RULES._replace(quorum=20_000 * MICRO), guardian=GuardianRules(vetoes=True))
    attacker = capture("borrow")
    stage.play(attacker, 6 * DAY)
    stage.process.cancel(0, stage.time, "hostile")
    stage.play(attacker, 10 * DAY)

    assert stage.process.proposals[0].state == State.CANCELLED
    assert stage.funds[ACCOUNT] == 0


def test_a_quorum_beyond_what_is_lent_keeps_the_borrower_away() -> None:
    stage = Stage(rules=RULES._replace(quorum=101_000 * MICRO))
    played("borrow", stage)

    assert not stage.process.proposals


def test_the_quiet_one_tries_again_until_nobody_votes() -> None:
    stage = Stage(rules=RULES._replace(quorum=0), against=2)
    attacker = capture("quiet", votes=40_000, attempts=3, pause="6d", sponsor=False)
    stage.play(attacker, 8 * DAY)
    stage.against = 0
    stage.play(attacker, 30 * DAY)
    states = [each.state for each in stage.process.proposals]

    assert states == [State.DEFEATED, State.EXECUTED]
    assert stage.process.proposals[1].created >= stage.process.proposals[0].created + 6 * DAY


def test_new_tokens_are_sold_into_the_market_after_it_has_fallen() -> None:
    stage = Stage(rules=RULES._replace(quorum=20_000 * MICRO))
    attacker = capture("borrow", payload="mint", minted=50_000)
    stage.play(attacker, 10 * DAY)
    market = TokenMarket(TOKEN, SUPPLY * MICRO)
    market.fall()

    assert stage.tokens.supply == (SUPPLY + 50_000) * MICRO == stage.tokens.balances.sum()
    assert attacker.holding.earned == pytest.approx(-market.cost(-50_000 * MICRO))
    assert attacker.holding.spent["sales"] == 0
    assert stage.tokens.balances[PLOTTER] == 0


def test_tokens_are_held_until_the_end_where_a_proposer_is_checked_again() -> None:
    free, bound = Stage(), Stage(rules=RULES._replace(rechecked=True))
    for stage in (free, bound):
        played("buy", stage, 5 * DAY, votes=45_000, sponsor=False)

    assert free.tokens.balances[PLOTTER] == 0
    assert bound.tokens.balances[PLOTTER] == 45_000 * MICRO


def test_a_proposer_needs_his_tokens_a_block_before_he_proposes() -> None:
    stage = Stage()
    played("buy", stage, 4 * HOUR, sponsor=False)

    assert stage.process.proposals[0].created == 2 * HOUR
    assert np.isclose(stage.tokens.balances[PLOTTER] / MICRO, 1_000)
