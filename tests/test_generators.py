"""Generators of prices: laws that no block length changes, and what each of them is for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from analysis.return_statistics import autocorrelation, correlation, kurtosis, log_returns, tail_dependence
from sim.configuration import ClockSettings
from sim.prices.garch import variances
from sim.prices.grid import cut
from sim.prices.paths import Paths, fundamental_paths
from sim.prices.regimes import long_run, regime_labels, transition_odds
from sim.prices.settings import PriceSettings
from sim.prices.shocks import mean_mixing, mixing
from sim.streams import stream

MARKETS = ("BTC", "ETH")
KINDS = ("regimes", "garch", "heston", "jumps")


def settings(kind: str, **changed: Any) -> Any:
    return TypeAdapter(PriceSettings).validate_python({"kind": kind, **changed})


def clock(days: float, block: str = "5m") -> ClockSettings:
    return ClockSettings.model_validate({"duration": f"{round(days * 24)}h", "block": block})


def drawn(kind: str, days: float, block: str = "5m", seed: int = 1, **changed: Any) -> Paths:
    return fundamental_paths(settings(kind, **changed), clock(days, block), MARKETS, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_paths_begin_at_the_start_and_depend_on_the_seed_alone(kind: str) -> None:
    first, again, other = drawn(kind, 2), drawn(kind, 2), drawn(kind, 2, seed=2)

    assert first.price.shape == (577, 2)
    np.testing.assert_array_equal(first.price[0], [42_000.0, 2_300.0])
    np.testing.assert_array_equal(first.price, again.price)
    assert (first.price[1:] != other.price[1:]).any()
    assert (first.price > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_a_block_does_not_change_the_law(kind: str) -> None:
    """Deviation of the log price after a day; standard error 6 %, false alarm below 1 in 1,000."""
    free = {"degrees": 8.0} if kind in ("regimes", "garch") else {}
    spread = [
        np.std([np.log(drawn(kind, 1, block, seed, **free).price[-1, 0] / 42_000) for seed in range(250)])
        for block in ("20m", "7200s")
    ]

    assert spread[0] / spread[1] == pytest.approx(1.0, abs=0.25)


def test_a_grid_is_cut_at_blocks_and_at_steps() -> None:
    grid = cut(ClockSettings.model_validate({"duration": "14m", "block": "7m"}), 300)

    assert grid.seconds.tolist() == [300, 120, 180, 240]
    assert grid.step.tolist() == [0, 1, 1, 2]
    assert grid.first.tolist() == [0, 1, 3]
    assert grid.ends.tolist() == [0, 2, 4]


def test_mixing_makes_student_shocks_of_variance_one() -> None:
    size = mixing(5.0, 400_000, stream(1, "test"))
    draws = size * stream(2, "test").standard_normal(400_000)
    reference = stream(3, "test").standard_t(5.0, 400_000) * np.sqrt(3 / 5)
    levels = [0.001, 0.05, 0.3, 0.9, 0.999]

    np.testing.assert_allclose(np.quantile(draws, levels), np.quantile(reference, levels), rtol=0.06)
    assert size.mean() == pytest.approx(mean_mixing(5.0), rel=0.005)
    assert (size**2).mean() == pytest.approx(1.0, rel=0.03)


def test_regimes_last_as_long_as_they_should_and_take_their_share_of_time() -> None:
    level = {"BTC": 0.5, "ETH": 0.5}
    chain = [
        {"name": name, "duration": f"{days}d", "volatility": level, "next": odds}
        for name, days, odds in (("a", 20, {}), ("b", 10, {"a": 3, "c": 1}), ("c", 5, {"b": 1}))
    ]
    chosen = settings("regimes", regimes=chain, step="1h", initial="b")
    labels = regime_labels(chosen, 24 * 365 * 200, 1)
    ends = np.flatnonzero(np.diff(labels) != 0)
    stays, of = np.diff(ends) / 24, labels[ends[1:]]
    odds = transition_odds(chosen)

    assert labels[0] == 1
    np.testing.assert_allclose(odds, [[0, 0.5, 0.5], [0.75, 0, 0.25], [0, 1, 0]])
    np.testing.assert_allclose([stays[of == i].mean() for i in range(3)], [20, 10, 5], rtol=0.1)
    shares = long_run(odds, np.array([20.0, 10.0, 5.0]))
    np.testing.assert_allclose(np.bincount(labels) / len(labels), shares, atol=0.03)


def test_each_regime_has_its_volatility_and_correlation() -> None:
    regimes = [
        {"name": "calm", "duration": "20d", "volatility": {"BTC": 0.3, "ETH": 0.4}, "correlation": 0.2},
        {"name": "wild", "duration": "20d", "volatility": {"BTC": 1.2, "ETH": 2.0}, "correlation": 0.9},
    ]
    found = drawn("regimes", 400, "1h", regimes=regimes, activity=[], degrees=50.0)
    assert found.regime is not None
    returns, inside = log_returns(found.price), found.regime[1:]

    for label, regime in enumerate(regimes):
        part = returns[inside == label] * np.sqrt(365 * 24)
        np.testing.assert_allclose(part.std(axis=0), list(regime["volatility"].values()), rtol=0.08)
        assert correlation(part[:, 0], part[:, 1]) == pytest.approx(regime["correlation"], abs=0.05)


def test_activity_makes_volatility_cluster_and_without_it_nothing_does() -> None:
    one = [{"duration": "30d", "volatility": {"BTC": 0.6, "ETH": 0.8}}]
    active = log_returns(drawn("regimes", 200, regimes=one).price[:, 0])
    steady = log_returns(drawn("regimes", 200, regimes=one, activity=[]).price[:, 0])

    assert autocorrelation(np.abs(active), [12])[0] > 0.08
    assert abs(autocorrelation(np.abs(steady), [12])[0]) < 0.02


def test_common_shocks_make_tails_depend_and_skew_makes_crashes_common() -> None:
    one = [{"duration": "30d", "volatility": {"BTC": 0.6, "ETH": 0.8}, "correlation": 0.5}]
    quiet = {"regimes": one, "activity": []}
    normal, heavy, tilted = (
        log_returns(drawn("regimes", 300, **quiet, **more).price)
        for more in ({"degrees": 500.0}, {"degrees": 2.5}, {"degrees": 2.5, "skew": -1.0})
    )

    assert tail_dependence(*heavy.T) > tail_dependence(*normal.T) + 0.05
    assert tail_dependence(*tilted.T) > tail_dependence(*heavy.T) + 0.05


def test_a_reversal_makes_neighbouring_returns_oppose_and_leaves_long_ones_smaller() -> None:
    one = [{"duration": "30d", "volatility": {"BTC": 0.6, "ETH": 0.8}}]
    share = {"reversal": {"share": 0.3, "half_life": "10m"}}
    plain, back = (
        drawn("regimes", 300, regimes=one, activity=[], degrees=100.0, **more).price[:, 0]
        for more in ({}, share)
    )

    assert autocorrelation(log_returns(back), [1])[0] < -0.05
    assert abs(autocorrelation(log_returns(plain), [1])[0]) < 0.02
    daily = log_returns(back, 288).std() / log_returns(plain, 288).std()
    assert daily == pytest.approx(0.7, abs=0.03)


def test_variances_follow_the_recursion_worked_by_hand() -> None:
    found = variances(np.array([2.0, 0.0, 1.0]), 0.1, 0.8)

    np.testing.assert_allclose(found, [1.0, 0.1 + 0.4 + 0.8, 0.1 + 0.8 * 1.3])


def test_hourly_returns_follow_garch_in_blocks_of_five_minutes() -> None:
    """Returns over the deviation that the recursion gives them are normal and without memory."""
    chosen = settings("garch", degrees=1000.0, alpha={"BTC": 0.1}, beta={"BTC": 0.85})
    within = log_returns(fundamental_paths(chosen, clock(1000), ["BTC"], 1).price[:, 0]).reshape(-1, 12)
    returns = within.sum(axis=1) / (0.87 / np.sqrt(365 * 24))
    variance = np.empty(len(returns))
    variance[0] = 1.0
    for hour in range(1, len(returns)):
        variance[hour] = 0.05 + 0.1 * returns[hour - 1] ** 2 + 0.85 * variance[hour - 1]
    shocks = returns / np.sqrt(variance)

    assert kurtosis(returns) > 3.3
    assert kurtosis(shocks) == pytest.approx(3.0, abs=0.15)
    assert abs(autocorrelation(shocks**2, [1])[0]) < 0.025
    np.testing.assert_allclose(within.std(axis=0) / within.std(), 1.0, atol=0.03)


def test_heston_has_its_volatility_and_variation() -> None:
    price = drawn("heston", 2000, "1h", half_life="2d", variation=0.8, step="1h").price[:, 0]
    returns = log_returns(price)

    assert returns.std() * np.sqrt(365 * 24) == pytest.approx(0.87, rel=0.05)
    assert kurtosis(returns) == pytest.approx(3 * (1 + 0.8**2), rel=0.12)


def test_jumps_strike_as_often_and_as_hard_as_they_should() -> None:
    calm = {"BTC": 0.0, "ETH": 0.0}
    common, none = {"rate": 2.0, "mean": -0.01, "sigma": 0.02}, {"rate": 0.0, "sigma": 0.0}
    returns = log_returns(drawn("jumps", 1000, volatility=calm, common=common, own=none).price)
    jumped = np.abs(returns) > 1e-12

    np.testing.assert_array_equal(jumped[:, 0], jumped[:, 1])
    assert jumped[:, 0].sum() / 1000 == pytest.approx(2.0, abs=0.15)
    assert returns[jumped].mean() == pytest.approx(-0.01, abs=0.0015)


def candle_files(folder: Any, rows: int = 60, gap: int = 0) -> str:
    """Two markets of hourly bars whose close rises by 1 % and 2 % in odd bars and falls back in even ones."""
    date = pd.date_range("2024-01-01", periods=rows, freq="1h", tz="UTC").delete(range(30, 30 + gap))
    for name, size in (("btc", 0.01), ("eth", 0.02)):
        close = 100 * (1 + size * (np.arange(len(date)) % 2))
        opening = np.concatenate([[100.0], close[:-1]])
        frame = pd.DataFrame({"date": date, "open": opening, "close": close, "volume": 1.0})
        frame["high"] = frame[["open", "close"]].max(axis=1)
        frame["low"] = frame[["open", "close"]].min(axis=1)
        frame.to_csv(folder / f"{name}.csv", index=False)
    return str(folder / "btc.csv")


@pytest.mark.parametrize("gap", [0, 5])
def test_a_bootstrap_takes_the_same_past_bars_for_all_markets(tmp_path: Any, gap: int) -> None:
    path = candle_files(tmp_path, gap=gap)
    price = drawn("bootstrap", 20, "1h", path=path, mean_length="6h").price
    moves = np.round(log_returns(price), 9)
    past = {
        (round(np.log(1.01), 9), round(np.log(1.02), 9)),
        (-round(np.log(1.01), 9), -round(np.log(1.02), 9)),
    }

    assert {tuple(row) for row in moves.tolist()} == past
    assert (moves[1:, 0] == moves[:-1, 0]).any()
    np.testing.assert_allclose(price[0], [42_000, 2_300])


def test_a_bootstrap_walks_long_bars_over_shorter_blocks(tmp_path: Any) -> None:
    path = candle_files(tmp_path)
    coarse, fine = (drawn("bootstrap", 3, block, path=path).price for block in ("1h", "15m"))

    np.testing.assert_allclose(fine[::4], coarse)
