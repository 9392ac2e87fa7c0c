"""Whom auto-deleveraging calls on: the opposite holders in a queue, or all of them in parts.

References
----------
.. [1] dYdX v4-chain, x/clob/keeper/deleveraging.go.
.. [2] Hyperliquid docs, "Auto-deleveraging".
"""

import numpy as np

from protocol.book import VAULT, Book, Floats, Ints
from protocol.losses.allotment import allot, drain, scramble
from protocol.margin import equity_of
from protocol.parameters import RiskParameters

QUEUES = ("queue", "random", "ranked")
ALLOTMENTS = ("pro_rata", "profit_pro_rata", "drain")


def opposite_holders(book: Book, account: int, market: int) -> Ints:
    """Accounts with a position against that of `account`, ascending; purses that never trade are none."""
    holders = np.flatnonzero(book.size[market] * -np.sign(book.size[market, account]) > 0)
    return holders[holders >= VAULT]


def ranking(
    book: Book, parameters: RiskParameters, account: int, market: int, rule: str, ticket: int
) -> Ints:
    """Holders of the opposite side in the order in which a rule of QUEUES calls them; (k,) int64.

    `queue` walks the accounts from a drawn start (dYdX v4), `random` in a drawn order; `ranked` follows
    `adl_score`, those in profit before all others and those without equity last, ties by account.
    """
    holders = opposite_holders(book, account, market)
    match rule:
        case "queue":
            return np.roll(holders, -(ticket % max(len(holders), 1)))
        case "random":
            return scramble(holders, ticket)
        case "ranked":
            equity = equity_of(book, parameters, holders)
            score, losing = adl_score(book, holders, market, equity), gain(book, holders, market) <= 0
            return holders[np.lexsort((holders, -score, losing, equity <= 0))]
    raise ValueError(f"rule of deleveraging must be one of {', '.join(QUEUES + ALLOTMENTS)}, got {rule!r}")


def adl_score(book: Book, holders: Ints, market: int, equity: Ints) -> Floats:
    """Mark over entry price (inverted for shorts) times notional over equity of each position, (k,) [1].

    Zero for those without equity.

    References
    ----------
    .. [1] Hyperliquid docs, "Auto-deleveraging"; the inversion is our reading of "in profit".
    """
    size, mark = book.size[market, holders], int(book.mark[market])
    entry = np.maximum(book.entry[market, holders], 1.0)
    ratio = np.where(size > 0, mark / entry, entry / mark)
    leverage = np.abs(size) * mark / np.maximum(equity, 1)
    return np.where(equity > 0, ratio * leverage, 0.0)


def gain(book: Book, holders: Ints, market: int) -> Floats:
    """Unrealised profit of each position, (k,) [micro-USD]."""
    return book.size[market, holders] * (book.mark[market] - book.entry[market, holders])


def allotted(
    book: Book, parameters: RiskParameters, holders: Ints, market: int, rule: str, quantity: int
) -> Ints:
    """Lots that each holder gives up by a rule of ALLOTMENTS, (k,) int64; none more than it holds.

    `pro_rata` takes the same share of every position; `profit_pro_rata` goes by unrealised profit, and to
    the others only for what the profitable do not hold; `drain` levels the highest leverage, and comes to
    those without equity last.
    """
    lots = np.abs(book.size[market, holders])
    if rule == "pro_rata":
        return allot(quantity, lots, lots)
    if rule == "profit_pro_rata":
        weight = np.maximum(gain(book, holders, market), 0.0).astype(np.int64)
        first = allot(quantity, weight, lots)
        return first + allot(quantity - int(first.sum()), np.where(weight > 0, 0, lots), lots)
    equity = equity_of(book, parameters, holders)
    sound = equity > 0
    first = np.zeros_like(lots)
    first[sound] = drain(quantity, lots[sound], equity[sound])
    return first + allot(quantity - int(first.sum()), np.where(sound, 0, lots), lots)
