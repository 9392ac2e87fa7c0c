"""The backstop vault's shares: deposits buy in at its equity, exits sell out at it, behind its margin."""

from protocol.arithmetic import multiply_divide_floor
from protocol.book import VAULT, Book, move_cash, settle_funding
from protocol.kernels import kernel
from protocol.margin import account_risk
from protocol.parameters import RiskParameters


@kernel
def deposit(book: Book, parameters: RiskParameters, account: int, amount: int) -> int:
    """Move `amount` micro-USD into the vault for shares at its equity; return the shares, 0 if refused.

    The first deposit buys one share for each USD. Refused if the depositor would fall below initial margin
    or the amount buys no share; a vault without equity takes no deposits.
    """
    total = book.shares[0].sum()
    worth = account_risk(book, parameters, VAULT)[0]
    equity, initial, _ = account_risk(book, parameters, account)
    if amount <= 0 or equity - amount < initial or worth < 0 or (total > 0 and worth == 0):
        return 0
    bought = multiply_divide_floor(amount, total, worth) if total > 0 else amount
    if bought == 0:
        return 0
    move_cash(book, account, VAULT, amount)
    book.shares[0, account] += bought
    return bought


@kernel
def redeem(book: Book, parameters: RiskParameters, account: int, shares: int) -> int:
    """Sell `shares` back to the vault at its equity; return the cash paid, 0 if refused.

    Refused if the vault would fall below its own initial margin or the shares are worth nothing.
    """
    held = book.shares[0, account]
    equity, initial, _ = account_risk(book, parameters, VAULT)
    if shares <= 0 or shares > held or equity <= 0:
        return 0
    amount = multiply_divide_floor(equity, shares, book.shares[0].sum())
    if amount == 0 or equity - amount < initial:
        return 0
    settle_funding(book, VAULT)
    move_cash(book, VAULT, account, amount)
    book.shares[0, account] = held - shares
    return amount


def share_price(book: Book, parameters: RiskParameters) -> float:
    """Vault equity for each share [USD]; 1 while no share exists."""
    total = int(book.shares[0].sum())
    return account_risk(book, parameters, VAULT)[0] / total if total else 1.0
