"""The sale of a failing account's assets: as little as restores its margin, to a keeper or out of the venue.

This is how lending venues liquidate, where the debt is cash and the collateral is not.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM, ppm_ceil, ppm_floor
from protocol.book import DEPOSITS, WITHDRAWALS, Book, Ints, Mask, Rows, move_cash
from protocol.keepers import Offers
from protocol.kernels import kernel
from protocol.liquidations.record import COMPLETE, LIQUIDATION, Engine, Moment
from protocol.margin import account_risk, asset_value
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
def best_to_sell(book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, chosen: Ints) -> int:
    """Unsold asset that adds most to equity for each USD of it that is sold; −1 if none is left."""
    best, highest = -1, 0
    for market in range(chosen.size):
        rate = ppm_floor(PPM - terms.discount[market], PPM - terms.penalty[market])
        rate -= parameters.weight_maintenance[market]
        left = chosen[market] == 0 and book.collateral[market, account] > 0
        if left and (best < 0 or rate > highest):
            best, highest = market, rate
    return best


@kernel
def plan_sales(book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, chosen: Ints) -> None:
    """Write the units of each asset to sell, (m,), into `chosen`; see `collateral_to_sell`."""
    equity, _, maintenance = account_risk(book, parameters, account)
    shortage = maintenance - equity
    for market in range(chosen.size):
        chosen[market] = 0
    market = best_to_sell(book, parameters, terms, account, chosen)
    while shortage > 0 and market >= 0:
        chosen[market] = least_lots(book, parameters, terms, account, market, shortage)
        shortage -= health_gain(book, parameters, terms, account, market, chosen[market])
        market = best_to_sell(book, parameters, terms, account, chosen)


def collateral_to_sell(book: Book, parameters: RiskParameters, terms: SaleTerms, account: int) -> Ints:
    """The least sale of assets that lifts an account to its maintenance margin; everything, if none does.

    A sale helps by what it brings beyond the weight at which the asset counted, so the asset of the lowest
    weight goes first. Where no weight leaves room for discount and penalty, not even selling all repays the
    debt, and all is sold.

    Returns
    -------
    (m,) int64
        Units of each market's asset [lots].
    """
    chosen = np.empty(len(book.mark), np.int64)
    plan_sales(book, parameters, terms, account, chosen)
    return chosen


class SaleRound(NamedTuple):
    """What a round of sales reads and writes: outside prices, a plan for one account, and the record.

    Attributes
    ----------
    outside, chosen : (m,) int64
    rows : (k,) LIQUIDATION
    """

    outside: Ints
    chosen: Ints
    rows: Rows


@kernel
def liquidate_collateral(
    book: Book, parameters: RiskParameters, terms: SaleTerms, account: int, now: SaleRound, done: int
) -> int:
    """Sell what `plan_sales` asks for; returns the number of rows in the record, `done` before.

    A buyer stays away where the asset is known to be cheaper outside.
    """
    equity, _, maintenance = account_risk(book, parameters, account)
    plan_sales(book, parameters, terms, account, now.chosen)
    for market in range(now.chosen.size):
        if now.chosen[market] == 0:
            continue
        sale, row = priced_sale(book, terms, market, now.chosen[market]), now.rows[done]
        row.account, row.keeper, row.market, row.size = account, terms.buyer, market, -sale.lots
        row.equity, row.maintenance = equity, maintenance
        row.oracle, row.mark, row.limit = book.oracle[market], book.mark[market], sale.quote // sale.lots
        dear = now.outside[market] > 0 and sale.quote > sale.lots * now.outside[market]
        if not dear and sell_collateral(book, parameters, account, terms.buyer, sale):
            row.filled, row.quote, row.fee, row.insurance = -sale.lots, -sale.quote, sale.fee, sale.fee
            row.outcome = COMPLETE
        done += 1
    return done


@kernel
def liquidate_holders(
    book: Book, parameters: RiskParameters, terms: SaleTerms, sellers: Ints, now: SaleRound
) -> int:
    """Sell the assets of accounts without positions; returns the number of rows written."""
    done = 0
    for account in sellers:
        done = liquidate_collateral(book, parameters, terms, account, now, done)
    return done


class CollateralSales:
    """An engine that sells the assets of accounts without positions; another has the accounts with some.

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
        """Close positions; sell what restores each candidate that has none, `size` its units sold."""
        holding = book.size[:, candidates].any(axis=0)
        unpriced = ((book.collateral[:, candidates] > 0) & ~self.usable[:, None]).any(axis=0)
        sellers = candidates[~holding & ~unpriced]
        rows = np.zeros(len(sellers) * len(book.mark), LIQUIDATION)
        now = SaleRound(self.outside, np.empty(len(book.mark), np.int64), rows)
        done = liquidate_holders(book, parameters, self.parameters, sellers, now)
        if not holding.any() and not self.busy:
            return rows[:done]
        closed = self.positions.round(book, parameters, candidates[holding], moment)
        return np.concatenate([rows[:done], closed])
