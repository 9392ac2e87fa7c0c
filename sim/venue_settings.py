"""The venue's section of a scenario: what `protocol:` may say, with bounds, units and sources."""

from typing import Literal

from agents.settings import Duration, Settings, parameter
from sim.funding_settings import AnyFunding, BorrowingSettings, PremiumSettings
from sim.liquidation_settings import (
    AnyLiquidation,
    BackstopSettings,
    DeleveragingSettings,
    RewardSettings,
    SliceSettings,
)
from sim.market_settings import MarketSettings
from sim.price_settings import GuardsSettings, OracleSettings


class FeeSettings(Settings):
    """Trading fees, over notional."""

    taker: float = parameter(0.0005, "1", ge=0, le=0.1)
    maker: float = parameter(0.0, "1", ge=-0.1, le=0.1, description="a negative fee is a rebate")
    reward: float = parameter(
        0.0,
        "1",
        ge=0,
        le=0.1,
        description="of notional, that a treasury pays outside to both sides of a trade",
    )


class VaultSettings(Settings):
    """The depositors' vault: backstop and, where it quotes, maker of last resort."""

    deposits: float = parameter(10e6, "USD", ge=0, description="at the start")
    quotes: bool = parameter(True, "1")
    spread: float = parameter(0.01, "1", gt=0, lt=1)
    layers: int = parameter(2, "1", ge=1, le=50)
    order_share: float = parameter(0.1, "1", gt=0, le=1, description="size of an order, of vault equity")
    skew: float = parameter(2.0, "1", ge=0, description="shift of the quotes per unit of leverage held")
    lock_up: Duration = parameter(0, "s", ge=0, description="of a deposit")


class VenueSettings(Settings):
    """How orders become fills, and the numbers of each family."""

    kind: Literal["order_book", "amm", "impact_pool", "skew_pool"] = parameter("order_book", "")
    self_trade: Literal["cancel_resting", "cancel_taker", "cancel_both", "decrement"] = parameter(
        "cancel_resting", "", description="what happens to an order that meets its owner's"
    )
    settlement_delay: Duration = parameter(
        0, "s", ge=0, description="from commitment to the price of a pool's fill"
    )
    settlement_reward: float = parameter(
        0.0, "USD", ge=0, description="that each settled order of a pool pays"
    )
    settlement_window: Duration = parameter(60, "s", "Synthetix v3 on Base", gt=0)
    pool_fee_share: float = parameter(
        0.63, "1", "GMX config: 37 % to the fee receiver", ge=0, le=1, description="of fees, to the pool"
    )
    max_gains: float = parameter(
        0.9, "1", "GMX config: 90 %, synthetic markets 60 %", gt=0, le=1, description="of a side, of its pool"
    )
    max_gains_for_entry: float = parameter(
        0.9, "1", "GMX config: 90 %", gt=0, le=1, description="no entries beyond"
    )
    max_gains_for_exit: float = parameter(
        0.7, "1", "GMX config: 70 %, synthetic markets 45 %", gt=0, le=1, description="no exits beyond"
    )
    lock_up: Duration = parameter(0, "s", ge=0, description="of a deposit into a pool")


class WithdrawalSettings(Settings):
    """What stays behind when a trader takes money out."""

    gate: Duration = parameter(
        50, "s", ge=0, description="withdrawals rest for so long after an account below zero was seen"
    )
    notional_share: float = parameter(
        0.0, "1", ge=0, le=1, description="of open notional, that must stay in any case"
    )
    gain_weight: float = parameter(
        1.0, "1", ge=0, le=1, description="of unrealised gains that may be taken out; 0: settled ones only"
    )


class ProtocolSettings(Settings):
    """The venue: rules by name, numbers by value; a preset fills what the scenario leaves open."""

    preset: str = parameter("none", "", description="name of a bundled preset, or none")
    markets: dict[str, MarketSettings] = parameter(..., "")
    venue: VenueSettings = VenueSettings()
    fees: FeeSettings = FeeSettings()
    oracle: OracleSettings = OracleSettings()
    guards: GuardsSettings = GuardsSettings()
    mark: Literal["oracle", "median", "twap"] = parameter(
        "oracle", "", description="price that margin is held against"
    )
    funding: AnyFunding = PremiumSettings()
    borrowing: BorrowingSettings = BorrowingSettings()
    fill_margin: float = parameter(
        1.0,
        "1",
        ge=0,
        le=1,
        description="asked of a resting order's fill, from maintenance (0) to initial (1)",
    )
    exit_cost: float = parameter(
        0.0, "1", ge=0, lt=1, description="of closing, over notional, that margin has to cover too"
    )
    liquidation: AnyLiquidation = SliceSettings()
    reward: RewardSettings = RewardSettings()
    insurance_fund: float = parameter(5e6, "USD", ge=0, description="at the start")
    backstop: BackstopSettings = BackstopSettings()
    vault: VaultSettings = VaultSettings()
    adl: DeleveragingSettings = DeleveragingSettings()
    last_resort: Literal["gate", "socialise", "index", "pool", "halt"] = parameter(
        "gate", "", description="for a deficit that nobody covered"
    )
    withdrawals: WithdrawalSettings = WithdrawalSettings()
