"""Which acts may use the oracle's price now: tests of age, confidence, divergence and bounds.

Venues guard acts differently. Drift is the model: a stale or uncertain price stops trades and withdrawals,
but not liquidations, which only a price far from its own average stops.

References
----------
.. [1] Drift protocol-v2, math/oracle.rs, `is_oracle_valid_for_action`, and state/state.rs, the guard rails.
"""

from collections.abc import Iterable, Iterator
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


def averages(rules: Iterable[GuardRule]) -> bool:
    """Whether any of these rules looks at the oracle's own average."""
    return any(min(rule.max_divergence, rule.max_ratio) < np.inf for rule in rules)


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
    reason = np.full(len(feed.price), SOUND, np.int64)
    for number, failed in reversed(list(_failed(rule, feed, twap, mark, time))):
        reason[failed] = number
    return reason


def allowed(rule: GuardRule, feed: Feed, twap: Floats, mark: Ints, time: float) -> Mask:
    """Markets whose price an act under `rule` may use now, (m,); see `refusals` for the arguments."""
    usable = np.ones(len(feed.price), np.bool_)
    for _, failed in _failed(rule, feed, twap, mark, time):
        usable &= ~failed
    return usable


def _failed(rule: GuardRule, feed: Feed, twap: Floats, mark: Ints, time: float) -> Iterator[tuple[int, Mask]]:
    """Reasons, the gravest first, with the markets to which they apply, (m,); none for a test that is off."""
    price, average = feed.price, np.where(twap > 0, twap, np.nan)
    yield NOT_POSITIVE, price <= 0
    if np.asarray(rule.minimum).any() or np.asarray(rule.maximum).any():
        highest = np.where(np.asarray(rule.maximum) > 0, rule.maximum, np.inf)
        lowest = np.where(np.asarray(rule.minimum) > 0, rule.minimum, -np.inf)
        yield OUT_OF_BOUNDS, (price <= lowest) | (price >= highest)
    if rule.max_ratio < np.inf:
        smaller = np.minimum(np.maximum(price, 1), average)
        yield TOO_VOLATILE, np.maximum(price, average) > rule.max_ratio * smaller
    yield TOO_UNCERTAIN, feed.confidence > rule.max_confidence
    if rule.max_age < np.inf:
        yield STALE, time - feed.observed > rule.max_age
    if rule.max_divergence < np.inf:
        yield OFF_AVERAGE, np.abs(price - average) >= rule.max_divergence * average
    if rule.max_mark_divergence < np.inf:
        gap = np.abs(mark - price)
        yield OFF_MARK, (mark > 0) & (gap > rule.max_mark_divergence * np.maximum(price, 1))
