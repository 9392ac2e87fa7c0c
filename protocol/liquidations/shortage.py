"""What an account under liquidation lacks, and how much of a position has to pass on to mend it.

References
----------
.. [1] Drift protocol-v2, math/liquidation.rs.
"""

from typing import NamedTuple

from protocol.arithmetic import PPM, multiply_divide_floor, ppm_ceil, ppm_floor
from protocol.book import Book, Ints
from protocol.kernels import kernel
from protocol.margin import account_risk
from protocol.parameters import RiskParameters

FUND_PART = 950_000


class TransferRules(NamedTuple):
    """The numbers of liquidation by transfer.

    Attributes
    ----------
    fee, fund_fee : (m,) int64
        Discount to the keeper, before it grows, and the most the insurance fund takes [ppm of notional].
    buffer : int
        Margin beyond maintenance that liquidation restores [ppm of notional].
    grace : float
        Time from the flag in which the keeper's discount stays [s].
    growth : float
        How fast it grows with the time since the flag, once the grace is over [ppm per s].
    fee_multiple : int
        Its cap, over the first discount; the maintenance margin caps it too.
    first_share : int
        Part of the shortage that may be freed at once [ppm].
    duration : float
        Time after which all of it may [s]; 0 frees all at once.
    small : int
        Shortage, and position, below which time does not matter, and the position goes as a whole
        [micro-USD].
    """

    fee: Ints
    fund_fee: Ints
    buffer: int = 20_000
    grace: float = 600.0
    growth: float = 2.5
    fee_multiple: int = 3
    first_share: int = 0
    duration: float = 10.0
    small: int = 50_000_000


@kernel
def account_shortage(book: Book, parameters: RiskParameters, account: int, buffer: int) -> int:
    """What an account lacks to maintenance plus the buffer [micro-USD]; negative for a surplus."""
    equity, _, maintenance = account_risk(book, parameters, account)
    notional = 0
    for market in range(book.size.shape[0]):
        notional += abs(book.size[market, account]) * book.mark[market]
    return maintenance + ppm_ceil(notional, buffer) - equity


@kernel
def keeper_fee(rules: TransferRules, market: int, maintenance: int, elapsed: float) -> int:
    """Discount at which a keeper takes over after `elapsed` seconds under the flag [ppm].

    Once the grace is over it has grown for the whole of that time, as the venue's code has it.
    """
    first = rules.fee[market]
    if elapsed < rules.grace:
        return first
    most = min(rules.fee_multiple * first, maintenance)
    return min(first + int(elapsed * rules.growth), most)


@kernel
def fund_fee(cap: int, margin: int, fee: int, shortage: int, notional: int) -> int:
    """Part of the notional that the insurance fund takes [ppm]: up to 95 % of what margin leaves."""
    left = ppm_floor(notional, margin - fee) - shortage
    return max(min(cap, multiply_divide_floor(left, FUND_PART, notional)), 0)


@kernel
def lots_to_cover(shortage: int, price: int, margin: int, fee: int, to_fund: int) -> int:
    """Lots whose transfer removes a shortage, rounded up; −1 if no number does.

    Parameters
    ----------
    shortage, price : int
        [micro-USD], [micro-USD per lot].
    margin : int
        Maintenance rate plus buffer [ppm].
    fee, to_fund : int
        Discount to the keeper, and what the insurance fund takes [ppm].
    """
    freed = price * (margin - fee - to_fund)
    return -multiply_divide_floor(-shortage, PPM, freed) if freed > 0 else -1


@kernel
def freeable(rules: TransferRules, shortage: int, freed: int, elapsed: float) -> int:
    """Part of the shortage that may be removed by now [micro-USD]."""
    if shortage < rules.small or rules.duration <= 0.0:
        return shortage
    share = min(rules.first_share + int(elapsed / rules.duration * PPM), PPM)
    return min(max(ppm_floor(shortage + freed, share) - freed, 0), shortage)
