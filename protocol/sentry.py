"""Who is below maintenance, found without looking at everybody.

On few accounts, or where prices have moved so far that many have to be looked at, a scan over all is the
cheaper way, and is taken. What it costs is remembered: once the scans in a row have cost as much as finding
everybody's radius anew, that is done, so that both together never cost much more than the better one.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import VAULT, Book, Floats, Ints, Mask, first_trader, unsettled_funding
from protocol.kernels import fragment, kernel
from protocol.margin import Change, risk_of
from protocol.parameters import RiskParameters
from protocol.prefetch import AHEAD, prefetch_account
from protocol.radii import MARK, ORACLE, Radii, fill_needed, place_one, sensitivity
from protocol.scan import liquidatable_among, short_accounts
from protocol.watch import NOBODY, Watch

SCANNED = 20_000
UNCHANGED = Change(0, 0, 0, 0, 0)
LOOK = 16


class Flags(NamedTuple):
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
    flags: Flags,
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
        if short != flags.short[account]:
            changed[found] = account
            found += 1
        trades = account == VAULT or account >= first_trader(book.size.shape[0])
        flags.short[account], flags.holds[account] = short, held and trades
    return found


@fragment
def owed_at(book: Book, account: int, prices: Ints) -> int:
    """What an account owes beyond all it has, with positions and assets worth `prices`, (m,); ≥ 0."""
    equity = book.cash[account] + unsettled_funding(book, account)
    for market in range(book.size.shape[0]):
        equity += (book.size[market, account] + book.collateral[market, account]) * prices[market]
    return max(-equity, 0)


@kernel
def deficit_among(book: Book, accounts: Ints, prices: Ints) -> int:
    """What traders among `accounts`, (k,), owe beyond all they have at `prices`, (m,) [micro-USD]."""
    total = 0
    for index in range(accounts.size):
        if accounts[index] >= first_trader(book.size.shape[0]):
            total += owed_at(book, accounts[index], prices)
    return total


@kernel
def deficit_of_all(book: Book, prices: Ints) -> int:
    """What all traders owe beyond all they have at `prices`, (m,) [micro-USD]."""
    total = 0
    for account in range(first_trader(book.size.shape[0]), book.cash.size):
        total += owed_at(book, account, prices)
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
        self.below = NOBODY
        self.flags = Flags(*np.zeros((2, accounts), np.bool_))

    def failing(self, book: Book, parameters: RiskParameters) -> Ints:
        """The vault and traders that may be liquidated, ascending, (k,): see `below_maintenance`."""
        short = self.short(book, parameters)
        if self.watch is None:
            return liquidatable_among(book, parameters, short)
        return short[self.flags.holds[short]] if len(short) else short

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
        return self.below

    def _look(self, book: Book, parameters: RiskParameters, watch: Watch, due: Ints) -> None:
        """Find out about those who are due, and nobody else."""
        changed = np.empty(len(due), np.int64)
        count = look(book, parameters, watch.radii, watch.now, due, self.flags, changed)
        if count:
            short = self.flags.short[changed[:count]]
            self.below = with_changes(self.below, changed[:count][~short], changed[:count][short])

    def _scan(self, book: Book, parameters: RiskParameters, watch: Watch) -> None:
        """Find out about everybody, for as long as nothing moves."""
        short, holds = self.flags
        short[self.below] = False
        self.below = short_accounts(book, parameters)
        short[self.below], holds[self.below] = True, False
        holds[liquidatable_among(book, parameters, self.below)] = True
        watch.forget(self.below)

    def deficit(self, book: Book, parameters: RiskParameters, prices: Ints) -> int:
        """What traders would owe beyond all they have, with positions and assets worth `prices` [micro-USD].

        Parameters
        ----------
        prices : (m,) int64
            [micro-USD per lot]; assets count in full.
        """
        if self.watch is not None:
            below, moved = self.short(book, parameters), self.watch.now.copy()
            moved[MARK] = moved[ORACLE] = prices
            word, total = self.watch.exposed(moved)
            if total * self.look <= self.accounts:
                return deficit_among(book, np.union1d(self.watch.peek(word, total), below), prices)
        return deficit_of_all(book, prices)


def with_changes(accounts: Ints, gone: Ints, come: Ints) -> Ints:
    """Accounts, (k,), without some of them and with others; all ascending."""
    if len(gone):
        accounts = np.delete(accounts, np.searchsorted(accounts, gone))
    if len(come):
        accounts = np.insert(accounts, np.searchsorted(accounts, come), come)
    return accounts
