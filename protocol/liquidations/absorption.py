"""The counterfactual of a cascade: liquidations that move no price, taken up by an outsider.

Who is liquidated, when, how much of it and who pays for it stays as the venue has it. But orders meet the
outsider at the mark instead of the book, and what a keeper has taken over passes on to him at the oracle's
price, so that nobody on the venue is left with anything that he would sell.
"""

import numpy as np

from protocol.book import Book, Ints, Mask, Rows, exchange_position
from protocol.kernels import kernel
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import Engine, Moment
from protocol.parameters import RiskParameters
from protocol.venues.ladder import ASK, BID, Ladder, open_ladder
from protocol.venues.levels import claim, enqueue
from protocol.venues.limit_book import LimitBook

ENDLESS = 1 << 50
WINDOW = 64


@kernel
def put_up(ladder: Ladder, outsider: int, mark: Ints) -> None:
    """Let the outsider bid and offer without end at the mark of every market."""
    for market in range(mark.size):
        for side in (BID, ASK):
            slot = claim(ladder)
            order, terms = ladder.order[slot], ladder.terms[slot]
            order.account, order.size, order.reduce_only = outsider, ENDLESS, 0
            terms.key, terms.expiry = mark[market] if side == ASK else -mark[market], 0
            enqueue(ladder, 2 * market + side, slot)


def wall(outsider: int, mark: Ints) -> Ladder:
    """A book in which the outsider takes any size of either side at the mark, (m,) [micro-USD per lot]."""
    ladder = open_ladder(np.ones_like(mark), mark, capacity=2 * len(mark), window=WINDOW)
    put_up(ladder, outsider, mark)
    return ladder


@kernel
def pass_on(book: Book, outsider: int, rows: Rows) -> None:
    """Hand what keepers have taken over to the outsider, at the oracle's price."""
    for index in range(rows.size):
        row = rows[index]
        if row.keeper >= 0 and row.filled != 0 and row.keeper != outsider:
            quote = row.filled * row.oracle
            exchange_position(book, row.keeper, outsider, row.market, row.filled, quote)


class Absorption:
    """An engine whose liquidations move no price; another one decides on them.

    Parameters
    ----------
    engine : Engine
    venue : LimitBook or None
        The book that the engine trades with; None where keepers take over.
    outsider : int
        Account without end of money.
    """

    def __init__(self, engine: Engine, venue: LimitBook | None, outsider: int) -> None:
        self.engine, self.venue, self.outsider = engine, venue, outsider

    @property
    def busy(self) -> bool:
        """Whether positions are still being closed."""
        return self.engine.busy

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Pass all on; see `Engine.prepare`."""
        self.engine.prepare(offers, gas_price, usable)

    def receipts(self) -> Rows:
        """What keepers have spent."""
        return self.engine.receipts()

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """Liquidate as the venue does, against the outsider; see `Engine.round`."""
        if self.venue is None:
            rows = self.engine.round(book, parameters, candidates, moment)
            pass_on(book, self.outsider, rows)
            return rows
        shown, self.venue.ladder = self.venue.ladder, wall(self.outsider, book.mark)
        rows = self.engine.round(book, parameters, candidates, moment)
        self.venue.ladder = shown
        return rows
