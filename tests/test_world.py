"""The world: impact by hand under both laws, depth, and independence of the block length."""

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from sim.configuration import ClockSettings
from sim.world import World
from sim.world_settings import Shocks as ShockList
from sim.world_settings import WorldSettings

MARKETS = ["BTC", "ETH"]
PRICES = {"kind": "waypoints", "points": [{"at": "0s", "BTC": 8000.0, "ETH": 200.0}]}
STILL = PRICES | {"volatility": {"BTC": 0.0, "ETH": 0.0}}
FLAT = np.zeros(2)


def clock(hours: float = 2, block: int = 60) -> ClockSettings:
    return ClockSettings(duration=f"{int(hours * 3600)}s", block=f"{block}s")


def shocks(*entries: dict[str, Any]) -> tuple[Any, ...]:
    found: tuple[Any, ...] = TypeAdapter(ShockList).validate_python(list(entries))
    return found


def world(
    *entries: dict[str, Any], block: int = 60, seed: int = 1, prices: Any = STILL, **more: Any
) -> World:
    settings = WorldSettings.model_validate({"prices": prices} | more)
    return World(settings, shocks(*entries), clock(block=block), MARKETS, seed)


def flow(bitcoin: float) -> np.ndarray:
    return np.array([bitcoin, 0.0])


def test_a_faulty_feed_moves_no_price() -> None:
    fault = {"kind": "oracle_fault", "at": "0s", "factor": 9.0, "duration": "2h"}

    np.testing.assert_array_equal(world(fault).fundamental, world().fundamental)


def test_without_flow_the_outside_price_is_the_fundamental() -> None:
    there = world(prices=PRICES)
    for _ in range(20):
        there.advance(FLAT)

        np.testing.assert_array_equal(there.outside, there.fundamental[there.block])


def test_the_same_fundamental_stands_at_common_times_of_two_grids() -> None:
    jump = {"kind": "price_jump", "at": "10m", "size": -0.2, "half_life": "20m"}
    coarse, fine = world(jump), world(jump, block=30)
    for _ in range(40):
        coarse.advance(FLAT)
        for _ in range(2):
            fine.advance(FLAT)

        np.testing.assert_array_equal(coarse.outside, fine.outside)


def test_impact_by_hand() -> None:
    there = world()
    there.advance(flow(1e8))
    struck = there.outside[0]
    for _ in range(10):
        there.advance(FLAT)

    permanent, transient = 0.3 * 1e8 / 100 / 20e6, 0.7 * 1e8 / 100 / 20e6
    assert struck == pytest.approx(8000 * np.exp(permanent + transient))
    assert there.outside[0] == pytest.approx(8000 * np.exp(permanent + transient / 2))
    assert there.outside[1] == 200


def test_a_sale_moves_the_price_down_as_a_purchase_moves_it_up() -> None:
    up, down = world(), world()
    up.advance(flow(1e8))
    down.advance(flow(-1e8))

    assert up.outside[0] * down.outside[0] == pytest.approx(8000**2)


def test_a_thin_market_moves_more_but_learns_the_same() -> None:
    thin = {"kind": "liquidity_withdrawal", "at": "0s", "share": 0.9, "duration": "2h"}
    there, thick = world(thin), world()
    for place in (there, thick):
        place.advance(FLAT)
        place.advance(flow(1e7))

    np.testing.assert_allclose(there.push.permanent, thick.push.permanent)
    assert there.push.transient[0] == pytest.approx(10 * thick.push.transient[0])


def test_a_flow_beyond_what_depth_bears_is_filled_in_part() -> None:
    there = world()
    minute = there.depth[0]

    np.testing.assert_allclose(there.share_filled(flow(minute)), [1.0, 1.0])
    np.testing.assert_allclose(there.share_filled(flow(-4 * minute)), [0.25, 1.0])


def test_a_trade_pays_half_its_own_impact() -> None:
    there = world()

    np.testing.assert_allclose(there.execution_factor(flow(1e8)), [np.exp(0.5 * 1e8 / 100 / 20e6), 1.0])


def test_the_impact_of_a_steady_flow_is_the_same_on_any_grid() -> None:
    coarse, fine = world(block=60), world(block=10)
    for _ in range(60):
        coarse.advance(flow(6e5))
        for _ in range(6):
            fine.advance(flow(1e5))

    np.testing.assert_allclose(coarse.push.permanent, fine.push.permanent)
    assert coarse.push.transient[0] == pytest.approx(fine.push.transient[0], rel=0.05)


def pressed(law: str, *flows: float, block: int = 60) -> World:
    there = world(impact={"law": law}, block=block)
    for each in flows:
        there.advance(flow(each))
    return there


def test_both_laws_agree_on_a_flow_of_the_depth_within_one_per_cent() -> None:
    linear, root = pressed("linear", 20e6), pressed("square_root", 20e6)

    assert root.push.transient[0] == pytest.approx(linear.push.transient[0])
    assert root.push.transient[0] == pytest.approx(0.7 * 0.01)
    np.testing.assert_array_equal(root.push.permanent, linear.push.permanent)


@pytest.mark.parametrize(("law", "ratio"), [("linear", 4.0), ("square_root", 2.0)])
def test_four_times_the_flow_moves_the_price_by_the_law(law: str, ratio: float) -> None:
    assert pressed(law, -4e6).push.transient[0] == pytest.approx(ratio * pressed(law, -1e6).push.transient[0])


@pytest.mark.parametrize("law", ["linear", "square_root"])
def test_the_transient_part_halves_in_its_half_life_under_either_law(law: str) -> None:
    struck = pressed(law, 1e7).push.transient[0]

    assert pressed(law, 1e7, *[0.0] * 10).push.transient[0] == pytest.approx(struck / 2)


def test_a_round_trip_under_the_square_root_law_leaves_no_permanent_impact_and_costs() -> None:
    there = world(impact={"law": "square_root"})
    paid = 0.0
    for each in (1e7, -1e7):
        price = (there.outside * there.execution_factor(flow(each)))[0]
        paid += each / 8000 * price
        there.advance(flow(each))

    assert there.push.permanent[0] == 0
    assert paid > 0


def test_a_large_order_in_parts_moves_the_price_alike_on_any_grid_under_the_square_root_law() -> None:
    coarse = pressed("square_root", *[6e5] * 60)
    fine = pressed("square_root", *[1e5] * 360, block=10)

    assert coarse.push.transient[0] == pytest.approx(fine.push.transient[0], rel=0.05)


def test_a_trade_pays_two_thirds_of_its_own_impact_under_the_square_root_law() -> None:
    there = world(impact={"law": "square_root"})

    np.testing.assert_allclose(there.execution_factor(flow(-5e6)), [np.exp(-2 / 3 * 0.01 * 0.5), 1.0])


def test_a_scripted_flow_moves_the_price_as_any_other() -> None:
    scripted = world({"kind": "outside_flow", "at": "1m", "usd": 1e8, "markets": ["BTC"]})
    scripted.advance(FLAT)

    np.testing.assert_allclose(scripted.outside, pressed("linear", 1e8).outside)


@pytest.mark.parametrize(
    ("forced", "hedged", "felt"),
    [(-100.0, -60.0, 0.0), (-100.0, -150.0, -50.0), (-100.0, 150.0, 150.0), (0.0, -60.0, -60.0)],
)
def test_forced_flow_can_be_taken_out_of_the_price(forced: float, hedged: float, felt: float) -> None:
    silent = world(impact={"liquidations": False})
    loud = world()
    for there in (silent, loud):
        there.force(flow(1e6 * forced))
        there.advance(flow(1e6 * hedged))

    assert silent.push.permanent[0] == pytest.approx(0.3 * 1e6 * felt / 100 / 20e6)
    assert loud.push.permanent[0] == pytest.approx(0.3 * 1e6 * hedged / 100 / 20e6)


def test_what_has_been_hedged_is_no_longer_forced() -> None:
    there = world(impact={"liquidations": False})
    there.force(flow(-100e6))
    there.advance(flow(-80e6))
    there.advance(flow(-80e6))

    assert there.push.permanent[0] == pytest.approx(-0.3 * 60e6 / 100 / 20e6)


def test_depth_is_inverse_to_volatility_and_keeps_a_floor() -> None:
    there = world()
    for factor, expected in ((0.5, 1.0), (2.0, 0.5), (50.0, 0.05)):
        there.resilience[:] = 1.0
        there.volatility = factor * there.calm_volatility
        there._observe(there.volatility * np.sqrt(60.0))

        np.testing.assert_allclose(there.depth, expected * there.normal_depth, rtol=1e-6)


def test_depth_leaves_at_once_and_comes_back_by_halves() -> None:
    there = world({"kind": "liquidity_withdrawal", "at": "2m", "share": 0.8, "duration": "1m"})
    shares = []
    for _ in range(32):
        there.advance(FLAT)
        shares.append(there.depth[0] / there.normal_depth[0])

    assert shares[0] == pytest.approx(1.0)
    assert shares[1] == pytest.approx(0.2)
    assert shares[31] == pytest.approx(1 - 0.8 / 2)


@pytest.mark.parametrize("block", [20, 60, 300])
def test_volatility_settles_at_that_of_the_prices_on_any_grid(block: int) -> None:
    prices = PRICES | {"volatility": {"BTC": 3.0, "ETH": 3.0}, "correlation": 0.0}
    seen = []
    for seed in range(25):
        there = world(block=block, prices=prices, seed=seed)
        for _ in range(len(there.gas) - 1):
            there.advance(FLAT)
        seen += (there.volatility**2).tolist()

    spread = 0.35 / np.sqrt(len(seen))  # of 17 effective returns in a half-life at five-minute blocks
    assert np.mean(seen) * 31_536_000 / 9 == pytest.approx(15 / 16, abs=5 * spread)


def test_the_trend_follows_the_direction_and_fades() -> None:
    there = world({"kind": "price_jump", "at": "10m", "size": -0.05, "markets": ["BTC"]})
    trends = []
    for _ in range(120):
        there.advance(FLAT)
        trends.append(there.trend[0])

    assert trends[8] == 0
    assert trends[9] < -0.3
    assert trends[9] < trends[60] < trends[118] < 0
    assert there.trend[1] == 0


def test_nothing_before_a_shock_knows_of_it() -> None:
    struck = {"kind": "price_jump", "at": "30m", "size": -0.3}
    with_shock, without = world(struck, prices=PRICES), world(prices=PRICES)

    np.testing.assert_array_equal(with_shock.fundamental[:30], without.fundamental[:30])
    np.testing.assert_allclose(with_shock.fundamental[30:], 0.7 * without.fundamental[30:])
    np.testing.assert_array_equal(with_shock.gas, without.gas)
