"""Exponential and logarithm of arithmetic alone, beside those of the C library."""

import numpy as np
import pytest

from agents.models.elementary import exponential, logarithm
from protocol.book import Floats
from protocol.kernels import kernel
from sim.streams import stream

pytestmark = pytest.mark.kernel
COUNT, ACCURACY = 200_000, 1e-15


@kernel
def tabulate(points: Floats, powers: Floats, logs: Floats) -> None:
    """Write both functions of many points."""
    for t in range(len(points)):
        powers[t] = exponential(points[t])
        logs[t] = logarithm(points[t])


def table(points: Floats) -> tuple[Floats, Floats]:
    """Both functions of many points."""
    powers, logs = np.empty_like(points), np.empty_like(points)
    tabulate(points, powers, logs)
    return powers, logs


@pytest.mark.parametrize("widest", [1e-8, 1.0, 30.0, 699.0])
def test_the_exponential_is_that_of_numpy(widest: float) -> None:
    points = stream(1, "exponential").uniform(-widest, widest, COUNT)

    np.testing.assert_allclose(table(points)[0], np.exp(points), rtol=ACCURACY)


@pytest.mark.parametrize("widest", [1e-8, 0.4, 30.0, 690.0])
def test_the_logarithm_is_that_of_numpy(widest: float) -> None:
    """The narrowest range lies around one, where a logarithm loses digits that a difference cancels."""
    points = np.exp(stream(1, "logarithm").uniform(-widest, widest, COUNT))

    np.testing.assert_allclose(table(points)[1], np.log(points), rtol=ACCURACY)


def test_beyond_its_range_the_exponential_is_held_below_and_infinite_above() -> None:
    powers, _ = table(np.array([-np.inf, -1e9, -701.0, 701.0, 1e9, np.inf, np.nan, 0.0]))

    assert powers[:3] == pytest.approx(np.exp(-700.0))
    assert (powers[3:6] == np.inf).all()
    assert np.isnan(powers[6])
    assert powers[7] == 1


def test_infinity_and_what_is_no_number_pass_the_logarithm() -> None:
    _, logs = table(np.array([1.0, np.inf, np.nan]))

    np.testing.assert_array_equal(logs, [0.0, np.inf, np.nan])
