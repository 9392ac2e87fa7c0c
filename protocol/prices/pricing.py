"""The venue's prices: the oracle as its feed reports it, the mark that follows, and what may use them."""

from typing import NamedTuple

import numpy as np

from protocol.book import Book, Floats, Ints, Mask
from protocol.parameters import RiskParameters
from protocol.prices.ceiling import ceilings
from protocol.prices.guards import GuardRule, Guards, allowed, averages
from protocol.prices.mark import (
    AverageRule,
    MarkRule,
    Prices,
    mark_price,
    observe_average,
    open_average,
    open_memory,
    remember,
)
from protocol.prices.oracle import AnyFeedRule, PushRule, Reading, advance, open_feed
from protocol.venues.venue import Quotes


class PricingRules(NamedTuple):
    """The venue's rules on prices.

    Attributes
    ----------
    feed : PushRule, PullRule or MedianRule
        How the oracle learns the outside price.
    mark : MarkRule
        The price of margin.
    average : AverageRule
        The oracle's own average, from which guards measure its divergence.
    guards : Guards
        What each act asks of the price.
    lot : (m,) float64 or float
        Size of each market's lot [base unit]; see `ceiling`.
    """

    feed: AnyFeedRule = PushRule(0.0, 3600.0, 0.0)
    mark: MarkRule = MarkRule()
    average: AverageRule = AverageRule("linear", 300.0)
    guards: Guards = Guards()
    lot: Floats | float = 1.0


class Pricing:
    """Keeps the oracle and the mark of a book up to date.

    Parameters
    ----------
    book : Book
        Its opening prices are taken as just reported.
    rules : PricingRules
    time : float
        Now [s].
    """

    def __init__(self, book: Book, rules: PricingRules, time: float) -> None:
        self.book = book
        self.rules = rules
        self.time = time
        self.feed = open_feed(book.oracle, time)
        self.memory = open_memory(book.oracle, time)
        self.average = open_average(book.oracle, time)
        self.outside = book.oracle.copy()
        self.previous_mark = book.mark.copy()

    def observe(self, shown: Quotes, last: Ints, time: float) -> None:
        """Take in what has stood on the venue until `time`, before the oracle moves on.

        A mark that is the oracle's price remembers nothing.
        """
        if self.rules.mark.kind != "oracle":
            self.memory = remember(self.memory, self.rules.mark, self._prices(shown, last), time)

    def update(self, reading: Reading, time: float, rests: bool = False) -> None:
        """Advance the feed to `time`, unless it rests and its price only grows older.

        The average, if a guard looks at it, takes in what stood until now.
        """
        if averages(self.rules.guards):
            self.average = observe_average(self.average, self.rules.average, self.book.oracle, time)
        if not rests:
            self.feed = advance(self.feed, self.rules.feed, reading, time)
        self.book.oracle[:] = self.feed.price
        self.outside, self.time = reading.reference, time

    def cap(self, parameters: RiskParameters) -> None:
        """Hold the oracle below the ceilings of `parameters`, whatever the feed reports."""
        if (parameters.cap_base >= 0).any():
            self.book.oracle[:] = self.capped(parameters)

    def capped(self, parameters: RiskParameters) -> Ints:
        """What the feed reports, below the ceilings of some parameters, (m,) [micro-USD per lot]."""
        return np.minimum(self.feed.price, ceilings(parameters, self.feed.price, self.rules.lot, self.time))

    def follow(self, shown: Quotes, last: Ints) -> bool:
        """Set the mark by the venue's rule; returns whether it moved."""
        mark = mark_price(self.rules.mark, self._prices(shown, last), self.memory)
        moved = bool((mark != self.book.mark).any())
        if moved:
            self.previous_mark = self.book.mark.copy()
        self.book.mark[:] = mark
        return moved

    def usable(self, rule: GuardRule) -> Mask:
        """Markets whose price an act under `rule` may use now, (m,)."""
        return allowed(rule, self.feed, self.average.price, self.book.mark, self.time)

    def _prices(self, shown: Quotes, last: Ints) -> Prices:
        return Prices(self.book.oracle, self.outside, shown.bid, shown.ask, last)
