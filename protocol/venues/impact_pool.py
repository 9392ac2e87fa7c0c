"""The oracle-priced pool: every order executes against liquidity providers at the oracle price, plus impact.

An order executes whole or not at all. Resting orders wait until the oracle, with the impact that they would
have, reaches their limit; they execute in the order of their arrival, before the orders of the block. An
order through zero is two: a close, and an increase of the other side.

References
----------
.. [1] GMX synthetics, order/ and position/.
"""

import numpy as np

from protocol.admission import interest_change, margin_allows
from protocol.book import LONG, SHORT, Book, Floats, Ints, Mask, Row, Rows, share_row
from protocol.kernels import kernel
from protocol.liquidity import Desk, Locks
from protocol.losses.pool_deleveraging import deleverage_winners
from protocol.orders import IMMEDIATE, NONE, POST_ONLY, REST, Orders, join
from protocol.parameters import RiskParameters
from protocol.venues.backing import (
    PoolState,
    count_positions,
    fill_usage,
    follow_positions,
    free_backing,
    gains_within,
    open_state,
    pool_worth,
    side_room,
)
from protocol.venues.impact import (
    PoolParameters,
    order_impact,
    pool_violations,
    side_price,
)
from protocol.venues.pool_quotes import fill_quotes
from protocol.venues.settlement import (
    CLAIM_DELAY,
    decrease_terms,
    increase_terms,
    open_with_pool,
    pay_fee,
    release_claims,
    settle_decrease,
    with_room,
)
from protocol.venues.venue import FILL, Quotes


@kernel
def record_fill(
    book: Book, fill: Row, market: int, account: int, change: int, quote: int, fee: int, kept: int
) -> None:
    """Complete the record of a fill; what the pool keeps of the fee is its rebate as the maker."""
    fill.market, fill.taker, fill.maker = market, account, book.counterparty[market]
    fill.size, fill.quote, fill.price = change, quote, int(round(quote / change))
    fill.taker_fee, fill.maker_fee = fee, -kept


@kernel
def acceptable(book: Book, rule: PoolParameters, market: int, change: int, limit: int) -> bool:
    """Whether buying `change` lots now costs no more, impact included, than a limit price (0: any)."""
    if limit == 0:
        return True
    quote = change * side_price(rule, market, book.oracle[market], change > 0)
    return quote - order_impact(book, rule, market, change) <= change * limit


@kernel
def try_increase(
    book: Book,
    parameters: RiskParameters,
    state: PoolState,
    rule: PoolParameters,
    order: tuple[int, int, int],
    fill: Row,
) -> bool:
    """Open or add to a position if the margin rule allows it; `order` is (account, market, change)."""
    account, market, change = order
    terms = increase_terms(book, rule, market, change)
    interest = interest_change(book, account, book.counterparty[market], market, change)
    if not margin_allows(book, parameters, account, market, change, -terms.quote, interest, terms.fee):
        return False
    open_with_pool(book, state, market, account, change, terms)
    kept = pay_fee(book, rule, market, account, terms.fee)
    record_fill(book, fill, market, account, change, terms.quote, terms.fee, kept)
    return True


@kernel
def try_decrease(
    book: Book,
    parameters: RiskParameters,
    state: PoolState,
    rule: PoolParameters,
    order: tuple[int, int, int],
    due: float,
    fill: Row,
) -> bool:
    """Close some of a position if the margin rule allows it; `order` is (account, market, change)."""
    account, market, change = order
    terms = decrease_terms(book, state, rule, market, account, change)
    interest = interest_change(book, account, book.counterparty[market], market, change)
    quote = terms.quote - terms.impact + terms.aside
    if not margin_allows(book, parameters, account, market, change, -quote, interest, terms.fee):
        return False
    kept = settle_decrease(book, state, rule, order, terms, due)
    record_fill(book, fill, market, account, change, quote, terms.fee, kept)
    return True


@kernel
def execute_order(
    book: Book,
    parameters: RiskParameters,
    state: PoolState,
    rule: PoolParameters,
    order: tuple[int, int, int],
    due: float,
    fills: Rows,
) -> tuple[int, int]:
    """Execute (account, market, change): what closes always may, what opens needs room at the pool.

    Returns the lots for which the pool has no room (0 once the margin rule refuses) and the number of
    fills, which are recorded from the start of `fills`.
    """
    account, market, change = order
    done = 0
    held = book.size[market, account]
    closing = 0
    if (held > 0) != (change > 0) and held != 0:
        closing = min(change, -held) if change > 0 else max(change, -held)
    opening = change - closing
    if closing != 0:
        part = (account, market, closing)
        if not try_decrease(book, parameters, state, rule, part, due, fills[done]):
            return 0, done
        done += 1
    if opening != 0:
        side = LONG if opening > 0 else SHORT
        notional = abs(opening) * side_price(rule, market, book.oracle[market], opening > 0)
        if side_room(book, state, rule, market, side) < notional:
            return opening, done
        if try_increase(book, parameters, state, rule, (account, market, opening), fills[done]):
            done += 1
    return 0, done


@kernel
def match_orders(
    book: Book,
    parameters: RiskParameters,
    state: PoolState,
    rule: PoolParameters,
    batch: Orders,
    usable: Mask,
    due: float,
    fills: Rows,
    left: Ints,
) -> int:
    """Execute orders in sequence; write fills and what is left of each order, return the number of fills."""
    done = 0
    for index in range(batch.account.size):
        account, market, size = batch.account[index], batch.market[index], batch.size[index]
        if batch.reduce_only[index]:
            held = book.size[market, account]
            size = max(size, -max(held, 0)) if size < 0 else min(size, max(-held, 0))
        rest = size
        if size != 0 and usable[market] and acceptable(book, rule, market, size, batch.limit[index]):
            rest = 0
            if batch.kind[index] != POST_ONLY:
                order = (account, market, size)
                rest, count = execute_order(book, parameters, state, rule, order, due, fills[done:])
                done += count
        if rest != 0 and batch.kind[index] != IMMEDIATE and batch.limit[index] > 0:
            left[index] = batch.size[index] if rest == size else rest
    return done


class ImpactPool:
    """A venue of oracle-priced pools; the account `book.counterparty[m]` is the pool of market m."""

    kinds = frozenset({REST, IMMEDIATE, POST_ONLY})
    rests = False
    automated = True

    def __init__(self, book: Book, parameters: PoolParameters) -> None:
        self.oracle = book.oracle
        self.state = open_state(book)
        self.waiting = NONE
        self.usable = np.ones(len(book.oracle), np.bool_)
        self.time = 0.0
        self.enact(parameters)

    def enact(self, parameters: PoolParameters) -> None:
        """Make new numbers hold from here on; refuses those that break a constraint."""
        broken = pool_violations(parameters)
        if broken:
            raise ValueError("; ".join(broken))
        self.parameters = parameters

    def counted(self, book: Book) -> PoolState:
        """The state, counted again if positions have changed behind its back."""
        follow_positions(book, self.state)
        return self.state

    def quotes(self, book: Book, parameters: RiskParameters) -> Quotes:
        """Prices of a marginal order and of one for the impact notional, and depth within 1 % of impact."""
        out = np.zeros((5, len(book.oracle)))
        fill_quotes(book, self.counted(book), self.parameters, parameters.impact_notional, self.usable, out)
        return Quotes(*out)

    def refresh(self, book: Book, parameters: RiskParameters, time: float, usable: Mask) -> None:
        """Note which prices may be used, pay claims that are due, and recount the sides' costs."""
        self.time = time
        self.usable = usable.copy()
        release_claims(book, self.state.claims, time)
        count_positions(book, self.state)

    def cancel(self, leaving: Mask, block: int) -> None:
        """Withdraw the waiting orders of `leaving`, (n,) bool, and those that expired before `block`."""
        kept = ~leaving[self.waiting.account] & (self.waiting.expiry >= block)
        self.waiting = Orders._make(column[kept] for column in self.waiting)

    def prune(self, book: Book) -> None:
        """Leave waiting orders alone: one that only closes is cut when its turn comes."""

    def match(self, book: Book, parameters: RiskParameters, batch: Orders) -> Rows:
        """Execute what waits and then a sequenced batch; returns the fills.

        Returns
        -------
        (k,) FILL
            `quote` is what the taker paid, settled impact included and the fee not; `price` is the average,
            `maker_fee` minus the part of the fee that the pool keeps.
        """
        orders = join([self.waiting, batch])
        count = len(orders.account)
        self.state = with_room(self.counted(book), count)
        fills, left = np.zeros(2 * count, FILL), np.zeros(count, np.int64)
        due = self.time + CLAIM_DELAY
        done = match_orders(
            book, parameters, self.state, self.parameters, orders, self.usable, due, fills, left
        )
        kept = left != 0
        waiting = Orders._make(column[kept] for column in orders)
        self.waiting = waiting._replace(size=left[kept], kind=np.full_like(left[kept], REST))
        return fills[:done]

    def desk(self, book: Book, parameters: RiskParameters, purse: int, time: float, locks: Locks) -> Desk:
        """Terms on which liquidity providers enter and leave a pool now."""
        state, rule, row = self.counted(book), self.parameters, share_row(purse)
        return Desk(
            purse=purse,
            dear=pool_worth(book, state, rule, purse, True),
            cheap=pool_worth(book, state, rule, purse, False),
            free=free_backing(book, state, rule, purse),
            open=bool(gains_within(book, state, rule, purse, rule.gain_deposits)),
            time=time,
            lock=float(locks.period[row]),
            locked_until=locks.until[row],
        )

    def relieve(self, book: Book, time: float) -> Rows:
        """Close winners of sides whose gains have passed the trigger; see `deleverage_winners`."""
        return deleverage_winners(book, self, time)

    @property
    def last(self) -> Ints:
        """Price of each market's last trade, (m,) [micro-USD per lot]: whatever the oracle says."""
        return self.oracle

    def usage(self, book: Book) -> Floats:
        """How far longs and shorts use what the pool may reserve for them, (2, m) [1]."""
        out = np.zeros((2, len(book.oracle)))
        fill_usage(book, self.counted(book), self.parameters, out)
        return out

    def frozen(self, account: int) -> bool:
        """No account is; see `Venue.frozen`."""
        return False

    def violated(self, book: Book) -> list[str]:
        """Names of the pools' own invariants that do not hold, with the numbers that should agree."""
        found = []
        claims = self.state.claims
        count = int(claims.used[0])
        for market, purse in enumerate(book.impact):
            owed = int(claims.amount[:count][claims.market[:count] == market].sum())
            if book.cash[purse] < owed:
                found.append(
                    f"impact_purse_covers_claims: {int(book.cash[purse])} against {owed} (market {market})"
                )
        if (self.state.lent < 0).any():
            found.append(f"impact_loans_not_negative: {self.state.lent.tolist()}")
        return found
