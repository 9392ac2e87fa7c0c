"""Sums that fade: by hand, and bit for bit against scipy's filter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from agents.models.fading import _fade, fading_sum
from sim.streams import stream

pytestmark = pytest.mark.kernel


def test_a_half_is_left_after_every_step() -> None:
    assert fading_sum(np.array([8.0, 0.0, 1.0, 0.0]), 0.5).tolist() == [8.0, 4.0, 3.0, 1.5]


@given(
    keep=st.floats(-1.0, 1.0), count=st.integers(1, 300), markets=st.integers(0, 3), seed=st.integers(0, 99)
)
def test_it_has_the_bits_of_a_filter(keep: float, count: int, markets: int, seed: int) -> None:
    additions = stream(seed, "test", "fading").standard_normal((count, markets) if markets else count)
    given_before = additions.copy()

    found = fading_sum(additions, keep)

    assert found.tobytes() == lfilter([1.0], [1.0, -keep], additions, axis=0).tobytes()
    assert additions.tobytes() == given_before.tobytes()


def test_columns_of_a_transposed_array_are_summed_along_the_first_axis() -> None:
    additions = stream(1, "test", "fading").standard_normal((3, 40)).T

    found = fading_sum(additions, 0.9)

    assert np.array_equal(found, lfilter([1.0], [1.0, -0.9], additions, axis=0))


def test_the_kernel_agrees_with_its_plain_python() -> None:
    plain = stream(2, "test", "fading").standard_normal((50, 2))
    compiled = plain.copy()

    _fade.py_func(plain, 0.7)  # type: ignore[attr-defined]
    _fade(compiled, 0.7)

    assert plain.tobytes() == compiled.tobytes()
