"""Latency arbitrageur: trades at the price of a feed that has not heard yet what the market knows.

Where a venue fills at its oracle's price, whoever sees the outside price first has a free look. It buys when
the outside price stands far enough above the oracle, sells when it stands below, and closes as soon as the
feed has moved. What it lives on is a feed that waits for a deviation and then for its delay, at low fees.

References
----------
.. [1] Synthetix blog, 2019 to 2022: front-running of oracle updates, fee reclamation and settlement delays.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.attack import Attack, AttackSettings
from agents.role import Actions, Stream, View
from agents.settings import Duration, parameter
from protocol.arithmetic import MICRO
from protocol.book import Ints
from protocol.orders import NONE, Orders, orders


class LatencyArbitrageurSettings(AttackSettings):
    """Settings of a latency arbitrageur."""

    kind: Literal["latency_arbitrageur"]
    threshold: float = parameter(0.005, "1", gt=0, lt=1, description="gap to the oracle that it trades on")
    leverage: float = parameter(5.0, "1", gt=0, le=100, description="notional over the budget")
    slippage: float = parameter(0.002, "1", gt=0, lt=1, description="worst price, from the oracle's")
    patience: Duration = parameter(7200, "s", gt=0, description="longest time that a position is held")


class LatencyArbitrageur(Attack):
    """One account that is faster than the feed."""

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: LatencyArbitrageurSettings,
        market: int,
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.opened, self.oracle = 0.0, 0

    def attack(self, view: View, since: float) -> Actions:
        """Open on a wide gap, close once the feed has moved."""
        chosen = self.settings
        oracle, outside = int(view.book.oracle[self.market]), float(view.outside[self.market])
        held = int(self.held(view)[0])
        if held:
            late = view.time - self.opened > chosen.patience
            moved = oracle != self.oracle
            return Actions(orders=self._trade(view, -held) if moved or late else NONE)
        gap = outside / oracle - 1
        if abs(gap) < chosen.threshold:
            return Actions()
        self.opened, self.oracle = view.time, oracle
        equity = max(float(view.risk_of(self.accounts[:1])[0, 0]), 0.0) / MICRO
        lots = self.lots_worth(view, chosen.leverage * min(equity, self.budget))
        return Actions(orders=self._trade(view, lots if gap > 0 else -lots))

    def _trade(self, view: View, lots: int) -> Orders:
        """An order at the oracle's price, within the slippage."""
        limit = view.book.oracle[self.market] * (1 + np.sign(lots) * self.settings.slippage)
        return orders(self.accounts, self.market, np.array([lots]), int(limit))
