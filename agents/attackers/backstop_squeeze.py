"""Squeeze of a backstop: a short in a low-cap coin is left to the vault, and the spot is pumped against it.

The second wallet sells short to the third and takes out what margin the venue does not hold back. The first
buys the spot until the short falls below maintenance; the book is too thin to close it, so the vault takes it
over. The pump goes on, the long gains what the vault loses, and takes it out. What it lives on is a vault
that answers with all its money for a market far smaller than itself.

References
----------
.. [1] Hyperliquid's statement on JELLY, 26 March 2025.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.attack import NEAR, Attack, AttackSettings, slice_share, withdrawals
from agents.role import NO_HEDGES, Actions, Hedges, Stream, View
from agents.settings import Duration, Settings, parameter
from protocol.book import Ints
from protocol.orders import NONE, POST_ONLY, Orders, join, orders


class SqueezeTerms(Settings):
    """How a squeeze is spread over money and time."""

    spot_share: float = parameter(0.5, "1", gt=0, lt=1, description="of the budget, that buys spot")
    leverage: float = parameter(2.5, "1", gt=0, le=100, description="notional of each side over its cash")
    opening: Duration = parameter(600, "s", gt=0, description="time to build the position in")
    push: Duration = parameter(3600, "s", gt=0, description="time over which the spot is bought")
    hold: Duration = parameter(3600, "s", gt=0, description="time in which the long is closed, after it")
    unload: Duration = parameter(3600, "s", gt=0, description="time in which most of the spot is sold")


class BackstopSqueezeSettings(AttackSettings, SqueezeTerms):
    """Settings of a squeeze of a backstop."""

    kind: Literal["backstop_squeeze"]


class BackstopSqueeze(Attack):
    """A short for the vault, a long against it, and the spot."""

    wallets = 3

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: BackstopSqueezeSettings,
        market: int,
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.terms: SqueezeTerms = settings

    def stakes(self) -> tuple[float, ...]:
        """Nothing of the first wallet, equal margins of the two others."""
        margin = (1 - self.terms.spot_share) / 2
        return (0.0, margin, margin)

    def attack(self, view: View, since: float) -> Actions:
        """Open, then push and withdraw, then close what is left of the long, then unload."""
        terms = self.terms
        if since < terms.opening:
            return Actions(orders=self._opening(view))
        pushed = since - terms.opening
        return Actions(
            orders=self._closing(view) if pushed >= terms.push else NONE,
            transfers=withdrawals(self.accounts[1:]),
            hedges=self._spot(view, pushed),
        )

    def _opening(self, view: View) -> Orders:
        """What is missing of the position, from the short to the long."""
        wanted = self.lots_worth(view, self.terms.leverage * self.budget * self.stakes()[1])
        missing = wanted - int(self.held(view)[2])
        pair, price = (int(self.accounts[1]), int(self.accounts[2])), view.outside[self.market]
        return self.cross(view, pair, missing, price, NEAR) if missing > 0 else NONE

    def _spot(self, view: View, pushed: float) -> Hedges:
        """Purchases while it pushes, sales once the long had its time."""
        terms = self.terms
        if pushed < terms.push:
            return self.purchase(view, self.budget * terms.spot_share * view.seconds / terms.push)
        if pushed < terms.push + terms.hold:
            return NO_HEDGES
        return self.sale(view, slice_share(view.seconds, terms.unload))

    def _closing(self, view: View) -> Orders:
        """Slices of the long into the book, and a quote for whoever has to buy."""
        owner, share = self.accounts[2:3], slice_share(view.seconds, self.terms.hold)
        held = view.book.size[self.market, owner]
        price = round(1.005 * float(view.book.mark[self.market]))
        quote = orders(
            owner, self.market, -np.maximum(held, 0), price, POST_ONLY, reduce_only=True, expiry=view.block
        )
        return join([quote, self.exit(view, owner, share, 0.01)])
