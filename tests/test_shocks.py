"""Shocks on the grid: when each begins and ends, how those of a kind overlap, and that no grid matters."""

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from sim.configuration import ClockSettings
from sim.shocks import Shocks
from sim.world_settings import Shocks as ShockList

MARKETS = ["BTC", "ETH"]


def laid(*entries: dict[str, Any], block: int = 60) -> Shocks:
    found = TypeAdapter(ShockList).validate_python(list(entries))
    return Shocks(found, ClockSettings(duration="2h", block=f"{block}s"), MARKETS)


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


def test_a_flow_enters_at_once_or_evenly_over_its_duration() -> None:
    at_once = laid({"kind": "outside_flow", "at": "10m", "usd": 6e6, "markets": ["ETH"]}).flow
    spread = laid({"kind": "outside_flow", "at": "10m", "usd": -6e6, "duration": "3m"}).flow

    assert np.flatnonzero(at_once[:, 1]).tolist() == [10]
    assert at_once[10].tolist() == [0, 6e6]
    assert np.flatnonzero(spread[:, 0]).tolist() == [11, 12, 13]
    np.testing.assert_allclose(spread[11:14], -2e6)


def test_what_strikes_at_the_start_enters_in_the_first_block() -> None:
    found = laid(
        {"kind": "outside_flow", "at": "0s", "usd": 6e6},
        {"kind": "sentiment_jump", "at": "0s", "size": -0.5},
    )

    assert np.flatnonzero(found.flow[:, 0]).tolist() == [1]
    assert np.flatnonzero(found.mood).tolist() == [1]


def test_jumps_of_sentiment_add_up() -> None:
    jump = {"kind": "sentiment_jump", "at": "10m", "size": -0.5}
    mood = laid(jump, jump, {"kind": "sentiment_jump", "at": "20m", "size": 2.0}).mood

    assert mood[[9, 10, 11, 20]].tolist() == [0, -1, 0, 2]


@pytest.mark.parametrize("duration", ["0s", "90s", "10m"])
def test_the_same_flow_enters_between_common_times_of_two_grids(duration: str) -> None:
    entry = {"kind": "outside_flow", "at": "10m", "usd": 6e6, "duration": duration}
    coarse, fine = laid(entry), laid(entry, block=30)

    np.testing.assert_allclose(fine.flow[1:].reshape(-1, 2, 2).sum(axis=1), coarse.flow[1:])
    assert coarse.flow[:, 0].sum() == pytest.approx(6e6)
