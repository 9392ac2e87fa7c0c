"""The guardian: may veto what waits and pause parts of the venue, for as long as that power lasts.

References
----------
.. [1] Compound proposalGuardian, whose power has an expiry; Aave's protocol guardian and its cancellations.
"""

from typing import Literal, NamedTuple

import numpy as np

Scope = Literal["trading", "withdrawals", "liquidations", "oracle"]
SCOPES: tuple[Scope, ...] = ("trading", "withdrawals", "liquidations", "oracle")


class GuardianRules(NamedTuple):
    """What a guardian may do; times in seconds.

    Attributes
    ----------
    vetoes : bool
        Whether it may cancel what is not executed yet.
    scopes : tuple of str
        What it may pause.
    longest : float
        Length of a pause, at most.
    until : float
        When its power ends, and with it what it has paused.
    """

    vetoes: bool = False
    scopes: tuple[Scope, ...] = ()
    longest: float = np.inf
    until: float = np.inf


class Pauses:
    """Until when each part of the venue rests."""

    def __init__(self) -> None:
        self.until: dict[Scope, float] = dict.fromkeys(SCOPES, -np.inf)

    def holds(self, scope: Scope, time: float) -> bool:
        """Whether a part rests at a moment."""
        return time < self.until[scope]

    def begin(self, scope: Scope, until: float) -> None:
        """Let a part rest until a time, or longer if it does already."""
        self.until[scope] = max(self.until[scope], until)

    def end(self, scope: Scope, time: float) -> None:
        """Let a part go on."""
        self.until[scope] = min(self.until[scope], time)


class Guardian:
    """Uses a guardian's power as far as it goes.

    Parameters
    ----------
    rules : GuardianRules
    pauses : Pauses
        Of the venue.
    """

    def __init__(self, rules: GuardianRules, pauses: Pauses) -> None:
        self.rules, self.pauses = rules, pauses

    def refusal(self, time: float, scope: Scope | None = None) -> str:
        """Why it may not act now, by a veto or a pause of a part; empty if it may."""
        if time >= self.rules.until:
            return f"the guardian's power ended at {self.rules.until:g} s, got {time:g} s"
        if scope is None:
            return "" if self.rules.vetoes else "this guardian has no veto"
        return "" if scope in self.rules.scopes else f"this guardian may not pause {scope}"

    def pause(self, scope: Scope, time: float, length: float) -> str:
        """Let a part of the venue rest; why it may not, empty if it does."""
        refusal = self.refusal(time, scope)
        if not refusal:
            self.pauses.begin(scope, min(time + min(length, self.rules.longest), self.rules.until))
        return refusal

    def resume(self, scope: Scope, time: float) -> str:
        """Let a part go on before its time."""
        refusal = self.refusal(time, scope)
        if not refusal:
            self.pauses.end(scope, time)
        return refusal
