"""Schedule runner: trades ahead of a tightening that everybody can see coming.

A proposal that waits in a public queue says when margins rise, and positions on the venue say who will not
meet them. The runner sells before those sales that the change forces, buys back into them, and for a while
holds what it bought below its worth. What it lives on is a change that comes at a known time, at once, for
all positions.

References
----------
.. [1] Chaos Labs, AgentHub threat model: front-running of a public update of liquidation thresholds.
"""

from typing import ClassVar, Literal

import mesa
import numpy as np

from agents.attackers.attack import AttackSettings, withdrawals
from agents.attackers.chamber import Chamber
from agents.attackers.intrigue import Intrigue
from agents.role import Actions, Stream, View
from agents.settings import Duration, parameter
from protocol.arithmetic import MICRO
from protocol.book import Ints
from protocol.governance.proposals import Proposal, State
from protocol.orders import IMMEDIATE, NONE, Orders, orders

MAINTENANCE = "maintenance"


class ScheduleRunnerSettings(AttackSettings):
    """Settings of a schedule runner."""

    kind: Literal["schedule_runner"]
    ahead: Duration = parameter(900, "s", gt=0, description="before the change, in which it opens")
    hold: Duration = parameter(720, "s", ge=0, description="after the change, in which it keeps its side")
    rebound: Duration = parameter(3600, "s", ge=0, description="after that, in which it is on the other side")
    leverage: float = parameter(3.0, "1", gt=0, le=100, description="notional over the budget")
    dip: float = parameter(0.2, "1", ge=0, le=10, description="of that, on the other side")
    build: Duration = parameter(300, "s", gt=0, description="time in which most of a position is changed")
    tilt: float = parameter(
        0.1, "1", ge=0, lt=1, description="of what will fail, least difference of its sides that it trades on"
    )
    slippage: float = parameter(0.02, "1", gt=0, lt=1, description="most that an order gives up to the mid")


class ScheduleRunner(Intrigue):
    """One account, and the queue before its eyes."""

    proposes: ClassVar[bool] = False

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: ScheduleRunnerSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.due, self.margin, self.side = np.inf, 0, 0

    def scheme(self, chamber: Chamber) -> None:
        """Look for the next tightening in the queue."""
        if np.isinf(self.due):
            for proposal in chamber.process.open:
                margin = self._tightened(proposal, chamber)
                if margin and chamber.time <= proposal.eta <= chamber.time + self.settings.ahead:
                    self.due, self.margin = proposal.eta, margin

    def _tightened(self, proposal: Proposal, chamber: Chamber) -> int:
        """Maintenance margin that a queued proposal raises its market's to [ppm]; 0 if it does not."""
        now = int(chamber.parameters.maintenance[self.market])
        values = [
            each.value
            for each in proposal.payload.settings
            if each.parameter == MAINTENANCE and each.market == self.market and each.value > now
        ]
        return max(values) if values and proposal.state == State.QUEUED else 0

    def attack(self, view: View, since: float) -> Actions:
        """Choose a side before the change, change it after, and leave with what is left."""
        chosen = self.settings
        if np.isinf(self.due):
            return Actions()
        if not self.side:
            self.side = self._lighter_side(view)
        if not self.side:
            return Actions()
        self.act_first(view.time)
        late = view.time - self.due
        if late >= chosen.hold + chosen.rebound and not self.held(view)[0]:
            return Actions(transfers=withdrawals(self.accounts))
        part = 1.0 if late < chosen.hold else -chosen.dip if late < chosen.hold + chosen.rebound else 0.0
        return Actions(orders=self._towards(view, part * self.side))

    def _lighter_side(self, view: View) -> int:
        """The side of the forced trades to come: -1 if more longs than shorts will fall below maintenance."""
        size, mark = view.book.size[self.market].astype(float), float(view.book.mark[self.market])
        more = np.abs(size) * mark * (self.margin - int(view.parameters.maintenance[self.market])) / MICRO
        fails = (view.risk[0] < view.risk[2] + more) & (view.risk[0] >= view.risk[2]) & (size != 0)
        tilt = size[fails].sum() / max(np.abs(size[fails]).sum(), 1.0)
        return int(-np.sign(tilt)) if abs(tilt) > self.settings.tilt else 0

    def _towards(self, view: View, part: float) -> Orders:
        """A slice of what is missing of a part of its full position."""
        wanted = self.lots_worth(view, abs(part) * self.settings.leverage * self.budget) * np.sign(part)
        missing = int(wanted) - int(self.held(view)[0])
        slices = self.lots_worth(
            view, self.settings.leverage * self.budget * view.seconds / self.settings.build
        )
        lots = int(np.sign(missing)) * min(abs(missing), max(slices, 1))
        if not lots:
            return NONE
        limit = int(view.mid[self.market] * (1 + np.sign(lots) * self.settings.slippage))
        return orders(self.accounts, self.market, np.array([lots]), limit, IMMEDIATE)
