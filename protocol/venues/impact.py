"""What a liquidity pool charges for the imbalance of its users, and the numbers of its rules.

Orders execute at the oracle price; what an order adds to, or takes from, the difference between longs and
shorts costs or earns a price impact that grows with a power of that difference.

References
----------
.. [1] GMX synthetics, pricing/PricingUtils.sol and pricing/PositionPricingUtils.sol.
"""

from typing import Any, NamedTuple

import numpy as np

from protocol.arithmetic import MICRO, PPM, ppm_floor
from protocol.book import Book, Floats, Ints
from protocol.kernels import kernel

MICRO_USD = 1e-6


class PoolParameters(NamedTuple):
    """Numbers of the pools' rules that governance may change, one entry for each market.

    Attributes
    ----------
    factor_negative, factor_positive : (m,) float64
        Price impact of an imbalance of 1 USD [USD], for orders that worsen and that improve it.
    exponent_negative, exponent_positive : (m,) float64
        How the impact grows with the imbalance in USD [1].
    cap_negative, cap_positive : (m,) int64
        Largest impact that a close pays and gains, over its notional [ppm].
    liquidation_impact : (m,) int64
        Largest impact of a close that the liquidation test counts, over notional [ppm].
    lendable_share, lendable_maximum : (m,) int64
        What the pool lends to its impact purse, over its backing [ppm], and at most [micro-USD].
    underlying : (m,) int64
        Markets of the same number share one underlying, so that their imbalances add up.
    spread : (m,) int64
        Distance between the highest and the lowest oracle price, over the price [ppm].
    fee_worsens, fee_improves : (m,) int64
        Fee of orders that worsen the balance, and of those that improve it [ppm].
    liquidation_fee : (m,) int64
        Added to the fee of a close by liquidation [ppm].
    receiver_share : (m,) int64
        What the fee sink gets of a fee; the pool keeps the rest [ppm].
    long_share : (m,) int64
        Part of the pool's backing that stands behind longs; the rest is for shorts [ppm].
    interest_cap : (m,) int64
        Open interest that either side may reach, at cost [micro-USD].
    reserve : (m,) int64
        Largest open interest of a side over its backing [ppm].
    gain_cap : (m,) int64
        What the traders of a side may gain together, over its backing [ppm].
    gain_deposits, gain_exits : (m,) int64
        Gain of a side over its backing beyond which liquidity providers may not enter, or leave [ppm].
    gain_trigger, gain_target : (m,) int64
        Gain over backing at which winners are deleveraged, 0 for never, and to which [ppm].
    """

    factor_negative: Floats
    factor_positive: Floats
    exponent_negative: Floats
    exponent_positive: Floats
    cap_negative: Ints
    cap_positive: Ints
    liquidation_impact: Ints
    lendable_share: Ints
    lendable_maximum: Ints
    underlying: Ints
    spread: Ints
    fee_worsens: Ints
    fee_improves: Ints
    liquidation_fee: Ints
    receiver_share: Ints
    long_share: Ints
    interest_cap: Ints
    reserve: Ints
    gain_cap: Ints
    gain_deposits: Ints
    gain_exits: Ints
    gain_trigger: Ints
    gain_target: Ints


DEFAULTS = {
    "cap_negative": 5_000,
    "cap_positive": 4_000,
    "liquidation_impact": 0,
    "lendable_share": 100_000,
    "lendable_maximum": 50_000 * MICRO,
    "spread": 0,
    "fee_worsens": 600,
    "fee_improves": 400,
    "liquidation_fee": 2_000,
    "receiver_share": 370_000,
    "long_share": 500_000,
    "interest_cap": 1_000_000_000 * MICRO,
    "reserve": 900_000,
    "gain_cap": 900_000,
    "gain_deposits": 900_000,
    "gain_exits": 700_000,
    "gain_trigger": 850_000,
    "gain_target": 770_000,
}
IMPACT_DEFAULTS = {
    "factor_negative": 2.5e-10,
    "factor_positive": 1.25e-10,
    "exponent_negative": 2.2,
    "exponent_positive": 1.0,
}
BOUNDS = {
    **dict.fromkeys(("exponent_negative", "exponent_positive"), (1.0, 3.0)),
    **dict.fromkeys(("cap_negative", "cap_positive", "receiver_share", "long_share", "spread"), (0.0, 1.0)),
    **dict.fromkeys(("gain_cap", "gain_deposits", "gain_exits", "gain_trigger", "gain_target"), (0.0, 1.0)),
}


def pool_parameters(markets: int, **changes: Any) -> PoolParameters:
    """The rules of markets that no table names, with changes: a number for all markets, or one for each.

    References
    ----------
    .. [1] GMX synthetics, config/markets.ts: the common configuration of markets, and APE's price impact,
       halved because later code has lost a factor of one half.
    """
    whole = DEFAULTS | {key: value for key, value in changes.items() if key in DEFAULTS}
    real = IMPACT_DEFAULTS | {key: value for key, value in changes.items() if key in IMPACT_DEFAULTS}
    unknown = changes.keys() - whole.keys() - real.keys() - {"underlying"}
    if unknown:
        raise ValueError(f"PoolParameters has no field {', '.join(sorted(unknown))}")
    underlying = np.asarray(changes.get("underlying", np.arange(markets)), np.int64)
    columns: dict[str, Any] = {
        **{key: np.broadcast_to(value, markets).astype(np.int64) for key, value in whole.items()},
        **{key: np.broadcast_to(value, markets).astype(np.float64) for key, value in real.items()},
    }
    return PoolParameters(underlying=underlying, **columns)


def pool_violations(rule: PoolParameters) -> list[str]:
    """Sentences on each constraint that a pool's numbers break; empty when they may be enacted.

    References
    ----------
    .. [1] GMX synthetics, config/ConfigUtils.sol, validateRange: the bounds of exponents and gains.
    """
    found = []
    for name, value in rule._asdict().items():
        low, high = BOUNDS.get(name, (0.0, np.inf))
        given = value / PPM if name in DEFAULTS else value
        found += [
            f"{low:g} <= {name} <= {high:g} must hold, got {given[market]:g} (market {market})"
            for market in np.flatnonzero(~((given >= low) & (given <= high)))
        ]
    found += [
        f"gain_target <= gain_trigger must hold, got gain_target={rule.gain_target[market] / PPM}, "
        f"gain_trigger={rule.gain_trigger[market] / PPM} (market {market})"
        for market in np.flatnonzero(rule.gain_target > rule.gain_trigger)
    ]
    return found


@kernel
def side_price(rule: PoolParameters, market: int, price: int, buying: bool) -> int:
    """The worse end of the oracle's range for who buys or sells [micro-USD per lot]."""
    half = -(-price * rule.spread[market] // (2 * PPM))
    return price + half if buying else price - half


@kernel
def imbalance_price(rule: PoolParameters, market: int, imbalance: int, improving: bool) -> float:
    """What an imbalance of longs and shorts is priced at [micro-USD]; nothing below one USD.

    The price for improving it is never above that for worsening it: of both factors and both exponents the
    smaller one counts.
    """
    usd = imbalance * MICRO_USD
    if usd < 1.0:
        return 0.0
    factor, exponent = rule.factor_negative[market], rule.exponent_negative[market]
    if improving:
        factor = min(factor, rule.factor_positive[market])
        exponent = min(exponent, rule.exponent_positive[market])
    return float(factor * usd**exponent / MICRO_USD)


@kernel
def price_impact(rule: PoolParameters, market: int, skew: int, change: int) -> int:
    """What an order gains (or, negative, pays) for moving the skew [micro-USD], rounded toward −∞.

    Parameters
    ----------
    skew, change : int
        Longs minus shorts, and the order's notional, positive for a purchase [micro-USD].
    """
    before, after = abs(skew), abs(skew + change)
    if skew != 0 and after != 0 and (skew > 0) != (skew + change > 0):
        gained = imbalance_price(rule, market, before, True)
        return int(np.floor(gained - imbalance_price(rule, market, after, False)))
    improving = after < before
    moved = imbalance_price(rule, market, before, improving) - imbalance_price(rule, market, after, improving)
    return int(np.floor(moved))


@kernel
def user_skew(book: Book, market: int) -> int:
    """Longs minus shorts of everybody but the pool [lots]."""
    return -book.size[market, book.counterparty[market]]


@kernel
def shared_skew(book: Book, rule: PoolParameters, market: int) -> int:
    """Longs minus shorts of all markets on the same underlying [micro-USD]."""
    total = 0
    for other in range(book.oracle.size):
        if rule.underlying[other] == rule.underlying[market]:
            total += user_skew(book, other) * book.oracle[other]
    return total


@kernel
def order_impact(book: Book, rule: PoolParameters, market: int, change: int) -> int:
    """Price impact of buying `change` lots [micro-USD], capped when it is a gain.

    An order that pays is also judged by the imbalance of all markets on the same underlying, and pays the
    more.
    """
    price = book.oracle[market]
    moved = change * price
    impact = price_impact(rule, market, user_skew(book, market) * price, moved)
    if impact < 0:
        return min(impact, price_impact(rule, market, shared_skew(book, rule, market), moved))
    cap = min(rule.cap_positive[market], rule.cap_negative[market])
    return min(impact, ppm_floor(abs(moved), cap))


@kernel
def balance_improves(book: Book, market: int, change: int) -> bool:
    """Whether buying `change` lots brings longs and shorts closer together."""
    skew = user_skew(book, market)
    return abs(skew + change) < abs(skew)
