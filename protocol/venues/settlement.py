"""How positions against a pool open and close: prices, fees, price impact, and who gets the money.

An increase pays its fee and remembers its price impact; a decrease settles its own impact together with its
share of what is pending. The impact of users goes to a purse of the market's, out of which others are paid.

References
----------
.. [1] GMX synthetics, position/DecreasePositionCollateralUtils.sol and position/PositionUtils.sol.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import multiply_divide_floor, ppm_ceil, ppm_floor
from protocol.book import FEES, LONG, SHORT, Book, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.venues.backing import Claims, PoolState, backing, gain_scale
from protocol.venues.impact import PoolParameters, balance_improves, order_impact, side_price


class Terms(NamedTuple):
    """What a trade with the pool costs, all in micro-USD.

    Attributes
    ----------
    quote : int
        Cash for the position, with the sign of the change; a capped gain is part of it.
    fee : int
        Trading fee, ≥ 0.
    own : int
        Price impact of the trade itself; positive is a gain.
    impact : int
        What is settled of impact, with the pending share and after all caps; positive is a gain.
    aside : int
        Impact beyond the cap, set aside for the trader to claim, ≥ 0.
    """

    quote: int
    fee: int
    own: int
    impact: int
    aside: int


CLAIM_DELAY = 5 * 86_400.0


@kernel
def position_fee(book: Book, rule: PoolParameters, market: int, change: int, quote: int) -> int:
    """Trading fee of buying `change` lots for `quote`, lower if it balances the market [micro-USD]."""
    improves = balance_improves(book, market, change)
    rate = rule.fee_improves[market] if improves else rule.fee_worsens[market]
    return ppm_ceil(abs(quote), rate)


@kernel
def increase_terms(book: Book, rule: PoolParameters, market: int, change: int) -> Terms:
    """What opening or adding `change` lots costs; its impact stays pending."""
    quote = change * side_price(rule, market, book.oracle[market], change > 0)
    fee = position_fee(book, rule, market, change, quote)
    return Terms(quote, fee, order_impact(book, rule, market, change), 0, 0)


@kernel
def pending_share(state: PoolState, market: int, account: int, lots: int, size: int) -> int:
    """The part of a position's pending impact that closing `lots` of it settles, rounded toward −∞."""
    return multiply_divide_floor(state.pending[market, account], lots, abs(size))


@kernel
def free_purse(book: Book, claims: Claims, market: int) -> int:
    """What a market's impact purse holds beyond the claims on it [micro-USD], at least 0."""
    free = book.cash[book.impact[market]]
    for claim in range(claims.used[0]):
        if claims.market[claim] == market:
            free -= claims.amount[claim]
    return max(free, 0)


@kernel
def payable_impact(book: Book, state: PoolState, rule: PoolParameters, market: int) -> int:
    """What the impact purse can pay now, a loan of the pool's included [micro-USD]."""
    owned = int(max(backing(book, state, book.counterparty[market]), 0.0))
    limit = min(ppm_floor(owned, rule.lendable_share[market]), rule.lendable_maximum[market])
    return free_purse(book, state.claims, market) + max(limit - state.lent[market], 0)


@kernel
def decrease_terms(
    book: Book, state: PoolState, rule: PoolParameters, market: int, account: int, change: int
) -> Terms:
    """What closing `change` lots (against the position's sign) costs."""
    size = book.size[market, account]
    price = side_price(rule, market, book.oracle[market], change > 0)
    quote, notional = change * price, abs(change) * price
    gain = -change * (price - book.entry[market, account])
    fee = position_fee(book, rule, market, change, quote)
    if gain > 0:
        side = LONG if size > 0 else SHORT
        quote += int(np.ceil(gain * (1.0 - gain_scale(book, state, rule, market, side))))
    own = order_impact(book, rule, market, change)
    total = own + pending_share(state, market, account, abs(change), size)
    floor = -ppm_floor(notional, rule.cap_negative[market])
    if total > 0:
        cap = min(rule.cap_positive[market], rule.cap_negative[market])
        payable = payable_impact(book, state, rule, market)
        return Terms(quote, fee, own, min(total, ppm_floor(notional, cap), payable), 0)
    return Terms(quote, fee, own, max(total, floor), max(floor - total, 0))


@kernel
def open_with_pool(
    book: Book, state: PoolState, market: int, account: int, change: int, terms: Terms
) -> None:
    """Exchange an increase with the pool, and note its cost and its impact."""
    if book.size[market, account] == 0:
        state.pending[market, account] = 0
    exchange_position(book, account, book.counterparty[market], market, change, terms.quote)
    side = LONG if change > 0 else SHORT
    state.lots[side, market] += abs(change)
    state.cost[side, market] += abs(terms.quote)
    state.pending[market, account] += terms.own


@kernel
def close_with_pool(book: Book, state: PoolState, market: int, account: int, change: int, quote: int) -> None:
    """Exchange a decrease with the pool; its share of cost and pending impact is gone."""
    size, entry = book.size[market, account], book.entry[market, account]
    side = LONG if size > 0 else SHORT
    state.pending[market, account] -= pending_share(state, market, account, abs(change), size)
    exchange_position(book, account, book.counterparty[market], market, change, quote)
    state.lots[side, market] -= abs(change)
    state.cost[side, market] = max(state.cost[side, market] - abs(change) * entry, 0.0)


@kernel
def pay_fee(book: Book, rule: PoolParameters, market: int, account: int, fee: int) -> int:
    """Split a fee between the fee sink and the pool; return the pool's part."""
    sink = ppm_floor(fee, rule.receiver_share[market])
    move_cash(book, account, FEES, sink)
    move_cash(book, account, book.counterparty[market], fee - sink)
    return fee - sink


@kernel
def pay_impact(book: Book, state: PoolState, market: int, account: int, amount: int) -> None:
    """Pay impact out of the purse, the pool lending what is short, or into it, loans first."""
    purse, pool = book.impact[market], book.counterparty[market]
    loan = max(amount - free_purse(book, state.claims, market), 0)
    if amount < 0:
        loan = -min(-amount, state.lent[market])
    move_cash(book, pool, purse, loan)
    state.lent[market] += loan
    move_cash(book, purse, account, amount)


@kernel
def set_aside(book: Book, claims: Claims, market: int, account: int, amount: int, due: float) -> None:
    """Keep money of a trader's in the impact purse until `due`; there must be room for the claim."""
    if amount == 0:
        return
    entry = claims.used[0]
    move_cash(book, account, book.impact[market], amount)
    claims.account[entry], claims.market[entry] = account, market
    claims.amount[entry], claims.due[entry] = amount, due
    claims.used[0] = entry + 1


@kernel
def settle_decrease(
    book: Book, state: PoolState, rule: PoolParameters, order: tuple[int, int, int], terms: Terms, due: float
) -> int:
    """Close (account, market, change) on the terms given; return the pool's part of the fee."""
    account, market, change = order
    close_with_pool(book, state, market, account, change, terms.quote)
    kept = pay_fee(book, rule, market, account, terms.fee)
    pay_impact(book, state, market, account, terms.impact)
    set_aside(book, state.claims, market, account, terms.aside, due)
    return kept


def with_room(state: PoolState, extra: int) -> PoolState:
    """The same state with room for `extra` more claims."""
    claims = state.claims
    needed, capacity = int(claims.used[0]) + extra, len(claims.account)
    if needed <= capacity:
        return state
    grow = (0, max(needed, 2 * capacity) - capacity)
    account, market, amount = (np.pad(each, grow) for each in (claims.account, claims.market, claims.amount))
    return state._replace(claims=Claims(account, market, amount, np.pad(claims.due, grow), claims.used))


@kernel
def release_claims(book: Book, claims: Claims, time: float) -> int:
    """Pay back what is due at `time`; return the total [micro-USD]."""
    kept, paid = 0, 0
    for entry in range(claims.used[0]):
        account, market, amount = claims.account[entry], claims.market[entry], claims.amount[entry]
        if claims.due[entry] <= time:
            move_cash(book, book.impact[market], account, amount)
            paid += amount
        else:
            claims.account[kept], claims.market[kept] = account, market
            claims.amount[kept], claims.due[kept] = amount, claims.due[entry]
            kept += 1
    claims.used[0] = kept
    return paid
