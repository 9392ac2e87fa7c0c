"""Baum–Welch: it never loses likelihood, finds what was planted, and says what it cannot do."""

import numpy as np
import pytest
from hidden_chains import drawn, planted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma as reference_digamma

from agents.models.baum_welch import Effort, climb, verdict
from agents.models.hmm import HMM, Kind
from agents.models.maximisation import UNPENALISED, Form, Penalty, digamma, resolve
from agents.models.observations import read_observations
from agents.models.parameters import Markov, check_parameters, stationary_law
from agents.models.starts import starting_models
from protocol.book import Floats

SHORT = Effort(starts=2, iterations=15)
ERRORS = 3.0


@settings(max_examples=25)
@given(
    values=st.lists(st.floats(-3, 3) | st.just(np.nan), min_size=12, max_size=40),
    states=st.integers(1, 3),
    student=st.booleans(),
    weight=st.sampled_from([0.05, None]),
    strength=st.sampled_from([0.0, 10.0]),
)
def test_an_iteration_never_lowers_the_penalised_likelihood(
    values: list[float], states: int, student: bool, weight: float | None, strength: float
) -> None:
    known = np.array(values)[~np.isnan(values)]
    if len(known) < 8 or np.ptp(known) < 1e-3:
        return
    sample = read_observations(values)
    prior = resolve(Penalty(weight, 0.05, 5.0, strength), sample, states)
    for start in starting_models(sample, states, student, 3):
        found = climb(sample, start, prior, Form(), Effort(tolerance=-np.inf, iterations=20))

        assert found.reason == "iterations"
        assert np.diff(found.history).min() > -1e-9 * np.abs(found.history).max()


@pytest.mark.parametrize("degrees", [np.inf, 5.0])
@pytest.mark.parametrize("form", [Form(), Form(diagonal=True), Form(shared_degrees=True)])
def test_series_with_holes_and_gaps_are_climbed_too(degrees: float, form: Form) -> None:
    model = planted(2, 3, degrees)
    values, _ = drawn(model, 300, "holes")
    values[::7, 0], values[3::11, 1:], values[5::13] = np.nan, np.nan, np.nan
    sample = read_observations(values, 1 + np.arange(300) % 3)
    prior = resolve(Penalty(), sample, 2)
    start = starting_models(sample, 2, np.isfinite(degrees), 1)[0]
    found = climb(sample, start, prior, form, Effort(tolerance=-np.inf, iterations=30))

    assert found.reason == "iterations"
    assert np.diff(found.history).min() > -1e-9 * np.abs(found.history).max()
    check_parameters(found.parameters)
    assert (len(set(found.parameters.degrees)) == 1) == (form.shared_degrees or np.isinf(degrees))


def test_a_fit_with_gaps_is_a_fit_with_missing_rows() -> None:
    model = planted(2)
    values, _ = drawn(model, 400, "irregular")
    values[10::9], values[11::27] = np.nan, np.nan
    kept = ~np.isnan(values[:, 0])
    gaps = np.diff(np.flatnonzero(kept), prepend=-1)
    dense, sparse = HMM(2, "gaussian", effort=SHORT), HMM(2, "gaussian", effort=SHORT)
    dense.fit(values, start=model)
    sparse.fit(values[kept], gaps, start=model)

    for one, other in zip(dense.parameters_, sparse.parameters_, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize(
    ("kind", "degrees", "series"), [("gaussian", np.inf, 1), ("student_t", 5.0, 1), ("gaussian", np.inf, 2)]
)
def test_planted_parameters_are_found_within_three_standard_errors(
    kind: Kind, degrees: float, series: int
) -> None:
    """About 17 numbers at 3 errors: a false alarm in about one seed of twenty; the seed is fixed."""
    truth = planted(2, series, degrees)
    values, _ = drawn(truth, 6000, "recovery")
    model = HMM(2, kind, penalty=UNPENALISED, effort=Effort(tolerance=1e-9, iterations=1000)).fit(values)
    errors = model.standard_errors(values)

    assert model.convergence_.agreeing == 1.0
    for name in ("transition", "mean", "scale"):
        found, error = getattr(model.parameters_, name), getattr(errors, name)
        away = np.abs(found - getattr(truth, name)) / error
        assert (away < ERRORS).all(), (name, away)
        assert (error > 0).all()
        assert (away > 1e-3).any()
    if kind == "student_t":
        assert (np.abs(model.parameters_.degrees - 5) < ERRORS * errors.degrees).all()


def test_standard_errors_are_those_of_a_mean_and_a_variance() -> None:
    """With one state they are known: σ/√n, and √(2/n)·σ²."""
    values = drawn(planted(1), 2000, "one")[0]
    model = HMM(1, "gaussian", penalty=UNPENALISED).fit(values)
    errors = model.standard_errors(values)
    variance = values.var()

    assert model.parameters_.scale[0, 0, 0] == pytest.approx(variance, rel=1e-12)
    assert errors.mean[0, 0] == pytest.approx(np.sqrt(variance / 2000), rel=1e-3)
    assert errors.scale[0, 0, 0] == pytest.approx(variance * np.sqrt(2 / 2000), rel=1e-3)
    assert np.isnan(errors.degrees).all()


def test_states_come_out_in_the_order_of_volatility() -> None:
    truth = planted(3)
    values, _ = drawn(truth, 3000, "order")
    start = truth.permuted(np.array([2, 0, 1]))
    shuffled = HMM(3, "gaussian").fit(values, start=start)
    sorted_ = HMM(3, "gaussian").fit(values, start=truth)

    assert (np.diff(shuffled.parameters_.volatility[:, 0]) > 0).all()
    for one, other in zip(shuffled.parameters_, sorted_.parameters_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(shuffled.smoothed_, sorted_.smoothed_, atol=1e-6)


def test_levels_can_order_the_states() -> None:
    truth = planted(2)._replace(mean=np.array([[5.0], [-5.0]]))
    values, _ = drawn(truth, 500, "levels")

    assert (np.diff(HMM(2, "gaussian", order="level").fit(values).parameters_.mean[:, 0]) > 0).all()
    assert (np.diff(HMM(2, "gaussian").fit(values).parameters_.mean[:, 0]) < 0).all()


def test_the_penalty_keeps_a_state_from_sitting_on_one_point() -> None:
    values = np.append(drawn(planted(1), 200, "point")[0][:, 0], 9.0)
    start = planted(2)._replace(mean=np.array([[0.0], [9.0]]), scale=np.array([[[1.0]], [[1e-3]]]))
    kept = HMM(2, "gaussian").fit(values, start=start).parameters_

    with pytest.raises(
        ValueError, match="a climb must end at a maximum, and all 1 broke down; add a penalty"
    ):
        HMM(2, "gaussian", penalty=UNPENALISED).fit(values, start=start)
    assert kept.volatility.min() > 0.04


def test_the_prior_lengthens_stays() -> None:
    values = drawn(planted(1), 300, "sticky")[0]
    free = HMM(2, "gaussian", penalty=Penalty(strength=0)).fit(values)
    sticky = HMM(2, "gaussian", penalty=Penalty(dwell=50, strength=1000)).fit(values)

    assert sticky.parameters_.dwell == pytest.approx([50, 50], rel=0.3)
    assert free.parameters_.dwell.min() < 10


def test_the_report_tells_when_it_did_not_arrive() -> None:
    values, _ = drawn(planted(2), 500, "report")
    cut = HMM(2, "gaussian", effort=Effort(starts=3, iterations=2)).fit(values).convergence_
    full = HMM(2, "gaussian").fit(values).convergence_

    assert (cut.reason, cut.iterations, cut.converged) == ("iterations", 2, False)
    assert full.converged
    assert len(full.objective) == 8
    assert 0 <= full.change < 1e-6


@pytest.mark.parametrize("kind", ["gaussian", "student_t"])
def test_a_state_that_explains_nothing_stays_where_it_was(kind: Kind) -> None:
    values, _ = drawn(planted(1), 200, "empty")
    degrees = np.full(2, np.inf if kind == "gaussian" else 50.0)
    far = planted(2)._replace(initial=np.array([1.0, 0.0]), transition=np.eye(2), degrees=degrees)
    found = HMM(2, kind, penalty=UNPENALISED).fit(values, start=far).parameters_

    np.testing.assert_array_equal(found.mean[1], far.mean[1])
    np.testing.assert_array_equal(found.scale[1], far.scale[1])
    assert found.mean[0, 0] == pytest.approx(values.mean(), abs=0.01)


@pytest.mark.parametrize(
    ("history", "reason"),
    [([-10.0], None), ([-10.0, -10.001], "fell"), ([-10.0, -10.0], "converged"), ([-10.0, -9.0], None)],
)
def test_a_fall_is_no_convergence(history: list[float], reason: str | None) -> None:
    assert verdict(history, Effort()) == reason


def test_fits_are_the_same_each_time() -> None:
    values, _ = drawn(planted(2), 500, "same")
    one, other = (HMM(2, effort=SHORT).fit(values) for _ in range(2))

    assert all((a == b).all() for a, b in zip(one.parameters_, other.parameters_, strict=True))


@pytest.mark.parametrize(
    ("values", "states", "rule"),
    [
        (np.ones(50), 2, "a series must vary to be fitted, got 50 equal values in series 0"),
        (np.array([1.0]), 1, "1 states need at least 2 observations, got 1"),
        (np.full(10, np.nan), 2, "2 states need at least 4 observations, got 0"),
        (np.array([1.0, 2.0, 3.0]), 3, "3 states need at least 6 observations, got 3"),
        (np.column_stack([np.arange(20.0), np.full(20, np.nan)]), 2, "got 0 equal values in series 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(values: Floats, states: int, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        HMM(states, "gaussian").fit(values)


def test_a_fraction_of_a_step_is_refused_in_fits() -> None:
    with pytest.raises(ValueError, match=r"a fit needs gaps of whole steps; choose a shorter step, got 0.5"):
        HMM(1, "gaussian").fit([1.0, 2.0, 4.0], [1.0, 0.5, 1.0])


def test_a_model_is_fitted_before_it_is_used() -> None:
    with pytest.raises(ValueError, match="must be fitted, or its parameters_ set"):
        HMM(2).score([1.0])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            {"transition": np.array([[0.5, 0.6], [0.5, 0.5]])},
            "transition must hold probabilities that sum to 1",
        ),
        ({"degrees": np.array([2.0, 5.0])}, "degrees must be above 2"),
        ({"scale": np.array([[[1.0]], [[-1.0]]])}, "scale must be symmetric and positive definite"),
        ({"mean": np.array([[0.0], [np.nan]])}, "mean must be finite"),
    ],
)
def test_what_is_no_model_is_refused(change: dict[str, Floats], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_parameters(planted(2)._replace(**change))


def test_samples_have_the_law_of_the_model() -> None:
    model = Markov(
        np.array([1.0, 0.0]),
        np.array([[0.9, 0.1], [0.3, 0.7]]),
        np.array([[0.0], [5.0]]),
        np.array([[[1.0]], [[4.0]]]),
        np.array([np.inf, 6.0]),
    )
    values, states = drawn(model, 100_000, "law")

    assert states[0] == 0
    assert (states == 1).mean() == pytest.approx(stationary_law(model.transition)[1], abs=0.01)
    assert values[states == 1].var() == pytest.approx(model.covariance[1, 0, 0], rel=0.05)
    assert values[states == 0].std() == pytest.approx(1.0, rel=0.02)


@pytest.mark.kernel
def test_digamma_is_that_of_scipy() -> None:
    points = np.geomspace(0.05, 1000, 200)

    np.testing.assert_allclose(
        [digamma(x) for x in points], reference_digamma(points), rtol=1e-11, atol=1e-12
    )
