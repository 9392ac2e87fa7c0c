"""Laws learnt from bitcoin's hourly returns to 2020-03-09, and what came of them by 2022-09-30."""

from pathlib import Path

import numpy as np
import pytest

from agents.models.hmm import HMM
from agents.models.parameters import Markov
from agents.models.volatility import GarchT
from analysis.calibration import Calibration, calibration
from analysis.fitting.samples import read_samples
from analysis.forecasts import Forecasts, block_sums, losses, regime_forecasts, volatility_forecasts
from protocol.book import Floats
from sim.streams import stream

LEVEL, DAY = 0.975, 24


@pytest.fixture(scope="module")
def halves(market_data: Path) -> tuple[Floats, Floats]:
    path = market_data / "btc_usdt_spot_1h_binance_2017-08_2022-09.parquet"
    returns = read_samples([str(path)]).longest.returns[:, 0]
    return returns[: len(returns) // 2], returns[len(returns) // 2 :]


def judge(forecasts: Forecasts, fresh: Floats) -> tuple[Calibration, Floats]:
    """Every test, and the share of breaches on each side."""
    sums = block_sums(fresh, DAY)
    found = losses(forecasts, sums, LEVEL)
    breaches = (found.loss > found.quantile)[np.isfinite(sums)].mean(axis=0)
    return calibration(forecasts, sums, LEVEL, stream(1, "calibration", "real"), 199), breaches


@pytest.fixture(scope="module")
def regimes(halves: tuple[Floats, Floats]) -> Markov:
    return HMM(4).fit(halves[0]).parameters_


@pytest.mark.slow
def test_four_student_regimes_cover_the_days_to_come(halves: tuple[Floats, Floats], regimes: Markov) -> None:
    """The drifts that were learnt did not last; without them the transforms are uniform too."""
    _, fresh = halves
    found, breaches = judge(regime_forecasts(fresh, regimes, DAY), fresh)
    still, _ = judge(regime_forecasts(fresh, regimes._replace(mean=0 * regimes.mean), DAY), fresh)

    assert found.conditional.p_value > 0.05
    assert found.shortfall.p_value > 0.05
    assert breaches == pytest.approx((0.027, 0.018), abs=0.002)
    assert found.uniform.p_value < 0.01
    assert still.uniform.p_value > 0.05
    assert still.conditional.p_value > 0.05


@pytest.mark.slow
def test_gaussian_regimes_and_garch_are_too_careful_for_the_days_to_come(
    halves: tuple[Floats, Floats],
) -> None:
    """Stress had been worse in training."""
    train, fresh = halves
    gaussian = regime_forecasts(fresh, HMM(3, "gaussian").fit(train).parameters_, DAY)
    garch = volatility_forecasts(fresh, GarchT().fit(train), DAY)

    assert judge(gaussian, fresh)[0].coverage.p_value < 1e-3
    assert judge(gaussian, fresh)[1].max() < 0.011
    assert judge(garch, fresh)[0].shortfall.statistic < -0.3


@pytest.mark.slow
def test_no_law_of_an_hour_is_right_to_the_last_digit(halves: tuple[Floats, Floats], regimes: Markov) -> None:
    """Twenty-two thousand hours show what no model of a handful of regimes has."""
    _, fresh = halves
    forecasts = regime_forecasts(fresh, regimes, 1)
    found = calibration(forecasts, block_sums(fresh, 1), LEVEL, stream(1, "calibration", "real"), 19)

    assert found.steady.p_value < 1e-3
    assert found.separate.p_value < 1e-3
