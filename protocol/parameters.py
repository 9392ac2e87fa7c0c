"""What governance may change: margins, limits, fees, and the constraints that hold between them."""

from typing import NamedTuple

from protocol.arithmetic import PPM
from protocol.book import Ints


class RiskParameters(NamedTuple):
    """The venue's rules as numbers, one entry for each market where an array stands.

    Attributes
    ----------
    initial, maintenance : (m,) int64
        Margin over notional [ppm]; maintenance < initial ≤ 1e6.
    open_interest_lower, open_interest_upper : (m,) int64
        Open interest between which the initial margin rises to 100 % [micro-USD]; 0 turns it off.
    impact_notional : (m,) int64
        Order size at which the funding premium reads the book [micro-USD].
    taker_fee, maker_fee : int
        Fee over notional [ppm]; negative is a rebate.
    liquidation_share : int
        Largest share of a position that one liquidation closes [ppm].
    liquidation_minimum, liquidation_maximum : int
        Notional that one liquidation may always reach, and may never exceed [micro-USD].
    bankruptcy_adjustment, spread_to_maintenance : int
        How fast, and how far past the mark, the liquidation limit price retreats [ppm].
    liquidation_fee : int
        Cap of what the insurance fund takes from a liquidation fill [ppm of notional].
    insurance_loss : int
        Most the insurance fund pays for one account in one round [micro-USD].
    backstop_trigger : int
        Equity over maintenance below which the vault takes an account over [ppm]; 0 turns it off.
    backstop_loss_share : int
        Largest deficit the vault accepts with an account, over its own equity [ppm].
    backstop_reserve : int
        Equity the vault keeps after a takeover, over its initial requirement [ppm].
    funding_default, funding_clamp : int
        Premium added per 8 h [ppm] and the cap as a multiple of initial − maintenance [ppm].

    References
    ----------
    .. [1] dYdX v4-chain, x/perpetuals/types/liquidity_tier.go and x/clob/keeper/liquidations.go.
    """

    initial: Ints
    maintenance: Ints
    open_interest_lower: Ints
    open_interest_upper: Ints
    impact_notional: Ints
    taker_fee: int
    maker_fee: int
    liquidation_share: int
    liquidation_minimum: int
    liquidation_maximum: int
    bankruptcy_adjustment: int
    spread_to_maintenance: int
    liquidation_fee: int
    insurance_loss: int
    backstop_trigger: int
    backstop_loss_share: int
    backstop_reserve: int
    funding_default: int
    funding_clamp: int


def violations(parameters: RiskParameters) -> list[str]:
    """Sentences on each constraint that the parameters break; empty when they may be enacted."""
    found = []
    for market in range(len(parameters.initial)):
        initial, maintenance = int(parameters.initial[market]), int(parameters.maintenance[market])
        if not 0 < maintenance < initial <= PPM:
            found.append(
                f"0 < maintenance < initial <= 1 must hold, got maintenance={maintenance / PPM}, "
                f"initial={initial / PPM} (market {market})"
            )
        lower, upper = parameters.open_interest_lower[market], parameters.open_interest_upper[market]
        if upper and not 0 <= lower < upper:
            found.append(
                f"0 <= open_interest_lower < open_interest_upper must hold, got open_interest_lower={lower}, "
                f"open_interest_upper={upper} micro-USD (market {market})"
            )
    if parameters.taker_fee + parameters.maker_fee < 0:
        found.append(
            f"taker_fee + maker_fee >= 0 must hold, got taker_fee={parameters.taker_fee / PPM}, "
            f"maker_fee={parameters.maker_fee / PPM}"
        )
    return found
