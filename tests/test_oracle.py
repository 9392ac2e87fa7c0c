"""Push, pull and median feeds, and the ways in which feeds fail."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import integers

from protocol.book import Ints
from protocol.prices.oracle import (
    AnyFeedRule,
    Bounds,
    Feed,
    MedianRule,
    PullRule,
    PushRule,
    Reading,
    advance,
    calm_reading,
    open_feed,
    price_range,
    weighted_median,
)
from sim.streams import stream

RULE = PushRule(deviation=0.01, heartbeat=3600.0, delay=0.0)
SLOW = RULE._replace(delay=30.0)
CHAINLINK = PushRule(deviation=0.005, heartbeat=3600.0, delay=40.0)
PYTH = PullRule(latency=0.4, confidence_floor=0.0005, confidence_seconds=4.0)
DYDX = MedianRule(integers(1, 1, 1, 1, 1), minimum_sources=3, quorum=666_667, minimum_change=1_000)
HYPERLIQUID = MedianRule(integers(3, 2, 2, 1, 1, 1, 1, 1), period=3.0)


def reading(price: int, **changes: Any) -> Reading:
    """What a feed of one market sees; scalars stand for columns of one."""
    columns = {"stalled": np.bool_, "scale": np.float64, "volatility": np.float64}
    for name in columns.keys() & changes.keys():
        changes[name] = np.array([changes[name]], columns[name])
    return calm_reading(integers(price))._replace(**changes)


def sources(*prices: int, dead: tuple[int, ...] = ()) -> dict[str, Any]:
    """Prices of the sources of one market, some of which are dead."""
    live = np.ones((len(prices), 1), np.bool_)
    live[list(dead)] = False
    return {"sources": integers(*prices)[:, None], "live": live}


def after(feed: Feed, rule: AnyFeedRule, time: float, price: int = 1, **changes: Any) -> Feed:
    """A feed of one market after one more block."""
    return advance(feed, rule, reading(price, **changes), time)


def at(price: int) -> Feed:
    """A feed of one market that wrote `price` at time zero."""
    return open_feed(integers(price), 0.0)


def test_a_push_feed_ignores_moves_below_its_deviation() -> None:
    assert after(at(10_000), RULE, 60.0, 10_099).price[0] == 10_000


@pytest.mark.parametrize("price", [10_100, 9_900, 15_000])
def test_a_push_feed_follows_moves_of_its_deviation_either_way(price: int) -> None:
    feed = after(at(10_000), RULE, 60.0, price)

    assert (feed.price[0], feed.observed[0]) == (price, 60.0)


def test_the_deviation_of_half_a_percent_is_met_exactly() -> None:
    # 10_050 / 10_000 - 1 < 0.005 in floating point
    rule = CHAINLINK._replace(delay=0.0)

    assert after(at(10_000), rule, 60.0, 10_049).price[0] == 10_000
    assert after(at(10_000), rule, 60.0, 10_050).price[0] == 10_050


def test_a_push_feed_in_a_quiet_market_updates_at_its_heartbeats_only() -> None:
    feed, written = at(10_000), []
    for time in range(60, 3 * 3600 + 1, 60):
        feed = after(feed, CHAINLINK._replace(delay=0.0), float(time), 10_000 + time % 49)
        written.append(feed.observed[0])

    assert sorted(set(written)) == [0.0, 3600.0, 7200.0, 10_800.0]


def test_markets_may_differ_in_deviation_and_heartbeat() -> None:
    # Chainlink: ETH/USD 0.5 % and 3600 s; USDC/USD 0.25 % and 86400 s
    rule = PushRule(np.array([0.005, 0.0025]), np.array([3_600.0, 86_400.0]), 0.0)
    feed = open_feed(integers(10_000, 10_000), 0.0)

    assert advance(feed, rule, calm_reading(integers(10_030, 10_030)), 60.0).price.tolist() == [
        10_000,
        10_030,
    ]
    assert advance(feed, rule, calm_reading(integers(10_001, 10_001)), 3_600.0).price.tolist() == [
        10_001,
        10_000,
    ]


def test_a_price_arrives_after_the_delay_as_it_was_observed() -> None:
    feed = after(at(10_000), SLOW, 60.0, 11_000)
    waiting = after(feed, SLOW, 89.0, 12_000)
    arrived = after(waiting, SLOW, 90.0, 11_000)

    assert feed.price[0] == waiting.price[0] == 10_000
    assert (arrived.price[0], arrived.observed[0]) == (11_000, 60.0)


def test_gas_stretches_the_delay() -> None:
    # 40 s at normal gas, eight times as long on 12 March 2020
    feed = after(at(10_000), CHAINLINK, 0.0, 9_000, slowdown=8.0)

    assert after(feed, CHAINLINK, 319.0, 9_000).price[0] == 10_000
    assert after(feed, CHAINLINK, 320.0, 9_000).price[0] == 9_000


@pytest.mark.parametrize(
    ("block", "delay", "waited"), [(60, 29, 0), (60, 40, 1), (60, 89, 1), (60, 91, 2), (86_400, 40, 0)]
)
def test_an_update_arrives_at_the_nearest_end_of_a_block(block: int, delay: int, waited: int) -> None:
    rule = CHAINLINK._replace(delay=float(delay))
    feed, ends = at(10_000), 0
    while feed.price[0] == 10_000:
        ends += 1
        feed = after(feed, rule, float(ends * block), 11_000, seconds=float(block))

    assert ends == 1 + waited
    assert feed.observed[0] == block


def test_only_one_update_is_on_its_way_at_a_time() -> None:
    feed = after(after(at(10_000), SLOW, 0.0, 11_000), SLOW, 10.0, 13_000)

    assert (feed.pending[0], feed.pending_due[0]) == (11_000, 30.0)


def test_the_next_update_leaves_as_soon_as_the_last_has_arrived() -> None:
    feed = after(after(at(10_000), SLOW, 0.0, 11_000), SLOW, 30.0, 13_000)

    assert (feed.price[0], feed.pending[0], feed.pending_due[0]) == (11_000, 13_000, 60.0)


def test_a_stalled_push_feed_sends_nothing_but_receives_what_is_under_way() -> None:
    feed = after(at(10_000), SLOW, 0.0, 11_000)
    later = after(after(feed, SLOW, 60.0, 13_000, stalled=True), SLOW, 9_000.0, 5_000, stalled=True)

    assert (later.price[0], later.pending[0]) == (11_000, 0)


def test_markets_update_independently() -> None:
    feed = advance(open_feed(integers(10_000, 500), 0.0), RULE, calm_reading(integers(10_001, 600)), 60.0)

    assert feed.price.tolist() == [10_000, 600]
    assert feed.observed.tolist() == [0.0, 60.0]


def test_a_pull_feed_is_as_old_as_its_latency() -> None:
    feed = after(at(10_000), PYTH, 60.0, 10_001)

    assert (feed.price[0], feed.observed[0]) == (10_001, 59.6)


def test_the_time_of_a_pull_feed_does_not_run_back_behind_its_opening() -> None:
    assert after(at(10_000), PYTH, 0.2, 10_001).observed[0] == 0.0


@pytest.mark.parametrize(("volatility", "confidence"), [(0.0001, 0.0005), (0.001, 0.002)])
def test_confidence_is_what_volatility_moves_the_price_above_a_floor(
    volatility: float, confidence: float
) -> None:
    # 0.001 per √s over 4 s: 0.2 %
    feed = after(at(10_000), PYTH, 60.0, 10_000, volatility=volatility)

    assert feed.confidence[0] == pytest.approx(confidence)


def test_a_stalled_pull_feed_keeps_price_time_and_confidence() -> None:
    feed = after(at(10_000), PYTH, 60.0, 10_000, volatility=0.001)

    assert after(feed, PYTH, 600.0, 5_000, volatility=0.1, stalled=True) == feed


def test_a_price_is_somewhere_in_its_confidence_interval() -> None:
    # GMX fills a buyer at the maximum and a seller at the minimum: 10_001 ± 0.25 %
    low, high = price_range(at(10_001)._replace(confidence=np.array([0.0025])))

    assert (low[0], high[0]) == (9_975, 10_027)
    assert [side[0] for side in price_range(at(10_001))] == [10_001, 10_001]
    assert price_range(at(3)._replace(confidence=np.array([2.0])))[0][0] == 1


def test_the_median_of_hyperliquid_weighs_binance_three() -> None:
    # sorted: 99 (1), 100 (3), 101 (2), 102 (2), 103.. (4); half of 12 is reached at 101
    shown = sources(100, 101, 102, 103, 104, 105, 106, 99)

    assert after(at(90), HYPERLIQUID, 3.0, **shown).price[0] == 101


def test_a_median_without_binance_moves_to_the_half_of_the_rest() -> None:
    # 9 left, half is 4.5: 99 (1), 101 (3), 102 (5)
    shown = sources(100, 101, 102, 103, 104, 105, 106, 99, dead=(0,))

    assert after(at(90), HYPERLIQUID, 3.0, **shown).price[0] == 102


def test_a_median_of_two_equal_weights_is_the_lower() -> None:
    # Connect, voteweighted: the first price at which half of the power is reached
    rule = MedianRule(integers(50, 50))

    assert after(at(90), rule, 1.0, **sources(110, 100)).price[0] == 100


def test_validators_of_hyperliquid_post_every_three_seconds() -> None:
    feed, prices = at(100), []
    for time in range(1, 7):
        feed = after(feed, HYPERLIQUID, float(time), **sources(*[100 + time] * 8))
        prices.append(feed.price[0])

    assert prices == [100, 100, 103, 103, 103, 106]


@pytest.mark.parametrize(
    ("median", "price"), [(10_009, 10_000), (10_010, 10_010), (9_990, 9_990), (9_991, 10_000)]
)
def test_dydx_replaces_a_price_from_a_thousand_ppm(median: int, price: int) -> None:
    feed = after(at(10_000), DYDX, 1.0, **sources(*[median] * 5))

    assert feed.price[0] == price


def test_the_least_change_of_dydx_is_rounded_down() -> None:
    # 1000 ppm of 10_999 are 10.999, and a change of 10 suffices
    assert after(at(10_999), DYDX, 1.0, **sources(*[11_009] * 5)).price[0] == 11_009
    assert after(at(10_999), DYDX, 1.0, **sources(*[11_008] * 5)).price[0] == 10_999


def test_a_price_that_a_quorum_confirms_does_not_grow_old() -> None:
    assert after(at(10_000), DYDX, 600.0, **sources(*[10_001] * 5)).observed[0] == 600.0


@pytest.mark.parametrize(("dead", "price"), [((3, 4), 10_000), ((3,), 12_000)])
def test_two_thirds_of_the_power_must_have_voted(dead: tuple[int, ...], price: int) -> None:
    feed = after(at(10_000), DYDX, 60.0, **sources(*[12_000] * 5, dead=dead))

    assert (feed.price[0], feed.observed[0]) == (price, 60.0 if price == 12_000 else 0.0)


@pytest.mark.parametrize(("dead", "price"), [((2, 3, 4), 10_000), ((3, 4), 12_000)])
def test_fewer_than_three_exchanges_freeze_the_price(dead: tuple[int, ...], price: int) -> None:
    rule = DYDX._replace(quorum=0)
    feed = after(at(10_000), rule, 60.0, **sources(*[12_000] * 5, dead=dead))

    assert feed.price[0] == price


def test_a_source_that_names_no_price_or_has_no_weight_is_not_live() -> None:
    rule = MedianRule(integers(1, 1, 1, 0), minimum_sources=3)

    assert after(at(100), rule, 1.0, **sources(120, 120, 0, 120)).price[0] == 100
    assert after(at(100), rule, 1.0, **sources(120, 120, 120, 0)).price[0] == 120


def test_every_market_has_its_own_dead_sources() -> None:
    rule = MedianRule(integers(1, 1, 1), minimum_sources=2)
    shown = calm_reading(integers(1, 1))._replace(
        sources=np.array([[110, 210], [111, 211], [112, 212]]),
        live=np.array([[True, True], [True, False], [False, False]]),
    )
    feed = advance(open_feed(integers(100, 200), 0.0), rule, shown, 1.0)

    assert feed.price.tolist() == [110, 200]


def test_a_median_of_nothing_freezes_the_price() -> None:
    rule = MedianRule(integers(1, 1), minimum_sources=0)

    assert after(at(100), rule, 1.0, **sources(120, 121, dead=(0, 1))).price[0] == 100


def test_a_table_of_sources_that_does_not_fit_the_weights_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(5, 1\), got sources=\(2, 1\)"):
        after(at(100), DYDX, 1.0, **sources(1, 2))


def test_mango_one_pushed_exchange_of_three_does_not_move_the_median_but_two_do() -> None:
    # 11 October 2022: MNGO spot from 0.038 to 0.91 on the venues that the index read
    rule = MedianRule(integers(1, 1, 1), minimum_sources=3)

    assert after(at(38_000), rule, 1.0, **sources(910_000, 38_000, 38_100)).price[0] == 38_100
    assert after(at(38_000), rule, 1.0, **sources(910_000, 905_000, 38_000)).price[0] == 905_000


def test_luna_stops_at_its_least_answer_and_grows_stale() -> None:
    # Venus, 12 May 2022: 0.107 USD on chain, about 0.01 USD in the market
    rule = PushRule(0.01, 3600.0, 0.0, Bounds(minimum=107_000))
    feed = after(at(1_000_000), rule, 60.0, 300_000)
    feed = after(feed, rule, 120.0, 60_000)
    later = after(feed, rule, 7_320.0, 10_000)

    assert (feed.price[0], feed.observed[0]) == (107_000, 120.0)
    assert (later.price[0], later.observed[0]) == (107_000, 120.0)


def test_a_feed_that_stopped_at_a_bound_returns_with_the_market() -> None:
    rule = PushRule(0.01, 3600.0, 0.0, Bounds(minimum=107_000))
    stopped = after(at(107_000), rule, 7_200.0, 10_000)

    assert after(stopped, rule, 7_260.0, 107_001).price[0] == 107_001
    assert after(stopped, rule, 7_260.0, 200_000).price[0] == 200_000


@pytest.mark.parametrize("rule", [PushRule(0.005, 3600.0, 0.0), PullRule(), MedianRule(integers(1))])
def test_capo_caps_every_kind_of_feed_below_the_market_and_looks_fresh(rule: AnyFeedRule) -> None:
    # 10 March 2026: wstETH/ETH at 1.2282, the cap at 1.1939: 2.8 % too low
    capped = rule._replace(bounds=Bounds(maximum=1_193_900, stops=False))
    feed = at(1_228_200)
    for hour in (1, 2, 3):
        price = {"price": 1_228_200} | sources(1_228_200)
        feed = after(feed, capped, hour * 3600.0, **price)

    assert feed.price[0] == 1_193_900
    assert feed.observed[0] == 10_800.0


@pytest.mark.parametrize("rule", [PullRule(), MedianRule(integers(1))])
def test_every_kind_of_feed_can_stop_at_a_bound(rule: AnyFeedRule) -> None:
    bounded = rule._replace(bounds=Bounds(maximum=500))
    feed = after(at(400), bounded, 60.0, 450, **sources(450))
    feed = after(feed, bounded, 120.0, 600, **sources(600))
    feed = after(feed, bounded, 180.0, 700, **sources(700))

    assert (feed.price[0], feed.observed[0]) == (500, 120.0)


@pytest.mark.parametrize("rule", [PushRule(0.005, 3600.0, 0.0), PullRule(), MedianRule(integers(1))])
def test_a_wrong_scale_reaches_the_venue_through_every_kind_of_feed(rule: AnyFeedRule) -> None:
    shown = {"price": 10_049} | sources(10_049)
    wrong = after(at(10_000), rule, 60.0, scale=0.01, **shown)
    mended = after(wrong, rule, 120.0, **shown)

    assert wrong.price[0] == 100
    assert mended.price[0] == 10_049


@pytest.mark.parametrize("rule", [PushRule(0.005, 3600.0, 0.0), PullRule(), MedianRule(integers(1))])
def test_no_feed_reports_less_than_one(rule: AnyFeedRule) -> None:
    shown = {"price": 3} | sources(3)

    assert after(at(100), rule, 60.0, scale=0.01, **shown).price[0] == 1


@pytest.mark.parametrize(("rule", "first", "second"), [(CHAINLINK, 10_000, 8_000), (PYTH, 8_000, 8_100)])
def test_a_venue_that_restarts_trades_at_the_old_price_until_a_pushed_update_arrives(
    rule: AnyFeedRule, first: int, second: int
) -> None:
    # dYdX stood still for about 8 h on 10 October 2025
    feed = at(10_000)
    for hour in range(1, 9):
        feed = after(feed, rule, hour * 3600.0, 8_000, stalled=True)
    restarted = after(feed, rule, 28_860.0, 8_000)
    later = after(restarted, rule, 28_900.0, 8_100)

    assert (feed.price[0], feed.observed[0]) == (10_000, 0.0)
    assert (restarted.price[0], later.price[0]) == (first, second)


def test_a_chain_that_restarts_before_its_exchanges_keeps_the_old_price() -> None:
    feed = after(at(10_000), DYDX, 28_800.0, stalled=True, **sources(*[8_000] * 5))
    early = after(feed, DYDX, 28_801.0, **sources(*[8_000] * 5, dead=(1, 2, 3, 4)))
    ready = after(early, DYDX, 28_802.0, **sources(*[8_000] * 5))

    assert [step.price[0] for step in (feed, early, ready)] == [10_000, 10_000, 8_000]


def lower_median(prices: Ints, weights: Ints, live: Ints) -> int:
    """Sort each unit of weight on its own and take the lower middle."""
    units = np.sort(np.repeat(prices, np.where(live, weights, 0)))
    return int(units[(len(units) - 1) // 2]) if len(units) else 0


@given(st.integers(0, 2**20))
def test_the_weighted_median_is_the_lower_middle_of_all_units_of_weight(seed: int) -> None:
    draw = stream(seed, "sources")
    count, markets = draw.integers(1, 9), draw.integers(1, 4)
    prices = draw.integers(1, 12, (count, markets))
    weights = draw.integers(0, 5, count)
    live = draw.random((count, markets)) < 0.7
    found = weighted_median(prices, weights, live)

    for market in range(markets):
        assert found[market] == lower_median(prices[:, market], weights, live[:, market])
        heard = prices[live[:, market] & (weights > 0), market]
        assert len(heard) == 0 or heard.min() <= found[market] <= heard.max()


@given(st.integers(0, 2**20), st.lists(st.integers(1, 10**12), min_size=4, max_size=4))
def test_less_than_half_of_the_weight_cannot_move_the_median_past_the_honest(
    seed: int, lies: list[int]
) -> None:
    draw = stream(seed, "attack")
    weights = draw.integers(1, 100, 9)
    honest = draw.integers(9_900, 10_101, 5)
    if 2 * weights[5:].sum() >= weights.sum():
        weights[0] += weights[5:].sum()
    prices = np.append(honest, lies)[:, None]
    found = weighted_median(prices, weights, np.ones((9, 1), np.bool_))[0]

    assert honest.min() <= found <= honest.max()


blocks = st.tuples(
    st.integers(1, 10**9),
    st.floats(0, 100),
    st.booleans(),
    st.sampled_from([0.01, 1.0, 100.0]),
    st.floats(1, 9),
)
rules = st.sampled_from(
    [
        SLOW,
        PYTH,
        MedianRule(integers(1), period=3.0, minimum_change=1_000),
        SLOW._replace(bounds=Bounds(1_000, 10**6)),
        PYTH._replace(bounds=Bounds(1_000, 10**6)),
        MedianRule(integers(1), bounds=Bounds(1_000, 10**6, stops=False)),
    ]
)


@given(rules, st.lists(blocks, max_size=30))
def test_no_feed_runs_backwards_in_time_or_reports_nothing(
    rule: AnyFeedRule, steps: list[tuple[int, float, bool, float, float]]
) -> None:
    feed, time = at(1_000), 0.0
    for price, wait, stalled, scale, slowdown in steps:
        time += wait
        shown = {"stalled": stalled, "scale": scale, "slowdown": slowdown} | sources(price)
        later = after(feed, rule, time, price, **shown)

        assert feed.observed[0] <= later.observed[0] <= time
        assert later.price[0] >= max(1, rule.bounds.minimum)
        assert later.price[0] <= rule.bounds.maximum or not rule.bounds.maximum
        feed = later


@given(st.lists(st.integers(9_000, 11_000), min_size=1, max_size=60))
def test_a_prompt_push_feed_is_never_further_off_than_its_deviation(path: list[int]) -> None:
    feed = at(10_000)
    for block, price in enumerate(path):
        feed = after(feed, RULE, 60.0 * block, price)

        assert abs(price - feed.price[0]) < 0.01 * feed.price[0]
