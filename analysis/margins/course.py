"""The margin that a risk engine would have asked for along a price path that it cannot move."""

from collections import deque
from typing import NamedTuple

import numpy as np

from agents.engine.forecaster import Forecaster
from agents.engine.law import Aim, Governed, LawSettings, decide
from agents.engine.opening import open_forecaster
from agents.engine.settings import RiskEngineSettings
from agents.engine.targets import Costs, Outlooks, parts
from protocol.book import Floats, Ints
from sim.configuration import ClockSettings, Scenario
from sim.prices.paths import fundamental_paths
from sim.training import sample_of, training_sample

FREE = Costs(0.0, 0.0, 0.0, 0.0)
FOLLOWED = LawSettings.model_validate({"band_up": 0.0, "band_down": 0.0, "rise": 1e6, "fall": 1e6})


class Course(NamedTuple):
    """A margin and what it had to stand, at each of T times.

    Attributes
    ----------
    margin : (T,) float64
        In force at the time; all that led to it was known by then [1].
    move : (T,) float64
        Size of the log return over the horizon that follows [1].
    regime : (T,) int64
        At the time; 0 where prices have none.
    every : int
        Time from one to the next [s].
    """

    margin: Floats
    move: Floats
    regime: Ints
    every: int


def margin_course(scenario: Scenario, seed: int) -> Course:
    """The maintenance margin of the first market for the price alone: no slippage, fees or oracle lag.

    Prices are the scenario's generator's, at the engine's step. Models are not fitted again on the way.

    Parameters
    ----------
    scenario : Scenario
        With a risk engine; its horizon is that of the margin.
    seed : int
    """
    settings, clock = scenario.risk_engine, scenario.clock
    sample = training_sample(scenario, seed)
    if sample is None:
        raise ValueError("margins along a path need an engine trained before it, got a burn-in")
    grid = ClockSettings.model_construct(start=clock.start, duration=clock.duration, block=settings.every)
    paths = fundamental_paths(scenario.world.prices, grid, scenario.markets, seed)
    seen = sample_of(paths, settings)
    regime = np.zeros(len(seen.returns) + 1, np.int64) if paths.regime is None else paths.regime
    forecaster = open_forecaster(settings, sample, scenario.markets)
    margin = np.empty(len(seen.returns))
    policy = Policy(settings, scenario.governance.review)
    for step, (inputs, returns) in enumerate(zip(seen.inputs, seen.returns, strict=True)):
        forecaster.observe(inputs, returns, int(regime[step + 1]))
        margin[step] = policy.follow(forecaster, (step + 1.0) * settings.every)
    ahead = max(1, settings.targets.horizon // settings.every)
    level = np.log(paths.price[1:, 0])
    move = np.abs(level[ahead:] - level[:-ahead])
    kept = len(move)
    return Course(margin[:kept], move, regime[1 : kept + 1].astype(np.int64), settings.every)


class Policy:
    """A control law with a delay, for one margin.

    The first decision is the target itself, so that nothing depends on where it starts.

    Parameters
    ----------
    settings : RiskEngineSettings
    delay : int
        From a decision until it is in force [s].
    """

    def __init__(self, settings: RiskEngineSettings, delay: int) -> None:
        self.settings, self.delay = settings, delay
        self.waiting: deque[float] = deque()
        self.held: Governed | None = None

    def follow(self, forecaster: Forecaster, time: float) -> float:
        """The margin in force after the decision at a time."""
        aim = self._aim(forecaster.outlooks()[0])
        settings = self.settings
        law = settings.law
        if self.held is None:
            first = decide(FOLLOWED, Governed(aim.now, aim.now), aim, (time, float(settings.every))).value
            self.held = Governed(first, first)
        clock = (time, float(settings.every))
        self.held = self.held.moved(decide(law, self.held, aim, clock).value, time)
        self.waiting.append(self.held.value)
        if len(self.waiting) > self.delay // settings.every + 1:
            self.waiting.popleft()
        return self.waiting[0]

    def _aim(self, outlooks: Outlooks) -> Aim:
        targets, calm = self.settings.targets, outlooks.calm
        wanted = (outlooks.now, outlooks.cycle, outlooks.stressed)
        return Aim(*(float(parts(targets, "maintenance", each, calm, FREE).sum()) for each in wanted))
