"""From a scenario's settings to an open venue: its grid, its family, its way of liquidating."""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import MICRO
from protocol.book import FUND, Book, Floats, Ints, market_accounts, open_book
from protocol.exchange import Exchange
from protocol.liquidations.absorption import Absorption
from protocol.liquidations.closes import Closes
from protocol.liquidations.collateral_sales import OUTSIDE, CollateralSales, SaleTerms
from protocol.liquidations.keepers import AuctionRule
from protocol.liquidations.record import Engine
from protocol.liquidations.seizure import WindowParameters
from protocol.liquidations.shortage import TransferRules
from protocol.liquidations.slices import Slices
from protocol.liquidations.tranches import TrancheParameters, Tranches
from protocol.liquidations.transfers import Transfers
from protocol.liquidations.windows import Windows
from protocol.venues.amm import Amm
from protocol.venues.impact_pool import ImpactPool
from protocol.venues.ladder import SELF_TRADE, open_ladder
from protocol.venues.limit_book import LimitBook
from protocol.venues.repeg import AmmParameters
from protocol.venues.skew_pool import SkewPool
from protocol.venues.skew_price import SkewParameters
from protocol.venues.venue import Venue
from sim.liquidation_settings import (
    CloseSettings,
    SliceSettings,
    TrancheSettings,
    TransferSettings,
    WindowSettings,
)
from sim.pool_rules import pool_parameters
from sim.venue_rules import backstop, integers, micro, ppm, risk_parameters, rules
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


def open_exchange(
    settings: ProtocolSettings, units: Grid, prices: Floats, accounts: int, outsider: int | None = None
) -> Exchange:
    """An empty venue at opening prices, (m,) [USD per base unit].

    With an `outsider`, liquidations move no price: that account takes what they close.
    """
    book = open_book(accounts, units.price(prices))
    if settings.venue.kind == "order_book":
        isolated = np.array([market.isolated for market in settings.markets.values()])
        book.fund[isolated] = market_accounts(len(book.mark), FUND)[isolated]
    if settings.venue.kind == "skew_pool" or settings.backstop.purse < 1:
        book.counterparty[:] = book.counterparty[0]
    venue = open_venue(settings, units, book)
    engine = open_engine(settings, venue, book, outsider)
    return Exchange(book, venue, engine, risk_parameters(settings), rules(settings), 0.0)


def open_venue(settings: ProtocolSettings, units: Grid, book: Book) -> Venue:
    """How orders become fills, by the venue's kind."""
    self_trade = SELF_TRADE[settings.venue.self_trade]
    match settings.venue.kind:
        case "order_book":
            return LimitBook(open_ladder(units.tick, book.oracle, self_trade=self_trade))
        case "amm":
            depth = integers([micro(market.amm.depth) for market in settings.markets.values()])
            return Amm(book, units.tick, depth, _amm_parameters(settings), self_trade)
        case "impact_pool":
            return ImpactPool(book, pool_parameters(settings))
        case "skew_pool":
            return SkewPool(_skew_parameters(settings), book)


def _amm_parameters(settings: ProtocolSettings) -> AmmParameters:
    curves = [market.amm for market in settings.markets.values()]
    return AmmParameters(
        least_spread=integers([ppm(curve.base_spread) for curve in curves]),
        widest_spread=integers([ppm(curve.max_spread) for curve in curves]),
        pool_share=ppm(settings.venue.pool_fee_share),
    )


def _skew_parameters(settings: ProtocolSettings) -> SkewParameters:
    markets = settings.markets.values()
    return SkewParameters(
        skew_scale=integers([round(market.skew.skew_scale / market.lot) for market in markets]),
        size_cap=integers([round(market.skew.max_open_interest / market.lot) for market in markets]),
        locked_share=integers([ppm(market.skew.locked_ratio) for market in markets]),
        pool_share=ppm(settings.venue.pool_fee_share),
        settlement_reward=micro(settings.venue.settlement_reward),
        delay=float(settings.venue.settlement_delay),
        window=float(settings.venue.settlement_window),
    )


def open_engine(settings: ProtocolSettings, venue: Venue, book: Book, outsider: int | None = None) -> Engine:
    """How failing accounts are closed, and their assets sold if the venue takes any.

    A pool that seizes accounts keeps their assets.
    """
    closing = open_closing(settings, venue, book)
    if outsider is not None:
        closing = absorbed(closing, outsider)
    assets = [market.collateral for market in settings.markets.values()]
    taken = any(asset.maintenance_weight > 0 for asset in assets)
    if not taken or isinstance(settings.liquidation, WindowSettings):
        return closing
    terms = SaleTerms(
        discount=integers([ppm(asset.discount) for asset in assets]),
        penalty=integers([ppm(asset.penalty) for asset in assets]),
        buyer=OUTSIDE,
    )
    return CollateralSales(closing, terms, len(book.mark))


def absorbed(closing: Engine, outsider: int) -> Engine:
    """An engine whose liquidations move no price; a pool that closes at the oracle's price is one already."""
    match closing:
        case Slices() | Tranches():
            return Absorption(closing, closing.venue, outsider)
        case Transfers():
            return Absorption(closing, None, outsider)
    return closing


def open_closing(settings: ProtocolSettings, venue: Venue, book: Book) -> Engine:
    """How positions are closed, by the kind of liquidation; the scenario has checked that it fits."""
    chosen = settings.liquidation
    match chosen, venue:
        case SliceSettings(), LimitBook():
            return Slices(venue, chosen.attempts)
        case TrancheSettings(), LimitBook():
            watched = settings.adl.rule != "none"
            parameters = _tranche_parameters(chosen, watched)
            return Tranches(venue, parameters, len(book.cash), backstop(settings.backstop))
        case TransferSettings(), LimitBook() | Amm():
            return Transfers(book, venue, _transfer_rules(chosen, len(book.mark)), _auction(chosen))
        case CloseSettings(), ImpactPool():
            return Closes(venue, chosen.attempts)
        case WindowSettings(), SkewPool():
            nobody = np.empty(0, np.int64)
            return Windows(_window_parameters(chosen), venue, nobody, attended=chosen.keepers)
    raise ValueError(f"liquidation by {chosen.kind} does not go with a venue of kind {settings.venue.kind}")


def _tranche_parameters(chosen: TrancheSettings, watched: bool) -> TrancheParameters:
    return TrancheParameters(
        threshold=micro(chosen.threshold),
        share=ppm(chosen.share),
        patience=float(chosen.patience),
        limit=ppm(chosen.limit),
        attempts=chosen.attempts,
        watched=watched,
    )


def _transfer_rules(chosen: TransferSettings, markets: int) -> TransferRules:
    return TransferRules(
        fee=integers([ppm(chosen.fee)] * markets),
        fund_fee=integers([ppm(chosen.fund_fee)] * markets),
        buffer=ppm(chosen.buffer),
        grace=float(chosen.grace),
        growth=chosen.growth * 1e6,
        first_share=ppm(chosen.initial_share),
        duration=float(chosen.duration),
        small=micro(chosen.small),
    )


def _window_parameters(chosen: WindowSettings) -> WindowParameters:
    return WindowParameters(
        window=chosen.window,
        capacity=ppm(chosen.capacity),
        calm_skew=ppm(chosen.calm_skew),
    )


def _auction(chosen: TransferSettings) -> AuctionRule | None:
    """How keepers compete; None where the venue's own engine acts."""
    if not chosen.keepers:
        return None
    return AuctionRule(payment=chosen.payment, space=chosen.attempts, gas=chosen.gas)
