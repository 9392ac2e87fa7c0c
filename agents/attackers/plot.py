"""What attackers share who bring in proposals that pay them."""

from typing import ClassVar

import mesa

from agents.attackers.attack import AttackSettings, withdrawals
from agents.attackers.chamber import Chamber
from agents.attackers.intrigue import Intrigue
from agents.attackers.loot import LootSettings, Place, loot
from agents.role import NO_TRANSFERS, Actions, Stream, View
from protocol.book import Ints
from protocol.governance.proposals import Draft, Proposal, State


class PlotSettings(AttackSettings, LootSettings):
    """What every attack by proposal has."""


class Plot(Intrigue):
    """An attacker who lets governance pay.

    All the budget stays outside the venue until it is spent on votes. What proposals bring to the account on
    the venue is withdrawn.
    """

    proposes: ClassVar[bool] = True

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: PlotSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.wanted = settings

    def stakes(self) -> tuple[float, ...]:
        """Nothing on the venue."""
        return (0.0,) * self.wallets

    def attack(self, view: View, since: float) -> Actions:
        """Take out what has come."""
        came = bool((view.book.cash[self.accounts] > 0).any())
        return Actions(transfers=withdrawals(self.accounts) if came else NO_TRANSFERS)

    def current(self, chamber: Chamber) -> Proposal | None:
        """Its newest proposal."""
        return chamber.process.proposals[self.numbers[-1]] if self.numbers else None

    def succeeded(self, chamber: Chamber) -> bool:
        """Whether a proposal of its own was executed."""
        proposals = chamber.process.proposals
        return any(proposals[number].state == State.EXECUTED for number in self.numbers)

    def draft(self, chamber: Chamber) -> Draft:
        """The proposal that brings the loot."""
        place = Place(int(self.accounts[0]), chamber.holder, self.market)
        return Draft(loot(self.wanted, chamber, place), self.name)

    def submit(self, chamber: Chamber, route: str, proposer: int, draft: Draft) -> Proposal:
        """Bring in a proposal."""
        self.act_first(chamber.time)
        made = chamber.process.submit(route, proposer, draft, chamber.parameters, chamber.time)
        self.numbers.append(made.number)
        return made
