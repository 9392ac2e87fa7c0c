"""Equity and margin requirements of an account, and who is below maintenance."""

import numpy as np

from protocol.arithmetic import PPM, ppm_ceil, product_compare
from protocol.book import FUNDING_SCALE, SYSTEM_ACCOUNTS, VAULT, Book, Floats, Ints, unsettled_funding
from protocol.kernels import kernel
from protocol.parameters import RiskParameters

FLOAT_MARGIN = 1 + 1e-9
ROUNDING_MARGIN = 10.0


@kernel
def initial_rate(parameters: RiskParameters, market: int, open_interest: int) -> int:
    """Initial margin rate at an open interest [ppm]: the base rate, rising to 1 between the two caps.

    Parameters
    ----------
    open_interest : int
        Long side's notional at the mark [micro-USD].

    References
    ----------
    .. [1] dYdX v4-chain, liquidity_tier.go, GetAdjustedInitialMarginPpm.
    """
    base = parameters.initial[market]
    lower, upper = parameters.open_interest_lower[market], parameters.open_interest_upper[market]
    if upper == 0 or open_interest <= lower:
        return base
    if open_interest >= upper:
        return PPM
    return base + int((PPM - base) * ((open_interest - lower) / (upper - lower)))


@kernel
def risk_after(
    book: Book, parameters: RiskParameters, account: int, market: int, change: int, cash: int, interest: int
) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement [micro-USD] of an account after a hypothetical fill.

    Parameters
    ----------
    market, change : int
        Market of the fill and change of the account's size [lots].
    cash : int
        Change of the account's cash, fees included [micro-USD].
    interest : int
        Change of the market's open interest [lots].
    """
    equity = book.cash[account] + unsettled_funding(book, account) + cash
    initial, maintenance = 0, 0
    for other in range(book.size.shape[0]):
        size, open_interest = book.size[other, account], book.open_interest[other]
        if other == market:
            size += change
            open_interest += interest
        if size != 0:
            mark = book.mark[other]
            equity += size * mark
            notional = abs(size) * mark
            initial += ppm_ceil(notional, initial_rate(parameters, other, open_interest * mark))
            maintenance += ppm_ceil(notional, parameters.maintenance[other])
    return equity, initial, maintenance


@kernel
def account_risk(book: Book, parameters: RiskParameters, account: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement of an account as it stands [micro-USD]."""
    return risk_after(book, parameters, account, 0, 0, 0, 0)


@kernel
def merged_risk(book: Book, parameters: RiskParameters, account: int, other: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement of one account that held what two hold."""
    equity = book.cash[account] + unsettled_funding(book, account)
    equity += book.cash[other] + unsettled_funding(book, other)
    initial, maintenance = 0, 0
    for market in range(book.size.shape[0]):
        mark = book.mark[market]
        size = book.size[market, account] + book.size[market, other]
        rate = initial_rate(parameters, market, book.open_interest[market] * mark)
        equity += size * mark
        initial += ppm_ceil(abs(size) * mark, rate)
        maintenance += ppm_ceil(abs(size) * mark, parameters.maintenance[market])
    return equity, initial, maintenance


@kernel
def transition_allowed(before: tuple[int, int, int], after: tuple[int, int, int]) -> bool:
    """Whether an account may move between two (equity, initial, maintenance) states.

    It may if it ends above initial margin; otherwise only if it was below already and becomes no riskier:
    a maintenance requirement not higher and a ratio of equity to maintenance not lower.

    References
    ----------
    .. [1] dYdX v4-chain, x/subaccounts/lib/updates.go,
       IsValidStateTransitionForUndercollateralizedSubaccount.
    """
    if after[0] >= after[1]:
        return True
    if before[0] >= before[1]:
        return False
    if before[2] == 0 and after[2] == 0:
        return after[0] > before[0]
    if after[2] > before[2]:
        return False
    return product_compare(after[0], before[2], before[0], after[2]) >= 0


@kernel
def fill_risk(book: Book, parameters: RiskParameters, out: Ints) -> None:
    """Write equity, initial and maintenance requirement of every account into the first rows of `out`.

    The fourth row is scratch: funding owed. Equal to `account_risk` for each account, market by market.
    """
    equity, initial, maintenance, owed = out[0], out[1], out[2], out[3]
    cash = book.cash
    for account in range(cash.size):
        equity[account] = cash[account]
        initial[account], maintenance[account], owed[account] = 0, 0, 0
    for market in range(book.size.shape[0]):
        size, paid = book.size[market], book.funding_paid[market]
        mark, index = book.mark[market], book.funding[market]
        rate = initial_rate(parameters, market, book.open_interest[market] * mark)
        hold = parameters.maintenance[market]
        for account in range(cash.size):
            lots = size[account]
            if lots != 0:
                notional = abs(lots) * mark
                equity[account] += lots * mark
                initial[account] += ppm_ceil(notional, rate)
                maintenance[account] += ppm_ceil(notional, hold)
                owed[account] += lots * (index - paid[account])
    for account in range(cash.size):
        equity[account] += -owed[account] // FUNDING_SCALE


def accounts_risk(book: Book, parameters: RiskParameters) -> Ints:
    """Equity, initial and maintenance requirement of every account; (3, n) int64 [micro-USD]."""
    out = np.empty((4, book.cash.size), np.int64)
    fill_risk(book, parameters, out)
    return out[:3]


@kernel
def fill_slack(book: Book, parameters: RiskParameters, out: Floats) -> None:
    """Write a lower bound of equity minus maintenance of every account into `out` [micro-USD].

    Floats, without branches over accounts: a tenth of the cost of the exact scan. The requirement of every
    position is inflated by far more than rounding can amount to, so nobody below maintenance is ever above
    zero, and an account without positions is worth its cash.
    """
    for account in range(book.cash.size):
        out[account] = book.cash[account]
    for market in range(book.size.shape[0]):
        size, paid = book.size[market], book.funding_paid[market]
        mark, index = float(book.mark[market]), book.funding[market]
        hold = mark * parameters.maintenance[market] / PPM * FLOAT_MARGIN
        for account in range(out.size):
            lots = float(size[account])
            held = abs(lots)
            owed = lots * float(index - paid[account]) / FUNDING_SCALE
            out[account] += lots * mark - held * hold - owed - ROUNDING_MARGIN * min(held, 1.0)


@kernel
def keep_liquidatable(book: Book, parameters: RiskParameters, candidates: Ints) -> int:
    """Move the candidates that really are below maintenance to the front; return their number."""
    found = 0
    for index in range(candidates.size):
        equity, _, maintenance = account_risk(book, parameters, candidates[index])
        if maintenance > 0 and equity < maintenance:
            candidates[found] = candidates[index]
            found += 1
    return found


def liquidatable(book: Book, parameters: RiskParameters) -> Ints:
    """Accounts with a position and equity below maintenance, ascending; (k,) int64."""
    slack = np.empty(book.cash.size)
    fill_slack(book, parameters, slack)
    candidates = VAULT + np.flatnonzero(slack[VAULT:] < 0)
    return candidates[: keep_liquidatable(book, parameters, candidates)]


@kernel
def fill_equity(book: Book, parameters: RiskParameters, accounts: Ints, out: Ints) -> None:
    """Write the equity of `accounts`, (k,), into `out`, (k,) [micro-USD]."""
    for index in range(accounts.size):
        out[index] = account_risk(book, parameters, accounts[index])[0]


def equity_of(book: Book, parameters: RiskParameters, accounts: Ints) -> Ints:
    """Equity of some accounts, (k,) [micro-USD]."""
    out = np.empty(len(accounts), np.int64)
    fill_equity(book, parameters, accounts, out)
    return out


def negative_equity(equity: Ints) -> int:
    """Total shortfall of the accounts that owe more than they have [micro-USD], ≥ 0."""
    traders = equity[SYSTEM_ACCOUNTS:]
    return int(-traders[traders < 0].sum())
