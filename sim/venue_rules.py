"""From a scenario's settings to the protocol's rules and risk parameters, in its integers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from protocol.arithmetic import MICRO, PPM
from protocol.book import COUNTERPARTY, SHARED_ACCOUNTS, Ints
from protocol.carry.accrual import AccrualRules
from protocol.carry.borrowing import BorrowingRule
from protocol.carry.funding import FundingRule
from protocol.carry.premium_funding import InterestRule, PremiumRule, TwapRule
from protocol.carry.skew_funding import AdaptiveRule, VelocityRule
from protocol.collateral import WithdrawalRule
from protocol.losses.backstop import ONE_PURSE, Backstop
from protocol.losses.deleveraging import Deleveraging
from protocol.losses.waterfall import WaterfallRules
from protocol.parameters import RiskParameters
from protocol.prices.guards import GuardRule, Guards
from protocol.prices.mark import AverageRule, MarkRule
from protocol.prices.oracle import AnyFeedRule, Bounds, MedianRule, PullRule, PushRule
from protocol.prices.pricing import PricingRules
from protocol.rules import Rules
from sim.funding_settings import AdaptiveSettings, InterestSettings, PremiumSettings, TwapSettings
from sim.liquidation_settings import BackstopSettings, SliceSettings, TrancheSettings
from sim.market_settings import MarketSettings
from sim.price_settings import GuardSettings
from sim.venue_settings import ProtocolSettings, WithdrawalSettings


def micro(usd: float) -> int:
    """Micro-USD of an amount in USD."""
    return round(usd * MICRO)


def ppm(share: float) -> int:
    """Parts per million of a share."""
    return round(share * PPM)


def integers(values: list[int]) -> Ints:
    """An int64 column over markets."""
    return np.array(values, np.int64)


def risk_parameters(settings: ProtocolSettings) -> RiskParameters:
    """The numbers that governance may change, as the venue starts with them."""
    markets = list(settings.markets.values())
    return RiskParameters(
        **_margins(markets),
        **_tiers(markets),
        **_open_interest(markets),
        **_ceilings(settings.markets),
        **_liquidation(settings),
        taker_fee=ppm(settings.fees.taker),
        maker_fee=ppm(settings.fees.maker),
        fill_share=ppm(settings.fill_margin),
        exit_fee=ppm(settings.exit_cost),
        reward_rate=ppm(settings.reward.rate),
        reward_minimum=micro(settings.reward.minimum),
        reward_maximum=micro(settings.reward.maximum),
        backstop_trigger=ppm(settings.backstop.trigger) if settings.backstop.rule == "takeover" else 0,
        backstop_loss_share=ppm(settings.backstop.max_loss_share),
        backstop_reserve=ppm(settings.backstop.reserve),
    )


def _margins(markets: list[MarketSettings]) -> dict[str, Any]:
    """Margin rates of each market; slopes are for a lot."""
    lot = np.array([market.lot for market in markets])
    slope = np.array([market.skew.initial_slope / market.skew.skew_scale for market in markets]) * lot * PPM
    scalar = np.array([market.skew.maintenance_scalar for market in markets])
    return {
        "initial": integers([ppm(market.initial_margin) for market in markets]),
        "maintenance": integers([ppm(market.maintenance_margin) for market in markets]),
        "root": np.array([market.size_root for market in markets]) * np.sqrt(lot) * PPM,
        "slope_initial": slope,
        "slope_maintenance": slope * scalar,
        "position_margin": integers([micro(market.position_margin) for market in markets]),
        "margin_floor": integers([micro(market.minimum_margin) for market in markets]),
        "weight_initial": integers([ppm(market.collateral.initial_weight) for market in markets]),
        "weight_maintenance": integers([ppm(market.collateral.maintenance_weight) for market in markets]),
        "gain_weight": integers([ppm(market.gain_weight) for market in markets]),
    }


def _tiers(markets: list[MarketSettings]) -> dict[str, Any]:
    """What each tier adds to the rates below it; a tier whose rates are lower adds nothing."""
    count = max((len(market.tiers) for market in markets), default=0)
    columns = {
        name: np.zeros((len(markets), count), np.int64) for name in ("floor", "initial", "maintenance")
    }
    for row, market in enumerate(markets):
        below = (market.initial_margin, market.maintenance_margin)
        for column, tier in enumerate(market.tiers):
            rates = (tier.initial_margin, tier.maintenance_margin)
            columns["floor"][row, column] = micro(tier.above)
            columns["initial"][row, column] = max(ppm(rates[0]) - ppm(below[0]), 0)
            columns["maintenance"][row, column] = max(ppm(rates[1]) - ppm(below[1]), 0)
            below = (max(rates[0], below[0]), max(rates[1], below[1]))
    return {f"tier_{name}": column for name, column in columns.items()}


def _open_interest(markets: list[MarketSettings]) -> dict[str, Any]:
    """What open interest does to margin, and where it ends."""
    return {
        "open_interest_lower": integers([micro(market.open_interest_lower) for market in markets]),
        "open_interest_upper": integers([micro(market.open_interest_upper) for market in markets]),
        "open_interest_slope": np.array([market.open_interest_slope for market in markets]) * PPM,
        "open_interest_cap": integers([micro(market.open_interest_cap) for market in markets]),
        "isolated": np.array([market.isolated for market in markets], np.bool_),
        "impact_notional": integers([micro(market.impact_notional) for market in markets]),
    }


def _ceilings(markets: Mapping[str, MarketSettings]) -> dict[str, Any]:
    """Ceilings on the prices of assets."""
    names, caps = list(markets), [market.collateral.cap for market in markets.values()]
    return {
        "cap_base": integers([names.index(cap.base) if cap.base else -1 for cap in caps]),
        "cap_ratio": integers([ppm(cap.ratio) for cap in caps]),
        "cap_time": integers([-round(cap.age) for cap in caps]),
        "cap_growth": integers([ppm(cap.growth) for cap in caps]),
    }


def _liquidation(settings: ProtocolSettings) -> dict[str, Any]:
    """Numbers of liquidation by slices; its defaults where the venue has another way."""
    chosen = settings.liquidation
    slices = chosen if isinstance(chosen, SliceSettings) else SliceSettings()
    return {
        "liquidation_share": ppm(slices.max_share),
        "liquidation_minimum": micro(slices.min_notional),
        "liquidation_maximum": micro(slices.max_notional),
        "bankruptcy_adjustment": ppm(slices.bankruptcy_adjustment),
        "spread_to_maintenance": ppm(slices.spread_to_maintenance),
        "liquidation_fee": ppm(slices.max_fee),
        "insurance_loss": micro(slices.max_insurance_loss),
    }


def rules(settings: ProtocolSettings) -> Rules:
    """The venue's named choices and clocks."""
    return Rules(
        prices=_pricing(settings),
        accrual=_accrual(settings),
        round_seconds=float(settings.liquidation.round),
        waterfall=_waterfall(settings),
        withdrawal_gate=settings.withdrawals.gate,
        withdrawal=WithdrawalRule(
            ppm(settings.withdrawals.notional_share), ppm(settings.withdrawals.gain_weight)
        ),
        vault_lock=float(settings.vault.lock_up),
        pool_lock=float(settings.venue.lock_up),
    )


def _withdrawal(settings: WithdrawalSettings) -> WithdrawalRule:
    return WithdrawalRule(ppm(settings.notional_share), ppm(settings.gain_weight))


def _waterfall(settings: ProtocolSettings) -> WaterfallRules:
    adl = settings.adl
    chosen = Deleveraging(adl.rule, adl.price, adl.forced, adl.counterparties)
    return WaterfallRules(
        backstop=backstop(settings.backstop) if settings.backstop.rule == "takeover" else None,
        deleveraging=None if adl.rule == "none" else chosen,
        attempts=adl.attempts,
        rescues_partial=isinstance(settings.liquidation, TrancheSettings),
        last_resort=settings.last_resort,
    )


def backstop(settings: BackstopSettings) -> Backstop:
    """Who takes failing accounts over: the vault, or the seat of a pool, which an order book leaves empty."""
    if settings.purse == 1:
        return ONE_PURSE
    return Backstop(SHARED_ACCOUNTS + COUNTERPARTY, ppm(settings.purse), capped=True)


def _pricing(settings: ProtocolSettings) -> PricingRules:
    chosen = settings.guards
    acts = (chosen.trade, chosen.liquidate, chosen.withdraw, chosen.fund, chosen.quote)
    band = np.array([market.average_band for market in settings.markets.values()])
    bounds = _bounds(settings)
    return PricingRules(
        feed=_feed(settings),
        mark=MarkRule(settings.mark),
        average=AverageRule("linear", float(chosen.average), band),
        guards=Guards(*(_guard(act, bounds) for act in acts)),
        lot=np.array([market.lot for market in settings.markets.values()]),
    )


def _guard(settings: GuardSettings, bounds: Bounds) -> GuardRule:
    """A guard in which a bound of 0 is none."""

    def bound(limit: float) -> float:
        return float(limit) if limit else np.inf

    return GuardRule(
        max_age=bound(settings.max_age),
        max_confidence=bound(settings.max_confidence),
        max_divergence=bound(settings.max_divergence),
        max_mark_divergence=bound(settings.max_mark_divergence),
        max_ratio=bound(settings.max_ratio),
        minimum=bounds.minimum if settings.refuses_bounds else 0,
        maximum=bounds.maximum if settings.refuses_bounds else 0,
    )


def _feed(settings: ProtocolSettings) -> AnyFeedRule:
    chosen, bounds = settings.oracle, _bounds(settings)
    if chosen.kind == "push":
        return PushRule(chosen.deviation, float(chosen.heartbeat), float(chosen.delay), bounds)
    if chosen.kind == "pull":
        return PullRule(float(chosen.delay), chosen.confidence, float(chosen.confidence_time), bounds)
    return MedianRule(
        weights=integers(list(chosen.weights)),
        minimum_sources=chosen.minimum_sources,
        quorum=ppm(chosen.quorum),
        period=float(chosen.period),
        minimum_change=ppm(chosen.deviation),
        bounds=bounds,
    )


def _bounds(settings: ProtocolSettings) -> Bounds:
    """Lowest and highest price that each feed can report."""
    markets = settings.markets.values()
    floor = integers([round(market.price_floor * market.lot * MICRO) for market in markets])
    ceiling = integers([round(market.price_ceiling * market.lot * MICRO) for market in markets])
    return Bounds(floor, ceiling, settings.oracle.stops_at_bounds)


def _accrual(settings: ProtocolSettings) -> AccrualRules:
    chosen = settings.borrowing
    borrowing = BorrowingRule(chosen.optimal, chosen.base, chosen.above) if chosen.enabled else None
    return AccrualRules(_funding(settings), borrowing, from_fees=settings.venue.kind == "amm")


def _funding(settings: ProtocolSettings) -> FundingRule:
    chosen, markets = settings.funding, list(settings.markets.values())
    every = chosen.interval
    if isinstance(chosen, PremiumSettings):
        gap = [ppm(market.initial_margin) - ppm(market.maintenance_margin) for market in markets]
        default = integers([ppm(chosen.default_rate)] * len(markets))
        return PremiumRule(integers(gap), default, rate_clamp=ppm(chosen.clamp), interval=every)
    if isinstance(chosen, InterestSettings):
        return InterestRule(chosen.interest, chosen.pull, chosen.cap, every)
    if isinstance(chosen, TwapSettings):
        divergence = np.array([market.amm.funding_divergence for market in markets])
        band = np.array([market.average_band for market in markets])
        shares = (chosen.offset, chosen.mark_divergence, chosen.pool_share)
        return TwapRule(divergence, band, *shares, interval=every)
    if isinstance(chosen, AdaptiveSettings):
        maximum = np.array([market.pool.max_funding for market in markets])
        ramp, stable = float(chosen.ramp), chosen.stable_skew
        return AdaptiveRule(maximum, chosen.minimum, ramp, stable_skew=stable, interval=every)
    velocity = np.array([market.skew.velocity for market in markets])
    scale = np.array([market.skew.skew_scale / market.lot for market in markets])
    return VelocityRule(velocity, scale, every)
