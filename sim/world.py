"""What the protocol does not control: fundamental prices, outside depth and impact, gas and sentiment."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.configuration import ClockSettings
from sim.gas import NO_USAGE, FeeMarket, Usage, lognormal_path
from sim.impact import Push, memory
from sim.prices.paths import fundamental_paths
from sim.sentiment import Sight, sentiment_feed
from sim.shocks import Shocks
from sim.world_settings import Shock, WorldSettings

Floats = NDArray[np.float64]

YEAR_SECONDS = 31_536_000
VOLATILITY_HALF_LIFE = 1800.0
TREND_HALF_LIFE = 7200.0
FORCED_HALF_LIFE = 3600.0


class World:
    """The outside market, block by block; prices in USD per base unit, flows and depth in USD.

    The outside price is the fundamental price times the impact of the venue's participants: see `sim.impact`.
    `forced_impact` is what the impact would be less of without the hedges of forced trades, by block [log].
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
        paths = fundamental_paths(settings.prices, clock, markets, seed)
        self.fundamental = paths.price * self.shocks.price
        self.regime = paths.regime
        self.fees = FeeMarket(settings.gas, clock, seed) if settings.gas.kind == "eip1559" else None
        self.gas = (
            lognormal_path(settings.gas, clock, seed) * self.shocks.gas
            if self.fees is None
            else np.full(clock.blocks + 1, settings.gas.base)
        )
        self.usage = NO_USAGE
        self.feed = sentiment_feed(settings.sentiment, clock, self.shocks.mood, seed)
        self.sentiment = 0.0
        self.moody = settings.sentiment.wanted or bool(self.shocks.mood.any())
        self.normal_depth = np.array([settings.depth.within_1pct[market] for market in markets])
        calm = np.array([settings.depth.calm_volatility[market] for market in markets])
        self.calm_volatility = calm / np.sqrt(YEAR_SECONDS)
        self.volatility = self.calm_volatility.copy()
        self.trend = np.zeros(len(markets))
        self.resilience = np.ones(len(markets))
        self.push = Push(settings.impact, self.seconds, self.normal_depth)
        self.unforced = Push(settings.impact, self.seconds, self.normal_depth)
        self.forced = np.zeros(len(markets))
        self.forced_impact = np.zeros((clock.blocks + 1, len(markets)))
        self.outside = self.fundamental[0].copy()
        self.block = 0

    @property
    def depth(self) -> Floats:
        """Resting within 1 % of the outside price on a side, (m,) [USD]."""
        return self.normal_depth * self.resilience

    def traces(self) -> dict[str, float]:
        """What is recorded only where a scenario has it: the base fee [gwei] and sentiment [1]."""
        fee = {} if self.fees is None else {"base_fee": self.fees.fee}
        return fee | ({"sentiment": self.sentiment} if self.moody else {})

    def advance(self, flow: Floats) -> None:
        """Move to the end of the next block.

        Parameters
        ----------
        flow : (m,) float64
            Net purchases outside during the last block [USD].
        """
        self.block += 1
        forced = self._forced_part(flow)
        if not self.settings.impact.liquidations:
            flow, forced = flow - forced, np.zeros_like(forced)
        whole, depth = flow + self.shocks.flow[self.block], self.depth
        self.push.take(whole, depth)
        self.unforced.take(whole - forced, depth)
        impact, before = self.push.log, self.outside
        self.forced_impact[self.block] = impact - self.unforced.log
        self.outside = self.fundamental[self.block] * np.exp(impact)
        returns = np.log(self.outside / before)
        self._observe(returns)
        self._price_gas()
        time = self.block * self.seconds
        self.sentiment = self.feed.sentiment(Sight(self.block, time, self.seconds, self.outside, returns))

    def _price_gas(self) -> None:
        """Let gas follow what everybody has used, and what others will pay when prices move."""
        if self.fees is not None:
            stress = float(np.log(self.volatility / self.calm_volatility).mean())
            self.gas[self.block] = self.fees.advance(stress, self.usage, self.shocks.gas[self.block])
        self.usage = NO_USAGE

    def use(self, gas: Floats, bid: Floats) -> None:
        """Note blockspace that the venue's people have used, (k,) [gas], at bids up to `bid` [gwei]."""
        if self.fees is not None:
            self.usage = Usage(np.append(self.usage.gas, gas), np.append(self.usage.bid, bid))

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
        """Price of a net purchase of `flow`, (m,) [USD], over the outside price: its impact on the way."""
        impact = self.settings.impact
        if impact.law == "linear":
            return np.exp(0.5 * impact.coefficient * flow / (100 * self.depth))
        root = np.sign(flow) * np.sqrt(np.abs(flow) / self.depth)
        return np.exp(2 / 3 * impact.coefficient * root / 100)

    def _forced_part(self, flow: Floats) -> Floats:
        """The part of a flow, (m,) [USD], that hedges forced trades; they are done with then."""
        forced: Floats = np.where(
            self.forced * flow > 0, np.sign(flow) * np.minimum(abs(flow), abs(self.forced)), 0.0
        )
        self.forced -= forced
        return forced

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
