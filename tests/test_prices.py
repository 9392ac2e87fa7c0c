"""Fundamental prices: candles visited node by node, waypoints hit exactly, bridges right in law."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.configuration import ClockSettings
from sim.prices.paths import coarse_candles, fundamental_paths, price_problems
from sim.prices.settings import Replay, Waypoints
from sim.problems import ScenarioError

START = datetime(2021, 5, 19, tzinfo=UTC)
BARS = [(100.0, 110.0, 90.0, 105.0), (106.0, 108.0, 99.0, 100.0), (100.0, 101.0, 80.0, 85.0)]


def clock(minutes: float, block: int = 60, start: datetime = START) -> ClockSettings:
    return ClockSettings(start=start, duration=f"{int(minutes * 60)}s", block=f"{block}s")


def candles(folder: Path, step: str, name: str = "btc.csv", scale: float = 1.0) -> Path:
    frame = pd.DataFrame(BARS, columns=["open", "high", "low", "close"]) * scale
    frame.insert(0, "date", pd.date_range(START, periods=len(BARS), freq=step))
    frame["volume"] = 1.0
    frame.to_csv(folder / name, index=False)
    return folder / name


def replayed(path: Path, span: ClockSettings) -> np.ndarray:
    return fundamental_paths(Replay(kind="replay", path=str(path)), span, ["BTC"], 1).price[:, 0]


def waypoints(points: list[dict[str, object]], volatility: float = 0.0, **more: object) -> Waypoints:
    return Waypoints.model_validate(
        {"kind": "waypoints", "points": points, "volatility": dict.fromkeys("AB", volatility), **more}
    )


def test_a_bar_of_three_blocks_visits_open_extremes_and_close(tmp_path: Path) -> None:
    path = replayed(candles(tmp_path, "3min"), clock(9))

    np.testing.assert_array_equal(path, [100, 90, 110, 105, 108, 99, 100, 101, 80, 85])


def test_between_nodes_the_path_is_log_linear_at_a_steady_pace(tmp_path: Path) -> None:
    path = replayed(candles(tmp_path, "6min"), clock(6))

    rise = (110 / 90) ** (1 / 3)
    expected = [100, np.sqrt(100 * 90), 90, 90 * rise, 90 * rise**2, 110, 105]
    np.testing.assert_allclose(path, expected)


def test_a_first_bar_that_opens_at_its_low_has_a_price_at_once(tmp_path: Path) -> None:
    bars = pd.DataFrame({"open": [7.0, 8.0], "high": [8.0, 9.0], "low": [7.0, 8.0], "close": [8.0, 9.0]})
    bars = bars.assign(date=pd.date_range(START, periods=2, freq="1min"), volume=1.0)
    bars.to_csv(tmp_path / "btc.csv", index=False)

    np.testing.assert_array_equal(replayed(tmp_path / "btc.csv", clock(2)), [7.0, 8.0, 9.0])


def test_a_bar_that_never_moves_keeps_its_price(tmp_path: Path) -> None:
    flat = pd.DataFrame({"date": [START], "open": 7.0, "high": 7.0, "low": 7.0, "close": 7.0, "volume": 0.0})
    flat = pd.concat([flat, flat.assign(date=START + pd.Timedelta("5min"))])
    flat.to_csv(tmp_path / "btc.csv", index=False)

    path = replayed(tmp_path / "btc.csv", clock(10))

    np.testing.assert_array_equal(path, np.full(11, 7.0))


@pytest.mark.parametrize(
    ("step", "block"), [("5min", 60), ("4min", 60), ("7min", 60), ("1h", 420), ("1h", 60)]
)
def test_a_bar_of_three_or_more_blocks_reaches_its_low_and_high(
    tmp_path: Path, step: str, block: int
) -> None:
    bar = pd.Timedelta(step).total_seconds()
    blocks = int(3 * bar // block)
    path = replayed(candles(tmp_path, step), clock(blocks * block / 60, block))

    assert {90.0, 110.0, 108.0, 99.0, 101.0, 80.0} <= set(path)
    assert path.min() == 80
    assert path.max() == 110


def test_nodes_are_reached_from_a_start_inside_a_bar(tmp_path: Path) -> None:
    start = datetime(2021, 5, 19, 0, 0, 30, tzinfo=UTC)
    path = replayed(candles(tmp_path, "3min"), clock(8, start=start))

    assert {110.0, 108.0, 99.0, 80.0} <= set(path)


def test_bars_shorter_than_a_block_leave_the_close_of_the_last(tmp_path: Path) -> None:
    path = replayed(candles(tmp_path, "20s"), clock(1))

    np.testing.assert_array_equal(path, [100, 85])


def test_a_bar_of_one_block_leaves_its_close(tmp_path: Path) -> None:
    path = replayed(candles(tmp_path, "1min"), clock(3))

    np.testing.assert_array_equal(path, [100, 105, 100, 85])


def test_short_bars_are_warned_of(tmp_path: Path) -> None:
    settings = Replay(kind="replay", path=str(candles(tmp_path, "1min")))

    assert "a bar of 60 s has fewer than 3 blocks of 60 s" in coarse_candles(settings, clock(3), ["BTC"])[0]
    assert coarse_candles(settings, clock(3, block=20), ["BTC"]) == []


@pytest.mark.parametrize("template", ["btc_5m.csv", "{market}_5m.csv", "mapping"])
def test_each_market_finds_its_file(tmp_path: Path, template: str) -> None:
    candles(tmp_path, "5min", "btc_5m.csv")
    candles(tmp_path, "5min", "eth_5m.csv", scale=0.1)
    path: object = str(tmp_path / template)
    if template == "mapping":
        path = {"ETH": str(tmp_path / "eth_5m.csv"), "BTC": str(tmp_path / "btc_5m.csv")}
    settings = Replay.model_validate({"kind": "replay", "path": path})

    paths = fundamental_paths(settings, clock(15), ["BTC", "ETH"], 1).price

    np.testing.assert_allclose(paths[:, 1], 0.1 * paths[:, 0])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("prices.csv", "the file's name must hold {market} or one of BTC, ETH, got 'prices.csv'"),
        ("btc_eth.csv", "the file's name must hold {market} or one of BTC, ETH, got 'btc_eth.csv'"),
        ({"BTC": "btc.csv"}, "a path is needed for ETH"),
        ("{market}.csv", "no such candle file"),
    ],
)
def test_a_path_that_does_not_lead_to_every_market_is_a_problem(path: object, message: str) -> None:
    settings = Replay.model_validate({"kind": "replay", "path": path})

    problems = price_problems(settings, clock(15), ["BTC", "ETH"])

    assert message in "\n".join(map(str, problems))


def test_problems_of_all_candle_files_come_at_once(tmp_path: Path) -> None:
    settings = Replay(kind="replay", path=str(candles(tmp_path, "5min")))

    problems = price_problems(settings, clock(20), ["BTC", "ETH"])

    assert [problem.place.rpartition("/")[2] for problem in problems] == ["btc.csv", "eth.csv"]
    assert "candles must cover 2021-05-19T00:00:00Z to 2021-05-19T00:20:00Z" in str(problems[0])


def test_waypoints_without_volatility_are_joined_log_linearly() -> None:
    settings = waypoints([{"at": "0s", "A": 100.0}, {"at": "4m", "A": 25.0}, {"at": "6m", "A": 100.0}])

    path = fundamental_paths(settings, clock(6), ["A"], 1).price

    np.testing.assert_allclose(path[:, 0], 100 / 2.0 ** np.array([0, 0.5, 1, 1.5, 2, 1, 0]))


def test_levels_are_hit_exactly_in_every_market() -> None:
    points = [{"at": f"{hour}h", "A": 100.0 + hour, "B": 7.0 * (hour + 1)} for hour in range(5)]
    settings = waypoints(points, volatility=2.0)

    paths = fundamental_paths(settings, clock(240), ["A", "B"], 3).price

    np.testing.assert_array_equal(paths[::60, 0], [100, 101, 102, 103, 104])
    np.testing.assert_array_equal(paths[::60, 1], [7, 14, 21, 28, 35])


def test_the_order_of_markets_only_orders_columns_without_noise() -> None:
    settings = waypoints([{"at": "0s", "A": 1.0, "B": 2.0}, {"at": "1h", "A": 3.0, "B": 4.0}])

    forward = fundamental_paths(settings, clock(60), ["A", "B"], 1).price
    backward = fundamental_paths(settings, clock(60), ["B", "A"], 1).price

    np.testing.assert_array_equal(forward, backward[:, ::-1])


def test_a_seed_fixes_the_path() -> None:
    settings = waypoints([{"at": "0s", "A": 1.0}, {"at": "1h", "A": 1.0}], volatility=1.0)
    first, again, other = (fundamental_paths(settings, clock(60), ["A"], seed).price for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first[1:-1] != other[1:-1]).all()


@pytest.mark.parametrize("block", [60, 1800])
def test_the_bridge_has_its_variance_and_correlation_at_any_block_length(block: int) -> None:
    """Middle of a bridge of 2 h: variance sigma^2 t (T - t) / T; 4000 draws, false alarm below 1e-4."""
    ends = [{"at": "0s", "A": 1.0, "B": 1.0}, {"at": "2h", "A": 1.0, "B": 1.0}]
    settings = waypoints(ends, volatility=1.0, correlation=0.5)
    middle = 3600 // block
    draws = np.array(
        [
            fundamental_paths(settings, clock(120, block), ["A", "B"], seed).price[middle]
            for seed in range(4000)
        ]
    )
    logs = np.log(draws)
    expected = 3600 * 3600 / 7200 / (365 * 86_400)

    assert np.var(logs[:, 0]) / expected == pytest.approx(1, abs=0.1)
    assert np.corrcoef(logs.T)[0, 1] == pytest.approx(0.5, abs=0.06)
    assert abs(logs.mean()) < 4 * np.sqrt(expected / 4000)


def test_after_the_last_level_the_price_wanders_freely() -> None:
    """Variance grows with the square root of time; 2000 draws, false alarm below 1e-4."""
    settings = waypoints([{"at": "0s", "A": 1.0}], volatility=1.0)
    span = clock(120, 3600)
    logs = np.log([fundamental_paths(settings, span, ["A"], seed).price[1:, 0] for seed in range(2000)])
    year = 365 * 86_400

    np.testing.assert_allclose(logs.var(axis=0), [3600 / year, 7200 / year], rtol=0.14)


def test_a_run_that_starts_between_levels_takes_up_the_bridge() -> None:
    settings = Waypoints(kind="waypoints", event="may_2021", volatility={"BTC": 1.0})
    span = clock(600, start=datetime(2021, 5, 19, 6, tzinfo=UTC))

    path = fundamental_paths(settings, span, ["BTC"], 1).price[:, 0]

    assert path[0] == pytest.approx(40_500, rel=0.03)
    assert path[4 * 60] == 40_320
    assert path[-1] == pytest.approx(39_000, rel=0.04)
    assert path[60 * 7 + 10] == 30_000


def test_waypoints_off_the_grid_shape_the_path_around_them() -> None:
    settings = waypoints([{"at": "0s", "A": 1.0}, {"at": "90s", "A": 8.0}, {"at": "3m", "A": 8.0}])

    path = fundamental_paths(settings, clock(3), ["A"], 1).price[:, 0]

    np.testing.assert_allclose(path, [1, 4, 8, 8])


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "market A needs at least one level"),
        ([{"at": "1m", "A": 1.0}], "levels of A must begin by the start of 2021-05-19T00:00:00Z"),
        ([{"at": "0s", "A": 1.0}, {"at": "0s", "A": 2.0}], "times of the levels of A must rise"),
        ([{"at": "2m", "A": 1.0}, {"at": "1m", "A": 2.0}], "times of the levels of A must rise"),
        ([{"at": "0s", "B": 1.0}], "market A needs at least one level"),
    ],
)
def test_levels_that_make_no_path_are_refused(points: list[dict[str, object]], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        fundamental_paths(waypoints(points), clock(3), ["A"], 1)


def test_an_event_must_cover_the_run() -> None:
    settings = Waypoints(kind="waypoints", event="may_2021", volatility={"BTC": 1.0})

    problems = price_problems(settings, clock(25 * 60), ["BTC"])

    assert "levels of BTC must cover 2021-05-19T00:00:00Z to 2021-05-20T01:00:00Z, got" in str(problems[0])


def test_black_thursday_goes_on_for_a_week_that_begins_with_the_same_two_days() -> None:
    start = datetime(2020, 3, 12, tzinfo=UTC)
    settings = Waypoints(
        kind="waypoints", event="black_thursday_2020", volatility={"BTC": 1.2, "ETH": 1.4}, correlation=0.9
    )
    days, week = (
        fundamental_paths(settings, clock(1440 * days, start=start), ["BTC", "ETH"], 7).price
        for days in (2, 7)
    )

    np.testing.assert_array_equal(week[: len(days)], days)
    assert week[-1].tolist() == [5390, 118]


def test_five_minute_candles_of_a_crash_keep_their_extremes(market_data: Path) -> None:
    path = market_data / "btc_usdt_spot_5m_binance_2020-12_2021-07.parquet"
    settings = Replay(kind="replay", path=str(path))

    paths = fundamental_paths(settings, clock(24 * 60), ["BTC", "ETH"], 1).price

    assert paths.shape == (1441, 2)
    assert paths[:, 0].min() == 30_000
    assert paths[:, 1].min() == 1_888
