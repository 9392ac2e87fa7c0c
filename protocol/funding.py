"""Funding: what longs pay shorts for the venue's price standing above the index.

References
----------
.. [1] dYdX v4-chain, x/perpetuals: premium votes, samples each minute, a tick each hour.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import FUNDING_SCALE, Book, Floats, Ints
from protocol.parameters import RiskParameters

RATE_SECONDS = 28_800
PREMIUM_CLAMP = 60


class Premiums(NamedTuple):
    """Premium gathered since the last tick, (m,) float64 [1 · s], and when that tick was [s]."""

    gathered: Floats
    since: float


def premium(oracle: Ints, impact_bid: Floats, impact_ask: Floats) -> Floats:
    """Distance of the book from the index, (m,) [1]: 0 while the index lies between the impact prices.

    Parameters
    ----------
    oracle : (m,) int64
        Index price [micro-USD per lot].
    impact_bid, impact_ask : (m,) float64
        Average price of an order for the impact notional; 0 where the depth is less, which counts as 0.
    """
    above = np.where((impact_bid > oracle) & (impact_bid > 0), impact_bid / oracle - 1.0, 0.0)
    below = np.where((impact_ask < oracle) & (impact_ask > 0), impact_ask / oracle - 1.0, 0.0)
    return above + below


def margin_gap(parameters: RiskParameters) -> Ints:
    """Initial minus maintenance margin of each market, (m,) int64 [ppm]."""
    return parameters.initial - parameters.maintenance


def gather(premiums: Premiums, sample: Floats, seconds: float, parameters: RiskParameters) -> Premiums:
    """Add a premium, (m,) [1], that stood for `seconds`; clamped to ±60 times the margin gap."""
    bound = PREMIUM_CLAMP * margin_gap(parameters) / PPM
    return premiums._replace(gathered=premiums.gathered + np.clip(sample, -bound, bound) * seconds)


def funding_rate(premiums: Premiums, interval: float, parameters: RiskParameters) -> Ints:
    """Rate per 8 hours that longs pay, (m,) int64 [ppm], truncated toward zero.

    The average premium over the interval plus the default rate, within `funding_clamp` times the gap of
    initial and maintenance margin.
    """
    average = premiums.gathered / interval * PPM + parameters.funding_default
    bound = parameters.funding_clamp * margin_gap(parameters) // PPM
    return np.trunc(np.clip(average, -bound, bound)).astype(np.int64)


def advance_index(book: Book, rate: Ints, interval: int) -> None:
    """Add one interval's payment per lot to the funding index, truncated toward zero.

    Parameters
    ----------
    rate : (m,) int64
        Rate per 8 hours [ppm].
    interval : int
        Length of the interval [s].
    """
    for market, ppm in enumerate(rate.tolist()):
        owed = ppm * int(book.oracle[market]) * FUNDING_SCALE * interval
        step = abs(owed) // (RATE_SECONDS * PPM)
        book.funding[:, market] += step if owed >= 0 else -step
