"""What the liquidation phase of a block did: gathered round by round, handed on as tables."""

from typing import NamedTuple

import numpy as np

from protocol.account_set import AccountSet
from protocol.book import Rows
from protocol.liquidations.failures import FAILURE
from protocol.liquidations.record import LIQUIDATION
from protocol.losses.deleveraging import DELEVERAGE

(
    INSURANCE_FUND,
    BACKSTOP_VAULT,
    LIQUIDITY_POOL,
    AUTO_DELEVERAGING,
    SOCIALISED_LOSS,
    UNCOVERED,
) = range(6)
STAGES = (
    "insurance_fund",
    "backstop_vault",
    "liquidity_pool",
    "auto_deleveraging",
    "socialised_loss",
    "uncovered",
)

NOBODY = np.empty(0, np.int64)
PAYMENT = np.dtype([(name, np.int64) for name in ("round", "account", "stage", "amount")])
NO_SALES = np.zeros(0, LIQUIDATION)
NO_FAILURES = np.zeros(0, FAILURE)


class Cascade(NamedTuple):
    """What the liquidation phase of a block did.

    Attributes
    ----------
    rounds : int
        Rounds run.
    truncated : bool
        The block's rounds were used up while accounts could still be liquidated.
    liquidations : (k,) LIQUIDATION
    deleverages : (j,) DELEVERAGE
    payments : (i,) PAYMENT
        Losses that somebody else than the trader bore, by stage [micro-USD].
    sales : (h,) LIQUIDATION
        Assets of failing accounts sold, or offered in vain.
    failures : (g,) FAILURE
        Positions of accounts that fell below maintenance.
    """

    rounds: int
    truncated: bool
    liquidations: Rows
    deleverages: Rows
    payments: Rows
    sales: Rows = NO_SALES
    failures: Rows = NO_FAILURES


class Journal:
    """What the rounds of one block did, gathered as they run.

    `debts` are the pools of collateral, see `gating`, in which somebody was seen below zero.
    """

    def __init__(self) -> None:
        self.liquidations: list[Rows] = []
        self.deleverages: list[Rows] = []
        self.sales: list[Rows] = []
        self.failures: list[Rows] = []
        self.payments: list[tuple[int, int, int, int]] = []
        self.attempts: list[int] = []
        self.stuck = AccountSet()
        self.debts: set[int] = set()
        self.halts = False

    @property
    def saw_negative(self) -> bool:
        """Whether somebody was seen below zero."""
        return bool(self.debts)

    def unstick(self) -> None:
        """Forget for whom nothing could be done: the mark has moved."""
        self.stuck.clear()

    def deleveraged_in(self, number: int) -> int:
        """Accounts that auto-deleveraging has tried in a round."""
        return self.attempts.count(number)

    def pay(self, number: int, account: int, stage: int, amount: int) -> None:
        """Note that a stage of the waterfall bore `amount` micro-USD of an account's loss."""
        if amount > 0:
            self.payments.append((number, account, stage, amount))

    def close(self, rounds: int, truncated: bool) -> Cascade:
        """The block's record."""

        def rows(parts: list[Rows], dtype: np.dtype) -> Rows:
            return np.concatenate(parts) if parts else np.zeros(0, dtype)

        payments = np.array(self.payments, PAYMENT)
        return Cascade(
            rounds,
            truncated,
            rows(self.liquidations, LIQUIDATION),
            rows(self.deleverages, DELEVERAGE),
            payments,
            rows(self.sales, LIQUIDATION),
            rows(self.failures, FAILURE),
        )
