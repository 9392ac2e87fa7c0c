"""What the margin rule lets an account do: which fills it may take, and at which requirement."""

import numpy as np

from protocol.arithmetic import ppm_ceil, product_compare
from protocol.book import Book, first_trader
from protocol.kernels import fragment, kernel
from protocol.margin import Change, account_risk, risk_of
from protocol.orders import CANCEL, POST_ONLY, Orders
from protocol.parameters import RiskParameters


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


@fragment
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
    book: Book,
    parameters: RiskParameters,
    account: int,
    market: int,
    change: int,
    cash: int,
    interest: int,
    fee: int,
) -> bool:
    """Whether the margin rule lets an account take `change` lots for `cash` micro-USD and a fee."""
    wanted = Change(market, change, cash, interest, fee)
    if not position_allowed(book, parameters, account, wanted):
        return False
    after = risk_of(book, parameters, account, wanted)
    return after[0] >= after[1] or transition_allowed(account_risk(book, parameters, account), after)


@kernel
def at_fill_margin(parameters: RiskParameters, risk: tuple[int, int, int]) -> tuple[int, int, int]:
    """A risk state whose initial requirement is replaced by what a resting order's fill has to meet."""
    return risk[0], risk[2] + ppm_ceil(risk[1] - risk[2], parameters.fill_share), risk[2]


@kernel
def fill_allows(
    book: Book,
    parameters: RiskParameters,
    account: int,
    market: int,
    change: int,
    cash: int,
    interest: int,
    fee: int,
) -> bool:
    """Whether a resting order may fill: like `margin_allows`, at the venue's fill requirement.

    It lies between maintenance and initial margin; an order was placed at the initial one.

    References
    ----------
    .. [1] Drift protocol-v2, math/margin.rs: the fill requirement is half way.
    """
    wanted = Change(market, change, cash, interest, fee)
    if not position_allowed(book, parameters, account, wanted):
        return False
    after = at_fill_margin(parameters, risk_of(book, parameters, account, wanted))
    if after[0] >= after[1]:
        return True
    return transition_allowed(at_fill_margin(parameters, account_risk(book, parameters, account)), after)


def closing_only(parameters: RiskParameters, batch: Orders) -> tuple[RiskParameters, Orders]:
    """Parameters and orders under which positions are closed, or handed to who quotes, and none is opened.

    A cap of nothing keeps every fill from raising open interest. Whoever takes may only reduce: against a
    pool or an AMM a position that balances its own would raise nothing.
    """
    rules = parameters._replace(open_interest_cap=np.ones_like(parameters.open_interest_cap))
    quoting = (batch.kind == POST_ONLY) | (batch.kind == CANCEL)
    return rules, batch._replace(reduce_only=batch.reduce_only | ~quoting)
