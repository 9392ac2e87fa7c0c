"""What an account may do without a trade: bring assets as collateral, take money out, lower its leverage.

Beside its cash an account holds units of the markets' base assets, valued at the oracle and counted at a
weight.
"""

from typing import NamedTuple

from protocol.arithmetic import PPM, ppm_ceil
from protocol.book import (
    DEPOSITS,
    FEES,
    FUND,
    IMPACT,
    INSURANCE,
    MARKET_ACCOUNTS,
    SHARED_ACCOUNTS,
    WITHDRAWALS,
    Book,
    first_trader,
    touch,
)
from protocol.kernels import kernel
from protocol.margin import account_risk, asset_value, withheld_gain
from protocol.parameters import RiskParameters


class WithdrawalRule(NamedTuple):
    """What has to stay in an account that takes money out, beside its initial margin.

    Attributes
    ----------
    notional : int
        Equity over the notional of all positions [ppm].
    gain_weight : int
        The most that an unrealised gain counts for [ppm]; 0: only what is settled can be taken out.

    References
    ----------
    .. [1] Hyperliquid docs, "Margining": transfers leave a tenth of the notional.
    .. [2] Drift docs, "Risk parameters": profit is withdrawable after it is settled.
    """

    notional: int
    gain_weight: int


INITIAL_MARGIN = WithdrawalRule(notional=0, gain_weight=PPM)


@kernel
def withdrawal_surplus(book: Book, parameters: RiskParameters, account: int, rule: WithdrawalRule) -> int:
    """Equity, at initial weights, beyond what has to stay in the account [micro-USD]; < 0 if it is short."""
    equity, initial, _ = account_risk(book, parameters, account)
    notional = 0
    for market in range(book.size.shape[0]):
        size, mark, entry = book.size[market, account], book.mark[market], book.entry[market, account]
        weight = parameters.gain_weight[market]
        haircut = asset_value(book, parameters, market, book.collateral[market, account])[1]
        initial -= haircut + withheld_gain(weight, size, mark, entry)
        equity -= haircut + withheld_gain(min(weight, rule.gain_weight), size, mark, entry)
        notional += abs(size) * mark
    return equity - max(initial, ppm_ceil(notional, rule.notional))


@kernel
def isolated_pool(book: Book, market: int) -> int:
    """Cash of those who stand in an isolated market, its counterparty included [micro-USD]."""
    money = book.cash[book.counterparty[market]]
    for account in range(first_trader(book.size.shape[0]), book.cash.size):
        if book.size[market, account] != 0:
            money += book.cash[account]
    return money


@kernel
def pool_money(book: Book, parameters: RiskParameters, account: int) -> int:
    """What withdrawals can be paid from: not fees, insurance or impact purses [micro-USD].

    What such a purse owes is nobody's to withdraw. An isolated market has a pool of its own.

    References
    ----------
    .. [1] dYdX v4-chain, x/subaccounts: one collateral pool for cross margin, one for each isolated market.
    """
    money = book.flows[DEPOSITS] - book.flows[WITHDRAWALS]
    money -= max(book.cash[FEES], 0) + max(book.cash[INSURANCE], 0)
    for market in range(book.size.shape[0]):
        first = SHARED_ACCOUNTS + MARKET_ACCOUNTS * market
        money -= max(book.cash[first + IMPACT], 0) + max(book.cash[first + FUND], 0)
    for market in range(book.size.shape[0]):
        if parameters.isolated[market] and book.size[market, account] != 0:
            money = min(money, isolated_pool(book, market))
    return money


@kernel
def withdrawable(book: Book, parameters: RiskParameters, account: int, rule: WithdrawalRule) -> int:
    """Cash that an account may take out now [micro-USD], ≥ 0; nothing for the venue's own accounts.

    Parameters
    ----------
    rule : WithdrawalRule
        What has to stay beside the initial margin.
    """
    if account < first_trader(book.size.shape[0]):
        return 0
    surplus = withdrawal_surplus(book, parameters, account, rule)
    return max(min(surplus, pool_money(book, parameters, account)), 0)


def deposit_asset(book: Book, account: int, market: int, lots: int) -> None:
    """Credit `lots` units of a market's base asset from outside as collateral."""
    if lots < 0:
        raise ValueError(
            f"a deposit must not be negative, got lots={lots} (account {account}, market {market})"
        )
    touch(book, account)
    book.collateral[market, account] += lots
    book.asset_flows[DEPOSITS, market] += lots


def withdraw_asset(
    book: Book,
    parameters: RiskParameters,
    account: int,
    market: int,
    lots: int,
    rule: WithdrawalRule = INITIAL_MARGIN,
) -> int:
    """Pay out up to `lots` units of an asset, as far as the rest meets the rule; returns the units."""
    surplus = int(withdrawal_surplus(book, parameters, account, rule))
    held = int(book.collateral[market, account])
    worth = int(book.oracle[market]) * int(parameters.weight_initial[market])
    needed = held * worth // PPM - surplus
    kept = max(-(-needed * PPM // worth), 0) if worth else 0
    paid = min(lots, held - kept)
    if surplus < 0 or paid <= 0:
        return 0
    touch(book, account)
    book.collateral[market, account] -= paid
    book.asset_flows[WITHDRAWALS, market] += paid
    return paid


def choose_leverage(book: Book, parameters: RiskParameters, account: int, initial: int) -> bool:
    """Let an account choose an initial margin rate of its own [ppm], 0 for the market's.

    Returns whether it was accepted: the account has to meet its initial margin under the new rate.

    References
    ----------
    .. [1] Hyperliquid docs, "Margining"; dYdX v4-chain, lib.go, the custom initial margin.
    """
    if not 0 <= initial <= PPM:
        raise ValueError(f"0 <= initial <= 1 must hold, got initial={initial / PPM} (account {account})")
    before = book.own_initial[account]
    book.own_initial[account] = initial
    equity, required, _ = account_risk(book, parameters, account)
    if equity < required:
        book.own_initial[account] = before
    return bool(equity >= required)
