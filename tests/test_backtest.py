"""Backtests: errors of planted runs by hand, and the command on made-up candles from end to end."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import seawall
from analysis.backtest.backtest import Backtest, backtest, errors, plan_backtest
from analysis.backtest.events import Event, read_events
from analysis.backtest.page import error_tables, verdict
from sim.provenance import resolved

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
SMALL = ("clock.block=5m", "agents.retail.accounts=300", "agents.depositors.accounts=20")
EVENTS = """
events:
  - name: fall
    title: A fall of forty per cent in an hour
    start: 2020-03-12T00:00:00Z
    before: 2020-03-12T04:00:00Z
    after: 2020-03-12T08:00:00Z
    end: 2020-03-12T08:00:00Z
    market: BTC
    candles: {BTC: btc.csv, ETH: eth.csv}
    figures:
      - {figure: drawdown, real: 0.4, source: by design}
      - {figure: open_interest_usd, real: 9.0, source: out of reach}
      - {figure: liquidated_share}
"""


def write_candles(folder: Path) -> Path:
    """Bars of a quarter of an hour: level, from 04:00 to 05:00 down by 40 per cent, then level again."""
    hours = np.arange(33) / 4
    level = np.exp(np.log(0.6) * np.clip(hours - 4, 0, 1)) * (1 + 2e-3 * np.sin(9 * hours))
    for name, start in (("btc", 8000.0), ("eth", 200.0)):
        opened, closed = start * level[:-1], start * level[1:]
        frame = pd.DataFrame({"date": pd.date_range("2020-03-12", periods=32, freq="15min", tz="UTC")})
        frame = frame.assign(open=opened, high=np.maximum(opened, closed), low=np.minimum(opened, closed))
        frame.assign(close=closed, volume=1.0).to_csv(folder / f"{name}.csv", index=False)
    (folder / "events.yaml").write_text(EVENTS)
    return folder


@cache
def found(folder: Path, *overrides: str) -> Backtest:
    plan = plan_backtest("validation", folder, [*SMALL, *overrides], folder / "events.yaml")
    return backtest(plan, 2, workers=0)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_candles(tmp_path_factory.mktemp("candles"))


def event(folder: Path) -> Event:
    return read_events(write_candles(folder) / "events.yaml")[0]


def planted(values: list[float], figure: str, fall: Event) -> pd.DataFrame:
    rows = pd.DataFrame({"event": "fall", "figure": figure, "seed": range(len(values)), "value": values})
    return rows.assign(start=pd.Timestamp(fall.before), end=pd.Timestamp(fall.after))


def test_an_error_is_the_median_of_the_runs_against_what_happened(tmp_path: Path) -> None:
    fall = event(tmp_path)
    runs = planted([0.1, 0.2, 0.3, 0.4, 0.5], "drawdown", fall)
    row = errors([fall], runs).set_index("figure").loc["drawdown"]

    assert row["median"] == pytest.approx(0.3)
    assert (row["low"], row["high"]) == (pytest.approx(0.11), pytest.approx(0.49))
    assert row["difference"] == pytest.approx(-0.1)
    assert row["ratio"] == pytest.approx(0.75)
    assert (row["inside"], row["runs"]) == ("yes", 5)


def test_a_figure_out_of_the_range_of_runs_is_not_inside(tmp_path: Path) -> None:
    fall = event(tmp_path)

    assert errors([fall], planted([0.1, 0.2], "drawdown", fall))["inside"].tolist() == ["no", "", ""]


def test_what_nobody_knows_has_no_error(tmp_path: Path) -> None:
    fall = event(tmp_path)
    row = errors([fall], planted([0.1, np.nan], "liquidated_share", fall)).set_index("figure")
    unknown = row.loc["liquidated_share"]

    assert unknown[["real", "difference", "ratio"]].isna().all()
    assert (unknown["median"], unknown["inside"], unknown["runs"]) == (0.1, "", 1)


def test_only_the_clock_and_the_prices_differ_between_events() -> None:
    missing = [
        name for each in read_events() for name in each.candles.values() if not (DATA / name).is_file()
    ]
    if missing:
        pytest.skip(f"real candles are not here: {', '.join(missing)}")
    kept = []
    for scenario in plan_backtest("validation", DATA).scenarios.values():
        data = resolved(scenario)
        assert data["clock"].pop("start") != data["clock"].pop("duration")
        assert data["world"].pop("prices")["kind"] == "replay"
        kept.append(data)

    assert kept[0] == kept[1] == kept[2]


def test_a_fall_of_the_candles_is_the_fall_of_the_runs(made_up: Path) -> None:
    drop = found(made_up).runs.query("figure == 'drawdown'")["value"]

    assert len(drop) == 2
    assert drop.to_numpy() == pytest.approx(0.4, abs=0.04)  # and the impact of forced sales


def test_nobody_is_liquidated_without_leverage(made_up: Path) -> None:
    levered = found(made_up).runs.query("figure == 'liquidated_share'")["value"]
    bare = found(made_up, "agents.retail.leverage={median: 1, sigma: 0}").runs

    assert (levered > 0.02).all()
    assert bare.query("figure == 'liquidated_share'")["value"].tolist() == [0.0, 0.0]


def test_the_verdict_counts_known_figures_only(made_up: Path) -> None:
    some = found(made_up)
    known = some.errors.assign(inside=["yes", "no", ""])

    assert verdict(replace(some, errors=known)).startswith("1 of 2 known figures")
    assert [table.row_count for table in error_tables(some)] == [3]


def command(folder: Path, out: Path, *extra: str) -> list[str]:
    settings = [each for setting in SMALL for each in ("--set", setting)]
    place = ["--data", str(folder), "--events", str(folder / "events.yaml"), "--out", str(out)]
    return ["backtest", "validation", *place, "--seeds", "2", "--workers", "0", *settings, *extra]


def test_the_command_writes_errors_runs_and_a_figure(made_up: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(seawall.app, command(made_up, tmp_path / "out"))
    table = pd.read_csv(tmp_path / "out" / "errors.csv")

    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "errors.csv",
        "runs.csv",
        "fall.svg",
        "fall.png",
    }
    assert "A fall of forty per cent" in result.stdout
    assert "of 2 known figures" in result.stdout
    assert table["figure"].tolist() == ["drawdown", "open_interest_usd", "liquidated_share"]
    assert table["inside"].fillna("").tolist()[1:] == ["no", ""]
    assert len(pd.read_csv(tmp_path / "out" / "runs.csv")) == 6


def test_a_missing_file_and_candles_that_end_too_soon_are_told(tmp_path: Path) -> None:
    folder = write_candles(tmp_path)
    (folder / "eth.csv").unlink()
    lines = (folder / "btc.csv").read_text().splitlines()
    (folder / "btc.csv").write_text("\n".join(lines[:-4]))
    result = CliRunner().invoke(seawall.app, command(folder, tmp_path / "out"))

    assert result.exit_code == 2
    assert f"{folder}/eth.csv  no such candle file (event fall)" in result.stderr
    assert "candles must cover 2020-03-12" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("perpetual: perp.csv", "perp.csv  no such candle file"),
        ("open_interest: interest.csv", "interest.csv  no such file of open interest"),
    ],
)
def test_files_of_the_figure_are_looked_for_before_anything_runs(
    tmp_path: Path, line: str, told: str
) -> None:
    folder = write_candles(tmp_path)
    (folder / "events.yaml").write_text(EVENTS.replace("market: BTC", f"market: BTC\n    {line}"))
    result = CliRunner().invoke(seawall.app, command(folder, tmp_path / "out"))

    assert result.exit_code == 2
    assert told in result.stderr


def test_a_run_that_fails_is_told_and_ends_the_command_with_one(
    made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.backtest.replays.run", lambda scenario, seed: 1 / 0)
    result = CliRunner().invoke(seawall.app, command(made_up, tmp_path / "out"))

    assert result.exit_code == 1
    assert "fall:2  ZeroDivisionError" in result.stderr
    assert pd.read_csv(tmp_path / "out" / "errors.csv")["runs"].tolist() == [0, 0, 0]
