"""What a door through which rules change must offer, and how it refuses."""

from typing import NamedTuple, Protocol

from protocol.governance.payload import Setting
from protocol.governance.proposals import Proposal
from protocol.parameters import RiskParameters


class Refusal(NamedTuple):
    """Why something may not happen, and whether it may be tried again later."""

    reason: str
    later: bool = False


class Route(Protocol):
    """Decides who may propose, when a proposal may be executed, and what of it."""

    def admit(self, proposal: Proposal, time: float) -> str:
        """Give a new proposal its times; why it is refused, empty if it is not."""
        ...

    def advance(self, proposal: Proposal, time: float) -> None:
        """Let what is open take its next step, if it has come to it by now."""
        ...

    def judge(
        self, proposal: Proposal, parameters: RiskParameters, time: float
    ) -> tuple[Setting, ...] | Refusal:
        """The settings of a due proposal as they may be executed now."""
        ...

    def note(
        self, proposal: Proposal, settings: tuple[Setting, ...], before: RiskParameters, time: float
    ) -> None:
        """Remember what was executed."""
        ...

    def conclude(self, proposal: Proposal, time: float) -> None:
        """Let go of what was kept for a proposal that has come to its end."""
        ...
