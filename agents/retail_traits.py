"""What distinguishes one retail account from another, drawn once before the start."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.role import Stream
from agents.settings import Settings, parameter
from protocol.book import Floats, Ints, Mask

if TYPE_CHECKING:
    from agents.retail import RetailSettings

UNLISTED_WEIGHT = 0.1


class LeverageSettings(Settings):
    """Notional over equity when a position is opened: log-normal, bounded by the venue's initial margin."""

    median: float = parameter(6.0, "1", gt=0, le=100)
    sigma: float = parameter(0.8, "1", ge=0, le=3, description="standard deviation of log leverage")
    size_correlation: float = parameter(
        -0.4, "1", ge=-1, le=1, description="of log leverage and log equity: large accounts lever less"
    )
    binding: float = parameter(
        0.0, "1", ge=0, le=1, description="accounts that have the venue hold them to their leverage"
    )


class Traits(NamedTuple):
    """Traits of k accounts, each (k,).

    Attributes
    ----------
    home : int64
        The one market that an account trades.
    style : int64
        1 follows the trend, -1 trades against it, 0 does not look at it.
    hedges, carries : bool
        Who owns the coin and is short against it, and who collects funding.
    has_stop, has_target, watches : bool
        Who has a stop-loss, who a profit target, who tops up.
    starts_with_position, brings_asset, binds_itself : bool
        Who holds a position at the start, whose collateral is the asset, who is held to its own leverage.
    weight, leverage : float64
        Equity over its mean, and notional over equity when a position is opened [1].
    """

    home: Ints
    style: Ints
    hedges: Mask
    carries: Mask
    has_stop: Mask
    has_target: Mask
    watches: Mask
    starts_with_position: Mask
    brings_asset: Mask
    binds_itself: Mask
    weight: Floats
    leverage: Floats


def draw_traits(
    settings: "RetailSettings", stream: Stream, name: str, count: int, markets: tuple[str, ...]
) -> Traits:
    """Draw the traits of `count` accounts, each trait from numbers of its own."""
    shares = np.array([settings.market_weights.get(market, UNLISTED_WEIGHT) for market in markets])
    generator = stream(name, "traits")
    taste = generator.random((6, count))
    weight, leverage = _size_and_leverage(settings, generator, count)
    bounds = np.cumsum([settings.momentum, settings.contrarian, settings.hedgers, settings.carriers])
    kind = np.searchsorted(bounds, taste[0], side="right")
    speculates = (kind != 2) & (kind != 3)
    return Traits(
        home=np.searchsorted(np.cumsum(shares / shares.sum()), taste[1]).astype(np.int64),
        style=np.where(kind == 0, 1, np.where(kind == 1, -1, 0)),
        hedges=kind == 2,
        carries=kind == 3,
        has_stop=(taste[2] < settings.stops) & speculates,
        has_target=(taste[5] < settings.targets) & speculates,
        watches=taste[3] < settings.watchful,
        starts_with_position=taste[4] < settings.holding,
        brings_asset=stream(name, "collateral").random(count) < settings.asset_collateral,
        binds_itself=stream(name, "binding").random(count) < settings.leverage.binding,
        weight=weight,
        leverage=leverage,
    )


def _size_and_leverage(
    settings: "RetailSettings", generator: np.random.Generator, count: int
) -> tuple[Floats, Floats]:
    """Relative equity (mean 1) and leverage of each account, both log-normal and correlated."""
    normal = generator.standard_normal((2, count))
    tie = settings.leverage.size_correlation
    equity = np.exp(settings.equity_sigma * normal[0])
    for _ in range(8):
        equity = np.minimum(equity, max(settings.largest, 1.0 / count) * equity.sum())
    shape = tie * normal[0] + np.sqrt(1 - tie**2) * normal[1]
    leverage = settings.leverage.median * np.exp(settings.leverage.sigma * shape)
    return equity / equity.mean(), leverage
