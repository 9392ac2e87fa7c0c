"""Scheduled shocks laid out on the grid of block ends."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.world_settings import (
    GasSpike,
    LiquidityWithdrawal,
    OracleFault,
    OracleStall,
    OutsideFlow,
    PriceJump,
    SentimentJump,
    Shock,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Shocks:
    """Every shock of a scenario, as what it does at each block end.

    Attributes
    ----------
    price : (blocks + 1, m) float64
        Factor on the fundamental price [1].
    gas : (blocks + 1,) float64
        Factor on gas, or on what others will pay for it [1].
    withdrawn : (blocks + 1,) float64
        Share of liquidity that has gone away [1].
    stalled : (blocks + 1, m) bool
        Oracles that send nothing.
    scale : (blocks + 1, m) float64
        Factor on what oracles report [1].
    flow : (blocks + 1, m) float64
        Net purchases outside by somebody whom the venue does not know, in the block that ends then [USD].
    mood : (blocks + 1,) float64
        Added to the inverse hyperbolic tangent of sentiment [1].
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
        self.flow = np.zeros(shape)
        self.mood = np.zeros(shape[0])
        for shock in shocks:
            self._lay(shock)

    def _lay(self, shock: Shock) -> None:
        """Write one shock into the arrays; where spells of a kind overlap, the stronger holds."""
        since = self.times - shock.at
        match shock:
            case PriceJump():
                size = shock.size * (0.5 ** (since / shock.half_life) if shock.half_life else 1.0)
                struck = np.where(since >= 0, 1 + size, 1.0)
                self.price[:, self._columns(shock.markets)] *= struck[:, None]
            case OutsideFlow():
                flow = shock.usd * _entering(since, shock.duration)
                self.flow[:, self._columns(shock.markets)] += flow[:, None]
            case SentimentJump():
                self.mood += shock.size * _entering(since, 0)
            case GasSpike() | LiquidityWithdrawal() | OracleStall() | OracleFault():
                self._lay_spell(shock, (since >= 0) & (since < shock.duration))

    def _lay_spell(
        self, shock: GasSpike | LiquidityWithdrawal | OracleStall | OracleFault, lasting: Mask
    ) -> None:
        match shock:
            case GasSpike():
                self.gas[lasting] = np.maximum(self.gas[lasting], shock.factor)
            case LiquidityWithdrawal():
                self.withdrawn[lasting] = np.maximum(self.withdrawn[lasting], shock.share)
            case OracleStall():
                self.stalled[:, self._columns(shock.markets)] |= lasting[:, None]
            case OracleFault():
                factor = np.where(lasting, shock.factor, 1.0)
                self.scale[:, self._columns(shock.markets)] *= factor[:, None]

    def _columns(self, names: Sequence[str]) -> list[int]:
        return [self.markets.index(name) for name in names] or list(range(len(self.markets)))


def _entering(since: Floats, duration: int) -> Floats:
    """Part that enters in the block before each block end, (blocks + 1,) [1]; the first block comes first."""
    done = np.clip(since / duration, 0.0, 1.0) if duration else (since >= 0).astype(float)
    part = np.diff(done, prepend=0.0)
    part[1] += part[0]
    part[0] = 0.0
    return part
