"""Validation: statistics of a run by hand, scores of planted replicas, and a small one from end to end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small import CRASH, crashed
from typer.testing import CliRunner

import seawall
from analysis.return_statistics import log_returns, return_statistics
from analysis.validation.market_statistics import market_statistics
from analysis.validation.page import verdict, write_validation
from analysis.validation.replicas import path_statistics
from analysis.validation.score import scores
from analysis.validation.targets import Target, fitting, targets
from analysis.validation.validation import Validation
from sim.scenario import load_scenario
from sim.streams import stream
from sim.sweeps.cluster import ClusterError

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
HOURLY = "{}_usdt_spot_1h_binance_2017-08_2022-09.parquet"
MINUTES = "{}_usdt_spot_5m_binance_2020-12_2021-07.parquet"


def course(**columns: object) -> dict[str, pd.DataFrame]:
    """Tables of a run of three days with one market, 5 minutes a block."""
    count = 3 * 288
    times = pd.date_range("2024-01-01 00:05", periods=count, freq="5min", tz="UTC")
    frame = pd.DataFrame(
        {
            "time": times,
            "market": "BTC",
            "outside": 100.0,
            "mark": 100.0,
            "bid": 99.0,
            "ask": 101.0,
            "open_interest": 10.0,
            "open_interest_usd": 1_000.0,
            "volume_usd": 5.0,
            "long_liquidated_usd": 0.0,
            "short_liquidated_usd": 0.0,
            "funding_rate": 1e-4,
        }
    ).assign(**columns)
    sizes = pd.DataFrame({"market": "BTC", "filled": [1] * 100, "notional_usd": np.arange(1.0, 101.0)})
    return {"markets": frame, "liquidations": sizes}


def test_activity_and_liquidations_are_over_open_interest_by_the_day() -> None:
    found = market_statistics(course(long_liquidated_usd=0.3, short_liquidated_usd=0.1))

    assert found["btc_volume_over_oi"] == pytest.approx(288 * 5 / 1000)
    assert found["btc_oi_change_sd"] == 0.0
    assert found["btc_liquidated_longs"] == pytest.approx(0.75)
    assert found["btc_liquidated_median"] == pytest.approx(0.4 * 288 / 1000)


def test_basis_and_funding_are_in_basis_points() -> None:
    found = market_statistics(course(bid=100.0, ask=100.2, funding_rate=-2e-4))

    assert found["btc_basis_mean"] == pytest.approx(10.0)
    assert found["btc_funding_mean"] == pytest.approx(-2.0)
    assert found["btc_funding_below_zero"] == 1.0
    assert np.isnan(found["btc_basis_acf_1h"])


def test_an_empty_side_leaves_the_mark() -> None:
    assert market_statistics(course(bid=0.0, mark=100.1))["btc_basis_mean"] == pytest.approx(10.0)


def test_sizes_are_over_their_median() -> None:
    found = market_statistics(course())

    assert found["btc_size_mean"] == pytest.approx(1.0)
    assert found["btc_size_p95"] == pytest.approx(95.05 / 50.5)


def test_a_run_has_every_statistic_of_the_markets_that_is_asked_for() -> None:
    found = market_statistics(crashed().tables)

    assert {target.name for target in targets() if target.family == "markets"} <= set(found)
    assert found["btc_liquidated_longs"] > 0.5


def planted(shift: float, count: int = 200) -> pd.DataFrame:
    """Scores of a hundred real numbers, drawn as the replicas are, then moved by `shift`."""
    rng = stream(1, "test", "scores")
    names = [f"btc_{number}" for number in range(100)]
    replicas = pd.DataFrame(rng.standard_t(3, (count, 100)), columns=names)
    real = rng.standard_t(3, 100) + shift
    return scores(replicas, [Target(n, x, "returns", "", 0) for n, x in zip(names, real, strict=True)])


def test_what_is_drawn_as_the_replicas_are_lies_inside_as_often_as_it_says() -> None:
    assert planted(0.0)["inside"].mean() == pytest.approx(0.95, abs=0.06)  # nearly three standard errors
    assert planted(0.0)["rank"].mean() == pytest.approx(0.5, abs=0.09)


def test_what_is_drawn_otherwise_lies_outside() -> None:
    assert planted(8.0)["inside"].mean() < 0.15
    assert planted(8.0)["rank"].mean() > 0.95


def test_a_statistic_that_few_replicas_have_is_not_inside() -> None:
    replicas = pd.DataFrame({"btc_x": [1.0] * 30 + [np.nan] * 31})
    found = scores(replicas, [Target("btc_x", 1.0, "markets", "", 0), Target("btc_y", 1.0, "markets", "", 0)])

    assert found["inside"].tolist() == [False, False]
    assert found["median"].isna().all()
    assert found["replicas"].tolist() == [30, 0]


def test_the_figure_and_the_tables_are_written(tmp_path: Path) -> None:
    replicas = pd.DataFrame({"seed": range(40), "error": "", "btc_x": np.linspace(0, 1, 40)})
    wanted = [Target("btc_x", 0.5, "returns", "here", 0), Target("btc_y", 2.0, "markets", "there", 0)]
    validation = Validation(scores(replicas, wanted), replicas)
    write_validation(validation, tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {
        "scores.csv",
        "replicas.parquet",
        "ranks.svg",
        "ranks.png",
    }
    assert verdict(validation).startswith("1 of 2 statistics (50 %)")
    assert pd.read_csv(tmp_path / "scores.csv")["source"].tolist() == ["here", "there"]


def closes(template: str, step: str) -> np.ndarray:
    """Closes of bitcoin and ether on a grid of time, NaN where there is none."""
    frames = []
    for market in ("btc", "eth"):
        path = DATA / template.format(market)
        if not path.is_file():
            pytest.skip(f"real candles are not here: {path.name}")
        frame = pd.read_parquet(path).drop_duplicates("date").set_index("date")
        frames.append(frame["close"].rename(market))
    joined = pd.concat(frames, axis=1)
    return joined.reindex(pd.date_range(joined.index.min(), joined.index.max(), freq=step)).to_numpy()


def test_the_targets_of_returns_are_what_the_candles_say() -> None:
    hours, minutes = closes(HOURLY, "1h"), closes(MINUTES, "5min")
    steps = {"1h": 1, "4h": 4, "1d": 24, "1w": 168}
    returns = {name: log_returns(hours, step) for name, step in steps.items()}
    found = return_statistics({"5m": log_returns(minutes)} | returns, ["BTC", "ETH"])
    wanted = {target.name: target.real for target in targets() if target.family == "returns"}

    assert len(wanted) > 50
    assert wanted == {name: pytest.approx(found[name], rel=6e-3) for name in wanted}


def real_table(name: str) -> pd.DataFrame:
    """A file of real data by its date, or the test is skipped."""
    path = DATA / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"real data are not here: {path.name}")
    return pd.read_parquet(path).drop_duplicates("date").set_index("date")


def real_course() -> pd.DataFrame:
    """Bitcoin's perpetual and spot by the hour, in the columns of a run."""
    spot = real_table("btc_usdt_spot_1h_binance_2017-08_2022-09")
    perpetual = real_table("btc_usdt_perp_1h_binance_2019-09_2022-07")
    frame = course(bid=0.0)["markets"].head(1).drop(columns=["time", "mark", "outside", "volume_usd"])
    prices = {"outside": spot["close"], "mark": perpetual["close"], "volume_usd": spot["volume"]}
    joined = pd.DataFrame(prices).dropna()
    return joined.assign(**frame.iloc[0].to_dict()).rename_axis("time").reset_index()


def real_funding(market: str) -> pd.DataFrame:
    """Funding of eight hours, in the columns of a run."""
    rates = real_table(f"{market.lower()}_usdt_perp_funding_8h_binance_2024-01_2025-08")["funding_rate"]
    others = course()["markets"].iloc[0].drop(["time", "funding_rate", "market"]).to_dict()
    return rates.to_frame().assign(**others, market=market).rename_axis("time").reset_index()


def weekly(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The statistics of every week of real data that has at least so many rows."""
    empty = course()["liquidations"].head(0)
    weeks = [week for _, week in table.resample("7D", on="time") if len(week) >= rows]
    return pd.DataFrame([market_statistics({"markets": week, "liquidations": empty}) for week in weeks])


def test_the_targets_of_a_week_are_the_medians_of_real_weeks() -> None:
    week = {target.name: target.real for target in fitting(targets(), 7 * 86_400)}
    found = pd.concat(
        [
            weekly(real_course(), 168).filter(regex="basis|return_volume").median(),
            weekly(real_funding("BTC"), 21).filter(like="funding").median(),
            weekly(real_funding("ETH"), 21).filter(like="funding").median(),
        ]
    )
    known = sorted(set(week) & set(found.index))

    assert len(known) == 14
    assert [week[name] for name in known] == pytest.approx(found[known].tolist(), abs=0.06)


def real_interest() -> pd.DataFrame:
    """Open interest and price of bitcoin by the day, each at the day's end, in the columns of a run."""
    names = (
        "btc_open_interest_all_exch_daily_2019-03_2022-09",
        "btc_daily_price_funding_feargreed_2015_2022-09",
    )
    tables = []
    for name in names:
        path = DATA / f"{name}.csv.gz"
        if not path.is_file():
            pytest.skip(f"real data are not here: {path.name}")
        tables.append(pd.read_csv(path, parse_dates=["date"]).set_index("date"))
    joined = tables[0].join(tables[1]["price"]).loc["2020":].dropna()
    others = course()["markets"].iloc[0].drop(["time", "open_interest", "open_interest_usd", "outside"])
    columns = {
        "open_interest_usd": joined["oi_usd"],
        "open_interest": joined["oi_usd"] / joined["price"],
        "outside": joined["price"],
    }
    frame = pd.DataFrame(columns).assign(**others.to_dict()).rename_axis("time").reset_index()
    return frame.assign(time=frame["time"].dt.tz_localize("UTC"))


def real_liquidations(market: str) -> pd.DataFrame:
    """Liquidations on Hyperliquid by the day over its open interest, in the columns of a run."""
    days, hours = (
        DATA / "liquidation_volume_daily_hyperliquid_2025-12_2026-01-28.parquet",
        DATA / "open_interest_multivenue_2025-12_2026-01-28.parquet",
    )
    if not (days.is_file() and hours.is_file()):
        pytest.skip(f"real data are not here: {days.name}")
    interest = pd.read_parquet(hours).query(f"venue == 'hyperliquid' and coin == '{market}'")
    level = interest.set_index("timestamp")["oi_usd"].resample("1D").mean()
    forced = pd.read_parquet(days).query(f"coin == '{market}'").set_index("timestamp")
    joined = forced.join(level).dropna()
    others = (
        course()["markets"]
        .iloc[0]
        .drop(["time", "long_liquidated_usd", "short_liquidated_usd", "open_interest_usd", "market"])
    )
    columns = {
        "long_liquidated_usd": joined["long_usd"],
        "short_liquidated_usd": joined["short_usd"],
        "open_interest_usd": joined["oi_usd"],
    }
    frame = pd.DataFrame(columns).assign(**others.to_dict(), market=market)
    frame = frame.rename_axis("time").reset_index()
    return frame.assign(time=frame["time"] + pd.Timedelta("1D"))


def test_the_targets_of_a_weeks_interest_and_liquidations_are_the_medians_of_real_weeks() -> None:
    week = {target.name: target.real for target in fitting(targets(), 7 * 86_400)}
    found = pd.concat(
        [
            weekly(real_interest(), 7).filter(like="oi_").median(),
            weekly(real_liquidations("BTC"), 7).filter(like="liquidated").median(),
            weekly(real_liquidations("ETH"), 7).filter(like="liquidated").median(),
        ]
    )
    known = sorted(set(week) & set(found.index))

    assert len(known) == 8
    assert [week[name] for name in known] == pytest.approx(found[known].tolist(), rel=0.13)


def test_a_run_is_held_against_the_sample_nearest_to_its_length() -> None:
    long, short = Target("btc_x", 1.0, "markets", "", 1000), Target("btc_x", 2.0, "markets", "", 10)
    price = Target("btc_y", 3.0, "returns", "", 1000)

    assert fitting([long, short, price], 99) == [short, price]
    assert fitting([short, long, price], 101) == [long, price]


@pytest.mark.slow
def test_a_path_has_every_statistic_of_returns_that_is_asked_for() -> None:
    wanted = targets()
    found = path_statistics(load_scenario("validation"), 1, wanted)

    assert set(found) == {target.name for target in wanted if target.family == "returns"}
    assert all(np.isfinite(value) for value in found.values())


def test_a_statistic_of_a_pair_is_about_both() -> None:
    about = {target.name: target.markets for target in targets()}

    assert about["btc_eth_tail_dependence_1h"] == {"btc", "eth"}
    assert about["eth_funding_mean"] == {"eth"}
    assert all(about.values())


def test_failed_replicas_and_too_few_inside_end_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.validation.replicas.run", lambda scenario, seed: crashed())
    changes = [each for setting in CRASH for each in ("--set", setting)]
    base = ["validate", "black_thursday", *changes, "--replicas", "20", "--workers", "0"]
    fine = CliRunner().invoke(seawall.app, [*base, "--out", str(tmp_path / "a")])
    strict = CliRunner().invoke(seawall.app, [*base, "--out", str(tmp_path / "b"), "--at-least", "0.99"])
    used = CliRunner().invoke(seawall.app, [*base, "--out", str(tmp_path / "a")])
    monkeypatch.setattr("analysis.validation.replicas.run", lambda scenario, seed: 1 / 0)
    failed = CliRunner().invoke(seawall.app, [*base, "--out", str(tmp_path / "c")])

    assert (fine.exit_code, strict.exit_code, used.exit_code, failed.exit_code) == (0, 1, 2, 1)
    assert "seed 20: ZeroDivisionError" in failed.stderr
    assert "returns" not in fine.stdout
    assert "statistics" in fine.stdout


@pytest.mark.parametrize("error", [ClusterError("no cluster answers at head:6379"), OSError("disk full")])
def test_a_cluster_that_fails_ends_in_a_line_and_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("analysis.reductions.on_ray", fails)
    result = CliRunner().invoke(seawall.app, ["validate", "calm", "--out", str(tmp_path / "out")])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [f"the validation stopped: {error}"]
