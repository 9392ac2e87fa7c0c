"""The skew-priced pool: every order trades against liquidity providers, at a price that their exposure sets.

The price of an order is the oracle's, moved by the users' net position before and after it. Orders are
committed first and settle later, at the first price that the oracle shows once a delay is over, so that
nobody trades on a price that he has already seen elsewhere. One pool serves all markets.

References
----------
.. [1] Synthetix v3, perps-market: AsyncOrder.sol, PerpsMarket.sol, GlobalPerpsMarket.sol.
"""

import numpy as np

from protocol.admission import interest_change
from protocol.arithmetic import ppm_ceil
from protocol.book import FEES, Book, Floats, Ints, Mask, Row, Rows, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.liquidations.record import DELEVERAGE
from protocol.liquidity import Desk, Locks, vault_desk
from protocol.margin import Change
from protocol.orders import IMMEDIATE, POST_ONLY, REST, Orders
from protocol.parameters import RiskParameters
from protocol.venues.skew_price import (
    SkewParameters,
    closing_part,
    locked_credit,
    margin_covers,
    skew_violations,
    skewed_fee,
    skewed_quote,
    solvent_with,
    users_skew,
    within_caps,
)
from protocol.venues.venue import FILL, Quotes

BAND = 0.01

OUTCOMES = (
    "filled",
    "resting",
    "nothing_to_close",
    "flagged",
    "unpriced",
    "beyond_limit",
    "over_cap",
    "insolvent",
    "undermargined",
    "expired",
)
(
    FILLED,
    RESTING,
    NOTHING_TO_CLOSE,
    FLAGGED,
    UNPRICED,
    BEYOND_LIMIT,
    OVER_CAP,
    INSOLVENT,
    UNDERMARGINED,
    EXPIRED,
) = range(len(OUTCOMES))

COMMITMENT = np.dtype(
    [(name, np.int64) for name in ("account", "market", "size", "limit", "reduce_only")]
    + [("time", np.float64)]
)


class SkewPool:
    """A venue whose counterparty is one pool, priced by the users' skew, with delayed settlement.

    An order that may settle in a block settles before the orders that the block commits. Where a block is
    longer than delay and window together, the next block's price is the first that the venue sees, and
    orders settle at it; they expire only when that price, and those within the window, cannot be used.

    Attributes
    ----------
    parameters : SkewParameters
    pending : (k,) COMMITMENT
        Orders that wait for their price, in the order of commitment.
    flagged : (n,) bool
        Accounts under liquidation, which may not trade.
    tally : (len(OUTCOMES),) int64
        What became of all orders so far, by outcome.
    usable : (m,) bool
        Markets whose price may be used, as the last `refresh` said.
    time : float
        Of the last `refresh` [s].
    """

    kinds = frozenset({REST, IMMEDIATE, POST_ONLY})
    rests = False
    automated = True

    def __init__(self, parameters: SkewParameters, book: Book, time: float = 0.0) -> None:
        broken = skew_violations(parameters)
        if broken:
            raise ValueError("; ".join(broken))
        self.parameters = parameters
        self.pending = np.zeros(0, COMMITMENT)
        self.flagged = np.zeros(len(book.cash), np.bool_)
        self.tally = np.zeros(len(OUTCOMES), np.int64)
        self.usable = np.ones(len(parameters.skew_scale), np.bool_)
        self.time = time
        self._last = book.oracle.copy()

    @property
    def last(self) -> Ints:
        """Price of each market's last trade, (m,) [micro-USD per lot]."""
        return self._last

    def quotes(self, book: Book, parameters: RiskParameters) -> Quotes:
        """Prices of one lot and of the impact notional on each side, and the notional that costs 1 %."""
        oracle, scale = book.oracle.astype(np.float64), self.parameters.skew_scale
        skew = -book.size[np.arange(len(oracle)), book.counterparty]

        def price(lots: Floats) -> Floats:
            average = oracle * (1.0 + (skew + lots / 2) / scale)
            return np.where(self.usable, np.maximum(average, 0.0), 0.0)

        one, lots = np.ones(len(oracle)), parameters.impact_notional / oracle
        depth = np.where(self.usable, 2 * BAND * scale * oracle, 0.0)
        return Quotes(price(-one), price(one), price(-lots), price(lots), depth)

    def refresh(self, book: Book, parameters: RiskParameters, time: float, usable: Mask) -> None:
        """Advance the clock and drop the commitments whose window closed without a usable price."""
        due = self.pending["time"] + self.parameters.delay
        late = (due + self.parameters.window < time) & (due <= self.time)
        self._drop(late, EXPIRED)
        self.time, self.usable = time, usable.copy()

    def cancel(self, leaving: Mask, block: int) -> None:
        """Leave commitments alone: they cannot be withdrawn, and `refresh` drops those that expired."""

    def void(self) -> None:
        """Drop the commitments of flagged accounts."""
        self._drop(self.flagged[self.pending["account"]], FLAGGED)

    def prune(self, book: Book) -> None:
        """Leave commitments alone: one that only closes is cut when it settles."""

    def match(self, book: Book, parameters: RiskParameters, batch: Orders) -> Rows:
        """Settle the commitments that are due, then commit the batch; returns the fills, (k,) FILL.

        An order that the rules would refuse at the price of the moment is not committed. With a delay of 0
        the batch settles at once. Orders that would rest are dropped.
        """
        resting = (batch.kind == REST) | (batch.kind == POST_ONLY)
        self.tally[RESTING] += np.count_nonzero(resting)
        self.pending = np.concatenate((self.pending, commitments(batch, ~resting, self.time)))
        fills = np.zeros(len(self.pending), FILL)
        kept, done = settle_orders(
            book,
            parameters,
            self.parameters,
            self.pending,
            self.time,
            self.usable,
            self.flagged,
            fills,
            self.tally,
        )
        self.pending = self.pending[:kept]
        self._last[fills["market"][:done]] = fills["price"][:done]
        return fills[:done]

    def usage(self, book: Book) -> Floats:
        """How much of the pool's value open interest locks, on all sides the same, (2, m) [1]; at most 1."""
        pool = book.counterparty[0]
        worth = int(book.cash[pool] + book.size[:, pool] @ book.mark + book.collateral[:, pool] @ book.oracle)
        locked = locked_credit(book, self.parameters, 0, 0)
        return np.full((2, len(book.mark)), min(locked / max(worth, 1), 1.0))

    def relieve(self, book: Book, time: float) -> Rows:
        """No gain is beyond what is there to pay it; see `Venue.relieve`."""
        return np.zeros(0, DELEVERAGE)

    def desk(self, book: Book, parameters: RiskParameters, purse: int, time: float, locks: Locks) -> Desk:
        """Terms on which depositors enter and leave the pool: they leave what open interest locks."""
        locked = int(locked_credit(book, self.parameters, 0, 0))
        desk = vault_desk(book, parameters, purse, time, locks)
        return desk._replace(free=desk.cheap - locked)

    def frozen(self, account: int) -> bool:
        """Whether an account is flagged: all that it is worth goes to the pool."""
        return bool(self.flagged[account])

    def violated(self, book: Book) -> list[str]:
        """Names of the pool's invariants that do not hold."""
        found = []
        if (book.counterparty != book.counterparty[0]).any():
            found.append(f"one_pool_serves_all_markets: {book.counterparty.tolist()}")
        if self.flagged[self.pending["account"]].any():
            found.append("flagged_accounts_have_no_commitments")
        if (np.diff(self.pending["time"]) < 0).any() or (self.pending["time"] > self.time).any():
            found.append(
                f"commitments_are_in_order_of_time: {self.pending['time'].tolist()}, now {self.time}"
            )
        return found

    def _drop(self, dropped: Mask, outcome: int) -> None:
        """Forget some commitments, (k,) bool, for the same reason."""
        self.tally[outcome] += np.count_nonzero(dropped)
        self.pending = self.pending[~dropped]


def commitments(batch: Orders, chosen: Mask, time: float) -> Rows:
    """The chosen orders of a batch as commitments made at `time`, (k,) COMMITMENT."""
    made = np.zeros(int(np.count_nonzero(chosen)), COMMITMENT)
    for name in ("account", "market", "size", "limit", "reduce_only"):
        made[name] = getattr(batch, name)[chosen]
    made["time"] = time
    return made


@kernel
def write_fill(book: Book, parameters: RiskParameters, rules: SkewParameters, order: Row, fill: Row) -> None:
    """Write what an order would trade, at the price of the moment, into the record `fill`."""
    market, account = order.market, order.account
    change, skew = order.size, users_skew(book, market)
    if order.reduce_only:
        change = closing_part(change, book.size[market, account])
    fill.market, fill.taker, fill.maker, fill.size = market, account, book.counterparty[market], change
    if change != 0:
        quote = skewed_quote(book.oracle[market], skew, change, rules.skew_scale[market])
        fill.quote, fill.price = quote, int(round(quote / change))
        fill.taker_fee = skewed_fee(parameters, skew, change, quote) + rules.settlement_reward
        fill.maker_fee = 0


@kernel
def refusal(book: Book, parameters: RiskParameters, rules: SkewParameters, limit: int, fill: Row) -> int:
    """Why the rules refuse a fill, an outcome; FILLED if they do not.

    A price that favours the trader over the oracle does not count toward margin. A skew beyond the scale,
    at which a price would be negative, leaves the market without one.
    """
    account, market, change, quote = fill.taker, fill.market, fill.size, fill.quote
    if change == 0 or account == fill.maker:
        return NOTHING_TO_CLOSE
    if quote == 0 or (quote > 0) != (change > 0):
        return UNPRICED
    if limit != 0 and quote > limit * change:
        return BEYOND_LIMIT
    size = book.size[market, account]
    reducing = closing_part(change, size) == change
    if not reducing:
        if not within_caps(book, parameters, rules, account, market, change):
            return OVER_CAP
        if not solvent_with(book, parameters, rules, account, market, change):
            return INSOLVENT
    cash = -max(quote, change * book.oracle[market])
    interest = interest_change(book, account, fill.maker, market, change)
    wanted = Change(market, change, cash, interest, fill.taker_fee)
    return FILLED if margin_covers(book, parameters, account, wanted, reducing) else UNDERMARGINED


@kernel
def execute_fill(book: Book, rules: SkewParameters, fill: Row) -> None:
    """Exchange the position with the pool, and share the fee between pool and fee account."""
    exchange_position(book, fill.taker, fill.maker, fill.market, fill.size, fill.quote)
    to_pool = ppm_ceil(fill.taker_fee - rules.settlement_reward, rules.pool_share)
    move_cash(book, fill.taker, fill.maker, to_pool)
    move_cash(book, fill.taker, FEES, fill.taker_fee - to_pool)


@kernel
def settle_orders(
    book: Book,
    parameters: RiskParameters,
    rules: SkewParameters,
    pending: Rows,
    time: float,
    usable: Mask,
    flagged: Mask,
    fills: Rows,
    tally: Ints,
) -> tuple[int, int]:
    """Settle what is due of `pending`, in order, and judge what was committed just now.

    What waits on moves to the front of `pending`; returns its number and the number of fills.
    """
    kept, done = 0, 0
    for index in range(pending.size):
        order = pending[index]
        due, fresh = order.time + rules.delay <= time, order.time == time
        outcome = FILLED
        if flagged[order.account]:
            outcome = FLAGGED
        elif not usable[order.market]:
            outcome = UNPRICED if fresh else FILLED
            due = False
        elif due or fresh:
            write_fill(book, parameters, rules, order, fills[done])
            outcome = refusal(book, parameters, rules, order.limit, fills[done])
        if outcome == FILLED and not due:
            pending[kept] = order
            kept += 1
            continue
        tally[outcome] += 1
        if outcome == FILLED:
            execute_fill(book, rules, fills[done])
            done += 1
    return kept, done
