"""Oracle pusher: sells to itself on the venue, buys the thin spot, and withdraws the gain of one side.

The second and third wallet open the two sides of one position against each other. The first then buys the
spot outside; the oracle follows, one side gains what the other cannot pay, and takes it out as fast as it
comes. At the end the spot is sold again. What it lives on is margin that counts gains nobody has paid yet, in
a market whose spot is small against the position.

References
----------
.. [1] CFTC and SEC complaints against A. Eisenberg, January 2023: Mango Markets, 11 October 2022.
"""

from typing import Literal

import mesa

from agents.attackers.attack import NEAR, Attack, AttackSettings, slice_share, withdrawals
from agents.role import NO_HEDGES, NO_TRANSFERS, Actions, Stream, View
from agents.settings import Duration, parameter
from protocol.book import Ints
from protocol.orders import NONE


class OraclePusherSettings(AttackSettings):
    """Settings of an oracle pusher."""

    kind: Literal["oracle_pusher"]
    spot_share: float = parameter(0.5, "1", gt=0, lt=1, description="of the budget, that buys spot")
    leverage: float = parameter(4.5, "1", gt=0, le=100, description="notional of each side over its cash")
    opening: Duration = parameter(600, "s", gt=0, description="time to build the position in")
    push: Duration = parameter(3600, "s", gt=0, description="time over which the spot is bought")
    unload: Duration = parameter(3600, "s", gt=0, description="time in which most of the spot is sold")


class OraclePusher(Attack):
    """Both sides of a position, and the spot beneath it."""

    wallets = 3

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: OraclePusherSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings

    def stakes(self) -> tuple[float, ...]:
        """Nothing of the first wallet, equal margins of the two others."""
        margin = (1 - self.settings.spot_share) / 2
        return (0.0, margin, margin)

    def attack(self, view: View, since: float) -> Actions:
        """Open, then push and withdraw, then unload."""
        chosen = self.settings
        if since < chosen.opening:
            margin = self.budget * self.stakes()[1]
            missing = self.lots_worth(view, chosen.leverage * margin) - int(self.held(view)[2])
            pair, price = (int(self.accounts[1]), int(self.accounts[2])), view.outside[self.market]
            return Actions(orders=self.cross(view, pair, missing, price, NEAR) if missing > 0 else NONE)
        pushing = since < chosen.opening + chosen.push
        spent = self.budget * chosen.spot_share * view.seconds / chosen.push
        holds = pushing or self.held(view)[2] > 0
        return Actions(
            transfers=withdrawals(self.accounts[2:]) if holds else NO_TRANSFERS,
            hedges=self.purchase(view, spent)
            if pushing
            else self.sale(view, slice_share(view.seconds, chosen.unload))
            if view.outside_size[self.market, self.accounts[0]]
            else NO_HEDGES,
        )
