"""Liquidation in two steps: a failing account loses all it has at once, its positions close over time.

Flagging hands the whole of an account's worth, good or bad, to the pool. What it holds stays with it, at
zero margin and at the pool's risk, and is closed at the oracle's price as fast as each market's rolling
window allows.

References
----------
.. [1] Synthetix v3, perps-market: LiquidationModule.sol, PerpsMarket.maxLiquidatableAmount.
"""

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Book, Ints, Mask, Row, Rows, exchange_position, first_trader, move_cash
from protocol.kernels import kernel
from protocol.liquidations.keepers import RECEIPT, Offers
from protocol.liquidations.record import COMPLETE, LIQUIDATION, PARTIAL, UNFILLED, Moment
from protocol.liquidations.seizure import WindowParameters, flag_payment, hand_over, keeper_payment
from protocol.margin import account_risk
from protocol.parameters import RiskParameters
from protocol.venues.skew_pool import SkewPool

UNLIMITED = 1 << 50
NOBODY = -1


def window_capacity(parameters: RiskParameters, rules: WindowParameters, skew_scale: Ints) -> Ints:
    """Lots that one window may close in each market, (m,); at least one, unlimited without fees or scale.

    References
    ----------
    .. [1] Synthetix v3, PerpsMarketConfiguration.maxLiquidationAmountInWindow.
    """
    if rules.endorsed:
        return np.full(len(skew_scale), UNLIMITED)
    pace = (parameters.taker_fee + parameters.maker_fee) * rules.capacity * rules.window
    share = [int(scale) * pace for scale in skew_scale]
    lots = [max(each // (PPM * PPM), 1) if each > 0 else UNLIMITED for each in share]
    return np.minimum(np.array(lots, np.int64), UNLIMITED)


class Windows:
    """Flags accounts below maintenance and closes the positions of flagged ones, window by window.

    Accounts are served in the order of their flags. A round that is longer than a window has as many
    windows as fit into it. The pool settles the gains and losses of flagged accounts in every round, so
    that their equity is zero at the oracle's price when a round is over.

    Attributes
    ----------
    parameters : WindowParameters
    pool : SkewPool
        The venue, whose `flagged` mask the engine writes.
    keepers : (k,) int64
        Accounts that send the transactions, drawn by the round's ticket; without any, nobody is rewarded.
    queue : (j,) int64
        Flagged accounts that still hold positions, in the order of their flags.
    usable : (m,) bool
        Markets whose price may be used for liquidation.
    rewards : int
        Paid to keepers so far [micro-USD].
    attended : bool
        Whether keepers have to act; otherwise the venue does it itself, unpaid.
    deserted : bool
        No keeper stands ready in this block, so nothing is done.
    """

    def __init__(
        self, parameters: WindowParameters, pool: SkewPool, keepers: Ints, attended: bool = True
    ) -> None:
        markets = len(pool.parameters.skew_scale)
        self.parameters = parameters
        self.pool = pool
        self.keepers = keepers
        self.queue = np.zeros(0, np.int64)
        self.usable = np.ones(markets, np.bool_)
        self.rewards = 0
        self.attended = attended
        self.deserted = False
        self._times = np.zeros(0)
        self._closed = np.zeros((markets, 0), np.int64)

    @property
    def busy(self) -> bool:
        """Whether flagged accounts still hold positions."""
        return len(self.queue) > 0

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Note the keepers who put up with the gas price of the block, and whose price may be used."""
        self.keepers = offers.account[offers.tolerance >= gas_price]
        self.usable = usable
        self.deserted = self.attended and len(self.keepers) == 0 and not self.parameters.endorsed

    def receipts(self) -> Rows:
        """The reward covers what a keeper spends, so nothing is left to tell."""
        return np.zeros(0, RECEIPT)

    @property
    def flagged(self) -> Mask:
        """Accounts under liquidation, (n,) bool."""
        return self.pool.flagged

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """Flag the candidates that are not flagged yet, and close what the windows allow.

        Returns
        -------
        (j,) LIQUIDATION
            A row for each flag, for each position closed in whole or part, and for each flagged account
            whose gain or loss the pool took. On an account's first row, `fee` is the worth that was seized
            at the flag, and `pool` what the pool paid in, later also negative for what it took out.
        """
        if self.deserted:
            return np.zeros(0, LIQUIDATION)
        fresh = self._flag(book, candidates)
        accounts = np.concatenate((self.queue, fresh))
        room = self._room(book, parameters, moment)
        before = room.copy()
        rows = np.zeros(len(accounts) * len(room), LIQUIDATION)
        tickets = (moment.ticket + np.arange(len(accounts))) % max(len(self.keepers), 1)
        keepers = self.keepers[tickets] if len(self.keepers) else np.full(len(accounts), NOBODY)
        unpaid = np.zeros(len(accounts), np.int64)
        done, paid = close_accounts(
            book, parameters, self.parameters, accounts, len(self.queue), keepers, unpaid, room, rows
        )
        self._closed[:, -1] = before - room
        self.rewards += paid
        holding = book.size[:, accounts].any(axis=0)
        self.flagged[accounts[~holding]] = False
        self.queue = accounts[holding]
        rows["round"] = moment.number
        return rows[:done]

    def _flag(self, book: Book, candidates: Ints) -> Ints:
        """Flag the traders among the candidates whose positions all have a usable price; returns them."""
        blind = book.size[np.ix_(~self.usable, candidates)].any(axis=0)
        new = ~blind & ~self.flagged[candidates] & (candidates >= first_trader(len(book.mark)))
        fresh = candidates[new]
        self.flagged[fresh] = True
        self.pool.void()
        return fresh

    def _room(self, book: Book, parameters: RiskParameters, moment: Moment) -> Ints:
        """Lots that each market may close in this round, (m,); opens the round's entry in the window."""
        rules, scale = self.parameters, self.pool.parameters.skew_scale
        time = moment.time + moment.number * moment.seconds
        recent = self._times > time - rules.window
        used = self._closed[:, recent].sum(axis=1)
        capacity = window_capacity(parameters, rules, scale)
        room = np.maximum(capacity * max(int(moment.seconds // rules.window), 1) - used, 0)
        skew = np.abs(book.size[np.arange(len(scale)), book.counterparty])
        idle = ~self._closed[:, self._times == time].any(axis=1)
        room = np.where((room == 0) & idle & (skew * PPM < rules.calm_skew * scale), capacity, room)
        self._times = np.append(self._times[recent], time)
        self._closed = np.pad(self._closed[:, recent], ((0, 0), (0, 1)))
        return np.where(self.usable, room, 0)


@kernel
def close_position(book: Book, account: int, market: int, worth: int, room: Ints, row: Row) -> None:
    """Close what the window allows of a position against the pool, at the oracle's price; record it.

    The price of bankruptcy is that at which the account, worth `worth`, would have been worth nothing.
    """
    size, price = book.size[market, account], book.oracle[market]
    lots = min(abs(size), room[market])
    change = -lots if size > 0 else lots
    row.account, row.market, row.size, row.filled = account, market, -size, change
    row.quote, row.oracle, row.mark, row.limit = change * price, price, book.mark[market], price
    row.bankruptcy = price - worth // size if size != 0 else price
    row.outcome = UNFILLED
    if lots > 0:
        exchange_position(book, account, book.counterparty[market], market, change, change * price)
        room[market] -= lots
        row.outcome = COMPLETE if change == -size else PARTIAL


@kernel
def close_positions(
    book: Book, account: int, worth: int, fresh: bool, room: Ints, rows: Rows, done: int
) -> int:
    """Close an account's positions; returns the number of rows so far.

    A position of which nothing was closed leaves no row, except the first of an account that has more to
    tell: of a flag, or of a gain or loss that the pool took, and then its size is 0.
    """
    start = done
    for market in range(book.size.shape[0]):
        if book.size[market, account] != 0:
            close_position(book, account, market, worth, room, rows[done])
            unfilled = rows[done].filled == 0
            if unfilled and not fresh:
                rows[done].size = 0
            if not unfilled or (done == start and (fresh or worth != 0)):
                done += 1
    if fresh and done == start:
        close_position(book, account, 0, worth, room, rows[done])
        done += 1
    return done


@kernel
def close_account(
    book: Book, parameters: RiskParameters, account: int, fresh: bool, room: Ints, rows: Rows, done: int
) -> int:
    """Settle an account with the pool and close what the windows allow; returns the number of rows so far."""
    equity, _, maintenance = account_risk(book, parameters, account)
    worth = hand_over(book, account)
    end = close_positions(book, account, worth, fresh, room, rows, done)
    for index in range(done, end):
        row = rows[index]
        row.equity, row.maintenance, row.keeper, row.fee, row.pool = equity, maintenance, NOBODY, 0, 0
    if end > done:
        rows[done].fee = max(worth, 0) if fresh else 0
        rows[done].pool = max(-worth, 0) if fresh else -worth
    return end


@kernel
def close_accounts(
    book: Book,
    parameters: RiskParameters,
    rules: WindowParameters,
    accounts: Ints,
    flagged_before: int,
    keepers: Ints,
    payments: Ints,
    room: Ints,
    rows: Rows,
) -> tuple[int, int]:
    """Seize and close flagged accounts in turn; returns the rows written and what keepers were paid.

    The first `flagged_before` of `accounts` were flagged in earlier rounds; `keepers` are who acts on each,
    and their `payments`, zero at first, are written.
    They are paid when all is closed, so that no reward lifts an account that waits for its turn.
    """
    done, paid = 0, 0
    closing = keeper_payment(parameters, rules, 0, rules.close_cost, 0)
    for index in range(accounts.size):
        account, keeper, fresh = accounts[index], keepers[index], index >= flagged_before
        payment = flag_payment(book, parameters, rules, account) if fresh else closing
        start, done = done, close_account(book, parameters, account, fresh, room, rows, done)
        if keeper != NOBODY and (fresh or lots_closed(rows, start, done) > 0):
            for row in range(start, done):
                rows[row].keeper = keeper
            payments[index] = payment
    for index in range(accounts.size):
        if payments[index] != 0:
            move_cash(book, book.counterparty[0], keepers[index], payments[index])
            paid += payments[index]
    return done, paid


@kernel
def lots_closed(rows: Rows, start: int, end: int) -> int:
    """Lots closed in some rows, all markets added up."""
    lots = 0
    for row in range(start, end):
        lots += abs(rows[row].filled)
    return lots
