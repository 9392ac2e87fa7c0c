"""The loop between mood and price: what a return does to sentiment, times what sentiment does to returns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.impact_response import twins
from sim.configuration import Scenario
from sim.world_settings import PriceJump, SentimentJump

Floats = NDArray[np.float64]

RETURN = 0.01
JUMP = 1.0


@dataclass(frozen=True)
class LoopGain:
    """The two halves of the loop, means over seeds.

    Attributes
    ----------
    of_returns : float
        Rise of the process behind sentiment at once by a planted log return of 1 [1].
    of_sentiment : float
        Log return over the horizon by a planted rise of 1 of that process, the loop held open [1].
    spread : float
        Standard error of `of_sentiment` over the seeds [1].
    """

    of_returns: float
    of_sentiment: float
    spread: float

    @property
    def gain(self) -> float:
        """Their product: what is added to a return on its first way round the loop [1].

        Where moves last, returns add up to 1 / (1 − gain) times the news, and without end from 1 on.
        """
        return self.of_returns * self.of_sentiment

    @property
    def error(self) -> float:
        """Standard error of the gain [1]."""
        return abs(self.of_returns) * self.spread


def loop_gain(scenario: Scenario, seeds: Sequence[int], at: int, horizon: int) -> LoopGain:
    """Gain of the loop of a scenario, from twin runs with a planted return and a planted mood.

    Parameters
    ----------
    scenario : Scenario
    seeds : sequence of int
    at : int
        When the shocks strike [s].
    horizon : int
        How much later the price is read [s].
    """
    first, last = (max(1, -(-time // scenario.clock.block)) - 1 for time in (at, at + horizon))
    moods = [_mood_by_return(scenario, seed, at, first) for seed in seeds]
    moves = [_return_by_mood(_opened(scenario), seed, at, last) for seed in seeds]
    spread = np.std(moves, ddof=1) / np.sqrt(len(moves)) if len(moves) > 1 else np.nan
    return LoopGain(float(np.mean(moods)), float(np.mean(moves)), float(spread))


def _opened(scenario: Scenario) -> Scenario:
    """The scenario with a mood that returns do not move."""
    deaf = scenario.world.sentiment.model_copy(update={"gain": 0.0})
    world = scenario.world.model_copy(update={"sentiment": deaf})
    return scenario.model_copy(update={"world": world})


def _mood_by_return(scenario: Scenario, seed: int, at: int, block: int) -> float:
    """Rise of the process by a small planted return, at the end of its block, for a return of 1."""
    if not scenario.world.sentiment.wanted:
        return 0.0
    pushed, calm = twins(
        scenario, seed, PriceJump.model_validate({"at": f"{at}s", "kind": "price_jump", "size": RETURN})
    )
    rise = np.arctanh(pushed("sentiment")[block]) - np.arctanh(calm("sentiment")[block])
    return float(rise / np.log1p(RETURN))


def _return_by_mood(scenario: Scenario, seed: int, at: int, block: int) -> float:
    """Log return up to a block by a planted rise of the process by 1, the mean over markets."""
    pushed, calm = twins(
        scenario, seed, SentimentJump.model_validate({"at": f"{at}s", "kind": "sentiment_jump", "size": JUMP})
    )
    moves = [
        np.log(pushed("outside", name)[block] / calm("outside", name)[block]) for name in scenario.markets
    ]
    return float(np.mean(moves)) / JUMP
