"""Feed poisoner: moves the price that a risk engine learns from, to move the margins that it asks for.

Before an observation of the engine it buys the spot outside, and sells it again after, so that the engine
sees a jump there and another back; or it leans against every move, so that the engine sees a calm. Either
costs impact and fees on the spot. It may hold a position on the venue against those whom the new margins
liquidate. What it lives on is an engine that takes every price for news.

References
----------
.. [1] Caballero et al. (2024) on corrupting the filter of a hidden Markov model; Mattila et al. on inverse
   filtering: what an engine does tells what it believes.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.attack import AttackSettings
from agents.attackers.chamber import Chamber
from agents.attackers.intrigue import Intrigue
from agents.role import NO_HEDGES, Actions, Hedges, Stream, View
from agents.settings import Duration, parameter
from protocol.arithmetic import MICRO
from protocol.book import Ints
from protocol.orders import IMMEDIATE, NONE, Orders, orders


class FeedPoisonerSettings(AttackSettings):
    """Settings of a poisoner of the engine's feed."""

    kind: Literal["feed_poisoner"]
    pattern: Literal["outliers", "quiet", "nudge"] = parameter(
        "outliers",
        "",
        description="jumps at observations; no moves between them; one jump, and small ones after it",
    )
    every: Duration = parameter(3600, "s", gt=0, description="between the engine's observations")
    push: float = parameter(0.0, "USD", ge=0, description="spot bought before an observation")
    nudge: float = parameter(0.0, "USD", ge=0, description="the same, of a nudge after the first")
    rounds: int = parameter(10, "1", ge=1, description="observations that it spoils")
    rest: int = parameter(0, "1", ge=0, description="observations that it leaves alone between two")
    lean: float = parameter(0.5, "1", ge=0, le=1, description="part of a move that a quiet one leans against")
    fee: float = parameter(0.0005, "1", ge=0, lt=1, description="of what it trades on the spot")
    short: float = parameter(
        0.0, "1", ge=0, le=50, description="notional held short, over half of the budget"
    )
    slippage: float = parameter(0.005, "1", gt=0, lt=1, description="most that an order gives up to the mid")


class FeedPoisoner(Intrigue):
    """One account: half of its money on the venue where it holds a short, the rest for the spot."""

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: FeedPoisonerSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.seen, self.done, self.traded = 0.0, 0, 0.0

    def stakes(self) -> tuple[float, ...]:
        """Half of the budget where it goes short."""
        return (0.5 if self.settings.short else 0.0,)

    def scheme(self, chamber: Chamber) -> None:
        """Pay the fee on what it has traded; it works on what governance hears."""
        if self.traded:
            self.holding.pay(chamber, self.settings.fee * self.traded, "fees")
            self.traded = 0.0

    def attack(self, view: View, since: float) -> Actions:
        """Spoil what comes next, or clean up."""
        moves = self._quiet(view) if self.settings.pattern == "quiet" else self._jump(view)
        if len(moves.lots):
            self.act_first(view.time)
            self.traded = float(np.abs(moves.lots).sum() * view.outside[self.market]) / MICRO
        return Actions(orders=self._short(view), hedges=moves)

    def _jump(self, view: View) -> Hedges:
        """Buy so that the price stands high when the engine looks, and sell all after it has."""
        chosen, left = self.settings, view.time % self.settings.every
        if view.outside_size[self.market, self.accounts[0]] > 0:
            return self.sale(view, 1.0)
        resting = int(view.time // chosen.every) % (chosen.rest + 1)
        if left < chosen.every - view.seconds or resting or self.done >= chosen.rounds:
            return NO_HEDGES
        first = chosen.pattern == "outliers" or self.done == 0
        self.done += 1
        return self.purchase(view, chosen.push if first else chosen.nudge)

    def _quiet(self, view: View) -> Hedges:
        """Sell into a rise and buy into a fall, by as much as brings a part of it back."""
        price, before = float(view.outside[self.market]), self.seen
        self.seen = price
        finished = view.time > self.start + self.settings.rounds * self.settings.every
        if finished:
            held = view.outside_size[self.market, self.accounts[:1]]
            return Hedges(self.accounts[:1], np.array([self.market]), -held) if held[0] else NO_HEDGES
        if not before:
            return NO_HEDGES
        depth = 100 * float(view.outside_depth[self.market])
        usd = -self.settings.lean * np.log(price / before) * depth
        room = self.budget * MICRO - abs(view.outside_size[self.market, self.accounts[0]]) * price
        usd = np.sign(usd) * min(abs(usd), max(room / MICRO, 0.0))
        return Hedges(self.accounts[:1], np.array([self.market]), np.array([usd * MICRO / price]))

    def _short(self, view: View) -> Orders:
        """What is missing of the short; all of it back at the end."""
        chosen = self.settings
        over = view.time > self.start + (chosen.rounds * (chosen.rest + 1) + 1) * chosen.every
        wanted = 0 if over else -self.lots_worth(view, chosen.short * self.budget / 2)
        missing = wanted - int(self.held(view)[0])
        if not chosen.short or abs(missing) * 20 < abs(wanted) or not missing:
            return NONE
        limit = int(view.mid[self.market] * (1 + np.sign(missing) * chosen.slippage))
        return orders(self.accounts, self.market, np.array([missing]), limit, IMMEDIATE)
