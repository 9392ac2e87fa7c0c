"""Dividing a number of lots among accounts, to the last lot: by weight, or by draining leverage."""

import numpy as np

from protocol.arithmetic import multiply_divide_floor, product_compare
from protocol.book import Floats, Ints
from protocol.kernels import kernel

WEIGHT_SCALE = float(1 << 40)
MIXING = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SHIFTS = (30, 27, 31)


def allot(quantity: int, weight: Ints, limit: Ints) -> Ints:
    """Divide lots in proportion to a weight, with nobody above a limit.

    What somebody cannot take goes to the others in proportion; the lots that rounding down leaves go to the
    largest remainders, among equals to the first.

    Parameters
    ----------
    quantity : int
        Lots to divide, ≥ 0.
    weight, limit : (k,) int64
        ≥ 0 each; nobody without weight gets anything.

    Returns
    -------
    (k,) int64
        Lots of each; in sum `quantity`, or all limits where that is less.
    """
    lots, remainder = np.zeros_like(limit), np.zeros_like(limit)
    sharing = np.flatnonzero((weight > 0) & (limit > 0))
    order = sharing[np.argsort(limit[sharing] / weight[sharing], kind="stable")]
    left = fill_allotment(quantity, weight, limit, order, lots, remainder)
    open_to = sharing[lots[sharing] < limit[sharing]]
    largest = open_to[np.argsort(-remainder[open_to], kind="stable")]
    lots[largest[:left]] += 1
    return lots


@kernel
def fill_allotment(quantity: int, weight: Ints, limit: Ints, order: Ints, lots: Ints, remainder: Ints) -> int:
    """Write shares rounded down, and what rounding cut off them; return the lots that are left.

    `order` lists who shares, (j,), those who reach their limit first at the front.
    """
    total, capped = 0, 0
    for index in order:
        total += weight[index]
    for index in order:
        if product_compare(limit[index], total, weight[index], quantity) > 0:
            break
        lots[index] = min(limit[index], quantity)
        quantity -= lots[index]
        total -= weight[index]
        capped += 1
    left = quantity
    for index in order[capped:]:
        lots[index] = multiply_divide_floor(quantity, weight[index], total)
        remainder[index] = quantity * weight[index] - lots[index] * total
        left -= lots[index]
    return left


def drained(quantity: int, lots: Ints, equity: Ints) -> Floats:
    """Lots to take from each account so that the highest leverage left is as low as it can be.

    The most levered give up lots until they stand level with the next, then all of these together. The
    measure is the position's size over the account's equity; what the price of the fills does to equity is
    left out.

    Parameters
    ----------
    quantity : int
        Lots to take, ≥ 0.
    lots, equity : (k,) int64
        Sizes [lots], > 0, and equities [micro-USD], > 0.

    Returns
    -------
    (k,) float64
        In sum `quantity`, or all lots where that is less.

    References
    ----------
    .. [1] Campbell, Hey, Moallemi, Nutz, "Risk-Based Auto-Deleveraging", arXiv 2603.15963.
    """
    if quantity >= lots.sum():
        return lots.astype(np.float64)
    leverage = lots / equity
    order = np.argsort(-leverage, kind="stable")
    level = (np.cumsum(lots[order]) - quantity) / np.cumsum(equity[order].astype(np.float64))
    reached = level >= np.append(leverage[order[1:]], 0.0)
    return np.clip(lots - level[np.argmax(reached)] * equity, 0.0, lots)


def drain(quantity: int, lots: Ints, equity: Ints) -> Ints:
    """Whole lots that come nearest to `drained`, (k,) int64; nobody gives up more than they have."""
    wanted = drained(quantity, lots, equity)
    scale = WEIGHT_SCALE / max(wanted.max(initial=0.0), 1.0)
    return allot(quantity, (wanted * scale).astype(np.int64), lots)


def scramble(accounts: Ints, ticket: int) -> Ints:
    """The accounts in an order that a random number decides, each order as likely as any other.

    An account's place follows from its own number and the ticket alone, by the finaliser of splitmix64.
    """
    word = np.bitwise_xor(_mixed(accounts.astype(np.uint64)), np.uint64(ticket))
    ordered: Ints = accounts[np.argsort(_mixed(word), kind="stable")]
    return ordered


def _mixed(word: np.ndarray) -> np.ndarray:
    for shift, factor in zip(SHIFTS, (*MIXING, 1), strict=True):
        word = (word ^ (word >> np.uint64(shift))) * np.uint64(factor)
    return word
