"""What happens to a deficit that the account itself cannot pay: fund, fee pool, and a loss shared by all.

References
----------
.. [1] Drift protocol-v2, controller/liquidation.rs, resolve_perp_bankruptcy; controller/insurance.rs.
"""

from protocol.arithmetic import multiply_divide_floor
from protocol.book import (
    CLEARING,
    FUNDING_SCALE,
    INSURANCE,
    LONG,
    SHORT,
    Book,
    Ints,
    first_trader,
    funding_index,
    move_cash,
    settle_funding,
)
from protocol.kernels import kernel

LAST_UNIT = 1


@kernel
def pay_from_insurance(book: Book, market: int, account: int, deficit: int, allowance: int) -> int:
    """Pay up to `deficit` into an account from the market's insurance fund; return what was paid.

    Parameters
    ----------
    deficit : int
        What the account lacks [micro-USD].
    allowance : int
        Most that the fund still pays for this market [micro-USD]. The fund keeps one micro-USD.
    """
    fund = book.fund[market]
    paid = max(min(deficit, allowance, book.cash[fund] - LAST_UNIT), 0)
    move_cash(book, fund, account, paid)
    return paid


@kernel
def pay_from_pool(book: Book, market: int, account: int, deficit: int) -> int:
    """Pay up to `deficit` into an account from the market's AMM fee pool; return what was paid."""
    purse = book.impact[market]
    paid = max(min(deficit, book.cash[purse]), 0)
    move_cash(book, purse, account, paid)
    return paid


@kernel
def users_interest(book: Book, market: int) -> int:
    """Lots that everybody but the market's AMM holds, long and short together."""
    total = 0
    for account in range(book.size.shape[1]):
        if account != book.counterparty[market]:
            total += abs(book.size[market, account])
    return total


@kernel
def socialise_by_index(book: Book, market: int, account: int, deficit: int) -> tuple[int, int]:
    """Charge `deficit` to every open lot of a market alike, long and short, by the funding index.

    The account receives the deficit at once from the clearing account, which collects the charges as
    positions settle. The AMM pays nothing. The step of the index is rounded up, so that the charges exceed
    the deficit by a little; the clearing account keeps the dust.

    Returns
    -------
    paid : int
        What the account received [micro-USD]: `deficit`, or 0 when nobody holds a position.
    dust : int
        What the charges exceed it by [micro-USD / FUNDING_SCALE], ≥ 0 and below one for each open lot.

    References
    ----------
    .. [1] Drift protocol-v2, math/liquidation.rs, calculate_funding_rate_deltas_to_resolve_bankruptcy.
    """
    lots = users_interest(book, market)
    if deficit <= 0 or lots == 0:
        return 0, 0
    step = -(-deficit * FUNDING_SCALE // lots)
    maker = book.counterparty[market]
    settle_funding(book, maker)
    book.funding[LONG, market] += step
    book.funding[SHORT, market] -= step
    book.funding_paid[market, maker] = funding_index(book, market, book.size[market, maker])
    move_cash(book, CLEARING, account, deficit)
    return deficit, step * lots - deficit * FUNDING_SCALE


@kernel
def socialise(book: Book, account: int, deficit: int, charges: Ints) -> int:
    """Charge `deficit` to all open positions in proportion to notional; return what was collected.

    Every open unit of notional, long or short, pays equally, in all markets; users without a position pay
    nothing. Charges are rounded up, and the dust goes to the insurance fund. `charges`, (n,) int64,
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
