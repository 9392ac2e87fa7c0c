"""Routine proposals put to the vote of one electorate, through the governor itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import mesa
import numpy as np

from agents.delegates.delegates import Delegates
from agents.delegates.facts import ordinary_day
from agents.delegates.settings import PeopleSettings
from analysis.turnout.venues import Venue
from protocol.governance.governor import Governor
from protocol.governance.payload import Payload
from protocol.governance.process import Order, Process
from protocol.governance.proposals import Draft, State
from protocol.parameters import RiskParameters, flat_margins
from sim.streams import stream

ROUTE = "vote"
HOUR = 3600
SPACING = 6 * HOUR


@contextmanager
def electing(settings: PeopleSettings, seed: int) -> Iterator[Delegates]:
    """Delegates in a model of their own, which Mesa forgets afterwards."""
    model = mesa.Model()
    try:
        yield Delegates(model, settings, partial(stream, seed))
    finally:
        mesa.Agent._ids.pop(model, None)


class History:
    """All proposals of a venue, one every six hours; none competes with another for attention.

    Parameters
    ----------
    venue : Venue
    seed : int
        Of the electorate and of everything it does.

    Attributes
    ----------
    power : (h,) int64
        Of each holder [micro-tokens].
    process : Process
        After `run`, with all proposals at their end.
    governor : Governor
    """

    def __init__(self, venue: Venue, seed: int) -> None:
        self.venue, self.seed = venue, seed
        self.end = self._cancellations()
        self.unnoticed = self._unnoticed()

    def run(self) -> "History":
        """Put every proposal to the vote, by the hour."""
        with electing(self.venue.people, self.seed) as people:
            tokens = people.people.tokens()
            self.power = tokens.power.copy()
            self.governor = Governor(self.venue.rules.governor(), tokens)
            self.process = Process({ROUTE: self.governor}, Order())
            hours = self.venue.proposals * SPACING + self._length() + HOUR
            for time in range(0, hours, HOUR):
                self._hour(people, float(time))
        return self

    def _hour(self, people: Delegates, time: float) -> None:
        """Advance, cast what is due, execute, and submit the next proposal."""
        process = self.process
        process.advance(time)
        for number in [each.number for each in process.open if time >= self.end[each.number]]:
            process.withdraw(number, time)
        for vote in people.votes(process, FACTS, time):
            if vote.number not in self.unnoticed:
                process.vote(vote.number, vote.voter, vote.support, time)
        process.execute(time, lambda: PARAMETERS, lambda proposal, parameters: "")
        if time % SPACING == 0 and len(process.proposals) < self.venue.proposals:
            self._submit(time)

    def _submit(self, time: float) -> None:
        """Let the strongest delegate bring in a routine proposal."""
        proposer = int(self.power.argmax())
        proposal = self.process.submit(ROUTE, proposer, Draft(Payload()), PARAMETERS, time)
        if proposal.state == State.REJECTED:
            raise ValueError(f"the strongest delegate must be able to propose: {proposal.reason}")

    def _length(self) -> int:
        """From the submission of a proposal to its execution [s]."""
        rules = self.venue.rules
        return rules.delay + rules.period + rules.timelock

    def _cancellations(self) -> list[float]:
        """When each proposal is cancelled [s]; infinite for most."""
        fate, rules, count = self.venue.fate, self.venue.rules, self.venue.proposals
        luck = stream(self.seed, "turnout", "cancellations").random((3, count))
        early = luck[2] * rules.delay
        late = rules.delay + luck[2] * (rules.period + rules.timelock)
        moment = np.where(luck[1] < fate.unopened, early, late) + SPACING * np.arange(count)
        times: list[float] = np.where(luck[0] < fate.cancelled, moment, np.inf).tolist()
        return times

    def _unnoticed(self) -> set[int]:
        """Proposals on which nobody votes, none of them cancelled."""
        luck = stream(self.seed, "turnout", "unnoticed").random(self.venue.proposals)
        share = self.venue.fate.unnoticed / (1 - self.venue.fate.cancelled)
        return {number for number in np.flatnonzero(luck < share).tolist() if np.isinf(self.end[number])}


def _quiet_venue() -> RiskParameters:
    """Parameters of a venue with one market, which no routine proposal touches."""
    numbers = dict.fromkeys(RiskParameters._fields, 0)
    market = np.ones(1, np.int64)
    arrays = {
        "initial": market * 100_000,
        "maintenance": market * 50_000,
        "open_interest_lower": market * 0,
        "open_interest_upper": market * 0,
        "impact_notional": market * 0,
    }
    return RiskParameters(**(numbers | flat_margins(1) | arrays))


PARAMETERS = _quiet_venue()
FACTS = ordinary_day(PARAMETERS)
