"""A virtual AMM with a ladder beside it: takers get the better of the two."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from drift import Fixture, rows
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, FOREVER, integers, usd

from protocol.book import FEES, Rows
from protocol.orders import POST_ONLY, cancels, orders
from protocol.venues.amm import sweep
from protocol.venues.depth import resting_orders
from protocol.venues.ladder import ASK, BID

pytestmark = pytest.mark.kernel

AMM = 4


def opened(**settings: Any) -> Fixture:
    """Four traders with ten million each, and an AMM of 1,000 lots at 100."""
    return Fixture(1e7, 1e7, 1e7, 1e7, **settings)


def summary(fills: Rows) -> list[tuple[int, int, float]]:
    """Fills as (maker, lots, average price in USD)."""
    return [
        (int(row["maker"]), int(row["size"]), round(row["quote"] / row["size"] / 1e6, 4)) for row in fills
    ]


@pytest.mark.parametrize(("lots", "cash"), [(10, 1010.101011), (-10, -990.099009), (100, 11111.111112)])
def test_a_taker_pays_the_curve_rounded_against_it(lots: int, cash: float) -> None:
    venue = opened()
    fills = venue.send(ALICE, lots)

    assert len(fills) == 1
    assert fills["quote"][0] == usd(cash)
    assert (fills["taker"][0], fills["maker"][0], fills["size"][0]) == (ALICE, AMM, lots)
    assert fills["price"][0] == usd(cash) // lots
    assert venue.book.cash[ALICE] == usd(1e7) - usd(cash)
    assert venue.position == -lots
    assert venue.book.open_interest[0] == abs(lots)
    assert venue.balanced()


def test_the_spread_goes_to_the_fee_pool() -> None:
    venue = opened(least_spread=20_000)
    asked = 1.01 * 1010.10101010
    fills = venue.send(ALICE, 10)

    assert fills["quote"][0] / 1e6 == pytest.approx(asked, abs=1e-5)
    assert venue.pool == pytest.approx(1_000 + asked - 1010.101010, abs=1e-5)


def test_the_taker_s_fee_is_shared_between_venue_and_pool() -> None:
    venue = opened(fees=(350, -25), pool_share=400_000)
    fills = venue.send(ALICE, 100)
    fee = 11111.111112 * 0.00035

    assert fills["taker_fee"][0] / 1e6 == pytest.approx(fee, abs=1e-6)
    assert fills["maker_fee"][0] == 0
    assert venue.book.cash[FEES] / 1e6 == pytest.approx(0.6 * fee, abs=2e-6)
    assert venue.pool == pytest.approx(1_000 + 0.4 * fee, abs=2e-6)
    assert int(venue.book.cash[ALICE]) == usd(1e7) - 11111111112 - int(fills["taker_fee"][0])
    assert venue.balanced()


@pytest.mark.parametrize("row", rows("fees"))
def test_fees_follow_the_schedule(row: dict[str, float]) -> None:
    notional = usd(row["notional"])
    venue = Fixture(1e7, 1e7, fees=(350, -25))
    venue.amm.ladder.tick[:] = 1
    venue.refresh(usable=False)
    venue.book.oracle[0] = venue.book.mark[0] = notional
    batch = orders(integers(BOB, ALICE), 0, integers(-1, 1), integers(notional, notional), 0, expiry=FOREVER)
    fills = venue.amm.match(venue.book, venue.parameters, batch)

    assert fills["taker_fee"].tolist() == [usd(row["taker"])]
    assert fills["maker_fee"].tolist() == [usd(row["maker"])]


def test_a_taker_walks_curve_and_ladder_in_the_order_of_price() -> None:
    venue = opened()
    venue.send(BOB, -20, 101.0)
    venue.send(CAROL, -5, 100.5)
    venue.send(CAROL, -50, 120.0)
    fills = venue.send(ALICE, 60)
    until = [int(1_000 * (1 - (100 / level) ** 0.5)) for level in (100.5, 101.0)]

    assert [int(row["maker"]) for row in fills] == [AMM, CAROL, AMM, BOB, AMM]
    assert fills["size"].tolist() == [until[0], 5, until[1] - until[0], 20, 60 - until[1] - 25]
    assert fills["price"].tolist() == sorted(fills["price"].tolist())
    assert venue.resting(ASK) == [(CAROL, 50, 120.0)]


def test_a_seller_walks_them_downward() -> None:
    venue = opened()
    venue.send(BOB, 20, 99.5)
    fills = venue.send(ALICE, -30)
    until = int(1_000 * ((100 / 99.5) ** 0.5 - 1))

    assert summary(fills)[1] == (BOB, -20, 99.5)
    assert fills["size"].tolist() == [-until, -20, until - 10]
    assert fills["price"].tolist() == sorted(fills["price"].tolist(), reverse=True)


def test_at_one_price_the_ladder_comes_first() -> None:
    venue = opened()
    venue.send(BOB, -5, 100.0, kind=POST_ONLY)

    assert summary(venue.send(ALICE, 6))[0] == (BOB, 5, 100.0)


def test_an_order_stops_at_its_limit_and_rests() -> None:
    venue = opened()
    fills = venue.send(ALICE, 100, 101.0)
    until = int(1_000 * (1 - (100 / 101) ** 0.5))

    assert fills["size"].tolist() == [until]
    assert fills["quote"][0] <= until * usd(101)
    assert venue.resting(BID) == [(ALICE, 100 - until, 101.0)]


def test_a_post_only_order_that_the_amm_would_fill_is_dropped() -> None:
    venue = opened(least_spread=20_000)
    venue.send(ALICE, 10, 102.0, kind=POST_ONLY)
    venue.send(BOB, -10, 98.0, kind=POST_ONLY)
    assert venue.resting(BID) == venue.resting(ASK) == []

    venue.send(ALICE, 10, 100.5, kind=POST_ONLY)
    venue.send(BOB, -10, 100.51, kind=POST_ONLY)

    assert venue.resting(BID) == [(ALICE, 10, 100.5)]
    assert venue.resting(ASK) == [(BOB, 10, 100.51)]


def test_the_amm_trades_no_more_than_its_room() -> None:
    venue = opened(fill_share=30_000)
    first, second = venue.send(ALICE, 20), venue.send(BOB, 20)
    third = venue.send(BOB, -50)

    assert [int(fills["size"].sum()) for fills in (first, second, third)] == [20, 10, -30]
    assert len(venue.send(CAROL, 1)) == 0


def test_only_the_ladder_trades_while_the_oracle_is_not_usable() -> None:
    venue = opened()
    venue.send(BOB, -5, 103.0)
    venue.refresh(60.0, usable=False)

    assert summary(venue.send(ALICE, 10)) == [(BOB, 5, 103.0)]
    assert venue.position == 0


def test_a_taker_without_margin_is_refused_and_the_amm_is_not_asked_for_any() -> None:
    venue = Fixture(20.0, 1e7, pool=0.0)

    assert len(venue.send(ALICE, 3)) == 0
    assert summary(venue.send(ALICE, 1)) == [(AMM, 1, 100.1001)]
    assert int(venue.book.cash[AMM]) > 0
    venue.oracle(5_000)

    assert len(venue.send(BOB, 100)) == 1
    assert venue.book.cash[AMM] + venue.position * usd(5_000) < 0


def test_a_maker_without_margin_leaves_and_the_taker_goes_on() -> None:
    venue = Fixture(1e7, 100.0)
    venue.send(BOB, -50, 100.0, kind=POST_ONLY)

    assert [fill[:2] for fill in summary(venue.send(ALICE, 20))] == [(AMM, 20)]
    assert venue.resting(ASK) == []


def test_a_reducing_order_is_cut_to_the_position() -> None:
    venue = opened()
    venue.send(ALICE, 10)

    assert len(venue.send(ALICE, 5, reduce_only=True)) == 0
    assert venue.send(ALICE, -50, reduce_only=True)["size"].tolist() == [-10]
    assert venue.book.size[0, ALICE] == 0


def test_an_own_order_in_the_way_leaves() -> None:
    venue = opened()
    venue.send(ALICE, -5, 100.0, kind=POST_ONLY)

    assert [fill[:2] for fill in summary(venue.send(ALICE, 10))] == [(AMM, 10)]
    assert venue.resting(ASK) == []


def test_a_resting_order_that_the_amm_quotes_through_fills_at_the_amm_s_price() -> None:
    venue = opened(least_spread=2_000)
    venue.send(BOB, 5, 99.0)
    venue.send(CAROL, 10, 96.0)
    venue.oracle(97)
    venue.refresh(60.0)
    fills = venue.send(DAVE, 0)

    assert [(int(row["taker"]), int(row["maker"]), int(row["size"])) for row in fills] == [(BOB, AMM, 5)]
    assert 97 * 1.001 < fills["quote"][0] / 5 / 1e6 < 99
    assert venue.resting(BID) == [(CAROL, 10, 96.0)]
    assert venue.balanced()


def test_a_resting_order_whose_owner_has_no_margin_left_is_not_filled_by_the_amm() -> None:
    venue = Fixture(1e7, 150.0)
    venue.send(BOB, 10, 99.0)
    venue.book.cash[ALICE] += venue.book.cash[BOB]
    venue.book.cash[BOB] = 0
    venue.oracle(97)
    venue.refresh(60.0)

    assert len(venue.send(ALICE, 0)) == 0
    assert venue.resting(BID) == []


def test_orders_are_cancelled_by_owner_and_expire() -> None:
    venue = opened()
    venue.send(BOB, 10, 99.0)
    venue.send(CAROL, 10, 98.0)
    leaving = np.zeros(len(venue.book.cash), np.bool_)
    leaving[BOB] = True
    venue.amm.cancel(leaving, 0)

    assert venue.resting(BID) == [(CAROL, 10, 98.0)]
    venue.amm.cancel(~leaving, FOREVER + 1)

    assert venue.resting(BID) == []


def test_an_order_is_cancelled_by_its_number_and_only_by_its_owner() -> None:
    venue = opened()
    venue.send(BOB, 10, 99.0)
    number = resting_orders(venue.amm.ladder, BID)["id"]
    venue.amm.match(venue.book, venue.parameters, cancels(integers(CAROL), number))

    assert venue.resting(BID) == [(BOB, 10, 99.0)]
    venue.amm.match(venue.book, venue.parameters, cancels(integers(BOB), number))

    assert venue.resting(BID) == []


def test_reducing_orders_leave_at_the_end_of_the_batch_that_closed_the_position() -> None:
    venue = opened()
    venue.send(BOB, 10)
    venue.send(BOB, -10, 130.0, reduce_only=True)

    assert len(venue.resting(ASK)) == 1
    venue.send(BOB, -10)

    assert venue.resting(ASK) == []


def test_the_quotes_are_the_better_of_ladder_and_curve() -> None:
    venue = opened(least_spread=20_000)
    alone = venue.amm.quotes(venue.book, venue.parameters)
    venue.send(BOB, 10, 99.5)
    venue.send(CAROL, -10, 102.0)
    both = venue.amm.quotes(venue.book, venue.parameters)

    assert (alone.bid[0], alone.ask[0]) == pytest.approx((99e6, 101e6))
    assert (both.bid[0], both.ask[0]) == pytest.approx((99.5e6, 101e6))
    venue.refresh(60.0, usable=False)
    silent = venue.amm.quotes(venue.book, venue.parameters)

    assert (silent.bid[0], silent.ask[0]) == pytest.approx((99.5e6, 102e6))
    assert (silent.impact_bid[0], silent.impact_ask[0]) == (0, 0)


def test_the_depth_counts_curve_and_ladder_within_one_percent_of_the_oracle() -> None:
    venue = opened()
    alone = venue.amm.quotes(venue.book, venue.parameters).depth[0]
    venue.send(BOB, 10, 99.5, kind=POST_ONLY)
    venue.send(BOB, 10, 98.5, kind=POST_ONLY)
    venue.send(CAROL, -10, 100.5, kind=POST_ONLY)
    both = venue.amm.quotes(venue.book, venue.parameters).depth[0]
    expected = 100 * 1_000 * (1.01**0.5 - 1 + 1 - 0.99**0.5)

    assert alone / 1e6 == pytest.approx(expected)
    assert both / 1e6 == pytest.approx(expected + 995 + 1_005)


@settings(max_examples=40)
@given(
    asks=st.lists(st.tuples(st.integers(10_000, 13_000), st.integers(1, 80)), max_size=6),
    lots=st.integers(1, 280),
    least=st.sampled_from([0, 2_000, 40_000]),
)
def test_the_impact_price_is_what_such_an_order_pays(
    asks: list[tuple[int, int]], lots: int, least: int
) -> None:
    venue = opened(least_spread=least)
    for cents, size in asks:
        venue.send(BOB, -size, cents / 100, kind=POST_ONLY)
    paid = venue.send(ALICE, lots)["quote"].sum()
    fresh = opened(least_spread=least)
    for cents, size in asks:
        fresh.send(BOB, -size, cents / 100, kind=POST_ONLY)
    asked = fresh.parameters._replace(impact_notional=integers(int(paid)))
    impact = fresh.amm.quotes(fresh.book, asked).impact_ask[0]
    taken = int(venue.book.size[0, ALICE])

    assert impact == pytest.approx(paid / taken, rel=2e-4)


def test_a_sweep_without_levels_is_the_curve() -> None:
    none, stock = np.empty(0), (1_000.0, 1_000.0, 100.0, 500.0)

    assert sweep(none, none, stock, 1.0, 1e18, 121.0) == pytest.approx((10_000.0, 1_000 - 1_000 / 1.1))
    assert sweep(none, none, stock, -1.0, 1e18, 81.0) == pytest.approx((10_000.0, 1_000 / 0.9 - 1_000))
    assert sweep(none, none, stock, 1.0, 10_000.0, np.inf) == pytest.approx((10_000.0, 1_000 - 1_000 / 1.1))
    assert sweep(none, none, (*stock[:3], 0.0), 1.0, 1e18, np.inf) == (0, 0)


@settings(max_examples=80)
@given(lots=st.integers(-280, 280), parts=st.integers(1, 5), least=st.sampled_from([0, 500]))
def test_a_round_trip_never_pays(lots: int, parts: int, least: int) -> None:
    venue = opened(least_spread=least, fees=(350, -25) if least else (0, 0))
    part = lots // parts
    fills = [venue.send(ALICE, change) for change in (lots, *[-part] * parts, part * parts - lots)]
    cost = usd(1e7) - int(venue.book.cash[ALICE])
    fees = sum(int(each["taker_fee"].sum()) for each in fills)

    assert venue.book.size[0, ALICE] == 0
    assert cost >= fees + (lots != 0 and least != 0)
    assert least or cost <= parts + 2
    assert venue.balanced()


@given(lots=st.integers(2, 250), first=st.integers(1, 249), least=st.sampled_from([0, 40_000]))
def test_a_trade_in_two_parts_pays_the_same(lots: int, first: int, least: int) -> None:
    assume(first < lots)
    whole, parts = opened(least_spread=least), opened(least_spread=least)
    paid = int(whole.send(ALICE, lots)["quote"].sum())
    split = [parts.send(ALICE, change)["quote"].sum() for change in (first, lots - first)]

    assert abs(int(sum(split)) - paid) <= 2


def test_a_larger_trade_pays_more_for_each_lot() -> None:
    prices = [summary(opened().send(ALICE, lots))[0][2] for lots in (1, 10, 50, 200)]

    assert prices == sorted(prices)
    assert prices[0] < prices[-1]


trades = st.lists(
    st.tuples(
        st.sampled_from([ALICE, BOB, CAROL, DAVE]),
        st.integers(-60, 60).filter(bool),
        st.integers(9_000, 11_000),
        st.integers(0, 2),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(trades=trades, least=st.sampled_from([0, 4_000]))
def test_money_and_positions_are_conserved(trades: list[tuple[int, int, int, int]], least: int) -> None:
    venue = opened(least_spread=least, fees=(350, -25))
    for account, lots, cents, kind in trades:
        venue.send(account, lots, cents / 100, kind=kind)

        assert venue.balanced()
    for row in range(2):
        limits = [level for _, _, level in venue.resting(row)]
        assert limits == sorted(limits, reverse=row == BID)


class Naive:
    """Lot by lot in exact fractions: each lot where it is cheapest, the ladder first at one price."""

    def __init__(self, asks: list[tuple[int, int]]):
        self.asks = sorted(([Fraction(cents, 100), size] for cents, size in asks), key=lambda ask: ask[0])
        self.base = Fraction(1_000)

    def buy(self, lots: int, limit: Fraction) -> tuple[int, Fraction]:
        """Lots bought and cash paid."""
        bought, paid = 0, Fraction(0)
        for _ in range(lots):
            best = self.asks[0][0] if self.asks and self.asks[0][0] <= limit else limit
            after = 100 * Fraction(1_000) ** 2 / (self.base - 1) ** 2
            if after <= best:
                paid += 100 * Fraction(1_000) ** 2 / (self.base * (self.base - 1))
                self.base -= 1
            elif self.asks and self.asks[0][0] <= limit:
                paid += self.asks[0][0]
                self.asks[0][1] -= 1
                self.asks = [ask for ask in self.asks if ask[1]]
            else:
                break
            bought += 1
        return bought, paid


@settings(max_examples=60)
@given(
    asks=st.lists(st.tuples(st.integers(10_000, 12_500), st.integers(1, 40)), max_size=6),
    lots=st.integers(1, 150),
    limit=st.integers(10_000, 13_000),
)
def test_the_hybrid_fills_like_a_plain_greedy_taker(
    asks: list[tuple[int, int]], lots: int, limit: int
) -> None:
    venue, naive = opened(), Naive(asks)
    for cents, size in asks:
        venue.send(BOB, -size, cents / 100, kind=POST_ONLY)
    fills = venue.send(ALICE, lots, limit / 100)
    bought, paid = naive.buy(lots, Fraction(limit, 100))

    assert int(fills["size"].sum()) == bought
    assert fills["quote"].sum() / 1e6 == pytest.approx(float(paid), abs=1e-5)
    assert (fills["quote"] <= fills["size"] * usd(limit / 100)).all()


def test_the_venue_names_a_curve_without_reserves() -> None:
    venue = opened()
    assert venue.amm.violated(venue.book) == []

    venue.book.size[0, AMM] = -1_000

    assert venue.amm.violated(venue.book) == ["curve_has_reserves: market 0, base reserve 0.0"]


def test_the_amm_takes_no_depositors_and_reserves_nothing() -> None:
    venue = opened()

    assert not venue.amm.usage(venue.book).any()
    assert venue.amm.last.tolist() == [usd(100)]
    venue.send(ALICE, 10)

    assert venue.amm.last.tolist() == [101010101]
