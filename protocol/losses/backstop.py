"""The backstop vault: which failing accounts it takes over, from which purse, and what that purse may lose.

A takeover hands over every position at the mark and all collateral, so the account ends with nothing and
the vault keeps what margin was left. The vault may be one purse, or lend a part of its money to a liquidator
of its own. A liquidator whose loss is capped has nothing but that part: once it is gone, its positions are
deleveraged like anybody's. Without the cap the vault pays whatever the liquidator's margin needs.

References
----------
.. [1] Hyperliquid docs, "Liquidations" and "Auto-deleveraging".
.. [2] Hyperliquid's statement on JELLY, March 2025: a cap on the liquidator's loss instead of the collateral
   of the vault's other strategies.
"""

from typing import NamedTuple

from protocol.arithmetic import PPM, ppm_floor, product_compare
from protocol.book import VAULT, Book, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.margin import account_risk, merged_risk
from protocol.parameters import RiskParameters


class Backstop(NamedTuple):
    """From which purse failing accounts are taken over.

    Attributes
    ----------
    liquidator : int
        Account that takes over: VAULT where the vault is one purse, else any other account of the venue.
    endowment : int
        What a liquidator of its own works with, over the equity of vault and liquidator together [ppm].
    capped : bool
        Whether the liquidator may lose no more than it has; otherwise the vault stands behind it.
    """

    liquidator: int
    endowment: int
    capped: bool


ONE_PURSE = Backstop(VAULT, PPM, True)


@kernel
def spare_equity(book: Book, parameters: RiskParameters, account: int) -> int:
    """Equity above the initial requirement [micro-USD], ≥ 0."""
    equity, initial, _ = account_risk(book, parameters, account)
    return max(equity - initial, 0)


@kernel
def standing_behind(book: Book, parameters: RiskParameters, backstop: Backstop) -> int:
    """What the vault would add to the liquidator's own equity [micro-USD], ≥ 0."""
    if backstop.capped or backstop.liquidator == VAULT:
        return 0
    return spare_equity(book, parameters, VAULT)


@kernel
def below_trigger(parameters: RiskParameters, equity: int, maintenance: int) -> bool:
    """Whether an account is so far below maintenance that it goes to the vault; never with a trigger of 0."""
    trigger = parameters.backstop_trigger
    return trigger > 0 and product_compare(equity, PPM, trigger, maintenance) < 0


@kernel
def vault_accepts(book: Book, parameters: RiskParameters, account: int, backstop: Backstop) -> bool:
    """Whether the liquidator would take an account over as it stands.

    The account must be below the trigger, its deficit within a share of what stands ready, and the liquidator
    must keep a multiple of its initial requirement. Nobody takes over themselves.
    """
    equity, _, maintenance = account_risk(book, parameters, account)
    if account == backstop.liquidator or not below_trigger(parameters, equity, maintenance):
        return False
    behind = standing_behind(book, parameters, backstop)
    merged = merged_risk(book, parameters, backstop.liquidator, account)
    if product_compare(merged[0] + behind, PPM, parameters.backstop_reserve, merged[1]) < 0:
        return False
    worth = account_risk(book, parameters, backstop.liquidator)[0] + behind
    return product_compare(-equity, PPM, parameters.backstop_loss_share, worth) <= 0


@kernel
def hand_over(book: Book, account: int, liquidator: int) -> None:
    """Move every position at the mark, with its funding settled, all collateral and all cash."""
    for market in range(book.size.shape[0]):
        size = book.size[market, account]
        if size != 0:
            exchange_position(book, liquidator, account, market, size, size * book.mark[market])
        book.collateral[market, liquidator] += book.collateral[market, account]
        book.collateral[market, account] = 0
    move_cash(book, account, liquidator, book.cash[account])


@kernel
def take_over_with(book: Book, parameters: RiskParameters, account: int, backstop: Backstop) -> bool:
    """Hand an account over if the liquidator accepts it; draw on the vault for what it then lacks."""
    if not vault_accepts(book, parameters, account, backstop):
        return False
    hand_over(book, account, backstop.liquidator)
    support(book, parameters, backstop)
    return True


def take_over(book: Book, parameters: RiskParameters, account: int, backstop: Backstop = ONE_PURSE) -> bool:
    """Hand all positions, collateral and cash of an account to the liquidator, if it can bear them.

    Returns
    -------
    bool
        Whether the account was taken over; see `vault_accepts` for the conditions.

    References
    ----------
    .. [1] Hyperliquid docs, "Liquidations": backstop liquidation below two thirds of maintenance.
    """
    return bool(take_over_with(book, parameters, account, backstop))


@kernel
def support(book: Book, parameters: RiskParameters, backstop: Backstop) -> int:
    """Bring an uncapped liquidator up to its initial requirement from the vault's spare equity.

    Returns what the vault paid [micro-USD]; 0 for a capped liquidator and for a vault of one purse.
    """
    equity, initial, _ = account_risk(book, parameters, backstop.liquidator)
    paid = min(max(initial - equity, 0), standing_behind(book, parameters, backstop))
    move_cash(book, VAULT, backstop.liquidator, paid)
    return paid


@kernel
def endow(book: Book, parameters: RiskParameters, backstop: Backstop) -> int:
    """Give a liquidator without positions its share of the vault's money, or take back what it has above.

    A capped liquidator in debt gets nothing: its debt is not the vault's.

    Returns
    -------
    int
        What the vault paid, negative when it received [micro-USD].
    """
    liquidator = backstop.liquidator
    for market in range(book.size.shape[0]):
        if book.size[market, liquidator] != 0:
            return 0
    equity = account_risk(book, parameters, liquidator)[0]
    if liquidator == VAULT or (backstop.capped and equity < 0):
        return 0
    whole = equity + account_risk(book, parameters, VAULT)[0]
    wanted = max(ppm_floor(whole, backstop.endowment), 0) - equity
    paid = max(min(wanted, spare_equity(book, parameters, VAULT)), min(-book.cash[liquidator], 0))
    move_cash(book, VAULT, liquidator, paid)
    return paid


def vault_equity(book: Book, parameters: RiskParameters, backstop: Backstop) -> int:
    """Equity of the vault and its liquidator together [micro-USD]: what the depositors own."""
    purses = {VAULT, backstop.liquidator}
    return sum(int(account_risk(book, parameters, purse)[0]) for purse in purses)
