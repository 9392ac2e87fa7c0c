"""What longs and shorts pay each other, and the pool: a rule by name with its numbers."""

from typing import Annotated, Literal

from pydantic import Field

from agents.settings import Duration, Settings, parameter


class FundingSettings(Settings):
    """What all rules of funding share."""

    interval: Duration = parameter(3600, "s", gt=0, description="time between payments")


class PremiumSettings(FundingSettings):
    """The average premium of the book's impact prices, as at dYdX."""

    kind: Literal["premium"] = "premium"
    default_rate: float = parameter(0.0, "1 per 8 h", ge=-0.1, le=0.1)
    clamp: float = parameter(
        6.0, "1", ge=0, description="bound on the 8 h rate, in units of initial minus maintenance margin"
    )


class InterestSettings(FundingSettings):
    """The average premium, pulled toward an interest rate, as at Hyperliquid."""

    kind: Literal["interest"]
    interest: float = parameter(0.0001, "1 per 8 h", "Hyperliquid docs, Funding", ge=0, le=0.1)
    pull: float = parameter(0.0005, "1 per 8 h", "Hyperliquid docs, Funding", ge=0, le=0.1)
    cap: float = parameter(0.04, "1/h", "Hyperliquid docs, Funding", ge=0, le=1)


class TwapSettings(FundingSettings):
    """The distance of two averages, spread over a day; an AMM's fees pay what is missing, as at Drift."""

    kind: Literal["twap"]
    offset: float = parameter(1 / 5000, "1", "Drift protocol-v2, math/funding.rs: 7.3 % a year", ge=0, le=0.1)
    pool_share: float = parameter(1 / 3, "1", "Drift protocol-v2, calculate_capped_funding_rate", ge=0, le=1)
    mark_divergence: float = parameter(0.1, "1", "Drift protocol-v2, state.rs", gt=0)


class AdaptiveSettings(FundingSettings):
    """A rate that grows while one side outweighs the other, as at GMX."""

    kind: Literal["adaptive"]
    minimum: float = parameter(0.01, "1/year", "GMX config/markets.ts", ge=0)
    ramp: Duration = parameter(10_800, "s", "GMX config/markets.ts: three hours to the maximum", gt=0)
    stable_skew: float = parameter(0.04, "1", "GMX config/markets.ts", ge=0, le=1)


class VelocitySettings(FundingSettings):
    """A rate whose speed follows the skew, as at Synthetix."""

    kind: Literal["velocity"]


AnyFunding = Annotated[
    PremiumSettings | InterestSettings | TwapSettings | AdaptiveSettings | VelocitySettings,
    Field(discriminator="kind"),
]


class BorrowingSettings(Settings):
    """What positions pay to the pool that reserves liquidity for them."""

    enabled: bool = parameter(False, "1")
    optimal: float = parameter(0.85, "1", "GMX config/markets.ts: BTC, ETH", gt=0, le=1)
    base: float = parameter(0.45, "1/year", "GMX config/markets.ts: BTC, ETH", ge=0)
    above: float = parameter(0.9, "1/year", "GMX config/markets.ts: BTC, ETH", ge=0)
