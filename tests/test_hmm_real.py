"""Regimes of bitcoin and ether in log daily realised volatility, 2017-08 to 2022-09."""

from pathlib import Path

import numpy as np
import pytest

from agents.models.hmm import HMM
from analysis.fitting.estimates import daily
from analysis.fitting.samples import read_samples
from protocol.book import Floats

REGIMES = [
    ("btc", (0.44, 1.01), (0.983, 0.962)),
    ("btc", (0.33, 0.60, 1.25), (0.962, 0.952, 0.917)),
    ("btc", (0.24, 0.42, 0.66, 1.34), (0.953, 0.929, 0.918, 0.906)),
    ("eth", (0.45, 0.75, 1.48), (0.930, 0.930, 0.888)),
]


def log_volatility(folder: Path, coin: str) -> Floats:
    """Log of annual realised volatility by day, from hourly returns."""
    path = folder / f"{coin}_usdt_spot_1h_binance_2017-08_2022-09.parquet"
    return 0.5 * np.log(daily(read_samples([str(path)]).longest).variance[:, 0])


@pytest.mark.parametrize("kind", ["gaussian", "student_t"])
@pytest.mark.parametrize(("coin", "volatility", "stay"), REGIMES)
def test_the_regimes_are_found(
    market_data: Path, coin: str, volatility: tuple[float, ...], stay: tuple[float, ...], kind: str
) -> None:
    model = HMM(len(stay), kind, order="level").fit(log_volatility(market_data, coin))
    found = model.parameters_

    assert np.exp(found.mean[:, 0]) == pytest.approx(volatility, rel=0.15)
    assert np.diagonal(found.transition) == pytest.approx(stay, abs=0.03)


def test_shuffled_days_have_no_such_regimes(market_data: Path) -> None:
    days = log_volatility(market_data, "btc")
    model = HMM(2, "gaussian", order="level").fit(days[np.argsort(np.sin(1e4 * np.arange(len(days))))])

    assert np.diagonal(model.parameters_.transition).min() < 0.9
