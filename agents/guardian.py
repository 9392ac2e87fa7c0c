"""The guardian's watch: it looks at open proposals and at the venue, and after a while it acts.

It takes its time for each proposal once, from a stream of that proposal's number, so what it does about one
does not depend on any other.
"""

from typing import Annotated, NamedTuple

import mesa
import numpy as np
from pydantic import BeforeValidator

from agents.role import NOBODY, Stream
from agents.settings import Duration, Settings, entries, parameter
from protocol.governance.guardian import Scope
from protocol.governance.payload import Payload, Setting, current
from protocol.governance.process import Process
from protocol.governance.proposals import Proposal
from protocol.parameters import RiskParameters

DAY = 86_400.0
MARGINS = ("initial", "maintenance")


class GuardianSettings(Settings):
    """Who may veto and pause, and how wide awake it is."""

    vetoes: bool = parameter(False, "1")
    pauses: Annotated[tuple[Scope, ...], BeforeValidator(entries)] = parameter((), "")
    longest: Duration = parameter(7 * 86_400, "s", gt=0, description="of a pause")
    until: Duration = parameter(0, "s", ge=0, description="end of its power; 0: none")
    reaction: Duration = parameter(14_400, "s", ge=0, description="median time to notice and act")
    spread: float = parameter(0.8, "1", ge=0, le=3, description="standard deviation of its logarithm")
    overlooks: float = parameter(0.1, "1", ge=0, le=1, description="chance to miss a hostile proposal")
    loosening: float = parameter(
        0.0,
        "1",
        ge=0,
        lt=1,
        description="share below its opening value at which a margin is hostile; 0: margins never are",
    )
    fund_loss: float = parameter(
        0.5, "1", gt=0, le=1, description="share of the insurance fund lost in a day that makes it pause"
    )
    gap: float = parameter(
        0.1, "1", gt=0, description="distance of the oracle from the outside price that makes it pause"
    )
    length: Duration = parameter(86_400, "s", gt=0, description="of the pauses that it calls")


class Vital(NamedTuple):
    """What the guardian sees: time [s], insurance fund [USD], oracle over outside price, (m,)."""

    time: float
    fund: float
    ratio: tuple[float, ...]


class Veto(NamedTuple):
    """A proposal that is to be cancelled, and why."""

    number: int
    reason: str


class Pause(NamedTuple):
    """A part of the venue that is to rest for so long [s], and why."""

    scope: Scope
    length: float
    reason: str


class Watch(mesa.Agent):  # type: ignore[misc]
    """Watches proposals and the venue as a Mesa agent without an account.

    A proposal is hostile that moves money or makes tokens, and one that asks for a margin too far below what
    the venue opened with, however small its own step is. The venue is in trouble when its insurance fund has
    lost a share within a day, or when its oracle is far from the market.

    Parameters
    ----------
    model : mesa.Model
    stream : callable
    settings : GuardianSettings
    opening : RiskParameters
        What the venue opened with.
    """

    name = "guardian"

    def __init__(
        self, model: mesa.Model, stream: Stream, settings: GuardianSettings, opening: RiskParameters
    ) -> None:
        super().__init__(model)
        self.accounts = NOBODY
        self.stream, self.settings, self.opening = stream, settings, opening
        self.vetoes: dict[int, float] = {}
        self.vitals: list[Vital] = []
        self.alarm = np.inf
        self.alarms = 0

    def vetoed(self, process: Process, time: float) -> list[Veto]:
        """Proposals that it cancels now."""
        if not self.settings.vetoes:
            return []
        for proposal in process.open:
            if proposal.number not in self.vetoes:
                self.vetoes[proposal.number] = self._moment(proposal)
        return [Veto(each.number, "hostile") for each in process.open if self.vetoes[each.number] <= time]

    def _moment(self, proposal: Proposal) -> float:
        """When it will have noticed that a proposal is hostile [s]; never, if it is not or is overlooked."""
        draws = self.stream("guardian", "veto", proposal.number)
        missed, delay = draws.random() < self.settings.overlooks, self._delay(draws)
        return proposal.created + delay if self._hostile(proposal.payload) and not missed else np.inf

    def _hostile(self, payload: Payload) -> bool:
        """Whether a proposal does what the guardian is there to stop."""
        return bool(payload.payments or payload.mints or any(map(self._loosens, payload.settings)))

    def _loosens(self, setting: Setting) -> bool:
        """Whether a setting takes a margin too far below what it was at the opening."""
        if not self.settings.loosening or setting.parameter not in MARGINS:
            return False
        return setting.value < (1 - self.settings.loosening) * current(self.opening, setting)

    def _delay(self, draws: np.random.Generator) -> float:
        return float(self.settings.reaction * np.exp(self.settings.spread * draws.standard_normal()))

    def pauses(self, vital: Vital) -> list[Pause]:
        """Parts of the venue that it lets rest from now on."""
        if not self.settings.pauses:
            return []
        self.vitals = [each for each in self.vitals if each.time > vital.time - DAY] + [vital]
        trouble = self._trouble(vital)
        if trouble and np.isinf(self.alarm):
            self.alarms += 1
            self.alarm = vital.time + self._delay(self.stream("guardian", "pause", self.alarms))
        if vital.time < self.alarm:
            return []
        self.alarm = np.inf
        self.vitals = [vital]
        return [
            Pause(scope, self.settings.length, trouble or "after an alarm") for scope in self.settings.pauses
        ]

    def _trouble(self, vital: Vital) -> str:
        """What is wrong with the venue; empty if nothing is."""
        most = max(each.fund for each in self.vitals)
        if most > 0 and 1 - vital.fund / most >= self.settings.fund_loss:
            return "the insurance fund is falling"
        if max(abs(each - 1) for each in vital.ratio) >= self.settings.gap:
            return "the oracle is far from the market"
        return ""
