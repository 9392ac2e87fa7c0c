"""The governor: proposals that holders of tokens vote on, with a quorum, a queue and a time lock.

References
----------
.. [1] OpenZeppelin Contracts: Governor, GovernorCountingSimple, GovernorPreventLateQuorum, Timelock.
.. [2] Compound GovernorBravo and Timelock; Aave governance v3, Deploy_Governance.s.sol; Cosmos SDK x/gov.
"""

from typing import Literal, NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.governance.payload import Setting
from protocol.governance.proposals import Ballot, Proposal, State, Support
from protocol.governance.route import Refusal
from protocol.governance.tokens import Tokens
from protocol.parameters import RiskParameters

Weighing = Literal["opening", "creation", "voting"]
VETOED = "vetoed by voters"


class GovernorRules(NamedTuple):
    """How a vote is held; times in seconds, tokens in micro-tokens.

    Attributes
    ----------
    threshold : int
        Power that a proposer must have had just before.
    deposit : int
        Tokens that a proposer must hold, cannot move while it is open, and loses to a veto.
    rechecked : bool
        Whether a proposal falls when its proposer's power does.
    delay, period : float
        From the proposal to the vote, and of the vote.
    extension : float
        How long a vote goes on, at least, after its quorum was reached.
    weighing : {"opening", "creation", "voting"}
        Whose power counts: just before the vote opened, before the proposal was made, or while voting.
    quorum, quorum_share : int
        Votes that are enough [micro-tokens; ppm of supply]; the larger holds.
    counts_abstentions, counts_against : bool
        Whether abstentions, and votes against and vetoes, count for the quorum beside those in favour.
    majority : int
        Share of votes for and against that those in favour must exceed [ppm].
    differential : int
        Votes by which those in favour must exceed those against, beyond a tie.
    veto : int
        Share of all votes from which vetoes defeat a proposal [ppm]; 0: there is none.
    timelock, grace : float
        From the queue to the execution, and time for it from then on.
    emergency_share : int
        Share of supply in favour that may execute at once [ppm]; 0: none may.
    emergency_wait : float
        Before which not even they may.
    """

    threshold: int = 0
    deposit: int = 0
    rechecked: bool = False
    delay: float = 0.0
    period: float = 0.0
    extension: float = 0.0
    weighing: Weighing = "opening"
    quorum: int = 0
    quorum_share: int = 0
    counts_abstentions: bool = False
    counts_against: bool = False
    majority: int = PPM // 2
    differential: int = 0
    veto: int = 0
    timelock: float = 0.0
    grace: float = np.inf
    emergency_share: int = 0
    emergency_wait: float = 0.0


class Governor:
    """A route by vote.

    Parameters
    ----------
    rules : GovernorRules
    tokens : Tokens

    Attributes
    ----------
    ballots : list of Ballot
        Every vote that counted.
    """

    def __init__(self, rules: GovernorRules, tokens: Tokens) -> None:
        self.rules, self.tokens = rules, tokens
        self.ballots: list[Ballot] = []
        self._voted: set[tuple[int, int]] = set()
        self._deposits: dict[int, int] = {}

    def admit(self, proposal: Proposal, time: float) -> str:
        """Refuse a proposer without enough power or deposit; set the times of the vote."""
        rules, held = self.rules, self.tokens.power_before(proposal.proposer, time)
        if held < rules.threshold:
            return f"power >= threshold={rules.threshold} must hold, got {held}"
        free = self.tokens.free(proposal.proposer)
        if free < rules.deposit:
            return f"free tokens >= deposit={rules.deposit} must hold, got {free}"
        if rules.deposit:
            self.tokens.lock(proposal.proposer, rules.deposit)
            self._deposits[proposal.number] = rules.deposit
        proposal.opens = time + rules.delay
        proposal.closes = proposal.opens + rules.period
        proposal.snapshot = proposal.created if rules.weighing == "creation" else proposal.opens
        return ""

    def advance(self, proposal: Proposal, time: float) -> None:
        """One step: open the vote, or close it, or let fall whose proposer has lost his power."""
        rules = self.rules
        if rules.rechecked and self.tokens.power_before(proposal.proposer, time) < rules.threshold:
            proposal.state, proposal.reason = State.CANCELLED, "the proposer's power fell below the threshold"
        elif proposal.state == State.PENDING and time >= proposal.opens:
            proposal.state = State.ACTIVE
        elif proposal.state == State.ACTIVE and time > proposal.closes:
            proposal.reason = self.failure(proposal)
            proposal.state = State.DEFEATED if proposal.reason else State.QUEUED
            if proposal.state == State.QUEUED:
                proposal.eta = time + rules.timelock
                proposal.expires = proposal.eta + rules.grace

    def weight(self, proposal: Proposal, voter: int, time: float) -> int:
        """Power that a vote of a holder would have now [micro-tokens]."""
        if self.rules.weighing == "voting":
            return self.tokens.power_at(voter, time)
        return self.tokens.power_before(voter, proposal.snapshot)

    def vote(self, proposal: Proposal, voter: int, support: Support, time: float) -> str:
        """Count a vote; why it does not count, empty if it does."""
        if not self.polling(proposal, time):
            return f"a vote must be cast while the proposal is active, got {proposal.state.name} at {time}"
        if (proposal.number, voter) in self._voted:
            return f"each holder votes once, got a second vote of holder {voter}"
        weight = self.weight(proposal, voter, time)
        if weight <= 0:
            return f"a vote needs power, got 0 for holder {voter}"
        self._voted.add((proposal.number, voter))
        proposal.tally[support] += weight
        self.ballots.append(Ballot(time, proposal.number, voter, support, weight))
        if np.isinf(proposal.quorum_reached) and self.quorate(proposal):
            proposal.quorum_reached = time
            proposal.closes = max(proposal.closes, time + self.rules.extension)
        return ""

    def polling(self, proposal: Proposal, time: float) -> bool:
        """Whether votes count now; they do at the very end of the vote."""
        return proposal.state == State.ACTIVE and proposal.opens <= time <= proposal.closes

    def needed(self, proposal: Proposal) -> int:
        """Votes that make the quorum [micro-tokens]."""
        supply = self.tokens.supply_before(proposal.snapshot)
        return max(self.rules.quorum, supply * self.rules.quorum_share // PPM)

    def quorate(self, proposal: Proposal) -> bool:
        """Whether enough votes were cast."""
        tally = proposal.tally
        counted = tally[Support.FOR] + self.rules.counts_abstentions * tally[Support.ABSTAIN]
        counted += self.rules.counts_against * (tally[Support.AGAINST] + tally[Support.VETO])
        return counted >= self.needed(proposal)

    def failure(self, proposal: Proposal) -> str:
        """Why the votes cast so far do not carry the proposal; empty if they do."""
        rules, (against, wanted, abstained, vetoed) = self.rules, proposal.tally
        if not self.quorate(proposal):
            return "no quorum"
        if rules.veto and vetoed * PPM >= rules.veto * (against + wanted + abstained + vetoed):
            return VETOED
        against += vetoed
        if wanted * PPM <= rules.majority * (wanted + against):
            return "no majority"
        return "" if wanted - against > rules.differential else "too small a lead"

    def commit(self, proposal: Proposal, time: float) -> str:
        """Let an emergency majority execute at once; why it may not, empty if it may."""
        rules, supply = self.rules, self.tokens.supply
        if not rules.emergency_share:
            return "there is no emergency majority"
        if not self.polling(proposal, time):
            return f"an emergency needs an active proposal, got {proposal.state.name} at {time}"
        if time < proposal.created + rules.emergency_wait:
            return f"an emergency must wait {rules.emergency_wait} s, got {time - proposal.created}"
        if proposal.tally[Support.FOR] * PPM < rules.emergency_share * supply:
            return f"an emergency needs {rules.emergency_share / PPM:.1%} of supply"
        proposal.state, proposal.reason = State.QUEUED, "emergency majority"
        proposal.eta, proposal.expires = time, time + rules.grace
        return ""

    def judge(
        self, proposal: Proposal, parameters: RiskParameters, time: float
    ) -> tuple[Setting, ...] | Refusal:
        """All of it: voters may do what limits allow."""
        return proposal.payload.settings

    def note(
        self, proposal: Proposal, settings: tuple[Setting, ...], before: RiskParameters, time: float
    ) -> None:
        """Nothing: a vote needs no pause after another."""

    def conclude(self, proposal: Proposal, time: float) -> None:
        """Give the deposit back, or burn that of a proposal that voters have vetoed."""
        deposit = self._deposits.pop(proposal.number, 0)
        if deposit:
            self.tokens.lock(proposal.proposer, -deposit)
            if proposal.state == State.DEFEATED and proposal.reason == VETOED:
                self.tokens.burn(proposal.proposer, deposit, time)
