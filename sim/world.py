"""What the protocol does not control: fundamental prices, gas, outside depth, impact, and shocks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.prices import fundamental_paths
from sim.streams import stream
from sim.world_settings import (
    GasSettings,
    GasSpike,
    LiquidityWithdrawal,
    OracleFault,
    OracleStall,
    PriceJump,
    Shock,
    WorldSettings,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

YEAR_SECONDS = 31_536_000
VOLATILITY_HALF_LIFE = 1800.0
TREND_HALF_LIFE = 7200.0
FORCED_HALF_LIFE = 3600.0


def memory(seconds: float, half_life: float) -> float:
    """Weight that is left after `seconds` of a quantity that halves every `half_life` [1]."""
    return float(0.5 ** (seconds / half_life))


def gas_path(settings: GasSettings, clock: ClockSettings, seed: int) -> Floats:
    """Gas price at the end of each block without shocks, (blocks + 1,) [gwei]: a log-normal reversion."""
    keep = memory(clock.block, settings.reversion)
    noise = stream(seed, "world", "gas").standard_normal(clock.blocks + 1)
    level = np.empty(clock.blocks + 1)
    level[0] = 0.0
    for block in range(clock.blocks):
        level[block + 1] = keep * level[block] + np.sqrt(1 - keep**2) * settings.sigma * noise[block + 1]
    return settings.base * np.exp(level)


class Shocks:
    """Scheduled shocks laid out on the grid of block ends.

    Attributes
    ----------
    price : (blocks + 1, m) float64
        Factor on the fundamental price [1].
    gas : (blocks + 1,) float64
        Factor on gas [1].
    withdrawn : (blocks + 1,) float64
        Share of liquidity that has gone away [1].
    stalled : (blocks + 1, m) bool
        Oracles that send nothing.
    scale : (blocks + 1, m) float64
        Factor on what oracles report [1].
    """

    def __init__(self, shocks: Sequence[Shock], clock: ClockSettings, markets: Sequence[str]) -> None:
        self.times = clock.block * np.arange(clock.blocks + 1, dtype=np.float64)
        self.markets = list(markets)
        shape = (clock.blocks + 1, len(markets))
        self.price = np.ones(shape)
        self.gas = np.ones(shape[0])
        self.withdrawn = np.zeros(shape[0])
        self.stalled = np.zeros(shape, np.bool_)
        self.scale = np.ones(shape)
        for shock in shocks:
            self._lay(shock)

    def _lay(self, shock: Shock) -> None:
        """Write one shock into the arrays; where shocks of a kind overlap, the stronger holds."""
        since = self.times - shock.at
        struck = since >= 0
        if isinstance(shock, PriceJump):
            size = shock.size * (0.5 ** (since / shock.half_life) if shock.half_life else np.ones_like(since))
            self.price[:, self._columns(shock.markets)] *= np.where(struck, 1 + size, 1.0)[:, None]
        elif isinstance(shock, GasSpike):
            lasting = struck & (since < shock.duration)
            self.gas[lasting] = np.maximum(self.gas[lasting], shock.factor)
        elif isinstance(shock, LiquidityWithdrawal):
            lasting = struck & (since < shock.duration)
            self.withdrawn[lasting] = np.maximum(self.withdrawn[lasting], shock.share)
        elif isinstance(shock, OracleStall):
            lasting = struck & (since < shock.duration)
            self.stalled[:, self._columns(shock.markets)] |= lasting[:, None]
        elif isinstance(shock, OracleFault):
            lasting = struck & (since < shock.duration)
            self.scale[:, self._columns(shock.markets)] *= np.where(lasting, shock.factor, 1.0)[:, None]

    def _columns(self, names: Sequence[str]) -> list[int]:
        return [self.markets.index(name) for name in names] or list(range(len(self.markets)))


class World:
    """The outside market, block by block; prices in USD per base unit, flows and depth in USD.

    The outside price is the fundamental price times the impact of the venue's participants:
    `log S = log F + P + T`. A net flow Q adds `φ·λ·Q/D₀` to the permanent part P, what the market learns
    from it, at ordinary depth; and `(1−φ)·λ·Q/D` to the transient part T, what it costs to be absorbed, at
    the depth of the moment. T decays. D is a hundred times the depth within 1 %.
    """

    def __init__(
        self,
        settings: WorldSettings,
        shocks: Sequence[Shock],
        clock: ClockSettings,
        markets: Sequence[str],
        seed: int,
    ) -> None:
        self.settings = settings
        self.seconds = float(clock.block)
        self.shocks = Shocks(shocks, clock, markets)
        self.fundamental = fundamental_paths(settings.prices, clock, markets, seed) * self.shocks.price
        self.gas = gas_path(settings.gas, clock, seed) * self.shocks.gas
        self.normal_depth = np.array([settings.depth.within_1pct[market] for market in markets])
        calm = np.array([settings.depth.calm_volatility[market] for market in markets])
        self.calm_volatility = calm / np.sqrt(YEAR_SECONDS)
        self.volatility = self.calm_volatility.copy()
        self.trend = np.zeros(len(markets))
        self.resilience = np.ones(len(markets))
        self.permanent = np.zeros(len(markets))
        self.transient = np.zeros(len(markets))
        self.forced = np.zeros(len(markets))
        self.outside = self.fundamental[0].copy()
        self.block = 0

    @property
    def depth(self) -> Floats:
        """Resting within 1 % of the outside price on a side, (m,) [USD]."""
        return self.normal_depth * self.resilience

    def advance(self, flow: Floats) -> None:
        """Move to the end of the next block.

        Parameters
        ----------
        flow : (m,) float64
            Net purchases outside during the last block [USD].
        """
        self.block += 1
        impact = self.settings.impact
        push = impact.coefficient * self._felt(flow) / 100
        self.permanent += impact.permanent * push / self.normal_depth
        self.transient *= memory(self.seconds, impact.half_life)
        self.transient += (1 - impact.permanent) * push / self.depth
        before = self.outside
        self.outside = self.fundamental[self.block] * np.exp(self.permanent + self.transient)
        self._observe(np.log(self.outside / before))

    def force(self, flow: Floats) -> None:
        """Note forced trades, (m,) [USD], whose hedges will reach the outside market.

        A liquidated long is negative: somebody will have to sell outside what was sold to him.
        """
        self.forced = self.forced * memory(self.seconds, FORCED_HALF_LIFE) + flow

    def share_filled(self, flow: Floats) -> Floats:
        """Share of a net flow wanted, (m,) [USD], that the outside market takes in a block, (m,) [1].

        Hedgers wait rather than push the price by more than a thin book would bear.
        """
        limit = self.settings.impact.participation * self.depth * self.seconds / 60
        return np.minimum(1.0, limit / np.maximum(np.abs(flow), 1e-9))

    def execution_factor(self, flow: Floats) -> Floats:
        """Price of a net purchase of `flow`, (m,) [USD], over the outside price: half its impact."""
        return np.exp(0.5 * self.settings.impact.coefficient * flow / (100 * self.depth))

    def _felt(self, flow: Floats) -> Floats:
        """The flow that moves the price: without forced hedges, if the scenario takes their impact away."""
        forced = np.where(
            self.forced * flow > 0, np.sign(flow) * np.minimum(abs(flow), abs(self.forced)), 0.0
        )
        self.forced -= forced
        return flow if self.settings.impact.liquidations else flow - forced

    def _observe(self, returns: Floats) -> None:
        """Update volatility, trend and depth after a block's log returns, (m,)."""
        keep = memory(self.seconds, VOLATILITY_HALF_LIFE)
        variance = keep * self.volatility**2 + (1 - keep) * returns**2 / self.seconds
        self.volatility = np.maximum(np.sqrt(variance), 0.3 * self.calm_volatility)
        keep = memory(self.seconds, TREND_HALF_LIFE)
        horizon = self.seconds / (1 - keep)
        surprise = returns / self.seconds * np.sqrt(horizon) / self.volatility
        self.trend = keep * self.trend + (1 - keep) * surprise
        depth = self.settings.depth
        ratio = np.minimum(1.0, self.calm_volatility / self.volatility) ** depth.volatility_exponent
        target = np.maximum(ratio * (1 - self.shocks.withdrawn[self.block]), depth.floor)
        recovering = target + (self.resilience - target) * memory(self.seconds, depth.recovery)
        self.resilience = np.minimum(target, recovering)
