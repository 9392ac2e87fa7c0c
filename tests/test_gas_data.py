"""Gas against the chain's: calm days, and days of stress with settings that know no single one of them."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.configuration import ClockSettings
from sim.gas import NO_USAGE, FeeMarket
from sim.world_settings import GasSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
YEAR = 31_536_000
CALM = 0.8
SEEDS = 30

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the gas and price files of ../shared/data")


@cache
def table(name: str) -> pd.DataFrame:
    path = DATA / name
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    return frame.set_index(pd.to_datetime(frame["date"], utc=True))


def stress(close: pd.Series, bar: float, half_life: float, first: float = CALM) -> np.ndarray:
    """Log of volatility over calm after each bar, as the world observes it."""
    keep, variance, found = 0.5 ** (bar / half_life), first**2, []
    for each in np.log(close).diff().fillna(0.0):
        variance = max(keep * variance + (1 - keep) * each**2 / bar * YEAR, (0.3 * CALM) ** 2)
        found.append(0.5 * np.log(variance / CALM**2))
    return np.array(found)


@cache
def replicas(day: str) -> np.ndarray:
    """Gas in ten-minute bars of a day, (seeds, 144), from its prices and the gas of the week before."""
    start, ten = pd.Timestamp(day, tz="UTC"), pd.Timedelta("10min")
    week = table("eth_usdt_spot_1h_binance_2017-08_2022-09.parquet")["close"]
    before = stress(week[start - pd.Timedelta("8D") : start - ten], 3600, 3600)
    daily = table("eth_avg_gas_price_daily_2015_2026.csv.gz")["avg_gas_price_gwei"]
    settings = GasSettings(kind="eip1559")
    exponent = settings.blockspace.volatility_exponent
    prior = daily[start - pd.Timedelta("7D") : start - ten].mean()
    settings = settings.model_copy(update={"base": prior / np.exp(exponent * np.maximum(before, 0).mean())})
    close = table("eth_usd_10m_crashdays_2020-03-12_to_2021-06.csv.gz").loc[day, "close"]
    path = stress(close, 600, 1800, CALM * np.exp(before[-1]))
    found = []
    for seed in range(SEEDS):
        market = FeeMarket(settings, ClockSettings(duration="24h", block="600s"), seed)
        market.stress = max(before[-1], 0.0)
        found.append([market.advance(each, NO_USAGE, 1.0) for each in path])
    return np.array(found)


def paid(day: str) -> np.ndarray:
    """The chain's 60th percentile in ten-minute bars."""
    return table("eth_gas_percentiles_10m_crashdays.csv.gz").loc[day, "gas_gwei_p60"].to_numpy()


def lies_within(value: float, found: np.ndarray) -> bool:
    low, high = np.quantile(found, [0.025, 0.975])
    return bool(low <= value <= high)


def test_the_tables_hold_what_the_reference_says() -> None:
    daily = table("eth_avg_gas_price_daily_2015_2026.csv.gz")["avg_gas_price_gwei"]
    crash = paid("2020-03-12")

    assert daily["2020-03-01":"2020-03-11"].mean() == pytest.approx(11.6, abs=0.05)
    assert daily["2020-03-12":"2020-03-13"].tolist() == pytest.approx([77.9, 84.8], abs=0.1)
    assert (np.median(crash[:60]), np.median(crash[72:])) == pytest.approx((16, 108), abs=1)


def test_on_12_march_2020_gas_rises_as_it_did() -> None:
    model, real = replicas("2020-03-12"), paid("2020-03-12")

    assert lies_within(real.mean(), model.mean(axis=1))
    assert lies_within(np.median(real[72:]), np.median(model[:, 72:], axis=1))
    assert lies_within(real.max(), model.max(axis=1))


@pytest.mark.parametrize("day", ["2020-03-12", "2021-01-21", "2021-06-21"])
def test_the_mean_of_a_day_of_stress_lies_among_the_replicas(day: str) -> None:
    assert lies_within(paid(day).mean(), replicas(day).mean(axis=1))


@pytest.mark.parametrize("day", ["2020-09-05", "2021-01-11"])
def test_after_a_week_of_congestion_the_model_asks_too_much(day: str) -> None:
    assert paid(day).mean() < replicas(day).mean(axis=1).min()


def test_gas_follows_turbulence_within_the_day_in_shape_too() -> None:
    days = ("2020-03-12", "2021-01-21", "2021-05-19", "2021-06-21")
    fits = [np.corrcoef(np.log(each), np.log(paid(day)))[0, 1] for day in days for each in replicas(day)]
    foreign = [
        np.corrcoef(np.log(each), np.log(paid(day)))[0, 1]
        for day, other in zip(days, days[1:] + days[:1], strict=True)
        for each in replicas(other)
    ]

    assert np.median(fits) > 0.7
    assert np.median(foreign) < np.median(fits) - 0.1


def test_calm_days_vary_as_ordinary_days_did() -> None:
    market = FeeMarket(GasSettings(kind="eip1559"), ClockSettings(duration="200d", block="3600s"), 1)
    model = np.log([market.advance(0.0, NO_USAGE, 1.0) for _ in range(4800)]).reshape(-1, 24).mean(axis=1)
    daily = np.log(table("eth_avg_gas_price_daily_2015_2026.csv.gz")["avg_gas_price_gwei"]["2018":])
    real = (daily - daily.rolling(30, center=True).median())["2019":"2022-08"].dropna()

    assert model.std() == pytest.approx(real.std(), rel=0.25)
    assert np.corrcoef(model[:-1], model[1:])[0, 1] == pytest.approx(real.autocorr(1), abs=0.2)
