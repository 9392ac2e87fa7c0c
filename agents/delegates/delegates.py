"""The holders of a governance token as an agent: they vote on what is open, and sometimes propose."""

from typing import NamedTuple

import mesa
import numpy as np

from agents.delegates.ballots import Ballots, drawn_ballots
from agents.delegates.electorate import Electorate, electorate
from agents.delegates.facts import PublicFacts
from agents.delegates.initiative import Initiative, Wish
from agents.delegates.interests import favour, hostile, position, scores
from agents.delegates.settings import PeopleSettings
from agents.role import NOBODY, Stream
from protocol.book import Floats, Ints
from protocol.governance.process import Process
from protocol.governance.proposals import Proposal, State, Support
from protocol.parameters import RiskParameters


class Vote(NamedTuple):
    """A vote to be cast now: on which proposal, by whom, and what it says."""

    number: int
    voter: int
    support: Support


class Delegates(mesa.Agent):  # type: ignore[misc]
    """A Mesa agent that owns no account of the venue and stands for all holders of its token.

    It knows the power that everybody had at the start. What power a vote has is the governor's business.

    Parameters
    ----------
    model : mesa.Model
    settings : PeopleSettings
    stream : callable
        `stream(*name)` makes the generator of one named decision.

    Attributes
    ----------
    people : Electorate
    """

    name = "delegates"

    def __init__(self, model: mesa.Model, settings: PeopleSettings, stream: Stream) -> None:
        super().__init__(model)
        self.accounts = NOBODY
        self.settings, self.stream = settings, stream
        self.people: Electorate = electorate(settings, stream)
        self.initiative = Initiative(settings.initiative, self.people, stream)
        self._ballots: dict[int, Ballots] = {}

    def votes(self, process: Process, facts: PublicFacts, time: float) -> list[Vote]:
        """Votes that are due, by proposal and time; whoever runs the venue casts them.

        Nothing is drawn unless a vote has newly opened. What a vote says depends on the facts at this moment;
        whether and when it is cast does not. A vote that would come later than the last block before its
        proposal closes is lost.

        Parameters
        ----------
        process : Process
        facts : PublicFacts
        time : float
            Now [s].
        """
        active = [each for each in process.open if each.state == State.ACTIVE and each.voted]
        if len(self._ballots) > len(active):
            self._ballots = {each.number: self._of(each) for each in active}
        found: list[Vote] = []
        for proposal in active:
            if time <= proposal.closes:
                found += self._due(proposal, facts, time)
        return found

    def wishes(self, facts: PublicFacts, parameters: RiskParameters, time: float) -> list[Wish]:
        """What people want to propose now; see `Initiative.wishes`."""
        return self.initiative.wishes(facts, parameters, time)

    def _of(self, proposal: Proposal) -> Ballots:
        """The ballots of a proposal, drawn when it is first met."""
        if proposal.number not in self._ballots:
            times = proposal.opens, proposal.closes
            self._ballots[proposal.number] = drawn_ballots(
                self.people, self.settings, self.stream, proposal.number, times
            )
        return self._ballots[proposal.number]

    def _due(self, proposal: Proposal, facts: PublicFacts, time: float) -> list[Vote]:
        ballots = self._of(proposal)
        due = ballots.due(time)
        if due.start == due.stop:
            return []
        said = self._support(proposal, ballots, due, facts)
        casting = ~ballots.called[due] | np.isinf(proposal.quorum_reached)
        pairs = zip(ballots.voters[due][casting].tolist(), said[casting].tolist(), strict=True)
        return [Vote(proposal.number, voter, Support(support)) for voter, support in pairs]

    def _support(self, proposal: Proposal, ballots: Ballots, due: slice, facts: PublicFacts) -> Ints:
        """What the votes that are due say, (k,), by `Support`."""
        opinion, settings = self.settings.opinion, proposal.payload.settings
        stand = ballots.appeal, position(settings, proposal.seen, ballots.position)
        score = scores(settings, proposal.seen, facts)
        chance: Floats = favour(self.people, ballots.voters[due], score, stand, opinion)
        luck = ballots.support[due]
        for_it = luck < opinion.abstention + (1 - opinion.abstention) * chance
        said = np.where(
            luck < opinion.abstention, Support.ABSTAIN, np.where(for_it, Support.FOR, Support.AGAINST)
        )
        if hostile(proposal.payload, len(facts.opening.initial)):
            said = np.where(ballots.alert[due] < opinion.vigilance, Support.AGAINST, said)
        return said.astype(np.int64)
