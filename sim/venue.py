"""From a scenario's settings to the protocol's integers: prices, sizes, parameters, rules."""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import MICRO, PPM
from protocol.book import Floats, Ints, open_book
from protocol.exchange import Exchange, Rules
from protocol.oracle import FeedRule
from protocol.parameters import RiskParameters, flat_margins
from protocol.venues.orderbook import open_ladder
from sim.venue_settings import ProtocolSettings


class Grid(NamedTuple):
    """Units of the markets, in the scenario's order.

    Attributes
    ----------
    names : tuple of str
    lot : (m,) float64
        Base units in a lot.
    tick : (m,) int64
        Price increment [micro-USD per lot].
    """

    names: tuple[str, ...]
    lot: Floats
    tick: Ints

    def price(self, usd: Floats) -> Ints:
        """Prices in micro-USD per lot, of prices in USD per base unit."""
        return np.rint(usd * self.lot * MICRO).astype(np.int64)

    def usd(self, price: Ints | Floats) -> Floats:
        """Prices in USD per base unit, of prices in micro-USD per lot."""
        converted: Floats = np.asarray(price, np.float64) / (self.lot * MICRO)
        return converted


def grid(settings: ProtocolSettings) -> Grid:
    """The units of a scenario's markets."""
    lot = np.array([market.lot for market in settings.markets.values()])
    tick = np.array([market.tick for market in settings.markets.values()])
    return Grid(tuple(settings.markets), lot, np.rint(tick * lot * MICRO).astype(np.int64))


def micro(usd: float) -> int:
    """Micro-USD of an amount in USD."""
    return round(usd * MICRO)


def ppm(share: float) -> int:
    """Parts per million of a share."""
    return round(share * PPM)


def risk_parameters(settings: ProtocolSettings) -> RiskParameters:
    """The numbers that governance may change, as the venue starts with them."""
    markets = settings.markets.values()
    liquidation = settings.liquidation
    takes_over = settings.backstop.rule == "takeover"

    def column(values: list[int]) -> Ints:
        return np.array(values, np.int64)

    return RiskParameters(
        initial=column([ppm(market.initial_margin) for market in markets]),
        maintenance=column([ppm(market.maintenance_margin) for market in markets]),
        open_interest_lower=column([micro(market.open_interest_lower) for market in markets]),
        open_interest_upper=column([micro(market.open_interest_upper) for market in markets]),
        impact_notional=column([micro(market.impact_notional) for market in markets]),
        **flat_margins(len(settings.markets)),
        taker_fee=ppm(settings.fees.taker),
        maker_fee=ppm(settings.fees.maker),
        liquidation_share=ppm(liquidation.max_share),
        liquidation_minimum=micro(liquidation.min_notional),
        liquidation_maximum=micro(liquidation.max_notional),
        bankruptcy_adjustment=ppm(liquidation.bankruptcy_adjustment),
        spread_to_maintenance=ppm(liquidation.spread_to_maintenance),
        liquidation_fee=ppm(liquidation.max_fee),
        insurance_loss=micro(liquidation.max_insurance_loss),
        backstop_trigger=ppm(settings.backstop.trigger) if takes_over else 0,
        backstop_loss_share=ppm(settings.backstop.max_loss_share),
        backstop_reserve=ppm(settings.backstop.reserve),
        funding_default=ppm(settings.funding.default_rate),
        funding_clamp=ppm(settings.funding.clamp),
    )


def rules(settings: ProtocolSettings) -> Rules:
    """The venue's named choices and clocks."""
    oracle = settings.oracle
    return Rules(
        mark=settings.mark,
        feed=FeedRule(oracle.deviation, float(oracle.heartbeat), float(oracle.delay)),
        funding_interval=settings.funding.interval,
        attempts=settings.liquidation.attempts,
        backstop=settings.backstop.rule,
        adl=settings.adl.rule,
        adl_attempts=settings.adl.attempts,
        adl_counterparties=settings.adl.counterparties,
        last_resort=settings.last_resort,
        withdrawal_gate=settings.withdrawal_gate,
    )


def open_exchange(settings: ProtocolSettings, units: Grid, prices: Floats, accounts: int) -> Exchange:
    """An empty venue at opening prices, (m,) [USD per base unit]."""
    price = units.price(prices)
    book = open_book(accounts, price)
    return Exchange(book, open_ladder(units.tick, price), risk_parameters(settings), rules(settings), 0.0)
