"""The section `governance:` of a scenario: who may change the rules, how fast, how far, who may stop it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from agents.delegates.settings import PeopleSettings
from agents.guardian import GuardianSettings
from agents.settings import Duration, Settings, entries, parameter
from agents.token_market import TokenSettings
from protocol.governance.guardian import Scope

Route = Literal["direct", "steward", "hub", "governor", "frozen"]


class LimitSettings(Settings):
    """What a parameter may never leave, on any route, in its own unit."""

    least: float = parameter(..., "")
    most: float = parameter(..., "")


ASSUMED_LIMITS = {
    "initial_margin": LimitSettings(least=0.0002, most=1.0),
    "maintenance_margin": LimitSettings(least=0.0001, most=1.0),
    "taker_fee": LimitSettings(least=0.0, most=0.1),
    "liquidation_fee": LimitSettings(least=0.0, most=0.1),
}


class BoundSettings(Settings):
    """Largest change of a parameter at once; relative to its value, or absolute in its own unit."""

    relative: float = parameter(0.0, "1", ge=0, le=1000)
    absolute: float = parameter(0.0, "the parameter's", ge=0)
    down: float | None = parameter(None, "", ge=0, description="downwards, where that differs")


class GovernorSettings(Settings):
    """A vote of the holders of tokens."""

    threshold: float = parameter(25_000, "tokens", "Compound: GovernorBravo", ge=0)
    deposit: float = parameter(0, "tokens", ge=0, description="lost to a veto of voters")
    rechecked: bool = parameter(
        False, "1", description="a proposal falls when its proposer's power drops below the threshold"
    )
    delay: Duration = parameter(
        157_680, "s", "Compound: 13,140 blocks", ge=0, description="from the proposal to the vote"
    )
    period: Duration = parameter(236_520, "s", "Compound: 19,710 blocks", ge=0, description="of the vote")
    extension: Duration = parameter(
        172_800, "s", "Compound: 14,400 blocks", ge=0, description="of a vote that is late to its quorum"
    )
    weighing: Literal["opening", "creation", "voting"] = parameter(
        "opening", "", "OpenZeppelin Governor", description="moment whose balances count"
    )
    quorum: float = parameter(400_000, "tokens", "Compound: GovernorBravo", ge=0)
    quorum_share: float = parameter(0.0, "1", ge=0, le=1, description="of supply; the larger holds")
    counts_abstentions: bool = parameter(False, "1", "Compound: votes in favour only")
    counts_against: bool = parameter(False, "1", "Compound: votes in favour only")
    majority: float = parameter(0.5, "1", ge=0, lt=1, description="of votes for and against, to be exceeded")
    differential: float = parameter(0, "tokens", ge=0, description="least lead")
    veto: float = parameter(0.0, "1", ge=0, le=1, description="share of all votes; 0: none")
    timelock: Duration = parameter(172_800, "s", "Compound: Timelock", ge=0)
    grace: Duration = parameter(1_209_600, "s", "Compound: Timelock", gt=0)
    emergency_share: float = parameter(
        0.0, "1", ge=0, le=1, description="of supply in favour, that may execute at once; 0: none"
    )
    emergency_wait: Duration = parameter(0, "s", ge=0, description="before which not even they may")


class StewardSettings(Settings):
    """A route by keys, within bounds."""

    keys: int = parameter(1, "1", ge=1, le=100)
    approvals: int = parameter(1, "1", ge=1, le=100, description="signatures that an update needs")
    signing: Duration = parameter(7 * 86_400, "s", gt=0, description="time for signatures")
    reaction: Duration = parameter(
        0, "s", ge=0, description="median time that people need to look at an update and send it"
    )
    jitter: Duration = parameter(
        0, "s", ge=0, description="an update is sent at a random moment within so long"
    )
    review: Duration = parameter(0, "s", ge=0, description="from the last signature to the execution")
    grace: Duration = parameter(14 * 86_400, "s", gt=0)
    expiry: Duration = parameter(0, "s", ge=0, description="age from which an update is too old; 0: never")
    ordered: bool = parameter(False, "1", description="an update must be newer than the last executed")
    spacing: Duration = parameter(
        259_200, "s", "Aave RiskSteward: 3 days", ge=0, description="least time between changes"
    )
    spacings: dict[str, Duration] = parameter({}, "s", description="the same, by parameter")
    bounds: dict[str, BoundSettings] = parameter({}, "", description="largest change at once, by parameter")
    only_bounded: bool = parameter(False, "1", description="nothing without a bound is within reach")
    truncates: bool = parameter(False, "1", description="what goes too far is cut; refused if not")
    joint: bool = parameter(True, "1", description="what is published together holds together or not at all")
    window: Duration = parameter(0, "s", ge=0, description="over which drift counts; 0: not at all")
    drift: dict[str, BoundSettings] = parameter({}, "", description="largest change within the window")


class HubSettings(StewardSettings):
    """The route by which values that a risk oracle has published come into force."""

    expiry: Duration = parameter(
        21_600,
        "s",
        "Aave StewardInjector: 6 hours",
        ge=0,
        description="age from which an update is too old; 0: never",
    )
    ordered: bool = parameter(
        True, "1", "Chaos AgentHub", description="an update must be newer than the last executed"
    )
    joint: bool = parameter(
        False,
        "1",
        "Chaos AgentHub: values are judged one by one",
        description="what is published together holds together or not at all",
    )


class ItemSettings(Settings):
    """A proposal whose time is known, or an act of the guardian."""

    at: Duration = parameter(..., "s", ge=0, description="since the start")
    title: str = Field("", max_length=200)
    route: Route | Literal[""] = parameter("", "", description="its own; empty: governance.route")
    proposer: int = parameter(0, "", ge=0, description="rank of the delegate by power, or number of the key")
    set: dict[str, dict[str, float] | float] = parameter(
        {}, "", description="new values, by parameter and, where each market has one, by market"
    )
    pause: Annotated[tuple[Scope, ...], BeforeValidator(entries)] = parameter(
        (), "", description="what the guardian pauses instead"
    )
    length: Duration = parameter(86_400, "s", gt=0, description="of the pause")
    cancels: str = parameter("", "", description="title of a proposal that the guardian vetoes instead")


class GovernanceSettings(Settings):
    """How the rules change."""

    preset: str = parameter("none", "", description="name of a bundled form of governance, or none")
    route: Route = parameter(
        "direct", "", description="that proposals take; frozen: none is ever taken, decisions are only logged"
    )
    review: Duration = parameter(0, "s", ge=0, description="of the direct route: until a proposal holds")
    scope: Literal["all", "new", "ramp", "revert"] = parameter(
        "all",
        "",
        description="positions that a tighter maintenance margin holds for; ramp: all, step by step; revert: "
        "all, but never such that one becomes liquidatable by it",
    )
    grace: Duration = parameter(86_400, "s", gt=0, description="of a ramp")
    stale: Literal["kept", "refused"] = parameter(
        "kept", "", description="a proposal whose parameter has changed since"
    )
    conflicts: Literal["kept", "refused"] = parameter(
        "kept", "", description="a proposal about what another open one is about"
    )
    limits: dict[str, LimitSettings] = parameter(
        ASSUMED_LIMITS, "the parameter's", description="least and greatest value on any route"
    )
    governor: GovernorSettings = GovernorSettings()
    steward: StewardSettings = StewardSettings()
    hub: HubSettings = HubSettings()
    guardian: GuardianSettings = GuardianSettings()
    people: PeopleSettings = PeopleSettings()
    token: TokenSettings = TokenSettings()
    agenda: Annotated[tuple[ItemSettings, ...], BeforeValidator(entries)] = parameter(
        (), "", description="proposals whose time is known"
    )

    @property
    def proposes(self) -> bool:
        """Whether a proposal may come from the agenda or from people."""
        return bool(self.agenda) or (self.votes and self.people.initiative.rate > 0)

    @property
    def votes(self) -> bool:
        """Whether anything may come to a vote."""
        return self.route == "governor" or any(item.route == "governor" for item in self.agenda)
