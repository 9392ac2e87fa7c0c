"""The law of sums along a hidden chain against closed forms, quadrature and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from occupancy import occupancy_mixture
from scipy import signal, stats

from agents.models import path_sums
from agents.models.loss_law import (
    LossLaw,
    StateReturns,
    cumulative,
    cumulative_at,
    loss_law,
    side_tail,
    state_returns,
    tail,
)
from agents.models.parameters import Markov
from agents.models.path_sums import expected_visits
from protocol.book import LONG, SHORT, Floats
from sim.streams import stream

pytestmark = pytest.mark.kernel
INF = np.inf
LEVELS = (0.9, 0.99, 0.995, 0.999)
ONE = np.ones((1, 1))
TWO = np.array([[0.995, 0.005], [0.02, 0.98]])
THREE = np.array([[0.99, 0.008, 0.002], [0.02, 0.97, 0.01], [0.01, 0.03, 0.96]])
CALM_AND_WILD = StateReturns(np.array([0.0004, -0.001]), np.array([0.004, 0.016]), np.full(2, INF))
GRADED = StateReturns(np.array([0.0003, 0.0, -0.002]), np.array([0.004, 0.009, 0.02]), np.full(3, INF))
CHAINS = {
    "two": (CALM_AND_WILD, TWO),
    "three": (GRADED, THREE),
    "absorbing": (CALM_AND_WILD, np.array([[0.98, 0.02], [0.0, 1.0]])),
    "frozen": (CALM_AND_WILD, np.eye(2)),
    "alternating": (CALM_AND_WILD, np.array([[0.0, 1.0], [1.0, 0.0]])),
}


def single(degrees: float, steps: float = 1, scale: float = 0.01) -> LossLaw:
    """The law of one state without a mean."""
    return loss_law(StateReturns(np.zeros(1), np.array([scale]), np.array([degrees])), ONE, steps)


@pytest.mark.parametrize("count", [1, 2, 7, 24])
@pytest.mark.parametrize("name", CHAINS)
def test_gaussian_quantiles_and_shortfalls_are_those_of_the_occupancy_mixture(name: str, count: int) -> None:
    returns, transition = CHAINS[name]
    law = loss_law(returns, transition, count)
    for first in range(len(transition)):
        known = 0.9 * np.eye(len(transition))[first] + 0.1 / len(transition)
        exact = occupancy_mixture(returns, transition, known, count)
        for level in LEVELS:
            long, short = tail(law, known, level, "long"), tail(law, known, level, "short")

            assert short.quantile == pytest.approx(exact.quantile(level), rel=2e-5)
            assert short.shortfall == pytest.approx(exact.shortfall(level), rel=2e-5)
            assert long.quantile == pytest.approx(exact.mirrored().quantile(level), rel=2e-5)
            assert long.shortfall == pytest.approx(exact.mirrored().shortfall(level), rel=2e-5)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("steps", [0.3, 1, 24, 288, 8640])
def test_one_gaussian_state_is_the_normal_law(steps: float, level: float) -> None:
    found, unit = tail(single(INF, steps), [1.0], level), 0.01 * steps**0.5
    at = stats.norm.ppf(level)

    assert found.quantile == pytest.approx(unit * at, rel=1e-5)
    assert found.shortfall == pytest.approx(unit * stats.norm.pdf(at) / (1 - level), rel=2e-5)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("degrees", [2.1, 2.5, 4.0, 10.0, 60.0])
def test_one_step_of_one_state_is_its_student_law(degrees: float, level: float) -> None:
    found, at = tail(single(degrees), [1.0], level), stats.t.ppf(level, degrees)
    beyond = stats.t.pdf(at, degrees) * (degrees + at**2) / (degrees - 1) / (1 - level)

    assert found.quantile == pytest.approx(0.01 * at, rel=1e-5)
    assert found.shortfall == pytest.approx(0.01 * beyond, rel=2e-5)


def test_one_step_is_the_mixture_of_the_emissions() -> None:
    returns = GRADED._replace(degrees=np.array([3.0, 5.0, INF]))
    law, known = loss_law(returns, THREE, 1), np.array([0.5, 0.3, 0.2])
    values = np.linspace(-0.2, 0.2, 81)
    away = (values[:, None] - returns.mean) / returns.scale
    laws = [stats.t.cdf(away[:, 0], 3), stats.t.cdf(away[:, 1], 5), stats.norm.cdf(away[:, 2])]
    expected = known @ np.array(laws)

    found = [cumulative(law, known, value) for value in values]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("count", [2, 3])
def test_few_student_steps_are_the_convolution(count: int) -> None:
    """By quadrature over the first return, with the second from the closed form."""
    law = single(3.0, count, 1.0)
    points = np.linspace(-400, 400, 160_001)
    density = stats.t.pdf(points, 3) * (points[1] - points[0])
    if count == 3:
        density = signal.fftconvolve(density, density, "same")
    for value in (-9.0, -3.0, 0.5, 6.0):
        assert cumulative(law, [1.0], value) == pytest.approx(
            float(density @ stats.t.cdf(value - points, 3)), abs=3e-6
        )


@pytest.mark.parametrize("degrees", [2.1, 3.0, 5.0])
@pytest.mark.parametrize("count", [24, 288])
def test_student_sums_are_those_of_simulated_paths(degrees: float, count: int) -> None:
    """Coverage of quantiles and mean of the excess over them, within four standard errors."""
    model = Markov(
        np.array([0.2, 0.8]),
        TWO,
        CALM_AND_WILD.mean[:, None],
        np.square(CALM_AND_WILD.scale)[:, None, None],
        np.full(2, degrees),
    )
    law, paths = loss_law(state_returns(model), TWO, count), 240_000 // (count // 24)
    sums = simulated_sums(model, count, paths)
    for level in (0.9, 0.99, 0.999):
        for side, sign in (("long", -1), ("short", 1)):
            found = tail(law, model.initial, level, side)
            beyond = np.maximum(sign * sums - found.quantile, 0)
            share = (beyond > 0).mean()
            excess = (found.shortfall - found.quantile) * (1 - level)

            assert abs(share - (1 - level)) < 4 * np.sqrt(level * (1 - level) / paths)
            if degrees > 2.5:
                assert abs(beyond.mean() - excess) < 4 * beyond.std() / np.sqrt(paths)


def simulated_sums(model: Markov, count: int, paths: int) -> Floats:
    """Sums over `count` steps of many paths that start anew."""
    chance = stream(1, "loss law", count, int(10 * model.degrees[0]))
    states = (chance.random(paths) >= model.initial[0]).astype(int)
    total = np.zeros(paths)
    for _ in range(count):
        shock = chance.standard_t(model.degrees[0], paths)
        total += model.mean[states, 0] + np.sqrt(model.scale[states, 0, 0]) * shock
        states = (chance.random(paths) >= model.transition[states, 0]).astype(int)
    return total


def test_the_law_of_every_first_state_enters_in_proportion() -> None:
    law = loss_law(GRADED._replace(degrees=np.full(3, 4.0)), THREE, 24)
    known = np.array([0.2, 0.5, 0.3])
    pure = [cumulative(law, row, 0.013) for row in np.eye(3)]

    assert cumulative(law, known, 0.013) == pytest.approx(known @ pure, rel=1e-14)


@settings(max_examples=30)
@given(
    known=st.floats(0, 1),
    levels=st.tuples(st.floats(0.51, 0.999), st.floats(0.51, 0.999)),
    wild=st.floats(1.01, 8),
)
def test_losses_rise_with_the_level_and_with_the_scale(
    known: float, levels: tuple[float, float], wild: float
) -> None:
    returns = CALM_AND_WILD._replace(mean=np.zeros(2), degrees=np.full(2, 5.0))
    law = loss_law(returns, TWO, 24)
    wider = loss_law(returns._replace(scale=returns.scale * np.array([1, wild])), TWO, 24)
    low, high = sorted(levels)
    p = np.array([known, 1 - known])

    for one, other in ((tail(law, p, low), tail(law, p, high)), (tail(law, p, high), tail(wider, p, high))):
        assert other.quantile >= one.quantile - 1e-9
        assert other.shortfall >= one.shortfall - 1e-9
    assert tail(law, p, high).shortfall > tail(law, p, high).quantile


def test_units_do_not_matter() -> None:
    p, returns = [0.4, 0.6], CALM_AND_WILD._replace(degrees=np.full(2, 3.0))
    larger = StateReturns(100 * returns.mean, 100 * returns.scale, returns.degrees)
    found, scaled = (tail(loss_law(each, TWO, 24), p, 0.99) for each in (returns, larger))

    assert tuple(scaled) == pytest.approx(tuple(100 * each for each in found), rel=1e-9)


def test_a_cumulative_probability_at_a_quantile_is_its_level() -> None:
    law, p = loss_law(GRADED._replace(degrees=np.full(3, 3.0)), THREE, 24), np.array([0.7, 0.2, 0.1])
    for level in LEVELS:
        long, short = tail(law, p, level, "long"), tail(law, p, level, "short")

        assert cumulative(law, p, short.quantile) == pytest.approx(level, rel=1e-12)
        assert cumulative(law, p, -long.quantile) == pytest.approx(1 - level, rel=1e-12)
        assert tail(law, p, level) == (
            max(long.quantile, short.quantile),
            max(long.shortfall, short.shortfall),
        )


def test_outside_of_the_table_the_law_is_flat_and_nan_is_nan() -> None:
    law, p = single(4.0, 24), np.ones(1)

    assert cumulative(law, p, -1e3) == pytest.approx(0, abs=1e-4)
    assert cumulative(law, p, 1e3) == pytest.approx(1, abs=1e-4)
    assert np.isnan(cumulative(law, p, np.nan))
    assert np.isnan(cumulative_at(law, np.full(1, np.nan), 0.0))
    assert np.isnan(side_tail(law, np.full(1, np.nan), 0.99, LONG)).all()
    assert np.isnan(side_tail(law, p, 1 - 1e-9, SHORT)).all()


def test_a_fraction_of_a_step_has_its_share_of_mean_and_variance() -> None:
    returns = StateReturns(np.array([0.002]), np.array([0.01]), np.array([INF]))
    law = loss_law(returns, ONE, 2.5)
    at = stats.norm.ppf(0.99) * 0.01 * 2.5**0.5

    assert tail(law, [1.0], 0.99, "short").quantile == pytest.approx(0.005 + at, rel=1e-5)
    assert tail(law, [1.0], 0.99, "long").quantile == pytest.approx(at - 0.005, rel=1e-5)


@pytest.mark.parametrize(("calm", "stress", "understated"), [(100, 25, 0.411), (200, 50, 0.338)])
def test_a_frozen_regime_understates_a_calm_day(calm: int, stress: int, understated: float) -> None:
    """Hourly steps, stress four times as volatile; the filter gives it 2 %, and the shortcut keeps it so."""
    chain = np.array([[1 - 1 / calm, 1 / calm], [1 / stress, 1 - 1 / stress]])
    returns = StateReturns(np.zeros(2), np.array([0.004, 0.016]), np.full(2, INF))
    known = np.array([0.98, 0.02]) @ chain
    exact = tail(loss_law(returns, chain, 24), known, 0.99).quantile
    frozen = stats.norm.ppf(0.99) * (24 * known @ np.square(returns.scale)) ** 0.5

    assert 1 - frozen / exact == pytest.approx(understated, abs=0.001)
    if calm == 100:
        assert (exact, frozen) == pytest.approx((0.0927, 0.0546), abs=1e-4)


@pytest.mark.parametrize(("degrees", "count"), [(2.1, 24), (3.0, 24), (3.0, 288), (5.0, 1), (5.0, 288)])
def test_a_wider_and_finer_grid_changes_almost_nothing(
    degrees: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    returns = CALM_AND_WILD._replace(degrees=np.full(2, degrees))
    usual = loss_law(returns, TWO, count)
    for name, value in (("RARE", 1e-7), ("DEVIATIONS", 16.0), ("FINENESS", 16), ("MOST_POINTS", 2**22)):
        monkeypatch.setattr(path_sums, name, value)
    better = loss_law(returns, TWO, count)
    for level in LEVELS:
        for known in ([1.0, 0.0], [0.3, 0.7]):
            one, other = tail(usual, known, level), tail(better, known, level)

            assert tuple(one) == pytest.approx(tuple(other), rel=2e-5)


def test_a_state_too_narrow_for_the_grid_is_widened() -> None:
    """A thousand times narrower, with the heaviest tails: too careful in calm, unchanged in stress."""
    returns = StateReturns(np.zeros(2), np.array([1e-5, 0.01]), np.array([5.0, 2.1]))
    law = loss_law(returns, np.eye(2), 288)
    calm, wild = (tail(law, row, 0.99) for row in np.eye(2))
    alone = [tail(single(degrees, 288, scale), [1.0], 0.99) for degrees, scale in ((5.0, 1e-5), (2.1, 0.01))]

    assert alone[0].quantile < calm.quantile < 0.1 * wild.quantile
    assert alone[0].shortfall < calm.shortfall < 0.1 * wild.shortfall
    assert tuple(wild) == pytest.approx(tuple(alone[1]), rel=1e-5)


def test_visits_are_counted() -> None:
    expected = sum(np.linalg.matrix_power(THREE, t) for t in range(7))

    np.testing.assert_allclose(expected_visits(THREE, 7), expected, rtol=1e-13)


def test_returns_of_one_series_are_read_from_a_model() -> None:
    scale = np.array([[[4.0, 1.0], [1.0, 9.0]], [[16.0, 0.0], [0.0, 25.0]]])
    model = Markov(np.full(2, 0.5), TWO, np.array([[1.0, 2.0], [3.0, 4.0]]), scale, np.array([3.0, INF]))
    found = state_returns(model, 1)

    np.testing.assert_array_equal(found.mean, [2, 4])
    np.testing.assert_array_equal(found.scale, [3, 5])


@pytest.mark.parametrize(
    ("changes", "steps", "message"),
    [
        ({}, 0, "steps must be positive"),
        ({}, INF, "steps must be positive"),
        ({"scale": np.array([0.01, 0.0])}, 1, "scale must be positive"),
        ({"scale": np.array([0.01, np.nan])}, 1, "scale must be positive"),
        ({"mean": np.array([0.0, INF])}, 1, "mean must be finite"),
        ({"degrees": np.array([2.0, 3.0])}, 1, "degrees must be above 2"),
        ({"degrees": np.array([3.0])}, 1, "returns of 2 states need shapes"),
    ],
)
def test_what_is_no_law_is_refused(changes: dict[str, Floats], steps: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_law(CALM_AND_WILD._replace(**changes), TWO, steps)


def test_levels_and_probabilities_out_of_bounds_are_refused() -> None:
    law = single(4.0)
    for level in (0.5, 1.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=r"0\.5 < level < 1"):
            tail(law, [1.0], level)
    with pytest.raises(ValueError, match="beyond the table"):
        tail(law, [1.0], 1 - 1e-9)
    with pytest.raises(ValueError, match="probability must be 1 shares"):
        tail(law, [0.9], 0.99)
    with pytest.raises(ValueError, match="transition must hold probabilities"):
        loss_law(CALM_AND_WILD, TWO * 1.1, 1)


def test_the_compiled_tail_is_the_interpreted_one() -> None:
    law, p = loss_law(GRADED._replace(degrees=np.full(3, 4.0)), THREE, 24), np.array([0.2, 0.5, 0.3])
    for side in (LONG, SHORT):
        assert side_tail(law, p, 0.99, side) == pytest.approx(
            side_tail.py_func(law, p, 0.99, side), rel=1e-12
        )
