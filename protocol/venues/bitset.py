"""Sets of small numbers that find their least member, and the next one, in a few instructions.

A set is one row of words in three tiers: each bit of a word says whether a word of the tier below it holds
anything, and the bits of the last tier are the members. Rows of one array hold many sets side by side.
"""

import numpy as np

from protocol.book import Rows
from protocol.kernels import fragment, kernel

WORD = 64
LARGEST = WORD**3
ROOT, MIDDLE, LEAF = 0, 1, 1 + WORD

ZERO, ONE, TWO, FOUR = (np.uint64(value) for value in (0, 1, 2, 4))
EVERY_SECOND = np.uint64(0x5555555555555555)
PAIRS = np.uint64(0x3333333333333333)
NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
BYTES = np.uint64(0x0101010101010101)
TOP_BYTE = np.uint64(56)
FULL = np.uint64(0xFFFFFFFFFFFFFFFF)


def empty_sets(rows: int, limit: int) -> Rows:
    """Empty sets of numbers below `limit`, a multiple of 64 up to 64³; (rows, 65 + limit / 64) uint64."""
    if limit % WORD or not 0 < limit <= LARGEST:
        raise ValueError(f"limit must be a multiple of {WORD} up to {LARGEST}, got limit={limit}")
    return np.zeros((rows, LEAF + limit // WORD), np.uint64)


@fragment
def lowest_bit(word: np.uint64) -> int:
    """Position of the lowest bit set; the compiler makes one instruction of it.

    References
    ----------
    .. [1] H. S. Warren, Hacker's Delight, 2nd ed., section 5-4: count the bits below the lowest one.
    """
    below = ~word & (word - ONE)
    pairs = below - ((below >> ONE) & EVERY_SECOND)
    nibbles = (pairs & PAIRS) + ((pairs >> TWO) & PAIRS)
    return int(np.int64((((nibbles + (nibbles >> FOUR)) & NIBBLES) * BYTES) >> TOP_BYTE))


@fragment
def bit(number: int) -> np.uint64:
    """The word with the one bit that stands for a number in its tier."""
    return ONE << np.uint64(number & 63)


@fragment
def bits_above(number: int) -> np.uint64:
    """The word with all bits above that of a number."""
    return (FULL << np.uint64(number & 63)) << ONE


@fragment
def include(sets: Rows, row: int, number: int) -> None:
    """Make a number a member of a row's set."""
    sets[row, LEAF + (number >> 6)] |= bit(number)
    sets[row, MIDDLE + (number >> 12)] |= bit(number >> 6)
    sets[row, ROOT] |= bit(number >> 12)


@fragment
def exclude(sets: Rows, row: int, number: int) -> None:
    """Take a number out of a row's set."""
    leaf, middle = LEAF + (number >> 6), MIDDLE + (number >> 12)
    sets[row, leaf] &= ~bit(number)
    if sets[row, leaf] == ZERO:
        sets[row, middle] &= ~bit(number >> 6)
        if sets[row, middle] == ZERO:
            sets[row, ROOT] &= ~bit(number >> 12)


@fragment
def least_under(sets: Rows, row: int, middle: int) -> int:
    """Least member below a word of the middle tier that is not empty."""
    leaf = middle << 6 | lowest_bit(sets[row, MIDDLE + middle])
    return leaf << 6 | lowest_bit(sets[row, LEAF + leaf])


@fragment
def least(sets: Rows, row: int) -> int:
    """Least member of a row's set; the limit of the set if it is empty."""
    root = sets[row, ROOT]
    return least_under(sets, row, lowest_bit(root)) if root != ZERO else (sets.shape[1] - LEAF) * WORD


@kernel
def least_above(sets: Rows, row: int, number: int) -> int:
    """Least member greater than a number; the limit of the set if there is none."""
    leaf, middle = number >> 6, number >> 12
    word = sets[row, LEAF + leaf] & bits_above(number)
    if word != ZERO:
        return leaf << 6 | lowest_bit(word)
    word = sets[row, MIDDLE + middle] & bits_above(leaf)
    if word != ZERO:
        leaf = middle << 6 | lowest_bit(word)
        return leaf << 6 | lowest_bit(sets[row, LEAF + leaf])
    word = sets[row, ROOT] & bits_above(middle)
    return least_under(sets, row, lowest_bit(word)) if word != ZERO else (sets.shape[1] - LEAF) * WORD
