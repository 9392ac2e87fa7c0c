"""The venue: its state, its rules, and the phases of a block."""

from typing import NamedTuple

import numpy as np

from protocol.book import (
    DEPOSITS,
    FEES,
    INSURANCE,
    WITHDRAWALS,
    Book,
    Floats,
    Ints,
    Mask,
    Rows,
    first_trader,
)
from protocol.funding import Premiums, advance_index, funding_rate, gather, premium
from protocol.invariants import InvariantError, violated
from protocol.journal import Cascade, Journal
from protocol.liquidations.record import TAKEN_OVER
from protocol.liquidations.slices import execute_round, plan_round
from protocol.margin import account_risk, equity_of
from protocol.oracle import FeedRule, median_mark, observe_basis, open_basis, open_feed, push
from protocol.orders import Orders, require_known, sequence
from protocol.parameters import RiskParameters, violations
from protocol.scan import accounts_risk, liquidatable
from protocol.venues.orderbook import Ladder, cancel_orders, match, quotes
from protocol.venues.venue import Quotes
from protocol.waterfall import (
    AUTO_DELEVERAGING,
    BACKSTOP_VAULT,
    DELEVERAGE,
    INSURANCE_FUND,
    SOCIALISED_LOSS,
    adl_ranking,
    cover_from_fund,
    deleverage,
    socialise,
    take_over,
)


class Rules(NamedTuple):
    """The named choices that make a venue family, and its clocks [s].

    Attributes
    ----------
    mark : {"oracle", "median"}
    feed : FeedRule
    funding_interval : int
        Between advances of the funding index [s].
    attempts : int
        Liquidations in a round.
    backstop : {"none", "takeover"}
    adl : {"none", "queue", "ranked"}
    adl_attempts, adl_counterparties : int
        Accounts deleveraged in a round, and counterparties tried for each.
    last_resort : {"gate", "socialise"}
        What happens to a deficit that nobody covered: it stays and blocks withdrawals, or everybody pays.
    withdrawal_gate : int
        How long withdrawals stay blocked after an account was seen below zero [s].
    """

    mark: str
    feed: FeedRule
    funding_interval: int
    attempts: int
    backstop: str
    adl: str
    adl_attempts: int
    adl_counterparties: int
    last_resort: str
    withdrawal_gate: int


class Exchange:
    """A perpetual-futures venue with an order book; each public method is a phase of the block."""

    def __init__(self, book: Book, ladder: Ladder, parameters: RiskParameters, rules: Rules, time: float):
        self.book = book
        self.ladder = ladder
        self.rules = rules
        self.feed = open_feed(book.oracle, time)
        self.basis = open_basis(len(book.oracle))
        self.premiums = Premiums(np.zeros(len(book.oracle)), time)
        self.rate = np.zeros(len(book.oracle), np.int64)
        self.gated_until = -np.inf
        self.deposited = np.zeros_like(book.cash)
        self.enact(parameters)

    def enact(self, parameters: RiskParameters) -> None:
        """Make new risk parameters hold from here on; refuses those that break a joint constraint."""
        broken = violations(parameters)
        if broken:
            raise ValueError("; ".join(broken))
        self.parameters = parameters

    def quotes(self) -> Quotes:
        """Best and impact prices and depth as the book stands."""
        return quotes(self.ladder, self.parameters.impact_notional, self.book.oracle)

    def observe(self, seconds: float) -> Floats:
        """Sample what has stood in the book for `seconds`, before the oracle moves on.

        The premium goes into funding, the mid into the average that the median mark uses.

        Returns
        -------
        (m,) float64
            The premium of the book over the oracle [1].
        """
        shown = self.quotes()
        sample = premium(self.book.oracle, shown.impact_bid, shown.impact_ask)
        self.premiums = gather(self.premiums, sample, seconds, self.parameters)
        two_sided = (shown.bid > 0) & (shown.ask > 0)
        mid = np.where(two_sided, (shown.bid + shown.ask) / 2, np.nan)
        self.basis = observe_basis(self.basis, mid, self.book.oracle, seconds)
        return sample

    def update_prices(self, outside: Ints, time: float, stalled: Mask, slowdown: float) -> None:
        """Advance the oracle to `time` and let the mark follow; see `oracle.push` for the arguments."""
        self.feed = push(self.feed, outside, time, self.rules.feed, stalled, slowdown)
        self.book.oracle[:] = self.feed.price
        self.refresh_mark(outside)

    def refresh_mark(self, outside: Ints) -> None:
        """Set the price of margin by the venue's rule."""
        if self.rules.mark == "oracle":
            self.book.mark[:] = self.book.oracle
            return
        shown = self.quotes()
        self.book.mark[:] = median_mark(
            self.book.oracle, self.basis, shown.bid, shown.ask, self.ladder.last, outside
        )

    def advance_funding(self, time: float) -> None:
        """At the end of an interval, set the rate from the premiums observed and advance the index."""
        elapsed = time - self.premiums.since
        if elapsed >= self.rules.funding_interval:
            self.rate = funding_rate(self.premiums, elapsed, self.parameters)
            advance_index(self.book, self.rate, int(elapsed))
            self.premiums = Premiums(np.zeros_like(self.premiums.gathered), time)

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
        cancel_orders(self.ladder, leaving, block)
        self.ladder, fills = match(self.book, self.parameters, self.ladder, sequence(batch, tickets))
        return fills

    def liquidate(self, outside: Ints, time: float, rounds: int, tickets: Ints) -> Cascade:
        """Run liquidation rounds until nobody is below maintenance, nothing moves, or `rounds` are over.

        Parameters
        ----------
        tickets : (rounds,) int64
            Non-negative random numbers.
        """
        journal = Journal()
        for number in range(rounds):
            candidates = np.setdiff1d(liquidatable(self.book, self.parameters), journal.stuck)
            if len(candidates) == 0:
                return journal.close(number, truncated=False)
            self._round(number, candidates, int(tickets[number]), journal)
            if journal.saw_negative:
                self.gated_until = time + self.rules.withdrawal_gate
            before = self.book.mark.copy()
            self.refresh_mark(outside)
            if (self.book.mark != before).any():
                journal.unstick()
        left = np.setdiff1d(liquidatable(self.book, self.parameters), journal.stuck)
        return journal.close(rounds, truncated=len(left) > 0)

    def _round(self, number: int, candidates: Ints, ticket: int, journal: Journal) -> None:
        """One round: orders against the book, then the waterfall for what the book did not close.

        Resting orders only grow fewer within a block, so an account for which nothing could be done is
        stuck, and not tried again until the mark moves or the next block brings new quotes.
        """
        plan = plan_round(self.book, self.parameters, candidates, self.rules.attempts, ticket)
        execute_round(self.book, self.parameters, self.ladder, plan)
        plan["round"] = number
        for row in plan[plan["insurance"] < 0]:
            journal.pay(number, int(row["account"]), INSURANCE_FUND, -int(row["insurance"]))
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
        if time < self.gated_until or account < first_trader(len(self.book.mark)):
            return 0
        equity, initial, _ = account_risk(self.book, self.parameters, account)
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
        broken = violated(self.book, self.ladder)
        if broken:
            raise InvariantError(f"block {block}, seed {seed}: " + "; ".join(broken))
