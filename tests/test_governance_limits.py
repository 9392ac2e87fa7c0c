"""How far a parameter may go: hard limits, bounds of one change, and where many lead."""

import pytest
from chamber import fee, maintenance
from venue import integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.governance.limits import UNBOUNDED, Bound, Range, outside_limits, truncated


@pytest.mark.parametrize(
    ("bound", "value", "expected"),
    [
        (Bound(5_000, 5_000, False), 12_000, (7_000, 17_000)),
        (Bound(300_000, 300_000, True), 1_000, (700, 1_300)),
        (Bound(300_000, 100_000, True), 1_000, (900, 1_300)),
        (Bound(300_000, 300_000, True), 11, (8, 14)),
        (Bound(300_000, 300_000, True), 3, (3, 3)),
        (Bound(300_000, 300_000, True), 0, (0, 0)),
        (Bound(300_000, 100_000, True), -110, (-121, -77)),
        (Bound(5, 7, False), -110, (-117, -105)),
    ],
    ids=str,
)
def test_a_bound_lies_around_the_value_and_is_rounded_toward_it(
    bound: Bound, value: int, expected: tuple[int, int]
) -> None:
    assert bound.around(value) == expected


def test_the_floor_of_a_range_on_a_chain_is_the_floor_here() -> None:
    for value in range(1, 400):
        allowed = Bound(299_999, 299_999, True).around(value)

        assert allowed.most - value == value - allowed.least == value * 299_999 // PPM
        assert abs(allowed.most - value) * PPM <= 299_999 * value


def test_half_a_point_in_three_days_is_five_points_in_thirty() -> None:
    changes = 30 // 3

    assert Bound(5_000, 5_000, False).drift(780_000, changes) == Range(730_000, 830_000)


def test_caps_that_may_double_every_three_days_grow_a_thousandfold_in_a_month() -> None:
    assert Bound(PPM, 0, True).drift(20, 30 // 3) == Range(20, 20 * 2**10)


def test_drift_stays_where_parameters_can_be() -> None:
    assert Bound(0, 5_000, False).drift(12_000, 3) == Range(0, 12_000)
    assert Bound(PPM, 0, True).drift(PPM, 100).most == UNBOUNDED
    assert Bound(10, 10, False).drift(-110, 3) == Range(-140, -80)
    assert Bound(10, 10, False).drift(500, 0) == Range(500, 500)


@pytest.mark.parametrize(("asked", "kept"), [(30_000, 17_000), (1, 7_000), (17_000, 17_000), (9_000, 9_000)])
def test_what_goes_too_far_is_cut_to_its_bound(asked: int, kept: int) -> None:
    assert truncated(maintenance(asked, 1), 12_000, Bound(5_000, 5_000, False)) == maintenance(kept, 1)


def test_every_number_outside_its_limits_is_named() -> None:
    rules = parameters(3, maintenance=12_000, taker_fee=501)._replace(
        maintenance=integers(9_999, 10_000, 20_001)
    )
    limits = {"maintenance": Range(10_000, 20_000), "taker_fee": Range(0, 500), "maker_fee": Range(0, 0)}

    assert outside_limits(rules, limits) == [
        "10000 <= maintenance <= 20000 must hold, got 9999",
        "10000 <= maintenance <= 20000 must hold, got 20001",
        "0 <= taker_fee <= 500 must hold, got 501",
    ]
    assert outside_limits(rules, {}) == []


def test_limits_hold_for_every_tier() -> None:
    rules = parameters(2, tier_floor=integers(usd(1), usd(2), usd(1), usd(3)).reshape(2, 2))

    assert outside_limits(rules, {"tier_floor": Range(usd(1), usd(3))}) == []
    assert len(outside_limits(rules, {"tier_floor": Range(usd(1), usd(2))})) == 1


def test_a_setting_keeps_its_name_when_it_is_cut() -> None:
    assert truncated(fee(900), 100, Bound(300_000, 0, True)) == fee(130)
