"""What positions pay for being held: funding and borrowing, from the rules to the book's indices."""

from typing import NamedTuple

import numpy as np

from protocol.book import (
    CLEARING,
    FUNDING_SCALE,
    Book,
    Floats,
    Ints,
    Mask,
    funding_index,
    move_cash,
    settle_funding,
)
from protocol.carry.borrowing import BorrowingRule, advance_borrowing, open_borrowing
from protocol.carry.funding import FundingRule, advance, observe
from protocol.carry.funding_rules import Observation, Steps, open_funding
from protocol.carry.premium_funding import PremiumRule
from protocol.parameters import RiskParameters
from protocol.venues.venue import Quotes


class AccrualRules(NamedTuple):
    """The venue's rules on what positions pay.

    Attributes
    ----------
    funding : FundingRule
    borrowing : BorrowingRule or None
    from_fees : bool
        Whether an automated counterparty's funding goes to and comes from its purse of fees; otherwise it
        is the counterparty's own money.
    """

    funding: FundingRule
    borrowing: BorrowingRule | None = None
    from_fees: bool = False


class Accrual:
    """Funding and borrowing of a book's positions.

    Parameters
    ----------
    book : Book
    rules : AccrualRules
    time : float
        Now [s].
    """

    def __init__(self, book: Book, rules: AccrualRules, time: float) -> None:
        self.book = book
        self.rules = rules
        self.funding = open_funding(len(book.oracle), time)
        self.borrowing = open_borrowing(len(book.oracle), time)

    def follow(self, parameters: RiskParameters) -> None:
        """Let a rule that is bounded by the margins know new ones."""
        rule = self.rules.funding
        if isinstance(rule, PremiumRule):
            gap = parameters.initial - parameters.maintenance
            self.rules = self.rules._replace(funding=rule._replace(margin_gap=gap))

    @property
    def rate(self) -> Floats:
        """Last funding rate, positive when longs pay, (m,) [1 per 8 h]."""
        return self.funding.rate

    def observe(self, shown: Observation, seconds: float) -> None:
        """Take in what has stood on the venue for `seconds`, before the oracle moves on."""
        self.funding = observe(self.funding, self.rules.funding, shown, seconds)

    def advance(self, shown: Observation, time: float) -> None:
        """Charge what is due at `time` [s]."""
        self.funding, steps = advance(self.funding, self.rules.funding, shown, time)
        if steps is not None:
            self._charge(steps)
        if self.rules.borrowing is not None:
            self.borrowing, steps = advance_borrowing(self.borrowing, self.rules.borrowing, shown, time)
            if steps is not None:
                self._charge(steps)

    def _charge(self, steps: Steps) -> None:
        """Add steps to the indices; an automated counterparty gets what users pay more than they receive."""
        purses = self.book.impact if self.rules.from_fees else self.book.counterparty
        for market in np.flatnonzero(steps.long | steps.short).tolist():
            step = int(steps.long[market]), int(steps.short[market])
            charge_market(self.book, market, *step, int(purses[market]))


def users_interest(book: Book) -> tuple[Ints, Ints]:
    """Long and short positions of users in each market, (m,) [lots], automated counterparties left out."""
    markets = np.arange(len(book.oracle))
    held = book.size[markets, book.counterparty]
    return book.open_interest - np.maximum(held, 0), book.open_interest - np.maximum(-held, 0)


def charge_market(book: Book, market: int, long: int, short: int, purse: int) -> None:
    """Add steps to a market's two indices, and hand the difference to `purse`, rounded against it.

    The automated counterparty itself pays and receives through the purse, so its position owes nothing.
    """
    counterparty = int(book.counterparty[market])
    longs, shorts = (int(side[market]) for side in users_interest(book))
    settle_funding(book, counterparty)
    book.funding[0, market] += long
    book.funding[1, market] += short
    book.funding_paid[market, counterparty] = funding_index(book, market, book.size[market, counterparty])
    move_cash(book, CLEARING, purse, (longs * long - shorts * short) // FUNDING_SCALE)


def observation(book: Book, shown: Quotes, usable: Mask, usage: Floats) -> Observation:
    """What funding rules may read now; `usage`, (2, m), is how far each side uses its pool [1]."""
    longs, shorts = users_interest(book)
    return Observation(
        oracle=book.oracle.copy(),
        mid=np.where((shown.bid > 0) & (shown.ask > 0), (shown.bid + shown.ask) / 2, np.nan),
        impact_bid=shown.impact_bid,
        impact_ask=shown.impact_ask,
        long_interest=longs,
        short_interest=shorts,
        oracle_ok=usable,
        usage_long=usage[0],
        usage_short=usage[1],
        fee_pool=book.cash[book.impact],
    )
