"""From a scenario's settings to the protocol's integers: prices, sizes, parameters, rules."""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import MICRO
from protocol.book import FUND, Floats, Ints, market_accounts, open_book
from protocol.exchange import Exchange
from protocol.liquidations.record import Engine
from protocol.liquidations.slices import Slices
from protocol.liquidations.tranches import TrancheParameters, Tranches
from protocol.venues.limit_book import LimitBook
from protocol.venues.orderbook import open_ladder
from sim.liquidation_settings import TrancheSettings
from sim.venue_rules import micro, ppm, risk_parameters, rules
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


def open_exchange(settings: ProtocolSettings, units: Grid, prices: Floats, accounts: int) -> Exchange:
    """An empty venue at opening prices, (m,) [USD per base unit]."""
    price = units.price(prices)
    book = open_book(accounts, price)
    isolated = np.array([market.isolated for market in settings.markets.values()])
    book.fund[isolated] = market_accounts(len(price), FUND)[isolated]
    venue = LimitBook(open_ladder(units.tick, price))
    engine = book_engine(settings, venue, accounts)
    return Exchange(book, venue, engine, risk_parameters(settings), rules(settings), 0.0)


def book_engine(settings: ProtocolSettings, venue: LimitBook, accounts: int) -> Engine:
    """The way an order book's venue liquidates."""
    chosen = settings.liquidation
    if isinstance(chosen, TrancheSettings):
        parameters = TrancheParameters(
            threshold=micro(chosen.threshold),
            share=ppm(chosen.share),
            patience=float(chosen.patience),
            limit=ppm(chosen.limit),
            attempts=chosen.attempts,
            watched=True,
        )
        return Tranches(venue, parameters, accounts)
    return Slices(venue, chosen.attempts)
