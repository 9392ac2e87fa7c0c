"""What the families of venues have in common: fills, quotes, and how orders become the one."""

from typing import NamedTuple, Protocol

import numpy as np

from protocol.book import Book, Floats, Ints, Mask, Rows
from protocol.liquidity import Desk, Locks
from protocol.orders import Orders
from protocol.parameters import RiskParameters

FILL = np.dtype(
    [
        (name, np.int64)
        for name in ("market", "taker", "maker", "size", "price", "quote", "taker_fee", "maker_fee")
    ]
)


class Quotes(NamedTuple):
    """What a venue shows, each (m,) float64: prices in micro-USD per lot (0: none), depth in micro-USD."""

    bid: Floats
    ask: Floats
    impact_bid: Floats
    impact_ask: Floats
    depth: Floats


class Venue(Protocol):
    """How intended orders become fills.

    Attributes
    ----------
    kinds : frozenset of int
        Kinds of order that the venue takes; see `Orders`.
    rests : bool
        Whether orders may rest and be taken by others.
    automated : bool
        Whether every position has the counterparty account on its other side.
    """

    kinds: frozenset[int]
    rests: bool
    automated: bool

    @property
    def last(self) -> Ints:
        """Price of each market's last trade, (m,) [micro-USD per lot]."""
        ...

    def quotes(self, book: Book, parameters: RiskParameters) -> Quotes:
        """Best prices, average prices of an order for the impact notional, and depth within 1 %."""
        ...

    def refresh(self, book: Book, parameters: RiskParameters, time: float, usable: Mask) -> None:
        """Follow the oracle, once a block before trading; `usable`, (m,): where its price may be used."""
        ...

    def cancel(self, leaving: Mask, block: int) -> None:
        """Withdraw the resting orders of `leaving`, (n,) bool, and those that expired before `block`."""
        ...

    def prune(self, book: Book) -> None:
        """Withdraw the resting orders that may only close what is closed by now."""
        ...

    def match(self, book: Book, parameters: RiskParameters, batch: Orders) -> Rows:
        """Execute a sequenced batch; returns the fills, (k,) FILL, `size` and `quote` the taker's."""
        ...

    def usage(self, book: Book) -> Floats:
        """How far longs and shorts use what a pool may reserve for them, (2, m) [1]; 0 without a pool."""
        ...

    def desk(self, book: Book, parameters: RiskParameters, purse: int, time: float, locks: Locks) -> Desk:
        """Terms on which depositors enter and leave a market's counterparty now."""
        ...

    def relieve(self, book: Book, time: float) -> Rows:
        """Close winners whom a pool could no longer pay, (k,) DELEVERAGE; once a block, first of all."""
        ...

    def frozen(self, account: int) -> bool:
        """Whether an account may neither bring nor take money, because it is being liquidated."""
        ...

    def violated(self, book: Book) -> list[str]:
        """Names of the venue's own invariants that do not hold, with the numbers that should agree."""
        ...
