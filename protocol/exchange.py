"""The venue: its state, its rules, and the phases of a block."""

import numpy as np

from protocol.admission import closing_only
from protocol.book import (
    COUNTERPARTY,
    DEPOSITS,
    VAULT,
    WITHDRAWALS,
    Book,
    Floats,
    Ints,
    Mask,
    Rows,
    first_trader,
    market_accounts,
    move_cash,
    touch,
    touch_all,
)
from protocol.carry.accrual import Accrual, observation
from protocol.carry.funding_rules import Observation
from protocol.carry.premium_funding import premium
from protocol.collateral import deposit_asset, withdraw_asset, withdrawable
from protocol.gating import Gates
from protocol.governance.guardian import Pauses
from protocol.laws.invariants import InvariantError, chosen_margin_is_a_rate, violated
from protocol.laws.ledger import Ledger
from protocol.liquidations.failures import Failures
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import NO_OFFERS, TAKEN_OVER, Engine, Moment, of_assets
from protocol.liquidity import Desk, open_locks, redeem, share_price, vault_desk
from protocol.liquidity import deposit as deposit_into
from protocol.losses.backstop import ONE_PURSE, Backstop, endow, vault_equity
from protocol.losses.journal import INSURANCE_FUND, LIQUIDITY_POOL, Cascade, Journal
from protocol.losses.waterfall import Waterfall
from protocol.margin import below_maintenance, equity_of
from protocol.orders import Orders, require_known, sequence
from protocol.parameters import RiskParameters, violations
from protocol.prices.oracle import Reading
from protocol.prices.pricing import Pricing
from protocol.rules import Rules, Usable
from protocol.sentry import Sentry
from protocol.valuation import valued_accounts, valued_purse
from protocol.venues.venue import FILL, Quotes, Venue

FEW, LOOKED_THROUGH = 10_000, 100


class Exchange:
    """A perpetual-futures venue; each public method is a phase of the block.

    Parts of it may rest: see `pauses`. While `trading` does, nothing new is opened; while `withdrawals` do,
    nobody takes money or assets out or sells shares; while `liquidations` do, accounts below maintenance stay
    as they are; while the `oracle` does, its price stands still.

    Parameters
    ----------
    book : Book
    venue : Venue
        How orders become fills.
    engine : Engine
        How failing accounts are closed.
    parameters : RiskParameters
    rules : Rules
    time : float
        Now [s].
    """

    def __init__(
        self, book: Book, venue: Venue, engine: Engine, parameters: RiskParameters, rules: Rules, time: float
    ) -> None:
        self.book = book
        self.venue = venue
        self.engine = engine
        self.rules = rules
        self.prices = Pricing(book, rules.prices, time)
        self.accrual = Accrual(book, rules.accrual, time)
        self.waterfall = Waterfall(book, rules.waterfall)
        self.gates = Gates(len(book.mark))
        self.sentry, self.ledger = Sentry(book), Ledger(book)
        self.failures = Failures()
        self.halted = False
        self.pauses = Pauses()
        self.deposited, self.brought = np.zeros((2, len(book.cash)), np.int64)
        self.locks = open_locks(book, rules.vault_lock, rules.pool_lock)
        self.enact(parameters)
        self.usable = self._usable()

    def enact(self, parameters: RiskParameters) -> None:
        """Make new risk parameters hold from here on; refuses those that break a joint constraint."""
        broken = violations(parameters)
        if broken:
            raise ValueError("; ".join(broken))
        self.parameters = parameters
        self.accrual.follow(parameters)

    def foreseen(self, parameters: RiskParameters) -> Book:
        """The book at the prices that it would have under the ceilings of other parameters."""
        oracle = self.prices.capped(parameters)
        if (oracle == self.book.oracle).all():
            return self.book
        follows = self.rules.prices.mark.kind == "oracle"
        return self.book._replace(oracle=oracle, mark=oracle if follows else self.book.mark)

    @property
    def backstop(self) -> Backstop:
        """From which purse failing accounts are taken over; the vault's where the venue has no such rule."""
        return self.rules.waterfall.backstop or ONE_PURSE

    @property
    def purses(self) -> Ints:
        """Accounts with depositors: the vault, then each market's counterparty, (m + 1,)."""
        return np.concatenate([[VAULT], market_accounts(len(self.book.mark), COUNTERPARTY)])

    def quotes(self) -> Quotes:
        """Best and impact prices and depth as the venue stands."""
        return self.venue.quotes(self.book, self.parameters)

    def observe(self, seconds: float) -> Floats:
        """Take in what has stood on the venue for `seconds`, before the oracle moves on.

        Returns
        -------
        (m,) float64
            The premium of the venue over the oracle [1].
        """
        shown = self.quotes()
        self.prices.observe(shown, self.venue.last, self.prices.time + seconds)
        self.accrual.observe(self._observation(shown), seconds)
        return premium(self.book.oracle, shown.impact_bid, shown.impact_ask)

    def update_prices(self, reading: Reading, time: float) -> None:
        """Advance the oracle to `time`, let the mark and the venue follow, and judge what may use them."""
        self.prices.update(reading, time, rests=self.pauses.holds("oracle", time))
        self.prices.cap(self.parameters)
        self.prices.follow(self.quotes(), self.venue.last)
        self.usable = self._usable()
        self.venue.refresh(self.book, self.parameters, time, self.usable.quote)

    def _usable(self) -> Usable:
        return Usable(*(self.prices.usable(rule) for rule in self.rules.prices.guards))

    def _observation(self, shown: Quotes) -> Observation:
        return observation(self.book, shown, self.usable.fund, self.venue.usage(self.book))

    def advance_funding(self, time: float) -> None:
        """Charge funding and borrowing that are due."""
        self.accrual.advance(self._observation(self.quotes()), time)

    def trade(self, batch: Orders, leaving: Mask, block: int, tickets: Ints) -> Rows:
        """Cancel, sequence and match; returns the fills.

        Parameters
        ----------
        leaving : (n,) bool
            Accounts whose resting orders are withdrawn first.
        tickets : (k,) int64
            A random permutation of the orders.
        """
        require_known(batch, self.venue.kinds, *self.book.size.shape[::-1])
        self.venue.cancel(leaving, block)
        if self.halted:
            return np.zeros(0, FILL)
        admitted = sequence(batch, tickets)
        kept = self.usable.trade[admitted.market]
        if not kept.all():
            admitted = Orders._make(column[kept] for column in admitted)
        parameters = self.parameters
        if self.pauses.holds("trading", self.prices.time):
            parameters, admitted = closing_only(parameters, admitted)
        return self.venue.match(self.book, parameters, admitted)

    def liquidate(
        self,
        time: float,
        rounds: int,
        tickets: Ints,
        offers: Offers = NO_OFFERS,
        gas_price: float = 0.0,
    ) -> Cascade:
        """Run liquidation rounds until nobody is below maintenance, nothing moves, or `rounds` are over.

        Parameters
        ----------
        tickets : (rounds,) int64
            Non-negative random numbers.
        """
        journal = Journal()
        if self.halted or self.pauses.holds("liquidations", time):
            return journal.close(0, truncated=False)
        endow(self.book, self.parameters, self.backstop)
        self.engine.prepare(offers, gas_price, self.usable.liquidate)
        journal.deleverages.append(self.venue.relieve(self.book, time))
        for number in range(rounds):
            candidates = self._candidates(journal, number)
            if self.halted or (len(candidates) == 0 and not self.engine.busy):
                self.venue.prune(self.book)
                return journal.close(number, truncated=False)
            moment = Moment(time, self.rules.round_seconds, number, int(tickets[number]))
            self._round(candidates, moment, journal)
            self.gates.shut(journal.debts, time + self.rules.withdrawal_gate)
            self.halted = self.halted or journal.halts
            if self.prices.follow(self.quotes(), self.venue.last):
                journal.unstick()
        self.venue.prune(self.book)
        return journal.close(rounds, truncated=len(self._candidates(journal, rounds)) > 0)

    def _candidates(self, journal: Journal, number: int) -> Ints:
        """Accounts below maintenance for which something may still be done in this block; notes new ones."""
        if self.halted:
            return np.empty(0, np.int64)
        failing, liquidator = self.sentry.failing(self.book, self.parameters), self.backstop.liquidator
        if liquidator != VAULT and below_maintenance(self.book, self.parameters, liquidator):
            failing = np.sort(np.append(failing, liquidator))
        journal.failures.append(self.failures.fresh(self.book, self.parameters, failing, number))
        if not len(failing):
            return failing
        failing = journal.stuck.others(failing)
        return failing[valued_accounts(self.book, self.parameters, failing, self.usable.liquidate)]

    def _round(self, candidates: Ints, moment: Moment, journal: Journal) -> None:
        """One round of the engine, then the waterfall for what it did not close.

        Resting orders only grow fewer within a block, so an account for which nothing could be done is
        stuck, and not tried again until the mark moves or the next block brings new quotes. An asset that
        finds no buyer is told of once a block.
        """
        rows = self.engine.round(self.book, self.parameters, candidates, moment)
        rows["round"] = moment.number
        for row in rows[(rows["insurance"] < 0) | (rows["pool"] > 0)]:
            journal.pay(moment.number, int(row["account"]), INSURANCE_FUND, -int(row["insurance"]))
            journal.pay(moment.number, int(row["account"]), LIQUIDITY_POOL, int(row["pool"]))
        self._rescue(rows, moment, journal)
        sale, done = of_assets(rows), rows["filled"] != 0
        told = (rows["size"] != 0) | (rows["fee"] != 0) | (rows["pool"] != 0)
        journal.liquidations.append(rows[told & ~sale])
        journal.sales.append(rows[sale & (done | (moment.number == 0))])
        accounts, first = np.unique(rows["account"], return_index=True)
        owing = equity_of(self.book, self.parameters, accounts) < 0
        for account, market in zip(accounts[owing], rows["market"][first[owing]], strict=True):
            self.waterfall.resolve(self.parameters, int(account), int(market), moment.number, journal)

    def _rescue(self, rows: Rows, moment: Moment, journal: Journal) -> None:
        """Offer what the engine left to the vault and to counterparties; note for whom nothing was done."""
        tried, sale = rows["size"] != 0, of_assets(rows)
        left = tried & ~sale & ((rows["filled"] == 0) | self.rules.waterfall.rescues_partial)
        previous = self.prices.previous_mark
        helped = [
            index
            for index in np.flatnonzero(left)
            if self.waterfall.rescue(self.parameters, rows[index], moment, previous, journal)
        ]
        taken = rows["outcome"] == TAKEN_OVER
        if taken.any():
            gone = np.isin(rows["account"], rows["account"][taken])
            rows["outcome"][gone & ~sale & (rows["filled"] == 0)] = TAKEN_OVER
        idle = tried & (rows["filled"] == 0)
        idle[helped] = False
        if idle.any():
            stuck = np.setdiff1d(rows["account"][idle], rows["account"][tried & ~idle])
            journal.stuck.add(stuck)

    def deposit(self, account: int, amount: int) -> int:
        """Credit `amount` micro-USD from outside; returns what was taken, 0 for a frozen account."""
        if self.venue.frozen(account):
            return 0
        touch(self.book, account)
        self.book.cash[account] += amount
        self.book.flows[DEPOSITS] += amount
        self.deposited[account] += amount
        return amount

    def open_accounts(self, accounts: Ints, cash: Ints, assets: Ints | None) -> None:
        """Credit what many accounts, (k,), bring before the venue opens.

        Parameters
        ----------
        cash : (k,) int64
            [micro-USD].
        assets : (m, k) int64, optional
            Units of each market's asset [lots], which are worth the mark.
        """
        self.book.cash[accounts] += cash
        self.book.flows[DEPOSITS] += cash.sum()
        self.deposited[accounts] += cash
        if assets is not None:
            self.book.collateral[:, accounts] += assets
            self.book.asset_flows[DEPOSITS] += assets.sum(axis=1)
            self.brought[accounts] += self.book.mark @ assets
        touch_all(self.book, accounts)

    def pay(self, source: int, target: int, amount: int) -> int:
        """Move money between accounts of the venue, as far as it is there; returns how much [micro-USD]."""
        paid = max(0, min(amount, int(self.book.cash[source])))
        move_cash(self.book, source, target, paid)
        return paid

    def deposit_asset(self, account: int, market: int, lots: int, price: int) -> None:
        """Credit `lots` of a market's asset from outside, where a lot is worth `price` micro-USD."""
        deposit_asset(self.book, account, market, lots)
        self.brought[account] += lots * price

    def withdraw(self, account: int, amount: int, time: float) -> int:
        """Pay out up to what the gate and the initial margin allow; returns the amount [micro-USD].

        Cash may fall below zero against the gain of a position, as long as the venue's pool holds the money.
        """
        if not self._may_withdraw(account, time):
            return 0
        paid = min(amount, withdrawable(self.book, self.parameters, account, self.rules.withdrawal))
        if paid <= 0:
            return 0
        touch(self.book, account)
        self.book.cash[account] -= paid
        self.book.flows[WITHDRAWALS] += paid
        self.deposited[account] -= paid
        return paid

    def withdraw_asset(self, account: int, market: int, lots: int, time: float) -> int:
        """Hand out up to `lots` of an asset, as gate and margin allow; returns how many [lots]."""
        if not self._may_withdraw(account, time):
            return 0
        return withdraw_asset(self.book, self.parameters, account, market, lots, self.rules.withdrawal)

    def _may_withdraw(self, account: int, time: float) -> bool:
        """Whether gates and prices let a trader take money out at all."""
        book, parameters = self.book, self.parameters
        rests = self.halted or self.pauses.holds("withdrawals", time)
        if rests or account < first_trader(len(book.mark)) or self.venue.frozen(account):
            return False
        usable = self.usable.withdraw
        valued = valued_accounts(book, parameters, np.array([account]), usable).all()
        return bool(valued and time >= self.gates.of_account(book, parameters, account))

    def desk(self, purse: int) -> Desk:
        """Terms on which depositors enter and leave the vault or a pool now.

        Nobody does at a price that withdrawals may not use.
        """
        time, purses = self.prices.time, {purse, self.backstop.liquidator} if purse == VAULT else {purse}
        valued = all(valued_purse(self.book, each, self.usable.withdraw) for each in purses)
        if purse == VAULT:
            desk = vault_desk(self.book, self.parameters, purse, time, self.locks)
            worth = vault_equity(self.book, self.parameters, self.backstop)
            desk = desk._replace(dear=worth, cheap=worth)
        else:
            desk = self.venue.desk(self.book, self.parameters, purse, time, self.locks)
        rests = self.halted or self.pauses.holds("withdrawals", time)
        if rests or not valued or time < self.gates.cross:
            desk = desk._replace(free=0)
        return desk._replace(open=desk.open and valued)

    def share_prices(self) -> Floats:
        """What a share of the vault and of each market's counterparty is worth, (m + 1,) [USD]."""
        return np.array([share_price(self.book, self.desk(int(purse))) for purse in self.purses])

    def buy_shares(self, account: int, purse: int, amount: int) -> int:
        """Move `amount` micro-USD of an account into the vault or a pool; returns the shares bought."""
        return deposit_into(self.book, self.parameters, self.desk(purse), account, amount)

    def sell_shares(self, account: int, purse: int, shares: int) -> int:
        """Sell shares of the vault or a pool; returns the cash paid [micro-USD]."""
        return redeem(self.book, self.desk(purse), account, shares)

    def check(self, block: int, seed: int, whole: bool = False) -> None:
        """Raise InvariantError, naming every broken invariant, the block and the seed.

        The laws are worked out from totals that follow every change. Few accounts are looked at one by one
        in every block, many now and then, and when `whole` is asked for.
        """
        book, few = self.book, len(self.book.cash) <= FEW
        broken = [] if self.ledger.balances(book, whole=few) else violated(book, self.venue)
        broken += self.venue.violated(book) if not broken else []
        if whole or few or block % LOOKED_THROUGH == 0:
            broken += self._looked_through(few)
        if broken:
            raise InvariantError(f"block {block}, seed {seed}: " + "; ".join(broken))

    def _looked_through(self, few: bool) -> list[str]:
        """Laws that need a look at everybody."""
        chosen = chosen_margin_is_a_rate(self.book)
        found = [f"chosen_margin_is_a_rate: {chosen}"] if chosen else []
        if not few and not self.ledger.complete(self.book):
            found.append("changes_are_noticed: an account has changed that was not touched")
        return found
