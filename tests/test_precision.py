"""Enough seeds: the half-width against scipy, and how many seeds to add."""

import math

import numpy as np
import pytest
from scipy import stats

from sim.streams import stream
from sim.sweeps.precision import half_width, seeds_wanted


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_half_width_is_that_of_students_interval(level: float) -> None:
    values = stream(1, "half width").normal(5.0, 2.0, size=12)
    low, high = stats.t.interval(level, 11, loc=values.mean(), scale=stats.sem(values))

    assert half_width(values, level) == pytest.approx((high - low) / 2)


def test_a_half_width_by_hand() -> None:
    assert half_width(np.array([1.0, 3.0]), 0.95) == pytest.approx(12.7062, abs=1e-4)


def test_runs_without_a_value_are_left_out() -> None:
    values = np.array([1.0, math.nan, 3.0, math.nan])

    assert half_width(values, 0.95) == half_width(np.array([1.0, 3.0]), 0.95)


@pytest.mark.parametrize("values", [[], [1.0], [math.nan, 2.0], [math.nan] * 3])
def test_fewer_than_two_values_say_nothing(values: list[float]) -> None:
    assert half_width(np.array(values), 0.95) == math.inf


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    samples = stream(2, "coverage").normal(size=(2000, 8))
    covered = sum(abs(sample.mean()) <= half_width(sample, 0.9) for sample in samples)

    assert abs(covered / 2000 - 0.9) < 4 * math.sqrt(0.9 * 0.1 / 2000)


@pytest.mark.parametrize(
    ("widths", "seeds", "wanted"),
    [
        ([1.0, 2.0], 10, 10),
        ([2.0, 2.1], 10, 12),
        ([2.0, 2.0001], 10, 11),
        ([3.0], 10, 20),
        ([300.0], 10, 20),
        ([math.inf, 1.0], 10, 20),
        ([300.0], 30, 40),
        ([300.0], 40, 40),
        ([300.0], 1, 2),
        ([], 10, 10),
    ],
)
def test_seeds_grow_by_the_widest_interval_at_most_twofold(
    widths: list[float], seeds: int, wanted: int
) -> None:
    assert seeds_wanted(widths, seeds, until=2.0, most=40) == wanted
