"""Borrowing: what positions pay to the pool that reserves liquidity for them.

References
----------
.. [1] GMX synthetics, contracts/market/MarketUtils.sol, getKinkBorrowingFactor and
   getBorrowingFactorPerSecond; config/markets.ts for the defaults, those of BTC and ETH.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import FUNDING_SCALE, LONG, SHORT, Floats, Mask
from protocol.carry.funding_rules import YEAR, Observation, Steps, carry_up, time_due


class BorrowingRule(NamedTuple):
    """A rate that grows with the use of the pool, and faster beyond a kink [1]_.

    Attributes
    ----------
    optimal : float
        Use of the pool at the kink [1]; 1 leaves the kink out.
    base : float
        Rate at full use if there were no kink [1/year].
    above : float
        Rate at full use [1/year]; no more than `base` leaves the kink out.
    smaller_side_pays : bool
        Whether the side with less open interest pays too; sides of equal size always pay.
    interval : int
        Between advances [s]; 0 is every block.
    """

    optimal: float = 0.85
    base: float = 0.45
    above: float = 0.9
    smaller_side_pays: bool = False
    interval: int = 0


class Borrowing(NamedTuple):
    """What borrowing remembers between blocks.

    Attributes
    ----------
    since : (m,) float64
        When the index last advanced [s].
    rate : (2, m) float64
        Rate that longs and shorts last paid [1/year].
    remainder : (2, m) float64
        How far whole steps run ahead of what is owed, in [−1, 0] [step].
    """

    since: Floats
    rate: Floats
    remainder: Floats


def open_borrowing(markets: int, time: float) -> Borrowing:
    """Borrowing of markets that open at `time` [s]."""
    return Borrowing(np.full(markets, float(time)), np.zeros((2, markets)), np.zeros((2, markets)))


def borrowing_rate(rule: BorrowingRule, usage: Floats) -> Floats:
    """Rate at a use of the pool [1/year]; a use above 1, which prices may bring about, costs accordingly."""
    if not rule.base < rule.above or not rule.optimal < 1:
        return usage * rule.base
    slope = (rule.above - rule.base) / (1 - rule.optimal)
    return usage * rule.base + np.maximum(usage - rule.optimal, 0.0) * slope


def paying_sides(rule: BorrowingRule, shown: Observation) -> Mask:
    """Which of longs and shorts pay, (2, m)."""
    longs, shorts = shown.long_interest, shown.short_interest
    return np.stack([longs >= shorts, shorts >= longs]) | rule.smaller_side_pays


def advance_borrowing(
    borrowing: Borrowing, rule: BorrowingRule, shown: Observation, time: float
) -> tuple[Borrowing, Steps | None]:
    """Charge the time since the last advance; `None` while nothing is due.

    Both sides pay the pool, so the step of the longs is positive and that of the shorts negative; fractions
    are rounded up and carried. Time without a usable index price is charged when the price is back.
    """
    elapsed = time_due(borrowing.since, rule.interval, time, shown.oracle_ok)
    due = elapsed > 0
    if not due.any():
        return borrowing, None
    usage = np.stack([shown.usage_long, shown.usage_short])
    rate = np.where(paying_sides(rule, shown), borrowing_rate(rule, usage), 0.0)
    owed = rate * (elapsed / YEAR) * shown.oracle * FUNDING_SCALE
    step, remainder = carry_up(owed, borrowing.remainder)
    after = Borrowing(np.where(due, time, borrowing.since), np.where(due, rate, borrowing.rate), remainder)
    return after, Steps(step[LONG], -step[SHORT])
