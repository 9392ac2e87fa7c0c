"""What people propose themselves: one step of what their interest wants, at random times."""

from typing import NamedTuple

import numpy as np

from agents.delegates.electorate import Electorate
from agents.delegates.facts import PublicFacts
from agents.delegates.interests import CAP, SWITCH
from agents.delegates.settings import INTERESTS, InitiativeSettings
from agents.role import Stream
from protocol.arithmetic import PPM
from protocol.governance.payload import Payload, Setting
from protocol.governance.proposals import Draft
from protocol.parameters import RiskParameters

DAY = 86_400


class Wish(NamedTuple):
    """Something that a holder wants to propose."""

    proposer: int
    draft: Draft


class Initiative:
    """Makes the proposals of people; times between them are exponential.

    Parameters
    ----------
    settings : InitiativeSettings
    people : Electorate
    stream : callable
        `stream(*name)` makes the generator of one named decision.
    """

    def __init__(self, settings: InitiativeSettings, people: Electorate, stream: Stream) -> None:
        self.settings, self.people, self.stream = settings, people, stream
        least = settings.power * int(people.balances.sum())
        self.able = np.flatnonzero((people.power > 0) & (people.power >= least))
        self.made = 0
        self.next = self._gap() if settings.rate > 0 and len(self.able) else np.inf

    def wishes(self, facts: PublicFacts, parameters: RiskParameters, time: float) -> list[Wish]:
        """Proposals whose time has come.

        Parameters
        ----------
        facts : PublicFacts
        parameters : RiskParameters
            In force now.
        time : float
            Now [s].
        """
        found = []
        while self.next <= time:
            found.append(self._wish(facts, parameters))
            self.made += 1
            self.next += self._gap()
        return found

    def _gap(self) -> float:
        """Time until the next proposal [s]."""
        generator = self.stream("delegates", "initiative", self.made)
        return float(generator.exponential(DAY / self.settings.rate))

    def _wish(self, facts: PublicFacts, parameters: RiskParameters) -> Wish:
        """Somebody, more likely the more power he has, asks for what is good for him in one market."""
        generator = self.stream("delegates", "wish", self.made)
        weight = self.people.power[self.able].astype(float)
        proposer = int(generator.choice(self.able, p=weight / weight.sum()))
        market = int(generator.integers(len(parameters.initial)))
        interest = INTERESTS[self.people.interest[proposer]]
        step = self.settings.step * _direction(interest, facts, parameters, market)
        settings = changed_margins(parameters, market, step)
        cap = int(getattr(parameters, CAP)[market])
        if interest == "token_holders" and cap:
            settings = (Setting(CAP, market, max(1, round(cap * np.exp(-step)))),)
        return Wish(proposer, Draft(Payload(settings), f"{interest.replace('_', ' ')} of market {market}"))


def changed_margins(parameters: RiskParameters, market: int, change: float) -> tuple[Setting, ...]:
    """Both margins of a market, moved by the same log change as far as 100 % allows."""
    initial, maintenance = int(parameters.initial[market]), int(parameters.maintenance[market])
    factor = min(np.exp(change), PPM / initial)
    return (
        Setting("initial", market, min(PPM, max(1, round(initial * factor)))),
        Setting("maintenance", market, max(1, round(maintenance * factor))),
    )


def _direction(interest: str, facts: PublicFacts, parameters: RiskParameters, market: int) -> float:
    """How far, and which way, an interest wants protection to go: from -1 for less to 1 for more."""
    if interest == "traders":
        return -1.0
    if interest == "vault_depositors":
        return 1.0
    if interest == "token_holders":
        return 1.0 if facts.need(market) > SWITCH else -1.0
    wanted = min(facts.opening.initial[market] * facts.stress(market), PPM)
    return float(np.clip(np.log(wanted / parameters.initial[market]), -1.0, 1.0))
