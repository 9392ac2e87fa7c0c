"""Wash trader: two accounts trade with each other for what is paid on volume.

One account quotes in the middle of the book and the other takes it, and the next block the other way round,
so that neither carries a position for long. Prevention of self-trades looks at one account and does not see
it. What it lives on is a reward for volume above the fees of both sides.

References
----------
.. [1] L. Cong, X. Li, K. Tang and Y. Yang, "Crypto wash trading", Management Science 69, 2023.
"""

from typing import Literal

import mesa
import numpy as np

from agents.attackers.attack import NEAR, Attack, AttackSettings
from agents.role import Actions, Stream, View
from agents.settings import Duration, parameter
from protocol.book import Ints
from protocol.orders import Orders, join, orders


class WashTraderSettings(AttackSettings):
    """Settings of a wash trader."""

    kind: Literal["wash_trader"]
    turnover: float = parameter(60.0, "1/h", gt=0, description="volume, over the budget")
    leverage: float = parameter(2.0, "1", gt=0, le=100, description="largest position, of an account's cash")
    duration: Duration = parameter(86_400, "s", gt=0, description="after which it stops")


class WashTrader(Attack):
    """Two accounts and no opinion."""

    wallets = 2

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: WashTraderSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.settings = settings
        self.outside = 0.0

    def stakes(self) -> tuple[float, ...]:
        """Half of the budget each."""
        return (0.5, 0.5)

    def attack(self, view: View, since: float) -> Actions:
        """A sale from the account that holds more to the other; at the end, both are brought to nothing."""
        chosen, held = self.settings, self.held(view)
        price = self._middle(view)
        if since >= chosen.duration:
            return Actions(orders=self.exit(view, self.accounts, 1.0, 0.01))
        seller = int(held[1] >= held[0])
        volume = chosen.turnover * self.budget * view.seconds / 3600
        lots = self.lots_worth(view, min(volume, chosen.leverage * self.budget / 2))
        pair = (int(self.accounts[seller]), int(self.accounts[1 - seller]))
        washed = self.cross(view, pair, lots, price)
        return Actions(orders=join([washed, self._correction(held, lots, price)]))

    def _middle(self, view: View) -> float:
        """Where between the makers' quotes, which follow the outside price, the middle is now."""
        outside = float(view.outside[self.market])
        middle = outside * float(view.mid[self.market]) / (self.outside or outside)
        self.outside = outside
        return middle

    def _correction(self, held: Ints, lots: int, price: float) -> Orders:
        """What the accounts hold together, because others got between them, beyond a round of washing."""
        astray = int(held.sum())
        owner = int(np.argmax(np.sign(astray) * held))
        limit = round(price * (1 - np.sign(astray) * NEAR))
        size = np.array([-astray if abs(astray) > lots / 2 else 0])
        return orders(self.accounts[[owner]], self.market, size, limit, reduce_only=True)
