"""From settings to the protocol's parameters and rules: every number in its unit, every choice by name."""

import numpy as np
import pytest
from small import at, empty_venue

from protocol.losses.deleveraging import Deleveraging
from protocol.parameters import violations
from protocol.prices.oracle import Bounds, MedianRule, PullRule, PushRule
from sim.venue_rules import micro, ppm

MILLION = 1_000_000


def test_money_and_shares_become_integers() -> None:
    assert micro(1.2345678) == 1_234_568
    assert ppm(-0.00011) == -110


PARAMETERS = {
    "markets.BTC.initial_margin=0.05": ("initial", [50_000, 20_000]),
    "markets.BTC.maintenance_margin=0.015": ("maintenance", [15_000, 12_000]),
    "markets.ETH.impact_notional=2500": ("impact_notional", [10_000_000_000, 2_500_000_000]),
    "markets.BTC.size_root=0.01": ("root", [10_000 * 0.01, 0]),
    "markets.BTC.skew={initial_slope: 2.0, skew_scale: 5000}": (
        "slope_initial",
        [2 / 5_000 * 100, 0],
    ),
    "markets.ETH.skew={initial_slope: 2.0, skew_scale: 5000, maintenance_scalar: 0.3}": (
        "slope_maintenance",
        [0, 0.3 * 2 / 5_000 * 1_000],
    ),
    "markets.BTC.position_margin=7.5": ("position_margin", [7_500_000, 0]),
    "markets.BTC.minimum_margin=1.25": ("margin_floor", [1_250_000, 0]),
    "markets.BTC={open_interest_lower: 1.5, open_interest_upper: 2}": (
        "open_interest_lower",
        [1_500_000, 0],
    ),
    "markets.ETH={open_interest_lower: 1, open_interest_upper: 2.5}": (
        "open_interest_upper",
        [0, 2_500_000],
    ),
    "markets.BTC.open_interest_slope=6e-11": ("open_interest_slope", [6e-5, 0]),
    "markets.BTC.open_interest_cap=2.5e+6": ("open_interest_cap", [2_500_000_000_000, 0]),
    "markets.ETH.isolated=true": ("isolated", [False, True]),
    "markets.ETH.gain_weight=0.25": ("gain_weight", [MILLION, 250_000]),
    "markets.BTC.collateral={initial_weight: 0.55, maintenance_weight: 0.6}": (
        "weight_initial",
        [550_000, 0],
    ),
    "markets.ETH.collateral={initial_weight: 0.55, maintenance_weight: 0.6}": (
        "weight_maintenance",
        [0, 600_000],
    ),
    "markets.ETH.collateral.cap={base: BTC, ratio: 0.06}": ("cap_base", [-1, 0]),
    "markets.BTC.collateral.cap={base: ETH, ratio: 17.5}": ("cap_ratio", [17_500_000, 0]),
    "markets.BTC.collateral.cap={base: ETH, ratio: 1, age: 7d}": ("cap_time", [-604_800, 0]),
    "markets.ETH.collateral.cap={base: BTC, ratio: 1, growth: 0.2}": ("cap_growth", [96_800, 200_000]),
    "fees={taker: 0.00035, maker: -0.000025}": ("taker_fee", 350),
    "fees.maker=-0.000025": ("maker_fee", -25),
    "fill_margin=0.5": ("fill_share", 500_000),
    "exit_cost=0.0007": ("exit_fee", 700),
    "reward={rate: 0.0003, minimum: 1, maximum: 30}": ("reward_rate", 300),
    "reward={rate: 0.0003, minimum: 1.5, maximum: 30}": ("reward_minimum", 1_500_000),
    "reward={minimum: 1, maximum: 30}": ("reward_maximum", 30_000_000),
    "liquidation.max_share=0.2": ("liquidation_share", 200_000),
    "liquidation.min_notional=500.5": ("liquidation_minimum", 500_500_000),
    "liquidation.max_notional=2.0e+5": ("liquidation_maximum", 200_000_000_000),
    "liquidation.bankruptcy_adjustment=0.8": ("bankruptcy_adjustment", 800_000),
    "liquidation.spread_to_maintenance=2.5": ("spread_to_maintenance", 2_500_000),
    "liquidation.max_fee=0.01": ("liquidation_fee", 10_000),
    "liquidation.max_insurance_loss=3.0e+5": ("insurance_loss", 300_000_000_000),
    "backstop={rule: takeover, trigger: 0.5}": ("backstop_trigger", 500_000),
    "backstop.trigger=0.5": ("backstop_trigger", 0),
    "backstop.max_loss_share=0.02": ("backstop_loss_share", 20_000),
    "backstop.reserve=2.5": ("backstop_reserve", 2_500_000),
}


@pytest.mark.parametrize("override", PARAMETERS)
def test_a_risk_parameter_arrives_in_its_unit(override: str) -> None:
    name, expected = PARAMETERS[override]
    found = empty_venue("dydx_v4", f"protocol.{override}").parameters

    assert at(found, name) == pytest.approx(expected, rel=1e-12)
    assert at(empty_venue("dydx_v4").parameters, name) != expected or expected in (0, [0, 0])
    assert violations(found) == []


def test_tiers_become_what_each_adds_to_the_rate_below_it() -> None:
    bitcoin = "[{above: 1e+6, initial_margin: 0.04, maintenance_margin: 0.02}, " + (
        "{above: 5.5e+6, initial_margin: 0.1, maintenance_margin: 0.05}]"
    )
    found = empty_venue("dydx_v4", f"protocol.markets.BTC.tiers={bitcoin}").parameters

    assert found.tier_floor.tolist() == [[1_000_000_000_000, 5_500_000_000_000], [0, 0]]
    assert found.tier_initial.tolist() == [[20_000, 60_000], [0, 0]]
    assert found.tier_maintenance.tolist() == [[8_000, 30_000], [0, 0]]


def test_a_tier_below_the_base_rate_adds_nothing_and_the_next_only_what_exceeds_it() -> None:
    tiers = "[{above: 1.0, initial_margin: 0.03, maintenance_margin: 0.01}, " + (
        "{above: 2.0, initial_margin: 0.07, maintenance_margin: 0.04}]"
    )
    margins = ("protocol.markets.BTC.initial_margin=0.05", "protocol.markets.BTC.maintenance_margin=0.03")
    found = empty_venue("dydx_v4", f"protocol.markets.BTC.tiers={tiers}", *margins).parameters

    assert found.tier_initial[0].tolist() == [0, 20_000]
    assert found.tier_maintenance[0].tolist() == [0, 10_000]


def test_no_tiers_leave_no_columns() -> None:
    assert empty_venue("dydx_v4").parameters.tier_floor.shape == (2, 0)


RULES = {
    "liquidation.round=2s": ("round_seconds", 2.0),
    "withdrawals.gate=70s": ("withdrawal_gate", 70),
    "withdrawals={notional_share: 0.1, gain_weight: 0.25}": ("withdrawal", (100_000, 250_000)),
    "vault.lock_up=4d": ("vault_lock", 345_600.0),
    "venue.lock_up=1h": ("pool_lock", 3_600.0),
    "mark=median": ("prices.mark.kind", "median"),
    "guards.average=60s": ("prices.average.window", 60.0),
    "markets.ETH.average_band=0.2": ("prices.average.band", [0.1, 0.2]),
    "guards.trade.max_age=48s": ("prices.guards.trade.max_age", 48.0),
    "guards.liquidate.max_confidence=0.02": ("prices.guards.liquidate.max_confidence", 0.02),
    "guards.withdraw.max_divergence=0.5": ("prices.guards.withdraw.max_divergence", 0.5),
    "guards.fund.max_mark_divergence=0.1": ("prices.guards.fund.max_mark_divergence", 0.1),
    "guards.quote.max_ratio=5.0": ("prices.guards.quote.max_ratio", 5.0),
    "oracle={kind: push, deviation: 0.005}": ("prices.feed.deviation", 0.005),
    "oracle={kind: push, heartbeat: 2h}": ("prices.feed.heartbeat", 7_200.0),
    "oracle={kind: push, delay: 40s}": ("prices.feed.delay", 40.0),
    "oracle={kind: pull, delay: 2s}": ("prices.feed.latency", 2.0),
    "oracle={kind: pull, confidence: 0.001}": ("prices.feed.confidence_floor", 0.001),
    "oracle={kind: pull, confidence_time: 3s}": ("prices.feed.confidence_seconds", 3.0),
    "oracle={weights: [3, 2, 1], quorum: 0.5}": ("prices.feed.weights", [3, 2, 1]),
    "oracle.minimum_sources=5": ("prices.feed.minimum_sources", 5),
    "oracle.quorum=0.5": ("prices.feed.quorum", 500_000),
    "oracle.deviation=0.002": ("prices.feed.minimum_change", 2_000),
    "oracle.period=3s": ("prices.feed.period", 3.0),
    "oracle.stops_at_bounds=false": ("prices.feed.bounds.stops", False),
    "markets.BTC.lot=0.25": ("prices.lot", [0.25, 0.001]),
    "markets.BTC.price_floor=0.107": ("prices.feed.bounds.minimum", [11, 0]),
    "markets.ETH.price_ceiling=1.0e+5": ("prices.feed.bounds.maximum", [0, 100_000_000]),
    "funding.interval=8h": ("accrual.funding.interval", 28_800),
    "funding.default_rate=0.0002": ("accrual.funding.default_rate", [200, 200]),
    "funding.clamp=4.0": ("accrual.funding.rate_clamp", 4_000_000),
    "markets.BTC={initial_margin: 0.05, maintenance_margin: 0.03}": (
        "accrual.funding.margin_gap",
        [20_000, 8_000],
    ),
    "borrowing={enabled: true, optimal: 0.7, base: 0.4, above: 0.8}": (
        "accrual.borrowing",
        (0.7, 0.4, 0.8, False, 0),
    ),
    "borrowing.optimal=0.7": ("accrual.borrowing", None),
    "adl={rule: drain, price: mark, forced: true, counterparties: 7}": (
        "waterfall.deleveraging",
        Deleveraging("drain", "mark", True, 7),
    ),
    "adl.rule=none": ("waterfall.deleveraging", None),
    "adl.attempts=3": ("waterfall.attempts", 3),
    "last_resort=socialise": ("waterfall.last_resort", "socialise"),
    "backstop.rule=none": ("waterfall.backstop", None),
    "backstop={rule: takeover, purse: 0.02}": ("waterfall.backstop", (4, 20_000, True)),
    "liquidation.kind=tranches": ("waterfall.rescues_partial", True),
    "liquidation.kind=slices": ("waterfall.rescues_partial", False),
}


@pytest.mark.parametrize("override", RULES)
def test_a_rule_arrives_by_name_and_in_its_unit(override: str) -> None:
    name, expected = RULES[override]

    assert at(empty_venue("dydx_v4", f"protocol.{override}").rules, name) == expected


def test_the_vault_as_backstop_stands_with_its_whole_purse() -> None:
    backstop = empty_venue("dydx_v4", "protocol.backstop.rule=takeover").rules.waterfall.backstop

    assert backstop == (3, MILLION, True)


def test_a_guard_of_zero_asks_nothing() -> None:
    found = empty_venue("dydx_v4").rules.prices.guards

    for each in found:
        assert set(each[:5]) == {np.inf}
        assert each[5:] == (0, 0)


def test_only_a_guard_that_says_so_refuses_the_bounds_of_the_feed() -> None:
    chosen = ("protocol.markets.BTC.price_floor=0.107", "protocol.guards.withdraw.refuses_bounds=true")
    found = empty_venue("dydx_v4", *chosen).rules.prices.guards

    assert found.withdraw.minimum.tolist() == [11, 0]
    assert found.withdraw.maximum.tolist() == [0, 0]
    assert found.trade.minimum == 0


def test_feeds_have_their_rules() -> None:
    feeds = [
        empty_venue("dydx_v4", f"protocol.oracle.kind={kind}").rules.prices.feed
        for kind in ("push", "pull", "median")
    ]

    assert [type(feed) for feed in feeds] == [PushRule, PullRule, MedianRule]
    assert all(isinstance(feed.bounds, Bounds) for feed in feeds)
