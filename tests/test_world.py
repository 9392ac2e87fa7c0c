"""The world: shocks on the grid, gas, impact by hand, depth, and independence of the block length."""

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from sim.configuration import ClockSettings
from sim.world import Shocks, World, gas_path
from sim.world_settings import GasSettings, WorldSettings
from sim.world_settings import Shocks as ShockList

MARKETS = ["BTC", "ETH"]
PRICES = {"kind": "waypoints", "points": [{"at": "0s", "BTC": 8000.0, "ETH": 200.0}]}
STILL = PRICES | {"volatility": {"BTC": 0.0, "ETH": 0.0}}
FLAT = np.zeros(2)


def clock(hours: float = 2, block: int = 60) -> ClockSettings:
    return ClockSettings(duration=f"{int(hours * 3600)}s", block=f"{block}s")


def shocks(*entries: dict[str, Any]) -> tuple[Any, ...]:
    found: tuple[Any, ...] = TypeAdapter(ShockList).validate_python(list(entries))
    return found


def laid(*entries: dict[str, Any], block: int = 60) -> Shocks:
    return Shocks(shocks(*entries), clock(block=block), MARKETS)


def world(
    *entries: dict[str, Any], block: int = 60, seed: int = 1, prices: Any = STILL, **more: Any
) -> World:
    settings = WorldSettings.model_validate({"prices": prices} | more)
    return World(settings, shocks(*entries), clock(block=block), MARKETS, seed)


def flow(bitcoin: float) -> np.ndarray:
    return np.array([bitcoin, 0.0])


def test_a_jump_holds_from_its_moment_on() -> None:
    price = laid({"kind": "price_jump", "at": "10m", "size": -0.1}).price

    assert (price[:10] == 1).all()
    np.testing.assert_allclose(price[10:], 0.9)


def test_a_jump_with_a_half_life_returns() -> None:
    price = laid({"kind": "price_jump", "at": "10m", "size": -0.2, "half_life": "20m"}).price[:, 0]

    np.testing.assert_allclose(price[[9, 10, 30, 50]], [1.0, 0.8, 0.9, 0.95])


def test_jumps_multiply_and_may_strike_one_market() -> None:
    price = laid(
        {"kind": "price_jump", "at": "10m", "size": -0.1},
        {"kind": "price_jump", "at": "20m", "size": 0.5, "markets": ["ETH"]},
    ).price

    np.testing.assert_allclose(price[[15, 20]], [[0.9, 0.9], [0.9, 1.35]])


def test_spells_begin_at_their_moment_and_end_before_their_end() -> None:
    found = laid(
        {"kind": "gas_spike", "at": "10m", "factor": 8.0, "duration": "5m"},
        {"kind": "liquidity_withdrawal", "at": "20m", "share": 0.9, "duration": "1m"},
        {"kind": "oracle_stall", "at": "30m", "duration": "2m", "markets": ["ETH"]},
    )

    assert np.flatnonzero(found.gas != 1).tolist() == [10, 11, 12, 13, 14]
    assert np.flatnonzero(found.withdrawn).tolist() == [20]
    assert np.argwhere(found.stalled).tolist() == [[30, 1], [31, 1]]


def test_a_faulty_feed_is_off_by_its_factor_for_its_time_and_faults_multiply() -> None:
    scale = laid(
        {"kind": "oracle_fault", "at": "10m", "factor": 0.01, "duration": "5m", "markets": ["ETH"]},
        {"kind": "oracle_fault", "at": "12m", "factor": 3.0, "duration": "10m"},
    ).scale

    np.testing.assert_allclose(
        scale[[9, 10, 11, 12, 14, 15, 21, 22], 1], [1, 0.01, 0.01, 0.03, 0.03, 3, 3, 1]
    )
    np.testing.assert_allclose(scale[[9, 11, 12, 21, 22], 0], [1, 1, 3, 3, 1])


def test_a_faulty_feed_moves_no_price() -> None:
    fault = {"kind": "oracle_fault", "at": "0s", "factor": 9.0, "duration": "2h"}

    np.testing.assert_array_equal(laid(fault).price, laid().price)
    np.testing.assert_array_equal(world(fault).fundamental, world().fundamental)


def test_of_overlapping_spells_the_stronger_holds() -> None:
    found = laid(
        {"kind": "gas_spike", "at": "0s", "factor": 8.0, "duration": "10m"},
        {"kind": "gas_spike", "at": "5m", "factor": 3.0, "duration": "10m"},
        {"kind": "liquidity_withdrawal", "at": "0s", "share": 0.5, "duration": "10m"},
        {"kind": "liquidity_withdrawal", "at": "5m", "share": 0.9, "duration": "10m"},
    )

    assert found.gas[[4, 7, 12]].tolist() == [8, 8, 3]
    assert found.withdrawn[[4, 7, 12]].tolist() == [0.5, 0.9, 0.9]


def test_shocks_strike_at_the_same_times_on_any_grid() -> None:
    entries = (
        {"kind": "price_jump", "at": "10m", "size": -0.2, "half_life": "20m"},
        {"kind": "gas_spike", "at": "10m", "factor": 8.0, "duration": "5m"},
    )
    coarse, fine = laid(*entries), laid(*entries, block=30)

    np.testing.assert_array_equal(fine.price[::2], coarse.price)
    np.testing.assert_array_equal(fine.gas[::2], coarse.gas)


@pytest.mark.parametrize("block", [10, 60, 300])
def test_gas_varies_around_its_base_alike_on_any_grid(block: int) -> None:
    hours, half_life = 1440, 0.5
    settings = GasSettings(base=20.0, sigma=0.35, reversion="30m")
    logs = np.log(gas_path(settings, clock(hours, block), seed=2)[1:] / 20)
    lag = int(3600 * half_life / block)

    error = 0.35 / np.sqrt(hours * np.log(2) / (2 * half_life))
    assert abs(logs.mean()) < 5 * error  # false alarm: 6e-7
    assert logs.std() == pytest.approx(0.35, abs=5 * error)
    assert np.corrcoef(logs[:-lag], logs[lag:])[0, 1] == pytest.approx(0.5, abs=0.1)


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

    np.testing.assert_allclose(there.permanent, thick.permanent)
    assert there.transient[0] == pytest.approx(10 * thick.transient[0])


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

    np.testing.assert_allclose(coarse.permanent, fine.permanent)
    assert coarse.transient[0] == pytest.approx(fine.transient[0], rel=0.05)


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

    assert silent.permanent[0] == pytest.approx(0.3 * 1e6 * felt / 100 / 20e6)
    assert loud.permanent[0] == pytest.approx(0.3 * 1e6 * hedged / 100 / 20e6)


def test_what_has_been_hedged_is_no_longer_forced() -> None:
    there = world(impact={"liquidations": False})
    there.force(flow(-100e6))
    there.advance(flow(-80e6))
    there.advance(flow(-80e6))

    assert there.permanent[0] == pytest.approx(-0.3 * 60e6 / 100 / 20e6)


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
