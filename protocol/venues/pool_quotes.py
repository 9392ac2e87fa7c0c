"""What an oracle-priced pool shows: prices of the next order, and how much it takes before they move."""

from protocol.arithmetic import PPM
from protocol.book import LONG, SHORT, Book, Floats, Ints, Mask
from protocol.kernels import kernel
from protocol.venues.backing import PoolState, side_room
from protocol.venues.impact import MICRO_USD, PoolParameters, order_impact, side_price, user_skew

DEPTH_IMPACT = 0.01


@kernel
def marginal_gain(rule: PoolParameters, market: int, skew: int, buying: bool) -> float:
    """Impact of the next USD of an order [1]: positive if it improves the balance, and then capped."""
    usd = abs(skew) * MICRO_USD
    improving = skew != 0 and (skew < 0) == buying
    factor, exponent = rule.factor_negative[market], rule.exponent_negative[market]
    if improving:
        factor = min(factor, rule.factor_positive[market])
        exponent = min(exponent, rule.exponent_positive[market])
    rate = factor * exponent * max(usd, 1.0) ** (exponent - 1.0)
    cap = min(rule.cap_positive[market], rule.cap_negative[market]) / PPM
    return float(min(rate, cap) if improving else -rate)


@kernel
def side_depth(book: Book, state: PoolState, rule: PoolParameters, market: int, buying: bool) -> float:
    """Notional that a side takes before the next USD pays 1 %, or the pool is full [micro-USD]."""
    room = max(side_room(book, state, rule, market, LONG if buying else SHORT), 0.0)
    factor, exponent = rule.factor_negative[market], rule.exponent_negative[market]
    if factor <= 0.0 or exponent == 1.0:
        return room if factor < DEPTH_IMPACT else 0.0
    edge = (DEPTH_IMPACT / (factor * exponent)) ** (1.0 / (exponent - 1.0)) / MICRO_USD
    skew = float(user_skew(book, market)) * book.oracle[market]
    return min(max(edge - (skew if buying else -skew), 0.0), room)


@kernel
def impact_price(
    book: Book, state: PoolState, rule: PoolParameters, market: int, notional: int, buying: bool
) -> float:
    """Average price of opening a position of some notional [micro-USD per lot]; 0 if there is no room."""
    price = side_price(rule, market, book.oracle[market], buying)
    lots = max(notional // price, 1)
    if side_room(book, state, rule, market, LONG if buying else SHORT) < lots * price:
        return 0.0
    change = lots if buying else -lots
    return float((change * price - order_impact(book, rule, market, change)) / change)


@kernel
def fill_quotes(
    book: Book, state: PoolState, rule: PoolParameters, notional: Ints, usable: Mask, out: Floats
) -> None:
    """Write bid, ask, impact bid, impact ask and depth of each usable market into `out`."""
    for market in range(book.oracle.size):
        if usable[market]:
            price = book.oracle[market]
            skew = user_skew(book, market) * price
            for side in range(2):
                buying = side == 1
                gain = marginal_gain(rule, market, skew, buying)
                worse = side_price(rule, market, price, buying)
                out[side, market] = worse * (1.0 - gain if buying else 1.0 + gain)
                out[2 + side, market] = impact_price(book, state, rule, market, notional[market], buying)
                out[4, market] += side_depth(book, state, rule, market, buying)
