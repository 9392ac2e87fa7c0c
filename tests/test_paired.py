import numpy as np
import pytest
from scipy import stats

from analysis.comparisons.paired import Pairs, averaged, bootstrap_weights, moved_by, spread
from analysis.comparisons.replicates import replicated
from analysis.comparisons.statistic import parse_statistic
from sim.streams import stream

NAN = float("nan")


def heavy(seeds: int, combinations: int = 1) -> Pairs:
    """Losses with a heavy tail under two policies whose worlds agree."""
    draws = stream(3, "losses").standard_normal((3, seeds, combinations))
    return Pairs.of(np.exp(draws[0] + 0.4 * draws[1]), 0.8 * np.exp(draws[0] + 0.4 * draws[2]))


def statistic(text: str):
    return parse_statistic(text).towards("higher")


def test_a_run_without_its_partner_is_left_out_on_both_sides() -> None:
    pairs = Pairs.of(np.array([[1, 2], [NAN, 4], [NAN, NAN]]), np.array([[5, NAN], [6, 7], [8, 9]]))

    assert pairs.seeds == 2
    assert np.array_equal(pairs.baseline, [[1, NAN], [NAN, 4]], equal_nan=True)
    assert np.array_equal(pairs.alternative, [[5, NAN], [NAN, 7]], equal_nan=True)


def test_a_combination_without_pairs_does_not_count() -> None:
    pairs = Pairs.of(np.array([[1.0, NAN], [2.0, NAN]]), np.array([[3.0, 1.0], [4.0, 1.0]]))

    assert pairs.baseline.shape == (2, 1)


def test_other_axes_are_averaged_over_after_the_statistic() -> None:
    values = np.array([[1.0, 10.0], [3.0, NAN], [8.0, 30.0]])

    assert averaged(values, np.ones((1, 3)), statistic("median"))[0] == (3.0 + 20.0) / 2
    assert averaged(values, np.array([[0.0, 2.0, 1.0]]), statistic("mean"))[0] == pytest.approx(
        (14 / 3 + 30) / 2
    )
    assert averaged(values, np.array([[0.0, 3.0, 0.0]]), statistic("mean"))[0] == 3.0


def test_every_resample_draws_as_many_seeds_and_equal_seeds_draw_alike() -> None:
    weights = bootstrap_weights(7, 50, 20)

    assert weights.shape == (50, 20)
    assert (weights.sum(axis=1) == 20).all()
    assert np.array_equal(weights, stream(7, "bootstrap", 20).multinomial(20, [0.05] * 20, size=50))
    assert not np.array_equal(weights, bootstrap_weights(8, 50, 20))


def test_the_standard_error_of_a_mean_is_that_of_the_textbook() -> None:
    values = heavy(40).baseline
    ones = np.ones((1, 40))

    assert spread(moved_by(values, ones, statistic("mean")), ones)[0] == pytest.approx(
        stats.sem(values[:, 0])
    )


def test_points_of_a_seed_ride_along() -> None:
    single = heavy(40)
    doubled = Pairs.of(np.hstack([single.baseline] * 2), np.hstack([single.alternative] * 2))
    weights = bootstrap_weights(0, 100, 40)
    for text in ("mean", "var95", "es95"):
        once, twice = (replicated(each, weights, statistic(text)).absolute for each in (single, doubled))

        assert twice.values == pytest.approx(once.values)
        assert twice.errors == pytest.approx(once.errors, nan_ok=True)


@pytest.mark.parametrize("text", ["mean", "median", "var95", "es95", "p(> 2)"])
def test_resampled_differences_spread_as_those_of_scipy(text) -> None:
    pairs, asked = heavy(64), statistic(text)
    ours = replicated(pairs, bootstrap_weights(0, 4000, 64), asked).absolute.values

    def gap(first, second, axis):
        ones = np.ones((1, 64))
        rows = zip(np.atleast_2d(first), np.atleast_2d(second), strict=True)
        return np.squeeze(
            [averaged(y[:, None], ones, asked) - averaged(x[:, None], ones, asked) for x, y in rows]
        )

    theirs = stats.bootstrap(
        (pairs.baseline[:, 0], pairs.alternative[:, 0]), gap, paired=True, n_resamples=2000, method="basic",
        rng=stream(1, "oracle"),
    )  # fmt: skip

    assert ours.std() == pytest.approx(float(theirs.standard_error), rel=0.1)


def test_a_large_table_is_cut_into_stretches_without_a_trace(monkeypatch) -> None:
    pairs, weights = heavy(30, 2), bootstrap_weights(0, 64, 30)
    whole = replicated(pairs, weights, statistic("es95"))
    monkeypatch.setattr("analysis.comparisons.paired.CELLS", 200)
    parts = replicated(pairs, weights, statistic("es95"))

    assert parts.absolute.values == pytest.approx(whole.absolute.values)
    assert parts.relative.errors == pytest.approx(whole.relative.errors)


def test_a_change_from_nothing_to_something_is_endless_and_from_nothing_to_nothing_none() -> None:
    pairs = Pairs.of(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]]))
    weights = np.array([[2.0, 0.0], [1.0, 1.0]])

    assert replicated(pairs, weights, statistic("mean")).relative.values.tolist() == [0.0, -0.5]
    assert replicated(
        Pairs.of(pairs.alternative * 0, pairs.baseline), weights, statistic("mean")
    ).relative.values[1] == float("inf")
