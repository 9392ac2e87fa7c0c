"""Scenario: everything a run needs to know, typed and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, model_validator

from agents.actors import ActorSettings
from agents.arbitrageurs import ArbitrageurSettings
from agents.attackers.kinds import ATTACKS, AnyAttack
from agents.custom import OwnSettings
from agents.depositors import DepositorSettings
from agents.engine.settings import RiskEngineSettings
from agents.liquidators import LiquidatorSettings
from agents.market_makers import MarketMakerSettings
from agents.retail import RetailSettings
from agents.settings import Duration, Settings, entries, parameter
from agents.whales import WhaleSettings
from sim.checks import cross_problems
from sim.governance.settings import GovernanceSettings
from sim.problems import Path
from sim.venue_settings import ProtocolSettings
from sim.world_settings import Shocks, WorldSettings


def parse_moment(value: object) -> object:
    """ISO text as a time in UTC; a time without a zone is meant in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("a time is written as in 2020-03-12T00:00:00Z") from None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


Moment = Annotated[datetime, BeforeValidator(parse_moment)]


class ClockSettings(Settings):
    """The span of a run and its resolution."""

    start: Moment = parameter(datetime(2024, 1, 1, tzinfo=UTC), "UTC")
    duration: Duration = parameter(86_400, "s", gt=0, le=10 * 365 * 86_400)
    block: Duration = parameter(60, "s", gt=0, le=86_400)

    @property
    def blocks(self) -> int:
        """Number of blocks in the run."""
        return self.duration // self.block


class AgentSettings(Settings):
    """The population, by role."""

    retail: RetailSettings = RetailSettings()
    market_makers: MarketMakerSettings = MarketMakerSettings()
    arbitrageurs: ArbitrageurSettings = ArbitrageurSettings()
    liquidators: LiquidatorSettings = LiquidatorSettings()
    depositors: DepositorSettings = DepositorSettings()
    whales: WhaleSettings = WhaleSettings()
    actors: dict[str, ActorSettings] = parameter({}, "", description="parties of an incident, by name")
    attackers: dict[str, AnyAttack] = parameter({}, "", description="attacks, by name")
    own: dict[str, OwnSettings] = parameter({}, "", description="traders of one's own, by name")
    absent: Annotated[tuple[int, ...], BeforeValidator(entries)] = parameter(
        (),
        "",
        description="accounts that bring and do nothing, a counterfactual; numbers as in a run's tables",
    )

    def counts(self) -> dict[str, int]:
        """Number of accounts of each role and party, in the order in which they stand on the venue."""
        counts = {
            "retail": self.retail.accounts,
            "market_makers": self.market_makers.accounts,
            "arbitrageurs": self.arbitrageurs.accounts,
            "liquidators": self.liquidators.accounts,
            "depositors": self.depositors.accounts,
            "whales": self.whales.accounts,
        }
        counts |= {name: actor.accounts for name, actor in self.actors.items()}
        counts |= {name: ATTACKS[attack.kind].wallets for name, attack in self.attackers.items()}
        return counts | {name: own.accounts for name, own in self.own.items()}


@dataclass(frozen=True)
class Origin:
    """Where a setting was written.

    Attributes
    ----------
    place : str
        As messages say it: `file:line` or the override.
    label : str
        As the manifest says it: `preset:NAME`, `file:line` or `--set`.
    rank : int
        Height of the layer; a setting was written over all those of lower rank.
    """

    place: str
    label: str
    rank: int = 0


@dataclass(frozen=True)
class Origins:
    """Which file, preset or option each setting came from; no part of what a scenario is.

    Attributes
    ----------
    of : mapping of path to Origin
        Where each setting was written.
    sources : mapping of path to str
        Where a preset's numbers were read.
    scenario : str
        The file or bundled name that was asked for.
    """

    of: Mapping[Path, Origin] = field(default_factory=dict, compare=False)
    sources: Mapping[Path, str] = field(default_factory=dict, compare=False)
    scenario: str = field(default="", compare=False)


class Scenario(Settings):
    """One world and one set of rules; together with a seed it determines a run."""

    name: str = Field("scenario", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    description: str = ""
    clock: ClockSettings = ClockSettings()
    protocol: ProtocolSettings
    world: WorldSettings
    agents: AgentSettings = AgentSettings()
    shocks: Shocks = ()
    risk_engine: RiskEngineSettings = RiskEngineSettings()
    governance: GovernanceSettings = GovernanceSettings()

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @property
    def markets(self) -> tuple[str, ...]:
        """Names of the markets, in the order in which the scenario lists them."""
        return tuple(self.protocol.markets)

    @model_validator(mode="after")
    def _hold_together(self, info: ValidationInfo) -> "Scenario":
        """Rules between sections; the loader applies them itself, to report all problems at once."""
        if not (info.context or {}).get("checks_follow"):
            problems = list(cross_problems(self))
            if problems:
                raise ValueError("\n".join(map(str, problems)))
        return self
