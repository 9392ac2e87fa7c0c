"""Gas: the log-normal path; a base fee by hand, when blocks are full, and what the venue's people add."""

from typing import Any

import numpy as np
import pytest

from sim.configuration import ClockSettings
from sim.gas import NO_USAGE, FeeMarket, Usage, lognormal_path, willingness
from sim.world_settings import BlockspaceSettings, GasSettings

STILL = {"sigma": 0.0, "bursts": 0.0}


def clock(hours: float = 2, block: int = 60) -> ClockSettings:
    return ClockSettings(duration=f"{int(hours * 3600)}s", block=f"{block}s")


def fees(block: int = 60, hours: float = 2, seed: int = 1, **blockspace: Any) -> FeeMarket:
    settings = GasSettings.model_validate({"kind": "eip1559", "blockspace": STILL | blockspace})
    return FeeMarket(settings, clock(hours, block), seed)


def used(gas: float, bid: float = np.inf) -> Usage:
    return Usage(np.array([gas]), np.array([bid]))


@pytest.mark.parametrize("block", [10, 60, 300])
def test_gas_varies_around_its_base_alike_on_any_grid(block: int) -> None:
    hours, half_life = 1440, 0.5
    settings = GasSettings(base=20.0, sigma=0.35, reversion="30m")
    logs = np.log(lognormal_path(settings, clock(hours, block), seed=2)[1:] / 20)
    lag = int(3600 * half_life / block)

    error = 0.35 / np.sqrt(hours * np.log(2) / (2 * half_life))
    assert abs(logs.mean()) < 5 * error  # false alarm: 6e-7
    assert logs.std() == pytest.approx(0.35, abs=5 * error)
    assert np.corrcoef(logs[:-lag], logs[lag:])[0, 1] == pytest.approx(0.5, abs=0.1)


def test_demand_at_the_target_leaves_the_base_fee_where_it_is() -> None:
    market = fees()

    assert [market.advance(0.0, NO_USAGE, 1.0) for _ in range(5)] == [20.0] * 5
    assert market.fee == 20.0


def test_full_blocks_raise_the_base_fee_by_an_eighth_each() -> None:
    market = fees(block=12)
    market.advance(0.0, NO_USAGE, 100.0)
    market.advance(0.0, NO_USAGE, 100.0)

    assert market.fee == pytest.approx(20 * 1.125**2)


def test_empty_blocks_lower_the_base_fee_by_an_eighth_at_most() -> None:
    market = fees(block=12)
    market.advance(0.0, NO_USAGE, 1e-12)

    assert market.fee == pytest.approx(20 * 0.875, rel=1e-5)


def test_a_part_of_the_target_moves_the_base_fee_by_hand() -> None:
    market = fees(block=12)
    market.advance(0.0, NO_USAGE, 0.64)

    assert market.fee == pytest.approx(20 * (1 - 0.2 / 8))


def test_who_wants_into_a_full_block_pays_what_clears_it() -> None:
    market = fees(block=12)

    assert market.advance(0.0, NO_USAGE, 36.0) == pytest.approx(20 * 36 / 2**2)
    assert market.advance(0.0, NO_USAGE, 3.9) == pytest.approx(20 * 1.125)


def test_the_base_fee_settles_where_demand_meets_the_target() -> None:
    market = fees()
    prices = [market.advance(0.0, NO_USAGE, 6.0) for _ in range(30)]

    assert prices[-1] == pytest.approx(120.0, rel=1e-3)
    assert prices[0] > 30
    assert np.all(np.diff(prices) >= -1e-9)


def test_volatility_raises_gas_with_its_lag_and_exponent() -> None:
    market = fees(volatility_exponent=1.2, lag="30m", hours=8)
    after = [market.advance(np.log(4.0), NO_USAGE, 1.0) for _ in range(400)]
    calm = fees()

    assert after[-1] == pytest.approx(20 * 4**1.2, rel=1e-3)
    assert after[32] == pytest.approx(20 * 4**0.6, rel=0.1)
    assert calm.advance(-2.0, NO_USAGE, 1.0) == 20.0


@pytest.mark.parametrize("block", [4, 12, 30, 300])
def test_the_same_chain_stands_at_common_times_of_any_grid(block: int) -> None:
    market, reference = (fees(each, sigma=0.4, bursts=50.0) for each in (block, 60))
    for _ in range(5):
        for _ in range(300 // block):
            market.advance(0.0, NO_USAGE, 1.0)
        for _ in range(5):
            reference.advance(0.0, NO_USAGE, 1.0)

        assert market.fee == reference.fee


def test_a_block_without_a_chain_block_lets_nobody_in_and_keeps_the_price() -> None:
    market = fees(block=4)
    market.advance(0.0, NO_USAGE, 9.0)

    assert len(market.prices) == 0
    assert market.price == 20.0


def test_what_the_venues_people_use_raises_the_base_fee_and_without_feedback_does_not() -> None:
    share = 0.2
    felt, alone, unheard = fees(), fees(), fees(feedback=0.0)
    for _ in range(60):
        felt.advance(0.0, used(share * 5 * 15e6), 1.0)
        unheard.advance(0.0, used(share * 5 * 15e6), 1.0)
        alone.advance(0.0, NO_USAGE, 1.0)

    assert felt.fee == pytest.approx(20 / (1 - share) ** 2, rel=1e-3)
    assert unheard.fee == alone.fee == 20.0


def test_a_bid_below_the_price_adds_nothing() -> None:
    high, low = fees(), fees()
    high.advance(0.0, used(15e6, bid=20.0), 1.0)
    low.advance(0.0, used(15e6, bid=19.9), 1.0)

    assert high.fee > low.fee == 20.0


def test_a_rush_of_the_venues_people_fills_the_blocks_and_others_pay_to_get_in() -> None:
    market = fees(block=12)

    assert market.advance(0.0, used(1.5 * 15e6), 1.0) == pytest.approx(20 / 0.5**2)


def test_a_seed_gives_one_path_and_another_seed_another() -> None:
    settings = BlockspaceSettings()
    one, again, other = (willingness(settings, 86_400, seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_bursts_come_at_their_rate_and_size_and_fade() -> None:
    settings = BlockspaceSettings.model_validate({"sigma": 0.0})
    days = 400
    path = willingness(settings, days * 86_400, seed=3)
    keep = 0.5 ** (12 / 1800)
    sizes = path[1:] - keep * path[:-1]
    sizes = sizes[sizes > 1e-9]

    assert len(sizes) == pytest.approx(4 * days, abs=5 * np.sqrt(4 * days))  # false alarm: 6e-7
    assert sizes.mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(len(sizes)))
