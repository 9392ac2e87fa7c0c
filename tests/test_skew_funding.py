"""Rates that the imbalance of longs and shorts moves: GMX and Synthetix."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import floats, integers, observation, opened, pair, rate_to_step, usd, venue_rows

from protocol.carry.funding import advance
from protocol.carry.funding_rules import YEAR
from protocol.carry.skew_funding import AdaptiveRule, VelocityRule, hand_over, mean_paid_rate, paid_rate

HOUR, DAY = 3_600, 86_400
LOTS = st.integers(1, 10**9)
LEVELS = st.floats(-1, 1)


def adaptive_rule(**changes: Any) -> AdaptiveRule:
    return AdaptiveRule(maximum=floats(0.75))._replace(**changes)


def velocity_rule(**changes: Any) -> VelocityRule:
    return VelocityRule(velocity=floats(3), skew_scale=floats(10_000))._replace(**changes)


def sides(longs: int, shorts: int) -> dict[str, int]:
    return {"long_interest": longs, "short_interest": shorts}


@pytest.mark.parametrize("row", venue_rows("gmx_tests"), ids=lambda row: row["name"])
def test_the_adaptive_rate_moves_as_in_gmxs_own_tests(row: dict[str, Any]) -> None:
    rule = AdaptiveRule(
        maximum=floats(YEAR), minimum=0.0, ramp=1e6, decay=5e7, stable_skew=0.05, decay_skew=0.03
    )
    shown = observation(**sides(row["longs"], row["shorts"]))
    funding, _ = advance(opened(level=row["before"]), rule, shown, row["seconds"])

    # The venue's test lets up to a second pass between two of its readings.
    assert funding.level == pytest.approx([row["after"]], abs=3e-8)


@pytest.mark.parametrize("row", venue_rows("adaptive"), ids=lambda row: row["name"])
def test_the_adaptive_rule_charges_as_gmx(row: dict[str, Any]) -> None:
    shown = observation(**sides(row["longs"], row["shorts"]))
    funding, steps = advance(opened(level=row["before"] / YEAR), adaptive_rule(), shown, row["hours"] * HOUR)
    rounding = row["longs"] / max(row["shorts"], 1) + 1

    assert funding.level * YEAR == pytest.approx([row["after"]], abs=1e-7)
    assert pair(steps) == pytest.approx([row["long"], row["short"]], abs=1 + rounding)


def test_the_skew_at_which_the_rate_starts_to_move_is_above_four_percent() -> None:
    levels = []
    for longs in (104, 105):
        shown = observation(**sides(longs, 200 - longs))
        funding, _ = advance(opened(level=0.1 / YEAR), adaptive_rule(), shown, HOUR)
        levels.append(funding.level[0] * YEAR)

    assert levels == pytest.approx([0.1, 0.1 + 0.05 * 0.75 / 3])


def test_the_rate_shown_is_that_on_the_larger_side_over_eight_hours() -> None:
    shown = observation(**sides(200, 100))
    funding, _ = advance(opened(level=0.75 / YEAR), adaptive_rule(), shown, HOUR)

    assert funding.rate == pytest.approx([0.75 * 8 / (365 * 24)])


@pytest.mark.parametrize(("longs", "shorts"), [(0, 100), (100, 0), (0, 0)])
def test_time_with_an_empty_side_is_never_paid(longs: int, shorts: int) -> None:
    funding, steps = advance(
        opened(level=0.5 / YEAR), adaptive_rule(), observation(**sides(longs, shorts)), DAY
    )
    _, after = advance(funding, adaptive_rule(), observation(), DAY + HOUR)

    assert pair(steps) == [0, 0]
    assert funding.rate.tolist() == [0]
    assert funding.level * YEAR == pytest.approx([0.5])
    assert pair(after)[0] == pytest.approx(rate_to_step(0.5 / YEAR, HOUR), abs=1)


@given(LEVELS, LOTS, LOTS, st.integers(1, 10 * DAY))
def test_the_adaptive_rate_paid_lies_between_its_floor_and_its_maximum(
    level: float, longs: int, shorts: int, seconds: int
) -> None:
    shown = observation(**sides(longs, shorts))
    funding, _ = advance(opened(level=level / YEAR), adaptive_rule(), shown, seconds)
    paid = abs(funding.rate[0]) / (8 * HOUR) * YEAR

    assert 0.01 * (1 - 1e-9) <= paid <= 0.75 * (1 + 1e-9)
    assert abs(funding.level[0]) * YEAR <= 0.75 * (1 + 1e-9)


@given(LEVELS, LOTS, LOTS, st.integers(60, DAY), st.integers(2, 60))
def test_the_adaptive_rule_charges_the_same_in_one_step_and_in_many(
    level: float, longs: int, shorts: int, seconds: int, parts: int
) -> None:
    rule, shown = adaptive_rule(decay=30 * HOUR, decay_skew=0.02), observation(**sides(longs, shorts))
    whole, once = advance(opened(level=level / YEAR), rule, shown, seconds)
    funding, total = opened(level=level / YEAR), np.zeros(2)
    for part in range(parts):
        funding, steps = advance(funding, rule, shown, seconds * (part + 1) / parts)
        total += pair(steps)
    long, short = pair(once)

    assert funding.level == pytest.approx(whole.level, rel=1e-9, abs=1e-15)
    assert total[0] == pytest.approx(long, rel=1e-9, abs=1)
    assert total[1] == pytest.approx(short, rel=1e-9, abs=longs / shorts + 1)


@given(st.lists(st.tuples(LOTS, LOTS, st.integers(1, DAY)), min_size=1, max_size=20))
def test_shorts_never_receive_more_than_longs_have_paid(blocks: list[tuple[int, int, int]]) -> None:
    funding, time, kept = opened(), 0, 0
    for longs, shorts, seconds in blocks:
        time += seconds
        shown = observation(**sides(longs, shorts))
        funding, steps = advance(funding, adaptive_rule(), shown, time)
        long, short = pair(steps)
        kept += long * longs - short * shorts

        assert kept == funding.dust[0]
        assert 0 <= kept < shorts


def test_what_is_left_of_one_payment_is_handed_on_with_the_next() -> None:
    shown = observation(**sides(1, 3))
    first, dust = hand_over(integers(10), integers(0), shown)
    second, rest = hand_over(integers(10), dust, shown)

    assert [pair(first), dust.tolist()] == [[10, 3], [1]]
    assert [pair(second), rest.tolist()] == [[10, 3], [2]]
    assert pair(hand_over(integers(-10), rest, shown)[0]) == [-10, -3]


def test_a_rate_above_a_lowered_maximum_comes_down_at_once() -> None:
    shown = observation(**sides(150, 50))
    funding, steps = advance(opened(level=0.75 / YEAR), adaptive_rule(maximum=floats(0.25)), shown, HOUR)

    assert funding.level * YEAR == pytest.approx([0.25])
    assert pair(steps)[0] == pytest.approx(rate_to_step(0.25 / YEAR, HOUR), abs=1)


@given(LEVELS, LEVELS, st.sampled_from([-1.0, 0.0, 1.0]))
def test_the_mean_paid_rate_is_the_average_along_the_way(start: float, end: float, side: float) -> None:
    way = start + (end - start) * (np.arange(2_000) + 0.5) / 2_000
    expected = paid_rate(way, floats(0.2), floats(side)).mean()

    assert mean_paid_rate(floats(start), floats(end), floats(0.2), floats(side)) == pytest.approx(
        [expected], abs=1e-3
    )


def test_the_velocity_rule_charges_as_in_synthetixs_own_test() -> None:
    funding, time, accrued = opened(), 0.0, 0.0
    for row in venue_rows("velocity"):
        time += row["days"] * DAY
        shown = observation(oracle=usd(2_000), **sides(500 + row["skew"], 500))
        funding, steps = advance(funding, velocity_rule(), shown, time)
        accrued += pair(steps)[0] * 20 / 1e9

        assert pair(steps)[0] == pair(steps)[1]
        assert funding.rate * 3 == pytest.approx([row["rate"]])
        assert accrued == pytest.approx(row["accrued"], abs=1e-6)


@pytest.mark.parametrize(
    ("longs", "shorts", "daily"),
    [(10_000, 0, 3), (30_000, 0, 3), (0, 30_000, -3), (5_000, 0, 1.5), (7, 7, 0)],
)
def test_the_velocity_stops_growing_at_the_skew_scale(longs: int, shorts: int, daily: float) -> None:
    funding, _ = advance(opened(), velocity_rule(), observation(**sides(longs, shorts)), DAY)

    assert funding.level * DAY == pytest.approx([daily])


def test_without_a_skew_scale_the_rate_holds_still() -> None:
    rule = velocity_rule(skew_scale=floats(0))
    funding, steps = advance(opened(level=0.01 / DAY), rule, observation(**sides(300, 100)), DAY)

    assert funding.level * DAY == pytest.approx([0.01])
    assert pair(steps) == pytest.approx([usd(1) * 1000] * 2, abs=1)


def test_the_velocity_rate_has_no_bound() -> None:
    funding, _ = advance(opened(), velocity_rule(), observation(**sides(20_000, 0)), 100 * DAY)

    assert funding.level * DAY == pytest.approx([300])


@given(st.floats(-1, 1), LOTS, LOTS, st.integers(60, DAY), st.integers(2, 60))
def test_the_velocity_rule_charges_the_same_in_one_step_and_in_many(
    level: float, longs: int, shorts: int, seconds: int, parts: int
) -> None:
    shown = observation(**sides(longs, shorts))
    _, once = advance(opened(level=level / DAY), velocity_rule(), shown, seconds)
    funding, total = opened(level=level / DAY), 0
    for part in range(parts):
        funding, steps = advance(funding, velocity_rule(), shown, seconds * (part + 1) / parts)
        total += pair(steps)[0]

    assert total == pytest.approx(pair(once)[0], rel=1e-9, abs=1)


@pytest.mark.parametrize("rule", [adaptive_rule(), velocity_rule()], ids=["adaptive", "velocity"])
def test_time_without_a_usable_index_is_charged_when_it_is_back(rule: AdaptiveRule | VelocityRule) -> None:
    shown = observation(**sides(200, 100))
    _, expected = advance(opened(), rule, shown, 2 * HOUR)
    waiting, nothing = advance(opened(), rule, shown._replace(oracle_ok=np.array([False])), HOUR)
    _, found = advance(waiting, rule, shown, 2 * HOUR)

    assert nothing is None
    assert found == expected
