"""Liquidation orders: who, how much, at what price, and what the insurance fund does."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from venue import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    equity,
    hold,
    integers,
    liquidate,
    parameters,
    place,
    quote,
    reference,
    resting,
    risk,
    set_price,
    usd,
    venue,
)

from protocol.arithmetic import MICRO
from protocol.book import FEES, FUND, INSURANCE, Rows, market_accounts
from protocol.exchange import Exchange
from protocol.liquidations.record import COMPLETE, LIQUIDATION, OUTCOMES, PARTIAL, UNFILLED
from protocol.liquidations.slices import (
    bankruptcy_quote,
    execute_round,
    limit_price,
    liquidation_lots,
    pick_position,
    plan_liquidations,
    plan_round,
)
from protocol.scan import liquidatable
from protocol.venues.ladder import ASK, BID, open_ladder

pytestmark = pytest.mark.kernel

WIDE = {"initial": 100_000, "maintenance": 50_000}


def failing(collateral: float = 600, side: int = 1, **settings: Any) -> Exchange:
    """ALICE holds 1,000 lots at 100 with `collateral`, below her maintenance of 1,200; CAROL is rich."""
    exchange = venue(collateral, 1e7, 1e7, 1e7, **settings)
    hold(exchange, ALICE, BOB, side * 1_000)
    return exchange


def liquidate_alice(exchange: Exchange) -> Rows:
    """Plan and execute ALICE's liquidation order of one round; returns its record."""
    plan = plan_round(exchange.book, exchange.parameters, integers(ALICE), 50, 0)
    execute_round(exchange.book, exchange.parameters, exchange.venue.ladder, plan)
    return plan[0]


def health(exchange: Exchange, account: int) -> Fraction:
    """Equity over maintenance, exact."""
    worth, _, maintenance = risk(exchange, account)
    return Fraction(worth, maintenance)


@pytest.mark.parametrize("row", reference("liquidation_prices")["rows"], ids=lambda row: f"{row['health']}")
@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
def test_prices_of_a_liquidation_are_those_of_dydx(row: dict[str, float], side: int) -> None:
    exchange = failing(0, side)
    exchange.book.cash[ALICE] += usd(1_200 * row["health"])
    plan = plan_round(exchange.book, exchange.parameters, integers(ALICE), 50, 0)[0]

    def mirrored(price: float) -> int:
        return usd(100 + side * (price - 100))

    assert plan["bankruptcy"] == pytest.approx(mirrored(row["bankruptcy"]), abs=1)
    assert plan["limit"] == pytest.approx(mirrored(row["fillable"]), abs=1)


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), st.integers(1, 10**9))
def test_the_limit_leaves_the_mark_only_between_zero_and_the_full_spread(
    worth: int, maintenance: int, mark: int
) -> None:
    rules = parameters()
    sell = limit_price(worth, maintenance, mark, 12_000, False, rules)
    buy = limit_price(worth, maintenance, mark, 12_000, True, rules)

    assert mark * 0.982 - 1 <= sell <= mark <= buy <= mark * 1.018 + 1


@pytest.mark.parametrize("row", reference("liquidation_sizes")["rows"], ids=lambda row: f"{row['lots']}")
@pytest.mark.parametrize("side", [1, -1])
def test_the_size_of_a_liquidation_is_that_of_dydx(row: dict[str, int], side: int) -> None:
    assert liquidation_lots(side * row["lots"], usd(100), parameters()) == row["closed"]


def test_a_lot_above_every_limit_is_still_closed_one_at_a_time() -> None:
    assert liquidation_lots(7, usd(250_000), parameters()) == 1


@given(st.integers(-(10**9), 10**9).filter(bool), st.integers(1, 10**9))
def test_a_liquidation_closes_something_and_never_more_than_all(size: int, mark: int) -> None:
    lots = liquidation_lots(size, mark, parameters())

    assert 1 <= lots <= abs(size)
    assert lots == 1 or lots * mark <= usd(100_000)


def test_a_fill_at_the_bankruptcy_price_costs_neither_fund_nor_trader_more_than_the_share() -> None:
    exchange = failing(insurance=50)
    quote(exchange, CAROL, (500, 99.4))
    order = liquidate_alice(exchange)

    assert (order["filled"], order["insurance"], order["outcome"]) == (-100, 0, COMPLETE)
    assert exchange.book.cash[INSURANCE] == usd(50)
    assert equity(exchange, ALICE) == 540


def test_below_the_bankruptcy_price_the_fund_pays_the_gap() -> None:
    exchange = failing(insurance=50)
    quote(exchange, CAROL, (500, 99.2))
    order = liquidate_alice(exchange)

    assert order["insurance"] == -usd(20)
    assert exchange.book.cash[INSURANCE] == usd(30)
    assert equity(exchange, ALICE) == 540


def test_above_the_bankruptcy_price_the_fund_keeps_the_surplus() -> None:
    exchange = failing(insurance=50)
    quote(exchange, CAROL, (500, 99.9))
    order = liquidate_alice(exchange)

    assert order["insurance"] == usd(50)
    assert equity(exchange, ALICE) == 540


@pytest.mark.parametrize("side", [1, -1])
def test_the_fund_keeps_no_more_than_the_liquidation_fee(side: int) -> None:
    exchange = failing(2_500, side, **WIDE)
    quote(exchange, CAROL, (side * 500, 100))
    order = liquidate_alice(exchange)

    assert order["bankruptcy"] == usd(100 - side * 2.5)
    assert order["insurance"] == usd(150)
    assert equity(exchange, ALICE) == 2_350


def test_a_bid_worse_than_the_limit_stays_untouched() -> None:
    exchange = failing(insurance=1e6)
    quote(exchange, CAROL, (500, 99.09))
    order = liquidate_alice(exchange)

    assert (order["filled"], order["outcome"]) == (0, UNFILLED)
    assert OUTCOMES[order["outcome"]] == "unfilled"
    assert resting(exchange, BID) == [(CAROL, 500, 99.09)]


def test_a_fund_that_reaches_exactly_is_emptied() -> None:
    exchange = failing(insurance=20)
    quote(exchange, CAROL, (500, 99.2))
    order = liquidate_alice(exchange)

    assert order["outcome"] == COMPLETE
    assert exchange.book.cash[INSURANCE] == 0


def test_a_fund_one_micro_short_pays_nothing_and_the_order_ends() -> None:
    exchange = failing(insurance=19.999999)
    quote(exchange, CAROL, (500, 99.2))
    order = liquidate_alice(exchange)

    assert order["outcome"] == UNFILLED
    assert exchange.book.cash[INSURANCE] == usd(20) - 1
    assert resting(exchange, BID) == [(CAROL, 500, 99.2)]


def test_a_fund_that_runs_dry_keeps_the_fills_it_could_pay() -> None:
    exchange = failing(insurance=20)
    quote(exchange, BOB, (60, 99.2))
    quote(exchange, CAROL, (60, 99.15))
    order = liquidate_alice(exchange)

    assert (order["filled"], order["outcome"]) == (-60, PARTIAL)
    assert order["insurance"] == -usd(12)


def test_a_market_with_a_fund_of_its_own_is_settled_there() -> None:
    exchange = failing(insurance=1e6)
    own = int(market_accounts(1, FUND)[0])
    exchange.book.fund[0] = own
    exchange.deposit(own, usd(30.8))
    quote(exchange, CAROL, (60, 99.2))
    first = liquidate_alice(exchange)
    quote(exchange, CAROL, (500, 99.2))
    second = liquidate_alice(exchange)

    assert (first["insurance"], second["insurance"]) == (-usd(12), -usd(18.8))
    assert exchange.book.cash[[INSURANCE, own]].tolist() == [usd(1e6), 0]


@pytest.mark.parametrize(("limit", "filled"), [(usd(20), -100), (usd(20) - 1, 0)])
def test_the_fund_loses_no_more_on_an_account_than_it_may(limit: int, filled: int) -> None:
    exchange = failing(insurance=1e6, insurance_loss=limit)
    quote(exchange, CAROL, (500, 99.2))

    assert liquidate_alice(exchange)["filled"] == filled


@pytest.mark.parametrize(("limit", "filled"), [(20, -100), (15, -60)])
def test_the_limit_on_losses_counts_all_fills_of_an_order(limit: float, filled: int) -> None:
    exchange = failing(insurance=1e6, insurance_loss=usd(limit))
    quote(exchange, BOB, (60, 99.2))
    quote(exchange, CAROL, (60, 99.2))

    assert liquidate_alice(exchange)["filled"] == filled


def test_a_short_is_bought_back() -> None:
    exchange = failing(side=-1, insurance=50)
    quote(exchange, CAROL, (-500, 100.8))
    order = liquidate_alice(exchange)

    assert (order["size"], order["filled"], order["quote"]) == (100, 100, usd(10_080))
    assert order["insurance"] == -usd(20)
    assert exchange.book.size[0, ALICE] == -900


def test_the_best_bids_are_used_first_and_the_last_price_follows() -> None:
    exchange = failing(insurance=50)
    quote(exchange, BOB, (60, 99.4))
    quote(exchange, CAROL, (60, 99.3))
    order = liquidate_alice(exchange)

    assert order["quote"] == -usd(60 * 99.4 + 40 * 99.3)
    assert resting(exchange, BID) == [(CAROL, 20, 99.3)]
    assert exchange.venue.ladder.last[0] == usd(99.3)


def test_a_maker_without_margin_leaves_and_the_order_goes_on() -> None:
    exchange = venue(600, 1e7, 1e7, 1)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, DAVE, (500, 99.6))
    quote(exchange, CAROL, (500, 99.5))
    order = liquidate_alice(exchange)

    assert order["filled"] == -100
    assert exchange.book.size[0, [CAROL, DAVE]].tolist() == [100, 0]
    assert resting(exchange, BID) == [(CAROL, 400, 99.5)]


def test_an_account_cannot_be_liquidated_against_its_own_quote() -> None:
    exchange = failing()
    quote(exchange, ALICE, (500, 99.9))
    quote(exchange, CAROL, (500, 99.4))
    order = liquidate_alice(exchange)

    assert order["quote"] == -usd(9_940)
    assert resting(exchange, BID) == [(CAROL, 400, 99.4)]


@pytest.mark.parametrize(("maker_fee", "charged"), [(-110, 0), (100, usd(0.994))])
def test_makers_pay_their_fee_but_liquidations_earn_no_rebate(maker_fee: int, charged: int) -> None:
    exchange = failing(taker_fee=500, maker_fee=maker_fee)
    quote(exchange, CAROL, (500, 99.4))
    liquidate_alice(exchange)

    assert exchange.book.cash[FEES] == charged
    assert exchange.book.cash[CAROL] == usd(1e7 - 9_940) - charged
    assert equity(exchange, ALICE) == 540


def test_a_full_close_at_the_bankruptcy_price_leaves_nothing() -> None:
    exchange = failing(600, liquidation_share=MICRO, liquidation_maximum=usd(1e9))
    quote(exchange, CAROL, (1_000, 99.4))
    liquidate_alice(exchange)

    assert exchange.book.size[0, ALICE] == 0
    assert exchange.book.cash[ALICE] == 0


def test_a_bankrupt_account_partly_closed_keeps_its_share_of_the_debt() -> None:
    exchange = failing(-600, insurance=1e6)
    quote(exchange, CAROL, (500, 99))
    order = liquidate_alice(exchange)

    assert order["bankruptcy"] == usd(100.6)
    assert order["insurance"] == -usd(160)
    assert equity(exchange, ALICE) == -540


def test_the_buying_limit_survives_prices_below_one_tick() -> None:
    exchange = venue(0, 1e6, 1e6, prices=(0.004,), insurance=1e6)
    hold(exchange, ALICE, BOB, -1_000, 0.004)
    quote(exchange, CAROL, (-1_000, 5.0))

    assert liquidate_alice(exchange)["filled"] == 0


def test_an_order_is_skipped_if_earlier_fills_have_saved_the_account() -> None:
    exchange = venue(600, 1e7, 1_190, 1e7)
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, CAROL, BOB, -1_000)
    quote(exchange, CAROL, (600, 99.4))
    candidates = liquidatable(exchange.book, exchange.parameters)
    plan = plan_round(exchange.book, exchange.parameters, candidates, 50, 0)
    progress = execute_round(exchange.book, exchange.parameters, exchange.venue.ladder, plan)

    assert candidates.tolist() == [ALICE, CAROL]
    assert plan["account"].tolist() == [ALICE, CAROL]
    assert plan["size"].tolist() == [-100, 0]
    assert progress == 1
    assert exchange.book.size[0, CAROL] == -900


def test_the_most_urgent_limit_comes_first_then_the_larger_notional_then_the_lower_account() -> None:
    exchange = venue(600, 300, 300, 1_100, 1e9)
    for account, size in ((ALICE, 1_000), (BOB, 500), (CAROL, 500), (DAVE, 1_000)):
        hold(exchange, account, DAVE + 1, size)
    exchange.book.cash[BOB] -= usd(1)
    plan = plan_round(exchange.book, exchange.parameters, integers(ALICE, BOB, CAROL, DAVE), 50, 0)

    assert plan["account"].tolist() == [BOB, ALICE, CAROL, DAVE]
    assert plan["size"].tolist() == [-50, -100, -50, -100]


@pytest.mark.parametrize(("ticket", "chosen"), [(0, {ALICE, BOB}), (1, {BOB, CAROL}), (5, {CAROL, ALICE})])
def test_a_round_starts_at_a_drawn_place_and_takes_a_limited_number(ticket: int, chosen: set[int]) -> None:
    exchange = venue(600, 600, 600, 1e9)
    for account in (ALICE, BOB, CAROL):
        hold(exchange, account, DAVE, 1_000)
    plan = plan_round(exchange.book, exchange.parameters, integers(ALICE, BOB, CAROL), 2, ticket)

    assert set(plan["account"].tolist()) == chosen


def test_the_lottery_reaches_every_position_of_an_account_and_no_other() -> None:
    exchange = venue(1_000, 1e6, prices=(100, 100, 100))
    hold(exchange, ALICE, BOB, 5, market=0)
    hold(exchange, ALICE, BOB, -5, market=2)

    assert [pick_position(exchange.book, ALICE, ticket) for ticket in range(4)] == [0, 2, 0, 2]


def test_two_positions_closed_at_their_bankruptcy_prices_leave_only_rounding() -> None:
    exchange = venue(777.777777, 1e6, prices=(100, 37))
    hold(exchange, ALICE, BOB, 613, 100, market=0)
    hold(exchange, ALICE, BOB, -411, 37, market=1)
    set_price(exchange, 99.123457)
    for market in (0, 1):
        change = -int(exchange.book.size[market, ALICE])
        owed = bankruptcy_quote(exchange.book, exchange.parameters, ALICE, market, change)
        exchange.book.cash[ALICE] -= owed
        exchange.book.size[market, ALICE] = 0

    assert 0 <= exchange.book.cash[ALICE] < 2


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.integers(-(10**5), 10**5).filter(bool), min_size=2, max_size=2),
    st.lists(st.integers(1, 10**9), min_size=2, max_size=2),
    st.data(),
)
def test_the_bankruptcy_price_takes_exactly_the_slices_share_of_equity(
    cash: int, held: list[int], prices: list[int], data: st.DataObject
) -> None:
    exchange = venue(0, 0, prices=(1, 1))
    book = exchange.book
    book.mark[:], book.size[:, ALICE], book.cash[ALICE] = prices, held, cash
    change = -int(np.sign(held[0])) * data.draw(st.integers(1, abs(held[0])))
    worth, _, maintenance = risk(exchange, ALICE)
    assume(abs(worth) <= 100 * maintenance)
    owed = bankruptcy_quote(book, exchange.parameters, ALICE, 0, change)
    book.size[0, ALICE] += change
    book.cash[ALICE] -= owed
    left, _, remaining = risk(exchange, ALICE)

    assert 0 <= left - worth * Fraction(remaining, maintenance) < 1


def test_bankruptcy_and_limit_meet_where_equity_is_six_tenths_of_maintenance() -> None:
    gaps = []
    for collateral in (600, 719.9, 720, 720.1, 900):
        plan = plan_round(failing(collateral).book, parameters(), integers(ALICE), 1, 0)[0]
        gaps.append(int(plan["bankruptcy"] - plan["limit"]))

    assert gaps[2] == 0
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[1] > 0 > gaps[3]


bids = st.lists(st.tuples(st.integers(1, 80), st.integers(-300, 100)), max_size=5)


@given(st.integers(-2_000, 1_199), st.sampled_from([1, -1]), st.integers(0, 300), bids)
def test_a_liquidation_never_flips_the_position_nor_lowers_the_ratio_nor_overdraws_the_fund(
    collateral: int, side: int, fund: int, levels: list[tuple[int, int]]
) -> None:
    exchange = failing(collateral, side, insurance=fund)
    quote(exchange, CAROL, *((side * lots, 100 + side * cents / 100) for lots, cents in levels))
    before, owned = health(exchange, ALICE), exchange.book.cash.sum()
    order = liquidate_alice(exchange)
    size = int(exchange.book.size[0, ALICE])

    assert 900 <= side * size <= 1_000
    assert order["filled"] == size - side * 1_000
    assert health(exchange, ALICE) >= before
    assert exchange.book.cash[INSURANCE] >= 0
    assert exchange.book.cash[INSURANCE] - usd(fund) == order["insurance"]
    assert exchange.book.cash.sum() == owned
    assert order["outcome"] == (
        COMPLETE if abs(order["filled"]) == 100 else PARTIAL if order["filled"] else 0
    )


def expected_liquidation(collateral: int, fund: int, levels: list[tuple[int, int]]) -> tuple[int, int, int]:
    """Lots sold, equity left and balance of the fund for a long of 1,000 lots, in unbounded integers."""
    worth, held, mark = usd(collateral), 1_000, usd(100)
    adjustment = min(max(1 - worth / (1_200 * MICRO), 0), 1)
    limit = usd(np.ceil(1e4 * (1 - adjustment * 0.018) - 1e-6) / 100)
    for lots, cents in sorted(levels, key=lambda level: -level[1]):
        price, slice_ = usd(100 + cents / 100), min(lots, held - 900)
        proceeds, share = slice_ * price, worth * slice_ // held
        surplus = proceeds - slice_ * mark + share
        to_fund = min(surplus, proceeds * 15_000 // MICRO)
        if price < limit or slice_ == 0 or fund + to_fund < 0:
            break
        fund, held, worth = fund + to_fund, held - slice_, worth + proceeds - slice_ * mark - to_fund
    return 1_000 - held, worth, fund


@given(st.integers(-2_000, 1_199), st.integers(0, 300), bids)
def test_a_liquidation_agrees_with_its_rules_in_unbounded_integers(
    collateral: int, fund: int, levels: list[tuple[int, int]]
) -> None:
    exchange = failing(collateral, insurance=fund)
    quote(exchange, CAROL, *((lots, 100 + cents / 100) for lots, cents in levels))
    order = liquidate_alice(exchange)
    found = (-order["filled"], risk(exchange, ALICE)[0], exchange.book.cash[INSURANCE])

    assert found == expected_liquidation(collateral, usd(fund), levels)


def test_compiled_and_interpreted_plans_agree() -> None:
    exchange = failing(590)
    plans = []
    for kernel in (plan_liquidations, plan_liquidations.py_func):
        plan, urgency = np.zeros(1, LIQUIDATION).view(np.recarray), np.zeros(1)
        kernel(exchange.book, exchange.parameters, integers(ALICE), 3, plan, urgency)
        plans.append((plan.tolist(), urgency.tolist()))

    assert plans[0] == plans[1]


def test_liquidating_into_an_empty_book_changes_nothing() -> None:
    exchange = failing()
    exchange.venue.ladder = open_ladder(integers(1), integers(1))
    before = exchange.book.cash.copy()
    cascade = liquidate(exchange)

    assert cascade.liquidations["outcome"].tolist() == [UNFILLED]
    assert (exchange.book.cash == before).all()


def test_a_trader_may_close_their_own_position_ahead_of_the_venue() -> None:
    exchange = failing()
    quote(exchange, CAROL, (1_000, 100))
    place(exchange, ALICE, -1_000)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == []
    assert equity(exchange, ALICE) == 600
    assert resting(exchange, ASK) == []
