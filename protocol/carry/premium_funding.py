"""Funding from the distance between the venue's price and the index, observed over an interval.

References
----------
.. [1] dYdX v4-chain, x/perpetuals/keeper/perpetual.go and lib/funding.go.
.. [2] Hyperliquid docs, "Funding".
.. [3] Drift protocol-v2, controller/funding.rs and math/funding.rs.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import FUNDING_SCALE, Floats, Ints
from protocol.carry.funding_rules import DAY, HOUR, RATE_SECONDS, Funding, Observation, Steps, carry_down


class PremiumRule(NamedTuple):
    """Average premium of the impact prices plus a default rate, all in whole ppm, as at dYdX [1]_.

    Attributes
    ----------
    margin_gap : (m,) int64
        Initial minus maintenance margin [ppm].
    default_rate : (m,) int64
        Added to the average premium [ppm per 8 h].
    sample_clamp, rate_clamp : int
        Bound of a sample and of the rate, as multiples of the margin gap [ppm].
    interval : int
        Between advances [s].
    """

    margin_gap: Ints
    default_rate: Ints
    sample_clamp: int = 60 * PPM
    rate_clamp: int = 6 * PPM
    interval: int = HOUR


class InterestRule(NamedTuple):
    """Average premium pulled toward an interest rate, as at Hyperliquid [2]_.

    Attributes
    ----------
    interest : float
        Rate while the premium is small [1 per 8 h].
    pull : float
        Most that the premium is moved toward the interest rate [1 per 8 h].
    cap : float
        Most that is paid in an hour, over notional at the index price [1].
    interval : int
        Between advances [s].
    """

    interest: float = 0.0001
    pull: float = 0.0005
    cap: float = 0.04
    interval: int = HOUR


class TwapRule(NamedTuple):
    """Distance of the averages of the venue's price and of the index, spread over a day, as at Drift [3]_.

    Attributes
    ----------
    divergence : (m,) float64
        Bound of the distance that is paid, over the index average [1].
    band : (m,) float64
        Bound of an input's distance from the average that it enters [1].
    offset : float
        Added to the distance, over the index average [1].
    mark_divergence : float
        Distance of the venue's price from the index beyond which nothing is paid [1].
    pool_share : float
        Most of the fee pool that an hour of funding may pay out [1].
    window : float
        Time constant of the averages [s].
    interval : int
        Between advances [s].
    """

    divergence: Floats
    band: Floats
    offset: float = 1 / 5_000
    mark_divergence: float = 0.1
    pool_share: float = 1 / 3
    window: float = HOUR
    interval: int = HOUR


def premium(oracle: Ints, impact_bid: Floats, impact_ask: Floats) -> Floats:
    """Distance of the book from the index, (m,) [1]: 0 while the index lies between the impact prices.

    Parameters
    ----------
    oracle : (m,) int64
        Index price [micro-USD per lot].
    impact_bid, impact_ask : (m,) float64
        Average price of an order for the impact notional; 0 or NaN without that depth, a premium of 0.
    """
    above = np.where(impact_bid > oracle, impact_bid - oracle, 0.0)
    below = np.where((impact_ask < oracle) & (impact_ask > 0), impact_ask - oracle, 0.0)
    return (above + below) / oracle


def sample(shown: Observation) -> Floats:
    """Premium now, (m,) [ppm]; 0 without an index price that may be used."""
    found = premium(shown.oracle, shown.impact_bid, shown.impact_ask) * PPM
    return np.where(shown.oracle_ok, found, 0.0)


def gather_votes(funding: Funding, rule: PremiumRule, shown: Observation, seconds: float) -> Funding:
    """Add a sample that stood for `seconds`, clamped and truncated to whole ppm."""
    bound = rule.sample_clamp * rule.margin_gap // PPM
    votes = np.trunc(np.clip(sample(shown), -bound, bound))
    return funding._replace(gathered=funding.gathered + votes * seconds)


def gather_premium(funding: Funding, shown: Observation, seconds: float) -> Funding:
    """Add a sample that stood for `seconds`."""
    return funding._replace(gathered=funding.gathered + sample(shown) * seconds)


def average_premium(funding: Funding, elapsed: Floats) -> Floats:
    """Average premium, (m,) [ppm]; time that was not observed counts as 0."""
    return np.divide(funding.gathered, elapsed, out=np.zeros_like(elapsed), where=elapsed > 0)


def rate_from_votes(funding: Funding, rule: PremiumRule, elapsed: Floats) -> Ints:
    """Rate that longs pay, (m,) int64 [ppm per 8 h]: the truncated average plus the default, clamped."""
    average = np.trunc(average_premium(funding, elapsed)).astype(np.int64)
    bound = rule.rate_clamp * rule.margin_gap // PPM
    return np.clip(average + rule.default_rate, -bound, bound)


def truncated_share(rate: Ints, oracle: Ints, elapsed: Floats) -> Ints:
    """Step of a rate [ppm per 8 h] that was paid for `elapsed` [s], truncated toward zero; each (m,)."""
    steps = np.zeros_like(rate)
    for market in range(len(rate)):
        owed = int(rate[market]) * int(oracle[market]) * FUNDING_SCALE * int(elapsed[market])
        step = abs(owed) // (RATE_SECONDS * PPM)
        steps[market] = step if owed >= 0 else -step
    return steps


def charge_votes(
    funding: Funding, rule: PremiumRule, shown: Observation, elapsed: Floats
) -> tuple[Funding, Steps]:
    """Charge the rate for the time elapsed, (m,) [s]; what truncation drops is lost, as at the venue."""
    rate = rate_from_votes(funding, rule, elapsed)
    step = truncated_share(rate, shown.oracle, elapsed)
    return funding._replace(rate=rate / PPM), Steps(step, step)


def charge_interest(
    funding: Funding, rule: InterestRule, shown: Observation, elapsed: Floats
) -> tuple[Funding, Steps]:
    """Charge the average premium, pulled toward the interest rate and capped, on notional at the index."""
    average = average_premium(funding, elapsed) / PPM
    pulled = average + np.clip(rule.interest - average, -rule.pull, rule.pull)
    rate = np.clip(pulled, -8 * rule.cap, 8 * rule.cap)
    owed = rate * (elapsed / RATE_SECONDS) * shown.oracle * FUNDING_SCALE
    step, remainder = carry_down(owed, funding.remainder)
    return funding._replace(rate=rate, remainder=remainder), Steps(step, step)


def moved_average(average: Floats, price: Floats, band: Floats, weight: float) -> Floats:
    """Average after `price`, held within `band` of it, has entered with `weight`; each (m,)."""
    held = np.clip(price, average * (1 - band), average * (1 + band))
    return np.where(average > 0, average + (held - average) * weight, price)


def own_price(shown: Observation) -> Floats:
    """The venue's price, (m,) float64; the index where its book or curve shows none."""
    return np.where(shown.mid > 0, shown.mid, shown.oracle)


def average_prices(funding: Funding, rule: TwapRule, shown: Observation, seconds: float) -> Funding:
    """Move both averages on by `seconds`; they stand still without an index price that may be used."""
    weight = float(-np.expm1(-seconds / rule.window))
    mark = moved_average(funding.mark_average, own_price(shown), rule.band, weight)
    oracle = moved_average(funding.oracle_average, shown.oracle.astype(np.float64), rule.band, weight)
    return funding._replace(
        mark_average=np.where(shown.oracle_ok, mark, funding.mark_average),
        oracle_average=np.where(shown.oracle_ok, oracle, funding.oracle_average),
    )


def daily_spread(funding: Funding, rule: TwapRule) -> Floats:
    """What longs would pay in a day, (m,) [micro-USD per lot]."""
    spread = funding.mark_average - funding.oracle_average * (1 - rule.offset)
    bound = rule.divergence * funding.oracle_average
    return np.clip(spread, -bound, bound)


def charge_twap(
    funding: Funding, rule: TwapRule, shown: Observation, elapsed: Floats
) -> tuple[Funding, Steps]:
    """Charge the spread for the time elapsed; receivers get no more than payers and the fee pool give.

    Time that ends while the index may not be used, or while the venue's price has left it, is not paid.
    """
    apart = np.abs(own_price(shown) / shown.oracle - 1) > rule.mark_divergence
    valid = shown.oracle_ok & ~apart & (funding.oracle_average > 0)
    spread = np.where(valid, daily_spread(funding, rule), 0.0)
    index = np.where(valid, funding.oracle_average, 1.0)
    step, remainder = carry_down(spread * (elapsed / DAY) * FUNDING_SCALE, funding.remainder)
    charged = funding._replace(rate=spread / index * (RATE_SECONDS / DAY), remainder=remainder)
    return charged, within_fee_pool(step, shown, 1 - (1 - rule.pool_share) ** (elapsed / HOUR))


def within_fee_pool(step: Ints, shown: Observation, share: Floats) -> Steps:
    """Steps of both sides when the counterparty adds at most `share` of the fee pool to what payers pay.

    Parameters
    ----------
    step : (m,) int64
        What payers pay for each lot, positive when these are the longs.
    share : (m,) float64
        Part of the fee pool that may be spent [1].
    """
    long, short = step.copy(), step.copy()
    for market, amount in enumerate(step.tolist()):
        longs, shorts = int(shown.long_interest[market]), int(shown.short_interest[market])
        payers, receivers = (longs, shorts) if amount > 0 else (shorts, longs)
        budget = int(max(int(shown.fee_pool[market]), 0) * FUNDING_SCALE * float(share[market]))
        available = abs(amount) * payers + budget
        if abs(amount) * receivers > available:
            received = available // receivers
            if amount > 0:
                short[market] = received
            else:
                long[market] = -received
    return Steps(long, short)
