"""Routes without a vote: a steward, a hub of a risk oracle, a council, or an engine that acts directly.

Whoever holds enough keys may change what lies within bounds, not too often, and not with what is too old. A
rule that is left out is not enforced: without any this is a route on which every key does what it wants.

References
----------
.. [1] Aave RiskSteward.sol: least delay between changes of a parameter, largest change, absolute or relative.
.. [2] Chaos Labs AgentHub and RangeValidationModule: expiry, replay, separate bounds up and down.
.. [3] Aave forum, post-mortem of 10 March 2026: of two parameters one was cut to its bound, the other not.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from protocol.governance.limits import ANYTHING, Bound, Range, truncated
from protocol.governance.payload import Setting, current
from protocol.governance.proposals import Proposal, State
from protocol.governance.route import Refusal
from protocol.parameters import RiskParameters

Where = tuple[str, int]


class StewardRules(NamedTuple):
    """What keys may do without a vote; times in seconds.

    Attributes
    ----------
    keys, approvals : int
        How many keys there are, numbered from 0, and how many must sign.
    signing : float
        Time for the signatures.
    review, grace : float
        From the last signature to the execution, and time for it from then on.
    expiry : float
        Age from which a published value is too old.
    ordered : bool
        Whether what is not newer than the last executed is a replay, and refused.
    spacing : float
        Least time between two changes of a parameter.
    spacings : mapping of str to float
        The same, by parameter.
    bounds : mapping of str to Bound
        Largest change at once, by parameter; one without is not bounded.
    only_bounded : bool
        Whether parameters without a bound, payments and new tokens are out of reach.
    truncates : bool
        Whether what goes too far is cut to its bound; refused if not.
    joint : bool
        Whether settings that were published together hold together, or not at all.
    window : float
        Time over which `drift` counts; 0: changes are judged one by one.
    drift : mapping of str to Bound
        Largest change within the window, by parameter.
    """

    keys: int = 1
    approvals: int = 1
    signing: float = np.inf
    review: float = 0.0
    grace: float = np.inf
    expiry: float = np.inf
    ordered: bool = False
    spacing: float = 0.0
    spacings: Mapping[str, float] = {}
    bounds: Mapping[str, Bound] = {}
    only_bounded: bool = False
    truncates: bool = False
    joint: bool = True
    window: float = 0.0
    drift: Mapping[str, Bound] = {}


class Steward:
    """A route by keys.

    Parameters
    ----------
    rules : StewardRules
    """

    def __init__(self, rules: StewardRules) -> None:
        self.rules = rules
        self.changes: dict[Where, list[tuple[float, int]]] = {}
        self.injected: dict[Where, float] = {}
        self._signed: dict[int, set[int]] = {}

    def admit(self, proposal: Proposal, time: float) -> str:
        """Refuse who holds no key, and what is out of reach; count the sender's signature."""
        if not 0 <= proposal.proposer < self.rules.keys:
            return f"a key must be one of 0 to {self.rules.keys - 1}, got {proposal.proposer}"
        if proposal.published > time:
            return f"published <= now={time:g} s must hold, got {proposal.published:g} s"
        payload = proposal.payload
        if self.rules.only_bounded:
            if payload.payments or payload.mints:
                return "this route moves no money and makes no tokens"
            for setting in payload.settings:
                if setting.parameter not in self.rules.bounds:
                    return f"{setting.parameter} is out of reach of this route"
        proposal.opens, proposal.closes = time, time + self.rules.signing
        self._signed[proposal.number] = set()
        proposal.state = State.ACTIVE
        return self.sign(proposal, proposal.proposer, time)

    def sign(self, proposal: Proposal, key: int, time: float) -> str:
        """Add a signature; enough of them queue the proposal. Why it does not count, empty if it does."""
        if not 0 <= key < self.rules.keys:
            return f"a key must be one of 0 to {self.rules.keys - 1}, got {key}"
        if proposal.state != State.ACTIVE or time > proposal.closes:
            return f"a proposal must wait for signatures, got {proposal.state.name} at {time}"
        signed = self._signed[proposal.number]
        if key in signed:
            return f"each key signs once, got a second signature of key {key}"
        signed.add(key)
        if len(signed) >= self.rules.approvals:
            proposal.state, proposal.eta = State.QUEUED, time + self.rules.review
            latest = proposal.published + self.rules.expiry
            proposal.expires = min(proposal.eta + self.rules.grace, latest)
        return ""

    def advance(self, proposal: Proposal, time: float) -> None:
        """Defeat what found too few signatures in time."""
        if proposal.state == State.ACTIVE and time > proposal.closes:
            proposal.state, proposal.reason = State.DEFEATED, "too few signatures"

    def judge(
        self, proposal: Proposal, parameters: RiskParameters, time: float
    ) -> tuple[Setting, ...] | Refusal:
        """The settings as bounds let them through now; with `joint` false those that pass, alone."""
        settings = proposal.payload.settings
        verdicts = [self._judge(setting, proposal, parameters, time) for setting in settings]
        refusals = [each for each in verdicts if isinstance(each, Refusal)]
        passed = tuple(each for each in verdicts if isinstance(each, Setting))
        if refusals and (self.rules.joint or not passed):
            return refusals[0]
        if self.rules.joint and len(passed) > 1 and passed != settings:
            return Refusal("settings that belong together must not be cut to their bounds")
        return passed

    def within_bounds(self, settings: Iterable[Setting], parameters: RiskParameters) -> tuple[Setting, ...]:
        """Settings as far as the bounds of one change let them go, for a proposer who knows the rules."""
        bounds = self.rules.bounds
        return tuple(
            truncated(each, current(parameters, each), bounds[each.parameter])
            if each.parameter in bounds
            else each
            for each in settings
        )

    def _judge(
        self, setting: Setting, proposal: Proposal, parameters: RiskParameters, time: float
    ) -> Setting | Refusal:
        rules, where = self.rules, (setting.parameter, setting.market)
        if rules.ordered and proposal.published <= self.injected.get(where, -np.inf):
            return Refusal(f"{setting.parameter} was set from a newer update")
        spacing = rules.spacings.get(setting.parameter, rules.spacing)
        last = self.changes[where][-1][0] if where in self.changes else -np.inf
        if time - last < spacing:
            return Refusal(f"{setting.parameter} must rest {spacing:g} s between changes", later=True)
        allowed = self._allowed(where, current(parameters, setting), time)
        if allowed.least > allowed.most:
            return Refusal(f"{setting.parameter} has gone as far within {rules.window:g} s as it may")
        kept = setting._replace(value=allowed.nearest(setting.value))
        if kept.value != setting.value and not rules.truncates:
            return Refusal(f"{setting.parameter} may go to {kept.value} at once, got {setting.value}")
        return kept

    def _allowed(self, where: Where, value: int, time: float) -> Range:
        """Values that a parameter may be given now: within its bound, and within the drift of the window."""
        parameter, rules = where[0], self.rules
        allowed = rules.bounds[parameter].around(value) if parameter in rules.bounds else ANYTHING
        if rules.window and parameter in rules.drift:
            drift = rules.drift[parameter].around(self._value_before(where, value, time))
            allowed = Range(max(allowed.least, drift.least), min(allowed.most, drift.most))
        return allowed

    def _value_before(self, where: Where, value: int, time: float) -> int:
        """Value that a parameter had when the window began, as far as this route has changed it since."""
        begin = time - self.rules.window
        recent = [old for moment, old in self.changes.get(where, []) if moment > begin]
        return recent[0] if recent else value

    def note(
        self, proposal: Proposal, settings: tuple[Setting, ...], before: RiskParameters, time: float
    ) -> None:
        """Remember when each parameter was changed, from what, and how old the news were."""
        for setting in settings:
            where = (setting.parameter, setting.market)
            self.injected[where] = proposal.published
            self.changes.setdefault(where, []).append((time, current(before, setting)))

    def conclude(self, proposal: Proposal, time: float) -> None:
        """Forget who has signed."""
        self._signed.pop(proposal.number, None)
