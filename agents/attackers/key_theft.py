"""Theft of keys: whoever holds enough of them needs no votes.

The thief comes by one key after another, signs what brings the loot, and brings it in once he has as many
signatures as the route asks for. Signatures collected days before are as good as fresh ones where they never
expire. What it lives on is a route that executes at once whatever enough keys have signed.

References
----------
.. [1] Drift, 1 April 2026: two of five signers led to sign in advance, with nonces that do not expire.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.chamber import Chamber
from agents.attackers.plot import Plot, PlotSettings
from agents.role import Stream
from agents.settings import Duration, parameter
from protocol.book import Ints
from protocol.governance.proposals import State
from protocol.governance.steward import Steward


class KeyTheftSettings(PlotSettings):
    """Settings of a theft of keys."""

    kind: Literal["key_theft"]
    route: Literal["direct", "steward", "hub"] = parameter("steward", "", description="whose keys they are")
    keys: int = parameter(1, "1", ge=1, le=100, description="that it comes by")
    presigned: bool = parameter(
        False, "1", description="not keys but signatures, which are as old as the moment it came by them"
    )
    gap: Duration = parameter(0, "s", ge=0, description="between one key and the next")
    price: float = parameter(0.0, "USD", ge=0, description="of a key")
    repeats: int = parameter(1, "1", ge=1, le=1000, description="times that it uses them")


class KeyTheft(Plot):
    """One thief, who holds no tokens."""

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: KeyTheftSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.signatures: dict[int, float] = {}

    def scheme(self, chamber: Chamber) -> None:
        """Come by keys; bring in what they have signed once they are enough."""
        chosen, route = self.settings, chamber.process.routes[self.settings.route]
        if not isinstance(route, Steward):
            return
        self._steal(chamber)
        last = self.current(chamber)
        waits = last is not None and not last.state.final
        if waits or len(self.numbers) >= chosen.repeats:
            return
        longest = route.rules.signing if chosen.presigned else np.inf
        valid = [key for key, since in self.signatures.items() if chamber.time - since <= longest]
        if len(valid) >= route.rules.approvals:
            self._use(chamber, valid)

    def _steal(self, chamber: Chamber) -> None:
        """The keys whose time has come, each paid for, and their signatures."""
        chosen = self.settings
        while len(self.signatures) < chosen.keys:
            due = self.start + len(self.signatures) * chosen.gap
            if due > chamber.time or self.holding.money(chamber) < chosen.price:
                return
            self.holding.pay(chamber, chosen.price, "bribes")
            self.signatures[len(self.signatures)] = due

    def _use(self, chamber: Chamber, keys: list[int]) -> None:
        """Bring in what the first key proposes, with the signatures of the others."""
        made = self.submit(chamber, self.settings.route, keys[0], self.draft(chamber))
        for key in keys[1:]:
            if made.state == State.ACTIVE:
                chamber.process.sign(made.number, key, chamber.time)
