"""Equity and margin requirements of an account, and what the margin rule lets it do."""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM, ppm_ceil, ppm_floor, product_compare
from protocol.book import Book, Ints, first_trader, unsettled_funding
from protocol.kernels import kernel
from protocol.parameters import RiskParameters

MICRO_USD = 1e-6
ROOT_SHARE = 0.8


class Change(NamedTuple):
    """A hypothetical change of one account.

    Attributes
    ----------
    market, lots : int
        Market of a fill and change of the position [lots].
    cash : int
        Change of cash, fees included [micro-USD].
    interest : int
        Change of the market's open interest [lots].
    """

    market: int
    lots: int
    cash: int
    interest: int


@kernel
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


@kernel
def position_margin(
    parameters: RiskParameters, market: int, lots: int, price: int, rate: int, own: int
) -> tuple[int, int]:
    """Initial and maintenance margin of a position [micro-USD]; continuous in its notional.

    Parameters
    ----------
    lots, price : int
        Absolute size [lots] and the price of margin [micro-USD per lot].
    rate : int
        The market's initial rate at the open interest of the moment [ppm].
    own : int
        Initial rate that the account has chosen for itself [ppm].

    References
    ----------
    .. [1] Hyperliquid docs, "Margin tiers".
    """
    notional = lots * price
    root = parameters.root[market]
    initial = sized_requirement(rate, root, parameters.slope_initial[market], notional, lots)
    hold = parameters.maintenance[market]
    maintenance = sized_requirement(hold, root, parameters.slope_maintenance[market], notional, lots)
    for tier in range(parameters.tier_floor.shape[1]):
        above = notional - parameters.tier_floor[market, tier]
        if above > 0:
            initial += ppm_ceil(above, parameters.tier_initial[market, tier])
            maintenance += ppm_ceil(above, parameters.tier_maintenance[market, tier])
    initial = max(initial, ppm_ceil(notional, own))
    floor, added = parameters.margin_floor[market], parameters.position_margin[market]
    added += ppm_ceil(notional, parameters.exit_fee)
    return max(initial, floor) + added, max(maintenance, floor) + added


@kernel
def keeper_reward(parameters: RiskParameters, notional: int) -> int:
    """What liquidating positions of this notional pays a keeper [micro-USD]."""
    if parameters.reward_maximum == 0 or notional == 0:
        return 0
    reward = max(ppm_floor(notional, parameters.reward_rate), parameters.reward_minimum)
    return min(reward, parameters.reward_maximum)


@kernel
def collateral_value(book: Book, parameters: RiskParameters, account: int) -> tuple[int, int]:
    """What deposited assets count for, and what is lost of it for initial margin [micro-USD]."""
    counted, withheld = 0, 0
    for market in range(book.size.shape[0]):
        units, weight = book.collateral[market, account], parameters.weight_maintenance[market]
        if units != 0 and weight != 0:
            value = units * book.oracle[market]
            full = ppm_floor(value, weight)
            counted += full
            withheld += full - ppm_floor(value, parameters.weight_initial[market])
    return counted, withheld


@kernel
def withheld_gain(book: Book, parameters: RiskParameters, account: int, market: int, size: int) -> int:
    """The part of an unrealised gain that does not count toward initial margin [micro-USD].

    A position that a fill would change is judged by the entry price that it has.
    """
    weight = parameters.gain_weight[market]
    if weight == PPM or size == 0:
        return 0
    gain = int(size * (book.mark[market] - book.entry[market, account]))
    return ppm_ceil(gain, PPM - weight) if gain > 0 else 0


@kernel
def risk_of(book: Book, parameters: RiskParameters, account: int, change: Change) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement [micro-USD] of an account after a hypothetical change.

    Deposited assets count in equity at their maintenance weight; what initial margin sees less of them, and
    of unrealised gains, is part of the initial requirement.
    """
    counted, initial = collateral_value(book, parameters, account)
    equity = book.cash[account] + unsettled_funding(book, account) + counted + change.cash
    maintenance, total = 0, 0
    for market in range(book.size.shape[0]):
        size, open_interest = book.size[market, account], book.open_interest[market]
        if market == change.market:
            size += change.lots
            open_interest += change.interest
        if size != 0:
            mark = book.mark[market]
            equity += size * mark
            total += abs(size) * mark
            rate = initial_rate(parameters, market, open_interest * mark)
            needed = position_margin(parameters, market, abs(size), mark, rate, book.own_initial[account])
            initial += needed[0] + withheld_gain(book, parameters, account, market, size)
            maintenance += needed[1]
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
    return risk_of(book, parameters, account, Change(market, change, cash, interest))


@kernel
def account_risk(book: Book, parameters: RiskParameters, account: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement of an account as it stands [micro-USD]."""
    return risk_of(book, parameters, account, Change(0, 0, 0, 0))


@kernel
def merged_risk(book: Book, parameters: RiskParameters, account: int, other: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement of one account that held what two hold."""
    counted, initial = collateral_value(book, parameters, account)
    more, withheld = collateral_value(book, parameters, other)
    equity = book.cash[account] + unsettled_funding(book, account) + counted
    equity += book.cash[other] + unsettled_funding(book, other) + more
    initial += withheld
    maintenance = 0
    for market in range(book.size.shape[0]):
        mark = book.mark[market]
        size = book.size[market, account] + book.size[market, other]
        if size != 0:
            rate = initial_rate(parameters, market, book.open_interest[market] * mark)
            needed = position_margin(parameters, market, abs(size), mark, rate, book.own_initial[account])
            equity += size * mark
            initial += needed[0]
            maintenance += needed[1]
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
def interest_change(book: Book, taker: int, maker: int, market: int, change: int) -> int:
    """Change of the market's open interest if `taker` buys `change` lots from `maker`."""
    bought, sold = book.size[market, taker], book.size[market, maker]
    return max(bought + change, 0) - max(bought, 0) + max(sold - change, 0) - max(sold, 0)


@kernel
def position_allowed(book: Book, parameters: RiskParameters, account: int, change: Change) -> bool:
    """Whether a fill keeps isolated positions alone in their accounts, and open interest under its cap.

    The venue's own accounts may hold several isolated positions.

    References
    ----------
    .. [1] dYdX v4-chain, x/subaccounts/keeper/isolated_subaccount.go.
    """
    market = change.market
    cap = parameters.open_interest_cap[market]
    opened = (book.open_interest[market] + change.interest) * book.mark[market]
    if cap > 0 and change.interest > 0 and opened > cap:
        return False
    if book.size[market, account] != 0 or account < first_trader(book.size.shape[0]):
        return True
    for other in range(book.size.shape[0]):
        together = other != market and book.size[other, account] != 0
        if together and (parameters.isolated[market] or parameters.isolated[other]):
            return False
    return True


@kernel
def margin_allows(
    book: Book, parameters: RiskParameters, account: int, market: int, change: int, cash: int, interest: int
) -> bool:
    """Whether the margin rule lets an account take `change` lots for `cash` micro-USD."""
    wanted = Change(market, change, cash, interest)
    if not position_allowed(book, parameters, account, wanted):
        return False
    before = account_risk(book, parameters, account)
    return transition_allowed(before, risk_of(book, parameters, account, wanted))


@kernel
def at_fill_margin(parameters: RiskParameters, risk: tuple[int, int, int]) -> tuple[int, int, int]:
    """A risk state whose initial requirement is replaced by what a resting order's fill has to meet."""
    return risk[0], risk[2] + ppm_ceil(risk[1] - risk[2], parameters.fill_share), risk[2]


@kernel
def fill_allows(
    book: Book, parameters: RiskParameters, account: int, market: int, change: int, cash: int, interest: int
) -> bool:
    """Whether a resting order may fill: like `margin_allows`, at the venue's fill requirement.

    It lies between maintenance and initial margin; an order was placed at the initial one.

    References
    ----------
    .. [1] Drift protocol-v2, math/margin.rs: the fill requirement is half way.
    """
    wanted = Change(market, change, cash, interest)
    if not position_allowed(book, parameters, account, wanted):
        return False
    before = at_fill_margin(parameters, account_risk(book, parameters, account))
    return transition_allowed(before, at_fill_margin(parameters, risk_of(book, parameters, account, wanted)))


@kernel
def below_maintenance(book: Book, parameters: RiskParameters, account: int) -> bool:
    """Whether an account may be liquidated: it holds something, and its equity does not reach maintenance."""
    equity, _, maintenance = account_risk(book, parameters, account)
    holds = maintenance > 0
    for market in range(book.size.shape[0]):
        holds = holds or book.collateral[market, account] > 0
    return holds and equity < maintenance


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
