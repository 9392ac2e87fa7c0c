"""The filter and the smoother against enumeration of every path, and what must not change them."""

from itertools import pairwise

import numpy as np
import pytest
from hidden_chains import drawn, path_probabilities, planted
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.models.decoding import decode_states
from agents.models.emissions import emissions
from agents.models.filtering import filter_states, filter_step
from agents.models.observations import read_observations
from agents.models.parameters import Markov, transition_over
from agents.models.smoothing import expect
from protocol.book import Floats

pytestmark = pytest.mark.kernel
HOLES = [(0, 1), (2, 0), (2, 1), (4, 0)]


def holed(values: Floats) -> Floats:
    """Two series of which one value or both are missing now and then."""
    out = values.copy()
    for t, i in HOLES:
        out[t, i] = np.nan
    return out


@pytest.mark.parametrize("degrees", [np.inf, 4.0])
@pytest.mark.parametrize("complete", [True, False])
def test_filter_smoother_and_decoder_equal_the_sum_over_all_paths(degrees: float, complete: bool) -> None:
    model = planted(3, 2, degrees, stay=0.7)
    values, _ = drawn(model, 6, "paths")
    values = values if complete else holed(values)
    sample, paths = read_observations(values), path_probabilities(model, values)
    total = sum(paths.values())
    smoothed = np.zeros((6, 3))
    for path, probability in paths.items():
        smoothed[np.arange(6), path] += probability / total
    best = max(paths, key=lambda path: paths[path])
    found, decoded = expect(sample, model), decode_states(sample, model)
    known = filter_states(sample, model)

    assert known.log_likelihood == pytest.approx(np.log(total), rel=1e-12)
    assert found.log_likelihood == pytest.approx(np.log(total), rel=1e-12)
    np.testing.assert_allclose(found.smoothed, smoothed, atol=1e-12)
    np.testing.assert_allclose(known.probability[-1], smoothed[-1], atol=1e-12)
    assert tuple(decoded.states) == best
    assert decoded.log_probability == pytest.approx(np.log(paths[best]), rel=1e-12)


def test_expected_moves_equal_the_sum_over_all_paths() -> None:
    model = planted(2, stay=0.7)
    values, _ = drawn(model, 7, "moves")
    paths = path_probabilities(model, values)
    expected = np.zeros((2, 2))
    for path, probability in paths.items():
        for i, j in pairwise(path):
            expected[i, j] += probability / sum(paths.values())

    np.testing.assert_allclose(expect(read_observations(values), model).transitions[0], expected, atol=1e-12)


def test_the_streaming_step_is_the_filter() -> None:
    model = planted(3, degrees=5.0)
    values, _ = drawn(model, 200, "stream")
    values[50:60] = np.nan
    sample = read_observations(values)
    known = filter_states(sample, model)
    law, work = emissions(model, np.ones((1, 1), bool)), np.empty((2, 3))
    probability, total = known.probability[0].copy(), known.increment[0]
    for row in values[1:]:
        total += filter_step(probability, row, model.transition, law, work)

    np.testing.assert_allclose(probability, known.probability[-1], atol=1e-14)
    assert total == pytest.approx(known.log_likelihood, rel=1e-13)


@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-10, 10))
def test_units_do_not_matter(scale: float, shift: float) -> None:
    model = planted(2, 2, degrees=5.0)
    values, _ = drawn(model, 100, "units")
    other = model._replace(mean=scale * (model.mean + shift), scale=scale**2 * model.scale)
    known = filter_states(read_observations(values), model)
    changed = filter_states(read_observations(scale * (values + shift)), other)

    np.testing.assert_allclose(changed.probability, known.probability, atol=1e-8)
    assert changed.log_likelihood == pytest.approx(known.log_likelihood - 200 * np.log(scale), abs=1e-6)


@given(order=st.permutations(range(3)))
def test_a_permutation_of_the_states_permutes_everything(order: list[int]) -> None:
    model, chosen = planted(3), np.array(order)
    values, _ = drawn(model, 100, "names")
    sample = read_observations(values)
    other = model.permuted(chosen)

    known, changed = filter_states(sample, model), filter_states(sample, other)
    assert changed.log_likelihood == pytest.approx(known.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(changed.probability, known.probability[:, chosen], atol=1e-13)
    moves = expect(sample, model).transitions[0][np.ix_(chosen, chosen)]
    np.testing.assert_allclose(expect(sample, other).transitions[0], moves, atol=1e-10)
    np.testing.assert_array_equal(
        chosen[decode_states(sample, other).states], decode_states(sample, model).states
    )


def test_a_gap_is_as_many_missing_rows() -> None:
    model = planted(3)
    values, _ = drawn(model, 60, "gaps")
    full = values.copy()
    full[[5, 6, 20, 21, 22, 40]] = np.nan
    kept = ~np.isnan(full[:, 0])
    gaps = np.diff(np.flatnonzero(kept), prepend=-1)
    dense, sparse = read_observations(full), read_observations(full[kept], gaps)

    assert expect(sparse, model).log_likelihood == pytest.approx(
        expect(dense, model).log_likelihood, rel=1e-13
    )
    np.testing.assert_allclose(
        expect(sparse, model).smoothed, expect(dense, model).smoothed[kept], atol=1e-12
    )
    known = filter_states(dense, model)
    np.testing.assert_allclose(filter_states(sparse, model).probability, known.probability[kept], atol=1e-12)


def test_two_halves_of_a_step_make_a_step() -> None:
    transition = planted(3).transition
    half = transition_over(transition, 0.5)

    np.testing.assert_allclose(half @ half, transition, atol=1e-12)
    np.testing.assert_allclose(transition_over(transition, 1.5), half @ transition, atol=1e-12)


def test_a_chain_without_a_generator_has_no_half_step() -> None:
    with pytest.raises(ValueError, match=r"a gap of 0\.5 steps needs a chain with a generator"):
        transition_over(np.array([[0.2, 0.8], [0.8, 0.2]]), 0.5)


def test_an_impossible_observation_does_not_break_the_filter() -> None:
    """Of two states that never change only the narrow one is possible; the value is 100 deviations off."""
    model = Markov(
        np.array([1.0, 0.0]), np.eye(2), np.zeros((2, 1)), np.array([[[1.0]], [[1e4]]]), np.full(2, np.inf)
    )
    values = np.array([0.0, 100.0, 0.0])
    sample = read_observations(values)
    expected = -0.5 * (3 * np.log(2 * np.pi) + 100.0**2)

    assert filter_states(sample, model).log_likelihood == pytest.approx(expected, rel=1e-12)
    assert expect(sample, model).log_likelihood == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(expect(sample, model).smoothed, [[1.0, 0.0]] * 3, atol=1e-15)


def test_the_filter_never_looks_ahead() -> None:
    model = planted(2)
    values, _ = drawn(model, 100, "future")
    other = values.copy()
    other[50:] *= 7
    known, changed = (filter_states(read_observations(each), model) for each in (values, other))

    np.testing.assert_array_equal(known.probability[:50], changed.probability[:50])
    assert not np.allclose(known.probability[50:], changed.probability[50:])


@settings(max_examples=30)
@given(values=st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=30))
def test_probabilities_stay_probabilities(values: list[float]) -> None:
    known = filter_states(read_observations(values), planted(3))

    np.testing.assert_allclose(known.probability.sum(axis=1), 1, atol=1e-12)
    assert np.isfinite(known.log_likelihood)


@pytest.mark.parametrize(
    ("values", "gaps", "rule"),
    [
        ([], None, "must not be empty"),
        ([1.0, np.inf], None, "must not be infinite, as at row 1"),
        (np.zeros((3, 5)), None, r"with D from 1 to 4, got \(3, 5\)"),
        ([1.0, 2.0], [1.0, 0.0], "gaps must be positive and finite, got 0.0 at row 1"),
        ([1.0, 2.0], [1.0], r"gaps must have the shape \(2,\), got \(1,\)"),
    ],
)
def test_what_is_no_sample_is_refused(values: list[float], gaps: list[float] | None, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        read_observations(values, gaps)
