"""A position passes to a keeper at a discount to the oracle, as far as the keeper's capital bears it.

References
----------
.. [1] Drift protocol-v2, controller/liquidation.rs, liquidate_perp.
"""

from protocol.admission import interest_change, position_allowed
from protocol.arithmetic import ppm_ceil
from protocol.book import Book, Ints, Row, Rows, exchange_position, move_cash
from protocol.kernels import kernel
from protocol.liquidations.record import COMPLETE, PARTIAL
from protocol.liquidations.shortage import account_shortage
from protocol.margin import Change, risk_of
from protocol.parameters import RiskParameters


@kernel
def keeper_bears(
    book: Book, parameters: RiskParameters, keeper: int, order: tuple[int, int, int], fee: int
) -> bool:
    """Whether a keeper that takes over (account, market, change) meets initial margin afterwards."""
    account, market, change = order
    quote = change * book.oracle[market] + ppm_ceil(abs(change) * book.oracle[market], fee)
    interest = interest_change(book, account, keeper, market, change)
    taken = Change(market, -change, quote, interest, 0)
    equity, initial, _ = risk_of(book, parameters, keeper, taken)
    return equity >= initial and position_allowed(book, parameters, keeper, taken)


@kernel
def keeper_lots(book: Book, parameters: RiskParameters, keeper: int, row: Row, fee: int) -> int:
    """Lots of a planned transfer that a keeper's capital can take over, found by halving."""
    account, market, sign = row.account, row.market, 1 if row.size > 0 else -1
    if keeper == account:
        return 0
    bearable, beyond = 0, abs(row.size) + 1
    lots = abs(row.size)
    while bearable < lots:
        if keeper_bears(book, parameters, keeper, (account, market, sign * lots), fee):
            bearable = lots
        else:
            beyond = lots
        lots = (bearable + beyond) // 2
    return bearable


@kernel
def fill_capacity(
    book: Book, parameters: RiskParameters, plan: Rows, rates: Ints, keepers: Ints, out: Ints
) -> None:
    """Write what each keeper can bear of each planned transfer into `out`, (j, k) [micro-USD]."""
    for index in range(plan.size):
        for place in range(keepers.size):
            lots = keeper_lots(book, parameters, keepers[place], plan[index], rates[index, 0])
            out[index, place] = lots * plan[index].oracle


@kernel
def execute_transfer(
    book: Book,
    parameters: RiskParameters,
    buffer: int,
    keeper: int,
    rates: Ints,
    order: Row,
    freed: Ints,
) -> bool:
    """Hand as much of a planned position to a keeper as it can bear; whether there was anything."""
    account, market = order.account, order.market
    lots = keeper_lots(book, parameters, keeper, order, rates[0])
    if lots == 0:
        return False
    before = account_shortage(book, parameters, account, buffer)
    change, notional = lots if order.size > 0 else -lots, lots * order.oracle
    order.fee = ppm_ceil(notional, rates[0])
    order.insurance = ppm_ceil(notional, rates[1])
    order.quote = change * order.oracle + order.fee
    exchange_position(book, account, keeper, market, change, order.quote)
    move_cash(book, account, book.fund[market], order.insurance)
    order.keeper, order.filled = keeper, change
    order.outcome = COMPLETE if change == order.size else PARTIAL
    freed[account] += max(before - account_shortage(book, parameters, account, buffer), 0)
    return True
