"""The extreme-value check: planted tails are recovered, tails that are too short or all alike are refused."""

import numpy as np
import pytest
from scipy import stats

from analysis.comparisons.intervals import Drawing
from analysis.extremes import beyond, exceedances_of, fit_rows, fit_tail
from sim.streams import stream

SCALE = 2e6
DRAWING = Drawing(seed=3)


def planted(shape: float, runs: int = 400, seed: int = 1, idle: float = 0.0) -> np.ndarray:
    """Losses of a generalised Pareto law; a share of the runs lost nothing."""
    losses = stats.genpareto.ppf(stream(seed, "losses").random(runs), shape, scale=SCALE)
    return np.where(stream(seed, "idle").random(runs) < idle, 0.0, losses)


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3, 0.8])
def test_a_planted_shape_lies_in_its_interval_nearly_always(shape: float) -> None:
    """Of 8 samples at least 6; with 95 % intervals fewer than 6 have a chance of 1 in 170."""
    held = [
        fit.shape.low <= shape <= fit.shape.high
        for fit in (fit_tail(planted(shape, 400, seed), DRAWING) for seed in range(8))
    ]

    assert sum(held) >= 6


def test_a_heavy_tail_is_told_from_an_exponential_one() -> None:
    heavy, exponential = fit_tail(planted(0.8, 1000)), fit_tail(planted(0.0, 1000))

    assert heavy.shape.low > 0
    assert "a power law" in heavy.verdict
    assert exponential.shape.low < 0 < exponential.shape.high
    assert "not ruled out" in exponential.verdict


def test_the_fit_is_the_maximum_that_scipy_finds() -> None:
    excess = np.sort(planted(0.4, 60))[None]
    shape, scale = fit_rows(excess)
    best = stats.genpareto.logpdf(excess[0], shape[0], scale=scale[0]).sum()
    theirs = stats.genpareto.fit(excess[0], floc=0)

    assert best >= stats.genpareto.logpdf(excess[0], theirs[0], scale=theirs[2]).sum() - 1e-6
    assert shape[0] == pytest.approx(theirs[0], abs=2e-3)
    assert scale[0] == pytest.approx(theirs[2], rel=5e-3)


def test_fits_do_not_care_about_the_unit() -> None:
    excess = planted(0.4, 60)[None]
    shape, scale = fit_rows(excess)
    other, larger = fit_rows(excess * 1e3)

    assert other[0] == pytest.approx(shape[0])
    assert larger[0] == pytest.approx(1e3 * scale[0])


def test_high_quantiles_agree_with_the_planted_law_and_with_runs() -> None:
    losses = planted(0.3, 1000)
    found = beyond(losses, fit_tail(losses, DRAWING), 0.99, DRAWING)
    var = stats.genpareto.ppf(0.99, 0.3, scale=SCALE)
    es = var + (SCALE + 0.3 * var) / 0.7

    assert found.var.low <= var <= found.var.high
    assert found.es.low <= es <= found.es.high
    assert found.var.value == pytest.approx(np.quantile(losses, 0.99), rel=0.15)
    assert found.var.value < found.es.value


def test_runs_without_a_loss_only_count_among_the_runs() -> None:
    """With six in ten runs idle, the 99 % quantile is that of 97.5 % of the others."""
    losses = planted(0.3, 1500, idle=0.6)
    tail = fit_tail(losses, DRAWING)
    found = beyond(losses, tail, 0.99, DRAWING)
    var = stats.genpareto.ppf(1 - 0.01 / 0.4, 0.3, scale=SCALE)

    assert tail.exceedances == 150
    assert tail.threshold > 0
    assert tail.shape.low <= 0.3 <= tail.shape.high
    assert found.var.low <= var <= found.var.high


@pytest.mark.parametrize(
    ("losses", "number"),
    [
        (np.arange(32.0), 8),
        (np.arange(200.0), 30),
        (np.arange(1000.0), 100),
        (np.concatenate((np.zeros(976), np.arange(1.0, 25.0))), 12),
        (np.zeros(500), 0),
        (np.zeros(0), 0),
    ],
)
def test_the_tail_is_a_tenth_of_the_runs_and_never_their_bulk(losses: np.ndarray, number: int) -> None:
    assert exceedances_of(losses) == number


def test_a_short_tail_is_refused_with_how_short_it_is() -> None:
    losses = np.concatenate((np.zeros(976), planted(0.3, 24)))
    tail = fit_tail(losses)

    assert not tail.fitted
    assert tail.verdict == "the tail is too short to fit: 12 of 30 exceedances needed"
    assert np.isnan(beyond(losses, tail, 0.99).var.value)


def test_constant_losses_are_refused() -> None:
    assert fit_tail(np.full(400, 5.0)).verdict == "the tail is too short to fit: 0 of 30 exceedances needed"
    alike = fit_tail(np.concatenate((np.zeros(300), np.arange(40.0), np.full(60, 1e6))))

    assert not alike.fitted
    assert "alike" in alike.verdict


def test_losses_must_be_finite() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        fit_tail(np.array([1.0, np.nan]))


def test_a_tail_of_two_heaps_is_rejected_and_a_true_one_seldom_is() -> None:
    """Ten true samples; more than two rejections at 5 % have a chance of 1 in 85."""
    heaps = np.concatenate((np.zeros(850), 1e6 + planted(0.0, 75) * 1e-3, 9e6 + planted(0.0, 75, 2) * 1e-3))
    rejected = [fit_tail(planted(0.2, 400, seed), DRAWING).p < 0.05 for seed in range(10)]

    assert fit_tail(heaps, DRAWING).p < 0.05
    assert "rejected" in fit_tail(heaps, DRAWING).verdict
    assert sum(rejected) <= 2


def test_a_level_below_the_threshold_is_not_extrapolated_to() -> None:
    losses = planted(0.3, 1000)

    assert np.isnan(beyond(losses, fit_tail(losses), 0.8).es.value)
    assert np.isfinite(beyond(losses, fit_tail(losses), 0.9).var.value)


def test_a_tail_without_a_mean_has_an_infinite_shortfall_and_says_so() -> None:
    losses = planted(1.6, 1000)
    tail = fit_tail(losses)

    assert beyond(losses, tail, 0.99).es.value == np.inf
    assert "its mean may be infinite" in tail.verdict


def test_equal_seeds_give_equal_numbers() -> None:
    losses = planted(0.3)

    assert fit_tail(losses, DRAWING) == fit_tail(losses[::-1], DRAWING)
    assert beyond(losses, fit_tail(losses), 0.99, DRAWING) == beyond(losses, fit_tail(losses), 0.99, DRAWING)
