import math

import numpy as np
import pytest

from analysis.comparisons.difference import difference
from analysis.comparisons.intervals import Drawing, Estimate, of_probabilities, of_probability
from analysis.comparisons.paired import Pairs
from analysis.comparisons.statistic import parse_statistic
from sim.streams import stream

SEEDS = 64
DRAWING = Drawing(resamples=400, swaps=999)


def statistic(text: str, worse: str = "higher"):
    return parse_statistic(text).towards(worse)


def worlds(count: int, seeds: int, together: float, factor: float = 1.0) -> list[Pairs]:
    """Pairs of zero-inflated, heavy-tailed losses: half of the runs have none, the rest are lognormal.

    With `factor` 1 the two policies are exchangeable; otherwise the second loses that much of it.
    """
    draws = stream(2024, "worlds", seeds, round(100 * together)).standard_normal((count, 3, seeds, 1))
    shared, own = math.sqrt(together) * draws[:, 0], math.sqrt(1 - together)
    first, second = (np.maximum(np.exp(1.2 * (shared + own * draws[:, i])) - 1, 0) for i in (1, 2))
    return [Pairs.of(one, factor * two) for one, two in zip(first, second, strict=True)]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("text", ["mean", "median", "var95", "es95", "p(> 0)"])
def test_under_the_null_the_interval_covers_zero_in_93_to_97_per_cent_of_1000_comparisons(text) -> None:
    """95 % are expected; an exact method leaves the band once in 250 draws of the thousand worlds."""
    found = [
        difference(pairs, statistic(text), Drawing(seed=i, resamples=100, swaps=999))
        for i, pairs in enumerate(worlds(1000, SEEDS, 0.7))
    ]
    covered = sum(each.absolute.holds(0.0) for each in found)

    assert 930 <= covered <= 970
    assert all(each.absolute.holds(0.0) == (each.p >= 0.05) for each in found)


@pytest.mark.parametrize("text", ["mean", "es95"])
def test_under_the_null_an_interval_seldom_excludes_zero(text) -> None:
    """Two hundred comparisons: 95 % are expected to cover, and fewer than 180 do once in 500 draws."""
    covered = sum(
        difference(pairs, statistic(text), DRAWING).absolute.holds(0.0) for pairs in worlds(200, SEEDS, 0.9)
    )

    assert covered >= 180


@pytest.mark.parametrize(
    ("text", "least"), [("mean", 0.84), ("es95", 0.84), ("var95", 0.88), ("p(> 0.5)", 0.9)]
)
def test_a_true_difference_lies_in_the_interval_about_as_often_as_told(text, least) -> None:
    """Of heavy tails, 64 seeds show too little for 95 %: about 90 % are expected, with a spread of 2 %."""
    many = worlds(1, 400_000, 0.7, factor=0.5)[0]
    truth = difference(many, statistic(text), Drawing(resamples=2, swaps=2)).absolute.value
    held = [
        difference(each, statistic(text), DRAWING).absolute.holds(truth)
        for each in worlds(200, SEEDS, 0.7, 0.5)
    ]

    assert least <= np.mean(held) <= 0.995


def test_a_planted_difference_is_found() -> None:
    """A policy that halves all losses in nearly the same worlds: nine of ten comparisons show it."""
    found = [difference(pairs, statistic("mean"), DRAWING) for pairs in worlds(100, SEEDS, 0.95, factor=0.5)]

    assert np.mean([each.p < 0.05 and each.absolute.high <= 0 for each in found]) > 0.9


@pytest.mark.parametrize("text", ["median", "p(> 0)"])
def test_pairing_narrows_an_interval_as_much_as_it_says(text) -> None:
    """Told against found in 150 comparisons with common worlds and without; both vary by a few per cent."""
    paired, apart = (
        [difference(each, statistic(text), DRAWING) for each in worlds(150, 200, together)]
        for together in (0.9, 0.0)
    )
    told = float(np.median([each.pairing for each in paired]))
    real = np.std([each.absolute.value for each in apart]) / np.std([each.absolute.value for each in paired])

    assert told > 1.5
    assert told == pytest.approx(real, rel=0.15)
    assert float(np.median([each.pairing for each in apart])) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("text", ["mean", "median", "var95", "es95", "p(> 0)"])
@pytest.mark.parametrize("values", [np.zeros(40), np.full(40, 7.0), np.arange(40.0)])
def test_policies_that_did_the_same_differ_by_nothing_at_all(text, values) -> None:
    found = difference(Pairs.of(values[:, None], values[:, None]), statistic(text), DRAWING)

    assert found.absolute == found.relative == Estimate(0.0, 0.0, 0.0)
    assert (found.p, found.moved) == (1.0, 0)
    assert found.pairing == (
        math.inf if found.baseline.high > found.baseline.low and len(set(values)) > 1 else 1.0
    )


@pytest.mark.parametrize("text", ["mean", "median", "var95", "es95"])
def test_a_difference_that_is_the_same_in_every_seed_is_known_exactly(text) -> None:
    values = np.arange(40.0)[:, None]
    found = difference(Pairs.of(values, values + 50), statistic(text), DRAWING)

    assert (found.absolute.low, found.absolute.value, found.absolute.high) == pytest.approx((50, 50, 50))
    assert found.p < 0.001


def test_a_shortfall_of_less_than_one_run_still_has_an_interval() -> None:
    found = difference(worlds(1, 10, 0.7, 0.5)[0], statistic("es95"), DRAWING)

    assert found.baseline.low < found.baseline.value
    assert found.absolute.low < found.absolute.value < found.absolute.high


def test_the_lower_tail_of_a_balance_mirrors_the_upper_tail_of_a_loss() -> None:
    pairs = worlds(1, SEEDS, 0.7, 0.5)[0]
    mirrored = Pairs.of(-pairs.baseline, -pairs.alternative)
    for text in ("var95", "es95"):
        loss = difference(pairs, statistic(text), DRAWING)
        balance = difference(mirrored, statistic(text, "lower"), DRAWING)

        assert balance.absolute.value == pytest.approx(-loss.absolute.value)
        assert balance.absolute.low == pytest.approx(-loss.absolute.high)
        assert balance.alternative.high == pytest.approx(-loss.alternative.low, abs=0.5)


def test_an_interval_of_losses_ends_at_zero_and_one_of_profits_too() -> None:
    rare = np.concatenate([np.zeros(60), [1e3, 1e3, 2e3, 9e6]])[:, None]
    loss, profit = (
        difference(Pairs.of(sign * rare, sign * rare[::-1]), statistic("es95", worse), DRAWING).baseline
        for sign, worse in ((1, "higher"), (-1, "lower"))
    )

    assert loss.low == profit.high == 0.0
    assert loss.high > 2 * loss.value


def test_a_relative_change_is_taken_over_the_size_of_the_baseline() -> None:
    loss = worlds(1, SEEDS, 0.9, 0.5)[0]
    profit = Pairs.of(-loss.baseline, -loss.alternative)
    found = [difference(pairs, statistic("mean"), DRAWING) for pairs in (loss, profit)]

    assert found[0].relative.value == pytest.approx(found[0].absolute.value / found[0].baseline.value)
    assert found[1].relative.value == pytest.approx(-found[0].relative.value)
    assert found[0].relative.low < found[0].relative.value < found[0].relative.high <= 0


def test_there_is_no_relative_change_from_nothing() -> None:
    values = np.arange(40.0)[:, None]

    assert math.isnan(difference(Pairs.of(values * 0, values), statistic("mean"), DRAWING).relative.value)


def test_one_seed_shows_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2 seeds with a run of both policies are needed, got 1"):
        difference(Pairs.of(np.ones((1, 3)), np.zeros((1, 3))), statistic("mean"), DRAWING)


def test_an_interval_is_cut_or_widened_to_agree_with_the_test() -> None:
    assert Estimate(2.0, -1.0, 5.0).settled(True) == Estimate(2.0, 0.0, 5.0, without_zero=True)
    assert Estimate(-2.0, -5.0, 1.0).settled(True).ends == (-5.0, -math.ulp(0.0))
    assert Estimate(2.0, 1.0, 3.0).settled(False) == Estimate(2.0, 0.0, 3.0)
    assert Estimate(2.0, 0.0, 3.0).holds(0.0)
    assert not Estimate(2.0, -1.0, 5.0).settled(True).holds(0.0)


def test_the_interval_of_a_probability_is_agresti_and_coulls() -> None:
    estimate = of_probability(np.array([1.0] * 15 + [0.0] * 85), DRAWING)
    z = DRAWING.z
    centre = (15 + z**2 / 2) / (100 + z**2)
    half = z * math.sqrt(centre * (1 - centre) / (100 + z**2))

    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (0.15, centre - half, centre + half)
    )
    assert of_probability(np.zeros(64), DRAWING).high == pytest.approx(0.068, abs=0.001)


def test_the_interval_of_two_probabilities_is_bonett_and_prices() -> None:
    estimate = of_probabilities(np.array([1.0] * 8 + [-1.0] * 2 + [0.0] * 40), DRAWING)
    up, down = 9 / 52, 3 / 52
    half = DRAWING.z * math.sqrt((up + down - (up - down) ** 2) / 52)

    assert (estimate.low, estimate.high) == pytest.approx((up - down - half, up - down + half))
    assert estimate.value == pytest.approx(0.12)
