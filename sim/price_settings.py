"""How the venue learns prices: the feed, the mark, and what guards the acts that use them."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from agents.settings import Duration, Settings, entries, parameter


class OracleSettings(Settings):
    """The feed that margin is reckoned with; which numbers matter depends on its kind."""

    kind: Literal["push", "pull", "median"] = parameter(
        "push", "", description="writes when the price moves; is brought along; is agreed on by sources"
    )
    deviation: float = parameter(
        0.001,
        "1",
        ge=0,
        lt=1,
        description="move that an update needs (push, median)",
    )
    heartbeat: Duration = parameter(3600, "s", gt=0, description="longest time between updates (push)")
    delay: Duration = parameter(0, "s", ge=0, description="inclusion delay at base gas (push), age (pull)")
    gas_delay: bool = parameter(False, "1", description="the delay grows with gas")
    confidence: float = parameter(0.0, "1", ge=0, description="least interval over the price (pull)")
    confidence_time: Duration = parameter(
        0, "s", ge=0, description="the interval is what volatility moves the price in this time (pull)"
    )
    weights: Annotated[tuple[int, ...], BeforeValidator(entries)] = parameter(
        (1,), "1", description="of the sources (median)"
    )
    minimum_sources: int = parameter(1, "1", ge=1, description="below which the price stays (median)")
    quorum: float = parameter(
        0.0, "1", ge=0, le=1, description="of weight, below which the price stays (median)"
    )
    period: Duration = parameter(0, "s", ge=0, description="between updates (median); 0: every block")
    noise: float = parameter(0.0002, "1", ge=0, lt=0.1, description="of a source around the outside price")
    stops_at_bounds: bool = parameter(
        True, "1", description="silent beyond a price floor or ceiling; else it reports the bound as fresh"
    )


class GuardSettings(Settings):
    """What an act asks of the price before it uses it; 0 leaves a test out."""

    max_age: Duration = parameter(0, "s", ge=0, description="of the price")
    max_confidence: float = parameter(0.0, "1", ge=0, description="interval over the price")
    max_divergence: float = parameter(0.0, "1", ge=0, description="from the oracle's own average")
    max_mark_divergence: float = parameter(0.0, "1", ge=0, description="of the mark from the oracle")
    max_ratio: float = parameter(0.0, "1", ge=0, description="price over average, or the reverse")
    refuses_bounds: bool = parameter(
        False, "1", description="a price at the floor or ceiling of its feed is refused"
    )


class GuardsSettings(Settings):
    """Guards by act, and the average that they compare with."""

    average: Duration = parameter(300, "s", "Drift protocol-v2: average over five minutes", gt=0)
    trade: GuardSettings = GuardSettings()
    liquidate: GuardSettings = GuardSettings()
    withdraw: GuardSettings = GuardSettings()
    fund: GuardSettings = GuardSettings()
    quote: GuardSettings = GuardSettings()
