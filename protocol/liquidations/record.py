"""What every way of liquidating leaves on record, and the interface that they share."""

from typing import NamedTuple, Protocol

import numpy as np

from protocol.book import Book, Ints, Mask, Rows
from protocol.liquidations.keepers import RECEIPT, Offers
from protocol.parameters import RiskParameters

UNFILLED, PARTIAL, COMPLETE, TAKEN_OVER, UNSOLD, SOLD = range(6)
OUTCOMES = ("unfilled", "partial", "filled", "vault", "unsold", "sold")

LIQUIDATION = np.dtype(
    [
        (name, np.int64)
        for name in (
            "round",
            "account",
            "keeper",
            "market",
            "size",
            "filled",
            "quote",
            "oracle",
            "mark",
            "bankruptcy",
            "limit",
            "equity",
            "maintenance",
            "fee",
            "insurance",
            "pool",
            "outcome",
        )
    ]
)

DELEVERAGE = np.dtype(
    [
        (name, np.int64)
        for name in ("round", "account", "counterparty", "market", "size", "quote", "mark", "haircut")
    ]
)

NOBODY = np.empty(0, np.int64)
NO_OFFERS = Offers(NOBODY, np.empty(0), NOBODY, NOBODY, NOBODY)


def of_assets(rows: Rows) -> Mask:
    """Which rows, (k,) LIQUIDATION, are sales of an asset held as collateral, done or tried."""
    found: Mask = rows["outcome"] >= UNSOLD
    return found


class Moment(NamedTuple):
    """When a round of liquidations takes place, and its lottery ticket.

    Attributes
    ----------
    time : float
        Since the start, at the block's end [s].
    seconds : float
        Length of the venue's own block, one round [s].
    number : int
        Of the round in its block.
    ticket : int
        A non-negative random number.
    """

    time: float
    seconds: float
    number: int
    ticket: int


class Engine(Protocol):
    """A way of liquidating: closes what it can of the candidates' positions in one round."""

    @property
    def busy(self) -> bool:
        """Whether there is work to do in further rounds, even without candidates."""
        ...

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Learn, once a block, which keepers stand ready and whose prices may be used.

        Parameters
        ----------
        offers : Offers
        gas_price : float
            Base fee [micro-USD per unit of gas].
        usable : (m,) bool
            Markets whose price liquidation may use.
        """
        ...

    def receipts(self) -> Rows:
        """What keepers have spent since they were last asked, (k,) RECEIPT."""
        ...

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """Liquidate some of `candidates`, (k,) accounts below maintenance, ascending.

        Returns
        -------
        (j,) LIQUIDATION
            One row for each order tried, filled or not; `size` and `filled` are signed changes of the
            account's position [lots], `quote` has the sign of `filled`, `fee` is what the account paid for
            being liquidated, `insurance` what an insurance fund gained (or, negative, paid), `pool` what a
            liquidity pool lost by closing the account below zero [micro-USD], `keeper` the account that took
            the position over or sent the transaction, −1 for nobody. Of a sale of collateral, `size` and
            `filled` are changes of the account's asset, and no position has changed.
        """
        ...


class Unattended:
    """What engines share that need no keepers and do all they can for their candidates at once."""

    busy = False

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Nobody is asked."""

    def receipts(self) -> Rows:
        """Nobody has spent anything."""
        return np.zeros(0, RECEIPT)
