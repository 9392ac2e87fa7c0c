"""Safety radii: how far prices may move before an account needs another look.

Something that is true of an account, or is not, with `slack` to spare [micro-USD], and whose slack changes by
at most `gross` for each unit by which prices move relative to themselves, stays as it is until some price has
moved by the radius, slack over gross. Radii stand on a scale of levels, each twice as wide as the one below.
A level remembers the prices at which all who stood in it were last looked at, and is due once one of them has
moved by more than its width; whoever joins it later has the move until then taken from its radius.

Accounts lie in the order of their numbers: a byte says in which level each stands, and for each chunk of them
a word says which levels occur there. A look costs a word for each chunk, and what is due.

References
----------
.. [1] R. Brown, "Calendar Queues", Communications of the ACM 31 (1988): queues as buckets.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import FUNDING_SCALE, Book, Floats, Ints, Rows
from protocol.kernels import fragment, kernel
from protocol.parameters import RiskParameters

CHUNK = 64
UNKNOWN, CLOSEST = range(2)
LEVELS = 20
NEVER = LEVELS - 1
NARROWEST = 2.0**-13
MARK, ORACLE, PAID_BY_LONGS, PAID_BY_SHORTS = range(4)
ROUNDING = 1 + 1e-9
ROUNDING_MICRO_USD = 100.0  # more than tiers, fees and assets of one market can be rounded up by


class Radii(NamedTuple):
    """In which level each of n accounts stands.

    Attributes
    ----------
    level : (n,) uint8
        UNKNOWN is always due, CLOSEST at any move, NEVER at none.
    occurs : (n / CHUNK,) uint32
        For each chunk a bit for each level, set where the level may occur.
    members : (LEVELS,) int64
        Accounts in each level.
    anchor : (LEVELS, 4, m) float64
        Prices at which all of a level were last looked at: see `standing`.
    needed : (LEVELS,) float64
        Scratch.
    """

    level: Rows
    occurs: Rows
    members: Ints
    anchor: Floats
    needed: Floats


def unknown_radii(accounts: int, markets: int) -> Radii:
    """Nobody's radius is known."""
    radii = Radii(
        level=np.empty(accounts, np.uint8),
        occurs=np.empty(-(-accounts // CHUNK), np.uint32),
        members=np.empty(LEVELS, np.int64),
        anchor=np.ones((LEVELS, 4, markets)),
        needed=np.empty(LEVELS),
    )
    forget_all(radii)
    return radii


def forget_all(radii: Radii) -> None:
    """Everybody is due."""
    radii.level[:], radii.occurs[:] = UNKNOWN, 1 << UNKNOWN
    radii.members[:] = 0
    radii.members[UNKNOWN] = len(radii.level)


def standing(book: Book) -> Floats:
    """What accounts are valued by, (4, m): mark, oracle, and funding that a lot of each side has paid.

    All in micro-USD per lot.
    """
    return np.concatenate([[book.mark, book.oracle], book.funding / FUNDING_SCALE])


@fragment
def width(level: int) -> float:
    """Largest move of prices for which a level is not due [1]."""
    return 0.0 if level <= CLOSEST else NARROWEST * 2.0 ** (level - CLOSEST - 1)


@fragment
def moved(now: Floats, anchor: Floats, market: int) -> tuple[float, float]:
    """Move of what positions and what assets of a market are valued by [micro-USD per lot]."""
    longs = abs(now[PAID_BY_LONGS, market] - anchor[PAID_BY_LONGS, market])
    shorts = abs(now[PAID_BY_SHORTS, market] - anchor[PAID_BY_SHORTS, market])
    position = abs(now[MARK, market] - anchor[MARK, market]) + max(longs, shorts)
    return position, abs(now[ORACLE, market] - anchor[ORACLE, market])


@kernel
def stretch(now: Floats, anchor: Floats) -> float:
    """Largest move of a price, over what it was [1]."""
    most = 0.0
    for market in range(now.shape[1]):
        position, asset = moved(now, anchor, market)
        most = max(most, position / anchor[MARK, market], asset / anchor[ORACLE, market])
    return most


@kernel
def strained(radii: Radii, now: Floats) -> tuple[int, int]:
    """Levels that are due, as a word of bits, and how many accounts stand in them."""
    word, total = 0, 0
    for level in range(NEVER):
        if radii.members[level] == 0:
            continue
        if level == UNKNOWN or stretch(now, radii.anchor[level]) > width(level):
            word |= 1 << level
            total += radii.members[level]
    return word, total


@kernel
def gather(radii: Radii, word: int, accounts: Ints) -> None:
    """Write the accounts in the levels of a word into `accounts`, ascending."""
    found = 0
    for chunk in range(radii.occurs.size):
        if radii.occurs[chunk] & word == 0:
            continue
        occurs = 0
        first = chunk * CHUNK
        for account in range(first, min(first + CHUNK, radii.level.size)):
            bit = 1 << radii.level[account]
            occurs |= bit
            if bit & word:
                accounts[found] = account
                found += 1
        radii.occurs[chunk] = occurs


@fragment
def move_to(radii: Radii, account: int, level: int) -> None:
    """Put an account into a level."""
    radii.members[radii.level[account]] -= 1
    radii.members[level] += 1
    radii.level[account] = level
    radii.occurs[account // CHUNK] |= 1 << level


@kernel
def forget(radii: Radii, accounts: Rows, first: int, fresh: Ints) -> int:
    """Accounts are due; writes those that were not yet, each once, into `fresh`; returns their number.

    Of `accounts`, (k,), those count that have a level: the account `first` has the first one.
    """
    found = 0
    for index in range(accounts.size):
        account = accounts[index] - first
        if 0 <= account < radii.level.size and radii.level[account] != UNKNOWN:
            move_to(radii, account, UNKNOWN)
            fresh[found] = account
            found += 1
    return found


@kernel
def anchor_levels(radii: Radii, word: int, now: Floats) -> None:
    """Note that all accounts of the levels of a word, and of those without accounts, are looked at now."""
    for level in range(LEVELS):
        if word >> level & 1 or radii.members[level] == 0:
            for row in range(now.shape[0]):
                for market in range(now.shape[1]):
                    radii.anchor[level, row, market] = now[row, market]


@kernel
def fill_needed(radii: Radii, now: Floats) -> None:
    """Write the least radius with which an account that is looked at now may join each level [1]."""
    for level in range(CLOSEST, NEVER):
        needed = 0.0
        for market in range(now.shape[1]):
            position, asset = moved(now, radii.anchor[level], market)
            mark, oracle = radii.anchor[level, MARK, market], radii.anchor[level, ORACLE, market]
            needed = max(needed, (width(level) * mark + position) / now[MARK, market])
            needed = max(needed, (width(level) * oracle + asset) / now[ORACLE, market])
        radii.needed[level] = needed


@fragment
def place_one(radii: Radii, account: int, slack: float, gross: float) -> None:
    """Put an account into the widest level that it may join."""
    level = NEVER
    if gross > 0.0:
        level, spare = NEVER - 1, slack - ROUNDING_MICRO_USD * radii.anchor.shape[2]
        while level > CLOSEST and spare < gross * ROUNDING * radii.needed[level]:
            level -= 1
    move_to(radii, account, level)


@kernel
def place(radii: Radii, now: Floats, accounts: Ints, slack: Floats, gross: Floats) -> None:
    """Put accounts, (k,), that were looked at now into the widest level that is narrower than their radius.

    Parameters
    ----------
    slack : (k,) float64
        By how much what was found is certain; below zero stands for not at all [micro-USD].
    gross : (k,) float64
        Most by which that changes for each unit of a relative move of prices [micro-USD]; 0: with no price.
    """
    fill_needed(radii, now)
    for index in range(accounts.size):
        place_one(radii, accounts[index], slack[index], gross[index])


@fragment
def sensitivity(book: Book, parameters: RiskParameters, account: int, share: float) -> float:
    """Most that equity, and `share` of maintenance, change for a relative move of prices of 1 [micro-USD].

    Tiers count in full, whatever the size of a position.
    """
    total = 0.0
    for market in range(book.size.shape[0]):
        lots, units = float(abs(book.size[market, account])), float(book.collateral[market, account])
        if lots != 0.0:
            rate = parameters.maintenance[market] + parameters.root[market] * np.sqrt(lots)
            rate += parameters.slope_maintenance[market] * lots
            rate += parameters.exit_fee + parameters.reward_rate
            for tier in range(parameters.tier_floor.shape[1]):
                rate += parameters.tier_maintenance[market, tier]
            total += lots * book.mark[market] * (1.0 + share * rate / PPM)
        total += units * book.oracle[market] * (parameters.weight_maintenance[market] / PPM)
    return total


@kernel
def fill_sensitivities(
    book: Book, parameters: RiskParameters, accounts: Ints, share: float, out: Floats
) -> None:
    """Write the sensitivity of `accounts`, (k,), into `out`, (k,)."""
    for index in range(accounts.size):
        out[index] = sensitivity(book, parameters, accounts[index], share)


def sensitivities(book: Book, parameters: RiskParameters, accounts: Ints, share: float) -> Floats:
    """Sensitivity of some accounts, (k,) [micro-USD]."""
    out = np.empty(len(accounts))
    fill_sensitivities(book, parameters, accounts, share, out)
    return out
