"""Spill-over between markets: found where it was planted, not where it was not."""

import pytest
from ties import markets, run

from analysis.comparisons.intervals import Drawing
from analysis.spillover import fallen_share, forced_share, spillover
from sim.streams import stream

DRAWING = Drawing(resamples=500, swaps=500)


def pairs(lift: float, seeds: int = 24):
    """Pairs whose second run liquidates more in B by `lift`, in the mean, with noise of the same size."""
    draw = stream(5, "pairs")
    base = draw.uniform(10, 200, seeds)
    extra = lift + draw.normal(0, 20, seeds)
    return [
        (run(seed, markets=markets(base[seed])), run(seed, markets=markets(base[seed] + extra[seed])))
        for seed in range(seeds)
    ]


def test_shares_by_hand() -> None:
    """In A 400 were liquidated of 1,000, and 240 and 160 fell; in B 90 of 500, and 90 fell."""
    made = run()

    assert forced_share(made, "A") == forced_share(run(markets=markets(7.0)), "A") == 0.4
    assert forced_share(made, "B") == fallen_share(made, "B") == 90 / 500
    assert fallen_share(made, "A") == 0.4


def test_what_was_deleveraged_was_closed_by_force_too() -> None:
    rows = markets().assign(deleveraged_usd=25.0)

    assert forced_share(run(markets=rows), "B") == (90 + 4 * 25) / 500


def test_a_planted_spill_over_is_found_and_the_other_market_is_equal() -> None:
    table = spillover(pairs(lift=50.0), "A", DRAWING).set_index("market")

    assert table.loc["B", "low"] > 0
    assert table.loc["B", "p"] < 0.05
    assert table.loc["B", "low"] < 0.1 < table.loc["B", "high"]
    assert table.loc["A", ["difference", "low", "high", "p"]].tolist() == [0, 0, 0, 1]
    assert table["shocked"].tolist() == [True, False]
    assert table["seeds"].tolist() == [24, 24]


def test_noise_is_no_spill_over() -> None:
    table = spillover(pairs(lift=0.0), "A", DRAWING).set_index("market")

    assert table.loc["B", "low"] <= 0 <= table.loc["B", "high"]
    assert table.loc["B", "p"] > 0.05


def test_another_measure_can_be_asked_for() -> None:
    table = spillover(pairs(lift=50.0), "A", DRAWING, share=fallen_share)

    assert (table["difference"] == 0).all()


def test_pairs_must_match() -> None:
    with pytest.raises(ValueError, match="same seed and markets, got 1"):
        spillover([(run(1), run(2)), (run(3), run(3))], "A")
    with pytest.raises(ValueError, match=r"two different seeds, got \[1, 1\]"):
        spillover([(run(1), run(1))] * 2, "A")
    with pytest.raises(ValueError, match="must be one of"):
        spillover([(run(1), run(1)), (run(2), run(2))], "C")
