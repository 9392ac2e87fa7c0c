"""What the engine can see, and from when on it can.

Every feature is measured at the end of a block from the public view, and carries the time it speaks of and
the time at which it is available. A decision uses, of each, the newest one that is available by then.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from agents.engine.settings import FEATURES, Feature, RiskEngineSettings
from agents.role import View
from protocol.arithmetic import MICRO
from protocol.book import Floats, Ints, first_trader

YEAR_SECONDS = 31_536_000
NEAR = 0.02
LEAST_VARIANCE = 1e-12


class Reading(NamedTuple):
    """A feature of every market.

    Attributes
    ----------
    measured, available : float
        The time that it speaks of, and from which on it can be used [s].
    value : (m,) float64
        NaN where there is none.
    """

    measured: float
    available: float
    value: Floats


class Observation(NamedTuple):
    """What a decision is based on.

    Attributes
    ----------
    time : float
        Of the decision [s].
    readings : mapping of str to Reading
        By feature: the newest available; a feature that never was is missing.
    stale : bool
        Whether a price is too old to be trusted.
    """

    time: float
    readings: dict[Feature, Reading]
    stale: bool

    def value(self, feature: Feature, markets: int) -> Floats:
        """A feature of every market, (m,); NaN where it is not available."""
        reading = self.readings.get(feature)
        return np.full(markets, np.nan) if reading is None else reading.value


class Sensors:
    """Measures features.

    Parameters
    ----------
    settings : RiskEngineSettings
    markets : int
    """

    def __init__(self, settings: RiskEngineSettings, markets: int) -> None:
        self.settings, self.markets = settings, markets
        self.waiting: dict[Feature, deque[Reading]] = {name: deque() for name in FEATURES}
        self.known: dict[Feature, Reading] = {}
        self.price, self.last = np.zeros((2, markets))
        self.squares, self.since = np.zeros(markets), 0

    def feel(self, prices: Mapping[str, Ints | Floats]) -> None:
        """Take in the price of a block's end, (m,) of each kind, for returns and realised volatility."""
        price = prices[self.settings.price].astype(np.float64)
        if not self.last.any():
            self.price, self.last = price.copy(), price.copy()
        else:
            self.squares += np.log(price / self.price) ** 2
            self.price = price

    def observe(self, view: View) -> Observation:
        """Measure every feature, and hand out what is available now."""
        stale = bool((view.oracle_age > self.settings.safety.stale).any())
        for feature, value in self._measured(view, stale).items():
            lag = float(self.settings.latency.get(feature, 0))
            self.waiting[feature].append(Reading(view.time, view.time + lag, value))
        for feature, queue in self.waiting.items():
            while queue and queue[0].available <= view.time:
                self.known[feature] = queue.popleft()
        return Observation(view.time, dict(self.known), stale)

    def _measured(self, view: View, stale: bool) -> dict[Feature, Floats]:
        returns, volatility = self._moved(stale)
        return {
            "returns": returns,
            "volatility": volatility,
            "funding": view.funding_rate.copy(),
            "basis": np.log(view.book.mark / view.outside),
            "imbalance": imbalance(view),
            "depth": np.log(np.maximum(view.outside_depth, 1.0)),
            "near_liquidation": near_liquidation(view),
            "gas": np.full(self.markets, np.log(view.gas / view.gas_base)),
        }

    def _moved(self, stale: bool) -> tuple[Floats, Floats]:
        """Log return and log annual realised volatility since the last observation, each (m,).

        Neither is known while a price is stale. The first return after that spans several steps, and is
        scaled to one as if they had been equally wild.
        """
        self.since += 1
        if stale:
            nothing = np.full(self.markets, np.nan)
            return nothing, nothing
        returns = np.log(self.price / self.last) / np.sqrt(self.since)
        seconds = self.settings.every * self.since
        variance = np.maximum(self.squares / seconds * YEAR_SECONDS, LEAST_VARIANCE)
        self.last = self.price.copy()
        self.squares, self.since = np.zeros(self.markets), 0
        return returns, np.log(variance) / 2


def imbalance(view: View) -> Floats:
    """How much thinner the book's asks are than its bids, (m,), from −1 to 1; NaN where a side is empty.

    Read from what an order of the size for funding premiums would pay beyond the middle.
    """
    quotes, mid = view.quotes, view.mid
    up, down = quotes.impact_ask - mid, mid - quotes.impact_bid
    shown = (quotes.impact_ask > 0) & (quotes.impact_bid > 0) & (up + down > 0)
    return np.where(shown, (up - down) / np.where(shown, up + down, 1.0), np.nan)


def near_liquidation(view: View) -> Floats:
    """Share of open interest, (m,), in accounts that a move of 2 % against them would liquidate."""
    book, first = view.book, first_trader(len(view.lot))
    equity, _, maintenance = view.risk[:, first:].astype(float)
    notional = np.abs(book.size[:, first:]) * book.mark[:, None].astype(float)
    near = equity - maintenance < NEAR * notional.sum(axis=0)
    held = 2.0 * book.open_interest * book.mark
    return notional[:, near].sum(axis=1) / np.maximum(held, MICRO)
