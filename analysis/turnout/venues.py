"""Real governors to compare with: their rules, their people as fitted, and what was measured of them."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from agents.delegates.settings import PeopleSettings
from agents.settings import Duration
from analysis.validation.targets import Target
from protocol.arithmetic import MICRO
from protocol.governance.governor import GovernorRules

FILE = Path(__file__).with_name("venues.yaml")
SOURCE = "Messias et al. 2025"

Share = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """A part of the file; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rules(Frozen):
    """How a vote is held; times in seconds, tokens whole.

    Only votes in favour count for the quorum, power is that of when the vote opened, and a tie fails.
    """

    threshold: int
    quorum: int
    delay: Duration
    period: Duration
    timelock: Duration
    source: str

    def governor(self) -> GovernorRules:
        """The same as rules of a governor."""
        return GovernorRules(
            threshold=self.threshold * MICRO,
            quorum=self.quorum * MICRO,
            delay=self.delay,
            period=self.period,
            timelock=self.timelock,
        )


class Fate(Frozen):
    """What happens to proposals that no vote explains.

    Attributes
    ----------
    cancelled : float
        Share that is cancelled.
    unopened : float
        Share of those that are cancelled before the vote opens.
    unnoticed : float
        Share of proposals on which nobody votes.
    source : str
    """

    cancelled: Share
    unopened: Share
    unnoticed: Share
    source: str


class Fact(Frozen):
    """A number that was measured, and whether anything was chosen to meet it."""

    real: float
    part: Literal["fitted", "input", "predicted"]


class Venue(Frozen):
    """A real governor.

    Attributes
    ----------
    proposals : int
        How many there were.
    rules : Rules
    fate : Fate
    people : PeopleSettings
    facts : dict of str to Fact
    """

    proposals: int
    rules: Rules
    fate: Fate
    people: PeopleSettings
    facts: dict[str, Fact]

    def targets(self) -> list[Target]:
        """The facts, to be scored."""
        return [Target(name, fact.real, fact.part, SOURCE, 0) for name, fact in self.facts.items()]


@cache
def venues(file: Path = FILE) -> dict[str, Venue]:
    """All of them by name."""
    sections = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {name: Venue.model_validate(section) for name, section in sections.items()}
