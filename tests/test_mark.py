"""Averages of prices, and the marks of dYdX, Hyperliquid and Perpetual Protocol."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import integers

from protocol.book import Floats
from protocol.prices.mark import (
    Average,
    AverageRule,
    Ema,
    MarkMemory,
    MarkRule,
    Prices,
    ema_value,
    mark_price,
    mid_price,
    observe_average,
    observe_ema,
    open_average,
    open_ema,
    open_memory,
    own_price,
    remember,
)

NAN = math.nan
MEDIAN = MarkRule("median")


def floats(*values: float) -> Floats:
    """A float64 column."""
    return np.array(values, np.float64)


def followed(rule: AverageRule, start: float, steps: list[tuple[float, float]]) -> Average:
    """Average of one market after prices that stood for some seconds each."""
    average = open_average(floats(start), 0.0)
    for price, seconds in steps:
        average = observe_average(average, rule, floats(price), average.time + seconds)
    return average


def value(rule: AverageRule, start: float, steps: list[tuple[float, float]]) -> float:
    return float(followed(rule, start, steps).price[0])


def prices(**shown: float) -> Prices:
    """Prices of one market: everything at 1000 unless said otherwise."""
    values = {"oracle": 1_000, "outside": 1_000, "bid": 1_000, "ask": 1_000, "last": 1_000} | shown
    quotes = {name: floats(values.pop(name)) for name in ("bid", "ask")}
    return Prices(**{name: integers(price) for name, price in values.items()}, **quotes)


def mark(rule: MarkRule, memory: MarkMemory | None = None, **shown: float) -> int:
    found = mark_price(rule, prices(**shown), memory or open_memory(integers(1_000), 0.0))
    return int(found[0])


def test_a_price_that_stood_a_fifth_of_the_window_moves_the_average_of_drift_by_a_fifth() -> None:
    # math/stats.rs, calculate_new_twap: weights 60 and max(1, 300 - 60)
    assert value(AverageRule("linear", 300.0), 100.0, [(110.0, 60.0)]) == pytest.approx(102.0)


def test_after_a_gap_longer_than_the_window_one_second_is_left_to_the_old_average() -> None:
    # weights 3600 and 1
    assert value(AverageRule("linear", 300.0), 100.0, [(110.0, 3600.0)]) == pytest.approx(
        100 + 10 * 3600 / 3601
    )


@pytest.mark.parametrize(
    ("band", "price", "counted"),
    [
        (0.1, 200.0, 110.0),
        (0.2, 200.0, 120.0),
        (0.5, 200.0, 150.0),
        (1 / 3, 10.0, 200 / 3),
        (0.1, 105.0, 105.0),
    ],
    ids=["A", "B", "C", "others, falling", "within"],
)
@pytest.mark.parametrize("weighting", ["linear", "window"])
def test_drift_holds_the_input_to_the_band_of_its_tier(
    weighting: str, band: float, price: float, counted: float
) -> None:
    # state/perp_market.rs, get_sanitize_clamp_denominator: 10, 5, 2, and 3 by default
    share = {"linear": 0.2, "window": 1.0}[weighting]

    assert value(AverageRule(weighting, 300.0, band), 100.0, [(price, 60.0)]) == pytest.approx(
        100 + share * (counted - 100)
    )


def test_every_market_has_its_own_band() -> None:
    average = open_average(integers(100, 100), 0.0)
    average = observe_average(average, AverageRule("linear", 300.0, floats(0.1, 0.5)), floats(200, 200), 60.0)

    assert average.price.tolist() == pytest.approx([102.0, 110.0])


def test_an_exponential_average_closes_the_gap_at_its_rate() -> None:
    assert value(AverageRule("exponential", 300.0), 100.0, [(200.0, 300.0)]) == pytest.approx(
        200 - 100 / math.e
    )


def test_an_exponential_average_follows_the_edge_of_its_band_and_then_runs_free() -> None:
    # along the edge A = 100·exp(0.1·t/300) until 110 % of it is 121, at A = 110: t = 3000·ln 1.1
    edge = 3000 * math.log(1.1)
    rule = AverageRule("exponential", 300.0, 0.1)

    assert value(rule, 100.0, [(121.0, edge)]) == pytest.approx(110.0)
    assert value(rule, 100.0, [(121.0, edge / 2)]) == pytest.approx(100 * math.sqrt(1.1))
    assert value(rule, 100.0, [(121.0, edge + 300)]) == pytest.approx(121 - 11 / math.e)


def test_an_exponential_average_falls_along_the_lower_edge() -> None:
    # A = 100·exp(-0.1·t/300) until 90 % of it is 81, at A = 90
    edge = -3000 * math.log(0.9)
    rule = AverageRule("exponential", 300.0, 0.1)

    assert value(rule, 100.0, [(81.0, edge / 2)]) == pytest.approx(100 * math.sqrt(0.9))
    assert value(rule, 100.0, [(81.0, edge + 300)]) == pytest.approx(81 + 9 / math.e)


@given(st.floats(1, 1e4), st.sampled_from([0.05, 0.5, 2.0, np.inf]), st.floats(0.1, 5e3), st.floats(0, 1))
def test_an_exponential_average_is_the_same_however_time_is_cut(
    price: float, band: float, seconds: float, cut: float
) -> None:
    rule = AverageRule("exponential", 300.0, band)
    whole = value(rule, 100.0, [(price, seconds)])
    parts = value(rule, 100.0, [(price, cut * seconds), (price, (1 - cut) * seconds)])

    assert whole == pytest.approx(parts, rel=1e-9)


@pytest.mark.parametrize("price", [20.0, 95.0, 130.0, 900.0])
def test_drift_with_many_small_updates_is_the_exponential_average(price: float) -> None:
    steps = [(price, 1.0)] * 600
    fine = value(AverageRule("linear", 3000.0, 0.1), 100.0, steps)
    smooth = value(AverageRule("exponential", 3000.0, 0.1), 100.0, [(price, 600.0)])

    assert fine == pytest.approx(smooth, rel=1e-3)


def test_the_plain_window_is_the_mean_over_its_length() -> None:
    # 30 minutes: 100 leaves, 600 s at 130 and 1200 s at 190 stay
    rule = AverageRule("window", 1800.0)

    assert value(rule, 100.0, [(100.0, 3000.0), (130.0, 600.0), (190.0, 1200.0)]) == pytest.approx(170.0)
    assert value(rule, 100.0, [(100.0, 900.0), (130.0, 600.0), (190.0, 1200.0)]) == pytest.approx(170.0)
    assert value(rule, 100.0, [(130.0, 900.0), (190.0, 1200.0)]) == pytest.approx(
        (600 * 130 + 1200 * 190) / 1800
    )
    assert value(rule, 100.0, [(190.0, 1e5)]) == 190.0


def test_the_plain_window_keeps_no_more_than_it_needs() -> None:
    average = followed(AverageRule("window", 1800.0), 100.0, [(100.0, 60.0)] * 500)

    assert len(average.past) == len(average.spans) == 30
    assert average.spans.sum() == 1800.0


@pytest.mark.parametrize("weighting", ["exponential", "linear", "window"])
def test_a_market_without_a_price_keeps_its_average(weighting: str) -> None:
    rule = AverageRule(weighting, 300.0, 0.5)
    average = open_average(floats(100, 100), 0.0)
    average = observe_average(average, rule, floats(120, 120), 60.0)
    later = observe_average(average, rule, floats(NAN, 130), 120.0)

    assert later.price[0] == average.price[0]
    assert later.price[1] > average.price[1]


def test_a_plain_window_leaves_out_the_time_without_a_price() -> None:
    rule = AverageRule("window", 300.0)

    assert value(rule, 100.0, [(120.0, 100.0), (NAN, 100.0), (150.0, 50.0)]) == pytest.approx(130.0)
    assert value(rule, 100.0, [(120.0, 100.0), (NAN, 9000.0)]) == 120.0


@pytest.mark.parametrize("weighting", ["exponential", "linear", "window"])
def test_an_average_that_never_saw_a_price_starts_at_the_first(weighting: str) -> None:
    rule = AverageRule(weighting, 300.0, 0.1)

    assert math.isnan(value(rule, NAN, [(NAN, 60.0)]))
    assert value(rule, NAN, [(NAN, 60.0), (200.0, 60.0)]) == pytest.approx(200.0)


@pytest.mark.parametrize("weighting", ["exponential", "linear", "window"])
@given(
    steps=st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1e4)), min_size=1, max_size=20),
    start=st.floats(1, 1e9),
)
def test_an_average_stays_among_the_prices_it_has_seen(
    weighting: str, steps: list[tuple[float, float]], start: float
) -> None:
    seen = [start, *(price for price, _ in steps)]
    found = value(AverageRule(weighting, 300.0, 0.1), start, steps)

    assert min(seen) * (1 - 1e-9) <= found <= max(seen) * (1 + 1e-9)


def test_an_unknown_weighting_is_named() -> None:
    with pytest.raises(ValueError, match="got 'plain'"):
        value(AverageRule("plain", 300.0), 1.0, [(1.0, 1.0)])


def test_an_ema_weighs_each_sample_by_the_time_it_stood() -> None:
    # 10 for 60 s, then 20 for 30 s: (10·60·e^(-30/150) + 20·30) / (60·e^(-30/150) + 30)
    ema = observe_ema(open_ema(1), floats(10), 60.0, 150.0)
    ema = observe_ema(ema, floats(20), 30.0, 150.0)
    kept = math.exp(-0.2)

    assert ema_value(ema)[0] == pytest.approx((600 * kept + 600) / (60 * kept + 30))


def test_the_first_sample_after_a_gap_counts_for_all_the_time_since_the_last() -> None:
    # t is the time since the last update: 60 s, then 240 s without a mid and 60 s with one
    ema = observe_ema(open_ema(1), floats(10), 60.0, 150.0)
    ema = observe_ema(ema, floats(NAN), 240.0, 150.0)
    unseen = ema_value(ema)[0]
    ema = observe_ema(ema, floats(20), 60.0, 150.0)
    kept = math.exp(-2)

    assert unseen == 10.0
    assert ema_value(ema)[0] == pytest.approx((600 * kept + 6000) / (60 * kept + 300))


def test_an_ema_that_has_seen_nothing_has_no_value() -> None:
    empty = observe_ema(open_ema(2), floats(NAN, 5), 60.0, 150.0)

    assert np.isnan(ema_value(empty)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("bid", "ask", "last", "own"),
    [
        (99, 101, 100, 100),
        (99, 101, 150, 101),
        (99, 101, 50, 99),
        (0, 101, 104, 104),
        (99, 0, 90, 90),
        (0, 0, 104, 104),
        (99, 101, 0, 100),
        (99, 0, 0, 99),
        (0, 0, 0, NAN),
    ],
    ids=["last", "ask", "bid", "no bid", "no ask", "no quotes", "no trade", "a bid only", "nothing"],
)
def test_the_own_price_is_the_median_of_quotes_and_last_trade(
    bid: float, ask: float, last: float, own: float
) -> None:
    found = own_price(prices(bid=bid, ask=ask, last=last))

    assert found[0] == pytest.approx(own, nan_ok=True)


@pytest.mark.parametrize(("bid", "ask", "mid"), [(99, 101, 100.0), (0, 101, NAN), (99, 0, NAN)])
def test_a_one_sided_book_has_no_mid(bid: float, ask: float, mid: float) -> None:
    assert mid_price(prices(bid=bid, ask=ask))[0] == pytest.approx(mid, nan_ok=True)


def test_the_mark_of_dydx_is_the_oracle() -> None:
    assert mark(MarkRule("oracle"), bid=900, ask=910, last=905, outside=800) == 1_000


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"bid": 1_005, "ask": 1_009, "last": 1_007, "outside": 1_020}, 1_007),
        ({"bid": 1_005, "ask": 1_009, "last": 1_100, "outside": 1_020}, 1_009),
        ({"bid": 0, "ask": 1_009, "last": 1_004, "outside": 1_020}, 1_004),
        ({"bid": 0, "ask": 0, "last": 1_004, "outside": 1_002}, 1_002),
        ({"bid": 1_500, "ask": 1_501, "last": 1_500, "outside": 1_001}, 1_001),
        ({"bid": 500, "ask": 501, "last": 500, "outside": 1_001}, 1_000),
    ],
    ids=["last", "ask", "no bid", "no quotes", "own price runs away", "own price collapses"],
)
def test_the_mark_of_hyperliquid_is_the_median_of_oracle_own_price_and_outside(
    shown: dict[str, Any], found: int
) -> None:
    assert mark(MEDIAN, **shown) == found


def test_the_average_basis_shifts_the_oracle_in_the_mark() -> None:
    memory = remember(open_memory(integers(1_000), 0.0), MEDIAN, prices(bid=1_008, ask=1_012), 60.0)

    assert ema_value(memory.basis)[0] == pytest.approx(10.0)
    assert mark(MEDIAN, memory, bid=1_030, ask=1_032, last=1_030, outside=990) == 1_010


def test_of_two_components_the_recent_own_price_makes_a_third() -> None:
    # own price 1040 for 30 s, 1010 for 30 s: (1040·30/e + 1010·30) / (30/e + 30) = 1018.07
    memory = open_memory(integers(1_000), 0.0)
    for own, time in ((1_040, 30.0), (1_010, 60.0)):
        memory = remember(memory, MEDIAN, prices(bid=own, ask=own, last=own), time)
    basis = ema_value(memory.basis)[0]
    recent = ema_value(memory.recent)[0]

    assert recent == pytest.approx((1_040 / math.e + 1_010) / (1 / math.e + 1))
    assert 1_020 < 1_000 + basis < 1_030
    assert mark(MEDIAN, memory, bid=1_010, ask=1_010, last=1_010, outside=0) == round(recent)
    assert mark(MEDIAN, memory, bid=1_019, ask=1_019, last=1_019, outside=0) == 1_019


def test_two_components_without_a_recent_own_price_meet_in_the_middle() -> None:
    assert mark(MEDIAN, bid=1_010, ask=1_010, last=1_010, outside=0) == 1_005


def test_a_venue_that_never_traded_is_marked_between_oracle_and_outside() -> None:
    assert mark(MEDIAN, bid=0, ask=0, last=0, outside=1_010) == 1_005
    assert mark(MEDIAN, bid=0, ask=0, last=0, outside=0) == 1_000


def test_a_mark_is_rounded_to_the_nearest_integer() -> None:
    assert mark(MEDIAN, bid=0, ask=0, last=0, outside=1_011) == 1_006


def test_a_mark_is_never_less_than_one() -> None:
    memory = open_memory(integers(1_000), 0.0)._replace(basis=Ema(floats(-30_000), floats(60), floats(0)))

    assert mark(MEDIAN, memory, oracle=10, bid=0, ask=0, last=0, outside=0) == 1


def test_the_recent_own_price_is_no_component_beside_three() -> None:
    memory = open_memory(integers(1_000), 0.0)._replace(recent=Ema(floats(9e6), floats(9_000.0), floats(0)))

    assert mark(MEDIAN, memory, bid=1_010, ask=1_010, last=1_010, outside=1_020) == 1_010


def test_jelly_a_pumped_book_pulls_the_mark_up_as_fast_as_the_basis_learns() -> None:
    # 26 March 2025; after a calm hour the basis closes 1 - e^(-60/150) of its gap of 40 500 each minute
    memory = open_memory(integers(9_500), 0.0)
    calm = prices(oracle=9_500, bid=9_500, ask=9_500, last=9_500, outside=9_600)
    pumped = prices(oracle=9_500, bid=49_000, ask=51_000, last=50_000, outside=9_600)
    for minute in range(1, 61):
        memory = remember(memory, MEDIAN, calm, 60.0 * minute)
    marks = [mark_price(MEDIAN, pumped, memory)[0]]
    for minute in range(61, 63):
        memory = remember(memory, MEDIAN, pumped, 60.0 * minute)
        marks.append(mark_price(MEDIAN, pumped, memory)[0])

    assert marks == [
        9_600,
        round(9_500 + 40_500 * (1 - math.exp(-0.4))),
        round(9_500 + 40_500 * (1 - math.exp(-0.8))),
    ]


def test_the_mark_of_perpetual_protocol_is_the_mean_mid_of_half_an_hour() -> None:
    rule = MarkRule("twap")
    memory = open_memory(integers(1_000), 0.0)
    for time, mid in ((900.0, 1_000), (1_800.0, 1_200), (2_700.0, 1_500)):
        memory = remember(memory, rule, prices(bid=mid - 1, ask=mid + 1), time)

    assert mark(rule, memory) == 1_350
    assert mark(rule, remember(memory, rule, prices(bid=0), 2_760.0)) == 1_355


def test_without_any_mid_the_average_mark_is_the_oracle() -> None:
    memory = open_memory(integers(1_000), 0.0)._replace(mid=open_average(floats(NAN), 0.0))

    assert mark(MarkRule("twap"), memory, oracle=990) == 990


def test_an_unknown_mark_is_named() -> None:
    with pytest.raises(ValueError, match="got 'mean'"):
        mark(MarkRule("mean"))


quotes = st.integers(0, 10**9)


@given(st.integers(1, 10**9), quotes, quotes, quotes, quotes, st.sampled_from(["oracle", "median", "twap"]))
def test_a_mark_lies_among_the_prices_it_is_made_of(
    oracle: int, outside: int, bid: int, ask: int, last: int, kind: str
) -> None:
    shown = {"oracle": oracle, "outside": outside, "bid": bid, "ask": ask, "last": last}
    memory = remember(open_memory(integers(oracle), 0.0), MarkRule(kind), prices(**shown), 60.0)
    found = mark(MarkRule(kind), memory, **shown)
    known = [price for price in shown.values() if price > 0]

    assert max(1, min(known)) <= found <= max(known)


@given(st.lists(st.integers(1, 10**6), min_size=5, max_size=5), st.integers(2, 1_000))
def test_a_mark_scales_with_all_prices(values: list[int], factor: int) -> None:
    def found(scale: int) -> int:
        shown = dict(zip(Prices._fields, (2 * scale * number for number in values), strict=True))
        memory = remember(open_memory(integers(shown["oracle"]), 0.0), MEDIAN, prices(**shown), 60.0)
        return mark(MEDIAN, memory, **shown)

    assert found(factor) == pytest.approx(factor * found(1), abs=factor)
