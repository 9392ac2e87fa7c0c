"""What the order book shows: prices, depth, levels and orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, integers, place, quote, usd, venue

from protocol.exchange import Exchange
from protocol.orders import REST
from protocol.venues.depth import best_price, depth, impact_price, quotes, resting_orders, side_levels
from protocol.venues.ladder import ASK, BID, Ladder, open_ladder
from protocol.venues.levels import claim, enqueue

pytestmark = pytest.mark.kernel


def showing(*levels: tuple[int, float]) -> Exchange:
    """A venue where ALICE quotes these (signed lots, price)."""
    exchange = venue(1e6, 1e6)
    quote(exchange, ALICE, *levels)
    return exchange


def asks(levels: list[tuple[int, int]], window: int) -> Ladder:
    """A book of asks, each (lots, price in ticks)."""
    ladder = open_ladder(integers(1), integers(1), len(levels), window)
    for lots, tick in levels:
        slot = claim(ladder)
        ladder.order["size"][slot], ladder.terms["key"][slot] = lots, tick
        enqueue(ladder, ASK, slot)
    return ladder


def test_impact_prices_and_depth_read_the_book_by_notional() -> None:
    exchange = showing((50, 99), (100, 98), (-50, 101), (-30, 102))
    shown = quotes(exchange.venue.ladder, integers(usd(9_850)), exchange.book.oracle)

    assert (shown.bid[0], shown.ask[0]) == (usd(99), usd(101))
    assert shown.impact_bid[0] == pytest.approx(usd(9_850) / (50 + 4_900 / 98))
    assert shown.impact_ask[0] == 0
    assert shown.depth[0] == usd(50 * 99 + 50 * 101)


def test_a_book_with_one_empty_side_shows_zeros_there() -> None:
    shown = showing((-5, 101)).quotes()

    assert (shown.bid[0], shown.ask[0], shown.impact_bid[0]) == (0, usd(101), 0)


def test_each_market_shows_its_own_book() -> None:
    exchange = venue(1e6, prices=(100, 50))
    quote(exchange, ALICE, (5, 49), (-5, 51), market=1)
    shown = exchange.quotes()

    assert shown.bid.tolist() == [0, usd(49)]
    assert shown.ask.tolist() == [0, usd(51)]
    assert shown.depth.tolist() == [0, 0]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(50, 400)), max_size=15),
    st.sampled_from([64, 4096]),
    st.integers(1, 40_000),
    st.integers(60, 300),
)
def test_readings_agree_with_sorted_lists_inside_and_beyond_the_window(
    levels: list[tuple[int, int]], window: int, notional: int, price: int
) -> None:
    ladder, ordered = asks(levels, window), sorted(levels, key=lambda each: each[1])
    spent, bought = 0, 0.0
    for lots, tick in ordered:
        value = min(lots * tick, notional - spent)
        spent, bought = spent + value, bought + value / tick
    reached = [lots * tick for lots, tick in ordered if abs(tick - price) <= 0.5 * price]
    first = bool(ordered) and abs(ordered[0][1] - price) <= 0.5 * price

    assert best_price(ladder, ASK) == (ordered[0][1] if ordered else 0)
    assert impact_price(ladder, ASK, notional) == pytest.approx(spent / bought if spent == notional else 0)
    assert depth(ladder, ASK, price, 0.5) == (sum(reached) if first else 0)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(50, 400)), max_size=15), st.sampled_from([64, 4096])
)
def test_levels_add_up_the_orders_of_each_price_best_first(
    levels: list[tuple[int, int]], window: int
) -> None:
    shown = side_levels(asks(levels, window), ASK)
    prices = sorted({tick for _, tick in levels})

    assert shown.price.tolist() == prices
    assert shown.size.tolist() == [sum(lots for lots, tick in levels if tick == price) for price in prices]
    assert shown.orders.tolist() == [sum(tick == price for _, tick in levels) for price in prices]


def test_levels_of_bids_fall_from_the_best() -> None:
    shown = side_levels(showing((5, 98), (6, 99), (7, 98)).venue.ladder, BID)

    assert shown.price.tolist() == [usd(99), usd(98)]
    assert shown.size.tolist() == [6, 12]
    assert shown.orders.tolist() == [1, 2]


def test_resting_orders_tell_whose_they_are_and_on_what_terms() -> None:
    exchange = venue(1e6, 1e6)
    place(exchange, ALICE, 5, 98, expiry=7)
    place(exchange, BOB, 4, 99, expiry=8, kind=REST)
    rows = resting_orders(exchange.venue.ladder, BID)
    terms = rows[["account", "size", "price", "expiry", "reduce_only"]].tolist()

    assert terms == [(BOB, 4, usd(99), 8, False), (ALICE, 5, usd(98), 7, False)]
    assert len(set(rows["id"].tolist())) == 2


def test_a_reading_leaves_the_book_as_it_is() -> None:
    ladder = showing((50, 99), (-50, 101)).venue.ladder
    before = [np.copy(part) for part in ladder]
    quotes(ladder, integers(usd(1_000)), integers(usd(100)))
    side_levels(ladder, BID)

    for part, old in zip(ladder, before, strict=True):
        np.testing.assert_array_equal(part, old)


def test_interpreted_readings_of_the_book_agree_with_the_compiled_ones() -> None:
    ladder = showing((50, 99), (100, 98), (-50, 101), (-30, 102)).venue.ladder

    for row in (BID, ASK):
        assert impact_price(ladder, row, usd(7_000)) == impact_price.py_func(ladder, row, usd(7_000))
        assert depth(ladder, row, usd(100), 0.015) == depth.py_func(ladder, row, usd(100), 0.015)
