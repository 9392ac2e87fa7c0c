from itertools import product

import numpy as np
import pytest
from scipy import stats

from analysis.comparisons.family import holm
from analysis.comparisons.paired import Pairs, averaged
from analysis.comparisons.statistic import parse_statistic
from analysis.comparisons.swaps import swap_p, swapped_differences
from sim.streams import stream


def statistic(text: str):
    return parse_statistic(text).towards("higher")


def every_swap(pairs: Pairs, asked) -> np.ndarray:
    """Sizes of the difference under all ways of trading names."""
    sizes = []
    for swaps in product([False, True], repeat=pairs.seeds):
        traded = np.array(swaps)[:, None]
        first = np.where(traded, pairs.alternative, pairs.baseline)
        second = np.where(traded, pairs.baseline, pairs.alternative)
        one = np.ones((1, pairs.seeds))
        sizes.append(abs(float((averaged(second, one, asked) - averaged(first, one, asked))[0])))
    return np.array(sizes)


@pytest.mark.parametrize("text", ["mean", "median", "var75", "es80", "p(> 1)"])
def test_random_swaps_agree_with_all_swaps(text) -> None:
    draws = stream(5, "pairs").standard_normal((2, 8, 2))
    draws[0, 3, 1] = np.nan
    pairs, asked = Pairs.of(draws[0], draws[1] + 0.8), statistic(text)
    drawn, everything = swapped_differences(pairs, asked), every_swap(pairs, asked)
    observed = float(everything[0])

    assert np.isin(np.round(drawn, 9), np.round(everything, 9)).all()
    assert swap_p(observed, drawn) == pytest.approx(swap_p(observed, everything), abs=0.02)


def test_the_mid_p_value_of_a_probability_is_mcnemars() -> None:
    first = np.array([1.0] * 8 + [0.0] * 2 + [1.0] * 10)[:, None]
    second = np.array([0.0] * 8 + [1.0] * 2 + [1.0] * 10)[:, None]
    pairs = Pairs.of(first, second)
    mid_p = 2 * stats.binom.cdf(1, 10, 0.5) + stats.binom.pmf(2, 10, 0.5)

    assert swap_p(-0.3, swapped_differences(pairs, statistic("p(> 0)"))) == pytest.approx(mid_p, abs=0.006)


def test_the_p_value_of_a_mean_is_that_of_scipys_permutation_test() -> None:
    draws = stream(6, "pairs").standard_normal((2, 40))
    pairs = Pairs.of(draws[0][:, None], draws[1][:, None] + 0.3)
    theirs = stats.permutation_test(
        (pairs.alternative[:, 0], pairs.baseline[:, 0]), lambda x, y: x.mean() - y.mean(),
        permutation_type="samples", n_resamples=10_000, rng=stream(2, "oracle"),
    )  # fmt: skip

    assert swap_p(theirs.statistic, swapped_differences(pairs, statistic("mean"))) == pytest.approx(
        theirs.pvalue, abs=0.01
    )


def test_the_largest_difference_of_all_is_rare_but_possible_and_none_is_certain() -> None:
    drawn = np.array([1.0, 2.0, 3.0, 2.0])

    assert swap_p(9.0, drawn) == 0.5 / 5
    assert swap_p(-3.0, drawn) == 1.0 / 5
    assert swap_p(2.0, drawn) == 2.5 / 5
    assert swap_p(0.0, drawn) == 1.0


def test_equal_seeds_swap_alike() -> None:
    pairs = Pairs.of(np.arange(6.0)[:, None], np.arange(6.0)[::-1][:, None])
    first, again, other = (swapped_differences(pairs, statistic("mean"), seed, 20) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_holms_correction_of_a_textbook_example() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005, 1.0])
    tested = np.array([True, True, True, True, False])

    assert holm(p, tested) == pytest.approx([0.03, 0.06, 0.06, 0.02, 1.0])


def test_holm_keeps_false_alarms_of_a_whole_family_below_five_per_cent() -> None:
    """Ten uniform p-values a thousand times: 5 % are expected; above 7.5 % once in 5,000 seeds."""
    draws = stream(4, "p").random((1000, 10))
    alarms = sum((holm(p, np.ones(10, dtype=bool)) < 0.05).any() for p in draws)
    uncorrected = sum((p < 0.05).any() for p in draws)

    assert alarms < 75
    assert uncorrected > 350
