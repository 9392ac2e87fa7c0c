"""The loop between mood and price: its gain as a number, and what a large one does to volatility."""

import numpy as np
import pytest
from small import calm

from analysis.loop_gain import loop_gain
from sim.configuration import Scenario
from sim.run import run

CROWD = (
    "agents.retail.accounts=3000",
    "agents.retail.equity_sigma=1",
    "agents.retail.attention=50",
    "agents.retail.herding=2",
    "world.share=0.3",
    "world.sentiment.half_life=2h",
    "clock.duration=90m",
)
GAIN = 40.0


def loop(gain: float, *settings: str) -> Scenario:
    return calm(*CROWD, f"world.sentiment.gain={gain}", *settings)


def volatility(gain: float, *settings: str) -> float:
    """Root mean square of half-hour returns of bitcoin outside, over three seeds."""
    found = []
    for seed in (1, 2, 3):
        tables = run(loop(gain, *settings), seed).tables
        outside = tables["markets"].query("market == 'BTC'")["outside"].to_numpy()
        found.append(np.diff(np.log(outside[29::30])))
    return float(np.sqrt(np.mean(np.square(found))))


@pytest.mark.long
@pytest.mark.slow
def test_the_gain_is_that_of_the_settings_times_what_the_crowd_moves() -> None:
    found = loop_gain(loop(GAIN), (1, 2), at=900, horizon=3600)

    assert found.of_returns == pytest.approx(GAIN, rel=1e-3)
    assert found.of_sentiment > 0.01
    assert found.gain == pytest.approx(GAIN * found.of_sentiment, rel=1e-3)
    assert found.gain - 2 * found.error > 0.5


@pytest.mark.parametrize(
    ("gain", "cut"),
    [
        (GAIN, ("world.impact.coefficient=0",)),
        (GAIN, ("agents.retail.herding=0", "agents.retail.enthusiasm=0")),
        (0.0, ()),
    ],
)
def test_a_loop_that_is_cut_anywhere_has_no_gain(gain: float, cut: tuple[str, ...]) -> None:
    assert loop_gain(loop(gain, "clock.duration=30m", *cut), (1,), at=600, horizon=900).gain == 0


@pytest.mark.long
@pytest.mark.slow
def test_a_large_gain_makes_the_market_wilder_and_a_small_one_does_not() -> None:
    none, small, large = (volatility(gain) for gain in (0.0, 2.0, GAIN))

    assert large > 1.6 * none
    assert small == pytest.approx(none, rel=0.25)


def test_without_impact_no_mood_makes_the_market_wilder() -> None:
    no_impact = "world.impact.coefficient=0"

    assert volatility(GAIN, no_impact) == volatility(0.0, no_impact)
