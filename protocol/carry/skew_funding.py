"""Funding that the imbalance of longs and shorts drives, at venues where a pool takes the other side.

References
----------
.. [1] GMX synthetics, contracts/market/MarketUtils.sol, getNextFundingAmountPerSize.
.. [2] Synthetix v3, perps-market, storage/PerpsMarket.sol.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import FUNDING_SCALE, Floats, Ints, Mask
from protocol.carry.funding_rules import (
    DAY,
    RATE_SECONDS,
    YEAR,
    Funding,
    Observation,
    Steps,
    carry_down,
    carry_up,
)


class AdaptiveRule(NamedTuple):
    """A rate that moves while one side outweighs the other, as at GMX [1]_.

    Attributes
    ----------
    maximum : (m,) float64
        Bound of the rate [1/year].
    minimum : float
        Least rate that is paid [1/year]; the rate that moves may be smaller.
    ramp : float
        Time in which a wholly one-sided market takes the rate from 0 to the maximum [s].
    decay : float
        Time in which the rate falls from the maximum to 0 [s]; infinite turns it off.
    stable_skew, decay_skew : float
        Skew over open interest up to which the rate does not grow, and below which it falls [1].
    interval : int
        Between advances [s]; 0 is every block.
    """

    maximum: Floats
    minimum: float = 0.01
    ramp: float = 10_800.0
    decay: float = np.inf
    stable_skew: float = 0.04
    decay_skew: float = 0.0
    interval: int = 0


class VelocityRule(NamedTuple):
    """A rate whose speed is in proportion to the skew, and whose level nothing bounds, as at Synthetix [2]_.

    Attributes
    ----------
    velocity : (m,) float64
        Speed at a skew of `skew_scale` or more [1/day²].
    skew_scale : (m,) float64
        Skew at which the speed stops growing [lots]; 0 holds the rate still.
    interval : int
        Between advances [s]; 0 is every block.
    """

    velocity: Floats
    skew_scale: Floats
    interval: int = 0


class Path(NamedTuple):
    """How a rate moves, each (m,): from `level` [1/s] at `slope` [1/s²] until it meets `stop` [1/s]."""

    level: Floats
    slope: Floats
    stop: Floats


def two_sided(shown: Observation) -> Mask:
    """Markets that have both longs and shorts, (m,)."""
    return (shown.long_interest > 0) & (shown.short_interest > 0)


def adaptive_path(level: Floats, rule: AdaptiveRule, shown: Observation) -> Path:
    """Where the rate goes while open interest stays as it is.

    Against the skew, or with a skew above `stable_skew`, it moves to the skew's side; with a skew below
    `decay_skew` it falls back to zero; between the two it stands still.
    """
    both = shown.long_interest + shown.short_interest
    lean = np.where(both > 0, (shown.long_interest - shown.short_interest) / np.maximum(both, 1), 0.0)
    side, skew = np.sign(lean), np.abs(lean)
    bound = rule.maximum / YEAR
    start = np.clip(level, -bound, bound)
    along = start * side > 0
    grows = ~along | (skew > rule.stable_skew)
    falls = along & ~grows & (skew < rule.decay_skew)
    slope = np.where(grows, lean * bound / rule.ramp, np.where(falls, -side * bound / rule.decay, 0.0))
    return Path(start, slope, np.where(skew > rule.stable_skew, side * bound, 0.0))


def travelled(path: Path, elapsed: Floats) -> tuple[Floats, Floats]:
    """Level after `elapsed` [s], and how long it took to get there [s]; each (m,)."""
    distance = path.stop - path.level
    moves = path.slope * distance > 0
    needed = np.divide(distance, path.slope, out=np.full_like(elapsed, np.inf), where=moves)
    moving = np.where(moves, np.minimum(elapsed, needed), 0.0)
    arrived = moves & (needed <= elapsed)
    return np.where(arrived, path.stop, path.level + path.slope * moving), moving


def paid_rate(level: Floats, floor: Floats, side: Floats) -> Floats:
    """Rate that is paid at a level, (m,) [1/s]: no smaller than `floor`; at 0 the heavier side pays it."""
    sign = np.where(level != 0, np.sign(level), np.where(side != 0, side, 1.0))
    return sign * np.maximum(np.abs(level), floor)


def mean_paid_rate(start: Floats, end: Floats, floor: Floats, side: Floats) -> Floats:
    """Average of the paid rate while the level goes evenly from `start` to `end`; each (m,) [1/s]."""
    first, last = np.abs(start), np.abs(end)
    high_first, high_last = np.maximum(first, floor), np.maximum(last, floor)
    flat = (np.minimum(last, floor) - np.minimum(first, floor)) * floor
    steep = (high_last - high_first) * (high_last + high_first) / 2
    still = paid_rate(start, floor, side)
    return np.divide(flat + steep, end - start, out=still, where=end != start)


def charge_adaptive(
    funding: Funding, rule: AdaptiveRule, shown: Observation, elapsed: Floats
) -> tuple[Funding, Steps]:
    """Charge the rate on the larger side's notional to one side and hand it to the other.

    The venue applies the newest rate to all the time since it was last called; here the rate's path is
    integrated, to which frequent calls tend, so that the length of a block makes no difference. Without
    anybody on one side nothing is paid and the rate stands still.
    """
    both_sides = two_sided(shown)
    level, rate, share = integrate(funding.level, rule, shown, np.where(both_sides, elapsed, 0.0))
    larger = np.maximum(shown.long_interest, shown.short_interest)
    owed = share * shown.oracle * FUNDING_SCALE * larger / np.maximum(shown.long_interest, 1)
    step, remainder = carry_up(owed, funding.remainder)
    steps, dust = hand_over(step, funding.dust, shown)
    displayed = np.where(both_sides, rate * RATE_SECONDS, 0.0)
    return funding._replace(rate=displayed, remainder=remainder, level=level, dust=dust), steps


def integrate(
    level: Floats, rule: AdaptiveRule, shown: Observation, elapsed: Floats
) -> tuple[Floats, Floats, Floats]:
    """Level and paid rate at the end [1/s], and the sum paid over the larger side's notional [1]."""
    side = np.sign(shown.long_interest - shown.short_interest).astype(np.float64)
    floor = np.minimum(rule.minimum, rule.maximum) / YEAR
    path = adaptive_path(level, rule, shown)
    end, moving = travelled(path, elapsed)
    rate = paid_rate(end, floor, side)
    return end, rate, mean_paid_rate(path.level, end, floor, side) * moving + rate * (elapsed - moving)


def hand_over(step: Ints, dust: Ints, shown: Observation) -> tuple[Steps, Ints]:
    """Give the shorts what the longs paid, rounded toward −∞, and keep the rest for next time.

    Parameters
    ----------
    step : (m,) int64
        What longs pay for each lot; negative when shorts pay.
    dust : (m,) int64
        Rest of earlier steps [step · lots].
    """
    short, left = np.zeros_like(step), dust.copy()
    for market in np.flatnonzero(two_sided(shown)).tolist():
        shorts = int(shown.short_interest[market])
        paid = int(step[market]) * int(shown.long_interest[market]) + int(dust[market])
        short[market], left[market] = divmod(paid, shorts)
    return Steps(step, short), left


def charge_velocity(
    funding: Funding, rule: VelocityRule, shown: Observation, elapsed: Floats
) -> tuple[Funding, Steps]:
    """Charge the mean of the rates at both ends of the time elapsed; the pool takes the skew's share."""
    skew = (shown.long_interest - shown.short_interest).astype(np.float64)
    lean = np.divide(skew, rule.skew_scale, out=np.zeros_like(skew), where=rule.skew_scale > 0)
    level = funding.level + np.clip(lean, -1, 1) * rule.velocity / DAY**2 * elapsed
    owed = (funding.level + level) / 2 * elapsed * shown.oracle * FUNDING_SCALE
    step, remainder = carry_down(owed, funding.remainder)
    return funding._replace(rate=level * RATE_SECONDS, remainder=remainder, level=level), Steps(step, step)
