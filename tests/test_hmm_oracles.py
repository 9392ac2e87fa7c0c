"""Fits equal those of hmmlearn and statsmodels from the same start."""

from typing import Any

import numpy as np
import pytest
from hidden_chains import drawn, planted

from agents.models.baum_welch import Effort
from agents.models.hmm import HMM
from agents.models.maximisation import UNPENALISED, Form
from agents.models.parameters import Markov
from protocol.book import Floats

ITERATIONS = 20
pytestmark = pytest.mark.kernel


def theirs(start: Markov, diagonal: bool, implementation: str) -> Any:
    """hmmlearn's model with priors off, at the start."""
    oracle = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed")
    model = oracle.GaussianHMM(
        start.states,
        "diag" if diagonal else "full",
        min_covar=0,
        covars_prior=0,
        covars_weight=0 if diagonal else start.series,
        init_params="",
        n_iter=ITERATIONS,
        tol=-np.inf,
        implementation=implementation,
    )
    model.startprob_, model.transmat_, model.means_ = start.initial, start.transition, start.mean
    model.n_features = start.series
    model.covars_ = np.einsum("kii->ki", start.scale) if diagonal else start.scale
    return model


def moved(model: Markov, diagonal: bool) -> Markov:
    """A start some way off the model."""
    scale = 1.7 * model.scale * (np.eye(model.series) if diagonal else 1.0)
    return model._replace(mean=model.mean + 0.2, scale=scale)


@pytest.mark.parametrize("implementation", ["scaling", "log"])
@pytest.mark.parametrize(
    ("states", "series", "diagonal"), [(2, 1, True), (3, 1, False), (3, 2, False), (4, 4, True)]
)
def test_a_fit_equals_that_of_hmmlearn(states: int, series: int, diagonal: bool, implementation: str) -> None:
    truth = planted(states, series)
    values, _ = drawn(truth, 1500, "oracle", states, series)
    start = moved(truth, diagonal)
    other = theirs(start, diagonal, implementation).fit(values)
    form, effort = Form(diagonal=diagonal), Effort(tolerance=-np.inf, iterations=ITERATIONS)
    ours = HMM(states, "gaussian", form, UNPENALISED, effort).fit(values, start=start)
    found = ours.parameters_

    assert ours.convergence_.iterations == ITERATIONS
    assert ours.log_likelihood_ == pytest.approx(other.score(values), rel=1e-8)
    np.testing.assert_allclose(ours.smoothed_, other.predict_proba(values), atol=1e-8)
    np.testing.assert_allclose(found.transition, other.transmat_, atol=1e-8)
    np.testing.assert_allclose(found.mean, other.means_, atol=1e-8)
    np.testing.assert_allclose(found.scale, other.covars_, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(ours.decode(values).states, other.predict(values))


def test_the_filter_equals_that_of_statsmodels() -> None:
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    truth = planted(2, stay=0.95)
    values, _ = drawn(truth, 800, "switching")
    switching = MarkovRegression(values[:, 0], k_regimes=2, trend="c", switching_variance=True)
    stay = truth.transition[0, 0], truth.transition[1, 0]
    point = np.array([*stay, *truth.mean[:, 0], *truth.scale[:, 0, 0]])
    other = switching.smooth(point)
    ours = HMM(2, "gaussian")
    ours.parameters_ = truth._replace(initial=_after_stationary(truth))
    known = ours.filter(values)

    assert known.log_likelihood == pytest.approx(other.llf, rel=1e-8)
    np.testing.assert_allclose(known.probability, other.filtered_marginal_probabilities, atol=1e-8)
    np.testing.assert_allclose(ours.smooth(values), other.smoothed_marginal_probabilities, atol=1e-8)


def _after_stationary(model: Markov) -> Floats:
    values, vectors = np.linalg.eig(model.transition.T)
    law = np.real(vectors[:, np.argmax(values.real)])
    return law / law.sum()


def test_a_maximum_is_one_of_statsmodels_too() -> None:
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    values, _ = drawn(planted(2, stay=0.95), 3000, "maximum")
    other = MarkovRegression(values[:, 0], k_regimes=2, trend="c", switching_variance=True).fit(disp=False)
    ours = HMM(2, "gaussian", penalty=UNPENALISED, effort=Effort(tolerance=1e-13, iterations=3000)).fit(
        values
    )
    order = np.argsort(other.params[4:])
    found = ours.parameters_

    np.testing.assert_allclose(found.mean[:, 0], other.params[2:4][order], atol=2e-3)
    np.testing.assert_allclose(found.scale[:, 0, 0], other.params[4:][order], rtol=2e-3)
    stays = np.diagonal(other.regime_transition[:, :, 0])[order]
    np.testing.assert_allclose(np.diagonal(found.transition), stays, atol=2e-3)
