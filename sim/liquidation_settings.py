"""How the venue closes failing accounts, and who pays when that is not enough."""

from typing import Annotated, Literal

from pydantic import Field

from agents.settings import Duration, Settings, parameter


class LiquidationSettings(Settings):
    """What all ways of liquidating share."""

    round: Duration = parameter(1, "s", gt=0, description="the venue's own block: one round of liquidations")


class BoundedSettings(LiquidationSettings):
    """What ways of liquidating share that treat so many accounts in a round."""

    attempts: int = parameter(50, "1 per round", ge=1)


class SliceSettings(BoundedSettings):
    """Slices of a position against the book at a limit that retreats, as at dYdX."""

    kind: Literal["slices"] = "slices"
    max_share: float = parameter(0.1, "1", gt=0, le=1, description="share of a position per round")
    min_notional: float = parameter(1000.0, "USD", ge=0, description="what the share may not fall below")
    max_notional: float = parameter(100_000.0, "USD", gt=0, description="per account and round")
    bankruptcy_adjustment: float = parameter(1.0, "1", ge=0)
    spread_to_maintenance: float = parameter(1.5, "1", ge=0)
    max_fee: float = parameter(0.015, "1", ge=0, le=1, description="surplus that the insurance fund takes")
    max_insurance_loss: float = parameter(1e6, "USD", ge=0, description="per account and round")


class TrancheSettings(BoundedSettings):
    """Market orders against the book, a part of large positions first, as at Hyperliquid."""

    kind: Literal["tranches"]
    share: float = parameter(0.2, "1", "Hyperliquid docs, Liquidations", gt=0, le=1)
    threshold: float = parameter(
        100_000.0, "USD", "Hyperliquid docs, Liquidations", ge=0, description="above which a share goes first"
    )
    limit: float = parameter(
        0.0, "1", ge=0, lt=1, description="furthest from the mark that an order may fill; 0: any distance"
    )
    patience: Duration = parameter(
        30, "s", "Hyperliquid docs, Liquidations", ge=0, description="after a share, in which all of it goes"
    )


class TransferSettings(BoundedSettings):
    """A keeper takes part of the position over near the oracle price, as at Drift."""

    kind: Literal["transfers"]
    keepers: bool = parameter(True, "1", description="keepers compete; otherwise the venue's engine acts")
    payment: Literal["first_price", "all_pay"] = parameter(
        "all_pay", "", description="whether the losers of a race pay for a failed transaction"
    )
    gas: int = parameter(600_000, "gas", ge=0, description="of a liquidation's transaction")
    fee: float = parameter(
        0.01, "1", "Drift docs: 0.75 to 3 %", ge=0, lt=1, description="the keeper's discount"
    )
    fund_fee: float = parameter(0.01, "1", ge=0, lt=1, description="most that the insurance fund takes")
    buffer: float = parameter(
        0.02, "1", "Drift protocol-v2: default", ge=0, le=1, description="beyond maintenance"
    )
    duration: Duration = parameter(
        10, "s", "Drift docs: 25 slots", ge=0, description="in which all of an account may be freed"
    )
    initial_share: float = parameter(0.1, "1", ge=0, le=1, description="that may be freed at once")
    grace: Duration = parameter(
        600, "s", "Drift protocol-v2: 1500 slots of 0.4 s", ge=0, description="in which the discount stays"
    )
    growth: float = parameter(
        2.5e-6, "1/s", "Drift protocol-v2: 0.01 bp per slot", ge=0, description="of the discount after it"
    )
    small: float = parameter(
        50.0, "USD", "Drift protocol-v2", ge=0, description="position that goes as a whole"
    )


class CloseSettings(BoundedSettings):
    """The whole position closes against the pool at the oracle price, as at GMX."""

    kind: Literal["closes"]
    fee: float = parameter(0.002, "1", "GMX config: 0.2 %, 0.3 % in synthetic markets", ge=0, lt=1)
    max_impact: float = parameter(0.0, "1", "GMX config: 0 in the base", ge=0, le=1)


class WindowSettings(LiquidationSettings):
    """Collateral is seized at once, positions close as windows of time allow, as at Synthetix."""

    kind: Literal["windows"]
    keepers: bool = parameter(
        True, "1", description="keepers send the transactions, at no cost to them; otherwise the venue does"
    )
    window: Duration = parameter(30, "s", "Synthetix v3 on Base", gt=0)
    capacity: float = parameter(
        1.5,
        "1",
        "Synthetix v3 on Base",
        gt=0,
        description="of a window, over (maker + taker fee) times scale",
    )
    calm_skew: float = parameter(
        0.0005, "1", "Synthetix v3 on Base", ge=0, description="of the scale, below which a window is added"
    )


AnyLiquidation = Annotated[
    SliceSettings | TrancheSettings | TransferSettings | CloseSettings | WindowSettings,
    Field(discriminator="kind"),
]


class RewardSettings(Settings):
    """What a keeper earns for a liquidation, over the notional closed; margin must cover it."""

    rate: float = parameter(0.0, "1", ge=0, lt=1)
    minimum: float = parameter(0.0, "USD", ge=0)
    maximum: float = parameter(0.0, "USD", ge=0, description="0: no reward")


class BackstopSettings(Settings):
    """When the vault takes over what the book does not absorb."""

    rule: Literal["none", "takeover"] = parameter("none", "")
    trigger: float = parameter(
        2 / 3, "1", ge=0, le=1, description="takeover when equity falls below this share of maintenance"
    )
    max_loss_share: float = parameter(0.1, "1", ge=0, le=1, description="of vault equity, per takeover")
    purse: float = parameter(
        1.0,
        "1",
        gt=0,
        le=1,
        description="of the vault's money: all that takeovers work with, and can lose; 1: the vault itself",
    )
    reserve: float = parameter(
        4.0, "1", ge=0, le=100, description="vault equity after a takeover, over its initial margin"
    )


class DeleveragingSettings(Settings):
    """Closing bankrupt positions against the other side."""

    rule: Literal["queue", "ranked", "random", "pro_rata", "profit_pro_rata", "drain", "none"] = parameter(
        "queue", ""
    )
    price: Literal["bankruptcy", "previous_mark", "crossing", "mark"] = parameter(
        "bankruptcy",
        "",
        description="crossing: on the way to the mark, where the account had nothing left",
    )
    forced: bool = parameter(
        False, "1", description="counterparties are closed where their own margin rule forbids it too"
    )
    attempts: int = parameter(10, "1 per round", ge=1)
    counterparties: int = parameter(500, "1", ge=1, description="accounts asked per attempt")
    pool_trigger: float = parameter(
        0.0, "1", ge=0, le=1, description="gains of a side over the pool that start it; 0: never"
    )
    pool_target: float = parameter(0.0, "1", ge=0, le=1, description="to which it brings them")
