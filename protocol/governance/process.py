"""The one state machine: every proposal of every route, from its submission to its end."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from protocol.governance.governor import Governor
from protocol.governance.guardian import Guardian
from protocol.governance.limits import Range, outside_limits
from protocol.governance.payload import Setting, applied, current
from protocol.governance.proposals import NEXT, Draft, Event, Proposal, State, Support
from protocol.governance.route import Refusal, Route
from protocol.governance.steward import Steward
from protocol.parameters import RiskParameters, violations

Kind = TypeVar("Kind")
Enact = Callable[[Proposal, RiskParameters], str]


class Order(NamedTuple):
    """Rules that hold on every route.

    Attributes
    ----------
    limits : mapping of str to Range
        Hard bounds of parameters.
    refuses_stale : bool
        Whether a proposal falls when what it changes is no longer as its proposer saw it.
    refuses_conflicts : bool
        Whether a parameter that an open proposal is about must wait for another one.
    """

    limits: Mapping[str, Range] = {}
    refuses_stale: bool = False
    refuses_conflicts: bool = False


class Process:
    """Proposals, and the routes that they take.

    Parameters
    ----------
    routes : mapping of str to Route
    order : Order
    guardian : Guardian, optional

    Attributes
    ----------
    proposals : list of Proposal
        All that there ever were, by number.
    events : list of Event
        Every change of a state, in the order of time.
    """

    def __init__(self, routes: Mapping[str, Route], order: Order, guardian: Guardian | None = None) -> None:
        self.routes, self.order, self.guardian = routes, order, guardian
        self.proposals: list[Proposal] = []
        self.events: list[Event] = []
        self._open: list[Proposal] = []

    @property
    def open(self) -> list[Proposal]:
        """Proposals that are not at their end."""
        return list(self._open)

    def submit(
        self,
        route: str,
        proposer: int,
        draft: Draft,
        parameters: RiskParameters,
        time: float,
    ) -> Proposal:
        """Bring in a proposal; one that its route refuses is kept, as REJECTED.

        Parameters
        ----------
        route : str
        proposer : int
            Holder of tokens, or key.
        draft : Draft
        parameters : RiskParameters
            In force now.
        time : float
            Now [s].

        Raises
        ------
        ValueError
            If a setting is about no parameter, or no market, of the venue, or two are about the same.
        """
        _require_apart(draft.payload.settings)
        applied(parameters, draft.payload.settings)
        seen = tuple(current(parameters, setting) for setting in draft.payload.settings)
        published = time if draft.published is None else draft.published
        names = (len(self.proposals), route, proposer, draft.title)
        proposal = Proposal(*names, draft.payload, time, published, seen, truncated=draft.truncated)
        self.proposals.append(proposal)
        self._note(proposal, time)
        refusal = self._conflict(proposal) or self.routes[route].admit(proposal, time)
        if refusal:
            proposal.state, proposal.reason = State.REJECTED, refusal
        else:
            self._open.append(proposal)
        if proposal.state != State.PENDING:
            self._note(proposal, time)
        return proposal

    def _conflict(self, proposal: Proposal) -> str:
        """Why it must wait for another proposal; empty if it need not."""
        if self.order.refuses_conflicts:
            for other in self._open:
                if _targets(proposal) & _targets(other):
                    return f"proposal {other.number} about the same parameter is still open"
        return ""

    def vote(self, number: int, voter: int, support: Support, time: float) -> str:
        """Cast a vote; why it does not count, empty if it does."""
        proposal, governor = self._of(number, Governor)
        return governor.vote(proposal, voter, support, time)

    def sign(self, number: int, key: int, time: float) -> str:
        """Sign a proposal of a route by keys; why it does not count, empty if it does."""
        proposal, steward = self._of(number, Steward)
        before = proposal.state
        refusal = steward.sign(proposal, key, time)
        self._moved(proposal, before, time)
        return refusal

    def commit(self, number: int, time: float) -> str:
        """Let an emergency majority queue a proposal for now; why it may not, empty if it does."""
        proposal, governor = self._of(number, Governor)
        before = proposal.state
        refusal = governor.commit(proposal, time)
        self._moved(proposal, before, time)
        return refusal

    def cancel(self, number: int, time: float, reason: str) -> str:
        """Let the guardian veto what is not at its end; why it may not, empty if it does."""
        proposal = self.proposals[number]
        if self.guardian is None:
            return "there is no guardian"
        refusal = self.guardian.refusal(time)
        if not refusal and proposal.state.final:
            refusal = f"only what is open can be cancelled, got {proposal.state.name}"
        if not refusal:
            self._to(proposal, State.CANCELLED, time, reason)
        return refusal

    def withdraw(self, number: int, time: float) -> str:
        """Let the proposer take a proposal back; why he may not, empty if he does."""
        proposal = self.proposals[number]
        if proposal.state.final:
            return f"only what is open can be withdrawn, got {proposal.state.name}"
        self._to(proposal, State.CANCELLED, time, "withdrawn by its proposer")
        return ""

    def advance(self, time: float) -> None:
        """Let every open proposal come to the state that it has reached by now."""
        for proposal in self.open:
            while self._step(proposal, time):
                pass
            if proposal.state == State.QUEUED and time > proposal.expires:
                self._to(proposal, State.EXPIRED, time, proposal.reason or "nobody executed it in time")

    def _step(self, proposal: Proposal, time: float) -> bool:
        """Let its route move an open proposal on by one state; whether it has, and may have another."""
        before = proposal.state
        self.routes[proposal.route].advance(proposal, time)
        self._moved(proposal, before, time)
        return proposal.state != before and not proposal.state.final

    def execute(self, time: float, parameters: Callable[[], RiskParameters], enact: Enact) -> None:
        """Execute what is due, the earliest first.

        Parameters
        ----------
        time : float
            Now [s].
        parameters : callable
            Those in force at the moment of the call.
        enact : callable
            Makes a proposal's new parameters hold; returns why it must not be executed now, empty once it is.
        """
        due = [each for each in self._open if each.state == State.QUEUED and each.eta <= time <= each.expires]
        due.sort(key=lambda each: (each.eta, each.number))
        for index, proposal in enumerate(due):
            if proposal.state == State.QUEUED:
                self._try(proposal, due[index + 1 :], (time, parameters()), enact)

    def _try(
        self, proposal: Proposal, later: list[Proposal], now: tuple[float, RiskParameters], enact: Enact
    ) -> None:
        time, parameters = now
        if any(_supersedes(other, proposal) for other in later):
            self._to(proposal, State.CANCELLED, time, "superseded by a newer update")
            return
        route = self.routes[proposal.route]
        found = self._stale(proposal, parameters) or route.judge(proposal, parameters, time)
        if not isinstance(found, Refusal):
            found = self._enact(proposal, found, now, enact)
        if not isinstance(found, Refusal):
            route.note(proposal, found, parameters, time)
            cut = sum(a not in proposal.payload.settings for a in found)
            proposal.truncated = min(proposal.truncated + cut, len(proposal.payload.settings))
            self._to(proposal, State.EXECUTED, time, "")
        elif found.later:
            proposal.reason = found.reason
        else:
            self._to(proposal, State.REJECTED, time, found.reason)

    def _enact(
        self,
        proposal: Proposal,
        settings: tuple[Setting, ...],
        now: tuple[float, RiskParameters],
        enact: Enact,
    ) -> tuple[Setting, ...] | Refusal:
        changed = applied(now[1], settings)
        broken = [*outside_limits(changed, self.order.limits), *violations(changed)]
        if broken:
            return Refusal("; ".join(broken))
        refusal = enact(proposal, changed)
        return Refusal(refusal, later=True) if refusal else settings

    def _stale(self, proposal: Proposal, parameters: RiskParameters) -> Refusal | None:
        if not self.order.refuses_stale:
            return None
        for setting, seen in zip(proposal.payload.settings, proposal.seen, strict=True):
            now = current(parameters, setting)
            if now != seen:
                return Refusal(f"stale: {setting.parameter} was {seen} when proposed, and is {now}")
        return None

    def _of(self, number: int, kind: type[Kind]) -> tuple[Proposal, Kind]:
        proposal = self.proposals[number]
        route = self.routes[proposal.route]
        if not isinstance(route, kind):
            raise TypeError(f"the route of proposal {number} must be a {kind.__name__}, got {proposal.route}")
        return proposal, route

    def _to(self, proposal: Proposal, state: State, time: float, reason: str) -> None:
        before, proposal.state, proposal.reason = proposal.state, state, reason
        self._moved(proposal, before, time)

    def _moved(self, proposal: Proposal, before: State, time: float) -> None:
        """Note a new state, and that a proposal has come to its end."""
        if proposal.state == before:
            return
        if proposal.state not in NEXT[before]:
            raise ValueError(f"no proposal goes from {before.name} to {proposal.state.name}")
        self._note(proposal, time)
        if proposal.state.final:
            self._open.remove(proposal)
            self.routes[proposal.route].conclude(proposal, time)

    def _note(self, proposal: Proposal, time: float) -> None:
        self.events.append(Event(time, proposal.number, proposal.state, proposal.reason))


def _require_apart(settings: tuple[Setting, ...]) -> None:
    """Refuse two settings of one parameter, of which only one could hold."""
    places = [(setting.parameter, setting.market) for setting in settings]
    for place in places:
        if places.count(place) > 1:
            raise ValueError(
                f"a proposal sets each parameter once, got {place[0]} of market {place[1]} twice"
            )


def _targets(proposal: Proposal) -> set[tuple[str, int]]:
    """Parameters that a proposal is about."""
    return {(setting.parameter, setting.market) for setting in proposal.payload.settings}


def _supersedes(newer: Proposal, older: Proposal) -> bool:
    """Whether of two due updates of one route by keys the newer says all that the older does."""
    return (
        newer.route == older.route
        and not newer.voted
        and newer.published > older.published
        and bool(older.payload.settings)
        and not (older.payload.payments or older.payload.mints)
        and _targets(older) <= _targets(newer)
    )
