"""The central limit order book as a venue: the ladder of resting orders and what is asked of it."""

import numpy as np

from protocol.book import Book, Floats, Ints, Mask, Rows
from protocol.liquidations.record import DELEVERAGE
from protocol.liquidity import Desk, Locks, vault_desk
from protocol.orders import CANCEL, FILL_OR_KILL, IMMEDIATE, POST_ONLY, REST, Orders
from protocol.parameters import RiskParameters
from protocol.venues.depth import best_price, quotes
from protocol.venues.ladder import ASK, BID, Ladder
from protocol.venues.offers import cancel_orders, drop_idle
from protocol.venues.orderbook import match
from protocol.venues.venue import Quotes


class LimitBook:
    """A venue where orders meet orders."""

    kinds = frozenset({REST, IMMEDIATE, POST_ONLY, FILL_OR_KILL, CANCEL})
    rests = True
    automated = False

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder

    @property
    def last(self) -> Ints:
        """Price of each market's last trade, (m,) [micro-USD per lot]."""
        return self.ladder.last

    def quotes(self, book: Book, parameters: RiskParameters) -> Quotes:
        """Best prices, average prices of an order for the impact notional, and depth within 1 %."""
        return quotes(self.ladder, parameters.impact_notional, book.oracle)

    def refresh(self, book: Book, parameters: RiskParameters, time: float, usable: Mask) -> None:
        """An order book follows nobody."""

    def cancel(self, leaving: Mask, block: int) -> None:
        """Withdraw the resting orders of `leaving`, (n,) bool, and those that expired before `block`."""
        cancel_orders(self.ladder, leaving, block)

    def prune(self, book: Book) -> None:
        """Withdraw the resting orders that may only close what is closed by now."""
        drop_idle(book, self.ladder)

    def match(self, book: Book, parameters: RiskParameters, batch: Orders) -> Rows:
        """Execute a sequenced batch; returns the fills, (k,) FILL, `size` and `quote` the taker's."""
        self.ladder, fills = match(book, parameters, self.ladder, batch)
        return fills

    def usage(self, book: Book) -> Floats:
        """How far longs and shorts use what a pool may reserve for them, (2, m) [1]; 0 without a pool."""
        return np.zeros((2, len(book.oracle)))

    def desk(self, book: Book, parameters: RiskParameters, purse: int, time: float, locks: Locks) -> Desk:
        """Terms on which depositors enter and leave a market's counterparty now."""
        return vault_desk(book, parameters, purse, time, locks)

    def relieve(self, book: Book, time: float) -> Rows:
        """Close winners whom a pool could no longer pay, (k,) DELEVERAGE; once a block, first of all."""
        return np.zeros(0, DELEVERAGE)

    def frozen(self, account: int) -> bool:
        """No account is; see `Venue.frozen`."""
        return False

    def violated(self, book: Book) -> list[str]:
        """Markets whose best bid is not below the best ask."""
        found = []
        for market in range(len(self.ladder.tick)):
            bid = best_price(self.ladder, 2 * market + BID)
            ask = best_price(self.ladder, 2 * market + ASK)
            if bid and ask and bid >= ask:
                found.append(f"book_is_not_crossed: market {market}, bid {bid}, ask {ask}")
        return found
