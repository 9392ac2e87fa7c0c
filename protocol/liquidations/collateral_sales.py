"""The sale of a failing account's assets: as little as restores its margin, to a keeper or out of the venue.

This is how lending venues liquidate, where the debt is cash and the collateral is not. Positions are closed
first, as long as the account is worth something; an account that owes more than its assets count for sells
these before a fund, a vault or counterparties pay for it.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM, ppm_ceil, ppm_floor
from protocol.book import DEPOSITS, WITHDRAWALS, Book, Ints, Mask, Row, Rows, move_cash
from protocol.kernels import kernel
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import LIQUIDATION, SOLD, UNSOLD, Engine, Moment
from protocol.margin import account_risk, asset_value, equity_of
from protocol.parameters import RiskParameters

OUTSIDE = -1


class SaleTerms(NamedTuple):
    """At what price a failing account's assets are sold, and to whom.

    Attributes
    ----------
    discount : (m,) int64
        What the buyer pays less than the oracle's price [ppm].
    penalty : (m,) int64
        Part of the buyer's payment that goes to the market's insurance fund [ppm].
    buyer : int
        Account of the keeper that buys, or OUTSIDE: the asset leaves the venue and cash comes in.
    """

    discount: Ints
    penalty: Ints
    buyer: int


class Sale(NamedTuple):
    """Lots of a market's asset, what the buyer pays, and the insurance fund's part of it [micro-USD]."""

    market: int
    lots: int
    quote: int
    fee: int


@kernel
def priced_sale(book: Book, terms: SaleTerms, market: int, lots: int) -> Sale:
    """What selling `lots` units of an asset brings; rounded against the seller."""
    quote = ppm_floor(lots * book.oracle[market], PPM - terms.discount[market])
    return Sale(market, lots, quote, ppm_ceil(quote, terms.penalty[market]))


@kernel
def affordable(book: Book, parameters: RiskParameters, buyer: int, sale: Sale) -> bool:
    """Whether a buyer would meet its initial margin with the asset and without the cash."""
    equity, initial, _ = account_risk(book, parameters, buyer)
    units = book.collateral[sale.market, buyer]
    before = asset_value(book, parameters, sale.market, units)
    after = asset_value(book, parameters, sale.market, units + sale.lots)
    return equity + after[0] - before[0] - sale.quote >= initial + after[1] - before[1]


@kernel
def sell_collateral(book: Book, parameters: RiskParameters, account: int, buyer: int, sale: Sale) -> bool:
    """Sell units of an account's asset to another account, or out of the venue; returns whether it was done.

    Refused without the units, or if the buyer would fall below its initial margin. A sale to OUTSIDE counts
    as a withdrawal of the asset and a deposit of its price, so that both stay conserved.
    """
    market = sale.market
    if sale.lots <= 0 or sale.lots > book.collateral[market, account] or buyer == account:
        return False
    if buyer == OUTSIDE:
        book.cash[account] += sale.quote
        book.flows[DEPOSITS] += sale.quote
        book.asset_flows[WITHDRAWALS, market] += sale.lots
    elif affordable(book, parameters, buyer, sale):
        move_cash(book, buyer, account, sale.quote)
        book.collateral[market, buyer] += sale.lots
    else:
        return False
    book.collateral[market, account] -= sale.lots
    move_cash(book, account, book.fund[market], sale.fee)
    return True


@kernel
def health_gain(
    book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, market: int, lots: int
) -> int:
    """What selling `lots` units of an asset adds to the account's equity [micro-USD]."""
    units, sale = book.collateral[market, account], priced_sale(book, terms, market, lots)
    before = asset_value(book, parameters, market, units)[0]
    return sale.quote - sale.fee - before + asset_value(book, parameters, market, units - lots)[0]


@kernel
def least_lots(
    book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, market: int, shortage: int
) -> int:
    """Fewest units of an asset whose sale adds `shortage` to equity; all, if that is not enough."""
    low, high = 0, book.collateral[market, account]
    while high - low > 1:
        middle = (low + high) // 2
        if health_gain(book, parameters, terms, account, market, middle) >= shortage:
            high = middle
        else:
            low = middle
    return high


@kernel
def best_to_sell(book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, tried: Ints) -> int:
    """Asset not tried yet that adds most to equity for each USD of it that is sold; −1 if none is left."""
    best, highest = -1, 0
    for market in range(tried.size):
        rate = ppm_floor(PPM - terms.discount[market], PPM - terms.penalty[market])
        rate -= parameters.weight_maintenance[market]
        left = tried[market] == 0 and book.collateral[market, account] > 0
        if left and (best < 0 or rate > highest):
            best, highest = market, rate
    return best


class SaleRound(NamedTuple):
    """What a round of sales reads and writes: outside prices, marks of assets tried, and the record.

    Attributes
    ----------
    outside, tried : (m,) int64
    rows : (k,) LIQUIDATION
    """

    outside: Ints
    tried: Ints
    rows: Rows


@kernel
def offer_for_sale(
    book: Book, parameters: RiskParameters, buyer: int, sale: Sale, outside: int, row: Row
) -> None:
    """Sell units of an asset of `row.account`, and complete the record.

    A buyer stays away where the asset is known to be cheaper outside.
    """
    market = sale.market
    row.equity, _, row.maintenance = account_risk(book, parameters, row.account)
    row.keeper, row.market, row.size, row.outcome = buyer, market, -sale.lots, UNSOLD
    row.oracle, row.mark, row.limit = book.oracle[market], book.mark[market], sale.quote // sale.lots
    dear = outside > 0 and sale.quote > sale.lots * outside
    if not dear and sell_collateral(book, parameters, row.account, buyer, sale):
        row.filled, row.quote, row.fee, row.insurance = -sale.lots, -sale.quote, sale.fee, sale.fee
        row.outcome = SOLD


@kernel
def liquidate_collateral(
    book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, now: SaleRound, done: int
) -> int:
    """Sell what restores an account, asset by asset; returns the number of rows in the record, `done` before.

    A sale helps by what it brings beyond the weight at which the asset counted, so the asset of the lowest
    weight goes first. Where no weight leaves room for discount and penalty, not even selling all repays the
    debt, and all is sold.
    """
    for market in range(now.tried.size):
        now.tried[market] = 0
    while True:
        equity, _, maintenance = account_risk(book, parameters, account)
        market = best_to_sell(book, parameters, terms, account, now.tried)
        if equity >= maintenance or market < 0:
            return done
        lots = least_lots(book, parameters, terms, account, market, maintenance - equity)
        sale = priced_sale(book, terms, market, lots)
        now.rows[done].account = account
        offer_for_sale(book, parameters, terms.buyer, sale, now.outside[market], now.rows[done])
        now.tried[market] = 1
        done += 1


@kernel
def liquidate_holders(
    book: Book, parameters: RiskParameters, terms: SaleTerms, sellers: Ints, now: SaleRound
) -> int:
    """Sell the assets of some accounts; returns the number of rows written."""
    done = 0
    for account in sellers:
        done = liquidate_collateral(book, parameters, terms, account, now, done)
    return done


class CollateralSales:
    """An engine that sells assets of failing accounts; another closes their positions.

    Parameters
    ----------
    positions : Engine
        What closes positions.
    parameters : SaleTerms
    markets : int

    Attributes
    ----------
    outside : (m,) int64
        What the assets are worth elsewhere [micro-USD per lot]; 0 where buyers know no other price.
    usable : (m,) bool
        Markets whose price liquidation may use.
    """

    def __init__(self, positions: Engine, parameters: SaleTerms, markets: int) -> None:
        self.positions = positions
        self.parameters = parameters
        self.outside = np.zeros(markets, np.int64)
        self.usable = np.ones(markets, np.bool_)

    @property
    def busy(self) -> bool:
        """Whether positions are still being closed."""
        return self.positions.busy

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Learn which prices may be used, and pass all on; see `Engine.prepare`."""
        self.usable[:] = usable
        self.positions.prepare(offers, gas_price, usable)

    def receipts(self) -> Rows:
        """What keepers have spent on closing positions."""
        return self.positions.receipts()

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """Sell assets of who has no positions or is bankrupt; close positions of all who sold nothing."""
        holding = np.logical_or.reduce(book.size[:, candidates] != 0, axis=0)
        rows = self._sell(book, parameters, candidates, holding)
        sold = np.isin(candidates, rows["account"][rows["outcome"] == SOLD])
        closing = candidates[holding & ~sold]
        if len(closing) == 0 and not self.busy:
            return rows
        return np.concatenate([self.positions.round(book, parameters, closing, moment), rows])

    def _sell(self, book: Book, parameters: RiskParameters, candidates: Ints, holding: Mask) -> Rows:
        """Sales of candidates without positions, and of those below zero, whose assets all have a price."""
        owned = book.collateral[:, candidates] > 0
        due = owned.any(axis=0) & (~holding | (equity_of(book, parameters, candidates) < 0))
        sellers = candidates[due & ~(owned & ~self.usable[:, None]).any(axis=0)]
        rows = np.zeros(len(sellers) * len(book.mark), LIQUIDATION)
        now = SaleRound(self.outside, np.empty(len(book.mark), np.int64), rows)
        return rows[: liquidate_holders(book, parameters, self.parameters, sellers, now)]
