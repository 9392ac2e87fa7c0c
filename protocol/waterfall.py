"""Who pays when a position is worth less than nothing: vault, deleveraged winners, everybody.

The insurance fund comes first, inside the liquidation fills (`liquidation.fill_slice`); here stand the
layers behind it, for accounts that the book did not close.
"""

import numpy as np

from protocol.arithmetic import PPM, multiply_divide_floor, product_compare
from protocol.book import (
    INSURANCE,
    VAULT,
    Book,
    Ints,
    Row,
    Rows,
    exchange_position,
    first_trader,
    move_cash,
    settle_funding,
)
from protocol.kernels import kernel
from protocol.liquidations.slices import bankruptcy_quote
from protocol.margin import account_risk, interest_change, margin_allows, merged_risk
from protocol.parameters import RiskParameters

INSURANCE_FUND, BACKSTOP_VAULT, LIQUIDITY_POOL, AUTO_DELEVERAGING, SOCIALISED_LOSS, UNCOVERED = range(6)
STAGES = (
    "insurance_fund",
    "backstop_vault",
    "liquidity_pool",
    "auto_deleveraging",
    "socialised_loss",
    "uncovered",
)

DELEVERAGE = np.dtype(
    [
        (name, np.int64)
        for name in ("round", "account", "counterparty", "market", "size", "quote", "mark", "haircut")
    ]
)


@kernel
def take_over(book: Book, parameters: RiskParameters, account: int) -> bool:
    """Hand all positions and all cash of an account to the backstop vault, if the vault can bear it.

    It can if it keeps its reserve, a multiple of its initial requirement, and the deficit is within its loss
    limit.

    References
    ----------
    .. [1] Hyperliquid docs, "Liquidations": backstop liquidation below two thirds of maintenance.
    """
    equity, _, maintenance = account_risk(book, parameters, account)
    if product_compare(equity, PPM, parameters.backstop_trigger, maintenance) >= 0:
        return False
    worth = account_risk(book, parameters, VAULT)[0]
    merged = merged_risk(book, parameters, VAULT, account)
    if product_compare(merged[0], PPM, parameters.backstop_reserve, merged[1]) < 0:
        return False
    if product_compare(-equity, PPM, parameters.backstop_loss_share, worth) > 0:
        return False
    settle_funding(book, account)
    for market in range(book.size.shape[0]):
        size = book.size[market, account]
        if size != 0:
            exchange_position(book, VAULT, account, market, size, size * book.mark[market])
        book.collateral[market, VAULT] += book.collateral[market, account]
        book.collateral[market, account] = 0
    move_cash(book, account, VAULT, book.cash[account])
    return True


@kernel
def deleverage_against(
    book: Book, parameters: RiskParameters, account: int, counterparty: int, market: int, row: Row
) -> bool:
    """Close a bankrupt position against one opposite holder at the bankruptcy price; record it in `row`.

    Skipped when the counterparty's own margin rule forbids the fill.
    """
    size, opposite = book.size[market, account], book.size[market, counterparty]
    lots = min(abs(size), abs(opposite))
    change = -lots if size > 0 else lots
    quote = bankruptcy_quote(book, parameters, account, market, change)
    interest = interest_change(book, account, counterparty, market, change)
    if not margin_allows(book, parameters, counterparty, market, -change, quote, interest):
        return False
    exchange_position(book, account, counterparty, market, change, quote)
    row.account, row.counterparty, row.market = account, counterparty, market
    row.size, row.quote, row.mark = change, quote, book.mark[market]
    row.haircut = change * book.mark[market] - quote
    return True


@kernel
def deleverage(
    book: Book, parameters: RiskParameters, account: int, market: int, ranking: Ints, rows: Rows
) -> int:
    """Close a bankrupt account's position against `ranking` in turn; return the number of fills.

    Parameters
    ----------
    ranking : (k,) int64
        Accounts in the order in which the venue's rule calls them.
    rows : (k,) DELEVERAGE
        Written from the start.
    """
    done = 0
    for index in range(ranking.size):
        size, opposite = book.size[market, account], book.size[market, ranking[index]]
        if size == 0:
            break
        if (size > 0) == (opposite > 0) or opposite == 0:
            continue
        if deleverage_against(book, parameters, account, ranking[index], market, rows[done]):
            done += 1
    return done


def adl_ranking(book: Book, equity: Ints, account: int, market: int, rule: str, ticket: int) -> Ints:
    """Holders of the opposite side in the order in which auto-deleveraging calls them; (k,) int64.

    Parameters
    ----------
    equity : (n,) int64
        Equity of every account [micro-USD].
    rule : {"queue", "ranked"}
        `queue` walks the accounts from a random start (dYdX v4); `ranked` takes the highest product of
        profit ratio and leverage first (Hyperliquid), ties by account.
    ticket : int
        A non-negative random number, the start of the queue.
    """
    sizes = book.size[market]
    holders = np.flatnonzero(sizes * -np.sign(sizes[account]) > 0)
    holders = holders[holders >= VAULT]
    if len(holders) == 0:
        return holders
    if rule == "queue":
        return np.roll(holders, -(ticket % len(holders)))
    mark, worth = int(book.mark[market]), equity[holders]
    profit = np.where(
        sizes[holders] > 0, mark / book.entry[market, holders], book.entry[market, holders] / mark
    )
    leverage = np.abs(sizes[holders]) * mark / np.maximum(worth, 1)
    score = np.where(worth > 0, profit * leverage, -np.inf)
    return holders[np.lexsort((holders, -score))]


@kernel
def cover_from_fund(book: Book, account: int, deficit: int) -> int:
    """Pay up to `deficit` into an account from the insurance fund; return what was paid."""
    paid = min(deficit, max(book.cash[INSURANCE], 0))
    move_cash(book, INSURANCE, account, paid)
    return paid


@kernel
def socialise(book: Book, account: int, deficit: int, charges: Ints) -> int:
    """Charge `deficit` to all open positions in proportion to notional; return what was collected.

    Every open unit of notional, long or short, pays equally, as in Drift's rule; users without a position
    pay nothing. Charges are rounded up, and the dust goes to the insurance fund. `charges`, (n,) int64,
    receives what each account paid [micro-USD]. Nothing is collected when nobody else holds a position.
    """
    total = 0
    for payer in range(first_trader(book.size.shape[0]), book.cash.size):
        charges[payer] = 0
        for market in range(book.size.shape[0]):
            if payer != account:
                charges[payer] += abs(book.size[market, payer]) * book.mark[market]
        total += charges[payer]
    if total == 0:
        return 0
    collected = 0
    for payer in range(first_trader(book.size.shape[0]), book.cash.size):
        if charges[payer] != 0:
            charges[payer] = -multiply_divide_floor(-deficit, charges[payer], total)
            move_cash(book, payer, account, charges[payer])
            collected += charges[payer]
    move_cash(book, account, INSURANCE, collected - deficit)
    return deficit
