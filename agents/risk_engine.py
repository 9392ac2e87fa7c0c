"""The learning risk engine: it watches the venue, forecasts losses, and proposes margins within its law.

At the end of a block in which an observation is due it measures its features, filters, and turns what it
expects into targets for each market's parameters. The control law decides how far each may follow. What it
decides is advice; governance makes proposals of it, and they become rules or do not.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import mesa
import numpy as np

from agents.engine.decisions import CAP, Decision, Facts, Steering
from agents.engine.features import Observation, Sensors
from agents.engine.forecaster import Forecaster, Sample
from agents.engine.opening import open_forecaster
from agents.engine.regimes import Regimes
from agents.engine.settings import RiskEngineSettings
from agents.engine.targets import risk_weight
from agents.role import NOBODY, View
from protocol.arithmetic import MICRO, PPM
from protocol.book import Floats, Ints

HIDDEN = -1


class Advice(NamedTuple):
    """Values that an engine wants.

    Attributes
    ----------
    values : mapping of str to (m,) int64
        By field of `RiskParameters`, in its unit.
    reason : str
    """

    values: dict[str, Ints]
    reason: str


class RiskEngine(mesa.Agent):  # type: ignore[misc]
    """A Mesa agent that owns no account and trades nothing.

    `fit` tells what became of a fit in the last observation, empty without one, and `weights` how risky each
    market is now over what it is through the cycle.

    Parameters
    ----------
    model : mesa.Model
    settings : RiskEngineSettings
    facts : Facts
    sample : Sample, optional
        What it is trained on; None: its own burn-in.
    names : sequence of str
        Of the markets.
    """

    name = "risk_engine"

    def __init__(
        self,
        model: mesa.Model,
        settings: RiskEngineSettings,
        facts: Facts,
        sample: Sample | None,
        names: Sequence[str],
    ) -> None:
        super().__init__(model)
        self.accounts = NOBODY
        self.settings, self.sample, self.names = settings, sample, names
        self.forecaster: Forecaster | None = None
        if sample is not None:
            self.forecaster = open_forecaster(settings, sample, names)
        self.markets = len(facts.opening.initial)
        self.sensors = Sensors(settings, self.markets)
        self.seen: list[tuple[Floats, Floats]] = []
        self.surprises: list[float] = []
        self.fit = ""
        self.weights = [1.0] * self.markets
        self.observation: Observation | None = None
        self.steering = Steering(settings, facts)

    def feel(self, prices: Mapping[str, Ints | Floats]) -> None:
        """Take in the prices of a block's end; see `Sensors.feel`."""
        self.sensors.feel(prices)

    def due(self, time: float) -> bool:
        """Whether an observation, and with it a decision, is due."""
        return time % self.settings.every == 0

    def watch(self, view: View, regime: int = HIDDEN) -> list[Decision]:
        """Observe, and decide; nothing while the burn-in lasts.

        Parameters
        ----------
        view : View
            At the end of the block.
        regime : int
            The hidden one, for a forecaster that may know it.
        """
        self.observation = seen = self.sensors.observe(view)
        returns = seen.value("returns", self.markets)
        inputs = np.column_stack([seen.value(name, self.markets) for name in self.settings.inputs])
        self.seen.append((inputs, returns))
        self.fit = ""
        self._learn(view.time)
        if self.forecaster is None:
            return []
        self.forecaster.observe(inputs, returns, regime)
        self.surprises.append(self.forecaster.surprise)
        outlooks = self.forecaster.outlooks()
        self.weights = [risk_weight(each.now, each.cycle) for each in outlooks]
        return self.steering.decisions(view, outlooks, self._alarm(seen))

    def advise(self, decisions: list[Decision], view: View) -> Advice | None:
        """The decisions as values, whether they change anything or not; None without any."""
        values: dict[str, Ints] = {}
        for each in decisions:
            column = values.setdefault(each.parameter, getattr(view.parameters, each.parameter).copy())
            column[each.market] = round(each.after * (MICRO if each.parameter == CAP else PPM))
        reasons = sorted({each.reason for each in decisions if each.reason})
        return Advice(values, "; ".join(reasons) or "as aimed at") if values else None

    def _learn(self, time: float) -> None:
        """Fit to what was seen where the burn-in ends, or a refit is due."""
        training, refit = self.settings.training, self.settings.refit
        first = self.forecaster is None and time >= training.length
        again = self.forecaster is not None and refit.every and time % refit.every == 0
        if not (first or again):
            return
        inputs, returns = (np.stack(each) for each in zip(*self.seen[:-1], strict=True))
        seen = Sample(inputs, returns)
        if self.sample is not None:
            seen = self.sample.extended(seen, max(1, refit.memory // self.settings.every))
        new = open_forecaster(self.settings, seen, self.names)
        moved = 0.0
        if isinstance(self.forecaster, Regimes) and isinstance(new, Regimes):
            moved = new.moved_from(self.forecaster)
        if moved > refit.trust:
            self.fit = f"refused: a regime moved by {moved:.2f} nats"
            return
        self.forecaster, self.fit = new, "accepted"
        self.surprises.clear()

    def _alarm(self, seen: Observation) -> str:
        """Why nothing may move; empty if all is well."""
        if seen.stale:
            return "stale oracle"
        length = max(1, self.settings.safety.memory // self.settings.every)
        recent = [each for each in self.surprises[-length:] if not np.isnan(each)]
        if recent and sum(recent) / len(recent) ** 0.5 > self.settings.safety.drift:
            return "drift alarm"
        return ""
