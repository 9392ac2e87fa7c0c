"""A market's section of a scenario: its grid, its margins, and the numbers of each family of venues."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from agents.settings import Duration, Settings, entries, parameter


def optional_in_editors(schema: dict[str, Any]) -> None:
    """A preset may give what a market needs, so an editor must not ask for it."""
    schema.pop("required", None)


class TierSettings(Settings):
    """Margin rates of the notional above a floor."""

    above: float = parameter(..., "USD", gt=0, description="notional of a position")
    initial_margin: float = parameter(..., "1", gt=0, le=1, description="of the notional above")
    maintenance_margin: float = parameter(..., "1", gt=0, le=1, description="of the notional above")


class CapSettings(Settings):
    """A ceiling on the price of a market's asset, over another market's; see `protocol/prices/ceiling.py`."""

    base: str = parameter("", "", description="the other market; empty: no ceiling")
    ratio: float = parameter(
        0.0, "1", ge=0, le=1e6, description="units of it that one unit was worth, at most"
    )
    age: Duration = parameter(0, "s", ge=0, description="of the ratio, at the start")
    growth: float = parameter(
        0.0968,
        "1/year",
        "Aave proposal of February 2024, price cap adapters: wstETH",
        ge=0,
        le=100,
        description="of the ratio since, at most",
    )


class CollateralSettings(Settings):
    """What a market's base asset counts for as collateral; 0: it is not taken."""

    initial_weight: float = parameter(0.0, "1", ge=0, le=1, description="toward initial margin")
    maintenance_weight: float = parameter(0.0, "1", ge=0, le=1, description="toward maintenance margin")
    discount: float = parameter(
        0.05, "1", ge=0, lt=1, description="off the oracle price for whoever buys it from a failing account"
    )
    penalty: float = parameter(
        0.01, "1", ge=0, lt=1, description="of what the buyer pays, to the insurance fund"
    )
    cap: CapSettings = CapSettings()


class CurveSettings(Settings):
    """A virtual AMM's curve in one market."""

    depth: float = parameter(5e6, "USD", gt=0, description="that moves its price by 1 %")
    base_spread: float = parameter(0.0005, "1", ge=0, lt=1, description="between its bid and ask")
    max_spread: float = parameter(0.02, "1", gt=0, lt=1)
    funding_divergence: float = parameter(
        1 / 33,
        "1",
        "Drift protocol-v2: premium within a 33rd of the index (tiers A, B), a 20th (C), a 10th (others)",
        gt=0,
        description="bound of the premium that funding pays, over the index",
    )


class ImpactSettings(Settings):
    """An oracle-priced pool with price impact in one market; factors are for USD of imbalance."""

    negative_factor: float = parameter(9e-11, "1/USD", "GMX config/markets.ts: BTC, ETH", ge=0)
    negative_exponent: float = parameter(2.0, "1", "GMX config/markets.ts: BTC, ETH", ge=1, le=3)
    positive_factor: float = parameter(3e-11, "1/USD", "GMX config/markets.ts: BTC, ETH", ge=0)
    positive_exponent: float = parameter(1.0, "1", "GMX config/markets.ts: BTC, ETH", ge=1, le=3)
    max_positive: float = parameter(
        0.004,
        "1",
        "GMX config: maxPositionImpactFactor",
        ge=0,
        le=1,
        description="impact gained, of notional",
    )
    max_negative: float = parameter(
        0.005, "1", "GMX config: maxPositionImpactFactor", ge=0, le=1, description="impact paid on closing"
    )
    lendable_share: float = parameter(
        0.1, "1", "GMX ConfigUtils: bound", ge=0, le=0.1, description="of backing"
    )
    lendable: float = parameter(
        50_000.0, "USD", "GMX ConfigUtils: bound", ge=0, description="most that the pool lends for impact"
    )
    spread: float = parameter(0.0, "1", ge=0, lt=1, description="between highest and lowest oracle price")
    long_share: float = parameter(0.5, "1", gt=0, lt=1, description="of the pool, behind longs")
    max_open_interest: float = parameter(95e6, "USD", "GMX config: BTC 95 M a side", gt=0)
    reserve_factor: float = parameter(
        0.9, "1", "GMX config: default; BTC 3.45, ETH 2.7, synthetically backed", gt=0, le=10
    )
    impact_pool: float = parameter(0.0, "USD", ge=0, description="impact purse at the start")
    max_funding: float = parameter(0.75, "1/year", "GMX config: BTC, ETH; default 0.9", ge=0, le=5)


class SkewSettings(Settings):
    """A skew-priced pool in one market; sizes in base units."""

    skew_scale: float = parameter(1e6, "base unit", gt=0, description="skew that doubles or halves the price")
    initial_slope: float = parameter(0.0, "1", ge=0, description="initial margin at a size of the skew scale")
    maintenance_scalar: float = parameter(0.5, "1", gt=0, le=1, description="maintenance over initial margin")
    max_open_interest: float = parameter(1e6, "base unit", gt=0, description="a side")
    locked_ratio: float = parameter(0.25, "1", ge=0, le=10, description="of open interest, kept by the pool")
    velocity: float = parameter(9.0, "1/day^2", "Synthetix v3 on Base: ETH and BTC", ge=0)


class MarketSettings(Settings):
    """One perpetual market; a market that no preset knows must give the first four."""

    model_config = ConfigDict(json_schema_extra=optional_in_editors)

    lot: float = parameter(..., "base unit", gt=0, description="smallest change of a position")
    tick: float = parameter(..., "USD per base unit", gt=0, description="smallest change of a price")
    initial_margin: float = parameter(..., "1", gt=0, le=1, description="margin to open, over notional")
    maintenance_margin: float = parameter(..., "1", gt=0, lt=1, description="margin to hold, over notional")
    impact_notional: float = parameter(10_000.0, "USD", gt=0, description="depth a funding sample walks")
    tiers: Annotated[tuple[TierSettings, ...], BeforeValidator(entries)] = parameter(
        (), "", description="higher rates of larger positions"
    )
    size_root: float = parameter(
        0.0, "1", ge=0, description="margin rate of a position of one base unit; grows with the root of size"
    )
    position_margin: float = parameter(0.0, "USD", ge=0, description="added for each position")
    minimum_margin: float = parameter(0.0, "USD", ge=0, description="least margin of a position")
    open_interest_lower: float = parameter(
        0.0, "USD", ge=0, description="open interest above which initial margin rises; 0: never"
    )
    open_interest_upper: float = parameter(
        0.0, "USD", ge=0, description="open interest at which initial margin reaches 1; 0: never"
    )
    open_interest_slope: float = parameter(
        0.0,
        "1/USD",
        ge=0,
        le=1,
        description="initial margin in proportion to open interest, where that is more",
    )
    open_interest_cap: float = parameter(
        0.0, "USD", ge=0, description="beyond which nobody can open; 0: none"
    )
    isolated: bool = parameter(False, "1", description="its positions stand alone, with a fund of their own")
    gain_weight: float = parameter(
        1.0, "1", ge=0, le=1, description="of unrealised gains toward initial margin"
    )
    price_floor: float = parameter(0.0, "USD", ge=0, description="at which its feed stops; 0: none")
    price_ceiling: float = parameter(0.0, "USD", ge=0, description="at which its feed stops; 0: none")
    liquidity: float = parameter(
        50e6, "USD", ge=0, description="what providers bring into its AMM or pool at the start"
    )
    average_band: float = parameter(
        0.1,
        "1",
        "Drift protocol-v2: 10 % in tier A, 20 % in B, 50 % in C, a third elsewhere",
        gt=0,
        description="bound of a price's distance from the average it enters",
    )
    collateral: CollateralSettings = CollateralSettings()
    amm: CurveSettings = CurveSettings()
    pool: ImpactSettings = ImpactSettings()
    skew: SkewSettings = SkewSettings()
