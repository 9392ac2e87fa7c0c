"""The venue: its state, its rules, and the phases of a block."""

from typing import NamedTuple

import numpy as np

from protocol.accrual import Accrual, AccrualRules, observation
from protocol.arithmetic import ppm_ceil
from protocol.book import DEPOSITS, FEES, INSURANCE, WITHDRAWALS, Book, Floats, Ints, Mask, Rows, first_trader
from protocol.funding_rules import Observation
from protocol.invariants import InvariantError, violated
from protocol.journal import Cascade, Journal
from protocol.liquidations.record import TAKEN_OVER, Engine, Moment
from protocol.margin import account_risk, equity_of
from protocol.oracle import Reading
from protocol.orders import Orders, require_known, sequence
from protocol.parameters import RiskParameters, violations
from protocol.premium_funding import premium
from protocol.pricing import Pricing, PricingRules
from protocol.scan import accounts_risk, liquidatable
from protocol.venues.venue import Quotes, Venue
from protocol.waterfall import (
    AUTO_DELEVERAGING,
    BACKSTOP_VAULT,
    DELEVERAGE,
    INSURANCE_FUND,
    LIQUIDITY_POOL,
    SOCIALISED_LOSS,
    adl_ranking,
    cover_from_fund,
    deleverage,
    socialise,
    take_over,
)


class Rules(NamedTuple):
    """The named choices that make a venue, and its clocks [s].

    Attributes
    ----------
    prices : PricingRules
    accrual : AccrualRules
    round_seconds : float
        Length of a liquidation round, the venue's own block [s].
    backstop : {"none", "takeover"}
    adl : {"none", "queue", "ranked", "random", "pro_rata", "profit_pro_rata", "drain"}
    adl_price : {"bankruptcy", "previous_mark", "mark"}
    adl_attempts, adl_counterparties : int
        Accounts deleveraged in a round, and counterparties tried for each.
    last_resort : {"gate", "socialise", "index", "pool", "halt"}
        What happens to a deficit that nobody covered: it stays and blocks withdrawals; all positions pay in
        proportion to notional; all pay by the funding index; the pool pays; or the venue stops.
    withdrawal_gate : int
        How long withdrawals stay blocked after an account was seen below zero [s].
    withdrawal_notional : int
        Share of open notional that a withdrawal has to leave in the account [ppm].
    """

    prices: PricingRules
    accrual: AccrualRules
    round_seconds: float
    backstop: str
    adl: str
    adl_price: str
    adl_attempts: int
    adl_counterparties: int
    last_resort: str
    withdrawal_gate: int
    withdrawal_notional: int


class Usable(NamedTuple):
    """Markets whose price each act may use in this block, (m,) bool each; see `guards`."""

    trade: Mask
    liquidate: Mask
    withdraw: Mask
    fund: Mask
    quote: Mask


class Exchange:
    """A perpetual-futures venue; each public method is a phase of the block.

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
        self.gated_until = -np.inf
        self.halted = False
        self.deposited = np.zeros_like(book.cash)
        self.enact(parameters)
        self.usable = self._usable()

    def enact(self, parameters: RiskParameters) -> None:
        """Make new risk parameters hold from here on; refuses those that break a joint constraint."""
        broken = violations(parameters)
        if broken:
            raise ValueError("; ".join(broken))
        self.parameters = parameters
        self.accrual.follow(parameters)

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
        self.prices.update(reading, time)
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
        require_known(batch, *self.book.size.shape[::-1])
        self.venue.cancel(leaving, block)
        open_now = self.usable.trade & (not self.halted)
        admitted = sequence(batch, tickets)
        kept = open_now[admitted.market]
        if not kept.all():
            admitted = Orders._make(column[kept] for column in admitted)
        return self.venue.match(self.book, self.parameters, admitted)

    def liquidate(self, time: float, rounds: int, tickets: Ints) -> Cascade:
        """Run liquidation rounds until nobody is below maintenance, nothing moves, or `rounds` are over.

        Parameters
        ----------
        tickets : (rounds,) int64
            Non-negative random numbers.
        """
        journal = Journal()
        for number in range(rounds):
            candidates = self._candidates(journal)
            if len(candidates) == 0:
                return journal.close(number, truncated=False)
            moment = Moment(time, self.rules.round_seconds, number, int(tickets[number]))
            self._round(candidates, moment, journal)
            if journal.saw_negative:
                self.gated_until = time + self.rules.withdrawal_gate
            if self.prices.follow(self.quotes(), self.venue.last):
                journal.unstick()
        return journal.close(rounds, truncated=len(self._candidates(journal)) > 0)

    def _candidates(self, journal: Journal) -> Ints:
        """Accounts below maintenance for which something may still be done in this block."""
        if self.halted:
            return np.empty(0, np.int64)
        failing = np.setdiff1d(liquidatable(self.book, self.parameters), journal.stuck)
        return failing[self._priced(failing, self.usable.liquidate)]

    def _priced(self, accounts: Ints, usable: Mask) -> Mask:
        """Which accounts hold positions only in markets whose price may be used, (k,)."""
        held = self.book.size[:, accounts] != 0
        return ~(held & ~usable[:, None]).any(axis=0)

    def _round(self, candidates: Ints, moment: Moment, journal: Journal) -> None:
        """One round: orders against the book, then the waterfall for what the book did not close.

        Resting orders only grow fewer within a block, so an account for which nothing could be done is
        stuck, and not tried again until the mark moves or the next block brings new quotes.
        """
        plan = self.engine.round(self.book, self.parameters, candidates, moment)
        number, ticket = moment.number, moment.ticket
        plan["round"] = number
        for row in plan[(plan["insurance"] < 0) | (plan["pool"] > 0)]:
            journal.pay(number, int(row["account"]), INSURANCE_FUND, -int(row["insurance"]))
            journal.pay(number, int(row["account"]), LIQUIDITY_POOL, int(row["pool"]))
        left = np.flatnonzero((plan["filled"] == 0) & (plan["size"] != 0))
        stuck = [index for index in left if not self._rescue(number, plan[index], ticket, journal)]
        journal.stuck = np.union1d(journal.stuck, plan["account"][stuck])
        journal.liquidations.append(plan[plan["size"] != 0])
        accounts = np.unique(plan["account"])
        for account in accounts[equity_of(self.book, self.parameters, accounts) < 0]:
            self._resolve(number, int(account), journal)

    def _rescue(self, number: int, order: Rows, ticket: int, journal: Journal) -> bool:
        """Offer an account that the book left untouched to the vault, then to its counterparties.

        Returns whether anything was done, or is still to be tried in a later round.
        """
        account = int(order["account"])
        if self._take_over(number, account, journal):
            order["outcome"] = TAKEN_OVER
            return True
        if order["equity"] >= 0 or self.rules.adl == "none":
            return False
        if journal.deleveraged_in(number) >= self.rules.adl_attempts:
            return True
        return self._deleverage(number, account, ticket, journal) > 0

    def _take_over(self, number: int, account: int, journal: Journal) -> bool:
        """Offer an account to the backstop vault."""
        if self.rules.backstop != "takeover":
            return False
        deficit = max(-account_risk(self.book, self.parameters, account)[0], 0)
        if not take_over(self.book, self.parameters, account):
            return False
        journal.pay(number, account, BACKSTOP_VAULT, deficit)
        return True

    def _deleverage(self, number: int, account: int, ticket: int, journal: Journal) -> int:
        """Close a bankrupt account's positions against the other side; returns the number of fills."""
        rule = self.rules.adl
        equity = accounts_risk(self.book, self.parameters)[0] if rule == "ranked" else self.book.cash
        done = 0
        journal.attempts.append(number)
        for market in np.flatnonzero(self.book.size[:, account]):
            ranking = adl_ranking(self.book, equity, account, int(market), rule, ticket)
            ranking = ranking[: self.rules.adl_counterparties]
            rows = np.zeros(len(ranking), DELEVERAGE)
            fills = deleverage(self.book, self.parameters, account, int(market), ranking, rows)
            rows["round"] = number
            journal.deleverages.append(rows[:fills])
            journal.pay(number, account, AUTO_DELEVERAGING, int(rows["haircut"][:fills].sum()))
            done += fills
        return done

    def _resolve(self, number: int, account: int, journal: Journal) -> None:
        """Deal with a deficit that nobody has covered.

        A closed account is paid out of the fund first. Under `socialise` everybody then pays the rest, and
        also the deficit of an account whose positions nobody takes.
        """
        deficit = -account_risk(self.book, self.parameters, account)[0]
        journal.saw_negative = True
        paid = 0
        if not self.book.size[:, account].any():
            paid = cover_from_fund(self.book, account, deficit)
            journal.pay(number, account, INSURANCE_FUND, paid)
        stranded = account in journal.stuck or not self.book.size[:, account].any()
        if self.rules.last_resort == "socialise" and stranded and deficit > paid:
            charges = np.zeros_like(self.book.cash)
            collected = socialise(self.book, account, deficit - paid, charges)
            journal.pay(number, account, SOCIALISED_LOSS, collected)

    def deposit(self, account: int, amount: int) -> None:
        """Credit `amount` micro-USD from outside."""
        self.book.cash[account] += amount
        self.book.flows[DEPOSITS] += amount
        self.deposited[account] += amount

    def withdraw(self, account: int, amount: int, time: float) -> int:
        """Pay out up to what the gate and the initial margin allow; returns the amount [micro-USD].

        Cash may fall below zero against the gain of a position, as long as the venue's pool holds the money.
        """
        blocked = self.halted or time < self.gated_until or account < first_trader(len(self.book.mark))
        if blocked or not self._priced(np.array([account]), self.usable.withdraw)[0]:
            return 0
        equity, initial, _ = account_risk(self.book, self.parameters, account)
        notional = int(np.abs(self.book.size[:, account]) @ self.book.mark)
        initial = max(initial, ppm_ceil(notional, self.rules.withdrawal_notional))
        cash, flows = self.book.cash, self.book.flows
        pool = flows[DEPOSITS] - flows[WITHDRAWALS] - cash[FEES] - cash[INSURANCE]
        paid = min(amount, equity - initial, int(pool))
        if paid <= 0:
            return 0
        self.book.cash[account] -= paid
        self.book.flows[WITHDRAWALS] += paid
        self.deposited[account] -= paid
        return paid

    def check(self, block: int, seed: int) -> None:
        """Raise InvariantError, naming every broken invariant, the block and the seed."""
        broken = violated(self.book, self.venue)
        if broken:
            raise InvariantError(f"block {block}, seed {seed}: " + "; ".join(broken))
