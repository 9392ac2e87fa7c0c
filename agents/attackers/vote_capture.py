"""Vote capture: enough votes, for as long as they count, to pass a proposal that pays whoever cast them.

Tokens are bought or borrowed just before they are counted, or votes of delegates are bribed, or a loan of one
moment is voted with and given back. Where power is counted from before the vote, a loan of one moment comes
too late. What all of them live on is a treasury that is worth more than the votes that it takes to move it.

References
----------
.. [1] Beanstalk Farms, 17 April 2022: a flash loan, two thirds of all votes, and an emergency commit.
.. [2] Compound proposal 289, 28 July 2024; Build Finance, February 2022: tokens bought, and little turnout.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.chamber import Chamber
from agents.attackers.loot import harm, reservations
from agents.attackers.plot import Plot, PlotSettings
from agents.attackers.poll import counted_before, needed
from agents.role import Stream
from agents.settings import Duration, parameter
from protocol.arithmetic import MICRO
from protocol.book import Ints
from protocol.governance.governor import Governor
from protocol.governance.proposals import Proposal, State, Support


class VoteCaptureSettings(PlotSettings):
    """Settings of a vote capture."""

    kind: Literal["vote_capture"]
    means: Literal["flash", "borrow", "buy", "bribe", "quiet"] = parameter(
        "borrow", "", description="how votes are had; quiet: bought, and only as many as the quorum asks for"
    )
    votes: float = parameter(0.0, "tokens", ge=0, le=1e12, description="that it gets; 0: what it needs")
    opposition: float = parameter(
        0.4, "1", ge=0, le=1, description="share of all power that it expects to vote against it"
    )
    surplus: float = parameter(0.05, "1", ge=0, le=100, description="votes beyond what it needs")
    sponsor: bool = parameter(False, "1", description="a delegate with enough power proposes in its place")
    attempts: int = parameter(1, "1", ge=1, le=100)
    pause: Duration = parameter(86_400, "s", ge=0, description="before another attempt")
    reputation: float = parameter(
        1.0,
        "USD/token",
        ge=0,
        le=1e9,
        description="median price of a delegate's name, beside what the loot costs him",
    )
    spread: float = parameter(1.0, "1", ge=0, le=5, description="standard deviation of its logarithm")


class VoteCapture(Plot):
    """One holder who begins without tokens."""

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: VoteCaptureSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.ready, self.voted, self.over = False, False, False
        self.again = 0.0

    def scheme(self, chamber: Chamber) -> None:
        """Get what a proposer needs, propose, get the votes, cast them, and let go of tokens."""
        governor = chamber.process.routes.get("governor")
        if not isinstance(governor, Governor) or self.over:
            return
        self.holding.accrue(chamber)
        proposal = self.current(chamber)
        if proposal is None or proposal.state.final:
            self._begin(chamber, governor, proposal)
        elif proposal.state == State.PENDING:
            self._gather(chamber, governor, proposal)
        elif proposal.state == State.ACTIVE and not self.voted:
            self._cast(chamber, governor, proposal)

    def _begin(self, chamber: Chamber, governor: Governor, last: Proposal | None) -> None:
        """Propose, for the first time or again; end it where that brings nothing more."""
        tried = len(self.numbers)
        if last is not None and (self.succeeded(chamber) or tried >= self.settings.attempts):
            self._let_go(chamber)
            self.over = True
        elif self.ready:
            self._propose(chamber, governor)
        elif last is None or chamber.time >= self.again:
            self.ready = self._prepare(chamber, governor)
            self.over = not self.ready

    def _prepare(self, chamber: Chamber, governor: Governor) -> bool:
        """Get what must be held before a proposal is made; whether all that is needed is within reach."""
        rules = governor.rules
        wanted = self._wanted(chamber, governor, None)
        if wanted > self._reach(chamber):
            return False
        before = 0 if self._sponsor(chamber, governor) is not None else max(rules.threshold, rules.deposit)
        if counted_before(rules) and self.settings.means not in ("flash", "bribe"):
            before = max(before, wanted)
        self._get(chamber, before)
        return self._held(chamber) >= before

    def _propose(self, chamber: Chamber, governor: Governor) -> None:
        """Bring the proposal in, one block after its tokens; gather the rest at once where time is short."""
        sponsor = self._sponsor(chamber, governor)
        proposer = chamber.holder if sponsor is None else sponsor
        made = self.submit(chamber, "governor", proposer, self.draft(chamber))
        self.ready, self.voted, self.again = False, False, chamber.time + self.settings.pause
        if made.state == State.PENDING:
            self._gather(chamber, governor, made)

    def _gather(self, chamber: Chamber, governor: Governor, proposal: Proposal) -> None:
        """Get votes in the last block before power is counted."""
        early = self.settings.means in ("borrow", "buy", "quiet") and governor.rules.weighing == "opening"
        if early and chamber.time < proposal.snapshot <= chamber.time + chamber.seconds:
            self._get(chamber, self._wanted(chamber, governor, proposal))

    def _cast(self, chamber: Chamber, governor: Governor, proposal: Proposal) -> None:
        """Vote, when it is time to; then give up tokens that are not needed any more."""
        rules = governor.rules
        urgent = rules.emergency_share > 0
        if urgent and chamber.time < proposal.created + rules.emergency_wait:
            return
        last = chamber.time + chamber.seconds > proposal.closes
        if rules.weighing == "voting" and not (urgent or last):
            return
        wanted = self._wanted(chamber, governor, proposal)
        if self.settings.means == "bribe":
            self._bribe(chamber, governor, proposal, wanted)
        elif self.settings.means == "flash":
            missing = max(wanted - self._held(chamber), 0)
            self.holding.flash(chamber, missing, lambda: self._vote(chamber, proposal))
        else:
            if rules.weighing == "voting":
                self._get(chamber, wanted)
            self._vote(chamber, proposal)
        self.voted = True
        if not (rules.rechecked and proposal.proposer == chamber.holder):
            self._let_go(chamber)

    def _vote(self, chamber: Chamber, proposal: Proposal) -> None:
        """Cast all votes, and where an emergency majority may, put it into force at once."""
        process = chamber.process
        process.vote(proposal.number, chamber.holder, Support.FOR, chamber.time)
        if not process.commit(proposal.number, chamber.time):
            chamber.execute()

    def _bribe(self, chamber: Chamber, governor: Governor, proposal: Proposal, wanted: int) -> None:
        """Pay all the same, the least price for which enough delegates vote for it."""
        tokens = chamber.tokens
        if tokens is None:
            return
        power = np.array([governor.weight(proposal, each, chamber.time) for each in range(chamber.lender)])
        able = np.flatnonzero(power > 0)
        names = self.stream("reputation").standard_normal(chamber.lender)[able]
        reputation = self.settings.reputation * np.exp(self.settings.spread * names)
        price = reservations(tokens.balances[able], power[able], harm(self.wanted, chamber), reputation)
        order = np.argsort(price, kind="stable")
        votes = np.cumsum(power[able][order])
        count = int(np.searchsorted(votes, wanted)) + 1
        if count > len(able):
            return
        bill = float(price[order[count - 1]]) * float(votes[count - 1]) / MICRO
        if bill <= self.holding.money(chamber):
            self.holding.pay(chamber, bill, "bribes")
            for voter in able[order[:count]].tolist():
                chamber.process.vote(proposal.number, voter, Support.FOR, chamber.time)
            self._vote(chamber, proposal)

    def _wanted(self, chamber: Chamber, governor: Governor, proposal: Proposal | None) -> int:
        """Votes that it needs, by its own guess of who will vote against it [micro-tokens]."""
        chosen = self.settings
        if chosen.votes:
            return round(chosen.votes * MICRO)
        against = 0.0 if chosen.means == "quiet" else chosen.opposition
        expected = int(against * int(governor.tokens.power[: chamber.lender].sum()))
        return int(needed(governor, proposal, expected) * (1 + chosen.surplus))

    def _reach(self, chamber: Chamber) -> int:
        """Votes that it could have at all [micro-tokens]."""
        market, tokens = chamber.market, chamber.tokens
        if market is None or tokens is None:
            return 0
        money, means = self.holding.money(chamber), self.settings.means
        if means == "bribe":
            return int(tokens.power[: chamber.lender].sum())
        if means == "flash":
            fee = market.flash_cost(MICRO)
            return min(market.flash, int(money / fee * MICRO)) if fee else market.flash
        if means == "borrow":
            return market.lendable
        return min(market.affordable(money), int(tokens.balances[chamber.lender]))

    def _get(self, chamber: Chamber, tokens: int) -> None:
        """Borrow or buy what is missing of so many tokens; a loan of one moment cannot be held on to."""
        held = self._held(chamber)
        if tokens <= held:
            return
        self.act_first(chamber.time)
        if self.settings.means == "borrow":
            self.holding.borrow(chamber, tokens - held)
        else:
            self.holding.buy(chamber, tokens - held)

    def _held(self, chamber: Chamber) -> int:
        """Tokens that it has now, its own and borrowed [micro-tokens]."""
        return 0 if chamber.tokens is None else int(chamber.tokens.balances[chamber.holder])

    def _let_go(self, chamber: Chamber) -> None:
        """Give back and sell all tokens."""
        self.holding.repay(chamber)
        self.holding.sell(chamber)

    def _sponsor(self, chamber: Chamber, governor: Governor) -> int | None:
        """The delegate with the least power that is enough to propose; None where none is asked."""
        if not self.settings.sponsor or chamber.tokens is None:
            return None
        power = chamber.tokens.power[: chamber.lender]
        enough = np.flatnonzero(power >= max(governor.rules.threshold, 1))
        return int(enough[np.argmin(power[enough])]) if len(enough) else None
