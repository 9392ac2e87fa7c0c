"""What a flagged account loses: all that it is worth, to the pool, which pays the keeper.

References
----------
.. [1] Synthetix v3, perps-market: LiquidationModule.sol, PerpsAccount.flagForLiquidation.
"""

from typing import NamedTuple

from protocol.arithmetic import ppm_ceil, ppm_floor
from protocol.book import Book, move_cash, settle_funding
from protocol.kernels import kernel
from protocol.parameters import RiskParameters


class WindowParameters(NamedTuple):
    """Numbers of window liquidation that governance may change.

    Rate and bounds of the keeper's reward are those of `RiskParameters`, which margin has to cover.

    Attributes
    ----------
    window : int
        Length of the rolling window [s].
    capacity : int
        Lots that may close in a window, over fees · skew scale · its length in seconds [ppm].
    calm_skew : int
        Skew over its scale below which a market whose window is used up may close one more [ppm].
    endorsed : bool
        Whether an endorsed liquidator acts, whom no window binds and no reward is paid.
    collateral_reward : int
        Reward for a flag where that is more than the positions pay, over the collateral seized [ppm].
    collateral_share : int
        Largest reward for a flag, over the collateral seized [ppm].
    profit_share : int
        Least profit of a keeper, over his costs [ppm].
    flag_cost, close_cost : int
        What flagging, and closing positions once, costs a keeper [micro-USD].
    """

    window: int = 30
    capacity: int = 1_500_000
    calm_skew: int = 500
    endorsed: bool = False
    collateral_reward: int = 300
    collateral_share: int = 300_000
    profit_share: int = 300_000
    flag_cost: int = 0
    close_cost: int = 0


@kernel
def keeper_payment(
    parameters: RiskParameters, rules: WindowParameters, reward: int, cost: int, collateral: int
) -> int:
    """What the pool pays a keeper [micro-USD]: reward and cost, at least a profit, at most a share.

    Parameters
    ----------
    collateral : int
        What was seized [micro-USD]; without any, only the absolute maximum binds.

    References
    ----------
    .. [1] Synthetix v3, GlobalPerpsMarketConfiguration.keeperReward.
    """
    if reward + cost == 0:
        return 0
    least = cost + max(parameters.reward_minimum, ppm_ceil(cost, rules.profit_share))
    most = parameters.reward_maximum
    if collateral > 0:
        most = min(most, ppm_floor(collateral, rules.collateral_share))
    return min(max(reward + cost, least), most)


@kernel
def flag_payment(book: Book, parameters: RiskParameters, rules: WindowParameters, account: int) -> int:
    """What the keeper gets who flags an account and closes what he can [micro-USD].

    The collateral is the account's cash as if its positions had cost nothing, and its assets.
    """
    collateral, notional = float(book.cash[account]), 0
    for market in range(book.size.shape[0]):
        size, price = book.size[market, account], book.oracle[market]
        notional += abs(size) * price
        collateral += size * book.entry[market, account] + float(book.collateral[market, account] * price)
    seized = max(int(collateral), 0)
    reward = max(ppm_floor(notional, parameters.reward_rate), ppm_floor(seized, rules.collateral_reward))
    if rules.endorsed:
        reward = 0
    return keeper_payment(parameters, rules, reward, rules.flag_cost + rules.close_cost, seized)


@kernel
def hand_over(book: Book, account: int) -> int:
    """Settle an account with the pool, so that it is worth nothing; returns what the pool got [micro-USD].

    Worth is reckoned at the oracle's price, assets in full; the positions stay where they are.
    """
    settle_funding(book, account)
    pool = book.counterparty[0]
    cash, assets = book.cash[account], 0
    for market in range(book.size.shape[0]):
        price, units = book.oracle[market], book.collateral[market, account]
        cash += book.size[market, account] * price
        assets += units * price
        book.collateral[market, pool] += units
        book.collateral[market, account] = 0
    move_cash(book, account, pool, cash)
    return cash + assets
