"""Cascades as waves, and the tails of their sizes: planted laws are found, others are not."""

import numpy as np
import pytest
from test_cascades import chain, star

from analysis.waves import _against, _hill, reproduction, tail_fit
from sim.streams import stream


def test_reproduction_is_each_generation_over_the_one_before() -> None:
    assert reproduction(chain().volume)[:2] == pytest.approx([0.48, 0.375])
    assert reproduction(star().volume)[0] == pytest.approx(0.285)
    assert np.isnan(reproduction(np.array([0.0, 0.0]))).all()


def pareto(exponent: float, count: int, seed: int) -> np.ndarray:
    """Sizes above 1000 with a density that falls as this power."""
    return 1000.0 * (1 - stream(seed, "pareto").random(count)) ** (-1 / (exponent - 1))


@pytest.mark.parametrize("exponent", [1.8, 2.5, 3.2])
def test_a_planted_power_law_lies_within_its_interval(exponent: float) -> None:
    inside = 0
    for seed in range(10):
        body = 1000.0 * stream(seed, "body").random(500)
        found = tail_fit(np.concatenate([body, pareto(exponent, 1000, seed)]), seed)
        inside += found.low <= exponent <= found.high

    assert inside >= 7
    assert found.exponent == pytest.approx(exponent, rel=0.15)


def lognormal(seed: int) -> np.ndarray:
    """Sizes without a power law."""
    found: np.ndarray = np.exp(stream(seed, "lognormal").normal(10, 0.5, 5000))
    return found


def test_a_lognormal_is_told_from_a_power_law_in_every_world() -> None:
    """Even beyond the threshold that suits the power law best; a coin would do it once in 1024."""
    assert all(tail_fit(lognormal(seed), seed).against_lognormal < 0 for seed in range(10))


def test_over_all_of_its_upper_half_a_lognormal_is_told_beyond_doubt() -> None:
    sizes = np.sort(lognormal(3))
    threshold = float(np.median(sizes))
    tail = sizes[sizes >= threshold]

    assert _against(tail, threshold, _hill(tail, threshold)) < -5


@pytest.mark.parametrize("exponent", [1.8, 2.5, 3.2])
def test_a_power_law_is_not_taken_for_a_lognormal(exponent: float) -> None:
    """Beyond −2 in none of ten worlds; one that is a power law would come there in one of fifty."""
    found = [tail_fit(pareto(exponent, 1000, seed), seed).against_lognormal for seed in range(10)]

    assert min(found) > -2


def test_of_few_sizes_no_tail_is_told() -> None:
    with pytest.raises(ValueError, match="got 49"):
        tail_fit(pareto(2.0, 49, 1))
    with pytest.raises(ValueError, match="got 0"):
        tail_fit(np.zeros(200))
