"""From settings to integers: units, every parameter, every rule, and an empty venue of each family."""

import pickle
from collections.abc import Iterator
from copy import deepcopy
from functools import cache, reduce
from typing import Any

import numpy as np
import pytest
from small import PRICES, at, calm, empty_venue

from protocol.book import FUND, INSURANCE, market_accounts
from protocol.carry.premium_funding import InterestRule, PremiumRule, TwapRule
from protocol.carry.skew_funding import AdaptiveRule, VelocityRule
from protocol.liquidations.closes import Closes
from protocol.liquidations.collateral_sales import OUTSIDE, CollateralSales
from protocol.liquidations.slices import Slices
from protocol.liquidations.tranches import Tranches
from protocol.liquidations.transfers import Transfers
from protocol.liquidations.windows import Windows
from protocol.parameters import violations
from protocol.venues.amm import Amm
from protocol.venues.curve import curve_price
from protocol.venues.impact_pool import ImpactPool
from protocol.venues.limit_book import LimitBook
from protocol.venues.skew_pool import SkewPool
from sim.bundled import names
from sim.provenance import resolved
from sim.scenario import load_scenario
from sim.venue import grid, open_engine, open_exchange
from sim.venue_settings import ProtocolSettings

COARSE_ETHER = "protocol.markets.ETH={lot: 0.01, tick: 0.05}"
FIRST_FUND = int(market_accounts(2, FUND)[0])


def test_prices_are_counted_in_millionths_of_a_dollar_per_lot() -> None:
    units = grid(calm().protocol)

    assert units.names == ("BTC", "ETH")
    assert units.tick.tolist() == [100, 100]
    assert units.price(np.array([42000.0, 2300.0])).tolist() == [4_200_000, 2_300_000]


def test_units_follow_lot_and_tick() -> None:
    units = grid(calm(COARSE_ETHER).protocol)

    assert units.tick.tolist() == [100, 500]
    assert units.price(np.array([1.0, 1.0])).tolist() == [100, 10_000]


def test_a_price_survives_the_round_trip_to_the_nearest_unit() -> None:
    units = grid(calm().protocol)
    usd = np.array([41_234.567_89, 2_345.678_9])

    np.testing.assert_allclose(units.usd(units.price(usd)), usd, rtol=2e-7)


FAMILIES = {
    "dydx_v4": (LimitBook, Slices, PremiumRule, False),
    "hyperliquid": (LimitBook, Tranches, InterestRule, False),
    "drift": (Amm, Transfers, TwapRule, True),
    "gmx_v2": (ImpactPool, Closes, AdaptiveRule, False),
    "synthetix_v3": (SkewPool, Windows, VelocityRule, False),
}


@pytest.mark.parametrize("preset", names("preset"))
def test_a_preset_opens_the_venue_of_its_family(preset: str) -> None:
    exchange = empty_venue(preset)
    venue, engine, funding, from_fees = FAMILIES[preset]

    assert isinstance(exchange.venue, venue)
    assert isinstance(exchange.engine, engine)
    assert isinstance(exchange.rules.accrual.funding, funding)
    assert exchange.rules.accrual.from_fees is from_fees


@pytest.mark.parametrize("preset", names("preset"))
@pytest.mark.parametrize("accounts", [10, 1000])
def test_a_new_venue_is_empty_priced_and_sound(preset: str, accounts: int) -> None:
    exchange = empty_venue(preset, accounts=accounts)

    assert exchange.book.cash.shape == (accounts,)
    assert not exchange.book.cash.any()
    assert not exchange.book.size.any()
    assert exchange.book.mark.tolist() == exchange.book.oracle.tolist() == [4_200_000, 2_300_000]
    assert violations(exchange.parameters) == []
    exchange.check(0, 0)


NUMBERS = {
    ("hyperliquid", ""): ("rules.accrual.funding", (0.0001, 0.0005, 0.04, 3_600)),
    ("hyperliquid", "funding.interest=0.0003"): ("rules.accrual.funding.interest", 0.0003),
    ("hyperliquid", "funding.pull=0.001"): ("rules.accrual.funding.pull", 0.001),
    ("hyperliquid", "funding.cap=0.02"): ("rules.accrual.funding.cap", 0.02),
    ("hyperliquid", "liquidation.threshold=5000"): ("engine.parameters.threshold", 5_000_000_000),
    ("hyperliquid", "liquidation.share=0.3"): ("engine.parameters.share", 300_000),
    ("hyperliquid", "liquidation.patience=45s"): ("engine.parameters.patience", 45.0),
    ("hyperliquid", "liquidation.limit=0.1"): ("engine.parameters.limit", 100_000),
    ("hyperliquid", "liquidation.attempts=7"): ("engine.parameters.attempts", 7),
    ("dydx_v4", "liquidation.attempts=7"): ("engine.attempts", 7),
    ("drift", "venue.pool_fee_share=0.25"): ("venue.parameters.pool_share", 250_000),
    ("drift", "markets.BTC.amm.base_spread=0.001"): ("venue.parameters.least_spread", [1_000, 500]),
    ("drift", "markets.BTC.amm.max_spread=0.03"): ("venue.parameters.widest_spread", [30_000, 20_000]),
    ("drift", "markets.ETH.amm.funding_divergence=0.05"): (
        "rules.accrual.funding.divergence",
        [1 / 33, 0.05],
    ),
    ("drift", "markets.ETH.average_band=0.5"): ("rules.accrual.funding.band", [0.1, 0.5]),
    ("drift", "funding.offset=0.001"): ("rules.accrual.funding.offset", 0.001),
    ("drift", "funding.mark_divergence=0.2"): ("rules.accrual.funding.mark_divergence", 0.2),
    ("drift", "funding.pool_share=0.5"): ("rules.accrual.funding.pool_share", 0.5),
    ("drift", "liquidation.fee=0.02"): ("engine.parameters.fee", [20_000, 20_000]),
    ("drift", "liquidation.fund_fee=0.005"): ("engine.parameters.fund_fee", [5_000, 5_000]),
    ("drift", "liquidation.buffer=0.03"): ("engine.parameters.buffer", 30_000),
    ("drift", "liquidation.grace=5m"): ("engine.parameters.grace", 300.0),
    ("drift", "liquidation.growth=5e-6"): ("engine.parameters.growth", 5.0),
    ("drift", "liquidation.initial_share=0.2"): ("engine.parameters.first_share", 200_000),
    ("drift", "liquidation.duration=20s"): ("engine.parameters.duration", 20.0),
    ("drift", "liquidation.small=75"): ("engine.parameters.small", 75_000_000),
    ("drift", "liquidation.payment=first_price"): ("engine.auction.payment", "first_price"),
    ("drift", "liquidation.attempts=7"): ("engine.auction.space", 7),
    ("drift", "liquidation.gas=1000"): ("engine.auction.gas", 1_000),
    ("drift", "liquidation.keepers=false"): ("engine.auction", None),
    ("gmx_v2", "markets.BTC.pool.negative_factor=1e-10"): (
        "venue.parameters.factor_negative",
        [1e-10, 9e-11],
    ),
    ("gmx_v2", "markets.BTC.pool.positive_factor=1e-11"): (
        "venue.parameters.factor_positive",
        [1e-11, 3e-11],
    ),
    ("gmx_v2", "markets.BTC.pool.negative_exponent=1.5"): ("venue.parameters.exponent_negative", [1.5, 2.0]),
    ("gmx_v2", "markets.BTC.pool.positive_exponent=1.5"): ("venue.parameters.exponent_positive", [1.5, 1.0]),
    ("gmx_v2", "markets.BTC.pool.max_negative=0.006"): ("venue.parameters.cap_negative", [6_000, 5_000]),
    ("gmx_v2", "markets.BTC.pool.max_positive=0.003"): ("venue.parameters.cap_positive", [3_000, 4_000]),
    ("gmx_v2", "markets.BTC.pool.lendable_share=0.05"): (
        "venue.parameters.lendable_share",
        [50_000, 100_000],
    ),
    ("gmx_v2", "markets.BTC.pool.lendable=1"): (
        "venue.parameters.lendable_maximum",
        [1_000_000, 50_000_000_000],
    ),
    ("gmx_v2", "markets.BTC.pool.spread=0.001"): ("venue.parameters.spread", [1_000, 0]),
    ("gmx_v2", "markets.BTC.pool.long_share=0.6"): ("venue.parameters.long_share", [600_000, 500_000]),
    ("gmx_v2", "markets.BTC.pool.max_open_interest=1"): (
        "venue.parameters.interest_cap",
        [1_000_000, 110_000_000_000_000],
    ),
    ("gmx_v2", "markets.BTC.pool.reserve_factor=1.5"): ("venue.parameters.reserve", [1_500_000, 2_700_000]),
    ("gmx_v2", "markets.BTC.pool.max_funding=0.5"): ("rules.accrual.funding.maximum", [0.5, 0.75]),
    ("gmx_v2", "funding.minimum=0.02"): ("rules.accrual.funding.minimum", 0.02),
    ("gmx_v2", "funding.ramp=2h"): ("rules.accrual.funding.ramp", 7_200.0),
    ("gmx_v2", "funding.stable_skew=0.05"): ("rules.accrual.funding.stable_skew", 0.05),
    ("gmx_v2", "fees.taker=0.0007"): ("venue.parameters.fee_worsens", [700, 700]),
    ("gmx_v2", "fees.maker=0.0005"): ("venue.parameters.fee_improves", [500, 500]),
    ("gmx_v2", "venue.pool_fee_share=0.7"): ("venue.parameters.receiver_share", [300_000, 300_000]),
    ("gmx_v2", "venue.max_gains=0.8"): ("venue.parameters.gain_cap", [800_000, 800_000]),
    ("gmx_v2", "venue.max_gains_for_entry=0.8"): ("venue.parameters.gain_deposits", [800_000, 800_000]),
    ("gmx_v2", "venue.max_gains_for_exit=0.6"): ("venue.parameters.gain_exits", [600_000, 600_000]),
    ("gmx_v2", "adl.pool_trigger=0.8"): ("venue.parameters.gain_trigger", [800_000, 800_000]),
    ("gmx_v2", "adl.pool_target=0.7"): ("venue.parameters.gain_target", [700_000, 700_000]),
    ("gmx_v2", "liquidation.fee=0.003"): ("venue.parameters.liquidation_fee", [3_000, 3_000]),
    ("gmx_v2", "liquidation.max_impact=0.002"): ("venue.parameters.liquidation_impact", [2_000, 2_000]),
    ("gmx_v2", "liquidation.attempts=7"): ("engine.attempts", 7),
    ("synthetix_v3", "markets.BTC.skew.skew_scale=6000"): (
        "venue.parameters.skew_scale",
        [60_000_000, 300_000_000],
    ),
    ("synthetix_v3", "markets.BTC.skew.max_open_interest=600"): (
        "venue.parameters.size_cap",
        [6_000_000, 30_700_000],
    ),
    ("synthetix_v3", "markets={BTC: {skew: {locked_ratio: 0.15}}, ETH: {skew: {locked_ratio: 0.3}}}"): (
        "venue.parameters.locked_share",
        [1.5e5, 3e5],
    ),
    ("synthetix_v3", "markets.ETH.skew.velocity=12"): ("rules.accrual.funding.velocity", [9.0, 12.0]),
    ("synthetix_v3", "markets.ETH.skew.skew_scale=1000"): ("rules.accrual.funding.skew_scale", [1.25e8, 1e6]),
    ("synthetix_v3", "venue.pool_fee_share=0.7"): ("venue.parameters.pool_share", 700_000),
    ("synthetix_v3", "venue.settlement_reward=0.5"): ("venue.parameters.settlement_reward", 500_000),
    ("synthetix_v3", "venue.settlement_delay=3s"): ("venue.parameters.delay", 3.0),
    ("synthetix_v3", "venue.settlement_window=30s"): ("venue.parameters.window", 30.0),
    ("synthetix_v3", "liquidation.window=60s"): ("engine.parameters.window", 60),
    ("synthetix_v3", "liquidation.capacity=2.0"): ("engine.parameters.capacity", 2_000_000),
    ("synthetix_v3", "liquidation.calm_skew=0.001"): ("engine.parameters.calm_skew", 1_000),
    ("synthetix_v3", "liquidation.keepers=false"): ("engine.attended", False),
}


@pytest.mark.parametrize(("preset", "override"), NUMBERS)
def test_a_number_of_a_family_arrives_in_its_unit(preset: str, override: str) -> None:
    name, expected = NUMBERS[preset, override]
    found = at(empty_venue(preset, *([f"protocol.{override}"] if override else [])), name)

    assert found == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float | list) else expected)


def test_the_curve_of_an_amm_has_the_depth_of_the_scenario() -> None:
    curve = empty_venue("drift").venue.state.curve
    for market, (price, depth) in enumerate(((4.2e6, 5e12), (2.3e6, 3e12))):
        bought = depth / (price * 1.005)

        assert curve_price(curve, market, 0.0) == pytest.approx(price)
        assert curve_price(curve, market, -bought) == pytest.approx(1.01 * price, rel=1e-4)


@pytest.mark.parametrize("preset", ["dydx_v4", "gmx_v2", "drift", "synthetix_v3"])
def test_an_isolated_market_of_an_order_book_has_a_fund_of_its_own(preset: str) -> None:
    exchange = empty_venue(preset, "protocol.markets.BTC.isolated=true")
    own = preset == "dydx_v4"

    assert exchange.book.fund.tolist() == [FIRST_FUND if own else INSURANCE, INSURANCE]


def test_a_skew_priced_venue_has_one_pool_hyperliquid_one_purse_and_others_a_seat_for_each_market() -> None:
    pools = {preset: len(set(empty_venue(preset).book.counterparty.tolist())) for preset in FAMILIES}

    assert pools == dict.fromkeys(FAMILIES, 2) | {"synthetix_v3": 1, "hyperliquid": 1}


ETHER = "{initial_weight: 0.7, maintenance_weight: 0.8, discount: 0.1, penalty: 0.02}"


@pytest.mark.parametrize("preset", FAMILIES)
def test_a_venue_that_takes_an_asset_sells_it_unless_it_seizes_accounts(preset: str) -> None:
    engine = empty_venue(preset, f"protocol.markets.ETH.collateral={ETHER}").engine
    closing = FAMILIES[preset][1]
    if preset == "synthetix_v3":
        assert isinstance(engine, closing)
        return

    assert isinstance(engine, CollateralSales)
    assert isinstance(engine.positions, closing)
    assert engine.parameters.buyer == OUTSIDE
    assert engine.parameters.discount.tolist() == [50_000, 100_000]
    assert engine.parameters.penalty.tolist() == [10_000, 20_000]


def test_keepers_may_take_over_on_an_order_book_too() -> None:
    exchange = empty_venue("dydx_v4", "protocol.liquidation={kind: transfers}")

    assert isinstance(exchange.engine, Transfers)
    assert exchange.engine.venue is exchange.venue


def test_a_way_of_liquidating_that_does_not_fit_opens_no_venue() -> None:
    exchange, settings = empty_venue("dydx_v4"), load_scenario("base", ["protocol.preset=gmx_v2"]).protocol
    with pytest.raises(ValueError, match=r"liquidation by closes does not go with a venue of kind"):
        open_engine(settings, exchange.venue, exchange.book)


WITH_THE_PEOPLE = {
    "preset",
    "insurance_fund",
    "fees.reward",
    "vault.deposits",
    "vault.quotes",
    "vault.spread",
    "vault.layers",
    "vault.order_share",
    "vault.skew",
    "markets.BTC.liquidity",
    "markets.BTC.pool.impact_pool",
    "oracle.noise",
    "oracle.gas_delay",
}
KINDS = {"venue.kind", "funding.kind", "liquidation.kind"}
OTHERS = {
    "backstop.rule": "takeover",
    "adl.rule": "drain",
    "adl.price": "mark",
    "last_resort": "halt",
    "mark": "twap",
    "oracle.kind": "push",
    "oracle.weights": [1, 2],
    "liquidation.payment": "first_price",
    "venue.self_trade": "decrement",
    "markets.BTC.pool.positive_exponent": 1.5,
    "markets.BTC.collateral.cap.base": "ETH",
    "markets.BTC.tiers": [{"above": 1e9, "initial_margin": 1.0, "maintenance_margin": 0.5}],
}


VARIANTS = {preset: (preset,) for preset in names("preset")} | {
    "push feed": ("dydx_v4", "protocol.oracle.kind=push"),
    "collateral": (
        "dydx_v4",
        "protocol.markets.BTC.collateral={initial_weight: 0.8, maintenance_weight: 0.9}",
    ),
}


@cache
def preset_data(variant: str) -> dict[str, Any]:
    """The venue's section under a preset, every default written out."""
    preset, *overrides = VARIANTS[variant]
    scenario = load_scenario("base", [f"protocol.preset={preset}", *overrides])
    data: dict[str, Any] = resolved(scenario)["protocol"]
    return data


def paths(data: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of all settings in plain data, ether aside."""
    if not isinstance(data, dict) or not data:
        yield path
        return
    for key in data.keys() - {"ETH"}:
        yield from paths(data[key], f"{path}.{key}" if path else key)


def another(path: str, value: Any) -> Any:
    """Another value that a setting may take."""
    if path in OTHERS:
        return OTHERS[path]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{int(value.removesuffix('s')) + 1}s"
    return value + 1 if isinstance(value, int) else 0.75 * value if value else 0.015


def imprint(data: dict[str, Any]) -> bytes:
    """Everything that an empty venue is; what the venue refuses has been read too."""
    settings = ProtocolSettings.model_validate(data)
    try:
        return pickle.dumps(open_exchange(settings, grid(settings), PRICES, 20))
    except ValueError as refusal:
        return str(refusal).encode()


def changes_something(variant: str, path: str) -> bool:
    """Whether another value of a setting makes another venue under a preset."""
    data = deepcopy(preset_data(variant))
    *outer, last = path.split(".")
    section = reduce(dict.__getitem__, outer, data)
    section[last] = another(path, section[last])
    return imprint(data) != imprint(preset_data(variant))


SETTINGS = {variant: sorted({*paths(preset_data(variant))} - WITH_THE_PEOPLE - KINDS) for variant in VARIANTS}
OF_A_KIND = [
    (variant, path)
    for variant, known in SETTINGS.items()
    for path in known
    if path.startswith(("liquidation.", "funding."))
]


@pytest.mark.parametrize("path", sorted(set().union(*SETTINGS.values())))
def test_every_setting_of_the_venue_is_read_under_some_preset(path: str) -> None:
    assert any(changes_something(variant, path) for variant, known in SETTINGS.items() if path in known)


@pytest.mark.parametrize(("variant", "path"), OF_A_KIND)
def test_every_number_of_a_rule_is_read_wherever_the_rule_holds(variant: str, path: str) -> None:
    assert changes_something(variant, path)
