"""The passes of the fit against the plain filter, on samples that leave the range of numbers."""

import numpy as np
import pytest
from hidden_chains import drawn, planted

from agents.models.filtering import filter_states
from agents.models.observations import Observations, read_observations
from agents.models.parameters import Markov
from agents.models.smoothing import expect, moments
from protocol.book import Floats

pytestmark = pytest.mark.kernel


def smoothed_plainly(sample: Observations, model: Markov) -> Floats:
    """Smoothed probabilities from filtered and predicted ones, backward (Kim's recursion)."""
    known = filter_states(sample, model)
    out = known.probability.copy()
    for t in range(len(out) - 2, -1, -1):
        moves = np.linalg.matrix_power(model.transition, int(sample.gaps[sample.step[t + 1]]))
        share = out[t + 1] / np.maximum(known.predicted[t + 1], 1e-300)
        out[t] = known.probability[t] * (moves @ share)
    return out


@pytest.mark.parametrize("degrees", [np.inf, 4.0])
@pytest.mark.parametrize(("states", "series"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_long_wild_samples_are_passed_as_by_the_filter(states: int, series: int, degrees: float) -> None:
    """Values of a thousand deviations, holes, gaps and calm thousands: sums leave the range both ways."""
    model = planted(states, series, degrees)
    values, _ = drawn(model, 3000, "wild", states, series)
    values[::500] *= 1000
    values[1000:2000] *= 1e-3
    values[7::50, 0], values[9::70] = np.nan, np.nan
    sample = read_observations(values, 1 + (np.arange(3000) % 400 > 380))
    found = expect(sample, model)

    assert found.log_likelihood == pytest.approx(filter_states(sample, model).log_likelihood, rel=1e-12)
    np.testing.assert_allclose(found.smoothed, smoothed_plainly(sample, model), atol=1e-9)
    np.testing.assert_allclose(found.smoothed.sum(axis=1), 1, atol=1e-11)
    np.testing.assert_allclose(found.transitions.sum(), 2999, rtol=1e-11)


@pytest.mark.parametrize("degrees", [np.inf, 4.0])
def test_moments_are_sums_over_times(degrees: float) -> None:
    """Runs of every length from one up, so that rows are taken by fours and singly."""
    model = planted(3, 2, degrees)
    values, _ = drawn(model, 400, "runs")
    values[np.cumsum(np.arange(1, 27)), 0] = np.nan
    sample = read_observations(values)
    smoothed = expect(sample, model).smoothed
    found = moments(sample, model, smoothed)
    for p, there in enumerate(sample.observed):
        rows = sample.pattern == p
        scale = model.scale[:, there][:, :, there]
        away = values[rows][:, None, there] - model.mean[:, there]
        square = np.einsum("tki,kij,tkj->tk", away, np.linalg.inv(scale), away)
        weight = np.ones_like(square) if np.isinf(degrees) else (4 + there.sum()) / (4 + square)
        share = smoothed[rows]

        np.testing.assert_allclose(found.occupancy[p], share.sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.tail[p], (share * (np.log(weight) - weight)).sum(axis=0), rtol=1e-12)
        expected = np.einsum("tk,tm->km", share * weight, sample.features[rows])
        np.testing.assert_allclose(found.weighted[p], expected, rtol=1e-10, atol=1e-10)
