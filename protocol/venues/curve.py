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
def side_reserves(curve: Curve, market: int, position: float, shift: float) -> tuple[float, float]:
    """Reserves moved along the curve until the price is 1 + `shift` times as high.

    The venue moves the quote reserve by half the spread; the square root makes bid and ask exact.
    """
    base, quote = reserves(curve, market, position)
    factor = np.sqrt(1.0 + shift)
    return base / factor, quote * factor


@kernel
def trade_value(base: float, quote: float, peg: float, change: float) -> float:
    """Cash that a taker pays for `change` lots from these reserves [micro-USD]; negative for a sale."""
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
def affordable_peg(curve: Curve, market: int, position: float, price: float, budget: float) -> float:
    """Peg that puts the curve at `price`, or as near to it as the budget reaches [micro-USD per lot].

    A peg that lowers the closing value of the position costs the difference; one that raises it is free.
    """
    base, quote = reserves(curve, market, position)
    peg, wanted = curve.peg[market], price * base / quote
    cost = closing_value(curve, market, position) * (1.0 - wanted / peg)
    if cost <= budget or cost <= 0.0:
        return wanted
    return peg + (wanted - peg) * max(budget, 0.0) / cost


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
