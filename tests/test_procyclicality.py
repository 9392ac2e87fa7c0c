"""Procyclicality: counts by hand, an exponential average decays as it must, a constant margin stays."""

import numpy as np
import pandas as pd
import pytest
from run_folder import write_run_folder

from analysis.procyclicality import (
    Projection,
    impulse_response,
    liquidity_demand,
    peak_to_trough,
    procyclicality,
    procyclicality_table,
    rises_of,
)
from analysis.tables import load_run
from sim.streams import stream

MARGIN = np.array([0.05, 0.06, 0.04, 0.04, 0.08, 0.06])


def returns(number: int, seed: int = 1) -> np.ndarray:
    return np.abs(stream(seed, "returns").standard_normal(number)) * 0.01


def average(absolute: np.ndarray, memory: float, multiple: float = 3.0) -> np.ndarray:
    """A margin that is a multiple of the exponential average of absolute returns."""
    margin = np.empty(len(absolute))
    level = absolute.mean()
    for index, each in enumerate(absolute):
        level = memory * level + (1 - memory) * each
        margin[index] = multiple * level
    return margin


def test_peak_to_trough_and_rises_agree_with_the_count_by_hand() -> None:
    rises = rises_of(MARGIN, block_seconds=1800)
    daily = rises_of(np.array([0.05, 0.06, 0.09]), block_seconds=43_200)

    assert peak_to_trough(MARGIN) == 2
    assert rises[3600] == pytest.approx(0.08 / 0.04 - 1)
    assert np.isnan(rises[86_400])
    assert daily[86_400] == pytest.approx(0.09 / 0.05 - 1)
    assert np.isnan(daily[3600])
    assert rises_of(-np.sort(-MARGIN), 1800)[3600] == 0


def test_demand_is_both_sides_of_the_open_interest_times_the_change_of_margin() -> None:
    interest = np.array([100.0, 200.0, 100.0, 100.0, 50.0, 50.0])
    demand = liquidity_demand(MARGIN, interest, np.full(6, 10.0), day=2)

    assert demand.total_usd == pytest.approx(2 * 100 * 0.01 + 2 * 100 * 0.04)
    assert demand.day_usd == pytest.approx(8.0)
    assert demand.day_share == pytest.approx(0.8)


def test_rises_within_a_day_add_up_and_falls_give_back() -> None:
    up_down_up = np.array([0.05, 0.06, 0.05, 0.07])
    demand = liquidity_demand(up_down_up, np.full(4, 100.0), np.full(4, 50.0), day=10)
    short = liquidity_demand(np.array([0.05, 0.06, 0.07]), np.full(3, 100.0), np.full(3, 50.0), day=1)

    assert demand.total_usd == pytest.approx(6)
    assert demand.day_usd == pytest.approx(4)
    assert short.total_usd == pytest.approx(4)
    assert short.day_usd == pytest.approx(2)


def test_a_constant_margin_calls_for_nothing() -> None:
    demand = liquidity_demand(np.full(9, 0.05), np.full(9, 100.0), np.zeros(9), day=3)

    assert (demand.total_usd, demand.day_usd) == (0, 0)
    assert np.isnan(demand.day_share)


@pytest.mark.parametrize("memory", [0.8, 0.95])
def test_an_exponential_average_answers_a_shock_at_once_and_forgets_it_at_its_own_rate(memory: float) -> None:
    absolute = returns(3000)
    found = impulse_response(average(absolute, memory), absolute, Projection(horizons=12))

    known = 3 * (1 - memory) * absolute.std() * memory ** found["horizon"]
    assert found["response"][0] == pytest.approx(known[0], rel=1e-6)
    assert ((found["low"] <= known + 1e-9) & (known - 1e-9 <= found["high"])).mean() >= 0.9
    assert found["response"].iloc[1:4].mean() == pytest.approx(known[1:4].mean(), rel=0.2)


def test_intervals_hold_the_known_response_about_as_often_as_they_say() -> None:
    held, horizon, memory = [], 6, 0.9
    for seed in range(60):
        absolute = returns(400, seed)
        noisy = average(absolute, memory) + 1e-4 * stream(seed, "noise").standard_normal(400)
        row = impulse_response(noisy, absolute, Projection(horizons=horizon)).iloc[-1]
        held.append(row["low"] <= 3 * (1 - memory) * absolute.std() * memory**horizon <= row["high"])

    assert np.mean(held) >= 0.83


def test_a_margin_that_looks_elsewhere_does_not_answer() -> None:
    absolute = returns(2000)
    found = impulse_response(average(returns(2000, seed=2), 0.9), absolute, Projection(horizons=8))

    assert (found["low"] <= 0).all()
    assert (found["high"] >= 0).all()


def test_a_constant_margin_answers_with_zero_exactly() -> None:
    found = impulse_response(np.full(200, 0.05), returns(200))

    assert (found[["response", "low", "high"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("margin", "absolute", "rule"),
    [
        (np.ones(100), np.ones(100), "absolute_return must vary, got 1"),
        (np.ones(20), np.arange(20.0), "at least 58, got 20 and 20"),
        (np.ones(100), np.arange(99.0), "same length, at least 58, got 100 and 99"),
    ],
)
def test_series_that_tell_nothing_are_refused(margin, absolute, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        impulse_response(margin, absolute)


def test_a_run_has_a_row_for_each_market(tmp_path) -> None:
    run = load_run(write_run_folder(tmp_path / "run"))
    projection = Projection(step=run.block_seconds, horizons=3)
    run.markets["initial_margin"] = 0.05
    run.markets.loc[run.markets.index[-2:], "initial_margin"] = 0.1
    table = procyclicality_table(procyclicality(run, projection=projection)).set_index("market")

    assert list(table.index) == run.names
    assert table["peak_to_trough"].tolist() == [2, 2]
    before = run.market(run.names[0])["open_interest_usd"].iloc[-2]
    assert table["demand_usd"].iloc[0] == pytest.approx(2 * 0.05 * before)
    assert isinstance(table, pd.DataFrame)
