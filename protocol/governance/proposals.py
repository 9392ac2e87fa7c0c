"""Proposals and the states that every one of them passes through, whatever its route."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from protocol.governance.payload import Payload


class State(IntEnum):
    """Where a proposal stands; the last five are final."""

    PENDING = 0
    ACTIVE = 1
    QUEUED = 2
    EXECUTED = 3
    DEFEATED = 4
    EXPIRED = 5
    CANCELLED = 6
    REJECTED = 7

    @property
    def final(self) -> bool:
        """Whether nothing can come after it."""
        return self >= State.EXECUTED


NEXT = {
    State.PENDING: {State.ACTIVE, State.QUEUED, State.CANCELLED, State.REJECTED},
    State.ACTIVE: {State.QUEUED, State.DEFEATED, State.CANCELLED},
    State.QUEUED: {State.EXECUTED, State.EXPIRED, State.CANCELLED, State.REJECTED},
}


class Support(IntEnum):
    """What a vote says; a veto counts against, and for itself."""

    AGAINST = 0
    FOR = 1
    ABSTAIN = 2
    VETO = 3


class Draft(NamedTuple):
    """What a proposer brings.

    Attributes
    ----------
    payload : Payload
    title : str
    truncated : int
        Settings that the proposer has already cut to what he may ask for.
    published : float, optional
        Moment that it speaks of [s]; that of its submission if not given.
    """

    payload: Payload
    title: str = ""
    truncated: int = 0
    published: float | None = None


class Event(NamedTuple):
    """A proposal came into a state: when [s], which, and why."""

    time: float
    number: int
    state: State
    reason: str


class Ballot(NamedTuple):
    """A vote: when [s], on which proposal, whose, what it says, and its weight [micro-tokens]."""

    time: float
    number: int
    voter: int
    support: Support
    weight: int


@dataclass(slots=True)
class Proposal:
    """A wish to change the rules.

    Attributes
    ----------
    number : int
    route : str
        Through which door it came.
    proposer : int
        Holder of tokens, or the key of a route without votes.
    title : str
    payload : Payload
    created, published : float
        When it was submitted, and the moment its sender says that it speaks of [s].
    seen : tuple of int
        Values in force when it was submitted, of each setting.
    state : State
    snapshot, opens, closes : float
        Of its vote [s]; infinite where there is none.
    eta, expires : float
        Earliest and latest time of its execution [s].
    tally : (4,) int64
        Weight of votes by `Support` [micro-tokens].
    quorum_reached : float
        When votes were first enough [s]; infinite before.
    truncated : int
        How many of its settings were cut to a bound, by its proposer or its route.
    reason : str
        Why it is in its state, or why its execution was last refused.
    """

    number: int
    route: str
    proposer: int
    title: str
    payload: Payload
    created: float
    published: float
    seen: tuple[int, ...]
    state: State = State.PENDING
    snapshot: float = np.inf
    opens: float = np.inf
    closes: float = np.inf
    eta: float = np.inf
    expires: float = np.inf
    tally: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    quorum_reached: float = np.inf
    truncated: int = 0
    reason: str = ""

    @property
    def voted(self) -> bool:
        """Whether holders of tokens decide on it."""
        return not np.isinf(self.snapshot)
