"""Equity and margin requirements of an account, and what the margin rule lets it do."""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM, ppm_ceil, ppm_floor
from protocol.book import Book, Ints, average_entry, kept_after, unsettled_funding
from protocol.kernels import fragment, kernel
from protocol.parameters import RiskParameters
from protocol.prefetch import AHEAD, prefetch_account

MICRO_USD = 1e-6
ROOT_SHARE = 0.8


class Change(NamedTuple):
    """A hypothetical change of one account.

    Attributes
    ----------
    market, lots : int
        Market of a fill and change of the position [lots].
    cash : int
        Change of cash, fees aside [micro-USD].
    interest : int
        Change of the market's open interest [lots].
    fee : int
        Paid in addition [micro-USD]; no part of the position's entry price.
    """

    market: int
    lots: int
    cash: int
    interest: int
    fee: int


class OwnRates(NamedTuple):
    """Rates of an account's own [ppm]; 0: none.

    Attributes
    ----------
    initial : int
        Least initial rate, which it has chosen.
    maintenance : int
        Highest maintenance rate of a position that keeps what held when it was opened.
    """

    initial: int
    maintenance: int


MARKET_RATES = OwnRates(0, 0)


class Held(NamedTuple):
    """What an account holds of a market, or would hold.

    Attributes
    ----------
    market, units, size : int
        Market, deposited units of its asset and position [lots].
    entry : float
        Average entry price of the position [micro-USD per lot].
    interest : int
        The market's open interest [lots].
    kept : int
        Maintenance rate that the position keeps [ppm]; 0: none.
    """

    market: int
    units: int
    size: int
    entry: float
    interest: int
    kept: int


@fragment
def initial_rate(parameters: RiskParameters, market: int, open_interest: int) -> int:
    """Initial margin rate of a market at an open interest [ppm].

    The base rate rises to 1 between two caps of open interest, or in proportion to it.

    Parameters
    ----------
    open_interest : int
        Long side's notional at the mark [micro-USD].

    References
    ----------
    .. [1] dYdX v4-chain, liquidity_tier.go, GetAdjustedInitialMarginPpm.
    .. [2] GMX synthetics, minCollateralFactorForOpenInterestMultiplier.
    """
    base = parameters.initial[market]
    slope = parameters.open_interest_slope[market]
    if slope > 0:
        base = min(max(base, int(slope * MICRO_USD * open_interest)), PPM)
    lower, upper = parameters.open_interest_lower[market], parameters.open_interest_upper[market]
    if upper == 0 or open_interest <= lower:
        return base
    if open_interest >= upper:
        return PPM
    return base + int((PPM - base) * ((open_interest - lower) / (upper - lower)))


@kernel
def sized_requirement(rate: int, root: float, slope: float, notional: int, lots: int) -> int:
    """Margin of a position whose rate grows with its size [micro-USD].

    `root` is the rate for the square root of a lot: the larger of `rate` and 0.8 · rate + root · √lots
    holds. `slope` is added for each lot.

    References
    ----------
    .. [1] Drift protocol-v2, math/margin.rs, calculate_size_premium_liability_weight.
    .. [2] Synthetix v3, PerpsMarketConfiguration.sol, calculateRequiredMargins.
    """
    if root == 0.0 and slope == 0.0:
        return ppm_ceil(notional, rate)
    sized = max(float(rate), ROOT_SHARE * rate + root * np.sqrt(float(lots))) + slope * lots
    return int(np.ceil(notional * (sized / PPM)))


@fragment
def position_margin(
    parameters: RiskParameters, market: int, lots: int, price: int, rate: int, own: OwnRates
) -> tuple[int, int]:
    """Initial and maintenance margin of a position [micro-USD]; continuous in its notional.

    How fast maintenance may grow with the price is bounded by `radii.sensitivity`.

    Parameters
    ----------
    lots, price : int
        Absolute size [lots] and the price of margin [micro-USD per lot].
    rate : int
        The market's initial rate at the open interest of the moment [ppm].
    own : OwnRates
        The account's and the position's.

    References
    ----------
    .. [1] Hyperliquid docs, "Margin tiers".
    """
    notional = lots * price
    root = parameters.root[market]
    initial = sized_requirement(rate, root, parameters.slope_initial[market], notional, lots)
    hold = parameters.maintenance[market]
    if own.maintenance != 0:
        hold = min(hold, own.maintenance)
    maintenance = sized_requirement(hold, root, parameters.slope_maintenance[market], notional, lots)
    for tier in range(parameters.tier_floor.shape[1]):
        above = notional - parameters.tier_floor[market, tier]
        if above > 0:
            initial += ppm_ceil(above, parameters.tier_initial[market, tier])
            maintenance += ppm_ceil(above, parameters.tier_maintenance[market, tier])
    if own.initial != 0:
        initial = max(initial, ppm_ceil(notional, own.initial))
    floor, added = parameters.margin_floor[market], parameters.position_margin[market]
    if parameters.exit_fee != 0:
        added += ppm_ceil(notional, parameters.exit_fee)
    return max(initial, floor) + added, max(maintenance, floor) + added


@fragment
def keeper_reward(parameters: RiskParameters, notional: int) -> int:
    """What liquidating positions of this notional pays a keeper [micro-USD]."""
    if parameters.reward_maximum == 0 or notional == 0:
        return 0
    reward = max(ppm_floor(notional, parameters.reward_rate), parameters.reward_minimum)
    return min(reward, parameters.reward_maximum)


@fragment
def asset_value(book: Book, parameters: RiskParameters, market: int, units: int) -> tuple[int, int]:
    """What deposited units of an asset count for, and what initial margin sees less of it [micro-USD]."""
    weight = parameters.weight_maintenance[market]
    if units == 0 or weight == 0:
        return 0, 0
    value = units * book.oracle[market]
    counted = ppm_floor(value, weight)
    return counted, counted - ppm_floor(value, parameters.weight_initial[market])


@kernel
def assets_beyond_weight(book: Book, parameters: RiskParameters, account: int) -> int:
    """What an account's assets are worth at the oracle beyond what they count for, ≥ 0 [micro-USD].

    An asset of weight 0 is no collateral, and left out.
    """
    beyond = 0
    for market in range(book.size.shape[0]):
        units = book.collateral[market, account]
        if units != 0 and parameters.weight_maintenance[market] > 0:
            value = units * book.oracle[market]
            beyond += value - asset_value(book, parameters, market, units)[0]
    return beyond


@fragment
def withheld_gain(weight: int, size: int, mark: int, entry: float) -> int:
    """The part of an unrealised gain that does not count, for what does count of it [micro-USD; ppm]."""
    if weight == PPM:
        return 0
    gain = size * (mark - entry)
    return ppm_ceil(int(np.ceil(gain)), PPM - weight) if gain > 0.0 else 0


@fragment
def held_after(book: Book, account: int, market: int, change: Change) -> Held:
    """What an account would hold of a market after a change."""
    units, interest = book.collateral[market, account], book.open_interest[market]
    size, entry = book.size[market, account], book.entry[market, account]
    kept = book.kept[market, account]
    if market == change.market and change.lots != 0:
        entry = average_entry(entry, size, change.lots, -change.cash / change.lots)
        kept = kept_after(book, market, kept, size, size + change.lots)
        size += change.lots
        interest += change.interest
    return Held(market, units, size, entry, interest, kept)


@kernel
def held_by_both(book: Book, account: int, other: int, market: int) -> Held:
    """What one account would hold of a market if it took over, at the mark, what another holds."""
    size, entry = book.size[market, account], book.entry[market, account]
    more = book.size[market, other]
    if more != 0:
        entry = average_entry(entry, size, more, float(book.mark[market]))
    units = book.collateral[market, account] + book.collateral[market, other]
    kept = kept_after(book, market, book.kept[market, account], size, size + more)
    return Held(market, units, size + more, entry, book.open_interest[market], kept)


@fragment
def held_risk(book: Book, parameters: RiskParameters, account: int, held: Held) -> tuple[int, int, int, int]:
    """What a market adds to equity, initial and maintenance requirement, and notional [micro-USD].

    Deposited assets count in equity at their maintenance weight; what initial margin sees less of them, and
    of unrealised gains, is part of the initial requirement.
    """
    counted, withheld = asset_value(book, parameters, held.market, held.units)
    if held.size == 0:
        return counted, withheld, 0, 0
    market, mark, lots = held.market, book.mark[held.market], abs(held.size)
    rate = initial_rate(parameters, market, held.interest * mark)
    own = OwnRates(book.own_initial[account], held.kept)
    needed = position_margin(parameters, market, lots, mark, rate, own)
    withheld += withheld_gain(parameters.gain_weight[market], held.size, mark, held.entry)
    return counted + held.size * mark, withheld + needed[0], needed[1], lots * mark


@fragment
def risk_of(book: Book, parameters: RiskParameters, account: int, change: Change) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement [micro-USD] of an account after a hypothetical change."""
    equity = book.cash[account] + unsettled_funding(book, account) + change.cash - change.fee
    initial, maintenance, total = 0, 0, 0
    for market in range(book.size.shape[0]):
        part = held_risk(book, parameters, account, held_after(book, account, market, change))
        equity += part[0]
        initial += part[1]
        maintenance += part[2]
        total += part[3]
    reward = keeper_reward(parameters, total)
    return equity, initial + reward, maintenance + reward


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
    return risk_of(book, parameters, account, Change(market, change, cash, interest, 0))


@kernel
def account_risk(book: Book, parameters: RiskParameters, account: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement of an account as it stands [micro-USD]."""
    return risk_of(book, parameters, account, Change(0, 0, 0, 0, 0))


@kernel
def merged_risk(book: Book, parameters: RiskParameters, account: int, other: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement of an account that took over all that another holds."""
    equity = book.cash[account] + unsettled_funding(book, account)
    equity += book.cash[other] + unsettled_funding(book, other)
    initial, maintenance, total = 0, 0, 0
    for market in range(book.size.shape[0]):
        part = held_risk(book, parameters, account, held_by_both(book, account, other, market))
        equity += part[0]
        initial += part[1]
        maintenance += part[2]
        total += part[3]
    reward = keeper_reward(parameters, total)
    return equity, initial + reward, maintenance + reward


@kernel
def below_maintenance(book: Book, parameters: RiskParameters, account: int) -> bool:
    """Whether an account may be liquidated: it holds something, and its equity does not reach maintenance."""
    equity, _, maintenance = account_risk(book, parameters, account)
    holds = maintenance > 0
    for market in range(book.size.shape[0]):
        holds = holds or book.collateral[market, account] > 0
    return holds and equity < maintenance


@kernel
def fill_risks(book: Book, parameters: RiskParameters, accounts: Ints, out: Ints) -> None:
    """Write equity and requirements of `accounts`, (k,), into `out`, (3, k) [micro-USD]."""
    last = accounts.size - 1
    for index in range(accounts.size):
        prefetch_account(book, accounts[min(index + AHEAD, last)])
        out[0, index], out[1, index], out[2, index] = account_risk(book, parameters, accounts[index])


def risks_of(book: Book, parameters: RiskParameters, accounts: Ints) -> Ints:
    """Equity, initial and maintenance requirement of some accounts, (3, k) [micro-USD]."""
    out = np.empty((3, len(accounts)), np.int64)
    fill_risks(book, parameters, accounts, out)
    return out


def equity_of(book: Book, parameters: RiskParameters, accounts: Ints) -> Ints:
    """Equity of some accounts, (k,) [micro-USD]."""
    equity: Ints = risks_of(book, parameters, accounts)[0]
    return equity
