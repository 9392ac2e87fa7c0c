"""The venue as a whole: prices, trading, liquidation rounds with their waterfall, and cash moves."""

from collections import Counter

import numpy as np
import pytest
from venue import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    equity,
    hold,
    integers,
    liquidate,
    nobody,
    place,
    quote,
    resting,
    risk,
    set_price,
    update,
    usd,
    venue,
)

from protocol.book import CLEARING, INSURANCE, VAULT, move_cash
from protocol.exchange import Exchange
from protocol.journal import (
    AUTO_DELEVERAGING,
    BACKSTOP_VAULT,
    INSURANCE_FUND,
    SOCIALISED_LOSS,
    Cascade,
    Journal,
)
from protocol.liquidations.record import TAKEN_OVER, UNFILLED
from protocol.oracle import calm_reading
from protocol.orders import IMMEDIATE, POST_ONLY, Orders
from protocol.scan import liquidatable
from protocol.venues.orderbook import BID

pytestmark = pytest.mark.kernel

WHOLE = {"liquidation_share": 1_000_000, "liquidation_maximum": usd(1e12)}
TAKEOVER = {"backstop_trigger": 666_667, "backstop_loss_share": 100_000}


def bankrupt(worth: float = -500, **settings: object) -> Exchange:
    """ALICE owes `worth` with 1,000 lots long; BOB, CAROL and DAVE are short against her; no book."""
    exchange = venue(worth, 1e6, 1e6, 1e6, 1e6, **settings)
    for account, size in ((BOB, 500), (CAROL, 300), (DAVE, 200)):
        hold(exchange, ALICE, account, size)
    return exchange


def paid(cascade: Cascade) -> dict[int, float]:
    """What each stage bore [USD]."""
    found: dict[int, float] = {}
    for row in cascade.payments:
        found[int(row["stage"])] = found.get(int(row["stage"]), 0) + row["amount"] / 1e6
    return found


def test_the_mark_is_the_oracle_where_the_rules_say_so() -> None:
    exchange = venue(1e6, rules={"mark": "oracle"})
    quote(exchange, ALICE, (5, 99), (-5, 101))
    update(exchange, 90)

    assert exchange.book.mark.tolist() == exchange.book.oracle.tolist() == [usd(90)]


def test_a_median_mark_does_not_follow_a_single_source() -> None:
    exchange = venue(1e6, rules={"mark": "median"})
    quote(exchange, ALICE, (5, 99.9), (-5, 100.1))
    exchange.update_prices(calm_reading(integers(usd(50)))._replace(stalled=np.array([True])), 60.0)

    assert exchange.book.oracle.tolist() == [usd(100)]
    assert exchange.book.mark.tolist() == [usd(100)]


def test_a_median_mark_follows_oracle_and_outside_price_together() -> None:
    exchange = venue(1e6, rules={"mark": "median"})
    quote(exchange, ALICE, (5, 99.9), (-5, 100.1))
    update(exchange, 50)

    assert exchange.book.oracle.tolist() == [usd(50)]
    assert exchange.book.mark.tolist() == [usd(50)]


def test_trading_withdraws_then_sequences_then_matches() -> None:
    exchange = venue(1e6, 1e6, 1e6)
    quote(exchange, ALICE, (-5, 100))
    leaving = nobody(exchange)
    leaving[ALICE] = True
    batch = Orders(
        integers(BOB, CAROL, ALICE),
        integers(0, 0, 0),
        integers(5, 5, -5),
        integers(0, 0, usd(101)),
        integers(IMMEDIATE, IMMEDIATE, POST_ONLY),
        np.zeros(3, np.bool_),
        integers(9, 9, 9),
        integers(1, 2, 0),
    )
    fills = exchange.trade(batch, leaving, 0, integers(0, 1, 2))

    assert fills["taker"].tolist() == [CAROL]
    assert fills["price"].tolist() == [usd(101)]


def test_a_quiet_venue_has_an_empty_cascade() -> None:
    cascade = liquidate(venue(1e6), rounds=5)

    assert (cascade.rounds, cascade.truncated) == (0, False)
    assert len(cascade.liquidations) == len(cascade.deleverages) == len(cascade.payments) == 0


def test_rounds_go_on_until_the_account_is_safe() -> None:
    exchange = venue(3_000, 1e7, 1e7, initial=100_000, maintenance=50_000)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, CAROL, (10_000, 100))
    cascade = liquidate(exchange, rounds=60)

    assert cascade.rounds == len(cascade.liquidations) < 60
    assert not cascade.truncated
    assert liquidatable(exchange.book, exchange.parameters).tolist() == []
    assert cascade.liquidations["round"].tolist() == list(range(cascade.rounds))


def test_a_block_that_runs_out_of_rounds_says_so() -> None:
    exchange = venue(600, 1e7, 1e7)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, CAROL, (10_000, 99.4))
    cascade = liquidate(exchange, rounds=2)

    assert (cascade.rounds, cascade.truncated) == (2, True)
    assert exchange.book.size[0, ALICE] == 810


def test_a_round_tries_no_more_accounts_than_its_limit() -> None:
    exchange = venue(600, 600, 600, 1e7, attempts=2)
    for account in (ALICE, BOB, CAROL):
        hold(exchange, account, DAVE, 1_000)
    cascade = liquidate(exchange, rounds=1)

    assert len(cascade.liquidations) == 2
    assert cascade.truncated


def test_an_account_that_nothing_helps_is_tried_once_in_a_block() -> None:
    exchange = venue(600, 1e7)
    hold(exchange, ALICE, BOB, 1_000)
    cascade = liquidate(exchange, rounds=60)

    assert len(cascade.liquidations) == 1
    assert cascade.liquidations["outcome"].tolist() == [UNFILLED]
    assert not cascade.truncated


def test_a_moving_mark_gives_everybody_another_try() -> None:
    exchange = venue(600, 600, 1e7, 1e7, rules={"mark": "median"})
    hold(exchange, ALICE, CAROL, 1_000)
    hold(exchange, BOB, CAROL, 1_000)
    exchange.venue.ladder.last[0] = usd(100)
    quote(exchange, DAVE, (40, 99.5))
    cascade = exchange.liquidate(integers(usd(98.5)), 0.0, 3, np.zeros(3, np.int64))
    tried = Counter(cascade.liquidations["account"].tolist())

    assert exchange.book.mark[0] < usd(100)
    assert tried == {ALICE: 2, BOB: 2}


def test_what_the_fund_pays_is_in_the_record_of_payments() -> None:
    exchange = venue(600, 1e7, 1e7, insurance=1_000)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, CAROL, (100, 99.2))
    cascade = liquidate(exchange)

    assert paid(cascade) == {INSURANCE_FUND: 20}
    assert cascade.payments["account"].tolist() == [ALICE]


def test_the_vault_takes_what_the_book_left_untouched() -> None:
    exchange = venue(-300, 1e6, vault=1e6, rules={"backstop": "takeover"}, **TAKEOVER)
    hold(exchange, ALICE, BOB, 1_000)
    cascade = liquidate(exchange)

    assert cascade.liquidations["outcome"].tolist() == [TAKEN_OVER]
    assert paid(cascade) == {BACKSTOP_VAULT: 300}
    assert exchange.book.size[0, VAULT] == 1_000
    assert exchange.gated_until == -np.inf


def test_a_vault_below_its_own_maintenance_is_liquidated_and_deleveraged_like_anybody() -> None:
    exchange = venue(1e6, vault=-200, rules={"backstop": "takeover"}, **TAKEOVER)
    hold(exchange, VAULT, ALICE, 1_000)
    cascade = liquidate(exchange)

    assert paid(cascade) == {AUTO_DELEVERAGING: 200}
    assert exchange.book.size[0, VAULT] == 0
    assert exchange.book.cash[VAULT] == 0


@pytest.mark.parametrize("rule", ["queue", "ranked"])
def test_a_bankrupt_account_without_takers_is_deleveraged_to_nothing(rule: str) -> None:
    exchange = bankrupt(rules={"adl": rule})
    cascade = liquidate(exchange, rounds=5)

    assert sorted(cascade.deleverages["counterparty"]) == [BOB, CAROL, DAVE]
    assert paid(cascade) == {AUTO_DELEVERAGING: 500}
    assert not exchange.book.size.any()
    assert exchange.book.cash[ALICE] == 0
    assert exchange.gated_until == -np.inf


def test_any_fill_spares_the_other_side_in_that_round() -> None:
    exchange = bankrupt(insurance=1e6)
    quote(exchange, ERIN, (1, 100))
    cascade = liquidate(exchange, rounds=1)

    assert cascade.liquidations["filled"].tolist() == [-1]
    assert len(cascade.deleverages) == 0


def test_a_solvent_account_is_never_deleveraged() -> None:
    exchange = bankrupt(worth=0)
    cascade = liquidate(exchange, rounds=3)

    assert len(cascade.deleverages) == 0
    assert exchange.book.size[0, ALICE] == 1_000


def test_counterparties_beyond_the_limit_are_not_asked() -> None:
    exchange = bankrupt(rules={"adl_counterparties": 2})
    cascade = liquidate(exchange, rounds=1)

    assert len(cascade.deleverages) == 2
    assert exchange.book.size[0, ALICE] == 200


def test_attempts_at_deleveraging_are_limited_by_round_and_go_on_in_the_next() -> None:
    exchange = venue(-500, -500, 1e7, rules={"adl_attempts": 1})
    for account in (ALICE, BOB):
        hold(exchange, account, CAROL, 1_000)
    cascade = liquidate(exchange, rounds=5)

    assert cascade.deleverages["round"].tolist() == [0, 1]
    assert not exchange.book.size.any()


def test_without_deleveraging_a_deficit_stays_and_gates_withdrawals() -> None:
    exchange = bankrupt(rules={"adl": "none"})
    cascade = liquidate(exchange, rounds=5, time=600.0)

    assert len(cascade.payments) == 0
    assert equity(exchange, ALICE) == -500
    assert exchange.gated_until == 650.0
    assert exchange.withdraw(ERIN, usd(1), 649.0) == 0
    assert exchange.withdraw(ERIN, usd(1), 650.0) == usd(1)


def test_an_unresolved_deficit_keeps_the_gate_shut_block_after_block() -> None:
    exchange = bankrupt(rules={"adl": "none"})
    for time in (60.0, 120.0, 180.0):
        liquidate(exchange, rounds=5, time=time)

        assert exchange.gated_until == time + 50


def test_everybody_pays_for_positions_that_nobody_takes() -> None:
    exchange = bankrupt(rules={"adl": "none", "last_resort": "socialise"})
    cascade = liquidate(exchange, rounds=5)

    assert paid(cascade) == {SOCIALISED_LOSS: 500}
    assert equity(exchange, ALICE) == 0
    assert [equity(exchange, account) for account in (BOB, CAROL, DAVE, ERIN)] == [
        1e6 - 250,
        1e6 - 150,
        1e6 - 100,
        1e6,
    ]


def test_everybody_pays_when_every_counterparty_is_spared_deleveraging() -> None:
    exchange = bankrupt(rules={"adl": "queue", "last_resort": "socialise"})
    for account in (BOB, CAROL, DAVE):
        move_cash(exchange.book, account, ERIN, risk(exchange, account)[0] - usd(50))
    hold(exchange, ERIN, CAROL, 10)
    cascade = liquidate(exchange, rounds=1)

    assert len(cascade.deleverages) == 0
    assert paid(cascade)[SOCIALISED_LOSS] >= 500
    assert equity(exchange, ALICE) == 0


def test_socialising_waits_while_the_book_still_takes() -> None:
    exchange = bankrupt(insurance=1e6, rules={"adl": "none", "last_resort": "socialise"})
    quote(exchange, ERIN, (1_000, 100))
    cascade = liquidate(exchange, rounds=1)

    assert set(paid(cascade)) == {INSURANCE_FUND}


def test_the_fund_pays_the_debt_of_a_closed_account_before_everybody_does() -> None:
    exchange = venue(-500, 1e6, 1e6, insurance=400, rules={"adl": "none", "last_resort": "socialise"})
    hold(exchange, ALICE, BOB, 10)
    hold(exchange, CAROL, BOB, 30)
    exchange.book.size[0, [ALICE, CAROL]] += [-10, 10]
    move_cash(exchange.book, CAROL, ALICE, usd(1_000))
    journal = Journal()
    exchange._resolve(0, ALICE, journal)
    cascade = journal.close(1, truncated=False)

    assert paid(cascade) == {INSURANCE_FUND: 400, SOCIALISED_LOSS: 100}
    assert exchange.book.cash[[ALICE, INSURANCE]].tolist() == [0, 0]


def test_funding_can_push_an_account_over_the_edge() -> None:
    exchange = venue(1_300, 1e6, rules={"adl": "queue"})
    hold(exchange, ALICE, BOB, 1_000)
    exchange.book.funding[:, 0] += usd(2) * 1_000
    cascade = liquidate(exchange, rounds=3)

    assert paid(cascade) == {AUTO_DELEVERAGING: 700}
    assert not exchange.book.size.any()
    exchange.check(0, 0)


@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
def test_free_collateral_can_be_withdrawn_whatever_the_side(side: int) -> None:
    exchange = venue(10_000, 1e6)
    hold(exchange, ALICE, BOB, side * 1_000)
    set_price(exchange, 100 + side * 5)

    assert exchange.withdraw(ALICE, usd(1e6), 0.0) == usd(15_000 - 2_000 - side * 100)
    assert risk(exchange, ALICE)[0] == risk(exchange, ALICE)[1]
    exchange.check(0, 0)


def test_a_withdrawal_pays_what_was_asked_and_is_counted() -> None:
    exchange = venue(100)

    assert exchange.withdraw(ALICE, usd(30), 0.0) == usd(30)
    assert exchange.book.flows.tolist() == [usd(100), usd(30)]
    assert exchange.deposited[ALICE] == usd(70)


@pytest.mark.parametrize("amount", [0, -5])
def test_a_withdrawal_of_nothing_pays_nothing(amount: int) -> None:
    assert venue(100).withdraw(ALICE, amount, 0.0) == 0


def test_an_account_below_initial_margin_withdraws_nothing() -> None:
    exchange = venue(1_999, 1e6)
    hold(exchange, ALICE, BOB, -1_000)

    assert exchange.withdraw(ALICE, usd(1), 0.0) == 0


def test_withdrawals_stop_where_the_pool_ends() -> None:
    exchange = venue(100, 100, 5, insurance=50)
    hold(exchange, ALICE, BOB, -100)
    exchange.parameters.initial[0] = 1
    exchange.parameters.maintenance[0] = 0
    set_price(exchange, 90)
    drawn = exchange.withdraw(ALICE, usd(1_000_000), 0.0)

    assert equity(exchange, BOB) == -900
    assert drawn == usd(205)
    assert exchange.book.cash[INSURANCE] == usd(50)
    assert exchange.withdraw(CAROL, usd(5), 0.0) == 0


@pytest.mark.parametrize("account", [0, INSURANCE, CLEARING, VAULT])
def test_the_venues_own_purses_cannot_be_withdrawn_from(account: int) -> None:
    exchange = venue(100, insurance=100, vault=100)

    assert exchange.withdraw(account, usd(1), 0.0) == 0


def test_a_raised_initial_margin_freezes_and_a_raised_maintenance_liquidates() -> None:
    exchange = venue(2_500, 1e6, 1e6)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, BOB, (-10, 100))
    exchange.enact(exchange.parameters._replace(initial=integers(50_000)))

    assert liquidatable(exchange.book, exchange.parameters).tolist() == []
    assert len(place(exchange, ALICE, 10)) == 0

    exchange.enact(exchange.parameters._replace(maintenance=integers(30_000)))

    assert liquidatable(exchange.book, exchange.parameters).tolist() == [ALICE]


def test_the_last_holders_of_both_sides_close_the_market() -> None:
    exchange = bankrupt(-500)
    liquidate(exchange)
    update(exchange, 50, 120.0)

    assert exchange.book.open_interest.tolist() == [0]
    assert liquidate(exchange).rounds == 0


def test_a_trade_refuses_orders_of_the_venues_purses_and_of_nobody() -> None:
    exchange = venue(1e6)
    for account in (-1, INSURANCE, CLEARING, len(exchange.book.cash)):
        with pytest.raises(ValueError, match=rf"account={account} \(order 0\)"):
            place(exchange, account, 5, 100)
    with pytest.raises(ValueError, match=r"0 <= market < 1 must hold, got market=1"):
        place(exchange, ALICE, 5, 100, market=1)

    assert resting(exchange, BID) == []


def test_resting_orders_of_a_bankrupt_account_do_it_no_harm() -> None:
    exchange = bankrupt(-500)
    quote(exchange, ALICE, (50, 99), (-50, 101))
    liquidate(exchange)
    place(exchange, ERIN, -10, 98)

    assert resting(exchange, BID) == []
    assert exchange.book.size[0, ALICE] == 0
