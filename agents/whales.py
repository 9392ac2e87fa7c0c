"""Whales: a few large accounts that change their minds slowly and trade over hours.

Each has a home market and a view of it, long or short, drawn anew at a rate and leaning with or against the
trend. It moves towards the position that the view and its leverage ask for, an equal part of the way in each
stretch of time, and pays no more than a little above the middle of the book. When its margin runs short it
gives up a part of the position rather than wait for the venue to do so.
"""

import mesa
import numpy as np

from agents.role import Actions, Endowment, Role, Stream, View
from agents.settings import Duration, Settings, parameter
from protocol.arithmetic import PPM
from protocol.book import Floats, Ints
from protocol.orders import Orders, orders
from protocol.parameters import RiskParameters

DAY = 86_400


class WhaleSettings(Settings):
    """Settings of whales; rates are for one account."""

    accounts: int = parameter(0, "1", ge=0, le=1_000)
    capital: float = parameter(0.1, "1", gt=0, description="of all together, of open interest")
    leverage: float = parameter(
        3.0,
        "1",
        "accounts deleveraged on Hyperliquid, 10 Oct 2025, as winners: leverage p90 3.2, p95 6.5",
        gt=0,
        le=100,
        description="of a position at which a whale aims",
    )
    rethinking: float = parameter(0.5, "1/day", ge=0, description="new views")
    conviction: float = parameter(
        0.5, "1", ge=-5, le=5, description="weight of one unit of trend against taste; < 0 trades against it"
    )
    horizon: Duration = parameter(7200, "s", gt=0, description="half-life of the way to the position wanted")
    slippage: float = parameter(0.002, "1", gt=0, lt=1, description="worst price of an order, from the mid")
    caution: float = parameter(2.0, "1", ge=1, description="equity over maintenance below which it reduces")


class Whales(Role):
    """All whales, one account each."""

    name = "whales"

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: WhaleSettings, markets: int
    ) -> None:
        super().__init__(model, accounts, stream)
        self.settings = settings
        self.home = np.arange(len(accounts)) % markets
        self.side = np.where(stream(self.name, "sides").random(len(accounts)) < 0.5, -1, 1)

    def endow(self, open_interest: float, price: Ints, parameters: RiskParameters) -> Endowment:
        """Equal capital [micro-USD], and the positions that the first views ask for."""
        count = len(self.accounts)
        cash = np.full(count, int(self.settings.capital * open_interest / max(count, 1)))
        size = np.zeros((len(price), count), np.int64)
        wanted = self.side * self._leverage(parameters.initial) * cash / price[self.home]
        size[self.home, np.arange(count)] = wanted.astype(np.int64)
        return Endowment(cash, np.zeros(count), size)

    def act(self, view: View) -> Actions:
        """Rethink, and go a part of the way to what is wanted."""
        self._rethink(view)
        return Actions(orders=self._step(view))

    def _leverage(self, initial: Ints) -> Floats:
        """Leverage aimed at, (k,) [1]: within the venue's limit, with a tenth to spare."""
        return np.minimum(self.settings.leverage, 0.9 * PPM / initial[self.home])

    def _rethink(self, view: View) -> None:
        """Draw the views of those who think again."""
        index = self.awake(view, self.settings.rethinking / DAY)
        taste = self.draw("taste", view.block).standard_normal(len(index))
        pull = self.settings.conviction * view.trend[self.home[index]]
        self.side[index] = np.where(taste + pull > 0, 1, -1)

    def _step(self, view: View) -> Orders:
        """Slices towards the positions wanted; whoever is short of margin only reduces."""
        chosen, market = self.settings, self.home
        held = view.book.size[market, self.accounts]
        equity, _, maintenance = view.risk_of(self.accounts)
        price = view.mid[market]
        wanted = self.side * self._leverage(view.parameters.initial) * np.maximum(equity, 0) / price
        scarce = (maintenance > 0) & (equity < chosen.caution * maintenance)
        wanted = np.where(scarce, 0.5 * held, wanted)
        share = 1 - 0.5 ** (view.seconds / chosen.horizon)
        lots = np.where(scarce, wanted - held, share * (wanted - held)).astype(np.int64)
        limit = price * (1 + np.sign(lots) * chosen.slippage)
        return orders(self.accounts, market, lots, limit.astype(np.int64))
