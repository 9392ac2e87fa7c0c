"""What each interest thinks of a proposal, by hand."""

import numpy as np
import pytest
from electing import PLAIN, delegates, facts, parameters, people
from small import calm, opened, set_equity, sight

from agents.delegates.facts import insurance, ordinary_day, public_facts
from agents.delegates.interests import favour, hostile, log_change, position, scores
from agents.delegates.settings import OpinionSettings
from protocol.book import VAULT, first_trader
from protocol.governance.payload import ALL, Mint, Payload, Payment, Setting

TIGHTER = Setting("maintenance", 0, 100_000)
LOOSER = Setting("maintenance", 0, 25_000)
DEARER = Setting("taker_fee", ALL, 1000)
DOUBLING = np.log(2.0)


def test_a_doubled_margin_on_an_ordinary_day() -> None:
    found = scores((TIGHTER,), (50_000,), facts())

    assert found == pytest.approx([-DOUBLING, DOUBLING, -DOUBLING, -DOUBLING])


def test_need_doubles_with_volatility_and_grows_as_the_fund_empties() -> None:
    assert facts().need(0) == 1.0
    assert facts(volatility=2.0).need(0) == 2.0
    assert facts(fund=0.5).need(0) == 1.5
    assert facts(bad_debt=0.01).need(0) == pytest.approx(2.0)
    assert facts(fund=3.0).need(0) == 1.0


def test_depositors_want_more_protection_under_stress_and_token_holders_come_round() -> None:
    found = scores((TIGHTER,), (50_000,), facts(volatility=4.0))

    assert found == pytest.approx([-DOUBLING, 4 * DOUBLING, 2 * DOUBLING, DOUBLING])


def test_the_council_wants_margins_where_volatility_asks_for_them() -> None:
    nearer = scores((TIGHTER,), (50_000,), facts(volatility=2.0))[3]
    past = scores((Setting("maintenance", 0, 200_000),), (50_000,), facts(volatility=2.0))[3]

    assert nearer == pytest.approx(DOUBLING)
    assert past == pytest.approx(0.0)


def test_the_council_wants_lower_caps_under_stress() -> None:
    halved = Setting("open_interest_cap", 0, 500_000_000_000)
    found = [scores((halved,), (1_000_000_000_000,), facts(volatility=each))[3] for each in (1.0, 2.0)]

    assert found == pytest.approx([-DOUBLING, DOUBLING])


def test_a_dearer_fee_pleases_token_holders_and_nobody_else() -> None:
    assert scores((DEARER,), (500,), facts()) == pytest.approx([-1.0, 0.0, 1.0, 0.0])


def test_traders_mind_a_cap_by_how_much_of_it_is_used() -> None:
    cap = Setting("open_interest_cap", 0, 500_000_000_000)
    found = [
        scores((cap,), (1_000_000_000_000,), facts(usage=np.array([usage])))[0] for usage in (0.0, 0.5, 1.0)
    ]

    assert found == pytest.approx([0.0, -DOUBLING / 2, -DOUBLING])


def test_scores_of_settings_add_up() -> None:
    both = scores((TIGHTER, DEARER), (50_000, 500), facts())
    alone = scores((TIGHTER,), (50_000,), facts()) + scores((DEARER,), (500,), facts())

    assert both == pytest.approx(alone)


def test_what_protects_nobody_and_costs_nothing_leaves_everybody_cold() -> None:
    setting = Setting("liquidation_share", ALL, 500_000)

    assert scores((setting,), (100_000,), facts()) == pytest.approx([0, 0, 0, 0])
    assert position((setting,), (100_000,), 0.3) == 0.3


def test_a_cap_of_zero_is_none() -> None:
    lifted, set_first = Setting("open_interest_cap", 0, 0), Setting("open_interest_cap", 0, 10)

    assert log_change(lifted, 10) == 2.0
    assert log_change(set_first, 0) == -2.0
    assert log_change(Setting("margin_floor", 0, 10), 0) == 2.0
    assert log_change(Setting("margin_floor", 0, 0), 0) == 0.0


def test_a_proposal_stands_where_its_tightness_says() -> None:
    assert position((TIGHTER,), (50_000,), 0.3) == 1.0
    assert position((LOOSER,), (50_000,), 0.3) == -1.0


def test_caution_favours_what_is_tight() -> None:
    crowd = delegates(people()).people
    order = np.argsort(crowd.caution)[[0, -1]]
    bold, cautious = favour(crowd, order, np.zeros(4), (0.0, 1.0), OpinionSettings(ideology=1.0))

    assert bold < 0.5 < cautious
    assert cautious == pytest.approx(1 / (1 + np.exp(-crowd.caution.max())))


def test_stakes_and_appeal_add_up_to_the_log_odds() -> None:
    crowd = delegates(people({"vault_depositors": 1.0})).people
    settings = PLAIN.model_copy(update={"stakes": 10.0})
    found = favour(crowd, np.array([3]), scores((LOOSER,), (50_000,), facts()), (4.0, -1.0), settings)

    assert np.log(found / (1 - found)) == pytest.approx([4.0 - 10 * DOUBLING])


def test_paying_a_trader_and_making_tokens_are_hostile() -> None:
    trader = first_trader(1)

    assert hostile(Payload(payments=(Payment(VAULT, trader, 1),)), 1)
    assert hostile(Payload(mints=(Mint(0, 1),)), 1)
    assert not hostile(Payload(payments=(Payment(VAULT, trader - 1, 1),)), 1)
    assert not hostile(Payload((TIGHTER,)), 1)


def test_the_worst_market_speaks_for_what_all_share() -> None:
    day = ordinary_day(parameters(2))._replace(volatility=np.array([1.0, 3.0]))

    assert (day.stress(0), day.stress(1), day.stress(ALL)) == (1.0, 3.0, 3.0)


def test_a_market_without_calm_times_is_not_stressed() -> None:
    day = facts()._replace(calm_volatility=np.zeros(1))

    assert day.stress(0) == 1.0


def test_facts_of_a_quiet_venue() -> None:
    with opened(calm()) as model:
        view = sight(model)
        full = public_facts(view, view.parameters, insurance(view.book))
        half = public_facts(view, view.parameters, 2 * insurance(view.book))
        none = public_facts(view, view.parameters, 0)

    assert (full.fund, half.fund, none.fund) == (1.0, 0.5, 1.0)
    assert full.bad_debt == 0.0
    assert full.volatility is view.volatility


def test_usage_and_bad_debt_by_hand() -> None:
    with opened(calm()) as model:
        book = model.exchange.book
        book.open_interest[:] = 10**12 // book.oracle
        set_equity(model, len(book.cash) - 1, -20_000.0)
        parameters = model.exchange.parameters
        cap = np.array([4, 0]) * 10**12
        seen = sight(model, parameters=parameters._replace(open_interest_cap=cap))
        found = public_facts(seen, parameters, 0)

    assert found.usage == pytest.approx([0.25, 0.0], rel=1e-3)
    assert found.bad_debt == pytest.approx(0.01, rel=1e-3)
