"""Who pays when a position is worth less than nothing: each layer in the venue's order.

The insurance fund of an order book comes first, inside the liquidation fills, and a pool in its closes; here
stand the layers behind: the vault that takes accounts over, auto-deleveraging, the fund for what is closed,
and the last resort.
"""

from typing import NamedTuple

import numpy as np

from protocol.book import Book, Ints, Row, move_cash
from protocol.gating import collateral_pool
from protocol.kernels import kernel
from protocol.liquidations.record import TAKEN_OVER, Moment
from protocol.losses.backstop import Backstop, take_over
from protocol.losses.deleveraging import Deleveraging, deleverage
from protocol.losses.journal import (
    AUTO_DELEVERAGING,
    BACKSTOP_VAULT,
    INSURANCE_FUND,
    LIQUIDITY_POOL,
    SOCIALISED_LOSS,
    Journal,
)
from protocol.losses.social_loss import pay_from_insurance, pay_from_pool, socialise, socialise_by_index
from protocol.margin import account_risk
from protocol.parameters import RiskParameters


class WaterfallRules(NamedTuple):
    """The layers that a venue has.

    Attributes
    ----------
    backstop : Backstop or None
        Who takes failing accounts over.
    deleveraging : Deleveraging or None
        How bankrupt positions are closed against the other side.
    attempts : int
        Accounts deleveraged in a round.
    rescues_partial : bool
        Whether accounts that the engine has closed in part may be rescued too, or only those that it left
        untouched.
    last_resort : {"gate", "socialise", "index", "pool", "halt"}
        What happens to a deficit that nobody covered: it stays and blocks withdrawals; all positions pay in
        proportion to notional; all pay by the funding index, after the AMM's fees; the pool pays; or the
        venue stops.
    """

    backstop: Backstop | None
    deleveraging: Deleveraging | None
    attempts: int
    rescues_partial: bool
    last_resort: str


class Waterfall:
    """The layers behind a venue's liquidations.

    Parameters
    ----------
    book : Book
    rules : WaterfallRules

    Attributes
    ----------
    charged : (n,) int64
        What losses shared by notional have cost each account so far [micro-USD].
    """

    def __init__(self, book: Book, rules: WaterfallRules) -> None:
        self.book = book
        self.rules = rules
        self.charged = np.zeros_like(book.cash)

    def rescue(
        self, parameters: RiskParameters, order: Row, moment: Moment, previous: Ints, journal: Journal
    ) -> bool:
        """Offer an account that liquidation did not close to the vault, then to its counterparties.

        Parameters
        ----------
        order : LIQUIDATION
            What was tried; its outcome is set if the vault takes the account over.
        previous : (m,) int64
            The marks before the last change [micro-USD per lot].

        Returns
        -------
        bool
            Whether anything was done, or is still to be tried in a later round.
        """
        account = int(order["account"])
        equity = account_risk(self.book, parameters, account)[0]
        if self.rules.backstop and take_over(self.book, parameters, account, self.rules.backstop):
            journal.pay(moment.number, account, BACKSTOP_VAULT, max(-equity, 0))
            order["outcome"], order["keeper"] = TAKEN_OVER, self.rules.backstop.liquidator
            return True
        if equity >= 0 or self.rules.deleveraging is None:
            return False
        if journal.deleveraged_in(moment.number) >= self.rules.attempts:
            return True
        return self._deleverage(parameters, account, moment, previous, journal)

    def _deleverage(
        self, parameters: RiskParameters, account: int, moment: Moment, previous: Ints, journal: Journal
    ) -> bool:
        """Close a bankrupt account's positions against the other side; returns whether anything filled."""
        rule = self.rules.deleveraging
        if rule is None:
            return False
        journal.attempts.append(moment.number)
        deficit = -account_risk(self.book, parameters, account)[0]
        rows = deleverage(self.book, parameters, account, rule, previous, moment.ticket)
        rows["round"] = moment.number
        journal.deleverages.append(rows)
        borne = min(int(rows["haircut"].sum()), deficit)
        journal.pay(moment.number, account, AUTO_DELEVERAGING, borne)
        return len(rows) > 0

    def resolve(
        self, parameters: RiskParameters, account: int, market: int, number: int, journal: Journal
    ) -> None:
        """Deal with a deficit that nobody has covered.

        An account with neither positions nor assets is paid out of the fund of its market first; the last
        resort then takes the rest. Where everybody pays by notional, or the venue halts, that also goes for
        the deficit of an account of which nobody takes what it has; elsewhere such an account waits.
        """
        deficit = -account_risk(self.book, parameters, account)[0]
        journal.debts.add(collateral_pool(parameters, market))
        closed = not (self.book.size[:, account].any() or self.book.collateral[:, account].any())
        paid = 0
        if closed:
            paid = self._cover(market, account, deficit)
            journal.pay(number, account, INSURANCE_FUND, paid)
        stranded = account in journal.stuck and self.rules.last_resort in ("socialise", "halt")
        if deficit > paid and (closed or stranded):
            self._last_resort(account, market, deficit - paid, number, journal)

    def _cover(self, market: int, account: int, deficit: int) -> int:
        """Pay from the market's fund; where all share by the index, the fund keeps its last unit."""
        if self.rules.last_resort == "index":
            return int(pay_from_insurance(self.book, market, account, deficit, deficit))
        return int(cover_from(self.book, int(self.book.fund[market]), account, deficit))

    def _last_resort(self, account: int, market: int, deficit: int, number: int, journal: Journal) -> None:
        book, rule = self.book, self.rules.last_resort
        if rule == "halt":
            journal.halts = True
        elif rule == "pool":
            move_cash(book, int(book.counterparty[market]), account, deficit)
            journal.pay(number, account, LIQUIDITY_POOL, deficit)
        elif rule == "socialise":
            charges = np.zeros_like(book.cash)
            journal.pay(number, account, SOCIALISED_LOSS, socialise(book, account, deficit, charges))
            self.charged += charges
        elif rule == "index":
            from_fees = pay_from_pool(book, market, account, deficit)
            journal.pay(number, account, LIQUIDITY_POOL, from_fees)
            shared, _ = socialise_by_index(book, market, account, deficit - from_fees)
            journal.pay(number, account, SOCIALISED_LOSS, shared)


@kernel
def cover_from(book: Book, purse: int, account: int, deficit: int) -> int:
    """Pay up to `deficit` into an account from a fund, as far as it reaches; return what was paid."""
    paid = min(deficit, max(book.cash[purse], 0))
    move_cash(book, purse, account, paid)
    return paid
