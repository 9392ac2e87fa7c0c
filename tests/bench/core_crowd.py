"""The crowd on the protocol's own book, with its margin rules and its exchange of positions."""

from collections.abc import Callable

import numpy as np
from bench.crowd import MARKETS, Crowd, Outcome

from protocol.admission import interest_change, margin_allows
from protocol.arithmetic import ppm_ceil
from protocol.book import FEES, INSURANCE, VAULT, Book, Ints, exchange_position, move_cash, open_book
from protocol.kernels import kernel
from protocol.margin import account_risk
from protocol.parameters import RiskParameters
from protocol.prefetch import AHEAD, prefetch_account
from protocol.scan import liquidatable
from protocol.sentry import Sentry

Failing = Callable[[Book, RiskParameters], Ints]

# What finds the accounts below maintenance, made for a book that has been opened
FINDERS: dict[str, Callable[[Book], Failing]] = {
    "full scan": lambda book: liquidatable,
    "by radius": lambda book: Sentry(book, scanned=0).failing,
    "as chosen": lambda book: Sentry(book).failing,
}


class CoreCrowd:
    """A book and what finds the accounts below maintenance in it."""

    def __init__(self, crowd: Crowd, finder: Callable[[Book], Failing] = FINDERS["full scan"]) -> None:
        self.crowd, self.rules = crowd, crowd.parameters
        self.book = opened(crowd)
        self.failing = finder(self.book)
        self.block = 0
        self.liquidations: list[tuple[int, int, int, int, int]] = []

    def run(self, blocks: int) -> None:
        """Advance by so many blocks."""
        for _ in range(blocks):
            self.step()

    def step(self) -> None:
        """New marks, then decisions, then the margin of whom the finder finds."""
        first, account, market, wanted = self.crowd.decisions
        now = slice(first[self.block], first[self.block + 1])
        self.book.mark[:] = self.crowd.price[self.block]
        trade(self.book, self.rules, account[now], market[now], wanted[now])
        found = self.failing(self.book, self.rules)
        if len(found):
            self.liquidate(found)
        self.block += 1

    def outcome(self) -> Outcome:
        """What has happened."""
        return Outcome(self.liquidations, self.book.cash)

    def liquidate(self, accounts: Ints) -> None:
        """Close what these accounts hold, in their order."""
        closed = np.empty((len(MARKETS) * len(accounts), 4), np.int64)
        count = close(self.book, self.rules, accounts, closed)
        self.liquidations += [(self.block, *row) for row in closed[:count].tolist()]


def opened(crowd: Crowd) -> Book:
    """A book with the crowd's balances.

    Pages that nobody has written are all one page of zeros, and faster to read than memory: write them.
    """
    book = open_book(len(crowd.cash), crowd.opening)
    for each in book:
        each[...] = each.copy()
    book.cash[:], book.size[:] = crowd.cash, crowd.size
    book.entry[:] = np.where(crowd.size != 0, crowd.opening[:, None], 0)
    book.open_interest[:] = np.maximum(crowd.size, 0).sum(axis=1)
    return book


@kernel
def trade(book: Book, parameters: RiskParameters, accounts: Ints, markets: Ints, wanted: Ints) -> None:
    """Bring accounts to their wanted sizes against the house, as far as their margin allows it."""
    last = accounts.size - 1
    for index in range(accounts.size):
        prefetch_account(book, accounts[min(index + AHEAD, last)])
        account, market = accounts[index], markets[index]
        change = wanted[index] - book.size[market, account]
        if change == 0:
            continue
        quote = change * book.mark[market]
        fee = ppm_ceil(abs(quote), parameters.taker_fee)
        interest = interest_change(book, account, VAULT, market, change)
        if margin_allows(book, parameters, account, market, change, -quote, interest, fee):
            exchange_position(book, account, VAULT, market, change, quote)
            move_cash(book, account, FEES, fee)


@kernel
def close(book: Book, parameters: RiskParameters, accounts: Ints, closed: Ints) -> int:
    """Close all positions of accounts at the mark, the insurance fund paying for deficits.

    Writes (account, market, lots, equity before) of each position into `closed`; returns their number.
    """
    count = 0
    for index in range(accounts.size):
        account = accounts[index]
        equity = account_risk(book, parameters, account)[0]
        for market in range(book.size.shape[0]):
            lots = book.size[market, account]
            if lots != 0:
                row = closed[count]
                row[0], row[1], row[2], row[3] = account, market, lots, equity
                exchange_position(book, account, VAULT, market, -lots, -lots * book.mark[market])
                count += 1
        move_cash(book, INSURANCE, account, min(max(-book.cash[account], 0), book.cash[INSURANCE]))
    return count
