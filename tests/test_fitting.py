"""Calibration: planted parameters come back, nothing is found where nothing is, and the file can be run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

import seawall
from analysis.fitting.estimates import Fit
from analysis.fitting.fit import MODELS, fit_prices, scenario_text, write_fit
from analysis.fitting.regimes import fit_regimes
from analysis.fitting.replicas import goodness, real_statistics, simulated
from analysis.fitting.samples import Sample, Samples, read_samples
from sim.configuration import ClockSettings
from sim.prices.paths import fundamental_paths
from sim.prices.settings import PriceSettings
from sim.problems import ScenarioError
from sim.streams import stream

MARKETS = ("BTC", "ETH")
GARCH = {"alpha": {"BTC": 0.1, "ETH": 0.15}, "beta": {"BTC": 0.85, "ETH": 0.8}, "degrees": 5.0}
JUMPS = {
    "volatility": {"BTC": 0.4, "ETH": 0.6},
    "common": {"rate": 2.0, "mean": -0.01, "sigma": 0.03},
    "own": {"rate": 1.0, "mean": 0.0, "sigma": 0.02},
}


def quiet(phase: str, done: int, total: int) -> None:
    pass


def priced(kind: str, days: int, seed: int = 1, **changed: Any) -> np.ndarray:
    chosen: Any = TypeAdapter(PriceSettings).validate_python({"kind": kind, **changed})
    clock = ClockSettings.model_validate({"duration": f"{days}d", "block": "1h"})
    return fundamental_paths(chosen, clock, MARKETS, seed).price


def sampled(price: np.ndarray) -> Samples:
    times = pd.date_range("2022-01-01", periods=len(price), freq="1h", tz="UTC")
    return Samples(MARKETS, (Sample(3600, times, price),), {})


def candles(folder: Path, price: np.ndarray) -> list[str]:
    date = pd.date_range("2022-01-01", periods=len(price), freq="1h", tz="UTC")
    for name, close in zip(("btc", "eth"), price.T, strict=True):
        frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
        frame.assign(date=date, volume=1.0).to_csv(folder / f"{name}_1h.csv", index=False)
    return [str(folder / "btc_1h.csv"), f"ETH={folder / 'eth_1h.csv'}"]


def value(fit: Fit, name: str) -> tuple[float, float]:
    return next((each.value, each.error) for each in fit.estimates if each.name == name)


def assert_recovered(fit: Fit, truth: dict[str, float], errors: float = 4.0) -> None:
    for name, expected in truth.items():
        found, error = value(fit, name)

        assert 0 < error < 0.5 * abs(expected) + 0.1, name
        assert abs(found - expected) < errors * error, (name, found, error)


def test_planted_garch_comes_back() -> None:
    fit = MODELS["garch"](sampled(priced("garch", 400, **GARCH)))

    planted = {"alpha.BTC": 0.1, "beta.BTC": 0.85, "alpha.ETH": 0.15, "beta.ETH": 0.8, "degrees": 5.0}
    assert_recovered(fit, planted | {"correlation": 0.8})


def test_returns_without_clusters_have_no_garch() -> None:
    steps = 0.01 * stream(1, "test").standard_normal((6000, 2))
    fit = MODELS["garch"](sampled(100 * np.exp(np.cumsum(steps, axis=0))))

    assert value(fit, "alpha.BTC")[0] < 0.02
    assert value(fit, "degrees")[0] > 20


@pytest.mark.long
def test_planted_jumps_come_back_and_brownian_motion_has_none() -> None:
    fit = MODELS["jumps"](sampled(priced("jumps", 300, **JUMPS)))
    planted = {"volatility.BTC": 0.4, "volatility.ETH": 0.6, "correlation": 0.8, "common.rate": 2.0}
    planted |= {"common.mean": -0.01, "common.sigma": 0.03, "own.rate": 1.0, "own.sigma": 0.02}
    none = {"rate": 0.0, "sigma": 0.0}
    plain = MODELS["jumps"](sampled(priced("jumps", 300, common=none, own=none)))

    assert_recovered(fit, planted)
    assert value(plain, "volatility.BTC")[0] == pytest.approx(0.5, rel=0.1)


def test_planted_heston_comes_back_within_its_wide_errors() -> None:
    price = priced(
        "heston", 1500, half_life="6d", variation=0.9, step="1h", volatility={"BTC": 0.8, "ETH": 1.0}
    )
    fit = MODELS["heston"](sampled(price))

    assert_recovered(fit, {"volatility.BTC": 0.8, "half_life": 6.0, "variation": 0.9})


@pytest.mark.long
@pytest.mark.slow
def test_planted_regimes_come_back_and_their_paths_look_like_their_data() -> None:
    planted = {
        "regimes": [
            {
                "name": name,
                "duration": "20d",
                "volatility": {"BTC": level, "ETH": 1.3 * level},
                "correlation": 0.8,
            }
            for name, level in (("calm", 0.3), ("usual", 0.7), ("turbulent", 1.6))
        ],
        "activity": [{"sigma": 0.3, "half_life": "16h"}],
        "degrees": 5.0,
    }
    sample = sampled(priced("regimes", 365, step="1h", **planted))
    fit = fit_regimes(sample, 1, quiet)
    found = goodness(real_statistics(sample), simulated(fit.settings, sample, range(50, 75), quiet))

    for name, level in (("calm", 0.3), ("usual", 0.7), ("turbulent", 1.6)):
        assert value(fit, f"regimes.{name}.volatility.BTC")[0] == pytest.approx(level, rel=0.35)
    degrees, error = value(fit, "degrees")
    assert abs(degrees - 5.0) < 4 * error
    assert degrees < 15
    assert found["inside"].mean() > 0.85


def test_a_generator_without_memory_is_told_from_data_that_have_it() -> None:
    sample = sampled(priced("garch", 200, alpha={"BTC": 0.2, "ETH": 0.2}, beta={"BTC": 0.78, "ETH": 0.78}))
    fit = MODELS["jumps"](sample)
    found = goodness(real_statistics(sample), simulated(fit.settings, sample, range(40), quiet))
    judged = found.set_index("statistic")["inside"]

    assert not judged["btc_acf_abs_6_1h"]
    assert not judged["eth_acf_abs_24_1h"]


def test_files_are_named_by_their_first_word_and_gaps_stay_gaps(tmp_path: Path) -> None:
    files = candles(tmp_path, priced("garch", 10))
    frame = pd.read_csv(tmp_path / "btc_1h.csv").drop(index=range(100, 103))
    frame.to_csv(tmp_path / "btc_1h.csv", index=False)
    found = read_samples(files)

    assert found.markets == MARKETS
    assert np.isnan(found.longest.closes[:, 0]).sum() == 3
    assert np.isnan(found.longest.closes[:, 1]).sum() == 0


def test_a_market_without_the_bars_of_another_is_refused(tmp_path: Path) -> None:
    files = candles(tmp_path, priced("garch", 10))
    frame = pd.read_csv(tmp_path / "eth_1h.csv").iloc[::2]
    frame.to_csv(tmp_path / "eth_1h.csv", index=False)

    with pytest.raises(ScenarioError, match=r"BTC.*bars of 7200 s must be given"):
        read_samples(files)


def test_a_fitted_file_is_a_scenario_that_loads_with_the_same_numbers(tmp_path: Path) -> None:
    files = candles(tmp_path, priced("garch", 60))
    fitted = fit_prices(files, "bootstrap", replicas=20)
    written = write_fit(fitted, tmp_path / "past.yaml")
    loaded = seawall.load_scenario(tmp_path / "past.yaml")

    assert [path.suffix for path in written] == [".yaml", ".csv", ".svg", ".png"]
    assert loaded.world.prices == fitted.fit.settings
    assert len(pd.read_csv(tmp_path / "past.csv")) == len(fitted.goodness)


def test_a_fit_of_one_market_leaves_the_other_out(tmp_path: Path) -> None:
    files = candles(tmp_path, priced("garch", 60))
    fitted = fit_prices(files[1:], "garch", replicas=20)
    (tmp_path / "one.yaml").write_text(scenario_text(fitted, "one"))

    assert seawall.load_scenario(tmp_path / "one.yaml").markets == ("ETH",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "sabr", "--out", "x.yaml"], "--model  must be one of regimes, garch"),
        (["--out", "x.txt"], "must end in .yaml and be new"),
    ],
)
def test_bad_input_ends_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(seawall.app, ["fit", "nowhere.csv", *arguments])

    assert done.exit_code == 2
    assert message in done.stderr
