"""The virtual curve of an AMM: a constant product with a peg, and what moving it costs.

Reserves are virtual: only the AMM's position and cash in the book are real. With a position of q lots the
base reserve is x = centre + q, the quote reserve y = root² / x, and the price peg · y / x. A curve opens
with centre = root, so that an AMM without a position stands at the peg.

References
----------
.. [1] Drift protocol-v2, math/cp_curve.rs and math/repeg.rs.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import Floats
from protocol.kernels import kernel

ONE_PERCENT = float(np.sqrt(1.01) - 1.0)


class Curve(NamedTuple):
    """The virtual reserves of each market's AMM, each (m,) float64, changed in place.

    Attributes
    ----------
    centre : float64
        Base reserve at which the AMM would hold nothing [lots].
    root : float64
        Square root of the product of the reserves [lots].
    peg : float64
        Value of a unit of the quote reserve [micro-USD per lot].
    """

    centre: Floats
    root: Floats
    peg: Floats


def open_curve(price: Floats, depth: Floats) -> Curve:
    """Curves at `price` whose price a trade of `depth` moves by 1 %, both (m,).

    Parameters
    ----------
    price : (m,) ndarray
        Opening price and peg [micro-USD per lot].
    depth : (m,) ndarray
        Cash that buys the price up by 1 % [micro-USD]; the virtual reserves are worth 200.5 times as much.
    """
    broken = np.flatnonzero((np.asarray(price) <= 0) | (np.asarray(depth) <= 0))
    if len(broken):
        market = int(broken[0])
        raise ValueError(
            f"price > 0 and depth > 0 must hold, got price={price[market]}, depth={depth[market]} "
            f"micro-USD (market {market})"
        )
    peg = np.array(price, np.float64)
    root = depth / (peg * ONE_PERCENT)
    return Curve(root.copy(), root, peg)


@kernel
def reserves(curve: Curve, market: int, position: float) -> tuple[float, float]:
    """Base and quote reserve of a market [lots]."""
    base = curve.centre[market] + position
    return base, curve.root[market] ** 2 / base


@kernel
def curve_price(curve: Curve, market: int, position: float) -> float:
    """Marginal price of the curve, without its spread [micro-USD per lot]."""
    base, quote = reserves(curve, market, position)
    return curve.peg[market] * quote / base


@kernel
def closing_value(curve: Curve, market: int, position: float) -> float:
    """Cash that the AMM would get by trading its position away along the curve [micro-USD]."""
    quote = reserves(curve, market, position)[1]
    return curve.peg[market] * quote * position / curve.centre[market]


@kernel
def trade_value(base: float, quote: float, peg: float, change: float) -> float:
    """Cash that a taker pays for `change` lots from these reserves [micro-USD]; negative for a sale.

    A spread multiplies the peg: then a trade in parts costs what the whole does, which reserves shifted by
    the spread, as the venue has them, give only to first order.
    """
    return peg * quote * change / (base - change)


@kernel
def lots_until(base: float, root: float, peg: float, price: float) -> float:
    """Lots that a taker has to buy until the marginal price is `price`; negative if it stands higher."""
    return base - root * np.sqrt(peg / price)


@kernel
def cash_lots(base: float, quote: float, peg: float, sign: float, cash: float) -> float:
    """Lots that `cash` buys (sign 1), or that have to be sold for it (sign −1); unlimited if never enough."""
    below = peg * quote + sign * cash
    return cash * base / below if below > 0.0 else np.inf


@kernel
def open_sides(curve: Curve, market: int, position: float, concentration: float) -> tuple[float, float]:
    """Lots that the AMM can still buy and still sell inside the band of its reserves.

    The base reserve stays within a factor `concentration` of the centre.
    """
    centre = curve.centre[market]
    base = centre + position
    return max(centre * concentration - base, 0.0), max(base - centre / concentration, 0.0)


@kernel
def peg_at(curve: Curve, market: int, position: float, price: float) -> float:
    """Peg that puts the curve at `price`."""
    base, quote = reserves(curve, market, position)
    return price * base / quote


@kernel
def peg_cost(curve: Curve, market: int, position: float, peg: float) -> float:
    """What a new peg takes from the closing value of the position [micro-USD]; negative for a gain."""
    return closing_value(curve, market, position) * (1.0 - peg / curve.peg[market])


@kernel
def affordable_peg(curve: Curve, market: int, position: float, price: float, budget: float) -> float:
    """Peg that puts the curve at `price`, or as near to it as the budget reaches [micro-USD per lot]."""
    peg, wanted = curve.peg[market], peg_at(curve, market, position, price)
    cost = peg_cost(curve, market, position, wanted)
    if cost <= max(budget, 0.0):
        return wanted
    return peg + (wanted - peg) * max(budget, 0.0) / cost


@kernel
def tethered_peg(
    curve: Curve, market: int, position: float, oracle: float, half: float, budget: float
) -> float:
    """Affordable peg, but one that leaves the curve no farther from the oracle than `half` [1].

    That much the AMM follows on credit, as the venue lets its fee pool fall below zero for it.

    References
    ----------
    .. [1] Drift protocol-v2, math/repeg.rs, calculate_optimal_peg_and_budget.
    """
    peg = affordable_peg(curve, market, position, oracle, budget)
    low = peg_at(curve, market, position, oracle * (1.0 - half))
    high = peg_at(curve, market, position, oracle * (1.0 + half))
    return min(max(peg, low), high)


@kernel
def budgeted_scale(
    curve: Curve, market: int, position: float, budget: float, bounds: tuple[float, float]
) -> float:
    """Factor of both reserves whose cost in closing value is `budget` [micro-USD], within `bounds`.

    Deeper reserves cost an AMM with a position a part of what closing would bring; a negative budget is
    recovered by shallower ones. With D = peg · y · q² and T = x − q the cost of a factor s is
    D (s − 1) / (T (s x − q)).
    """
    lowest, highest = bounds
    base, quote = reserves(curve, market, position)
    terminal = curve.centre[market]
    weight = curve.peg[market] * quote * position * position
    below = weight - budget * base * terminal
    if budget > 0.0 and below <= 0.0:
        return highest
    if weight == 0.0:
        return 1.0 if budget <= 0.0 else highest
    return min(max((weight - budget * position * terminal) / below, lowest), highest)


@kernel
def rescale(curve: Curve, market: int, position: float, scale: float) -> None:
    """Multiply both reserves by `scale`; the price stays."""
    base = reserves(curve, market, position)[0]
    curve.root[market] *= scale
    curve.centre[market] = base * scale - position


@kernel
def fits(curve: Curve, market: int, position: float, scale: float, concentration: float) -> bool:
    """Whether the position stays inside the band of reserves that are multiplied by `scale`."""
    base = reserves(curve, market, position)[0] * scale
    return base / concentration <= base - position <= base * concentration
