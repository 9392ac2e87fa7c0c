"""Which acts may use the oracle's price: each venue's rules, and the failures that each of them catches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import integers

from protocol.prices.guards import (
    FUND,
    LIQUIDATE,
    NOT_POSITIVE,
    OFF_AVERAGE,
    OFF_MARK,
    OUT_OF_BOUNDS,
    QUOTE,
    REASONS,
    SOUND,
    STALE,
    TOO_UNCERTAIN,
    TOO_VOLATILE,
    TRADE,
    UNGUARDED,
    WITHDRAW,
    GuardRule,
    Guards,
    allowed,
    refusals,
)
from protocol.prices.mark import AverageRule, observe_average, open_average
from protocol.prices.oracle import Bounds, Feed, PullRule, PushRule, advance, calm_reading, open_feed

SLOT = 0.4
ACTS = (TRADE, LIQUIDATE, WITHDRAW, FUND, QUOTE)


def drift(tier_multiplier: float = 1.0) -> Guards:
    """Drift's default guard rails: stale for AMM after 10 slots, for margin after 120; 2 % times the tier."""
    certain = GuardRule(max_confidence=0.02 * tier_multiplier, max_ratio=5.0)
    margin = certain._replace(max_age=120 * SLOT)
    return Guards(
        trade=margin._replace(max_divergence=0.5),
        liquidate=GuardRule(max_ratio=5.0, max_divergence=0.5),
        withdraw=margin,
        fund=certain._replace(max_mark_divergence=0.1),
        quote=certain._replace(max_age=10 * SLOT, max_divergence=0.5),
    )


GMX = GuardRule(max_age=300.0, max_divergence=0.5)
GMX_ATOMIC = GMX._replace(max_age=30.0)
SYNTHETIX = Guards(liquidate=GuardRule(max_age=60.0), trade=GuardRule(max_age=3600.0))


def reason(
    rule: GuardRule,
    price: int = 100,
    twap: float = 100.0,
    mark: int = 100,
    age: float = 0.0,
    confidence: float = 0.0,
) -> int:
    """Code for one market whose price was observed `age` seconds ago; it is allowed if there is none."""
    feed = open_feed(integers(price), 0.0)._replace(confidence=np.array([confidence]))
    judged = (rule, feed, np.array([twap]), integers(mark), age)
    code = int(refusals(*judged)[0])

    assert allowed(*judged).tolist() == [code == SOUND]
    return code


def acts_allowed(guards: Guards, feed: Feed, twap: float, time: float) -> list[int]:
    """Acts that may use a feed of one market; the mark follows the oracle."""
    average = np.array([twap])
    return [act for act in ACTS if allowed(guards[act], feed, average, feed.price, time)[0]]


def test_without_a_guard_everything_but_a_price_of_nothing_passes() -> None:
    assert reason(UNGUARDED, 1, 1e9, 10**9, 1e9, 50.0) == SOUND
    assert reason(UNGUARDED, 0) == NOT_POSITIVE


@pytest.mark.parametrize(("age", "code"), [(300.0, SOUND), (300.5, STALE)])
def test_gmx_takes_prices_of_three_hundred_seconds(age: float, code: int) -> None:
    # oracle/Oracle.sol: refused when timestamp + maxPriceAge < now
    assert reason(GMX, age=age) == code


@pytest.mark.parametrize(("age", "code"), [(30.0, SOUND), (30.5, STALE)])
def test_an_atomic_act_of_gmx_asks_for_thirty_seconds(age: float, code: int) -> None:
    assert reason(GMX_ATOMIC, age=age) == code


def test_synthetix_liquidates_on_sixty_seconds_and_trades_on_an_hour() -> None:
    feed = open_feed(integers(100), 0.0)

    assert acts_allowed(SYNTHETIX, feed, 100.0, 60.0) == list(ACTS)
    assert acts_allowed(SYNTHETIX, feed, 100.0, 61.0) == [TRADE, WITHDRAW, FUND, QUOTE]
    assert acts_allowed(SYNTHETIX, feed, 100.0, 3601.0) == [WITHDRAW, FUND, QUOTE]


@pytest.mark.parametrize(
    ("multiplier", "confidence", "code"),
    [
        (1, 0.02, SOUND),
        (1, 0.021, TOO_UNCERTAIN),
        (2, 0.04, SOUND),
        (10, 0.19, SOUND),
        (10, 0.21, TOO_UNCERTAIN),
    ],
    ids=["A at its limit", "B above", "C", "speculative", "speculative above"],
)
def test_drift_takes_two_percent_of_confidence_times_the_tier(
    multiplier: float, confidence: float, code: int
) -> None:
    assert reason(drift(multiplier).trade, confidence=confidence) == code


@pytest.mark.parametrize(
    ("slots", "acts"),
    [
        (10, [TRADE, LIQUIDATE, WITHDRAW, FUND, QUOTE]),
        (11, [TRADE, LIQUIDATE, WITHDRAW, FUND]),
        (120, [TRADE, LIQUIDATE, WITHDRAW, FUND]),
        (121, [LIQUIDATE, FUND]),
    ],
)
def test_drift_stops_its_pool_first_then_trades_and_withdrawals_but_never_liquidations(
    slots: int, acts: list[int]
) -> None:
    # math/oracle.rs, is_oracle_valid_for_action: Liquidate and UpdateFunding allow StaleForMargin
    feed = open_feed(integers(100), 0.0)

    assert acts_allowed(drift(), feed, 100.0, slots * SLOT) == acts


def test_drift_liquidates_and_does_nothing_else_on_an_uncertain_price() -> None:
    feed = open_feed(integers(100), 0.0)._replace(confidence=np.array([0.03]))

    assert acts_allowed(drift(), feed, 100.0, 0.0) == [LIQUIDATE]


@pytest.mark.parametrize(
    ("price", "code"), [(149, SOUND), (150, OFF_AVERAGE), (51, SOUND), (50, OFF_AVERAGE)]
)
def test_drift_refuses_to_liquidate_half_away_from_the_average(price: int, code: int) -> None:
    # math/orders.rs: too divergent at 50 % of the five minute TWAP and beyond
    assert reason(drift().liquidate, price) == code


@pytest.mark.parametrize(
    ("price", "code"), [(500, SOUND), (501, TOO_VOLATILE), (20, SOUND), (19, TOO_VOLATILE)]
)
def test_a_price_five_times_its_average_is_too_volatile_either_way(price: int, code: int) -> None:
    assert reason(GuardRule(max_ratio=5.0), price) == code


@pytest.mark.parametrize(
    ("mark", "code"), [(110, SOUND), (111, OFF_MARK), (90, SOUND), (89, OFF_MARK), (0, SOUND)]
)
def test_drift_stops_funding_when_the_mark_leaves_the_oracle_by_a_tenth(mark: int, code: int) -> None:
    assert reason(drift().fund, mark=mark) == code


def test_an_average_or_a_mark_that_does_not_exist_passes() -> None:
    rule = GuardRule(max_divergence=0.0, max_mark_divergence=0.0, max_ratio=1.0)

    assert reason(rule, 100, np.nan, 0) == SOUND
    assert reason(rule, 100, 0.0, 0) == SOUND


def test_the_gravest_reason_is_told() -> None:
    strict = GuardRule(1.0, 0.01, 0.1, 0.1, 2.0, minimum=10)
    story = [
        reason(strict, 0, 100.0, 500, 2.0, 0.5),
        reason(strict, 10, 100.0, 500, 2.0, 0.5),
        reason(strict, 11, 100.0, 500, 2.0, 0.5),
        reason(strict, 80, 100.0, 500, 2.0, 0.5),
        reason(strict, 80, 100.0, 500, 2.0),
        reason(strict, 80, 100.0, 500),
        reason(strict, 95, 100.0, 500),
        reason(strict, 95),
    ]

    assert story == [
        NOT_POSITIVE,
        OUT_OF_BOUNDS,
        TOO_VOLATILE,
        TOO_UNCERTAIN,
        STALE,
        OFF_AVERAGE,
        OFF_MARK,
        SOUND,
    ]
    assert [REASONS[code] for code in (SOUND, OUT_OF_BOUNDS, OFF_MARK)] == [
        "sound",
        "out_of_bounds",
        "off_mark",
    ]


def test_markets_are_judged_one_by_one() -> None:
    feed = open_feed(integers(100, 100, 100), 0.0)._replace(
        observed=np.array([0.0, 90.0, 90.0]), confidence=np.array([0.0, 0.03, 0.03])
    )
    rule = GuardRule(max_age=60.0, max_confidence=np.array([0.02, 0.02, 0.04]))
    found = refusals(rule, feed, np.full(3, 100.0), integers(100, 100, 100), 100.0)

    assert found.tolist() == [STALE, TOO_UNCERTAIN, SOUND]


def test_the_acts_of_a_venue_stand_in_the_order_of_their_numbers() -> None:
    assert [Guards._fields[act] for act in ACTS] == ["trade", "liquidate", "withdraw", "fund", "quote"]


def test_a_check_of_age_or_of_the_least_answer_would_have_saved_venus() -> None:
    # LUNA on 12 May 2022: the feed stopped at 0.107, the market fell to 0.01
    rule = PushRule(0.01, 3600.0, 0.0, Bounds(minimum=107_000))
    feed = open_feed(integers(200_000), 0.0)
    for minute in range(1, 241):
        feed = advance(
            feed, rule, calm_reading(integers(max(10_000, 200_000 - 10_000 * minute))), minute * 60.0
        )
    average, mark = np.array([107_000.0]), feed.price

    assert refusals(UNGUARDED, feed, average, mark, 14_400.0)[0] == SOUND
    assert refusals(GuardRule(max_age=3_600.0), feed, average, mark, 14_400.0)[0] == STALE
    assert refusals(GuardRule(minimum=107_000), feed, average, mark, 14_400.0)[0] == OUT_OF_BOUNDS


def test_no_check_of_age_sees_a_cap_below_the_market_but_a_bound_does() -> None:
    # CAPO on 10 March 2026: 1.1939 instead of 1.2282, fresh at every block
    rule = PullRule(bounds=Bounds(maximum=1_193_900, stops=False))
    feed = advance(open_feed(integers(1_228_200), 0.0), rule, calm_reading(integers(1_228_200)), 3_600.0)
    average = np.array([1_228_200.0])

    assert refusals(GuardRule(max_age=1.0), feed, average, feed.price, 3_600.0)[0] == SOUND
    assert refusals(GuardRule(max_divergence=0.5), feed, average, feed.price, 3_600.0)[0] == SOUND
    assert refusals(GuardRule(maximum=1_193_900), feed, average, feed.price, 3_600.0)[0] == OUT_OF_BOUNDS


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_a_feed_off_by_two_places_stops_every_act_of_drift(scale: float) -> None:
    shown = calm_reading(integers(10_000))._replace(scale=np.array([scale]))
    feed = advance(open_feed(integers(10_000), 0.0), PullRule(), shown, 60.0)

    assert acts_allowed(drift(), feed, 10_000.0, 60.0) == []


def test_the_band_of_drift_stops_the_borrowing_of_mango() -> None:
    # 11 October 2022: 0.038 to 0.91 within half an hour; the input of the average is held to ±10 %
    clamped = AverageRule("linear", 300.0, 0.10)
    average = open_average(integers(38_000), 0.0)
    found = []
    for minute in range(1, 31):
        price = integers(round(38_000 * (910 / 38) ** (minute / 30)))
        feed = open_feed(price, minute * 60.0)
        found.append(refusals(drift().withdraw, feed, average.price, price, minute * 60.0)[0])
        average = observe_average(average, clamped, price, minute * 60.0)

    assert found[:10] == [SOUND] * 10
    assert found[-5:] == [TOO_VOLATILE] * 5


def test_a_venue_that_restarts_on_an_old_price_waits_for_the_feed_except_to_liquidate() -> None:
    rule = PushRule(0.005, 3600.0, 40.0)
    halted = open_feed(integers(10_000), 0.0)
    restarted = advance(halted, rule, calm_reading(integers(8_000)), 28_800.0)
    updated = advance(restarted, rule, calm_reading(integers(8_000)), 28_840.0)

    assert acts_allowed(drift(), restarted, 10_000.0, 28_800.0) == [LIQUIDATE, FUND]
    assert acts_allowed(drift(), updated, 10_000.0, 28_840.0) == [TRADE, LIQUIDATE, WITHDRAW, FUND]


positive = st.integers(1, 10**12)
shares = st.sampled_from([0.01, 0.1, 0.5, np.inf])
guard_rules = st.builds(
    GuardRule,
    st.sampled_from([10.0, 60.0, np.inf]),
    shares,
    shares,
    shares,
    st.sampled_from([1.5, 5.0, np.inf]),
    st.sampled_from([0, 10**6]),
    st.sampled_from([0, 10**9]),
)


@given(guard_rules, positive, positive, positive, st.floats(0, 120), st.floats(0, 1))
def test_an_accepted_price_meets_every_condition(
    rule: GuardRule, price: int, twap: int, mark: int, age: float, confidence: float
) -> None:
    accepted = reason(rule, price, float(twap), mark, age, confidence) == SOUND

    met = (
        age <= rule.max_age
        and confidence <= rule.max_confidence
        and abs(price - twap) < rule.max_divergence * twap
        and abs(mark - price) <= rule.max_mark_divergence * price
        and max(price, twap) <= rule.max_ratio * min(price, twap)
        and price > rule.minimum
        and (price < rule.maximum or not rule.maximum)
    )
    assert accepted == met
