"""The totals that the laws of a book are about, kept by looking at those accounts only that have changed.

Money, assets, positions and shares are conserved if the changes of all accounts together are what came in
and went out. A ledger holds a copy of what it has booked of each account, and books the difference once the
account is touched. Now and then it is held against the whole book: what has changed unnoticed is a fault.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import (
    CLEARING,
    DEPOSITS,
    FUNDING_SCALE,
    LONG,
    SHORT,
    WITHDRAWALS,
    Book,
    Ints,
    first_trader,
)
from protocol.kernels import kernel
from protocol.laws.invariants import (
    fees_not_negative,
    insurance_fund_not_negative,
    prices_are_positive,
    purses_hold_no_positions,
)
from protocol.parameters import RiskParameters
from protocol.touches import Touches

NET, LONGS, PAID_LONG, PAID_SHORT, ASSETS = range(5)
TOTALS = 5
QUICK_LAWS = (
    fees_not_negative,
    insurance_fund_not_negative,
    prices_are_positive,
    purses_hold_no_positions,
)


class Booked(NamedTuple):
    """What has been booked of each account: columns of the book as they then were."""

    cash: Ints
    size: Ints
    funding_paid: Ints
    collateral: Ints
    shares: Ints


@kernel
def book_changes(book: Book, booked: Booked, accounts: Ints, cash: Ints, totals: Ints, issued: Ints) -> int:
    """Book what has changed of `accounts`, (k,); returns the first that no account may look like, or -1.

    Parameters
    ----------
    cash : (1,) int64
    totals : (TOTALS, m) int64
        Of each market: net position, longs, funding index of longs and of shorts at settlement times lots,
        and assets; written.
    issued : (m + 1,) int64
        Shares; written.
    """
    wrong = -1
    for index in range(accounts.size):
        account = accounts[index]
        cash[0] += book.cash[account] - booked.cash[account]
        booked.cash[account] = book.cash[account]
        sound = True
        for market in range(book.size.shape[0]):
            was, now = booked.size[market, account], book.size[market, account]
            paid, pays = booked.funding_paid[market, account], book.funding_paid[market, account]
            totals[NET, market] += now - was
            totals[LONGS, market] += max(now, 0) - max(was, 0)
            totals[PAID_LONG, market] += max(now, 0) * pays - max(was, 0) * paid
            totals[PAID_SHORT, market] += min(now, 0) * pays - min(was, 0) * paid
            totals[ASSETS, market] += book.collateral[market, account] - booked.collateral[market, account]
            booked.size[market, account], booked.funding_paid[market, account] = now, pays
            booked.collateral[market, account] = book.collateral[market, account]
            sound = sound and (book.entry[market, account] > 0) == (now != 0)
            sound = sound and book.collateral[market, account] >= 0
        for row in range(book.shares.shape[0]):
            issued[row] += book.shares[row, account] - booked.shares[row, account]
            booked.shares[row, account] = book.shares[row, account]
            sound = sound and book.shares[row, account] >= 0
        if not sound and wrong < 0:
            wrong = account
    return wrong


class Ledger:
    """Totals of a book.

    Parameters
    ----------
    book : Book

    Attributes
    ----------
    cash : int
        Of all accounts [micro-USD].
    totals : (TOTALS, m) int64
        See `book_changes`.
    issued : (m + 1,) int64
        Shares.
    """

    def __init__(self, book: Book) -> None:
        self.touches = Touches()
        self.booked = Booked(*(np.zeros_like(getattr(book, name)) for name in Booked._fields))
        self._cash = np.zeros(1, np.int64)
        self.totals = np.zeros((TOTALS, len(book.mark)), np.int64)
        self.issued = np.zeros(len(book.shares), np.int64)
        self.own = np.arange(first_trader(len(book.mark)))
        self.everybody = np.arange(len(book.cash))

    @property
    def cash(self) -> int:
        """Money of all accounts [micro-USD]."""
        return int(self._cash[0])

    def balances(self, book: Book, whole: bool) -> bool:
        """Book what has changed; whether every law about totals, and about those who changed, holds.

        Parameters
        ----------
        whole : bool
            Look at everybody, and not only at those who were touched.
        """
        touched = self.touches.since(book)
        accounts = self.everybody
        if touched is not None and not whole:
            accounts = np.concatenate([self.own, touched])
        wrong = book_changes(book, self.booked, accounts, self._cash, self.totals, self.issued)
        return bool(wrong < 0) and self._conserved(book)

    def complete(self, book: Book) -> bool:
        """Whether all accounts stand as they are booked: nobody's balances have changed unnoticed."""
        return all((getattr(book, name) == then).all() for name, then in self.booked._asdict().items())

    def _conserved(self, book: Book) -> bool:
        """Whether totals are what has come in and not gone out, and no purse is overdrawn."""
        held = int(book.cash[CLEARING]) * FUNDING_SCALE
        return bool(
            self.cash == book.flows[DEPOSITS] - book.flows[WITHDRAWALS]
            and (self.totals[ASSETS] == book.asset_flows[DEPOSITS] - book.asset_flows[WITHDRAWALS]).all()
            and not self.totals[NET].any()
            and (self.totals[LONGS] == book.open_interest).all()
            and (self.issued == book.issued).all()
            and held >= self.unsettled(book)
            and not any(law(book) for law in QUICK_LAWS)
        )

    def unsettled(self, book: Book) -> int:
        """Funding owed to all accounts and not settled yet [micro-USD / FUNDING_SCALE]."""
        longs, shorts = self.totals[LONGS], self.totals[NET] - self.totals[LONGS]
        paid = self.totals[PAID_LONG] + self.totals[PAID_SHORT]
        return int((paid - longs * book.funding[LONG] - shorts * book.funding[SHORT]).sum())

    def trader_equity(self, book: Book, parameters: RiskParameters) -> int:
        """Equity of all traders together [micro-USD], rounded once and not for each of them."""
        own = len(self.own)
        size, paid = book.size[:, :own], book.funding_paid[:, :own]
        index = np.where(size > 0, book.funding[LONG][:, None], book.funding[SHORT][:, None])
        owed = self.unsettled(book) + int((size * (index - paid)).sum())
        lots = self.totals[NET] - size.sum(axis=1)
        units = self.totals[ASSETS] - book.collateral[:, :own].sum(axis=1)
        assets = sum(
            count * price * weight // PPM
            for count, price, weight in zip(
                units.tolist(), book.oracle.tolist(), parameters.weight_maintenance.tolist(), strict=True
            )
        )
        return self.cash - int(book.cash[:own].sum()) + int(lots @ book.mark) + owed // FUNDING_SCALE + assets
