"""What must hold in every history of governance, computed again from a log of all that was done.

Nothing here asks `protocol.governance` what power, a tally or a bound is: each law is worked out a second
time from what people did.
"""

from collections import defaultdict
from fractions import Fraction
from math import floor
from typing import NamedTuple

from protocol.governance.governor import GovernorRules
from protocol.governance.payload import ALL, Setting
from protocol.governance.process import Process
from protocol.governance.proposals import Proposal, State, Support
from protocol.governance.steward import StewardRules
from protocol.governance.tokens import NOBODY, Tokens
from protocol.parameters import RiskParameters

FOLLOWS = {
    "PENDING": {"ACTIVE", "QUEUED", "CANCELLED", "REJECTED"},
    "ACTIVE": {"QUEUED", "DEFEATED", "CANCELLED"},
    "QUEUED": {"EXECUTED", "EXPIRED", "CANCELLED", "REJECTED"},
}
FIELDS = ("initial", "maintenance", "taker_fee", "maker_fee")
Value = tuple[str, int]


class BrokenHistoryError(AssertionError):
    """A law that does not hold, and where."""


def require(holds: bool, law: str, *facts: object) -> None:
    """Raise BrokenHistoryError if a law does not hold."""
    if not holds:
        raise BrokenHistoryError(f"{law}: {facts}")


class Move(NamedTuple):
    """Tokens that moved, or a delegation: from `source`, or to `target`; either may be nobody."""

    time: float
    source: int
    target: int
    amount: int
    delegation: bool = False


class Ledger:
    """Every move of tokens, and what follows from them."""

    def __init__(self, balances: list[int], delegates: list[int]) -> None:
        self.opening = (list(balances), list(delegates))
        self.moves: list[Move] = []
        self.balances, self.delegates = list(balances), list(delegates)

    def add(self, move: Move) -> None:
        """Note what has happened."""
        self.moves.append(move)
        _carry_out(move, self.balances, self.delegates)

    def before(self, time: float) -> tuple[list[int], int]:
        """Power of every holder, and supply, after all moves that are earlier than a time."""
        balances, delegates = list(self.opening[0]), list(self.opening[1])
        for move in self.moves:
            if move.time < time:
                _carry_out(move, balances, delegates)
        return powers(balances, delegates), sum(balances)

    def agrees(self, tokens: Tokens) -> None:
        """Power is what is delegated; nothing is lost on the way."""
        power = powers(self.balances, self.delegates)
        require(tokens.balances.tolist() == self.balances, "balances", tokens.balances, self.balances)
        require(tokens.power.tolist() == power, "sum of power is what is delegated", tokens.power, power)
        require(tokens.supply == sum(self.balances), "supply", tokens.supply, self.balances)
        require(bool((tokens.locked <= tokens.balances).all()), "locked <= balance", tokens.locked)


def _carry_out(move: Move, balances: list[int], delegates: list[int]) -> None:
    if move.delegation:
        delegates[move.source] = move.target
        return
    if move.source != NOBODY:
        balances[move.source] -= move.amount
    if move.target != NOBODY:
        balances[move.target] += move.amount


def powers(balances: list[int], delegates: list[int]) -> list[int]:
    """Tokens that vote through each holder."""
    power = [0] * len(balances)
    for balance, delegate in zip(balances, delegates, strict=True):
        if delegate != NOBODY:
            power[delegate] += balance
    return power


def value(parameters: RiskParameters, where: Value) -> int:
    """Value in force."""
    held = getattr(parameters, where[0])
    return int(held) if where[1] == ALL else int(held[where[1]])


def values(parameters: RiskParameters) -> dict[Value, int]:
    """All values that histories change."""
    places = [(name, market) for name in FIELDS[:2] for market in range(len(parameters.initial))]
    return {where: value(parameters, where) for where in [*places, *((name, ALL) for name in FIELDS[2:])]}


def path_is_allowed(process: Process) -> None:
    """Every proposal moves along the machine's arrows, forward in time, and stays at its end."""
    seen: dict[int, str] = {}
    latest = 0.0
    for event in process.events:
        name, before = event.state.name, seen.get(event.number)
        require(event.time >= latest, "events are in the order of time", event)
        if before is None:
            require(name == "PENDING", "every proposal begins pending", event)
        else:
            require(name in FOLLOWS.get(before, ()), "arrows of the machine", before, event)
        seen[event.number], latest = name, event.time
    for proposal in process.proposals:
        require(proposal.state.name == seen[proposal.number], "a state has its event", proposal)
        closed = proposal.state.name not in FOLLOWS
        require(
            closed != any(each is proposal for each in process.open), "open means not at its end", proposal
        )


class Poll:
    """The ballots of one proposal, as they were handed in."""

    def __init__(self) -> None:
        self.cast: dict[int, tuple[Support, int, float]] = {}

    def counted(self, support: Support) -> int:
        """Weight of one kind of vote."""
        return sum(weight for said, weight, _ in self.cast.values() if said == support)

    def agrees(self, proposal: Proposal) -> None:
        """The tally is the sum of the ballots."""
        tally = [self.counted(each) for each in Support]
        require(proposal.tally == tally, "tally is the sum of ballots", proposal.tally, tally)

    def in_favour(self) -> Fraction:
        """Share in favour of votes for and against, vetoes included."""
        wanted = self.counted(Support.FOR)
        against = self.counted(Support.AGAINST) + self.counted(Support.VETO)
        return Fraction(wanted, wanted + against) if wanted + against else Fraction(0)


def carried(rules: GovernorRules, poll: Poll, supply: int) -> bool:
    """Whether the ballots carry a proposal."""
    against, wanted, abstained, vetoes = (poll.counted(each) for each in Support)
    turnout = wanted
    turnout += abstained if rules.counts_abstentions else 0
    turnout += against + vetoes if rules.counts_against else 0
    if turnout < max(rules.quorum, floor(supply * Fraction(rules.quorum_share, 10**6))):
        return False
    everybody = against + wanted + abstained + vetoes
    if rules.veto and everybody and Fraction(vetoes, everybody) >= Fraction(rules.veto, 10**6):
        return False
    if rules.veto and not everybody:
        return False
    lead = wanted - against - vetoes
    return poll.in_favour() > Fraction(rules.majority, 10**6) and lead > rules.differential


class Executed(NamedTuple):
    """A change of a steward's that came into force.

    Where one of several settings leaves a value as it was, nobody can tell from outside whether it was
    executed or left out; such a one is not `certain`.
    """

    time: float
    published: float
    old: int
    new: int
    certain: bool


class Register:
    """What a steward has changed, by parameter."""

    def __init__(self, rules: StewardRules) -> None:
        self.rules = rules
        self.changes: defaultdict[Value, list[Executed]] = defaultdict(list)

    def add(self, proposal: Proposal, settings: list[Setting], old: RiskParameters, time: float) -> None:
        """Judge an execution by the steward's rules, and note it."""
        rules = self.rules
        require(time - proposal.published <= rules.expiry, "nothing too old is executed", proposal, time)
        require(proposal.published <= time, "nobody publishes the future", proposal, time)
        done = {}
        for setting in settings:
            where = (setting.parameter, setting.market)
            now = value(old, where)
            certain = self.rules.joint or len(settings) == 1 or setting.value != now
            done[where] = Executed(time, proposal.published, now, setting.value, certain)
            if certain:
                self._judge(where, done[where])
        for where, change in done.items():
            self.changes[where].append(change)

    def _judge(self, where: Value, change: Executed) -> None:
        rules, everything = self.rules, self.changes[where]
        past = [each for each in everything if each.certain]
        bounded = where[0] in rules.bounds
        require(bounded or not rules.only_bounded, "only what is bounded is in reach", where)
        if past:
            spacing = rules.spacings.get(where[0], rules.spacing)
            require(change.time - past[-1].time >= spacing, "spacing", where, past[-1], change)
            newer = change.published > past[-1].published
            require(newer or not rules.ordered, "no replay", where, past[-1], change)
        if bounded:
            bound = rules.bounds[where[0]]
            limit = bound.up if change.new > change.old else bound.down
            most = Fraction(limit * abs(change.old), 10**6) if bound.relative else limit
            require(abs(change.new - change.old) <= most, "bound of one change", where, change)
        if rules.window and where[0] in rules.drift:
            bound = rules.drift[where[0]]
            begins = [
                next((each.old for each in known if each.time > change.time - rules.window), change.old)
                for known in (past, everything)
            ]
            near = any(-bound.down <= change.new - begin <= bound.up for begin in begins)
            require(near, "drift within the window", where, begins, change)


def settings_of(proposal: Proposal, old: dict[Value, int], new: dict[Value, int]) -> list[Setting]:
    """What an execution has set: a proposal's settings at their new values; nothing else has moved."""
    asked = {(each.parameter, each.market): each.value for each in proposal.payload.settings}
    for where in old:
        require(where in asked or old[where] == new[where], "only what was proposed moves", where, proposal)
    return [Setting(*where, new[where]) for where in asked]


def between(low: int, found: int, high: int) -> bool:
    """Whether a value lies between two others, in either order."""
    return min(low, high) <= found <= max(low, high)


def finished(process: Process) -> dict[int, tuple[State, str]]:
    """Proposals at their end."""
    return {each.number: (each.state, each.reason) for each in process.proposals if each.state.final}
