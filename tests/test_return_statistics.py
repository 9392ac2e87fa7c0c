"""Statistics of returns: cases worked by hand, laws with known values, and returns without structure."""

import numpy as np
import pytest

from analysis.return_statistics import (
    autocorrelation,
    correlation,
    decay_exponent,
    hill_index,
    kurtosis,
    leverage_effect,
    log_returns,
    return_statistics,
    skewness,
    tail_dependence,
    volatility,
)
from sim.streams import stream


def test_log_returns_do_not_overlap_and_begin_with_the_first_price() -> None:
    found = log_returns(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), 2)

    np.testing.assert_allclose(found, np.log([4.0, 4.0]))


def test_moments_of_a_coin_and_of_a_rare_fall_are_those_worked_by_hand() -> None:
    coin, fall = np.array([1.0, -1.0] * 8), np.array([-3.0, 1.0, 1.0, 1.0])

    assert kurtosis(coin) == pytest.approx(1.0)
    assert skewness(coin) == pytest.approx(0.0)
    assert skewness(fall) == pytest.approx(-24 / 4 / 3**1.5)
    assert volatility(coin, 3600) == pytest.approx(np.sqrt(365 * 24))


def test_autocorrelation_equals_the_sum_over_pairs_even_with_gaps() -> None:
    values = stream(1, "test").standard_normal(200)
    values[[3, 50, 51, 199]] = np.nan
    centred = values - np.nanmean(values)
    expected = [np.nanmean(centred[lag:] * centred[:-lag]) / np.nanvar(values) for lag in (1, 7, 40)]

    np.testing.assert_allclose(autocorrelation(values, [1, 7, 40]), expected)


def test_the_hill_index_of_a_pareto_law_is_its_exponent() -> None:
    draws = stream(2, "test").pareto(3.0, 400_000) + 1

    assert hill_index(draws) == pytest.approx(3.0, abs=0.12)
    assert np.isnan(hill_index(-draws))


def test_returns_without_structure_show_none() -> None:
    draws = stream(3, "test").standard_normal((50_000, 2))
    found = return_statistics({"1h": draws}, ["BTC", "ETH"])
    memory = [abs(value) for name, value in found.items() if "acf" in name or "leverage" in name]

    assert max(memory) < 0.02
    assert found["btc_kurtosis_1h"] == pytest.approx(3.0, abs=0.1)
    assert found["btc_eth_tail_dependence_1h"] == pytest.approx(0.05, abs=0.015)


def test_clustered_returns_have_memory_and_the_exponent_of_a_power_law_is_found() -> None:
    lags = np.arange(1, 2001)
    noise = stream(4, "test").standard_normal(60_000)
    level = np.convolve(noise, lags**-0.65, "valid")
    returns = np.exp(0.25 * level) * stream(5, "test").standard_normal(len(level))

    assert autocorrelation(np.abs(returns), [24])[0] > 0.1
    assert 0.1 < decay_exponent(returns) < 0.6


def test_falls_that_excite_give_a_negative_leverage_effect() -> None:
    shocks = stream(6, "test").standard_normal(20_000)
    returns = shocks * np.exp(-0.3 * np.concatenate([[0.0], shocks[:-1]]))

    assert leverage_effect(returns) < -0.1
    assert leverage_effect(shocks) == pytest.approx(0.0, abs=0.025)


def test_pairs_that_move_as_one_depend_fully_and_gaps_are_left_out() -> None:
    draws = stream(7, "test").standard_normal(1_000)
    other = 2 * draws
    other[:10] = np.nan

    assert correlation(draws, other) == pytest.approx(1.0)
    assert tail_dependence(draws, other) == pytest.approx(1.0)


def test_an_unknown_horizon_is_named() -> None:
    with pytest.raises(ValueError, match="a horizon must be one of 5m, 1h, 4h, 1d, 1w, got '2h'"):
        return_statistics({"2h": np.zeros((10, 1))}, ["BTC"])
