"""Margin over all accounts at once: requirements for everybody, and who is below maintenance."""

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import FUNDING_SCALE, VAULT, Book, Floats, Ints, first_trader
from protocol.kernels import kernel
from protocol.margin import (
    MARKET_RATES,
    OwnRates,
    account_risk,
    asset_value,
    below_maintenance,
    initial_rate,
    keeper_reward,
    position_margin,
    withheld_gain,
)
from protocol.parameters import RiskParameters

FLOAT_MARGIN = 1 + 1e-9
ROUNDING_MARGIN = 10.0


@kernel
def add_collateral(book: Book, parameters: RiskParameters, market: int, out: Ints) -> None:
    """Add what a market's asset counts for, as collateral, to equity and to the initial requirement."""
    units = book.collateral[market]
    if parameters.weight_maintenance[market] == 0:
        return
    for account in range(units.size):
        if units[account] != 0:
            counted, withheld = asset_value(book, parameters, market, units[account])
            out[0, account] += counted
            out[1, account] += withheld


@kernel
def add_positions(book: Book, parameters: RiskParameters, market: int, out: Ints) -> None:
    """Add one market's positions to equity, requirements, funding owed and notional."""
    size, paid, own = book.size[market], book.funding_paid[market], book.own_initial
    mark, entry, weight = book.mark[market], book.entry[market], parameters.gain_weight[market]
    long_index, short_index = book.funding[0, market], book.funding[1, market]
    kept = book.kept[market]
    rate = initial_rate(parameters, market, book.open_interest[market] * mark)
    for account in range(size.size):
        lots = size[account]
        if lots != 0:
            held = abs(lots)
            needed = position_margin(
                parameters, market, held, mark, rate, OwnRates(own[account], kept[account])
            )
            out[0, account] += lots * mark
            out[1, account] += needed[0] + withheld_gain(weight, lots, mark, entry[account])
            out[2, account] += needed[1]
            out[3, account] += lots * ((long_index if lots > 0 else short_index) - paid[account])
            out[4, account] += held * mark


@kernel
def fill_risk(book: Book, parameters: RiskParameters, out: Ints) -> None:
    """Write equity, initial and maintenance requirement of every account into the first rows of `out`.

    Two rows of scratch follow: funding owed, and notional. Equal to `account_risk` for each account, market
    by market.
    """
    for account in range(book.cash.size):
        out[0, account] = book.cash[account]
        for row in range(1, 5):
            out[row, account] = 0
    for market in range(book.size.shape[0]):
        add_collateral(book, parameters, market, out)
        add_positions(book, parameters, market, out)
    for account in range(book.cash.size):
        reward = keeper_reward(parameters, out[4, account])
        out[0, account] += -out[3, account] // FUNDING_SCALE
        out[1, account] += reward
        out[2, account] += reward


def accounts_risk(book: Book, parameters: RiskParameters) -> Ints:
    """Equity, initial and maintenance requirement of every account; (3, n) int64 [micro-USD]."""
    out = np.empty((5, book.cash.size), np.int64)
    fill_risk(book, parameters, out)
    return out[:3]


@kernel
def flat_slack(book: Book, parameters: RiskParameters, market: int, out: Floats) -> None:
    """Add a market's positions to the slack of every account, at the flat rate of maintenance."""
    size, paid = book.size[market], book.funding_paid[market]
    long_index, short_index = float(book.funding[0, market]), float(book.funding[1, market])
    mark = float(book.mark[market])
    hold = mark * parameters.maintenance[market] / PPM * FLOAT_MARGIN
    for account in range(out.size):
        lots = float(size[account])
        held = abs(lots)
        index = long_index if lots > 0 else short_index
        owed = lots * (index - float(paid[account])) / FUNDING_SCALE
        out[account] += lots * mark - held * hold - owed - ROUNDING_MARGIN * min(held, 1.0)


@kernel
def extra_slack(book: Book, parameters: RiskParameters, market: int, out: Floats) -> None:
    """Take what maintenance asks beyond the flat rate from the slack, and add collateral to it."""
    size, units = book.size[market], book.collateral[market]
    mark, price = book.mark[market], float(book.oracle[market])
    weight, hold = parameters.weight_maintenance[market] / PPM, parameters.maintenance[market] / PPM
    for account in range(out.size):
        held = abs(size[account])
        if held != 0:
            needed = position_margin(parameters, market, held, mark, 0, MARKET_RATES)[1]
            out[account] -= needed * FLOAT_MARGIN - float(held) * mark * hold
            out[account] -= parameters.reward_maximum
        if units[account] != 0:
            out[account] += float(units[account]) * price * weight / FLOAT_MARGIN - ROUNDING_MARGIN


@kernel
def plain(parameters: RiskParameters, market: int) -> bool:
    """Whether a market's maintenance margin is one flat rate, and its asset no collateral."""
    sized = parameters.root[market] != 0.0 or parameters.slope_maintenance[market] != 0.0
    added = parameters.position_margin[market] + parameters.margin_floor[market] + parameters.exit_fee
    tiered = parameters.tier_floor.shape[1] > 0
    return not (
        sized or tiered or added + parameters.reward_maximum + parameters.weight_maintenance[market] != 0
    )


@kernel
def fill_slack(book: Book, parameters: RiskParameters, out: Floats) -> None:
    """Write a lower bound of equity minus maintenance of every account into `out` [micro-USD].

    Floats, without branches over accounts where the margin is flat: a tenth of the cost of the exact scan.
    The requirement of every position is inflated by far more than rounding can amount to, so nobody below
    maintenance is ever above zero, and an account without positions is worth its cash.
    """
    for account in range(book.cash.size):
        out[account] = book.cash[account]
    for market in range(book.size.shape[0]):
        flat_slack(book, parameters, market, out)
        if not plain(parameters, market):
            extra_slack(book, parameters, market, out)


@kernel
def keep_short(book: Book, parameters: RiskParameters, candidates: Ints) -> int:
    """Move the candidates whose equity really is below maintenance to the front; return their number."""
    found = 0
    for index in range(candidates.size):
        equity, _, maintenance = account_risk(book, parameters, candidates[index])
        if equity < maintenance:
            candidates[found] = candidates[index]
            found += 1
    return found


@kernel
def keep_liquidatable(book: Book, parameters: RiskParameters, candidates: Ints) -> int:
    """Move the vault and traders that may be liquidated to the front; return their number."""
    found = 0
    for index in range(candidates.size):
        account = candidates[index]
        trades = account == VAULT or account >= first_trader(book.size.shape[0])
        if trades and below_maintenance(book, parameters, account):
            candidates[found] = account
            found += 1
    return found


def short_accounts(book: Book, parameters: RiskParameters) -> Ints:
    """Accounts whose equity is below maintenance, with positions or without, ascending; (k,) int64."""
    slack = np.empty(book.cash.size)
    fill_slack(book, parameters, slack)
    candidates = np.flatnonzero(slack < 0)
    return candidates[: keep_short(book, parameters, candidates)]


def liquidatable_among(book: Book, parameters: RiskParameters, accounts: Ints) -> Ints:
    """Of some accounts, (k,), the vault and traders that may be liquidated, in their order; (j,) int64."""
    if not len(accounts):
        return accounts
    candidates = accounts.copy()
    return candidates[: keep_liquidatable(book, parameters, candidates)]


def liquidatable(book: Book, parameters: RiskParameters) -> Ints:
    """The vault and traders whose equity is below maintenance, ascending; (k,) int64."""
    return liquidatable_among(book, parameters, short_accounts(book, parameters))
