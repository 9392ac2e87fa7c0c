"""The venue's section of a scenario: what `protocol:` may say, with bounds, units and sources."""

from typing import Any, Literal

from pydantic import ConfigDict

from agents.settings import Duration, Settings, parameter


def _optional_in_editors(schema: dict[str, Any]) -> None:
    """A preset may give what a market needs, so an editor must not ask for it."""
    schema.pop("required", None)


class MarketSettings(Settings):
    """One perpetual market; a market that no preset knows must give the first four."""

    model_config = ConfigDict(json_schema_extra=_optional_in_editors)

    lot: float = parameter(..., "base unit", gt=0, description="smallest change of a position")
    tick: float = parameter(..., "USD per base unit", gt=0, description="smallest change of a price")
    initial_margin: float = parameter(..., "1", gt=0, le=1, description="margin to open, over notional")
    maintenance_margin: float = parameter(..., "1", gt=0, lt=1, description="margin to hold, over notional")
    impact_notional: float = parameter(10_000.0, "USD", gt=0, description="depth a funding sample walks")
    open_interest_lower: float = parameter(
        0.0, "USD", ge=0, description="open interest above which initial margin rises; 0: never"
    )
    open_interest_upper: float = parameter(
        0.0, "USD", ge=0, description="open interest at which initial margin reaches 1; 0: never"
    )


class FeeSettings(Settings):
    """Trading fees, over notional."""

    taker: float = parameter(0.0005, "1", ge=0, le=0.1)
    maker: float = parameter(0.0, "1", ge=-0.1, le=0.1, description="a negative fee is a rebate")


class OracleSettings(Settings):
    """The feed that margin is reckoned with."""

    deviation: float = parameter(0.001, "1", ge=0, lt=1, description="move that triggers an update")
    heartbeat: Duration = parameter(3600, "s", gt=0, description="longest time between updates")
    delay: Duration = parameter(0, "s", ge=0, description="inclusion delay at base gas")
    gas_delay: bool = parameter(False, "1", description="the delay grows with gas")


class FundingSettings(Settings):
    """Payments between longs and shorts."""

    interval: Duration = parameter(3600, "s", gt=0, description="time between payments")
    default_rate: float = parameter(0.0, "1 per 8 h", ge=-0.1, le=0.1)
    clamp: float = parameter(
        6.0, "1", ge=0, description="bound on the 8 h rate, in units of initial minus maintenance margin"
    )


class LiquidationSettings(Settings):
    """How much of a failing account is sold, how often, and at what price."""

    round: Duration = parameter(1, "s", gt=0, description="the venue's own block: one round of liquidations")
    attempts: int = parameter(50, "1 per round", ge=1)
    max_share: float = parameter(0.1, "1", gt=0, le=1, description="share of a position per round")
    min_notional: float = parameter(1000.0, "USD", ge=0, description="what the share may not fall below")
    max_notional: float = parameter(100_000.0, "USD", gt=0, description="per account and round")
    bankruptcy_adjustment: float = parameter(1.0, "1", ge=0)
    spread_to_maintenance: float = parameter(1.5, "1", ge=0)
    max_fee: float = parameter(0.015, "1", ge=0, le=1, description="surplus that the insurance fund takes")
    max_insurance_loss: float = parameter(1e6, "USD", ge=0, description="per account and round")


class BackstopSettings(Settings):
    """When the vault takes over what the book does not absorb."""

    rule: Literal["none", "takeover"] = parameter("none", "")
    trigger: float = parameter(
        2 / 3, "1", ge=0, le=1, description="takeover when equity falls below this share of maintenance"
    )
    max_loss_share: float = parameter(0.1, "1", ge=0, le=1, description="of vault equity, per takeover")
    reserve: float = parameter(
        4.0, "1", ge=1, le=100, description="vault equity after a takeover, over its initial margin"
    )


class VaultSettings(Settings):
    """The depositors' vault: backstop and, where it quotes, maker of last resort."""

    deposits: float = parameter(10e6, "USD", ge=0, description="at the start")
    quotes: bool = parameter(True, "1")
    spread: float = parameter(0.01, "1", gt=0, lt=1)
    layers: int = parameter(2, "1", ge=1, le=50)
    order_share: float = parameter(0.1, "1", gt=0, le=1, description="size of an order, of vault equity")
    skew: float = parameter(2.0, "1", ge=0, description="shift of the quotes per unit of leverage held")


class DeleveragingSettings(Settings):
    """Closing bankrupt positions against the other side."""

    rule: Literal["queue", "ranked", "none"] = parameter("queue", "")
    attempts: int = parameter(10, "1 per round", ge=1)
    counterparties: int = parameter(500, "1", ge=1, description="accounts asked per attempt")


class ProtocolSettings(Settings):
    """The venue: rules by name, numbers by value; a preset fills what the scenario leaves open."""

    preset: str = parameter("none", "", description="name of a bundled preset, or none")
    markets: dict[str, MarketSettings] = parameter(..., "")
    fees: FeeSettings = FeeSettings()
    oracle: OracleSettings = OracleSettings()
    mark: Literal["oracle", "median"] = parameter(
        "oracle", "", description="price that margin is held against"
    )
    funding: FundingSettings = FundingSettings()
    liquidation: LiquidationSettings = LiquidationSettings()
    insurance_fund: float = parameter(5e6, "USD", ge=0, description="at the start")
    backstop: BackstopSettings = BackstopSettings()
    vault: VaultSettings = VaultSettings()
    adl: DeleveragingSettings = DeleveragingSettings()
    last_resort: Literal["gate", "socialise"] = parameter("gate", "")
    withdrawal_gate: Duration = parameter(
        50, "s", ge=0, description="withdrawals rest for so long after an account below zero was seen"
    )
