"""Funding: what longs and shorts pay each other, or a counterparty, for holding a position.

Five rules stand behind two functions: `observe`, once for each block, and `advance`, which returns steps for
the book's funding indices whenever they are due.
"""

from typing import assert_never

import numpy as np

from protocol.book import Floats
from protocol.carry.funding_rules import Funding, Observation, Steps, time_due
from protocol.carry.premium_funding import (
    InterestRule,
    PremiumRule,
    TwapRule,
    average_prices,
    charge_interest,
    charge_twap,
    charge_votes,
    gather_premium,
    gather_votes,
)
from protocol.carry.skew_funding import AdaptiveRule, VelocityRule, charge_adaptive, charge_velocity

FundingRule = PremiumRule | InterestRule | TwapRule | AdaptiveRule | VelocityRule


def observe(funding: Funding, rule: FundingRule, shown: Observation, seconds: float) -> Funding:
    """Take in what has stood in the venue for `seconds`; once for each block, before the index moves on."""
    match rule:
        case PremiumRule():
            return gather_votes(funding, rule, shown, seconds)
        case InterestRule():
            return gather_premium(funding, shown, seconds)
        case TwapRule():
            return average_prices(funding, rule, shown, seconds)
        case AdaptiveRule() | VelocityRule():
            return funding
    assert_never(rule)


def advance(
    funding: Funding, rule: FundingRule, shown: Observation, time: float
) -> tuple[Funding, Steps | None]:
    """Charge the markets whose interval is over; `None` while there is none.

    The rules that the skew drives wait for a usable index price and then charge all the time since their last
    advance; the others keep to the clock.

    Parameters
    ----------
    shown : Observation
        Index price now, and the open interest that has stood since the last block.
    time : float
        Now [s].
    """
    waits = isinstance(rule, AdaptiveRule | VelocityRule)
    elapsed = time_due(funding.since, rule.interval, time, shown.oracle_ok | (not waits))
    due = elapsed > 0
    if not due.any():
        return funding, None
    charged, steps = charge(funding, rule, shown, elapsed)
    return charged._replace(
        since=np.where(due, time, funding.since),
        rate=np.where(due, charged.rate, funding.rate),
        gathered=np.where(due, 0.0, funding.gathered),
    ), steps


def charge(funding: Funding, rule: FundingRule, shown: Observation, elapsed: Floats) -> tuple[Funding, Steps]:
    """Steps for `elapsed`, (m,) [s], by the venue's rule, and what funding remembers after them."""
    match rule:
        case PremiumRule():
            return charge_votes(funding, rule, shown, elapsed)
        case InterestRule():
            return charge_interest(funding, rule, shown, elapsed)
        case TwapRule():
            return charge_twap(funding, rule, shown, elapsed)
        case AdaptiveRule():
            return charge_adaptive(funding, rule, shown, elapsed)
        case VelocityRule():
            return charge_velocity(funding, rule, shown, elapsed)
    assert_never(rule)
