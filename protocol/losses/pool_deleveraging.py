"""Winners close early when a pool could no longer pay them: auto-deleveraging against a liquidity pool.

When the gains of a side pass the trigger, the most profitable positions are closed at the oracle price,
the best return first, until the side's gains are back at the target; never below it.

References
----------
.. [1] GMX synthetics, adl/AdlUtils.sol and exchange/AdlHandler.sol.
"""

from typing import TYPE_CHECKING

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import LONG, SHORT, Book, Ints, Rows
from protocol.kernels import kernel
from protocol.liquidations.record import DELEVERAGE
from protocol.venues.backing import PoolState, gain_scale, side_backing, side_gain
from protocol.venues.impact import PoolParameters, side_price
from protocol.venues.settlement import CLAIM_DELAY, Terms, decrease_terms, settle_decrease, with_room

if TYPE_CHECKING:
    from protocol.venues.impact_pool import ImpactPool

ROUNDING = 1e-6


@kernel
def excess_gain(
    book: Book, state: PoolState, rule: PoolParameters, market: int, side: int, bound: int
) -> float:
    """What a side has gained beyond `bound` [ppm] of its backing [micro-USD]."""
    backed = side_backing(book, state, rule, market, side)
    return side_gain(book, state, market, side, book.oracle[market]) - backed * bound / PPM


def ranking(book: Book, market: int, side: int) -> Ints:
    """Users in profit on a side, the best return first, ties by account; (k,) int64."""
    size, entry = book.size[market], book.entry[market]
    holds = size > 0 if side == LONG else size < 0
    holds[book.counterparty[market]] = False
    holders = np.flatnonzero(holds)
    gain = (book.oracle[market] / entry[holders] - 1.0) * (1.0 if side == LONG else -1.0)
    order = np.lexsort((holders, -gain))
    return holders[order[gain[order] > 0]]


@kernel
def lots_to_close(book: Book, state: PoolState, rule: PoolParameters, market: int, account: int) -> int:
    """Lots of a winner's position that bring its side down to the target, and not below; at most all.

    Each lot takes its gain from the side; what the pool pays for it comes out of the backing, what it keeps
    by the cap on gains, the oracle's range and the fee does not.
    """
    size, price = book.size[market, account], book.oracle[market]
    side = LONG if size > 0 else SHORT
    share = rule.long_share[market] if side == LONG else PPM - rule.long_share[market]
    weight = rule.gain_target[market] / PPM * share / PPM
    gain = abs(price - book.entry[market, account])
    scale = gain_scale(book, state, rule, market, side)
    worse = abs(side_price(rule, market, price, size < 0) - price)
    fee = price * max(rule.fee_worsens[market], rule.fee_improves[market]) / PPM
    excess = excess_gain(book, state, rule, market, side, rule.gain_target[market])
    step = gain * (1.0 - weight * scale) + weight * (worse + fee)
    return int(min(max(np.floor(excess / step + ROUNDING), 0.0), float(abs(size))))


@kernel
def within_gain(terms: Terms, gain: float) -> Terms:
    """Terms whose costs do not pass what the close brings [micro-USD]: fee first, then impact."""
    left = int(max(gain, 0.0))
    fee = min(terms.fee, left)
    left -= fee
    impact = max(terms.impact, -left)
    left += min(impact, 0)
    return Terms(terms.quote, fee, terms.own, impact, min(terms.aside, left))


@kernel
def close_winners(
    book: Book, state: PoolState, rule: PoolParameters, market: int, winners: Ints, due: float, rows: Rows
) -> int:
    """Close winners in turn until their side is at the target; return the number of closes."""
    done = 0
    for account in winners:
        size = book.size[market, account]
        lots = lots_to_close(book, state, rule, market, account)
        if lots == 0:
            break
        change = -lots if size > 0 else lots
        entry = book.entry[market, account]
        terms = decrease_terms(book, state, rule, market, account, change)
        terms = within_gain(terms, change * entry - terms.quote)
        settle_decrease(book, state, rule, (account, market, change), terms, due)
        row = rows[done]
        row.account, row.counterparty, row.market = book.counterparty[market], account, market
        row.size, row.quote, row.mark = -change, -terms.quote, book.mark[market]
        row.haircut = -change * book.mark[market] + terms.quote
        done += 1
        if lots < abs(size):
            break
    return done


def deleverage_winners(book: Book, venue: "ImpactPool", time: float, number: int = 0) -> Rows:
    """Close winners of each side whose gains have passed the trigger, down to the target.

    Parameters
    ----------
    time : float
        Now [s].
    number : int
        Of the round, for the record.

    Returns
    -------
    (k,) DELEVERAGE
        `account` is the pool that is relieved, `counterparty` the winner; `size` and `quote` are the
        pool's, `haircut` is what the winner got less than at the mark, before fee and impact [micro-USD].
    """
    rule, parts = venue.parameters, [np.zeros(0, DELEVERAGE)]
    for market in np.flatnonzero(venue.usable & (rule.gain_trigger > 0)):
        for side in (LONG, SHORT):
            bound = int(rule.gain_trigger[market])
            if excess_gain(book, venue.counted(book), rule, int(market), side, bound) <= 0:
                continue
            winners = ranking(book, int(market), side)
            venue.state = with_room(venue.state, len(winners))
            rows = np.zeros(len(winners), DELEVERAGE)
            due = time + CLAIM_DELAY
            done = close_winners(book, venue.state, rule, int(market), winners, due, rows)
            rows["round"] = number
            parts.append(rows[:done])
    return np.concatenate(parts)
