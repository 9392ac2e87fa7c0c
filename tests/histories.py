"""Random histories of governance: anybody does anything at any moment, and every law holds after each act.

    python tests/histories.py --histories 10000

A history follows from its number: rules, holders and acts are drawn from a stream of its own. A broken law
names the number, as the command that runs that history again.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from history_laws import (
    BrokenHistoryError,
    Ledger,
    Move,
    Poll,
    Register,
    between,
    carried,
    finished,
    path_is_allowed,
    require,
    settings_of,
    value,
    values,
)
from history_rules import KEYS, Dice, governor_rules, steward_rules
from venue import integers, parameters

from protocol.governance.governor import Governor
from protocol.governance.guardian import Guardian, GuardianRules, Pauses
from protocol.governance.limits import Range, outside_limits
from protocol.governance.payload import ALL, Mint, Payload, Setting
from protocol.governance.process import Order, Process
from protocol.governance.proposals import Draft, Proposal, State, Support
from protocol.governance.steward import Steward
from protocol.governance.tokens import NOBODY, Tokens
from protocol.parameters import RiskParameters, violations

HOLDERS, STEPS = 4, 40
OPENING = parameters(2, taker_fee=100)
LIMITS = {"maintenance": Range(6_000, 24_000), "initial": Range(6_000, 40_000), "taker_fee": Range(0, 400)}
GOVERNOR, STEWARD = "governor", "steward"


class History:
    """One history as it runs.

    Attributes
    ----------
    seen : Counter
        What has happened so far, by name.
    """

    def __init__(self, number: int) -> None:
        self.number, self.time = number, 0.0
        self.seen: Counter[str] = Counter()
        self.dice = dice = Dice(number)
        self.unit = dice.among(1, 1, 10**6, 10**14)
        balances = [dice.below(50) * self.unit for _ in range(HOLDERS)]
        delegates = [dice.among(each, each, dice.below(HOLDERS), NOBODY) for each in range(HOLDERS)]
        self.ledger = Ledger(balances, delegates)
        self.tokens = Tokens(integers(*balances), integers(*delegates))
        self.voting, self.acting = governor_rules(dice, self.unit), steward_rules(dice)
        self.governor, self.steward = Governor(self.voting, self.tokens), Steward(self.acting)
        self.order = Order({} if dice.happens(3) else LIMITS, dice.happens(4), dice.happens(5))
        self.power_ends = dice.among(np.inf, 10.0)
        self.guardian = Guardian(GuardianRules(vetoes=True, until=self.power_ends), Pauses())
        routes = {GOVERNOR: self.governor, STEWARD: self.steward}
        self.process = Process(routes, self.order, self.guardian)
        self.parameters: RiskParameters = OPENING
        self.register = Register(self.acting)
        self.polls: dict[int, Poll] = {}
        self.signed: dict[int, set[int]] = {}
        self.proposed: dict[int, dict[tuple[str, int], int]] = {}

    def run(self) -> Counter[str]:
        """Let people act, then let time pass until nothing is left to happen; returns what was seen."""
        acts: list[Callable[[], None]] = [
            *[self.tick] * 9, *[self.submit] * 6, *[self.vote] * 14, *[self.sign] * 3, *[self.commit] * 2,
            *[self.move] * 3, self.mint, self.burn, self.delegate, self.end,
        ]  # fmt: skip
        for _ in range(STEPS):
            before = finished(self.process)
            acts[self.dice.below(len(acts))]()
            self._laws(before)
        for wait in (0.0, 7.0, 50.0):
            before = finished(self.process)
            self._pass(wait)
            self._laws(before)
        return self.seen

    def _laws(self, before: dict[int, tuple[State, str]]) -> None:
        """What holds after every act."""
        self._burnt(before)
        self.ledger.agrees(self.tokens)
        path_is_allowed(self.process)
        for number, end in before.items():
            proposal = self.process.proposals[number]
            require((proposal.state, proposal.reason) == end, "what is at its end stays there", proposal)
        for number, poll in self.polls.items():
            poll.agrees(self.process.proposals[number])
        require(not self.process.open or self.tokens.locked.sum() <= sum(self.ledger.balances), "deposits")
        held = sum(each.route == GOVERNOR for each in self.process.open) * self.voting.deposit
        require(int(self.tokens.locked.sum()) == held, "deposits of open proposals are locked", held)

    def _burnt(self, before: dict[int, tuple[State, str]]) -> None:
        """Note the deposits of proposals that voters have vetoed in this act."""
        for proposal in self.process.proposals:
            vetoed = proposal.state == State.DEFEATED and proposal.reason == "vetoed by voters"
            if proposal.number not in before and vetoed:
                self.seen["vetoed by voters"] += 1
                self.ledger.add(Move(self.time, proposal.proposer, NOBODY, self.voting.deposit))

    def tick(self) -> None:
        """Let some time pass, or none."""
        self._pass(float(self.dice.among(0, 0.5, 1, 1, 1, 3)))

    def _pass(self, wait: float) -> None:
        self.time += wait
        self._advance()
        self.process.execute(self.time, lambda: self.parameters, self._enact)
        for proposal in self.process.open:
            overdue = proposal.state == State.QUEUED and proposal.expires < self.time
            require(not overdue, "what is too late has expired", proposal, self.time)

    def _advance(self) -> None:
        was = {each.number: each.state for each in self.process.open}
        quorums = {each.number: each.quorum_reached for each in self.process.open}
        self.process.advance(self.time)
        power = self.ledger.before(self.time)[0]
        for number, state in was.items():
            proposal = self.process.proposals[number]
            if proposal.route == GOVERNOR:
                self._judge_vote(proposal, state, power)
                require(proposal.quorum_reached == quorums[number], "only votes make a quorum", proposal)
            elif proposal.state == State.QUEUED:
                require(len(self.signed[number]) >= self.acting.approvals, "signatures", proposal)
            if proposal.state != state:
                self.seen[f"{proposal.route} {proposal.state.name}"] += 1

    def _judge_vote(self, proposal: Proposal, before: State, power: list[int]) -> None:
        """What has become of a vote is what its ballots say."""
        weak = self.voting.rechecked and power[proposal.proposer] < self.voting.threshold
        cancelled = proposal.state == State.CANCELLED
        require(cancelled == weak, "a proposal falls with its proposer, and only then", proposal)
        over = self.time > proposal.closes and before in (State.PENDING, State.ACTIVE)
        if over and not weak:
            supply = self.ledger.before(proposal.snapshot)[1]
            won = carried(self.voting, self.polls.get(proposal.number, Poll()), supply)
            ends = (State.QUEUED, State.EXPIRED) if won else (State.DEFEATED,)
            require(proposal.state in ends, "the ballots decide", proposal, won)
            if won:
                require(proposal.eta == self.time + self.voting.timelock, "time lock", proposal)
        elif not weak and before != State.QUEUED:
            opened = State.ACTIVE if self.time >= proposal.opens else State.PENDING
            require(proposal.state == opened, "a vote opens at its time", proposal)

    def _enact(self, proposal: Proposal, changed: RiskParameters) -> str:
        """Judge an execution by everything that is known of it; let it hold, or put it off."""
        require(proposal.eta <= self.time <= proposal.expires, "neither early nor late", proposal, self.time)
        require(proposal.state == State.QUEUED, "only what is queued is executed", proposal)
        require(not outside_limits(changed, self.order.limits), "limits", changed)
        require(not violations(changed), "joint constraints", changed)
        old, new = values(self.parameters), values(changed)
        settings = settings_of(proposal, old, new)
        if self.dice.happens(8):
            self.seen["put off"] += 1
            return "not now"
        for name, limit in self.order.limits.items():
            inside = [limit.least <= found <= limit.most for (each, _), found in new.items() if each == name]
            require(all(inside), "every parameter inside its limits", name, new)
        self._judge_settings(proposal, settings)
        self.parameters = changed
        for mint in proposal.payload.mints:
            self.tokens.mint(mint.holder, mint.amount, self.time)
            self.ledger.add(Move(self.time, NOBODY, mint.holder, mint.amount))
        self.seen[f"{proposal.route} executed"] += 1
        return ""

    def _judge_settings(self, proposal: Proposal, settings: list[Setting]) -> None:
        """What holds now is what was asked for, or as much of it as keys may do."""
        asked = {(each.parameter, each.market): each.value for each in proposal.payload.settings}
        seen = self.proposed[proposal.number]
        full = True
        for setting in settings:
            where = (setting.parameter, setting.market)
            now = value(self.parameters, where)
            stale = self.order.refuses_stale and seen[where] != now
            require(not stale, "nothing stale is executed", proposal, where)
            full = full and setting.value == asked[where]
        if proposal.route == GOVERNOR:
            require(full, "voters get what they voted for", proposal, settings)
            return
        if self.acting.joint and len(settings) > 1:
            require(full, "what belongs together is whole", proposal, settings)
        self._judge_steps(proposal, settings, asked)

    def _judge_steps(
        self, proposal: Proposal, settings: list[Setting], asked: dict[tuple[str, int], int]
    ) -> None:
        """Of what keys have asked for, what was cut lies on the way there or at its bound."""
        for setting in settings:
            where = (setting.parameter, setting.market)
            now = value(self.parameters, where)
            cut = setting.value != asked[where]
            if cut and setting.value != now:
                require(self.acting.truncates, "nothing is cut without the rule", proposal, setting)
                drifting = bool(self.acting.window)
                way = between(now, setting.value, asked[where])
                require(way or drifting, "what is cut lies on its way", proposal, setting, now)
                self.seen["cut"] += 1
        self.register.add(proposal, settings, self.parameters, self.time)

    def submit(self) -> None:
        """Propose something."""
        dice = self.dice
        route = dice.among(GOVERNOR, STEWARD)
        proposer = dice.below(HOLDERS) if route == GOVERNOR else dice.among(*range(KEYS), *range(KEYS + 1))
        wanted = [self._setting() for _ in range(dice.among(1, 1, 1, 2, 3))]
        settings = tuple({(each.parameter, each.market): each for each in wanted}.values())
        mints = (Mint(dice.below(HOLDERS), dice.below(20) * self.unit),) if dice.happens(8) else ()
        published = max(self.time - dice.among(0, 0, 0, 0, 1, 1, 4, -1), 0.0) if route == STEWARD else None
        blocking = self._conflicts(settings)
        free = self.tokens.free(proposer) if route == GOVERNOR else 0
        draft = Draft(Payload(settings, (), mints), published=published)
        proposal = self.process.submit(route, proposer, draft, self.parameters, self.time)
        now = values(self.parameters)
        self.proposed[proposal.number] = {
            (each.parameter, each.market): now[each.parameter, each.market] for each in settings
        }
        require(not blocking or proposal.state == State.REJECTED, "conflicts wait", proposal)
        if route == GOVERNOR:
            able = self.ledger.before(self.time)[0][proposer] >= self.voting.threshold
            able = able and free >= self.voting.deposit and not blocking
            require((proposal.state == State.PENDING) == able, "who may propose", proposal, able)
        else:
            self.signed[proposal.number] = {proposer}
            outsider = proposer >= KEYS or published > self.time
            require(not outsider or proposal.state == State.REJECTED, "who may publish, and what", proposal)
        self.seen[f"{route} {proposal.state.name}"] += 1

    def _setting(self) -> Setting:
        name, market = self.dice.among(
            ("maintenance", 0), ("maintenance", 1), ("initial", 0), ("taker_fee", ALL)
        )
        low, high = {"maintenance": (6_000, 20_000), "initial": (18_000, 41_000)}.get(name, (-5, 405))
        return Setting(name, market, low + self.dice.below(high - low))

    def _conflicts(self, settings: tuple[Setting, ...]) -> bool:
        """Whether an open proposal is about the same, where that matters."""
        wanted = {(each.parameter, each.market) for each in settings}
        return self.order.refuses_conflicts and any(
            (each.parameter, each.market) in wanted
            for proposal in self.process.open
            for each in proposal.payload.settings
        )

    def _any(self, route: str) -> Proposal | None:
        """Some proposal of a route, an open one if there is any."""
        found = [each for each in self.process.open if each.route == route]
        found = found or [each for each in self.process.proposals if each.route == route]
        return found[self.dice.below(len(found))] if found else None

    def vote(self) -> None:
        """Cast a vote; it counts if and only if it should."""
        proposal, voter = self._any(GOVERNOR), self.dice.below(HOLDERS)
        support = self.dice.among(*Support, *[Support.FOR] * 5)
        if proposal is None:
            return
        poll = self.polls.setdefault(proposal.number, Poll())
        counted = {"opening": proposal.opens, "creation": proposal.created, "voting": np.inf}
        weight = self.ledger.before(counted[self.voting.weighing])[0][voter] if proposal.voted else 0
        polling = proposal.state == State.ACTIVE and proposal.opens <= self.time <= proposal.closes
        able = polling and voter not in poll.cast and weight > 0
        closes, reached = proposal.closes, proposal.quorum_reached
        refusal = self.process.vote(proposal.number, voter, support, self.time)
        require((refusal == "") == able, "a vote counts if it should", proposal, voter, refusal, weight)
        if able:
            poll.cast[voter] = (support, weight, self.time)
            self._judge_quorum(proposal, poll, closes, reached)
        self.seen["voted" if able else "vote refused"] += 1

    def _judge_quorum(self, proposal: Proposal, poll: Poll, closes: float, reached: float) -> None:
        """A vote that first makes the quorum lengthens the vote, and no other does."""
        supply = self.ledger.before(proposal.snapshot)[1]
        plain = self.voting._replace(majority=-1, veto=0, differential=-(2**62))
        first = np.isinf(reached) and carried(plain, poll, supply)
        extended = max(closes, self.time + self.voting.extension) if first else closes
        require(proposal.closes == extended, "a late quorum lengthens the vote", proposal, closes)
        require(proposal.quorum_reached == (self.time if first else reached), "quorum reached", proposal)
        self.seen["late quorum"] += extended > closes

    def sign(self) -> None:
        """Sign; it counts if and only if it should."""
        proposal, key = self._any(STEWARD), self.dice.below(KEYS + 1)
        if proposal is None:
            return
        waits = proposal.state == State.ACTIVE and self.time <= proposal.closes
        able = waits and key < KEYS and key not in self.signed[proposal.number]
        refusal = self.process.sign(proposal.number, key, self.time)
        require((refusal == "") == able, "a signature counts if it should", proposal, key, refusal)
        if able:
            self.signed[proposal.number].add(key)
            whole = len(self.signed[proposal.number]) >= self.acting.approvals
            require((proposal.state == State.QUEUED) == whole, "enough signatures", proposal)
        self.seen["signed"] += able

    def commit(self) -> None:
        """Try an emergency execution."""
        proposal = self._any(GOVERNOR)
        if proposal is None:
            return
        rules, poll = self.voting, self.polls.get(proposal.number, Poll())
        polling = proposal.state == State.ACTIVE and proposal.opens <= self.time <= proposal.closes
        able = polling and self.time >= proposal.created + rules.emergency_wait and rules.emergency_share > 0
        supply = sum(self.ledger.balances)
        able = able and poll.counted(Support.FOR) * 10**6 >= rules.emergency_share * supply
        refusal = self.process.commit(proposal.number, self.time)
        require((refusal == "") == able, "an emergency needs its majority", proposal, refusal)
        self.seen["committed"] += able

    def end(self) -> None:
        """Veto something, or take it back."""
        (self.cancel if self.dice.happens(2) else self.withdraw)()

    def cancel(self) -> None:
        """Let the guardian veto."""
        if not self.process.proposals:
            return
        proposal = self.process.proposals[self.dice.below(len(self.process.proposals))]
        able = self.time < self.power_ends and not proposal.state.final
        refusal = self.process.cancel(proposal.number, self.time, "hostile")
        require((refusal == "") == able, "a guardian has power for a while", proposal, refusal)
        self.seen["cancelled" if able else "not cancelled"] += 1

    def withdraw(self) -> None:
        """Take a proposal back."""
        if self.process.open:
            self.process.withdraw(self.process.open[0].number, self.time)
            self.seen["withdrawn"] += 1

    def move(self) -> None:
        """Give tokens to somebody."""
        source, target = self.dice.below(HOLDERS), self.dice.below(HOLDERS)
        amount = self.dice.below(self.tokens.free(source) + 1)
        self.tokens.transfer(source, target, amount, self.time)
        self.ledger.add(Move(self.time, source, target, amount))

    def mint(self) -> None:
        """Make tokens, counted by numpy."""
        holder, amount = self.dice.below(HOLDERS), self.dice.below(20) * self.unit
        self.tokens.mint(holder, np.int64(amount), self.time)
        self.ledger.add(Move(self.time, NOBODY, holder, amount))

    def burn(self) -> None:
        """Destroy tokens."""
        holder = self.dice.below(HOLDERS)
        amount = self.dice.below(self.tokens.free(holder) + 1)
        self.tokens.burn(holder, amount, self.time)
        self.ledger.add(Move(self.time, holder, NOBODY, amount))

    def delegate(self) -> None:
        """Let somebody else vote, or nobody."""
        holder, to = self.dice.below(HOLDERS), self.dice.below(HOLDERS + 1) - 1
        self.tokens.delegate(holder, to, self.time)
        self.ledger.add(Move(self.time, holder, to, 0, delegation=True))


def explore(histories: int, seed: int = 0) -> Counter[str]:
    """Run histories from a number on; returns what they have seen.

    Raises
    ------
    BrokenHistoryError
        With the law, what it is about, and the command that shows it again.
    """
    seen: Counter[str] = Counter()
    for number in range(seed, seed + histories):
        try:
            seen.update(History(number).run())
        except Exception as error:
            command = f"python tests/histories.py --histories 1 --seed {number}"
            raise BrokenHistoryError(f"{type(error).__name__}: {error}\nagain: {command}") from error
        seen["histories"] += 1
    return seen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run histories and write what they have seen."""
    parser = argparse.ArgumentParser(description="random histories of governance, every law checked")
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first history")
    chosen = parser.parse_args(arguments)
    seen = explore(chosen.histories, chosen.seed)
    sys.stdout.write(", ".join(f"{name} {count:,}" for name, count in sorted(seen.items())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
