"""Liquidation by keepers: one of them takes over a part of the position near the oracle's price.

An account that falls below maintenance is flagged and its open orders leave. From then on its position
passes on in parts, as time goes by, until its collateral covers maintenance and a buffer again.

References
----------
.. [1] Drift protocol-v2, math/liquidation.rs and controller/liquidation.rs, liquidate_perp.
"""

import numpy as np

from protocol.arithmetic import PPM, multiply_divide_floor, ppm_ceil
from protocol.book import Book, Floats, Ints, Mask, Row, Rows
from protocol.kernels import kernel
from protocol.liquidations.handover import execute_transfer, fill_capacity
from protocol.liquidations.keepers import (
    NOBODY,
    RECEIPT,
    AuctionRule,
    Award,
    Jobs,
    Offers,
    hold_auction,
    lottery,
    revert,
)
from protocol.liquidations.record import LIQUIDATION, Moment
from protocol.liquidations.shortage import (
    TransferRules,
    account_shortage,
    freeable,
    fund_fee,
    keeper_fee,
    lots_to_cover,
)
from protocol.liquidations.slices import bankruptcy_quote, maintenance_of
from protocol.margin import account_risk
from protocol.parameters import RiskParameters
from protocol.venues.venue import Venue

NO_MARKET = -1
ROUNDING = 4


class Transfers:
    """Liquidation by keepers, as Drift does it; an engine.

    Parameters
    ----------
    book : Book
    venue : Venue
        Whose resting orders a flagged account loses.
    parameters : TransferRules
        May be replaced between blocks.
    auction : AuctionRule or None
        How keepers compete; None: the first that a lottery names and that has the capital takes over, and
        nobody pays gas.

    Attributes
    ----------
    offers : Offers
        Keepers of this block. Without any, nothing is liquidated.
    gas_price : float
        Base fee of this block [micro-USD per unit of gas].
    usable : (m,) bool
        Markets whose oracle is near enough to its average.
    since : (n,) float64
        When each account was flagged [s]; NaN if it is not.
    freed : (n,) int64
        Shortage that liquidation has removed since [micro-USD].
    idle : (n,) bool
        Accounts for which nothing more can be done in this block: no keeper came, or no oracle is usable.
    last_market : (n,) int64
        Market in which each account was liquidated last; −1 for none.
    spent : list of (k,) RECEIPT
        What keepers have spent since the receipts were asked for last.
    """

    def __init__(
        self, book: Book, venue: Venue, parameters: TransferRules, auction: AuctionRule | None = None
    ) -> None:
        accounts, markets = len(book.cash), len(book.oracle)
        self.venue = venue
        self.parameters = parameters
        self.auction = auction
        none = np.empty(0, np.int64)
        self.offers = Offers(none, np.empty(0), none, none, none)
        self.gas_price = 0.0
        self.usable = np.ones(markets, np.bool_)
        self.since = np.full(accounts, np.nan)
        self.freed = np.zeros(accounts, np.int64)
        self.idle = np.zeros(accounts, np.bool_)
        self.last_market = np.full(accounts, NO_MARKET)
        self.spent: list[Rows] = []

    @property
    def busy(self) -> bool:
        """Whether accounts under liquidation may still pass on in this block."""
        return bool((self.flagged & ~self.idle).any())

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Note the keepers and the gas price of the block, and whose oracle may be used."""
        self.offers, self.gas_price, self.usable = offers, gas_price, usable
        self.idle[:] = False

    def receipts(self) -> Rows:
        """What keepers have spent since they were last asked, (k,) RECEIPT."""
        rows = np.concatenate([np.zeros(0, RECEIPT), *self.spent])
        self.spent = []
        return rows

    @property
    def flagged(self) -> Mask:
        """Accounts under liquidation, (n,) bool."""
        return ~np.isnan(self.since)

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """Flag candidates, release who has recovered, and let keepers take over; see `Engine.round`.

        `fee` is the keeper's discount, `limit` the price of the transfer at the oracle less that discount.
        """
        now = moment.time + moment.number * moment.seconds
        self._flag(candidates, now)
        accounts = np.flatnonzero(self.flagged & ~self.idle)
        plan, rates = np.zeros(len(accounts), LIQUIDATION), np.zeros((len(accounts), 2), np.int64)
        plan["account"], plan["keeper"], plan["round"] = accounts, NOBODY, moment.number
        clock = (self.since, self.freed, self.usable)
        plan_transfers(book, parameters, self.parameters, clock, now, plan, rates)
        self.idle[accounts[plan["market"] == NO_MARKET]] = True
        due = plan["size"] != 0
        if not due.any():
            return plan[due]
        return self._award(book, parameters, plan[due], rates[due], moment.ticket)

    def _flag(self, candidates: Ints, now: float) -> None:
        """Start the clock of new candidates and withdraw their orders."""
        fresh = candidates[np.isnan(self.since[candidates])]
        self.since[fresh], self.freed[fresh] = now, 0
        if len(fresh):
            leaving = np.zeros(len(self.since), np.bool_)
            leaving[fresh] = True
            self.venue.cancel(leaving, 0)

    def _award(self, book: Book, parameters: RiskParameters, plan: Rows, rates: Ints, draw: int) -> Rows:
        """Let keepers compete for the planned transfers; returns those for which the block had room."""
        notional = np.zeros((len(plan), len(self.offers.account)), np.int64)
        fill_capacity(book, parameters, plan, rates, self.offers.account, notional)
        jobs = Jobs(plan["account"], notional, notional * rates[:, :1] // PPM)
        award = self._choose(jobs, draw)
        for place, job in enumerate(award.order):
            keeper = int(self.offers.account[award.winner[job]])
            done = execute_transfer(
                book, parameters, self.parameters.buffer, keeper, rates[job], plan[job], self.freed
            )
            if self.auction is not None and not done:
                revert(award.receipts[place : place + 1], self.auction)
            if done:
                self.last_market[plan["account"][job]] = plan["market"][job]
        award.receipts["round"] = plan["round"][0]
        self.spent.append(award.receipts)
        tried = award.winner == NOBODY
        tried[award.order] = True
        self.idle[plan["account"][tried & (plan["filled"] == 0)]] = True
        return plan[tried]

    def _choose(self, jobs: Jobs, draw: int) -> Award:
        """Keeper of each job: by auction, or by lot among those with the capital."""
        if self.auction is not None:
            return hold_auction(jobs, self.offers, self.auction, self.gas_price, draw)
        winner = np.full(len(jobs.account), NOBODY)
        able = np.flatnonzero((jobs.notional > 0).any(axis=1))
        if len(able):
            chance = lottery(self.offers.ticket, jobs.account[able], draw)
            winner[able] = np.where(jobs.notional[able] > 0, chance, -1.0).argmax(axis=1)
        return Award(winner, able, np.zeros(0, RECEIPT))


@kernel
def largest_position(book: Book, account: int, usable: Mask) -> int:
    """Market of the account's largest position whose oracle may be used; −1 without one."""
    chosen, largest = NO_MARKET, 0
    for market in range(book.size.shape[0]):
        notional = abs(book.size[market, account]) * book.oracle[market]
        if usable[market] and notional > largest:
            chosen, largest = market, notional
    return chosen


@kernel
def holds(book: Book, account: int) -> bool:
    """Whether an account has any position."""
    return bool(book.size[:, account].any())


@kernel
def plan_transfer(
    book: Book, parameters: RiskParameters, rules: TransferRules, elapsed: float, freed: int, row: Row
) -> tuple[int, int]:
    """Write how much of `row.market` leaves `row.account` now; return keeper's and fund's rate [ppm]."""
    account, market = row.account, row.market
    size, price = book.size[market, account], book.oracle[market]
    notional = abs(size) * price
    kept = book.kept[market, account]
    hold = multiply_divide_floor(maintenance_of(parameters, market, abs(size), price, kept), PPM, notional)
    shortage = account_shortage(book, parameters, account, rules.buffer)
    fee = keeper_fee(rules, market, hold, elapsed)
    to_fund = fund_fee(rules.fund_fee[market], hold + rules.buffer, fee, shortage, notional)
    lots = lots_to_cover(shortage, price, hold + rules.buffer, fee, to_fund)
    if lots < 0 or lots > abs(size) or notional < rules.small:
        lots = abs(size)
    if notional >= rules.small:
        now = freeable(rules, shortage, freed, elapsed)
        lots = -multiply_divide_floor(-lots, now, shortage) if now < shortage else lots
    row.size = -lots if size > 0 else lots
    row.oracle, row.mark = price, book.mark[market]
    row.equity, _, row.maintenance = account_risk(book, parameters, account)
    row.limit = price - ppm_ceil(price, fee) if size > 0 else price + ppm_ceil(price, fee)
    row.bankruptcy = bankruptcy_quote(book, parameters, account, market, -size) // -size
    return fee, to_fund


@kernel
def plan_transfers(
    book: Book,
    parameters: RiskParameters,
    rules: TransferRules,
    clock: tuple[Floats, Ints, Mask],
    now: float,
    plan: Rows,
    rates: Ints,
) -> None:
    """Plan a transfer for each row's account; release those with nothing left, or with margin restored.

    `clock` holds since when accounts are flagged, what has been freed, and usable markets. Rows of accounts
    for which nothing is due keep size 0.
    """
    since, freed, usable = clock
    for index in range(plan.size):
        account = plan[index].account
        if not holds(book, account) or account_shortage(book, parameters, account, rules.buffer) <= ROUNDING:
            since[account] = np.nan
            continue
        plan[index].market = largest_position(book, account, usable)
        if plan[index].market != NO_MARKET:
            elapsed = max(now - since[account], 0.0)
            rates[index] = plan_transfer(book, parameters, rules, elapsed, freed[account], plan[index])
