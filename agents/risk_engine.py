"""The learning risk engine: it watches the venue, forecasts losses, and proposes margins within its law.

At the end of a block in which an observation is due it measures its features, filters, and turns what it
expects into targets for each market's parameters. The control law decides how far each may follow. What it
decides is a proposal with a time from which it holds; whoever runs the venue enacts it, or does not.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import mesa
import numpy as np

from agents.engine.features import Observation, Sensors
from agents.engine.forecasters import Forecaster, Regimes, Sample, open_forecaster
from agents.engine.law import LAW_STAGES, Aim, Governed, Verdict, decide
from agents.engine.settings import RiskEngineSettings
from agents.engine.targets import (
    PARTS,
    Costs,
    Outlooks,
    largest_weight,
    open_interest_cap,
    parts,
    slippage,
)
from agents.role import NOBODY, View
from protocol.arithmetic import MICRO, PPM
from protocol.book import Floats, Ints
from protocol.parameters import RiskParameters

MARGINS = ("maintenance", "initial")
WEIGHTS = ("weight_maintenance", "weight_initial")
CAP = "open_interest_cap"
HIDDEN = -1


class Facts(NamedTuple):
    """What an engine knows of the venue's rules beside its parameters.

    Attributes
    ----------
    opening : RiskParameters
        With which the venue opened.
    deviation : float
        How far the oracle may be from the market before it reports [1].
    bonus : (m,) float64
        Discount to buyers of collateral [1].
    """

    opening: RiskParameters
    deviation: float
    bonus: Floats


class Decision(NamedTuple):
    """What the law made of one target.

    Attributes
    ----------
    time : float
        [s].
    market : int
    parameter : str
        Field of `RiskParameters`.
    before, after : float
        Value decided on last, and now: a margin or weight [1], or a cap [USD].
    target, cycle : float
        What the model wants now, and through the cycle; unit as before.
    parts, stages : (8,) and (7,) float64
        What each of `PARTS` and `LAW_STAGES` adds to the tightness: its sum is the margin, 1 less the weight,
        or the reciprocal of the cap.
    reason : str
        Why `after` is not `target`; empty if it is.
    """

    time: float
    market: int
    parameter: str
    before: float
    after: float
    target: float
    cycle: float
    parts: Floats
    stages: Floats
    reason: str


class Proposal(NamedTuple):
    """New values, from a time on.

    Attributes
    ----------
    due : float
        When they come into force [s].
    values : mapping of str to (m,) int64
        By field of `RiskParameters`, in its unit.
    reason : str
    """

    due: float
    values: dict[str, Ints]
    reason: str


class RiskEngine(mesa.Agent):  # type: ignore[misc]
    """A Mesa agent that owns no account and trades nothing.

    `fit` tells what became of a fit in the last observation; empty without one.

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
        self.settings, self.facts, self.sample, self.names = settings, facts, sample, names
        self.forecaster: Forecaster | None = None
        if sample is not None:
            self.forecaster = open_forecaster(settings, sample, names)
        self.markets = len(facts.opening.initial)
        self.sensors = Sensors(settings, self.markets)
        self.seen: list[tuple[Floats, Floats]] = []
        self.surprises: list[float] = []
        self.fit = ""
        self.held = self._opening()
        self.observation: Observation | None = None
        self.ordinary_depth = np.zeros(self.markets)

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
        if not self.ordinary_depth.any():
            self.ordinary_depth = view.outside_depth.copy()
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
        return self._decisions(view, seen, self.forecaster)

    def propose(self, decisions: list[Decision], view: View) -> Proposal | None:
        """The decisions as one proposal; None where none changes anything."""
        values: dict[str, Ints] = {}
        for each in decisions:
            column = values.setdefault(each.parameter, getattr(view.parameters, each.parameter).copy())
            column[each.market] = round(each.after * (MICRO if each.parameter == CAP else PPM))
        for low, high in (("maintenance", "initial"), ("weight_initial", "weight_maintenance")):
            if low in values and high in values:
                values[high] = np.maximum(values[high], values[low])
        reasons = sorted({each.reason for each in decisions if each.reason})
        due = view.time + self.settings.delay
        return Proposal(due, values, "; ".join(reasons) or "as aimed at") if values else None

    def _learn(self, time: float) -> None:
        """Fit to what was seen where the burn-in ends, or a refit is due."""
        training, refit = self.settings.training, self.settings.refit
        first = self.forecaster is None and time >= training.length
        again = self.forecaster is not None and refit.every and time % refit.every == 0
        if not (first or again):
            return
        columns = (np.stack(each) for each in zip(*self.seen[:-1], strict=True))
        seen = Sample(*columns)
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

    def _opening(self) -> dict[tuple[str, int], Governed]:
        """What is governed, as the venue opens; caps begin with the first decision."""
        found = {}
        for market in range(self.markets):
            for name in MARGINS:
                rate = float(getattr(self.facts.opening, name)[market]) / PPM
                found[name, market] = Governed(rate, rate)
            if self.settings.targets.haircuts and self.facts.opening.weight_maintenance[market]:
                for name in WEIGHTS:
                    haircut = max(1 - float(getattr(self.facts.opening, name)[market]) / PPM, 1e-3)
                    found[name, market] = Governed(haircut, haircut)
        return found

    def _decisions(self, view: View, seen: Observation, forecaster: Forecaster) -> list[Decision]:
        alarm = self._alarm(seen)
        outlooks = forecaster.outlooks()
        found = []
        for market, outlook in enumerate(outlooks):
            costs = self._costs(view, market)
            names = [name for name in (*MARGINS, *WEIGHTS) if (name, market) in self.held]
            found += [self._decide(name, market, (outlook, costs), (seen.time, alarm)) for name in names]
            if self.settings.targets.open_interest:
                found.append(self._cap(view, market, (seen.time, alarm)))
        return found

    def _decide(
        self, name: str, market: int, basis: tuple[Outlooks, Costs], now: tuple[float, str]
    ) -> Decision:
        """Pass a margin or a haircut through the law."""
        outlook, costs = basis
        targets, calm = self.settings.targets, outlook.calm
        made = parts(targets, name, outlook.now, calm, costs)
        cycle, stressed = (
            float(parts(targets, name, each, calm, costs).sum()) for each in (outlook.cycle, outlook.stressed)
        )
        aim = Aim(float(made.sum()), cycle, stressed)
        verdict, before = self._govern(name, market, aim, now)
        weight = name in WEIGHTS
        if weight and name == "weight_maintenance":
            least = 1 - largest_weight(costs.bonus)
            verdict = raised(verdict, least)
        values = [before, verdict.value, aim.now, aim.cycle]
        shown = [1 - each for each in values] if weight else values
        held = made if verdict.stages[-1] == 0 else np.zeros_like(made)
        stages = np.array(verdict.stages)
        self.held[name, market] = self.held[name, market].moved(verdict.value, now[0])
        old, new, target, cycle = shown
        return Decision(now[0], market, name, old, new, target, cycle, held, stages, verdict.reason)

    def _govern(self, name: str, market: int, aim: Aim, now: tuple[float, str]) -> tuple[Verdict, float]:
        """The law's verdict on an aim, and the value until now."""
        time, alarm = now
        alarm = alarm if np.isfinite(aim).all() else alarm or "no target"
        held = self.held[name, market]
        clock = (time, float(self.settings.every))
        return decide(self.settings.law, held, aim, clock, alarm), held.value

    def _cap(self, view: View, market: int, now: tuple[float, str]) -> Decision:
        """Pass the reciprocal of a cap of open interest through the law; the first one is the target."""
        depth, ordinary = float(view.outside_depth[market]), float(self.ordinary_depth[market])
        targets, hold = self.settings.targets, self.held["maintenance", market]
        caps = [
            open_interest_cap(targets, margin, each)
            for margin, each in ((hold.value, depth), (hold.opening, ordinary), (hold.value, depth))
        ]
        aim = Aim(*(1 / each for each in caps))
        self.held.setdefault((CAP, market), Governed(aim.now, aim.cycle))
        verdict, before = self._govern(CAP, market, aim, now)
        made = np.zeros(len(PARTS))
        made[0] = aim.now if verdict.stages[-1] == 0 else 0.0
        self.held[CAP, market] = self.held[CAP, market].moved(verdict.value, now[0])
        old, new, target, cycle = (1 / each for each in (before, verdict.value, aim.now, aim.cycle))
        stages = np.array(verdict.stages)
        return Decision(now[0], market, CAP, old, new, target, cycle, made, stages, verdict.reason)

    def _costs(self, view: View, market: int) -> Costs:
        parameters, book = view.parameters, view.book
        interest = float(book.open_interest[market]) * float(book.mark[market]) / MICRO
        slip = slippage(self.settings.targets, interest, float(view.outside_depth[market]))
        fee = parameters.liquidation_fee / PPM
        return Costs(slip, fee, self.facts.deviation, float(self.facts.bonus[market]))

    def _alarm(self, seen: Observation) -> str:
        """Why nothing may move; empty if all is well."""
        if seen.stale:
            return "stale oracle"
        length = max(1, self.settings.safety.memory // self.settings.every)
        recent = [each for each in self.surprises[-length:] if not np.isnan(each)]
        if recent and sum(recent) / len(recent) ** 0.5 > self.settings.safety.drift:
            return "drift alarm"
        return ""


def raised(verdict: Verdict, least: float) -> Verdict:
    """A verdict of at least this tightness; what it took counts as the box's."""
    lack = max(least - verdict.value, 0.0)
    stages = list(verdict.stages)
    stages[LAW_STAGES.index("box")] += lack
    return Verdict(verdict.value + lack, tuple(stages), verdict.reason)
