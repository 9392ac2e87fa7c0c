"""A virtual AMM with a ladder of resting orders beside it.

The AMM of a market is the account `book.counterparty[market]`, its fee pool `book.impact[market]`. The
account receives for a fill what the closing value of its position along the curve has changed by; the rest,
spread and rounding, goes to the fee pool, with the AMM's funding and its part of the taker's fees. What a
new peg or a new depth takes from the closing value, the fee pool pays. So cash and closing value of the
account together stay what depositors have brought.

References
----------
.. [1] Drift protocol-v2, controller/amm.rs and controller/repeg.rs.
"""

import numpy as np

from protocol.book import Book, Floats, Ints, Mask, Rows
from protocol.kernels import kernel
from protocol.liquidations.record import DELEVERAGE
from protocol.liquidity import Desk, Locks, vault_desk
from protocol.orders import CANCEL, IMMEDIATE, POST_ONLY, REST, Orders
from protocol.parameters import RiskParameters
from protocol.venues.curve import cash_lots, lots_until, open_curve, reserves, trade_value
from protocol.venues.hybrid import Hybrid, match_hybrid, quoted_peg, uncross
from protocol.venues.ladder import ASK, BID, CANCEL_RESTING, Ladder, open_ladder, with_room
from protocol.venues.levels import best_order, following, price_of
from protocol.venues.offers import cancel_orders, drop_idle
from protocol.venues.repeg import AmmParameters, State, refresh_markets
from protocol.venues.venue import FILL, Quotes

BAND = 0.01
UNLIMITED = 1e18


class Amm:
    """A virtual AMM beside a ladder of resting orders; a venue.

    Parameters
    ----------
    book : Book
        The AMM opens at its oracle.
    tick : (m,) int64
        Price increment of resting orders [micro-USD per lot].
    depth : (m,) int64
        Cash that moves the curve by 1 % [micro-USD].
    parameters : AmmParameters
        May be replaced between blocks.
    self_trade : int
        What happens to resting orders that meet their owner's; see `Ladder`.

    Attributes
    ----------
    ladder : Ladder
    state : State
    """

    kinds = frozenset({REST, IMMEDIATE, POST_ONLY, CANCEL})
    rests = True
    automated = False

    def __init__(
        self,
        book: Book,
        tick: Ints,
        depth: Ints,
        parameters: AmmParameters,
        self_trade: int = CANCEL_RESTING,
    ) -> None:
        markets = len(tick)
        self.ladder = open_ladder(tick, book.oracle, self_trade=self_trade)
        self.parameters = parameters
        self.state = State(
            open_curve(book.oracle.astype(np.float64), depth.astype(np.float64)),
            np.zeros((2, markets)),
            np.zeros((2, markets), np.int64),
            np.zeros(markets),
            book.oracle.copy(),
            np.zeros(markets, np.int64),
        )
        self.time: float | None = None
        self.revised = 0.0

    @property
    def last(self) -> Ints:
        """Price of each market's last trade, (m,) [micro-USD per lot]."""
        return self.ladder.last

    def refresh(self, book: Book, parameters: RiskParameters, time: float, usable: Mask) -> None:
        """Follow the oracle: peg, depth, spread, and how much the AMM trades until the next refresh."""
        if self.time is None:
            self.time = self.revised = time
            self.state.pool[:] = book.cash[book.impact]
        due = time - self.revised >= self.parameters.depth_interval
        refresh_markets(book, self.state, self.parameters, usable, time - self.time, due)
        self.time = time
        self.revised = time if due else self.revised

    def cancel(self, leaving: Mask, block: int) -> None:
        """Withdraw the resting orders of `leaving`, (n,) bool, and those that expired before `block`."""
        cancel_orders(self.ladder, leaving, block)

    def prune(self, book: Book) -> None:
        """Withdraw the resting orders that may only close what is closed by now."""
        drop_idle(book, self.ladder)

    def match(self, book: Book, parameters: RiskParameters, batch: Orders) -> Rows:
        """Execute a sequenced batch; returns the fills, (k,) FILL, `size` and `quote` the taker's.

        Resting orders that the AMM has come to quote through fill first, as takers.
        """
        self.ladder = with_room(self.ladder, len(batch.account))
        fills = np.zeros(5 * len(batch.account) + 3 * int(self.ladder.orders.sum()) + 2, FILL)
        hybrid = Hybrid(self.state, self.ladder, self.parameters.pool_share)
        first = uncross(book, parameters, hybrid, fills)
        done = match_hybrid(book, parameters, hybrid, batch, fills[first:])
        return fills[: first + done]

    def usage(self, book: Book) -> Floats:
        """How far longs and shorts use what a pool may reserve for them, (2, m) [1]; 0 without a pool."""
        return np.zeros((2, len(book.oracle)))

    def quotes(self, book: Book, parameters: RiskParameters) -> Quotes:
        """Best prices, average prices of an order for the impact notional, and depth within 1 %.

        Orders and AMM together; the AMM counts as far as it trades in this block.
        """
        out = np.zeros((5, len(book.oracle)))
        resting = np.empty((2, int(self.ladder.orders.max(initial=0))))
        fill_quotes(book, self.state, self.ladder, parameters.impact_notional, resting, out)
        return Quotes(*out)

    def relieve(self, book: Book, time: float) -> Rows:
        """No gain is beyond what is there to pay it; see `Venue.relieve`."""
        return np.zeros(0, DELEVERAGE)

    def desk(self, book: Book, parameters: RiskParameters, purse: int, time: float, locks: Locks) -> Desk:
        """Terms on which depositors enter and leave an AMM: its position, its cash and its fee pool."""
        desk = vault_desk(book, parameters, purse, time, locks)
        fees = int(book.cash[book.impact[book.counterparty == purse]].sum())
        free = min(desk.free + fees, int(book.cash[purse]) + fees)
        return desk._replace(dear=desk.dear + fees, cheap=desk.cheap + fees, free=free)

    def frozen(self, account: int) -> bool:
        """No account is; see `Venue.frozen`."""
        return False

    def violated(self, book: Book) -> list[str]:
        """Markets whose curve has no reserves left, or whose position does not fit on it."""
        curve, held = self.state.curve, book.size[np.arange(len(book.oracle)), book.counterparty]
        sound = (curve.centre > 0) & (curve.centre + held > 0) & (curve.root > 0) & (curve.peg > 0)
        return [
            f"curve_has_reserves: market {market}, base reserve {curve.centre[market] + held[market]}"
            for market in np.flatnonzero(~sound)
        ]


@kernel
def fill_quotes(
    book: Book, state: State, ladder: Ladder, notional: Ints, resting: Floats, out: Floats
) -> None:
    """Write best bid, best ask, impact bid, impact ask and 1 % depth of each market into `out`.

    `resting`, as wide as the longest side, is scratch.
    """
    for market in range(notional.size):
        for side in (BID, ASK):
            prices, lots = resting_side(ladder, 2 * market + side, resting)
            best, impact, depth = side_quotes(
                book, state, market, side, float(notional[market]), prices, lots
            )
            out[side, market], out[2 + side, market] = best, impact
            out[4, market] += depth


@kernel
def resting_side(ladder: Ladder, row: int, resting: Floats) -> tuple[Floats, Floats]:
    """Prices and lots of the orders of a side, in priority, written into `resting`."""
    slot, count = best_order(ladder, row), ladder.orders[row]
    for index in range(count):
        resting[0, index] = price_of(ladder, row, ladder.terms[slot].key)
        resting[1, index] = ladder.order[slot].size
        slot = following(ladder, slot)
    return resting[0, :count], resting[1, :count]


@kernel
def side_quotes(
    book: Book, state: State, market: int, side: int, notional: float, prices: Floats, lots: Floats
) -> tuple[float, float, float]:
    """Best price, impact price and depth of one side of a market, orders and AMM together."""
    buying = side == ASK
    base, quote = reserves(state.curve, market, float(book.size[market, book.counterparty[market]]))
    peg, room = quoted_peg(state, market, buying), float(state.room[side, market])
    best = prices[0] if prices.size else 0.0
    if room != 0.0:
        offer = peg * quote / base
        best = offer if best == 0.0 else min(best, offer) if buying else max(best, offer)
    stock, sign = (base, quote, peg, room), 1.0 if buying else -1.0
    spent, taken = sweep(prices, lots, stock, sign, notional, np.inf if buying else 0.0)
    impact = spent / taken if spent >= notional * (1.0 - 1e-12) and taken != 0.0 else 0.0
    edge = book.oracle[market] * (1.0 + BAND if buying else 1.0 - BAND)
    return best, impact, sweep(prices, lots, stock, sign, UNLIMITED, edge)[0]


@kernel
def sweep(
    prices: Floats,
    lots: Floats,
    stock: tuple[float, float, float, float],
    sign: float,
    budget: float,
    limit: float,
) -> tuple[float, float]:
    """Cash and lots of an order that takes ladder and curve in turn until `budget` or `limit` is reached.

    Parameters
    ----------
    prices, lots : (k,) float64
        Resting orders, the best first [micro-USD per lot].
    stock : tuple of float
        Base reserve, quote reserve, peg, and the lots that the AMM trades.
    sign : float
        1 for a buyer, −1 for a seller.
    budget, limit : float
        Most cash [micro-USD], and the worst price [micro-USD per lot].
    """
    base, quote, peg, room = stock
    sign = 1.0 if limit > peg * quote / base else -1.0
    root = np.sqrt(base * quote)
    spent, taken = 0.0, 0.0
    for index in range(prices.size + 1):
        last = index == prices.size or sign * (prices[index] - limit) > 0.0
        bound = limit if last else prices[index]
        here = min(max(sign * lots_until(base, root, peg, bound), 0.0), room)
        here = min(here, cash_lots(base, quote, peg, sign, budget - spent))
        spent += sign * trade_value(base, quote, peg, sign * here)
        taken += here
        base -= sign * here
        quote = root * root / base
        room -= sign * here
        if last or spent >= budget:
            break
        value = min(prices[index] * lots[index], budget - spent)
        spent, taken = spent + value, taken + value / prices[index]
    return spent, taken
