"""What a skew-priced pool asks for an order, and what it refuses: price, fee, caps and solvency.

References
----------
.. [1] Synthetix v3, perps-market: AsyncOrder.sol, PerpsMarket.sol, GlobalPerpsMarket.sol.
"""

from typing import NamedTuple

import numpy as np

from protocol.admission import position_allowed, transition_allowed
from protocol.arithmetic import PPM, multiply_divide_floor, ppm_ceil
from protocol.book import Book, Ints
from protocol.kernels import kernel
from protocol.margin import Change, account_risk, risk_of
from protocol.parameters import RiskParameters


class SkewParameters(NamedTuple):
    """Numbers of the pool that governance may change.

    The cap of each side's open interest in USD is `RiskParameters.open_interest_cap`.

    Attributes
    ----------
    skew_scale : (m,) int64
        Net position of the users at which the price is twice, or zero times, the oracle's [lots].
    size_cap : (m,) int64
        Open interest that no order may push a side above [lots]; 0 is none.
    locked_share : (m,) int64
        Pool value that each unit of open interest, both sides counted, locks [ppm of notional].
    pool_share : int
        Part of the trading fees that the pool keeps; the rest goes to the fee account [ppm].
    settlement_reward : int
        What each settled order pays for its settlement, to the fee account [micro-USD].
    delay : float
        From the commitment of an order to the first price at which it may settle [s].
    window : float
        How long after that it may settle [s].
    """

    skew_scale: Ints
    size_cap: Ints
    locked_share: Ints
    pool_share: int = PPM
    settlement_reward: int = 0
    delay: float = 0.0
    window: float = 60.0


def skew_violations(parameters: SkewParameters) -> list[str]:
    """Sentences on each constraint that the pool's numbers break; empty when they may be enacted."""
    found = []
    for name, column, least in (
        ("skew_scale", parameters.skew_scale, 1),
        ("size_cap", parameters.size_cap, 0),
        ("locked_share", parameters.locked_share, 0),
    ):
        found += [
            f"{name} >= {least} must hold, got {name}={column[market]} (market {market})"
            for market in np.flatnonzero(column < least)
        ]
    for name, value in (("delay", parameters.delay), ("window", parameters.window)):
        if value < 0:
            found.append(f"{name} >= 0 must hold, got {name}={value} s")
    if not 0 <= parameters.pool_share <= PPM:
        found.append(f"0 <= pool_share <= 1 must hold, got pool_share={parameters.pool_share / PPM}")
    return found


@kernel
def users_skew(book: Book, market: int) -> int:
    """Longs minus shorts of the users: what the pool is short of [lots]."""
    return -book.size[market, book.counterparty[market]]


@kernel
def skewed_quote(oracle: int, skew: int, change: int, scale: int) -> int:
    """Cash that `change` lots cost [micro-USD], rounded against the buyer or seller; signed like `change`.

    The price is the oracle's times one plus the skew half way through the order, over the scale. Orders in
    sequence therefore cost what one order of their sum costs, but for the rounding.

    References
    ----------
    .. [1] Synthetix v3, AsyncOrder.calculateFillPrice.
    """
    return change * oracle - multiply_divide_floor(-change * oracle, 2 * skew + change, 2 * scale)


@kernel
def skewed_fee(parameters: RiskParameters, skew: int, change: int, quote: int) -> int:
    """Fee of an order [micro-USD], rounded up: lots that bring the skew to zero make, all others take.

    References
    ----------
    .. [1] Synthetix v3, AsyncOrder.calculateOrderFee.
    """
    lots = abs(change)
    making = min(lots, abs(skew)) if (skew > 0) != (change > 0) else 0
    weighted = parameters.maker_fee * making + parameters.taker_fee * (lots - making)
    return -multiply_divide_floor(-abs(quote), weighted, lots * PPM)


@kernel
def closing_part(size: int, held: int) -> int:
    """The part of an order for `size` lots that closes a position of `held` lots."""
    return max(size, -max(held, 0)) if size < 0 else min(size, max(-held, 0))


@kernel
def locked_credit(book: Book, rules: SkewParameters, market: int, added: int) -> int:
    """Pool value that open interest locks [micro-USD], `added` lots more of it in one market."""
    locked = 0
    for each in range(book.size.shape[0]):
        lots = 2 * book.open_interest[each] - abs(users_skew(book, each))
        if each == market:
            lots += added
        locked += ppm_ceil(lots * book.oracle[each], rules.locked_share[each])
    return locked


@kernel
def within_caps(
    book: Book, parameters: RiskParameters, rules: SkewParameters, account: int, market: int, change: int
) -> bool:
    """Whether the side on which an order leaves its account stays within both caps of open interest."""
    size, skew = book.size[market, account], users_skew(book, market)
    after = size + change
    if after > 0:
        side = book.open_interest[market] - max(-skew, 0) + after - max(size, 0)
    else:
        side = book.open_interest[market] - max(skew, 0) - after - max(-size, 0)
    lots, value = rules.size_cap[market], parameters.open_interest_cap[market]
    return (lots == 0 or side <= lots) and (value == 0 or side * book.oracle[market] <= value)


@kernel
def solvent_with(
    book: Book, parameters: RiskParameters, rules: SkewParameters, account: int, market: int, change: int
) -> bool:
    """Whether the pool's value covers what open interest locks after an order."""
    size = book.size[market, account]
    locked = locked_credit(book, rules, market, abs(size + change) - abs(size))
    return account_risk(book, parameters, book.counterparty[market])[0] >= locked


@kernel
def margin_covers(
    book: Book, parameters: RiskParameters, account: int, wanted: Change, reducing: bool
) -> bool:
    """Whether an account's margin allows a fill.

    An account below maintenance may not trade. An order that only reduces a position needs no initial
    margin: it passes unless it makes the account riskier. Any other needs the initial margin in full.

    References
    ----------
    .. [1] Synthetix v3, AsyncOrder.validateRequest and SIP-359.
    """
    if not position_allowed(book, parameters, account, wanted):
        return False
    equity, _, maintenance = account_risk(book, parameters, account)
    if equity < maintenance:
        return False
    after = risk_of(book, parameters, account, wanted)
    if reducing:
        return transition_allowed((equity, equity + 1, maintenance), after)
    return after[0] >= after[1]
