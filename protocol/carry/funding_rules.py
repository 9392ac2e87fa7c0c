"""What all funding rules share: what they read, what they remember, and the steps that they hand to the book.

A step is added to the book's funding index of a side [micro-USD per lot / FUNDING_SCALE]. A positive step of
the longs is paid by longs, a positive step of the shorts is received by shorts; where the two differ, a
counterparty (AMM, liquidity pool) takes `long · longs − short · shorts`.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import Floats, Ints, Mask

HOUR = 3_600
RATE_SECONDS = 8 * HOUR
DAY = 24 * HOUR
YEAR = 365 * DAY


class Observation(NamedTuple):
    """All that a funding rule may read, each (m,).

    Attributes
    ----------
    oracle : int64
        Index price [micro-USD per lot], > 0.
    mid : float64
        The venue's own price between bid and ask [micro-USD per lot]; 0 or NaN where there is none.
    impact_bid, impact_ask : float64
        Average price of an order for the impact notional [micro-USD per lot]; 0 or NaN without that depth.
    long_interest, short_interest : int64
        Positions of users on each side [lots], both ≥ 0; an AMM or a pool is no user.
    oracle_ok : bool
        Whether the venue's guards let funding use the index price.
    usage_long, usage_short : float64
        What the positions of a side reserve, over what the pool may reserve for them [1].
    fee_pool : int64
        Fees from which an AMM may pay funding [micro-USD].
    """

    oracle: Ints
    mid: Floats
    impact_bid: Floats
    impact_ask: Floats
    long_interest: Ints
    short_interest: Ints
    oracle_ok: Mask
    usage_long: Floats
    usage_short: Floats
    fee_pool: Ints


class Steps(NamedTuple):
    """What to add to the funding index of longs and of shorts, each (m,) int64."""

    long: Ints
    short: Ints


class Funding(NamedTuple):
    """What funding remembers between blocks, each (m,); a rule leaves alone what it does not need.

    Attributes
    ----------
    since : float64
        When the index last advanced [s].
    rate : float64
        Rate of that advance, positive when longs pay [1 per 8 h].
    remainder : float64
        Part of a step that whole numbers dropped [step]; the next step carries it.
    gathered : float64
        Premium summed over the time since the last advance [ppm · s].
    mark_average, oracle_average : float64
        Averages of the venue's price and of the index [micro-USD per lot]; 0 before the first observation.
    level : float64
        Rate of the rules that change it continuously [1/s].
    dust : int64
        Paid by one side and not yet handed to the other [step · lots].
    """

    since: Floats
    rate: Floats
    remainder: Floats
    gathered: Floats
    mark_average: Floats
    oracle_average: Floats
    level: Floats
    dust: Ints


def open_funding(markets: int, time: float) -> Funding:
    """Funding of markets that open at `time` [s]."""
    nothing = np.zeros(markets)
    return Funding(
        since=np.full(markets, float(time)),
        rate=nothing,
        remainder=nothing,
        gathered=nothing,
        mark_average=nothing,
        oracle_average=nothing,
        level=nothing,
        dust=np.zeros(markets, np.int64),
    )


def time_due(since: Floats, interval: float, time: float, ready: Mask) -> Floats:
    """Time that an advance now charges, (m,) [s]: 0 while the interval lasts, or a market is not ready."""
    elapsed = time - since
    return np.where(ready & (elapsed >= interval), elapsed, 0.0)


def carry_down(owed: Floats, remainder: Floats) -> tuple[Ints, Floats]:
    """Whole steps now due, rounded toward −∞, and the part in [0, 1] that is left for the next."""
    total = owed + remainder
    whole = np.floor(total)
    return whole.astype(np.int64), total - whole


def carry_up(owed: Floats, remainder: Floats) -> tuple[Ints, Floats]:
    """Whole steps now due, rounded toward +∞, and the part in [−1, 0] that they run ahead."""
    whole, left = carry_down(-owed, -remainder)
    return -whole, -left
