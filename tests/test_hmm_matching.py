"""States matched across refits: permutations are found, a new state stands out."""

from itertools import permutations

import numpy as np
import pytest
from hidden_chains import drawn, planted
from scipy.integrate import quad
from scipy.stats import norm

from agents.models.baum_welch import Effort
from agents.models.hmm import HMM
from agents.models.matching import divergences, match_states
from agents.models.parameters import Markov
from protocol.book import Floats

ALARM = 0.35


def refitted(model: Markov, start: Markov, name: str) -> Markov:
    """Three states fitted to a fresh path of a model, in whatever order the climb from the start leaves."""
    values = drawn(model, 3000, name)[0]
    fitted = HMM(3, "gaussian", effort=Effort(starts=1), order="level").fit(values, start=start)
    return fitted.parameters_


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_permutation_is_found(order: tuple[int, ...]) -> None:
    model = planted(3, 2, degrees=5.0)
    found = match_states(model, model.permuted(np.array(order)))

    np.testing.assert_array_equal(np.array(order)[found.order], range(3))
    np.testing.assert_allclose(found.divergence, 0, atol=1e-12)


def test_a_refit_of_the_same_world_is_near_and_put_in_order() -> None:
    """Ordered by levels that do not differ, the states of the refit come out in any order."""
    truth = planted(3, stay=0.98)._replace(mean=np.zeros((3, 1)))
    one = refitted(truth, truth, "first")
    other = refitted(truth, truth, "second").permuted(np.array([1, 2, 0]))
    found = match_states(one, other)

    assert found.farthest < 0.2 * ALARM
    assert other.permuted(found.order).volatility == pytest.approx(one.volatility, rel=0.2)


def test_a_state_that_was_not_there_before_stands_out_alone() -> None:
    old = planted(3)
    mean = old.mean + np.array([[0.0], [0.0], [60.0]])
    found = match_states(old, old._replace(mean=mean).permuted(np.array([2, 1, 0])))

    assert found.farthest == found.divergence[2] > ALARM
    np.testing.assert_allclose(found.divergence[:2], 0, atol=1e-12)
    np.testing.assert_array_equal(found.order, [2, 1, 0])


def test_a_world_with_a_new_wild_state_alarms_after_a_refit() -> None:
    truth = planted(3, stay=0.98)
    wilder = truth._replace(scale=truth.scale * np.array([1.0, 1.0, 9.0])[:, None, None])
    old, same, new = (
        refitted(*each) for each in ((truth, truth, "a"), (truth, truth, "b"), (wilder, truth, "c"))
    )

    assert match_states(old, same).farthest < 0.2 * ALARM
    assert match_states(old, new).farthest > ALARM
    assert match_states(old, new).divergence[:2].max() < ALARM


def density_divergence(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By quadrature, between normal laws with a mean and a standard deviation."""

    def integrand(x: float) -> float:
        ratio = norm.logpdf(x, *one) - norm.logpdf(x, *other)
        return float((norm.pdf(x, *one) - norm.pdf(x, *other)) * ratio)

    return float(quad(integrand, -40, 40, limit=400, points=[-5, 0, 5])[0])


def normal(rows: list[tuple[float, float]]) -> Markov:
    mean, deviation = (np.array(each) for each in zip(*rows, strict=True))
    unit = np.full(len(rows), 1 / len(rows))
    scale: Floats = deviation[:, None, None] ** 2
    return Markov(unit, np.tile(unit, (len(rows), 1)), mean[:, None], scale, np.full(len(rows), np.inf))


def test_divergences_are_those_of_the_densities() -> None:
    old, new = [(0.0, 1.0), (0.5, 2.0)], [(0.2, 1.5), (-1.0, 0.7)]
    expected = [[density_divergence(one, other) for other in new] for one in old]

    np.testing.assert_allclose(divergences(normal(old), normal(new)), expected, rtol=1e-6)


def single(model: Markov, series: int) -> Markov:
    """One series of a model."""
    return model._replace(mean=model.mean[:, [series]], scale=model.scale[:, [series]][:, :, [series]])


def test_divergences_add_over_independent_series_and_do_not_depend_on_units() -> None:
    one, other = planted(2, 3), planted(2, 3)._replace(mean=np.ones((2, 3)))
    turn = np.array([[2.0, 0.3, 0.0], [0.0, 0.5, 0.1], [0.4, 0.0, 3.0]])
    moved = [
        each._replace(mean=each.mean @ turn.T, scale=turn @ each.scale @ turn.T) for each in (one, other)
    ]
    independent = [each._replace(scale=each.scale * np.eye(3)) for each in (one, other)]
    parts = [divergences(*(single(each, i) for each in independent)) for i in range(3)]

    np.testing.assert_allclose(divergences(*moved), divergences(one, other), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(divergences(*independent), sum(parts), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("growth", "expected"), [(1.5, 0.347), (2.0, 1.125)])
def test_the_scale_of_divergences_is_as_stated(growth: float, expected: float) -> None:
    old = planted(2)

    assert match_states(old, old._replace(scale=growth**2 * old.scale)).divergence[0] == pytest.approx(
        expected, abs=1e-3
    )


def test_different_numbers_of_states_are_refused() -> None:
    with pytest.raises(ValueError, match=r"to be matched, got \(2, 1\) and \(3, 1\)"):
        match_states(planted(2), planted(3))
