"""From what is expected to what is decided: targets for every parameter, passed through the control law."""

from typing import NamedTuple

import numpy as np

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
from agents.role import View
from protocol.arithmetic import MICRO, PPM
from protocol.book import Floats
from protocol.parameters import RiskParameters

MARGINS = ("maintenance", "initial")
WEIGHTS = ("weight_maintenance", "weight_initial")
CAP = "open_interest_cap"
LEAST_HAIRCUT = 1e-3


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


class Steering:
    """Keeps what is governed, and decides on it.

    What is governed is a tightness: a margin, 1 less a weight of collateral, or the reciprocal of a cap.

    Parameters
    ----------
    settings : RiskEngineSettings
    facts : Facts
    """

    def __init__(self, settings: RiskEngineSettings, facts: Facts) -> None:
        self.settings, self.facts = settings, facts
        self.markets = len(facts.opening.initial)
        self.held = self._opening()
        self.ordinary_depth = np.zeros(self.markets)

    def decisions(self, view: View, outlooks: list[Outlooks], alarm: str) -> list[Decision]:
        """One decision for each parameter of each market.

        Parameters
        ----------
        view : View
        outlooks : list of Outlooks
            By market.
        alarm : str
            Why nothing may move; empty if all is well.
        """
        if not self.ordinary_depth.any():
            self.ordinary_depth = view.outside_depth.copy()
        found = []
        for market, outlook in enumerate(outlooks):
            costs = self._costs(view, market)
            names = [name for name in (*MARGINS, *WEIGHTS) if (name, market) in self.held]
            found += [self._decide(name, market, (outlook, costs), (view.time, alarm)) for name in names]
            if self.settings.targets.open_interest:
                found.append(self._cap(view, market, (view.time, alarm)))
        return found

    def _opening(self) -> dict[tuple[str, int], Governed]:
        """What is governed, as the venue opens; caps begin with the first decision."""
        found = {}
        for market in range(self.markets):
            for name in MARGINS:
                rate = float(getattr(self.facts.opening, name)[market]) / PPM
                found[name, market] = Governed(rate, rate)
            if self.settings.targets.haircuts and self.facts.opening.weight_maintenance[market]:
                for name in WEIGHTS:
                    haircut = 1 - float(getattr(self.facts.opening, name)[market]) / PPM
                    haircut = max(haircut, LEAST_HAIRCUT)
                    found[name, market] = Governed(haircut, haircut)
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
        verdict, weight = within(verdict, self._bounds(name, market, costs)), name in WEIGHTS
        values = [before, verdict.value, aim.now, aim.cycle]
        shown = [1 - each for each in values] if weight else values
        held = made if verdict.stages[-1] == 0 else np.zeros_like(made)
        stages = np.array(verdict.stages)
        self.held[name, market] = self.held[name, market].moved(verdict.value, now[0])
        old, new, target, cycle = shown
        return Decision(now[0], market, name, old, new, target, cycle, held, stages, verdict.reason)

    def _bounds(self, name: str, market: int, costs: Costs) -> tuple[float, float]:
        """Where the tightness of a parameter must lie for the venue to take it beside the others."""
        if name == "maintenance":
            return 0.0, 1 - self._tiers(market)
        if name == "initial":
            return self.held["maintenance", market].value, 1 - self._tiers(market)
        if name == "weight_maintenance":
            return 1 - largest_weight(costs.bonus), 1.0
        return self.held["weight_maintenance", market].value, 1.0

    def _tiers(self, market: int) -> float:
        """What tiers add to the initial margin of the largest positions [1]."""
        return float(self.facts.opening.tier_initial[market].sum()) / PPM

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


def within(verdict: Verdict, bounds: tuple[float, float]) -> Verdict:
    """A verdict within bounds that other parameters set; what that adds counts as the box's."""
    added = min(max(verdict.value, bounds[0]), bounds[1]) - verdict.value
    stages = list(verdict.stages)
    stages[LAW_STAGES.index("box")] += added
    return Verdict(verdict.value + added, tuple(stages), verdict.reason)
