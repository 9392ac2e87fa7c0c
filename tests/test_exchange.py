"""The venue as a whole: prices, guards, trading, liquidation rounds with their layers, and cash moves."""

from collections import Counter
from typing import Any

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

from protocol.book import (
    CLEARING,
    COUNTERPARTY,
    INSURANCE,
    VAULT,
    Book,
    Rows,
    exchange_position,
    first_trader,
    market_accounts,
    move_cash,
)
from protocol.collateral import WithdrawalRule
from protocol.exchange import Exchange
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import (
    DELEVERAGE,
    LIQUIDATION,
    NO_OFFERS,
    TAKEN_OVER,
    UNFILLED,
    Moment,
    Unattended,
)
from protocol.losses.journal import (
    AUTO_DELEVERAGING,
    BACKSTOP_VAULT,
    INSURANCE_FUND,
    LIQUIDITY_POOL,
    SOCIALISED_LOSS,
    Cascade,
)
from protocol.orders import IMMEDIATE, NONE, POST_ONLY, REST, Orders
from protocol.prices.guards import GuardRule, Guards
from protocol.prices.oracle import calm_reading
from protocol.scan import liquidatable
from protocol.venues.ladder import ASK, BID

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
        integers(0, 0, 0),
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
    exchange.prices.outside = integers(usd(98.5))
    quote(exchange, DAVE, (40, 99.5))
    cascade = liquidate(exchange, rounds=3)
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
    assert exchange.gates.cross == -np.inf


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
    assert exchange.gates.cross == -np.inf


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
    assert exchange.gates.cross == 650.0
    assert exchange.withdraw(ERIN, usd(1), 649.0) == 0
    assert exchange.withdraw(ERIN, usd(1), 650.0) == usd(1)


def test_an_unresolved_deficit_keeps_the_gate_shut_block_after_block() -> None:
    exchange = bankrupt(rules={"adl": "none"})
    for time in (60.0, 120.0, 180.0):
        liquidate(exchange, rounds=5, time=time)

        assert exchange.gates.cross == time + 50


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
    venues_own = (INSURANCE, CLEARING, *range(VAULT + 1, first_trader(1)))
    for account in (-1, *venues_own, len(exchange.book.cash)):
        with pytest.raises(ValueError, match=rf"account={account} \(order 0\)"):
            place(exchange, account, 5, 100)
    with pytest.raises(ValueError, match=r"0 <= market < 1 must hold, got market=1"):
        place(exchange, ALICE, 5, 100, market=1)

    assert resting(exchange, BID) == []


def test_a_kind_of_order_that_the_venue_does_not_know_is_refused() -> None:
    exchange = venue(1e6)
    exchange.venue.kinds = frozenset({REST, IMMEDIATE})
    with pytest.raises(ValueError, match=r"kind in \[0, 1\] must hold, got kind=2 \(order 0\)"):
        place(exchange, ALICE, 5, 100, kind=POST_ONLY)


def test_liquidation_withdraws_the_orders_that_have_nothing_left_to_close() -> None:
    exchange = venue(540, 1e5, 1e5, liquidation_share=1_000_000, liquidation_maximum=usd(1e12))
    hold(exchange, ALICE, BOB, 50)
    place(exchange, ALICE, -50, 130, reduce_only=True)
    quote(exchange, CAROL, (50, 90))
    update(exchange, 90)
    liquidate(exchange)

    assert exchange.book.size[0, ALICE] == 0
    assert resting(exchange, ASK) == []


def test_resting_orders_of_a_bankrupt_account_do_it_no_harm() -> None:
    exchange = bankrupt(-500)
    quote(exchange, ALICE, (50, 99), (-50, 101))
    liquidate(exchange)
    place(exchange, ERIN, -10, 98)

    assert resting(exchange, BID) == []
    assert exchange.book.size[0, ALICE] == 0


def guard(exchange: Exchange, **acts: GuardRule) -> Exchange:
    """Let acts ask something of the price."""
    prices = exchange.rules.prices._replace(guards=Guards(**acts))
    exchange.rules = exchange.rules._replace(prices=prices)
    return exchange


FRESH = GuardRule(max_age=48.0)


def fall_silent(exchange: Exchange, *markets: int, seconds: float = 60.0) -> None:
    """The feeds of some markets, or of all, have sent nothing for so long."""
    stalled = np.isin(np.arange(len(exchange.book.oracle)), markets or range(len(exchange.book.oracle)))
    exchange.update_prices(calm_reading(exchange.book.oracle.copy())._replace(stalled=stalled), seconds)


def test_a_stale_price_stops_trades_while_liquidation_goes_on() -> None:
    exchange = guard(venue(600, 1e7, 1e7), trade=FRESH)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, CAROL, (500, 99.4))
    fall_silent(exchange)
    refused = place(exchange, BOB, -10)
    cascade = liquidate(exchange)

    assert len(refused) == 0
    assert cascade.liquidations["filled"].tolist() == [-100]

    fall_silent(exchange, 7, seconds=120.0)

    assert len(place(exchange, BOB, -10)) == 1


def test_resting_orders_can_be_withdrawn_while_trades_are_stopped() -> None:
    exchange = guard(venue(1e6), trade=FRESH)
    quote(exchange, ALICE, (5, 99))
    fall_silent(exchange)
    quote(exchange, ALICE, (5, 98))
    leaving = nobody(exchange)
    leaving[ALICE] = True
    before = resting(exchange, BID)
    exchange.trade(NONE, leaving, 0, integers())

    assert before == [(ALICE, 5, 99.0)]
    assert resting(exchange, BID) == []


def test_a_guard_stops_only_the_market_whose_price_is_stale() -> None:
    exchange = guard(venue(1e6, 1e6, prices=(100, 50)), trade=FRESH)
    for market, price in ((0, 100), (1, 50)):
        quote(exchange, ALICE, (-5, price), market=market)
    fall_silent(exchange, 0)
    fills = [len(place(exchange, BOB, 5, market=market)) for market in (0, 1)]

    assert fills == [0, 1]


def test_accounts_at_a_price_that_liquidation_may_not_use_wait() -> None:
    exchange = guard(venue(600, 600, 1e7, 1e7, prices=(100, 100)), liquidate=FRESH)
    hold(exchange, ALICE, CAROL, 500, market=0)
    hold(exchange, ALICE, CAROL, 500, market=1)
    hold(exchange, BOB, CAROL, 1_000, market=1)
    fall_silent(exchange, 0)
    cascade = liquidate(exchange)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == [ALICE, BOB]
    assert cascade.liquidations["account"].tolist() == [BOB]
    assert not cascade.truncated


def test_a_stale_price_stops_withdrawals_of_those_who_hold_at_it() -> None:
    exchange = guard(venue(1e4, 1e4, 1e4, prices=(100, 100)), withdraw=FRESH)
    hold(exchange, ALICE, BOB, 1, market=0)
    hold(exchange, BOB, CAROL, 1, market=1)
    fall_silent(exchange, 0)

    assert [exchange.withdraw(account, usd(1), 60.0) for account in (ALICE, BOB, CAROL)] == [0, 0, usd(1)]


def test_the_venue_learns_at_which_prices_it_may_quote(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = guard(venue(1e6, prices=(100, 100)), quote=FRESH)
    seen: list[list[bool]] = []
    monkeypatch.setattr(exchange.venue, "refresh", lambda *given: seen.append(given[3].tolist()))
    fall_silent(exchange, 0)

    assert seen == [[False, True]]


@pytest.mark.parametrize(("rule", "charged"), [(GuardRule(), True), (FRESH, False)])
def test_a_premium_over_a_stale_price_is_not_paid(rule: GuardRule, charged: bool) -> None:
    exchange = guard(venue(1e7, 1e7), fund=rule)
    quote(exchange, ALICE, (1_000, 105), (-1_000, 106))
    fall_silent(exchange)
    exchange.observe(3_540.0)
    exchange.update_prices(calm_reading(exchange.book.oracle.copy()), 3_600.0)
    exchange.advance_funding(3_600.0)

    assert (exchange.book.funding[:, 0] > 0).tolist() == [charged, charged]


def test_what_stood_on_the_venue_is_told_as_its_premium() -> None:
    exchange = venue(1e7)
    quote(exchange, ALICE, (1_000, 105), (-1_000, 106))

    assert exchange.observe(60.0).tolist() == pytest.approx([0.05])


def test_parameters_that_break_a_constraint_are_refused_and_the_old_ones_stay() -> None:
    exchange = venue(1e6)
    before = exchange.parameters
    with pytest.raises(ValueError, match=r"maintenance <= initial <= 1 must hold, got maintenance=0.05"):
        exchange.enact(before._replace(maintenance=integers(50_000)))

    assert exchange.parameters is before


def halted() -> Exchange:
    """A venue that has stopped over a debt of ALICE's; ERIN quotes, and owns the vault."""
    exchange = venue(-500, 1e6, 1e6, 1e6, 1e6, rules={"adl": "none", "last_resort": "halt"})
    hold(exchange, ALICE, BOB, 1_000)
    exchange.buy_shares(ERIN, VAULT, usd(1_000))
    quote(exchange, ERIN, (5, 98))
    liquidate(exchange)
    return exchange


def test_a_venue_that_halts_trades_liquidates_and_pays_no_more() -> None:
    exchange = halted()
    cascade = liquidate(exchange, rounds=5, time=1e6)
    fills = place(exchange, CAROL, -5)

    assert exchange.halted
    assert (cascade.rounds, cascade.truncated, len(cascade.liquidations)) == (0, False, 0)
    assert len(fills) == 0
    assert exchange.withdraw(DAVE, usd(1), 1e6) == 0
    assert exchange.sell_shares(ERIN, VAULT, usd(1)) == 0
    exchange.check(0, 0)


def test_a_venue_that_does_not_halt_goes_on() -> None:
    exchange = bankrupt(rules={"adl": "none", "last_resort": "gate"})
    liquidate(exchange)

    assert not exchange.halted


def test_every_purse_has_its_shares_and_its_price() -> None:
    exchange = venue(1e4, 1e4, prices=(100, 50))
    pools = market_accounts(2, COUNTERPARTY).tolist()
    bought = [exchange.buy_shares(ALICE, purse, usd(100)) for purse in exchange.purses.tolist()]
    move_cash(exchange.book, BOB, VAULT, usd(50))
    move_cash(exchange.book, BOB, pools[1], usd(20))

    assert exchange.purses.tolist() == [VAULT, *pools]
    assert bought == [usd(100)] * 3
    assert exchange.book.shares[:, ALICE].tolist() == [usd(100)] * 3
    assert exchange.share_prices().tolist() == [1.5, 1.0, 1.2]
    assert exchange.sell_shares(ALICE, pools[1], usd(10)) == usd(12)
    exchange.check(0, 0)


@pytest.mark.parametrize("purse", [VAULT, int(market_accounts(1, COUNTERPARTY)[0])])
def test_shares_are_sold_behind_the_gate_and_bought_before_it(purse: int) -> None:
    exchange = bankrupt(rules={"adl": "none"})
    exchange.buy_shares(ERIN, purse, usd(100))
    liquidate(exchange)
    update(exchange, 100, 49.0)
    during = exchange.sell_shares(ERIN, purse, usd(10)), exchange.buy_shares(ERIN, purse, usd(10))
    update(exchange, 100, 50.0)

    assert during == (0, usd(10))
    assert exchange.sell_shares(ERIN, purse, usd(10)) == usd(10)


def test_the_vault_and_the_pools_lock_deposits_for_their_own_time() -> None:
    base = venue(1e4)
    chosen = base.rules._replace(vault_lock=60.0, pool_lock=90.0)
    exchange = Exchange(base.book, base.venue, base.engine, base.parameters, chosen, 0.0)
    purses = exchange.purses.tolist()
    for purse in purses:
        exchange.buy_shares(ALICE, purse, usd(100))
    sold = []
    for time in (59.0, 60.0, 89.0, 90.0):
        exchange.update_prices(calm_reading(exchange.book.oracle.copy()), time)
        sold.append([exchange.sell_shares(ALICE, purse, usd(1)) > 0 for purse in purses])

    assert sold == [[False, False], [True, False], [True, False], [True, True]]


def test_a_part_of_the_notional_stays_where_the_rule_says_so() -> None:
    exchange = venue(10_000, 1e6, rules={"withdrawal": WithdrawalRule(100_000, 1_000_000)})
    hold(exchange, ALICE, BOB, -500)

    assert exchange.withdraw(ALICE, usd(1e6), 0.0) == usd(10_000 - 5_000)


def test_a_venue_that_rescues_partly_closed_accounts_does_so_in_the_same_round() -> None:
    exchange = bankrupt(insurance=1e6)
    layers = exchange.rules.waterfall._replace(rescues_partial=True)
    exchange.rules = exchange.rules._replace(waterfall=layers)
    quote(exchange, ERIN, (1, 100))
    cascade = liquidate(exchange, rounds=1)

    assert cascade.liquidations["filled"].tolist() == [-1]
    assert cascade.deleverages["size"].sum() == -999
    assert not exchange.book.size[0, ALICE]


def test_winners_closed_for_the_pools_sake_are_in_the_record_first() -> None:
    exchange = bankrupt()
    relieved = np.zeros(1, DELEVERAGE)
    relieved["account"], relieved["size"] = ERIN, 5
    exchange.venue.relieve = lambda book, time: relieved
    cascade = liquidate(exchange)

    assert cascade.deleverages["account"].tolist() == [ERIN, ALICE, ALICE, ALICE]


class Scripted(Unattended):
    """An engine that fills prepared rounds against CAROL: (account, market, filled, insurance, pool)."""

    def __init__(self, *rounds: list[tuple[int, int, int, int, int]], busy: bool = False) -> None:
        self.rounds = list(rounds)
        self.busy = busy
        self.asked: list[list[int]] = []
        self.told: list[Any] = []

    def prepare(self, offers: Offers, gas_price: float, usable: np.ndarray) -> None:
        self.told += [offers, gas_price, usable.tolist()]

    def round(self, book: Book, parameters: Any, candidates: np.ndarray, moment: Moment) -> Rows:
        self.asked.append(candidates.tolist())
        wanted = self.rounds.pop(0) if self.rounds else []
        rows = np.zeros(len(wanted), LIQUIDATION)
        for row, (account, market, filled, insurance, pool) in zip(rows, wanted, strict=True):
            row["account"], row["market"], row["filled"], row["size"] = account, market, filled, -10
            row["insurance"], row["pool"] = insurance, pool
            if filled:
                exchange_position(book, account, CAROL, market, filled, filled * int(book.mark[market]))
        return rows


def failing(*rounds: list[tuple[int, int, int, int, int]], **settings: Any) -> Exchange:
    """ALICE and BOB are below maintenance in both markets; the engine does as it is told."""
    exchange = venue(600, 600, 1e7, 1e7, prices=(100, 100), **settings)
    for account in (ALICE, BOB):
        for market in (0, 1):
            hold(exchange, account, CAROL, 500, market=market)
    exchange.engine = Scripted(*rounds)
    return exchange


def test_the_engine_hears_of_keepers_gas_and_usable_prices_once_a_block() -> None:
    exchange = guard(failing(), liquidate=FRESH)
    fall_silent(exchange, 1)
    exchange.liquidate(0.0, 3, integers(0, 0, 0), NO_OFFERS, 7.5)

    assert exchange.engine.told == [NO_OFFERS, 7.5, [True, False]]


def test_an_engine_with_work_left_is_asked_although_nobody_is_below_maintenance() -> None:
    exchange = venue(1e6)
    exchange.engine = Scripted(busy=True)
    cascade = liquidate(exchange, rounds=3)

    assert exchange.engine.asked == [[], [], []]
    assert (cascade.rounds, cascade.truncated) == (3, False)


def test_only_accounts_for_which_nothing_at_all_was_done_are_stuck() -> None:
    exchange = failing([(ALICE, 0, 0, 0, 0), (ALICE, 1, -1, 0, 0), (BOB, 0, 0, 0, 0), (BOB, 1, 0, 0, 0)])
    liquidate(exchange, rounds=2)

    assert exchange.engine.asked == [[ALICE, BOB], [ALICE]]


def test_what_funds_and_pools_paid_in_closes_is_in_the_record_of_payments() -> None:
    exchange = failing([(ALICE, 0, -1, -usd(3), 0), (ALICE, 1, -1, usd(2), usd(5)), (BOB, 0, -1, 0, -usd(1))])
    cascade = liquidate(exchange)

    assert paid(cascade) == {INSURANCE_FUND: 3, LIQUIDITY_POOL: 5}
    assert cascade.payments["account"].tolist() == [ALICE, ALICE]


def test_the_market_of_an_accounts_first_order_answers_for_its_debt() -> None:
    exchange = failing(
        [(ALICE, 1, -500, 0, 0), (ALICE, 0, -500, 0, 0)], rules={"adl": "none", "last_resort": "pool"}
    )
    first, second = exchange.book.counterparty.tolist()
    exchange.deposit(second, usd(1_000))
    move_cash(exchange.book, ALICE, CAROL, usd(700))
    cascade = liquidate(exchange)

    assert paid(cascade) == {LIQUIDITY_POOL: 100}
    assert exchange.book.cash[[first, second]].tolist() == [0, usd(900)]
