"""Rates from the distance of the venue's price from the index: dYdX, Hyperliquid, Drift."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import floats, integers, observation, opened, pair, usd, venue_rows

from protocol.arithmetic import PPM
from protocol.carry.funding import advance, observe
from protocol.carry.funding_rules import Funding
from protocol.carry.premium_funding import (
    InterestRule,
    PremiumRule,
    TwapRule,
    average_prices,
    daily_spread,
    premium,
    within_fee_pool,
)

HOUR, DAY = 3_600, 86_400
GAP = 8_000
PRICES = st.floats(1e6, 1e10)


def premium_rule(default: int = 0) -> PremiumRule:
    return PremiumRule(margin_gap=integers(GAP), default_rate=integers(default))


def twap_rule(**changes: Any) -> TwapRule:
    return TwapRule(divergence=floats(1 / 33), band=floats(0.1))._replace(**changes)


def sampled(rule: PremiumRule | InterestRule, row: dict[str, Any]) -> Funding:
    """Funding after the samples of a row."""
    funding = opened()
    for bid, ask, seconds in row["samples"]:
        shown = observation(oracle=usd(row["price"]), impact_bid=usd(bid), impact_ask=usd(ask))
        funding = observe(funding, rule, shown, seconds)
    return funding


def averages(mark: float, oracle: float) -> Funding:
    """Funding whose averages [USD] are known."""
    return opened(mark_average=usd(mark), oracle_average=usd(oracle))


@pytest.mark.parametrize("row", venue_rows("premium"), ids=lambda row: row["name"])
def test_the_premium_rule_charges_as_dydx(row: dict[str, Any]) -> None:
    rule = premium_rule(row["default"])
    shown = observation(oracle=usd(row["price"]))
    funding, steps = advance(sampled(rule, row), rule, shown, HOUR)

    assert funding.rate * PPM == pytest.approx([row["rate"]])
    assert pair(steps) == [row["step"], row["step"]]


@pytest.mark.parametrize("row", venue_rows("interest"), ids=lambda row: row["name"])
def test_the_interest_rule_charges_as_hyperliquid(row: dict[str, Any]) -> None:
    shown = observation(oracle=usd(row["price"]))
    funding, steps = advance(sampled(InterestRule(), row), InterestRule(), shown, HOUR)

    assert funding.rate == pytest.approx([row["rate"]])
    assert pair(steps) == pytest.approx([row["step"], row["step"]], abs=1)


@pytest.mark.parametrize("row", venue_rows("twap"), ids=lambda row: row["name"])
def test_the_twap_rule_charges_as_drift(row: dict[str, Any]) -> None:
    rule = twap_rule(divergence=floats(1 / row["divisor"]))
    funding, steps = advance(averages(row["mark"], row["oracle"]), rule, observation(), HOUR)

    assert pair(steps) == pytest.approx([row["step"], row["step"]], abs=1)
    assert funding.rate * usd(row["oracle"]) * 1000 / 8 == pytest.approx([row["step"]], abs=1)


@pytest.mark.parametrize("row", venue_rows("twap_pool"), ids=lambda row: row["name"])
def test_receivers_get_what_payers_and_a_third_of_the_fee_pool_give(row: dict[str, Any]) -> None:
    shown = observation(long_interest=row["longs"], short_interest=row["shorts"], fee_pool=usd(row["pool"]))
    _, steps = advance(averages(99, 100), twap_rule(), shown, HOUR)

    assert pair(steps) == pytest.approx([row["long"], row["short"]], abs=1)


@pytest.mark.parametrize("row", venue_rows("drift_tests"), ids=lambda row: row["name"])
def test_the_twap_rule_agrees_with_drifts_own_tests(row: dict[str, Any]) -> None:
    funding = opened(mark_average=row["mark"], oracle_average=row["oracle"])
    shown = observation(
        oracle=row["oracle"],
        long_interest=row["longs"],
        short_interest=row["shorts"],
        fee_pool=row["pool"] * 10**9,
    )
    _, steps = advance(funding, twap_rule(offset=0.0), shown, HOUR)

    # The venue counts in micro-USD what users pay, hence the tolerance on the capped rate.
    assert pair(steps) == pytest.approx([row["long"], row["short"]], rel=3e-6)


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [(101, 102, 0.01), (98, 99, -0.01), (99, 101, 0), (0, 0, 0), (0, 99, -0.01), (101, 0, 0.01)],
)
@pytest.mark.parametrize("none", [0.0, np.nan])
def test_a_side_without_depth_makes_no_premium(bid: float, ask: float, expected: float, none: float) -> None:
    found = premium(integers(100), floats(bid or none), floats(ask or none))

    assert found.tolist() == [expected]


@pytest.mark.parametrize("rule", [premium_rule(), InterestRule()], ids=["premium", "interest"])
def test_a_sample_without_a_usable_index_counts_as_none(rule: PremiumRule | InterestRule) -> None:
    shown = observation(impact_bid=usd(101), oracle_ok=False)

    assert observe(opened(), rule, shown, HOUR).gathered.tolist() == [0]


@given(st.lists(st.tuples(PRICES, st.sampled_from([60, 600, 3600])), min_size=1, max_size=20), PRICES)
def test_the_premium_rule_stays_within_six_margin_gaps(
    samples: list[tuple[float, int]], index: float
) -> None:
    rule, funding = premium_rule(100), opened()
    for price, seconds in samples:
        shown = observation(oracle=index, impact_bid=price, impact_ask=price)
        funding = observe(funding, rule, shown, seconds)
    funding, _ = advance(funding, rule, shown, sum(seconds for _, seconds in samples) + HOUR)

    assert abs(funding.rate[0]) <= 6 * GAP / PPM


@given(PRICES, PRICES)
def test_the_interest_rule_pays_at_most_four_percent_an_hour(price: float, index: float) -> None:
    shown = observation(oracle=index, impact_bid=price, impact_ask=price)
    funding, steps = advance(observe(opened(), InterestRule(), shown, HOUR), InterestRule(), shown, HOUR)

    assert abs(funding.rate[0]) <= 0.32
    assert abs(pair(steps)[0]) <= 0.04 * int(index) * 1000 + 1


@given(st.floats(-0.000399, 0.000599))
def test_a_small_premium_is_pulled_to_the_interest_rate(distance: float) -> None:
    price = usd(100) * (1 + distance)
    shown = observation(impact_bid=price, impact_ask=price)
    funding, _ = advance(observe(opened(), InterestRule(), shown, HOUR), InterestRule(), shown, HOUR)

    assert funding.rate == pytest.approx([0.0001])


@given(PRICES, PRICES)
def test_the_twap_rule_stays_within_its_bound(mark: float, oracle: float) -> None:
    funding = opened(mark_average=mark, oracle_average=oracle)

    assert abs(daily_spread(funding, twap_rule())[0]) <= oracle / 33 * (1 + 1e-12)


def test_the_first_observation_is_the_average() -> None:
    funding = average_prices(opened(), twap_rule(), observation(mid=usd(101)), 60)

    assert funding.mark_average.tolist() == [usd(101)]
    assert funding.oracle_average.tolist() == [usd(100)]


def test_an_hour_of_a_new_price_brings_the_average_63_percent_of_the_way() -> None:
    funding = average_prices(averages(100, 100), twap_rule(), observation(mid=usd(101)), HOUR)

    assert funding.mark_average == pytest.approx([usd(100 + 1 - np.exp(-1))])
    assert funding.oracle_average == pytest.approx([usd(100)])


def test_the_average_of_an_hour_is_the_same_in_one_block_and_in_sixty() -> None:
    whole = average_prices(averages(100, 100), twap_rule(), observation(mid=usd(103)), HOUR)
    parts = averages(100, 100)
    for _ in range(60):
        parts = average_prices(parts, twap_rule(), observation(mid=usd(103)), 60)

    assert parts.mark_average == pytest.approx(whole.mark_average)


@pytest.mark.parametrize(("mid", "held"), [(200, 110), (50, 90), (109, 109)])
def test_an_input_far_from_the_average_is_held_at_the_band(mid: float, held: float) -> None:
    shown = observation(mid=usd(mid))
    expected = average_prices(
        averages(100, 100), twap_rule(band=floats(np.inf)), observation(mid=usd(held)), 60
    )

    assert average_prices(averages(100, 100), twap_rule(), shown, 60).mark_average == pytest.approx(
        expected.mark_average
    )


@pytest.mark.parametrize("none", [0.0, np.nan])
def test_without_a_price_of_its_own_the_venue_stands_at_the_index(none: float) -> None:
    funding = average_prices(averages(105, 100), twap_rule(), observation(mid=none), HOUR)

    assert funding.mark_average == pytest.approx([usd(100 + 5 * np.exp(-1))])


def test_averages_stand_still_without_a_usable_index() -> None:
    shown = observation(mid=usd(105), oracle=usd(103), oracle_ok=False)

    assert average_prices(averages(101, 100), twap_rule(), shown, HOUR) == averages(101, 100)


@pytest.mark.parametrize(
    "changes",
    [{"oracle_ok": False}, {"mid": usd(110.1)}, {"mid": usd(89.9)}],
    ids=["oracle", "above", "below"],
)
def test_time_that_ends_under_a_blocked_update_is_never_paid(changes: dict[str, Any]) -> None:
    blocked, steps = advance(averages(101, 100), twap_rule(), observation(**changes), HOUR)
    _, after = advance(blocked, twap_rule(), observation(), 2 * HOUR)

    assert pair(steps) == [0, 0]
    assert blocked.rate.tolist() == [0]
    assert pair(after) == pytest.approx([42_500_000] * 2, abs=1)


@pytest.mark.parametrize("mid", [usd(109.9), usd(90.1), np.nan])
def test_a_price_within_ten_percent_of_the_index_blocks_nothing(mid: float) -> None:
    _, steps = advance(averages(101, 100), twap_rule(), observation(mid=mid), HOUR)

    assert pair(steps)[0] > 0


def test_nothing_is_paid_before_the_first_observation() -> None:
    _, steps = advance(opened(), twap_rule(), observation(), HOUR)

    assert pair(steps) == [0, 0]


def test_a_day_of_twap_funding_at_once_spends_no_more_than_24_hours_of_thirds() -> None:
    shown = observation(long_interest=300, fee_pool=usd(30))
    _, steps = advance(averages(99, 100), twap_rule(), shown, DAY)
    long, short = pair(steps)

    assert short == pytest.approx(-980_000_000, abs=1)
    assert -300 * long + 100 * short == pytest.approx(usd(30) * 1000 * (1 - (2 / 3) ** 24), abs=300)


@given(
    st.integers(-(10**9), 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(-(10**12), 10**12),
    st.floats(0, 1),
)
def test_the_fee_pool_never_gives_more_than_its_share(
    step: int, longs: int, shorts: int, pool: int, share: float
) -> None:
    shown = observation(long_interest=longs, short_interest=shorts, fee_pool=pool)
    steps = within_fee_pool(integers(step), shown, floats(share))
    long, short = pair(steps)

    assert short * shorts - long * longs <= max(pool, 0) * 1000 * share + 1
    assert abs(long) <= abs(step)
    assert abs(short) <= abs(step)
    assert step * long >= 0
    assert step in (long, short)
