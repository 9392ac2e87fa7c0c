"""What makes a venue beside its numbers: its rules by name, and what they let prices be used for."""

from typing import NamedTuple

from protocol.book import Mask
from protocol.carry.accrual import AccrualRules
from protocol.collateral import WithdrawalRule
from protocol.losses.waterfall import WaterfallRules
from protocol.prices.pricing import PricingRules


class Rules(NamedTuple):
    """The named choices that make a venue, and its clocks [s].

    Attributes
    ----------
    prices : PricingRules
    accrual : AccrualRules
    round_seconds : float
        Length of a liquidation round, the venue's own block [s].
    waterfall : WaterfallRules
    withdrawal_gate : int
        How long withdrawals stay blocked after an account was seen below zero [s].
    withdrawal : WithdrawalRule
        What a withdrawal has to leave in the account.
    vault_lock, pool_lock : float
        How long a deposit into the vault, and into a pool, stays [s].
    """

    prices: PricingRules
    accrual: AccrualRules
    round_seconds: float
    waterfall: WaterfallRules
    withdrawal_gate: int
    withdrawal: WithdrawalRule
    vault_lock: float
    pool_lock: float


class Usable(NamedTuple):
    """Markets whose price each act may use in this block, (m,) bool each; see `guards`."""

    trade: Mask
    liquidate: Mask
    withdraw: Mask
    fund: Mask
    quote: Mask
