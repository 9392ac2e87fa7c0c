"""Which acts may use the oracle's price now: tests of age, confidence, divergence and bounds.

Venues guard acts differently. Drift is the model: a stale or uncertain price stops trades and withdrawals,
but not liquidations, which only a price far from its own average stops.

References
----------
.. [1] Drift protocol-v2, math/oracle.rs, `is_oracle_valid_for_action`, and state/state.rs, the guard rails.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import Floats, Ints, Mask
from protocol.prices.oracle import Feed

TRADE, LIQUIDATE, WITHDRAW, FUND, QUOTE = range(5)

REASONS = (
    "sound",
    "not_positive",
    "out_of_bounds",
    "too_volatile",
    "too_uncertain",
    "stale",
    "off_average",
    "off_mark",
)
(
    SOUND,
    NOT_POSITIVE,
    OUT_OF_BOUNDS,
    TOO_VOLATILE,
    TOO_UNCERTAIN,
    STALE,
    OFF_AVERAGE,
    OFF_MARK,
) = range(len(REASONS))


class GuardRule(NamedTuple):
    """What an act asks of the price; infinity switches a test off, 0 a bound.

    Attributes
    ----------
    max_age : float
        Time since the price was observed [s]; this much is allowed.
    max_confidence : float
        Half-width of the confidence interval over the price [1]; this much is allowed.
    max_divergence : float
        Distance from the oracle's own average, over that average [1]; this much is refused.
    max_mark_divergence : float
        Distance of the mark from the oracle, over the oracle [1]; this much is allowed.
    max_ratio : float
        Price over average, or average over price [1]; this much is allowed.
    minimum, maximum : (m,) int64 or int
        Prices at which, and beyond which, a feed is taken to have stopped [micro-USD per lot].
    """

    max_age: float = np.inf
    max_confidence: Floats | float = np.inf
    max_divergence: float = np.inf
    max_mark_divergence: float = np.inf
    max_ratio: float = np.inf
    minimum: Ints | int = 0
    maximum: Ints | int = 0


UNGUARDED = GuardRule()


class Guards(NamedTuple):
    """The rule of each act, in the order of the constants TRADE, LIQUIDATE, WITHDRAW, FUND, QUOTE.

    `quote` is the venue's own side: whether an AMM or a pool may fill.
    """

    trade: GuardRule = UNGUARDED
    liquidate: GuardRule = UNGUARDED
    withdraw: GuardRule = UNGUARDED
    fund: GuardRule = UNGUARDED
    quote: GuardRule = UNGUARDED


def refusals(rule: GuardRule, feed: Feed, twap: Floats, mark: Ints, time: float) -> Ints:
    """Why an act may not use the price now: an index into REASONS, the gravest first, 0 if it may.

    Parameters
    ----------
    rule : GuardRule
        Of the act in question.
    twap : (m,) float64
        The oracle's own average [micro-USD per lot], as it stood before this block's price: one that
        includes it would widen its own band. NaN for none, which passes.
    mark : (m,) int64
        [micro-USD per lot]; 0 for none, which passes.
    time : float
        Now [s].

    Returns
    -------
    (m,) int64
    """
    price = feed.price
    average = np.where(twap > 0, twap, np.nan)
    highest = np.where(np.asarray(rule.maximum) > 0, rule.maximum, np.inf)
    lowest = np.where(np.asarray(rule.minimum) > 0, rule.minimum, -np.inf)
    failed = [
        price <= 0,
        (price <= lowest) | (price >= highest),
        np.maximum(price, average) > rule.max_ratio * np.minimum(np.maximum(price, 1), average),
        feed.confidence > rule.max_confidence,
        time - feed.observed > rule.max_age,
        np.abs(price - average) >= rule.max_divergence * average,
        (mark > 0) & (np.abs(mark - price) > rule.max_mark_divergence * np.maximum(price, 1)),
    ]
    return np.select(failed, range(1, len(REASONS)), SOUND).astype(np.int64)


def allowed(rule: GuardRule, feed: Feed, twap: Floats, mark: Ints, time: float) -> Mask:
    """Markets whose price an act under `rule` may use now, (m,); see `refusals` for the arguments."""
    usable: Mask = refusals(rule, feed, twap, mark, time) == SOUND
    return usable
