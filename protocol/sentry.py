"""Who is below maintenance, found without looking at everybody.

On few accounts, or where prices have moved so far that many have to be looked at, a scan over all is the
cheaper way, and is taken. What it costs is remembered: once the scans in a row have cost as much as finding
everybody's radius anew, that is done, so that both together never cost much more than the better one.
"""

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Book, Floats, Ints, first_trader
from protocol.kernels import kernel
from protocol.margin import account_risk
from protocol.parameters import RiskParameters
from protocol.radii import MARK, ORACLE, sensitivity
from protocol.scan import accounts_risk, liquidatable_among, revalue, short_accounts
from protocol.watch import Watch

SCANNED = 10_000
LOOK = 16


@kernel
def measure(book: Book, parameters: RiskParameters, accounts: Ints, slack: Floats, gross: Floats) -> None:
    """Equity over maintenance of `accounts`, (k,), and how much it may change, each (k,) [micro-USD]."""
    for index in range(accounts.size):
        equity, _, maintenance = account_risk(book, parameters, accounts[index])
        slack[index] = equity - maintenance
        gross[index] = sensitivity(book, parameters, accounts[index], 1.0)


@kernel
def add_deficits(book: Book, parameters: RiskParameters, accounts: Ints, gap: Ints, asset_gap: Ints) -> int:
    """What traders among `accounts`, (k,), would owe beyond all they have at other prices [micro-USD], ≥ 0.

    `gap` and `asset_gap`, (m,), are as in `revalue`.
    """
    total = 0
    for index in range(accounts.size):
        account = accounts[index]
        if account < first_trader(book.size.shape[0]):
            continue
        equity = account_risk(book, parameters, account)[0]
        for market in range(book.size.shape[0]):
            equity += book.size[market, account] * gap[market]
            equity += book.collateral[market, account] * asset_gap[market]
        total += max(-equity, 0)
    return total


class Sentry:
    """Knows at any moment which accounts of a book are below maintenance.

    Parameters
    ----------
    book : Book
    scanned : int
        Accounts up to which all are scanned each time.
    look : float
        What a look at one account costs, over its part in a scan.
    """

    def __init__(self, book: Book, scanned: int = SCANNED, look: float = LOOK) -> None:
        accounts, markets = len(book.cash), len(book.mark)
        self.watch = Watch(0, accounts, markets) if accounts > scanned else None
        self.accounts, self.look = accounts, look
        self.spent = 0
        self.known = np.empty(0, np.int64)
        self.is_short = np.zeros(accounts, np.bool_)

    def failing(self, book: Book, parameters: RiskParameters) -> Ints:
        """The vault and traders that may be liquidated, ascending, (k,): see `below_maintenance`."""
        return liquidatable_among(book, parameters, self.short(book, parameters))

    def short(self, book: Book, parameters: RiskParameters) -> Ints:
        """Accounts whose equity is below maintenance, with positions or without, ascending, (k,)."""
        if self.watch is None:
            return short_accounts(book, parameters)
        word, total = self.watch.strained(book, parameters)
        if total * self.look <= max(self.accounts, self.spent):
            self.spent = 0
            self._look(book, parameters, self.watch, self.watch.gather(word, total))
        else:
            self.spent += self.accounts
            self._know(short_accounts(book, parameters), self.watch)
        return self.known

    def _look(self, book: Book, parameters: RiskParameters, watch: Watch, due: Ints) -> None:
        """Find out about those who are due, and nobody else."""
        if not len(due):
            return
        slack, gross = np.empty((2, len(due)))
        measure(book, parameters, due, slack, gross)
        watch.place(due, slack, gross)
        short = slack < 0
        if short.any() or len(self.known):
            self.is_short[due] = short
            stayed = self.known[self.is_short[self.known]]
            self.known = np.union1d(stayed, due[short])

    def _know(self, short: Ints, watch: Watch) -> None:
        """Everybody was looked at: these, (k,), are below maintenance, as long as nothing moves."""
        watch.forget(short)
        self.is_short[self.known] = False
        self.is_short[short] = True
        self.known = short

    def deficit(self, book: Book, parameters: RiskParameters, prices: Ints) -> int:
        """What traders would owe beyond all they have, with positions and assets worth `prices` [micro-USD].

        Parameters
        ----------
        prices : (m,) int64
            [micro-USD per lot]; assets count in full, to a micro-USD for each unit.
        """
        gap = prices - book.mark
        asset_gap = prices - book.oracle * parameters.weight_maintenance // PPM
        if self.watch is not None:
            self.short(book, parameters)
            moved = self.watch.now.copy()
            moved[MARK] = moved[ORACLE] = prices
            word, total = self.watch.exposed(moved)
            if total * self.look <= self.accounts:
                exposed = self.watch.peek(word, total)
                owed: int = add_deficits(book, parameters, np.union1d(exposed, self.known), gap, asset_gap)
                return owed
        equity = accounts_risk(book, parameters)[0]
        revalue(book, gap, asset_gap, equity)
        traders = equity[first_trader(len(book.mark)) :]
        return int(-traders[traders < 0].sum())
