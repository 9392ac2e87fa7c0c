"""Shares of the backstop vault and of liquidity pools: bought and sold at what the purse is worth.

A desk states the terms of one purse at one moment; the venue's family decides them. Deposits buy at the
price against them, exits sell at the other, both rounded against who acts, so that nobody who stays is
diluted.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import multiply_divide_floor
from protocol.book import Book, Floats, move_cash, settle_funding, share_row
from protocol.kernels import kernel
from protocol.margin import account_risk
from protocol.parameters import RiskParameters

MOST_SHARES = 2.0**62


class Desk(NamedTuple):
    """Where shares change hands now, and on what terms.

    Attributes
    ----------
    purse : int
        Account of the vault or pool.
    dear, cheap : int
        What the purse is worth to those who enter, and to those who leave [micro-USD]; cheap ≤ dear.
    free : int
        The most that exits may take now [micro-USD].
    open : bool
        Whether deposits are taken at all.
    time : float
        Now [s].
    lock : float
        How long a deposit stays locked [s].
    locked_until : (n,) float64
        When the shares of each account may be sold [s].
    """

    purse: int
    dear: int
    cheap: int
    free: int
    open: bool
    time: float
    lock: float
    locked_until: Floats


class Locks(NamedTuple):
    """How long deposits stay, for each row of `Book.shares`.

    Attributes
    ----------
    until : (m + 1, n) float64
        When the shares of each account may be sold [s].
    period : (m + 1,) float64
        From a deposit on [s].
    """

    until: Floats
    period: Floats


def open_locks(book: Book, vault: float = 0.0, pools: float = 0.0) -> Locks:
    """Nobody locked in; the periods of the vault and of pools are given [s]."""
    period = np.full(len(book.shares), pools)
    period[0] = vault
    return Locks(np.full(book.shares.shape, -np.inf), period)


def vault_desk(book: Book, parameters: RiskParameters, purse: int, time: float, locks: Locks) -> Desk:
    """Terms of a vault: its equity, of which it keeps its own initial margin."""
    equity, initial, _ = account_risk(book, parameters, purse)
    row = share_row(purse)
    return Desk(purse, equity, equity, equity - initial, True, time, locks.period[row], locks.until[row])


@kernel
def deposit(book: Book, parameters: RiskParameters, desk: Desk, account: int, amount: int) -> int:
    """Move `amount` micro-USD into the purse for shares; return the shares, 0 if refused.

    The first deposit buys one share for each USD. Refused if the depositor would fall below initial margin
    or the amount buys no share; a purse without worth takes no deposits, nor one whose shares have become so
    cheap that the integers could not count them.
    """
    row = share_row(desk.purse)
    total = book.issued[row]
    equity, initial, _ = account_risk(book, parameters, account)
    if amount <= 0 or equity - amount < initial or not desk.open:
        return 0
    if desk.dear < 0 or (total > 0 and desk.dear == 0):
        return 0
    if total > 0 and float(amount) * total >= (MOST_SHARES - total) * float(desk.dear):
        return 0
    bought = multiply_divide_floor(amount, total, desk.dear) if total > 0 else amount
    if bought == 0:
        return 0
    move_cash(book, account, desk.purse, amount)
    book.shares[row, account] += bought
    book.issued[row] += bought
    desk.locked_until[account] = max(desk.locked_until[account], desk.time + desk.lock)
    return bought


@kernel
def redeem(book: Book, desk: Desk, account: int, shares: int) -> int:
    """Sell `shares` back to the purse; return the cash paid [micro-USD], 0 if refused.

    Refused while the shares are locked, if the purse needs the money, or if the shares are worth nothing.
    """
    row = share_row(desk.purse)
    held = book.shares[row, account]
    if shares <= 0 or shares > held or desk.cheap <= 0 or desk.time < desk.locked_until[account]:
        return 0
    amount = multiply_divide_floor(desk.cheap, shares, book.issued[row])
    if amount == 0 or amount > desk.free:
        return 0
    settle_funding(book, desk.purse)
    move_cash(book, desk.purse, account, amount)
    book.shares[row, account] = held - shares
    book.issued[row] -= shares
    return amount


def share_price(book: Book, desk: Desk) -> float:
    """What a share is worth to who leaves [USD]; 1 while no share exists."""
    total = int(book.issued[share_row(desk.purse)])
    return desk.cheap / total if total else 1.0
