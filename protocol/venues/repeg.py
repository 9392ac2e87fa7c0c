"""How a virtual AMM follows its oracle: peg, depth, spread, and how much it trades in a block.

References
----------
.. [1] Drift protocol-v2, controller/amm.rs, controller/repeg.rs.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Book, Floats, Ints, Mask, move_cash, settle_funding, unsettled_funding
from protocol.kernels import kernel
from protocol.venues.curve import (
    Curve,
    affordable_peg,
    budgeted_scale,
    closing_value,
    curve_price,
    fits,
    open_sides,
    rescale,
    tethered_peg,
)
from protocol.venues.ladder import ASK, BID
from protocol.venues.spread import Spread, half_spreads, moving_variance

HOUR = 3600.0


class AmmParameters(NamedTuple):
    """The AMM's rules as numbers.

    Attributes
    ----------
    least_spread, widest_spread : (m,) int64
        Distance of bid and ask in calm, and its cap [ppm].
    volatility_share : int
        Part of the hourly standard deviation of the oracle that a half-spread covers [ppm].
    volatility_window : float
        Memory of that deviation [s].
    concentration : int
        Factor by which the base reserve may leave its centre either way [ppm].
    fill_share : int
        Part of the base reserve that the AMM trades on a side in a slot [ppm].
    slot : float
        Length of the venue's own block [s].
    pool_share : int
        Part of the taker's fee that goes to the AMM's fee pool when the AMM fills [ppm].
    depth_rise, depth_fall : int
        Most by which the reserves grow or shrink at once [ppm].
    depth_interval : float
        Time between revisions of the depth [s].
    credit : bool
        Whether the curve follows the oracle to within half of the widest spread even when the fee pool
        cannot pay for it.

    References
    ----------
    .. [1] Drift protocol-v2, math/constants.rs: MAX_K_BPS_INCREASE, MAX_K_BPS_DECREASE,
       MAX_CONCENTRATION_COEFFICIENT.
    """

    least_spread: Ints
    widest_spread: Ints
    volatility_share: int = 100_000
    volatility_window: float = HOUR
    concentration: int = 1_414_200
    fill_share: int = 10_000
    slot: float = 0.4
    pool_share: int = 500_000
    depth_rise: int = 1_000
    depth_fall: int = 22_000
    depth_interval: float = HOUR
    credit: bool = True


class State(NamedTuple):
    """What changes: the curve, and what the AMM quotes on it.

    Attributes
    ----------
    curve : Curve
    spread : (2, m) float64
        Distance of bid and of ask from the curve's price [1].
    room : (2, m) int64
        Lots that the AMM still buys and still sells in this block; 0 while its oracle is not usable.
    variance : (m,) float64
        Of the oracle's log returns [1/s].
    seen : (m,) int64
        The oracle's price at the last refresh [micro-USD per lot].
    pool : (m,) int64
        The fee pool when the depth was last revised [micro-USD].
    """

    curve: Curve
    spread: Floats
    room: Ints
    variance: Floats
    seen: Ints
    pool: Ints


@kernel
def whole_value(book: Book, curve: Curve, market: int) -> int:
    """Closing value of the AMM's position, to the nearest micro-USD."""
    return int(np.rint(closing_value(curve, market, float(book.size[market, book.counterparty[market]]))))


@kernel
def pass_on_funding(book: Book, market: int) -> None:
    """Settle the AMM's funding into its fee pool."""
    account = book.counterparty[market]
    received = unsettled_funding(book, account)
    settle_funding(book, account)
    move_cash(book, account, book.impact[market], received)


@kernel
def revise_peg(book: Book, state: State, parameters: AmmParameters, market: int) -> None:
    """Move the peg toward the oracle, at the expense or to the gain of the fee pool."""
    curve, oracle, purse = state.curve, float(book.oracle[market]), book.impact[market]
    position = float(book.size[market, book.counterparty[market]])
    budget, before = float(book.cash[purse]), whole_value(book, curve, market)
    if parameters.credit:
        half = parameters.widest_spread[market] / PPM / 2.0
        curve.peg[market] = tethered_peg(curve, market, position, oracle, half, budget)
    else:
        curve.peg[market] = affordable_peg(curve, market, position, oracle, budget)
    move_cash(book, purse, book.counterparty[market], before - whole_value(book, curve, market))


@kernel
def revise_depth(book: Book, state: State, parameters: AmmParameters, market: int) -> None:
    """Deepen the reserves at the cost of half of what the fee pool has gained since the last revision.

    What it has lost is recovered by half from shallower ones, unless the position would no longer fit.
    """
    curve, purse = state.curve, book.impact[market]
    position, before = float(book.size[market, book.counterparty[market]]), whole_value(book, curve, market)
    budget = min((book.cash[purse] - state.pool[market]) / 2.0, max(float(book.cash[purse]), 0.0))
    bounds = (1.0 - parameters.depth_fall / PPM, 1.0 + parameters.depth_rise / PPM)
    scale = budgeted_scale(curve, market, position, budget, bounds)
    if scale > 1.0 or fits(curve, market, position, scale, parameters.concentration / PPM):
        rescale(curve, market, position, scale)
    move_cash(book, purse, book.counterparty[market], before - whole_value(book, curve, market))
    state.pool[market] = book.cash[purse]


@kernel
def revise_spread(book: Book, state: State, parameters: AmmParameters, market: int) -> None:
    """Set the AMM's bid and ask around the curve."""
    curve, pool = state.curve, book.cash[book.impact[market]]
    position = float(book.size[market, book.counterparty[market]])
    price = curve_price(curve, market, position)
    sides = open_sides(curve, market, position, parameters.concentration / PPM)
    given = Spread(
        parameters.least_spread[market] / PPM,
        parameters.widest_spread[market] / PPM,
        np.sqrt(state.variance[market] * HOUR) * parameters.volatility_share / PPM,
        price,
        float(book.oracle[market]),
        position,
        min(abs(position) / max(min(sides[0], sides[1]), 1.0), 1.0),
        position * price - closing_value(curve, market, position),
        float(pool),
        float(pool - state.pool[market]),
    )
    state.spread[BID, market], state.spread[ASK, market] = half_spreads(given)


@kernel
def revise_room(book: Book, state: State, parameters: AmmParameters, market: int, slots: float) -> None:
    """Set what the AMM buys and sells in `slots` of the venue's own blocks."""
    position = float(book.size[market, book.counterparty[market]])
    sides = open_sides(state.curve, market, position, parameters.concentration / PPM)
    most = (state.curve.centre[market] + position) * parameters.fill_share / PPM * slots
    state.room[BID, market] = int(min(sides[0], most))
    state.room[ASK, market] = int(min(sides[1], most))


@kernel
def refresh_markets(
    book: Book, state: State, parameters: AmmParameters, usable: Mask, seconds: float, due: bool
) -> None:
    """Let each market's AMM follow its oracle; one whose oracle is not usable stops quoting."""
    slots = max(seconds / parameters.slot, 1.0)
    for market in range(usable.size):
        oracle = book.oracle[market]
        if seconds > 0.0:
            change = np.log(oracle / state.seen[market])
            state.variance[market] = moving_variance(
                state.variance[market], change, seconds, parameters.volatility_window
            )
        state.seen[market] = oracle
        state.room[:, market] = 0
        if usable[market]:
            pass_on_funding(book, market)
            revise_peg(book, state, parameters, market)
            if due:
                revise_depth(book, state, parameters, market)
            revise_spread(book, state, parameters, market)
            revise_room(book, state, parameters, market, slots)
