"""Full closes at the oracle price: a failing account's positions go back to the liquidity pool at once.

The account pays what its positions lost, then fees, then price impact, each as far as its money goes; the
pool silently bears what is missing. There is no insurance fund and no deleveraging of others.

References
----------
.. [1] GMX synthetics, position/DecreasePositionCollateralUtils.sol and liquidation/LiquidationUtils.sol.
"""

import numpy as np

from protocol.arithmetic import multiply_divide_floor, ppm_ceil, ppm_floor
from protocol.book import Book, Ints, Mask, Rows, first_trader, move_cash
from protocol.kernels import kernel
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import COMPLETE, LIQUIDATION, Moment, Unattended
from protocol.liquidations.slices import bankruptcy_quote
from protocol.margin import account_risk
from protocol.parameters import RiskParameters
from protocol.venues.backing import PoolState
from protocol.venues.impact import PoolParameters, order_impact
from protocol.venues.impact_pool import ImpactPool
from protocol.venues.settlement import (
    CLAIM_DELAY,
    close_with_pool,
    decrease_terms,
    pay_fee,
    pay_impact,
    set_aside,
    with_room,
)

IMPACT, ASIDE = range(2)


@kernel
def counted_impact(book: Book, state: PoolState, rule: PoolParameters, account: int) -> int:
    """Price impact of closing everything that the liquidation test counts [micro-USD], ≤ 0.

    The close's own impact and what is pending count together, in each market down to a share of notional.
    """
    total = 0
    for market in range(book.oracle.size):
        size = book.size[market, account]
        if size != 0 and rule.liquidation_impact[market] > 0:
            expected = order_impact(book, rule, market, -size) + state.pending[market, account]
            notional = abs(size) * book.oracle[market]
            total += min(max(expected, -ppm_floor(notional, rule.liquidation_impact[market])), 0)
    return total


@kernel
def must_close(
    book: Book, parameters: RiskParameters, state: PoolState, rule: PoolParameters, account: int
) -> bool:
    """Whether an account's equity, counted impact included, is below its maintenance requirement."""
    equity, _, maintenance = account_risk(book, parameters, account)
    return maintenance > 0 and equity + counted_impact(book, state, rule, account) < maintenance


@kernel
def keep_failing(
    book: Book, parameters: RiskParameters, state: PoolState, rule: PoolParameters, accounts: Ints
) -> int:
    """Move the accounts that must be closed to the front; return their number."""
    found = 0
    for index in range(accounts.size):
        if must_close(book, parameters, state, rule, accounts[index]):
            accounts[found] = accounts[index]
            found += 1
    return found


@kernel
def close_positions(
    book: Book,
    parameters: RiskParameters,
    state: PoolState,
    rule: PoolParameters,
    account: int,
    rows: Rows,
    owed: Ints,
) -> int:
    """Hand all positions of an account to the pools; return their number.

    Gains of impact are paid; its costs are written into `owed`, (2, m), and fees into the rows.
    """
    done = 0
    equity, _, maintenance = account_risk(book, parameters, account)
    for market in range(book.oracle.size):
        size = book.size[market, account]
        if size == 0:
            continue
        row = rows[done]
        row.account, row.market, row.keeper = account, market, -1
        row.equity, row.maintenance = equity, maintenance
        row.size, row.filled, row.outcome = -size, -size, COMPLETE
        row.oracle, row.mark = book.oracle[market], book.mark[market]
        row.bankruptcy = bankruptcy_quote(book, parameters, account, market, -size) // -size
        done += 1
    for index in range(done):
        row = rows[index]
        market = row.market
        terms = decrease_terms(book, state, rule, market, account, row.size)
        close_with_pool(book, state, market, account, row.size, terms.quote)
        gain = max(terms.impact, 0)
        pay_impact(book, state, market, account, gain)
        row.quote = terms.quote - gain
        row.fee = terms.fee + ppm_ceil(abs(terms.quote), rule.liquidation_fee[market])
        owed[IMPACT, market], owed[ASIDE, market] = gain - terms.impact, terms.aside
    return done


@kernel
def share_out(book: Book, account: int, rows: Rows) -> None:
    """Leave an account with nothing: the pools of its positions get, or bear, what it has, by notional."""
    left, total = book.cash[account], 0
    for index in range(rows.size):
        total += abs(rows[index].quote)
    for index in range(rows.size):
        row = rows[index]
        part = book.cash[account]
        if index + 1 < rows.size:
            part = multiply_divide_floor(left, abs(row.quote), total)
        move_cash(book, account, book.counterparty[row.market], part)
        row.fee, row.pool = max(part, 0), max(-part, 0)


@kernel
def owns_assets(book: Book, account: int) -> bool:
    """Whether an account holds units of any asset."""
    return bool(book.collateral[:, account].any())


@kernel
def settle_costs(
    book: Book, state: PoolState, rule: PoolParameters, account: int, rows: Rows, owed: Ints, due: float
) -> None:
    """Charge a closed account fees, impact and what is set aside, while its money lasts.

    If it cannot pay all fees, the fee sink gets none and the pools take what is left, or bear the loss; but
    an account with assets owes losses and fees until they are sold.
    """
    fees = 0
    for index in range(rows.size):
        fees += rows[index].fee
    if book.cash[account] < fees and not owns_assets(book, account):
        share_out(book, account, rows)
        return
    for index in range(rows.size):
        pay_fee(book, rule, rows[index].market, account, rows[index].fee)
    for kind in range(2):
        for index in range(rows.size):
            market = rows[index].market
            paid = min(owed[kind, market], max(book.cash[account], 0))
            rows[index].quote += paid
            if kind == IMPACT:
                pay_impact(book, state, market, account, -paid)
            else:
                set_aside(book, state.claims, market, account, paid, due)


@kernel
def close_accounts(
    book: Book,
    parameters: RiskParameters,
    state: PoolState,
    rule: PoolParameters,
    accounts: Ints,
    due: float,
    rows: Rows,
    owed: Ints,
) -> int:
    """Close accounts in turn and write a row for each position; return the number of rows."""
    done = 0
    for account in accounts:
        closed = close_positions(book, parameters, state, rule, account, rows[done:], owed)
        settle_costs(book, state, rule, account, rows[done : done + closed], owed, due)
        done += closed
    return done


class Closes(Unattended):
    """The engine of an oracle-priced pool: each candidate loses all positions at once.

    Parameters
    ----------
    venue : ImpactPool
        Whose pools stand on the other side.
    attempts : int
        Most accounts closed in a round; keepers start at a lottery-drawn place of the list.
    """

    def __init__(self, venue: ImpactPool, attempts: int) -> None:
        self.venue = venue
        self.attempts = attempts
        self.usable = np.ones(len(venue.usable), np.bool_)
        self.busy = False

    def prepare(self, offers: Offers, gas_price: float, usable: Mask) -> None:
        """Note whose prices may be used; the first round looks for accounts that only impact makes fail."""
        self.usable = usable
        self.busy = bool(self.venue.parameters.liquidation_impact.any())

    def failing(self, book: Book, parameters: RiskParameters) -> Ints:
        """Accounts below maintenance once the impact of closing them is counted, ascending; (k,) int64.

        More than those below maintenance only where `liquidation_impact` is not 0.
        """
        accounts = np.arange(first_trader(len(book.mark)), len(book.cash))
        found = keep_failing(book, parameters, self.venue.state, self.venue.parameters, accounts)
        return accounts[:found]

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        """Close some of `candidates`, (k,) accounts below maintenance; see `record.Engine.round`.

        Where the rule counts impact, accounts that fail by it are added. Accounts with a position whose
        price may not be used are left for later. `quote` holds the impact that was settled, `fee` trading
        fee and liquidation fee; cash changes by pool − quote − fee.
        """
        venue = self.venue
        if self.busy:
            candidates = np.union1d(candidates, self.failing(book, parameters))
        unpriced = (book.size[:, candidates] != 0) & ~self.usable[:, None]
        ready = candidates[~unpriced.any(axis=0)]
        self.busy = self.busy and len(ready) > self.attempts
        if len(ready) == 0:
            return np.zeros(0, LIQUIDATION)
        chosen = np.roll(ready, -(moment.ticket % len(ready)))[: self.attempts]
        markets = len(book.mark)
        rows = np.zeros(len(chosen) * markets, LIQUIDATION)
        venue.state = with_room(venue.counted(book), len(rows))
        done = close_accounts(
            book,
            parameters,
            venue.state,
            venue.parameters,
            chosen,
            moment.time + CLAIM_DELAY,
            rows,
            np.zeros((2, markets), np.int64),
        )
        rows["round"] = moment.number
        return rows[:done]
