"""How far an AMM's bid and ask stand from its curve.

References
----------
.. [1] Drift protocol-v2, math/amm_spread.rs.
"""

from typing import NamedTuple

import numpy as np

from protocol.kernels import kernel

LARGEST_SCALE = 10.0
RETREAT_REVENUE = 25e6
WIDEST_BID = 0.999999


class Spread(NamedTuple):
    """What a curve's spread depends on; money in micro-USD, prices in micro-USD per lot.

    Attributes
    ----------
    least, widest : float
        Distance of bid and ask while all is calm, and the most it may grow to [1].
    volatility : float
        Half-spread that covers the oracle's movement [1].
    price, oracle : float
        Of the curve, and the index.
    position : float
        Of the AMM [lots], long > 0.
    inventory : float
        Position over what the AMM can still take on its smaller side, at most 1.
    slippage : float
        What closing the position along the curve loses against its price.
    pool : float
        The AMM's fee pool.
    revenue : float
        Of the AMM since its depth was last revised.
    """

    least: float
    widest: float
    volatility: float
    price: float
    oracle: float
    position: float
    inventory: float
    slippage: float
    pool: float
    revenue: float


@kernel
def inventory_scales(given: Spread, spread: float) -> float:
    """Factor of the spread on the side that would add to the AMM's position."""
    scale = min(1.0 + LARGEST_SCALE * given.inventory, LARGEST_SCALE)
    if given.pool > 0.0:
        scale *= min(1.0 + max(given.slippage, 0.0) / given.pool, LARGEST_SCALE)
    return spread * scale


@kernel
def revenue_retreat(given: Spread) -> float:
    """Half-spread added after losses of more than 25 USD, at most a tenth of the widest spread [1]."""
    if given.revenue >= -RETREAT_REVENUE:
        return 0.0
    return min(given.widest / 10.0, given.least * -given.revenue / RETREAT_REVENUE)


@kernel
def half_spreads(given: Spread) -> tuple[float, float]:
    """Distance of bid and of ask from the curve's price [1].

    In turn: half the least spread, or the volatility; on the side that would trade through the oracle, the
    gap to it and the volatility on top; on the side that adds to the position, the inventory and what
    closing would lose over the fee pool; ten times as much while the fee pool is empty; a retreat after
    losses; and a cap on the sum of both. Unlike the venue's, the cap never lets the AMM trade on the wrong
    side of the oracle.
    """
    gap = (given.price - given.oracle) / given.price
    bid = ask = max(given.least / 2.0, given.volatility)
    if gap < 0.0:
        ask = max(ask, -gap + given.volatility)
    else:
        bid = max(bid, gap + given.volatility)
    if given.position < 0.0:
        ask = inventory_scales(given, ask)
    elif given.position > 0.0:
        bid = inventory_scales(given, bid)
    if given.pool <= 0.0:
        bid, ask = bid * LARGEST_SCALE, ask * LARGEST_SCALE
    retreat = revenue_retreat(given)
    bid += retreat if given.position > 0.0 else retreat / 2.0
    ask += retreat if given.position < 0.0 else retreat / 2.0
    allowed = max(given.widest, abs(gap))
    shrink = min(allowed / (bid + ask), 1.0) if bid + ask > 0.0 else 1.0
    return min(max(bid * shrink, gap), WIDEST_BID), max(ask * shrink, -gap)


@kernel
def moving_variance(variance: float, change: float, seconds: float, window: float) -> float:
    """Exponential average of squared log returns per second, over `window` seconds [1/s]."""
    kept = np.exp(-seconds / window)
    return variance * kept + (1.0 - kept) * change * change / seconds
