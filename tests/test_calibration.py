"""Tests of calibration against other libraries and by hand, and controls: what they accept and reject."""

import numpy as np
import pytest
from calibration_worlds import LEVEL, judged, rejections, truth, world
from scipy import stats
from statsmodels.stats.diagnostic import acorr_ljungbox

from agents.models.loss_law import StateReturns, cumulative, loss_law
from agents.models.volatility import Ewma, GarchT
from analysis.calibration import (
    Calibration,
    bin_uniformity,
    calibration,
    conditional_coverage,
    coverage,
    independence,
    separation,
    shortfall_test,
    uniformity,
)
from analysis.forecasts import (
    Forecasts,
    Losses,
    block_sums,
    losses,
    regime_forecasts,
    simulated_sums,
    transforms,
    volatility_forecasts,
)
from sim.streams import stream

UNIFORM = stream(1, "calibration", "uniform").random(400)
SEEDS, MOST = 40, 7  # a test of size 5 % rejects more than 7 of 40 once in 1400


def test_independence_is_the_test_of_ljung_and_box() -> None:
    scores = stats.norm.ppf(UNIFORM)
    for power in (1, 2):
        theirs = acorr_ljungbox(scores**power, lags=[10])
        ours = independence(UNIFORM, lags=10, power=power)

        assert ours.statistic == pytest.approx(theirs["lb_stat"].iloc[0], rel=1e-10)
        assert ours.p_value == pytest.approx(theirs["lb_pvalue"].iloc[0], rel=1e-10)


def test_uniformity_by_hand() -> None:
    pit = (np.arange(40) + 0.5) / 40

    assert uniformity(pit).statistic == pytest.approx(1 / 80)
    assert bin_uniformity(pit) == (0.0, 1.0, 40)
    assert bin_uniformity(np.full(40, 0.01)).statistic == pytest.approx((38**2 + 19 * 2**2) / 2)


def test_coverage_by_hand() -> None:
    """Nine breaches of a hundred where five were promised."""
    breach = np.arange(100) % 12 == 0
    breach[-1] = False
    ratio = 2 * (9 * np.log(0.09 / 0.05) + 91 * np.log(0.91 / 0.95))

    assert breach.sum() == 9
    assert coverage(breach, 0.05).statistic == pytest.approx(ratio)
    assert coverage(np.zeros(100, bool), 0.05).statistic == pytest.approx(-200 * np.log(0.95))


def test_clusters_of_breaches_by_hand() -> None:
    """Five pairs of breaches: of 9 moves after a breach 5 are breaches, of 90 after none 5."""
    breach = np.zeros(100, bool)
    breach[[10, 11, 30, 31, 50, 51, 70, 71, 98, 99]] = True
    free = 5 * np.log(5 / 9) + 4 * np.log(4 / 9) + 5 * np.log(5 / 90) + 85 * np.log(85 / 90)
    pooled = 10 * np.log(10 / 99) + 89 * np.log(89 / 99)

    assert separation(breach).statistic == pytest.approx(2 * (free - pooled))
    assert separation(breach).p_value < 0.01
    assert conditional_coverage(breach, 0.1).statistic == pytest.approx(2 * (free - pooled), abs=1e-9)


def test_the_shortfall_statistic_by_hand() -> None:
    """Of 40 horizons two breach, by 1.5 and 0.75 of the shortfall; 40·2·0.05 = 4 were to be lost."""
    loss = np.zeros((40, 2))
    loss[0, 0] = loss[7, 1] = 3.0
    loss[0, 1], loss[7, 0] = -3.0, -3.0
    shortfall = np.full((40, 2), 2.0)
    shortfall[7] = 4.0
    found = Losses(loss, np.full((40, 2), 1.0), shortfall, 0.05)
    milder = np.zeros((9, 40))
    milder[:2, 3] = -10.0

    assert shortfall_test(found, milder).statistic == pytest.approx((1.5 + 0.75) / 4 - 1)
    assert shortfall_test(found, milder).p_value == pytest.approx(3 / 10)


def test_few_or_unknown_horizons_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 30 horizons, got 5"):
        uniformity(UNIFORM[:5])
    with pytest.raises(ValueError, match="known values, got 400 NaN"):
        bin_uniformity(UNIFORM * np.nan)
    with pytest.raises(ValueError, match="horizons need at least one step"):
        block_sums(UNIFORM, 0)


def test_horizons_follow_each_other_without_overlap() -> None:
    np.testing.assert_array_equal(block_sums([1, 2, 3, 4, 5, 6, 7], 3), [6, 15])
    np.testing.assert_array_equal(block_sums([1, np.nan, 3, 4], 2), [np.nan, 7])


def test_a_forecast_knows_nothing_of_its_horizon() -> None:
    values = world(240, "ahead")
    other = values.copy()
    other[120:] *= 5
    for one, changed in (
        (regime_forecasts(each, truth(), 24) for each in (values, other)),
        (volatility_forecasts(each, Ewma(20).fit(values), 24) for each in (values, other)),
    ):
        before, after = slice(0, 6), slice(6, None)

        np.testing.assert_array_equal(one.probability[before], changed.probability[before])
        np.testing.assert_array_equal(one.unit[before], changed.unit[before])
        same = np.array_equal(one.probability[after], changed.probability[after])
        assert not (same and np.array_equal(one.unit[after], changed.unit[after]))


def test_forecasts_of_a_volatility_are_its_own_tails() -> None:
    values = world(3000, "tails")
    model, other = GarchT().fit(values[:2000]), GarchT().fit(values[:2000])
    fresh = values[2000:]
    forecasts = volatility_forecasts(fresh, model, 10)
    found = losses(forecasts, block_sums(fresh, 10), 0.99)
    pit = transforms(forecasts, block_sums(fresh, 10))
    for block in range(100):
        tail = other.tail(0.99, 10)

        assert found.quantile[block] == pytest.approx(np.full(2, tail.quantile), rel=1e-4)
        assert found.shortfall[block] == pytest.approx(np.full(2, tail.shortfall), rel=1e-4)
        assert pit[block] == pytest.approx(other.cumulative(fresh[10 * block :][:10].sum(), 10), abs=1e-5)
        for value in fresh[10 * block :][:10]:
            other.observe(value)


def test_a_long_position_loses_when_the_price_falls() -> None:
    law = loss_law(StateReturns(np.array([1.0]), np.array([1.0]), np.array([np.inf])), np.ones((1, 1)), 1)
    found = losses(Forecasts(law, np.ones((2, 1)), np.ones(2)), np.array([-3.0, 3.0]), 0.975)

    np.testing.assert_array_equal(found.loss, [[3, -3], [-3, 3]])
    np.testing.assert_allclose(found.quantile, [[0.96, 2.96]] * 2, atol=1e-4)


def test_simulated_returns_follow_the_forecasts() -> None:
    returns = StateReturns(np.array([0.0, 0.3]), np.array([1.0, 4.0]), np.array([3.0, np.inf]))
    law = loss_law(returns, np.array([[0.9, 0.1], [0.3, 0.7]]), 3)
    forecasts = Forecasts(law, np.array([[0.2, 0.8], [1.0, 0.0]]), np.array([1.0, 10.0]))
    found = simulated_sums(forecasts, 4000, stream(1, "calibration", "simulated"))
    for column, row in enumerate(forecasts.probability):
        pit = [cumulative(law, row, value / forecasts.unit[column]) for value in found[:, column]]

        assert stats.kstest(pit, "uniform").pvalue > 0.01


def test_missing_horizons_are_left_out() -> None:
    values = world(2400, "missing")
    values[100] = np.nan
    sums = block_sums(values, 24)
    found = calibration(regime_forecasts(values, truth(), 24), sums, LEVEL, stream(1, "calibration", "n"), 19)

    assert {verdict.sample for verdict in found} == {99}
    assert judged("true", 24, 1) == judged("true", 24, 1)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(("model", "steps"), [("true", 1), ("true", 24), ("fitted", 24)])
def test_the_right_law_is_rejected_as_rarely_as_promised(model: str, steps: int) -> None:
    """Sixteen tests of true laws: one of them fails by chance once in ninety such sets of worlds."""
    found = rejections(model, steps, SEEDS)

    assert max(found.values()) * SEEDS <= (MOST if model == "true" else 2 * MOST), found


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "steps", "tests"),
    [
        ("gaussian", 1, {"uniform": 0.5, "bins": 0.7}),
        ("one regime", 24, {"bins": 0.9, "steady": 0.9, "separate": 0.5, "conditional": 0.5}),
        ("frozen", 24, {"coverage": 0.6, "shortfall": 0.9}),
        ("scaled", 24, {"uniform": 0.7, "coverage": 0.9, "shortfall": 0.9}),
    ],
)
def test_a_wrong_law_is_rejected(model: str, steps: int, tests: dict[str, float]) -> None:
    found = rejections(model, steps, SEEDS)

    assert set(tests) <= set(Calibration._fields)
    for test, least in tests.items():
        assert found[test] >= least, (test, found)
