"""Who is below maintenance, found without looking at everybody.

On few accounts, or where prices have moved so far that many have to be looked at, a scan over all is the
cheaper way, and is taken. What it costs is remembered: once the scans in a row have cost as much as finding
everybody's radius anew, that is done, so that both together never cost much more than the better one.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import (
    FUNDING_SCALE,
    LONG,
    SHORT,
    VAULT,
    Book,
    Floats,
    Ints,
    Mask,
    first_trader,
    unsettled_funding,
)
from protocol.kernels import kernel
from protocol.margin import Change, risk_of
from protocol.parameters import RiskParameters
from protocol.prefetch import AHEAD, prefetch_account
from protocol.radii import MARK, ORACLE, Radii, fill_needed, place_one, sensitivity
from protocol.scan import liquidatable_among, short_accounts
from protocol.watch import NOBODY, Watch

SCANNED = 20_000
UNCHANGED = Change(0, 0, 0, 0, 0)
LOOK = 16


class Known(NamedTuple):
    """What is known of every account, each (n,) bool.

    Attributes
    ----------
    short : bool
        Whether equity is below maintenance.
    holds : bool
        Whether it is a trader, or the vault, with something to liquidate; of those who are short.
    """

    short: Mask
    holds: Mask


@kernel
def look(
    book: Book,
    parameters: RiskParameters,
    radii: Radii,
    now: Floats,
    accounts: Ints,
    known: Known,
    changed: Ints,
) -> int:
    """Find out about `accounts`, (k,), and put them into the levels of their radii.

    Writes those of whom something else is true than was known into `changed`; returns their number.
    """
    fill_needed(radii, now)
    found, last = 0, accounts.size - 1
    for index in range(accounts.size):
        account = accounts[index]
        prefetch_account(book, accounts[min(index + AHEAD, last)])
        equity, _, maintenance = risk_of(book, parameters, account, UNCHANGED)
        place_one(radii, account, equity - maintenance, sensitivity(book, parameters, account, 1.0))
        short, held = equity < maintenance, maintenance > 0
        if short and not held:
            for market in range(book.size.shape[0]):
                held = held or book.collateral[market, account] > 0
        if short != known.short[account]:
            changed[found] = account
            found += 1
        trades = account == VAULT or account >= first_trader(book.size.shape[0])
        known.short[account], known.holds[account] = short, held and trades
    return found


@kernel
def worth_at(book: Book, account: int, prices: Ints, assets: Ints) -> int:
    """Equity of an account whose positions and assets are worth `prices` and `assets`, (m,) [micro-USD]."""
    equity = book.cash[account] + unsettled_funding(book, account)
    for market in range(book.size.shape[0]):
        equity += book.size[market, account] * prices[market]
        equity += book.collateral[market, account] * assets[market]
    return equity


@kernel
def deficit_among(book: Book, accounts: Ints, prices: Ints) -> int:
    """What traders among `accounts`, (k,), owe beyond all they have at `prices`, (m,) [micro-USD], ≥ 0."""
    total = 0
    for index in range(accounts.size):
        if accounts[index] >= first_trader(book.size.shape[0]):
            total += max(-worth_at(book, accounts[index], prices, prices), 0)
    return total


@kernel
def deficit_of_all(book: Book, prices: Ints) -> int:
    """The same of all traders, without a call for each."""
    cash, markets, total = book.cash, book.size.shape[0], 0
    for account in range(first_trader(markets), cash.size):
        equity, owed = cash[account], 0
        for market in range(markets):
            size = book.size[market, account]
            index = book.funding[LONG if size > 0 else SHORT, market]
            owed += size * (index - book.funding_paid[market, account])
            equity += (size + book.collateral[market, account]) * prices[market]
        total += max(-(equity + -owed // FUNDING_SCALE), 0)
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
        self.known = NOBODY
        self.state = Known(*np.zeros((2, accounts), np.bool_))

    def failing(self, book: Book, parameters: RiskParameters) -> Ints:
        """The vault and traders that may be liquidated, ascending, (k,): see `below_maintenance`."""
        short = self.short(book, parameters)
        if self.watch is None:
            return liquidatable_among(book, parameters, short)
        return short[self.state.holds[short]] if len(short) else short

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
            self._scan(book, parameters, self.watch)
        return self.known

    def _look(self, book: Book, parameters: RiskParameters, watch: Watch, due: Ints) -> None:
        """Find out about those who are due, and nobody else."""
        changed = np.empty(len(due), np.int64)
        count = look(book, parameters, watch.radii, watch.now, due, self.state, changed)
        if count:
            short = self.state.short[changed[:count]]
            self.known = with_changes(self.known, changed[:count][~short], changed[:count][short])

    def _scan(self, book: Book, parameters: RiskParameters, watch: Watch) -> None:
        """Find out about everybody, for as long as nothing moves."""
        short, holds = self.state
        short[self.known] = False
        self.known = short_accounts(book, parameters)
        short[self.known], holds[self.known] = True, False
        holds[liquidatable_among(book, parameters, self.known)] = True
        watch.forget(self.known)

    def deficit(self, book: Book, parameters: RiskParameters, prices: Ints) -> int:
        """What traders would owe beyond all they have, with positions and assets worth `prices` [micro-USD].

        Parameters
        ----------
        prices : (m,) int64
            [micro-USD per lot]; assets count in full.
        """
        if self.watch is not None:
            known, moved = self.short(book, parameters), self.watch.now.copy()
            moved[MARK] = moved[ORACLE] = prices
            word, total = self.watch.exposed(moved)
            if total * self.look <= self.accounts:
                return deficit_among(book, np.union1d(self.watch.peek(word, total), known), prices)
        return deficit_of_all(book, prices)


def with_changes(accounts: Ints, gone: Ints, come: Ints) -> Ints:
    """Accounts, (k,), without some of them and with others; all ascending."""
    if len(gone):
        accounts = np.delete(accounts, np.searchsorted(accounts, gone))
    if len(come):
        accounts = np.insert(accounts, np.searchsorted(accounts, come), come)
    return accounts
