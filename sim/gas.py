"""The price of blockspace: a log-normal path, or a base fee that demand and the venue's people move.

References
----------
.. [1] Buterin et al., "EIP-1559: Fee market change for ETH 1.0 chain" (2019).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.models.fading import fading_sum
from sim.configuration import ClockSettings
from sim.streams import stream
from sim.world_settings import BlockspaceSettings, GasSettings

Floats = NDArray[np.float64]

DAY = 86_400.0
LOWEST_FEE = 1e-3
LARGEST_SHARE = 0.9


class Usage(NamedTuple):
    """Blockspace that the venue's people have used in a block, each (k,).

    Attributes
    ----------
    gas : float64
        Units of gas.
    bid : float64
        Price that they would have paid at most [gwei].
    """

    gas: Floats
    bid: Floats


NO_USAGE = Usage(np.empty(0), np.empty(0))


def lognormal_path(settings: GasSettings, clock: ClockSettings, seed: int) -> Floats:
    """Gas price at the end of each block without shocks, (blocks + 1,) [gwei]: a log-normal reversion."""
    keep = 0.5 ** (clock.block / settings.reversion)
    noise = stream(seed, "world", "gas").standard_normal(clock.blocks + 1)
    level = np.empty(clock.blocks + 1)
    level[0] = 0.0
    for block in range(clock.blocks):
        level[block + 1] = keep * level[block] + np.sqrt(1 - keep**2) * settings.sigma * noise[block + 1]
    return settings.base * np.exp(level)


def willingness(settings: BlockspaceSettings, seconds: int, seed: int) -> Floats:
    """Log of what others will pay over the base, in each chain block of a calm market, (c,) [1].

    A slow reversion, and rushes that come at random and fade: the path depends on no block length but the
    chain's.
    """
    count = max(1, math.ceil(seconds / settings.chain_block) + 1)
    keep = 0.5 ** (settings.chain_block / settings.half_life)
    noise = stream(seed, "world", "blockspace", "demand").standard_normal(count)
    slow = fading_sum(settings.sigma * math.sqrt(1 - keep**2) * noise, keep)
    draw = stream(seed, "world", "blockspace", "bursts")
    rushes = draw.poisson(settings.bursts * settings.chain_block / DAY, count)
    sizes = settings.burst_size * draw.standard_gamma(rushes.astype(float))
    fast = fading_sum(sizes, 0.5 ** (settings.chain_block / settings.burst_half_life))
    path: Floats = slow + fast
    return path


class FeeMarket:
    """A base fee that moves with every chain block, and what has to be paid above it when blocks are full.

    Others demand `(W / p)^ε` of a block's target at the price p, the venue's people what they have used. A
    block takes up to the limit. While demand at the base fee exceeds it, the price is what clears the block,
    and the difference is a priority fee. The base fee f then moves as [1]_: `f ← f (1 + c (u − 1))` after a
    block that used u of its target.

    Attributes
    ----------
    fee : float
        Base fee of the next chain block [gwei].
    prices : (k,) float64
        Least price that got into each chain block of the last block [gwei]; empty if there was none.
    price : float
        Their mean, or the last one known [gwei].
    cleared : float
        Price of the last chain block [gwei].
    """

    def __init__(self, settings: GasSettings, clock: ClockSettings, seed: int) -> None:
        self.settings = settings.blockspace
        self.seconds = float(clock.block)
        self.base = settings.base
        self.level = willingness(self.settings, clock.duration, seed)
        self.fee = self.cleared = self.price = settings.base
        self.prices = np.empty(0)
        self.stress = 0.0
        self.mined = 0
        self.time = 0.0

    def advance(self, stress: float, usage: Usage, factor: float) -> float:
        """Mine the chain blocks of the next block, and return the price [gwei].

        Parameters
        ----------
        stress : float
            Log of volatility over calm; below 0 it counts as 0 [1].
        usage : Usage
            Of the block before.
        factor : float
            A shock's, on what others will pay [1].
        """
        chosen = self.settings
        keep = 0.5 ** (self.seconds / chosen.lag) if chosen.lag else 0.0
        self.stress = keep * self.stress + (1 - keep) * max(stress, 0.0)
        self.time += self.seconds
        last = int(self.time // chosen.chain_block)
        lift = self.base * factor * math.exp(chosen.volatility_exponent * self.stress)
        self.prices = np.array(
            [self._mine(lift * math.exp(self.level[index]), usage) for index in range(self.mined, last)]
        )
        self.mined = last
        if len(self.prices):
            self.price = float(self.prices.mean())
        return self.price

    def _mine(self, willing: float, usage: Usage) -> float:
        """Price that clears one chain block [gwei]; the base fee follows what it used."""
        chosen = self.settings
        own = min(self._own(usage), LARGEST_SHARE * chosen.limit)
        demand = (willing / self.fee) ** chosen.elasticity + own
        clearing = willing * (chosen.limit - own) ** (-1 / chosen.elasticity)
        self.cleared = max(self.fee, clearing)
        used = min(demand, chosen.limit)
        self.fee = max(self.fee * (1 + chosen.change * (used - 1)), LOWEST_FEE)
        return self.cleared

    def _own(self, usage: Usage) -> float:
        """What the venue's people want of a chain block at the last price, of its target [1]."""
        if not len(usage.gas):
            return 0.0
        chosen = self.settings
        wanted = float(usage.gas[usage.bid >= self.cleared].sum())
        return chosen.feedback * wanted * chosen.chain_block / (self.seconds * chosen.target)
