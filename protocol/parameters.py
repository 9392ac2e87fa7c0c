"""What governance may change: margins, limits, fees, and the constraints that hold between them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, Mask

TIERS = ("tier_floor", "tier_initial", "tier_maintenance")
SLOPES = ("root", "slope_initial", "slope_maintenance", "open_interest_slope")
ADDITIONS = ("position_margin", "margin_floor", "open_interest_cap")
WEIGHTS = ("weight_initial", "weight_maintenance")
CAPS = ("cap_ratio", "cap_growth")
COSTS = ("exit_fee", "reward_rate", "reward_minimum", "reward_maximum")
SHARES = (*WEIGHTS, "gain_weight", "fill_share", "exit_fee", "reward_rate")
ORDERED = (
    ("tier_maintenance", "tier_initial"),
    ("slope_maintenance", "slope_initial"),
    ("weight_initial", "weight_maintenance"),
    ("reward_minimum", "reward_maximum"),
)


class RiskParameters(NamedTuple):
    """The venue's rules as numbers, one entry for each market where an array stands.

    Attributes
    ----------
    initial, maintenance : (m,) int64
        Margin over notional [ppm]; maintenance ≤ initial ≤ 1e6.
    tier_floor : (m, t) int64
        Notional above which a tier adds to the margin [micro-USD], ascending; 0 where there is no tier.
    tier_initial, tier_maintenance : (m, t) int64
        What each tier adds to the rate of the notional above its floor [ppm].
    root : (m,) float64
        Size-dependent rate of margin for the square root of a lot [ppm]; 0 turns it off.
    slope_initial, slope_maintenance : (m,) float64
        Rate of margin added for each lot of the position [ppm].
    position_margin : (m,) int64
        Margin added for having a position at all [micro-USD].
    margin_floor : (m,) int64
        Least margin of a position [micro-USD].
    open_interest_lower, open_interest_upper : (m,) int64
        Open interest between which the initial margin rises to 100 % [micro-USD]; 0 turns it off.
    open_interest_slope : (m,) float64
        Initial margin rate for each USD of open interest, where that is more than `initial` [ppm].
    open_interest_cap : (m,) int64
        Open interest that no fill may push higher [micro-USD]; 0 is none.
    isolated : (m,) bool
        Markets whose positions stand alone in their account.
    weight_initial, weight_maintenance : (m,) int64
        What a deposited base asset counts for in margin, over its value at the oracle [ppm]; 0: not taken.
    gain_weight : (m,) int64
        What an unrealised gain counts for toward initial margin [ppm].
    cap_base : (m,) int64
        Market over whose price a ceiling of this market's price is set, see `ceiling`; -1 for none.
    cap_ratio : (m,) int64
        What one base unit was worth, at most, of one of `cap_base` at `cap_time` [ppm].
    cap_time : (m,) int64
        Moment that the ratio speaks of [s].
    cap_growth : (m,) int64
        Most that the ratio has grown since in a year [ppm of it].
    impact_notional : (m,) int64
        Order size at which the funding premium reads the book [micro-USD].
    taker_fee, maker_fee : int
        Fee over notional [ppm]; negative is a rebate.
    fill_share : int
        Where between maintenance (0) and initial margin (1e6) the test of a resting order's fill lies [ppm].
    exit_fee : int
        Cost of closing that margin has to cover too [ppm of notional].
    reward_rate, reward_minimum, reward_maximum : int
        What a keeper gets for liquidating an account [ppm of notional] and its bounds [micro-USD]; margin
        has to cover it. A maximum of 0 turns it off.
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

    References
    ----------
    .. [1] dYdX v4-chain, x/perpetuals/types/liquidity_tier.go and x/clob/keeper/liquidations.go.
    """

    initial: Ints
    maintenance: Ints
    tier_floor: Ints
    tier_initial: Ints
    tier_maintenance: Ints
    root: Floats
    slope_initial: Floats
    slope_maintenance: Floats
    position_margin: Ints
    margin_floor: Ints
    open_interest_lower: Ints
    open_interest_upper: Ints
    open_interest_slope: Floats
    open_interest_cap: Ints
    isolated: Mask
    weight_initial: Ints
    weight_maintenance: Ints
    gain_weight: Ints
    cap_base: Ints
    cap_ratio: Ints
    cap_time: Ints
    cap_growth: Ints
    impact_notional: Ints
    taker_fee: int
    maker_fee: int
    fill_share: int
    exit_fee: int
    reward_rate: int
    reward_minimum: int
    reward_maximum: int
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


def flat_margins(markets: int) -> dict[str, Any]:
    """What a venue with flat rates, cross margin and cash collateral leaves out of its parameters."""

    def ints(value: int) -> Ints:
        return np.full(markets, value, np.int64)

    return {
        **{name: np.zeros((markets, 0), np.int64) for name in TIERS},
        **{name: np.zeros(markets) for name in SLOPES},
        **{name: ints(0) for name in ADDITIONS + WEIGHTS + CAPS},
        "gain_weight": ints(PPM),
        "cap_base": ints(-1),
        "cap_time": ints(0),
        "isolated": np.zeros(markets, np.bool_),
        "fill_share": PPM,
        **dict.fromkeys(COSTS, 0),
    }


def violations(parameters: RiskParameters) -> list[str]:
    """Sentences on each constraint that the parameters break; empty when they may be enacted."""
    found = [
        each for market in range(len(parameters.initial)) for each in _market_violations(parameters, market)
    ]
    if parameters.taker_fee + parameters.maker_fee < 0:
        found.append(
            f"taker_fee + maker_fee >= 0 must hold, got taker_fee={parameters.taker_fee / PPM}, "
            f"maker_fee={parameters.maker_fee / PPM}"
        )
    return [*found, *_out_of_range(parameters), *_out_of_order(parameters)]


def _market_violations(parameters: RiskParameters, market: int) -> Iterator[str]:
    """What the rates of one market break."""
    initial, maintenance = int(parameters.initial[market]), int(parameters.maintenance[market])
    if not 0 < maintenance <= initial <= PPM:
        yield (
            f"0 < maintenance <= initial <= 1 must hold, got maintenance={maintenance / PPM}, "
            f"initial={initial / PPM} (market {market})"
        )
    lower, upper = parameters.open_interest_lower[market], parameters.open_interest_upper[market]
    if upper and not 0 <= lower < upper:
        yield (
            f"0 <= open_interest_lower < open_interest_upper must hold, got open_interest_lower={lower}, "
            f"open_interest_upper={upper} micro-USD (market {market})"
        )
    base, markets = int(parameters.cap_base[market]), len(parameters.initial)
    if base != -1 and not (-1 < base < markets and base != market and parameters.cap_base[base] == -1):
        yield f"cap_base must be another market without a ceiling, or -1, got {base} (market {market})"
    if base != -1 and parameters.cap_ratio[market] <= 0:
        yield f"cap_ratio > 0 must hold, got {parameters.cap_ratio[market] / PPM} (market {market})"
    marginal = initial + int(parameters.tier_initial[market].sum())
    if initial <= PPM < marginal:
        yield f"initial + all of tier_initial <= 1 must hold, got {marginal / PPM} (market {market})"


def _out_of_range(parameters: RiskParameters) -> Iterator[str]:
    """Which numbers are negative, or a share above 1."""
    for name in dict.fromkeys((*TIERS, *SLOPES, *ADDITIONS, *COSTS, *SHARES, *CAPS)):
        values = np.asarray(getattr(parameters, name))
        if (values < 0).any():
            yield f"{name} >= 0 must hold, got {values.tolist()}"
        if name in SHARES and (values > PPM).any():
            yield f"{name} <= 1 must hold, got {(values / PPM).tolist()}"


def _out_of_order(parameters: RiskParameters) -> Iterator[str]:
    """Which numbers exceed those that bound them."""
    for name, bound in ORDERED:
        low, high = np.asarray(getattr(parameters, name)), np.asarray(getattr(parameters, bound))
        if (low > high).any():
            yield f"{name} <= {bound} must hold, got {name}={low.tolist()}, {bound}={high.tolist()}"
