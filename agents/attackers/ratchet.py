"""Ratchet: an insider who moves a parameter far, by as little at a time as nobody objects to.

Whoever holds a key of a route with bounds asks for one bound after another in the same direction, each as
soon as the spacing allows. No step breaks a rule; together they take the market where a single proposal never
could. What it lives on is that changes are judged one by one, relative to the value that the last one left.
"""

from typing import Literal

import mesa

from agents.attackers.chamber import Chamber
from agents.attackers.loot import wanted
from agents.attackers.plot import Plot, PlotSettings
from agents.role import Stream
from agents.settings import Duration, parameter
from protocol.book import Ints
from protocol.governance.payload import Payload, Setting
from protocol.governance.proposals import Draft
from protocol.governance.steward import Steward


class RatchetSettings(PlotSettings):
    """Settings of a ratchet; `payload` is `loosen`, and says where it wants to arrive."""

    kind: Literal["ratchet"]
    payload: Literal["loosen"] = parameter("loosen", "")
    route: Literal["steward", "hub"] = parameter("steward", "", description="of which it holds a key")
    key: int = parameter(0, "1", ge=0, lt=100, description="that it holds")
    pause: Duration = parameter(60, "s", ge=0, description="after a step, beyond the spacing")


class Ratchet(Plot):
    """One key, and patience."""

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: RatchetSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.next = self.start

    def scheme(self, chamber: Chamber) -> None:
        """The next step, once the last is done and has rested."""
        route, last = chamber.process.routes[self.settings.route], self.current(chamber)
        if not isinstance(route, Steward) or chamber.time < self.next:
            return
        if last is not None and not last.state.final:
            return
        asked = self._step(chamber, route)
        if asked:
            self.submit(chamber, self.settings.route, self.settings.key, Draft(Payload(asked), self.name))
            rests = [route.rules.spacings.get(each.parameter, route.rules.spacing) for each in asked]
            self.next = chamber.time + max(rests) + self.settings.pause

    def _step(self, chamber: Chamber, route: Steward) -> tuple[Setting, ...]:
        """As far toward its aim as one change may go."""
        aims = wanted(self.wanted, chamber, self.market)
        held = chamber.parameters
        steps = route.within_bounds(aims, held)
        return tuple(each for each in steps if int(getattr(held, each.parameter)[each.market]) != each.value)
