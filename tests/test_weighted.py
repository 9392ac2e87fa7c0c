import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.comparisons.statistic import parse_statistic
from analysis.comparisons.weighted import estimates, influences

NUMBERS = st.lists(
    st.tuples(st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(0, 4)), min_size=1, max_size=30
).filter(lambda pairs: any(weight for _, weight in pairs))


def shortfall(values: np.ndarray, share: float) -> float:
    """Mean of the largest share of some values, the last of them counted with what is left."""
    left, total = share * len(values), 0.0
    for value in sorted(values, reverse=True):
        total += min(left, 1.0) * value
        left = max(left - 1.0, 0.0)
    return total / (share * len(values))


def weighted(text: str, worse: str, values: list[float], weights: list[int]) -> float:
    statistic = parse_statistic(text).towards(worse)
    return float(estimates(np.array(values, dtype=float), np.array([weights], dtype=float), statistic)[0])


@given(
    NUMBERS, st.sampled_from(["median", "var95", "q10", "q90", "var75"]), st.sampled_from(["higher", "lower"])
)
def test_a_quantile_is_numpys_of_the_repeated_values(pairs, text, worse) -> None:
    values, weights = zip(*pairs, strict=True)
    statistic = parse_statistic(text).towards(worse)
    share = 1 - statistic.share if statistic.tail == "lower" else statistic.share
    expected = np.quantile(np.repeat(values, weights), share)

    assert weighted(text, worse, values, weights) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(NUMBERS, st.sampled_from(["es95", "es60"]))
def test_a_shortfall_is_the_mean_of_the_worst_repeated_values(pairs, text) -> None:
    values, weights = zip(*pairs, strict=True)
    repeated, share = np.repeat(values, weights), 1 - parse_statistic(text).share

    assert weighted(text, "higher", values, weights) == pytest.approx(shortfall(repeated, share), abs=1e-5)
    assert weighted(text, "lower", values, weights) == pytest.approx(-shortfall(-repeated, share), abs=1e-5)


def test_the_shortfall_of_64_runs_is_the_mean_of_the_worst_three_and_a_fifth() -> None:
    values = np.arange(64.0)

    assert weighted("es95", "higher", values, [1] * 64) == pytest.approx((63 + 62 + 61 + 0.2 * 60) / 3.2)
    assert weighted("es95", "lower", values, [1] * 64) == pytest.approx((0 + 1 + 2 + 0.2 * 3) / 3.2)


def test_means_and_probabilities_count_repeated_runs() -> None:
    assert weighted("mean", "", [1.0, 4.0, 10.0], [2, 1, 0]) == 2.0
    assert weighted("p(> 1)", "", [1.0, 4.0, 10.0], [2, 1, 0]) == pytest.approx(1 / 3)
    assert weighted("p(< 5)", "", [1.0, 4.0, 10.0], [2, 1, 0]) == 1.0


@pytest.mark.parametrize("text", ["mean", "median", "es95", "p(> 0)"])
def test_nothing_is_known_of_no_runs(text) -> None:
    assert np.isnan(weighted(text, "higher", [1.0, 2.0], [0, 0]))


@pytest.mark.parametrize(
    ("text", "worse"), [("mean", ""), ("p(> 3)", ""), ("es80", "higher"), ("es80", "lower")]
)
def test_an_influence_is_what_a_little_more_weight_of_a_run_does(text, worse) -> None:
    statistic = parse_statistic(text).towards(worse)
    values, weights = np.array([5.0, 1.0, 9.0, 3.0, 7.5, 2.0, 11.0]), np.array([[1.0, 2, 1, 3, 1, 1, 2]])
    moved = influences(values, weights, statistic)[0]
    more = weights + 1e-6 * np.eye(7)
    slope = (estimates(values, more, statistic) - estimates(values, weights, statistic)) / 1e-6

    assert moved == pytest.approx(slope * weights.sum(), rel=1e-4, abs=1e-4)
    assert float(moved @ weights[0]) == pytest.approx(0.0, abs=1e-9)
