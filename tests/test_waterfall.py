"""The layers behind liquidation: to whom a failing account is offered, and who pays what it leaves."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, ERIN, equity, hold, integers, risk, set_price, usd, venue

from protocol.book import (
    CLEARING,
    FEES,
    FUND,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    Row,
    market_accounts,
    move_cash,
    settle_funding,
)
from protocol.exchange import Exchange
from protocol.liquidations.record import LIQUIDATION, TAKEN_OVER, UNFILLED, Moment
from protocol.losses.journal import STAGES, Journal
from protocol.losses.waterfall import cover_from

pytestmark = pytest.mark.kernel

TAKEOVER = {"backstop_trigger": 666_667, "backstop_loss_share": 100_000}
ROUND = 7


def broke(worth: float = -500, layers: dict[str, Any] | None = None, **settings: Any) -> Exchange:
    """ALICE is worth `worth` with 1,000 lots long at 100; BOB, CAROL and DAVE are short against her."""
    exchange = venue(worth, 1e6, 1e6, 1e6, 1e6, rules=layers, **TAKEOVER | settings)
    for account, size in ((BOB, 500), (CAROL, 300), (DAVE, 200)):
        hold(exchange, ALICE, account, size)
    return exchange


def closed(debt: float = 500, layers: dict[str, Any] | None = None, **settings: Any) -> Exchange:
    """ALICE holds nothing and owes `debt`; BOB is long 30 lots against CAROL's 20 and DAVE's 10."""
    exchange = venue(-debt, 1e6, 1e6, 1e6, 1e6, rules=layers, **settings)
    hold(exchange, BOB, CAROL, 20)
    hold(exchange, BOB, DAVE, 10)
    return exchange


def offer(
    exchange: Exchange, journal: Journal, previous: float = 100, number: int = ROUND
) -> tuple[bool, Row]:
    """Offer ALICE to the layers behind her liquidation order, which nothing filled."""
    order = np.zeros(1, LIQUIDATION)[0]
    order["account"], order["size"] = ALICE, -1_000
    moment = Moment(0.0, 1.0, number, 0)
    marks = integers(*[usd(previous)] * len(exchange.book.mark))
    return exchange.waterfall.rescue(exchange.parameters, order, moment, marks, journal), order


def resolve(exchange: Exchange, journal: Journal | None = None, market: int = 0) -> Journal:
    """Deal with what ALICE owes after a round."""
    journal = journal or Journal()
    exchange.waterfall.resolve(exchange.parameters, ALICE, market, ROUND, journal)
    return journal


def stuck() -> Journal:
    """A journal in which nothing could be done for ALICE."""
    journal = Journal()
    journal.stuck.add(integers(ALICE))
    return journal


def paid(journal: Journal) -> dict[str, float]:
    """What each stage bore of ALICE's loss in this round [USD]."""
    assert {(number, account) for number, account, _, _ in journal.payments} <= {(ROUND, ALICE)}
    found: dict[str, float] = {}
    for _, _, stage, amount in journal.payments:
        found[STAGES[stage]] = found.get(STAGES[stage], 0) + amount / 1e6
    return found


def test_the_vault_is_asked_first_and_bears_the_debt_it_takes_over() -> None:
    exchange, journal = broke(-300, {"backstop": "takeover"}, vault=1e6), Journal()
    helped, order = offer(exchange, journal)

    assert (helped, order["outcome"]) == (True, TAKEN_OVER)
    assert exchange.book.size[0, [VAULT, ALICE]].tolist() == [1_000, 0]
    assert paid(journal) == {"backstop_vault": 300}
    assert journal.deleverages == []


def test_a_takeover_of_somebody_solvent_costs_the_vault_nothing() -> None:
    exchange, journal = broke(300, {"backstop": "takeover"}, vault=1e6), Journal()
    helped, order = offer(exchange, journal)

    assert (helped, order["outcome"]) == (True, TAKEN_OVER)
    assert paid(journal) == {}


def test_what_the_vault_refuses_is_deleveraged() -> None:
    exchange, journal = broke(-500, {"backstop": "takeover"}, vault=100), Journal()
    helped, order = offer(exchange, journal)

    assert (helped, order["outcome"]) == (True, UNFILLED)
    assert paid(journal) == {"auto_deleveraging": 500}
    assert not exchange.book.size.any()


@pytest.mark.parametrize("worth", [0, 500])
def test_a_solvent_account_that_the_vault_refuses_is_left_alone(worth: float) -> None:
    exchange, journal = broke(worth), Journal()

    assert offer(exchange, journal)[0] is False
    assert exchange.book.size[0, ALICE] == 1_000
    assert journal.attempts == []


def test_without_layers_nothing_is_done() -> None:
    exchange, journal = broke(-500, {"adl": "none"}, vault=1e6), Journal()

    assert offer(exchange, journal)[0] is False
    assert exchange.book.size[0, [ALICE, VAULT]].tolist() == [1_000, 0]
    assert (journal.attempts, journal.deleverages, journal.payments) == ([], [], [])


def test_deleveraging_is_recorded_with_its_round_and_its_haircuts() -> None:
    exchange, journal = broke(-500), Journal()
    helped, _ = offer(exchange, journal)
    rows = np.concatenate(journal.deleverages)

    assert helped
    assert rows["round"].tolist() == [ROUND] * 3
    assert rows["counterparty"].tolist() == [BOB, CAROL, DAVE]
    assert rows["haircut"].tolist() == [usd(250), usd(150), usd(100)]
    assert paid(journal) == {"auto_deleveraging": 500}


def test_deleveraging_at_the_previous_mark_uses_the_mark_before_the_last_change() -> None:
    exchange, journal = broke(-500, {"adl_price": "previous_mark"}), Journal()
    offer(exchange, journal, previous=100.2)

    assert paid(journal) == {"auto_deleveraging": 200}
    assert equity(exchange, ALICE) == -300


def test_beyond_its_attempts_a_round_leaves_the_rest_for_the_next() -> None:
    exchange, journal = broke(-500, {"adl_attempts": 1}), Journal()
    journal.attempts.append(ROUND)
    waiting = offer(exchange, journal)[0]

    assert waiting
    assert exchange.book.size[0, ALICE] == 1_000

    assert offer(exchange, journal, number=ROUND + 1)[0]
    assert exchange.book.size[0, ALICE] == 0
    assert journal.attempts == [ROUND, ROUND + 1]


def test_an_attempt_that_finds_nobody_counts_and_helps_nobody() -> None:
    exchange, journal = broke(-500), Journal()
    for account in (BOB, CAROL, DAVE):
        move_cash(exchange.book, account, ERIN, risk(exchange, account)[0])

    assert offer(exchange, journal)[0] is False
    assert journal.attempts == [ROUND]
    assert paid(journal) == {}


def test_an_open_account_for_which_something_may_still_be_done_waits() -> None:
    exchange = broke(-500, {"last_resort": "socialise"}, insurance=1e6)
    before = exchange.book.cash.copy()
    journal = resolve(exchange)

    assert journal.saw_negative
    assert paid(journal) == {}
    assert exchange.book.cash.tolist() == before.tolist()


def test_the_fund_pays_nothing_for_positions_that_are_still_open() -> None:
    exchange = broke(-500, {"last_resort": "socialise"}, insurance=1e6)
    journal = resolve(exchange, stuck())

    assert paid(journal) == {"socialised_loss": 500}
    assert exchange.book.cash[INSURANCE] == usd(1e6)
    assert equity(exchange, ALICE) == 0


def test_the_fund_pays_for_what_is_closed_before_the_last_resort_does() -> None:
    exchange = closed(500, {"last_resort": "socialise"}, insurance=440)
    journal = resolve(exchange)

    assert paid(journal) == {"insurance_fund": 440, "socialised_loss": 60}
    assert exchange.book.cash[[ALICE, INSURANCE]].tolist() == [0, 0]
    assert [equity(exchange, each) for each in (BOB, CAROL, DAVE)] == [1e6 - 30, 1e6 - 20, 1e6 - 10]


def test_a_fund_that_reaches_exactly_leaves_nothing_to_the_last_resort() -> None:
    exchange = closed(500, {"last_resort": "halt"}, insurance=500)
    journal = resolve(exchange)

    assert paid(journal) == {"insurance_fund": 500}
    assert not journal.halts
    assert journal.saw_negative


def test_a_market_with_a_fund_of_its_own_asks_no_other() -> None:
    exchange = closed(500, prices=(100, 50), insurance=1_000)
    own = int(market_accounts(2, FUND)[1])
    exchange.book.fund[1] = own
    exchange.deposit(own, usd(200))
    journal = resolve(exchange, market=1)

    assert paid(journal) == {"insurance_fund": 200}
    assert exchange.book.cash[[INSURANCE, own]].tolist() == [usd(1_000), 0]
    assert exchange.book.cash[ALICE] == -usd(300)


def test_a_gated_deficit_stays_where_it_is() -> None:
    exchange = closed(500, {"last_resort": "gate"})
    journal = resolve(exchange)

    assert (journal.saw_negative, journal.halts, paid(journal)) == (True, False, {})
    assert exchange.book.cash[ALICE] == -usd(500)


def test_a_venue_that_halts_moves_no_money() -> None:
    exchange = closed(500, {"last_resort": "halt"})
    before = exchange.book.cash.copy()
    journal = resolve(exchange)

    assert journal.halts
    assert paid(journal) == {}
    assert exchange.book.cash.tolist() == before.tolist()


def test_the_pool_of_the_market_pays_where_the_rule_says_so() -> None:
    exchange = closed(500, {"last_resort": "pool"}, prices=(100, 50), insurance=100)
    first, second = exchange.book.counterparty.tolist()
    for pool in (first, second):
        exchange.deposit(pool, usd(10_000))
    journal = resolve(exchange, market=1)

    assert paid(journal) == {"insurance_fund": 100, "liquidity_pool": 400}
    assert exchange.book.cash[[first, second, ALICE]].tolist() == [usd(10_000), usd(9_600), 0]


def test_by_the_index_the_fees_of_the_pool_come_before_all_holders() -> None:
    exchange = closed(500, {"last_resort": "index"})
    purse = int(exchange.book.impact[0])
    exchange.deposit(purse, usd(140))
    journal = resolve(exchange)
    for account in (BOB, CAROL, DAVE, ERIN):
        settle_funding(exchange.book, account)

    assert paid(journal) == {"liquidity_pool": 140, "socialised_loss": 360}
    assert exchange.book.cash[[ALICE, purse, CLEARING]].tolist() == [0, 0, 0]
    assert [equity(exchange, each) for each in (BOB, CAROL, DAVE, ERIN)] == [
        1e6 - 180,
        1e6 - 120,
        1e6 - 60,
        1e6,
    ]


def test_the_index_charges_only_the_market_of_the_loss() -> None:
    exchange = closed(360, {"last_resort": "index"}, prices=(100, 50))
    hold(exchange, ERIN, DAVE, 9, 50, market=1)
    resolve(exchange, market=1)

    assert exchange.book.funding[:, 0].tolist() == [0, 0]
    assert exchange.book.funding[:, 1].tolist() == [usd(20) * FUNDING_SCALE, -usd(20) * FUNDING_SCALE]


@pytest.mark.parametrize("resort", ["index", "pool", "gate"])
def test_a_loss_waits_until_the_position_is_closed_where_the_venue_pays_for_closed_ones(resort: str) -> None:
    exchange = broke(-500, {"last_resort": resort})
    exchange.deposit(int(exchange.book.impact[0]), usd(1_000))
    exchange.deposit(int(exchange.book.counterparty[0]), usd(1_000))
    journal = resolve(exchange, stuck())

    assert journal.saw_negative
    assert paid(journal) == {}
    assert equity(exchange, ALICE) == -500


def test_what_deleveraging_bears_is_no_more_than_the_debt() -> None:
    exchange, journal = broke(-500, {"adl_price": "previous_mark"}), Journal()
    offer(exchange, journal, previous=103)

    assert paid(journal) == {"auto_deleveraging": 500}
    assert equity(exchange, ALICE) == 2_500


def test_by_the_index_a_loss_without_holders_stays() -> None:
    exchange = venue(-500, 1e6, rules={"last_resort": "index"})
    journal = resolve(exchange)

    assert paid(journal) == {}
    assert exchange.book.cash[ALICE] == -usd(500)


def test_a_deficit_in_funding_is_a_deficit() -> None:
    exchange = broke(100, {"last_resort": "socialise"})
    exchange.book.funding[0, 0] += usd(1) * FUNDING_SCALE
    journal = resolve(exchange, stuck())

    assert paid(journal) == {"socialised_loss": 900}
    assert equity(exchange, ALICE) == 0


@given(
    st.sampled_from(["gate", "socialise", "index", "pool", "halt"]),
    st.integers(1, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.lists(st.integers(-50, 50).filter(bool), min_size=1, max_size=3),
    st.booleans(),
)
def test_whoever_pays_no_money_is_made_and_the_record_is_what_the_account_received(
    resort: str, debt: int, fund: int, fees: int, held: list[int], gone: bool
) -> None:
    exchange = venue(0, 1e6, 1e6, 1e6, 1e6, rules={"last_resort": resort})
    book = exchange.book
    for account, size in zip((BOB, CAROL, DAVE), held, strict=False):
        hold(exchange, account, ERIN, size)
    if not gone:
        hold(exchange, ALICE, ERIN, 3)
    set_price(exchange, 101)
    book.cash[ALICE] = -debt - int(book.size[0, ALICE] * book.mark[0])
    book.cash[INSURANCE], book.cash[book.impact[0]] = fund, fees
    total, before = int(book.cash.sum()), int(book.cash[ALICE])
    journal = resolve(exchange, stuck())
    received = int(book.cash[ALICE]) - before

    assert book.cash.sum() == total
    assert received == sum(amount for _, _, _, amount in journal.payments)
    assert risk(exchange, ALICE)[0] <= 0
    assert book.cash[INSURANCE] >= 0
    assert book.cash[book.impact[0]] >= 0
    assert book.cash[FEES] == 0
    if resort == "socialise" or (gone and resort in ("index", "pool")):
        assert received == debt
    elif not gone:
        assert received == 0


def test_a_fund_covers_what_it_can_and_never_more_than_is_owed() -> None:
    exchange = venue(0, insurance=30)
    given_out = [cover_from(exchange.book, INSURANCE, ALICE, usd(20)) for _ in range(3)]

    assert given_out == [usd(20), usd(10), 0]
    assert exchange.book.cash[[ALICE, INSURANCE]].tolist() == [usd(30), 0]


def test_a_fund_in_debt_pays_nothing() -> None:
    exchange = venue(0, insurance=-5)

    assert cover_from(exchange.book, INSURANCE, ALICE, usd(20)) == 0
    assert exchange.book.cash[INSURANCE] == -usd(5)


def test_compiled_and_interpreted_cover_agree() -> None:
    found = []
    for kernel in (cover_from, cover_from.py_func):
        exchange = venue(-7.7, insurance=5.3)
        found.append((kernel(exchange.book, INSURANCE, ALICE, usd(7.7)), exchange.book.cash.tolist()))

    assert found[0] == found[1]
