"""Liquidators: deep bids and offers that wait for forced orders, and an exit for what they catch.

Each rests one order on either side of every market, at a distance that pays for the volatility of the time
the position will be held, for fees and for gas. A liquidator must win blockspace to move its orders; what it
could not renew expires. Positions are unloaded outside and closed on the venue in slices.

Liquidators may differ in capital, in the distance and the patience they allow, and in what they bid for gas.
Some may hunt: when much that a small move would liquidate stands on one side of a market, they push the
outside price that way, and cover when the prey is gone.

References
----------
.. [1] M. K. Brunnermeier and L. H. Pedersen, "Predatory Trading", Journal of Finance 60 (2005).
"""

from typing import NamedTuple

import mesa
import numpy as np

from agents.role import Actions, Endowment, Role, Stream, View, hedge_toward
from agents.settings import Duration, Settings, parameter
from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, Mask
from protocol.liquidations.keepers import Offers
from protocol.orders import POST_ONLY, Orders, join, orders
from protocol.radii import ROUNDING, sensitivities
from protocol.watch import Watch

FARTHEST = 0.99
DEAREST = 1e6


class LiquidatorSettings(Settings):
    """Settings of liquidators."""

    accounts: int = parameter(10, "1", ge=0, le=10_000)
    capital: float = parameter(0.05, "1", gt=0, description="of all together, of open interest")
    leverage: float = parameter(3.0, "1", gt=0, description="largest position, of capital")
    discount: float = parameter(0.008, "1", gt=0, lt=1, description="least distance from the outside price")
    risk_premium: float = parameter(1.0, "1", ge=0, description="per volatility of the holding time")
    holding: Duration = parameter(600, "s", gt=0, description="time to unload")
    slippage: float = parameter(0.001, "1", ge=0, description="cost of unloading what a keeper took over")
    gas_tolerance: float = parameter(
        2.0,
        "1",
        "12 Mar 2020: gas about six times its mean, 36 % of auctions without a bid; keepers did not reprice",
        gt=0,
        description="highest bid for inclusion, of base gas",
    )
    patience: Duration = parameter(300, "s", gt=0, description="life of an order that is not renewed")
    variety: float = parameter(
        0.0,
        "1",
        ge=0,
        le=3,
        description="standard deviation, over liquidators, of log capital, distance, patience and gas bid",
    )
    predation: float = parameter(0.0, "1", ge=0, le=1, description="of capital, that hunts")
    reach: float = parameter(0.01, "1", gt=0, lt=1, description="move that makes prey of a position")
    hunger: float = parameter(2.0, "1", gt=0, description="prey, over the position that hunts it")


class Variety(NamedTuple):
    """Factors on what all liquidators have in common, each (k,) [1]."""

    capital: Floats
    distance: Floats
    patience: Floats
    gas: Floats


class Liquidators(Role):
    """All liquidators, one account each."""

    name = "liquidators"

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: LiquidatorSettings,
        markets: int,
    ) -> None:
        super().__init__(model, accounts, stream)
        self.settings = settings
        factors = stream(self.name, "variety").standard_normal((4, len(accounts)))
        self.variety = Variety(*np.exp(settings.variety * factors))
        self.hunt = np.zeros(markets)
        self.hunted = np.zeros(markets)
        self.hunting_since = np.zeros(markets)
        self.capital = np.zeros(len(accounts))
        self.renewed = np.full(len(accounts), -np.inf)
        self.reference = np.ones((markets, len(accounts)))
        self.margins: Watch | None = None

    def endow(self, open_interest: float, price: Ints) -> Endowment:
        """Capital [micro-USD], no positions."""
        count = len(self.accounts)
        total = self.settings.capital * open_interest
        self.capital = total * self.variety.capital / max(self.variety.capital.sum(), 1.0)
        cash = self.capital.astype(np.int64)
        return Endowment(cash, np.zeros(count), np.zeros((len(price), count), np.int64))

    def act(self, view: View) -> Actions:
        """Renew the orders of those who get into the block; unload what was caught."""
        luck = self.draw("inclusion", view.block).random(len(self.accounts))
        tolerance = self.settings.gas_tolerance * self.variety.gas
        included = np.flatnonzero((luck < view.inclusion(tolerance)) & self._restless(view))
        self.renewed[included] = view.time
        self.reference[:, included] = view.outside[:, None]
        rate = 1 - 0.5 ** (view.seconds / self.settings.holding * 2)
        held = view.book.size[:, self.accounts].astype(float)
        return Actions(
            orders=join([self._bids(view, included), self._exits(view, included, rate)]),
            leaving=self.accounts[included],
            hedges=hedge_toward(
                view, self.accounts, self._hunters(view) - held, rate, np.ones((1, len(self.accounts)))
            ),
            senders=self.accounts[included],
            offers=self._offers(view),
        )

    def _offers(self, view: View) -> Offers:
        """What each asks for as a keeper, on venues whose liquidations somebody has to send."""
        count, chosen = len(self.accounts), self.settings
        risk = min(chosen.risk_premium * float(view.volatility.max()) * np.sqrt(chosen.holding), DEAREST)
        tickets = self.draw("bids", view.block).integers(0, 2**31, count)
        return Offers(
            account=self.accounts,
            tolerance=self.variety.gas * (chosen.gas_tolerance * view.gas_base / view.gas * view.gas_price),
            slippage=np.full(count, round(chosen.slippage * PPM)),
            capital_cost=np.full(count, round(risk * PPM)),
            ticket=tickets,
        )

    def _hunters(self, view: View) -> Floats:
        """Positions outside that are there to set off liquidations, (m, k) [lots]."""
        chosen = self.settings
        if chosen.predation == 0:
            return np.zeros((len(self.hunt), len(self.accounts)))
        size = chosen.predation * chosen.leverage * self.capital / view.outside[:, None]
        prey = self._prey(view)
        longs_first = prey[0] >= prey[1]
        most = np.where(longs_first, prey[0], prey[1])
        begins = (self.hunt == 0) & (most > chosen.hunger * size.sum(axis=1) * view.outside)
        left = np.where(self.hunt < 0, prey[0], prey[1])
        tired = view.time - self.hunting_since > chosen.holding
        ends = (self.hunt != 0) & ((left < 0.5 * self.hunted) | tired)
        self.hunt = np.where(begins, np.where(longs_first, -1.0, 1.0), np.where(ends, 0.0, self.hunt))
        self.hunted = np.where(begins, most, self.hunted)
        self.hunting_since = np.where(begins, view.time, self.hunting_since)
        return self.hunt[:, None] * size

    def _prey(self, view: View) -> Floats:
        """Notional of longs and of shorts that a move of `reach` would liquidate, (2, m) [micro-USD].

        Accounts are on a public chain; each is taken to hold what it holds in one market.
        """
        account = self._endangered(view)
        equity, _, maintenance = view.risk_of(account)
        size = view.book.size[:, account] * view.outside[:, None]
        near = (maintenance > 0) & (equity - maintenance < self.settings.reach * np.abs(size).sum(axis=0))
        size = size[:, near & ~np.isin(account, self.accounts)]
        return np.stack([np.maximum(size, 0).sum(axis=1), np.maximum(-size, 0).sum(axis=1)])

    def _endangered(self, view: View) -> Ints:
        """Accounts, ascending, among them all whom a loss of `reach` at outside prices would liquidate."""
        book = view.book
        if self.margins is None:
            self.margins = Watch(0, len(book.cash), len(book.mark))
        due = self.margins.due(book, view.parameters)
        equity, _, maintenance = view.risk_of(due)
        slack = (equity - maintenance).astype(np.float64)
        self.margins.place(due, slack, sensitivities(book, view.parameters, due, 1.0))
        return self.margins.within(ROUNDING * self.settings.reach * float((view.outside / book.mark).max()))

    def _restless(self, view: View) -> Mask:
        """Who has a reason to pay for a transaction: old orders, a moved price, or a position to close."""
        chosen = self.settings
        moved = np.abs(view.outside[:, None] / self.reference - 1) > chosen.discount / 4
        old = view.time - self.renewed >= chosen.patience * self.variety.patience / 2
        holding = view.book.size[:, self.accounts].any(axis=0)
        return old | moved.any(axis=0) | holding

    def distance(self, view: View) -> Floats:
        """How far from the outside price an order rests, (m, k) [1]; a bid has a price."""
        chosen = self.settings
        risk = chosen.risk_premium * view.volatility * np.sqrt(chosen.holding)
        gas = 2 * view.transaction_cost() / np.maximum(chosen.leverage * self.capital / 4, 1.0)
        distance = (chosen.discount + risk[:, None]) * self.variety.distance + gas[None, :]
        return np.minimum(distance, FARTHEST)

    def _bids(self, view: View, included: Ints) -> Orders:
        """One order on either side of every market for each included liquidator."""
        chosen, account = self.settings, self.accounts[included]
        price = view.outside[:, None]
        worth, initial, _ = view.risk_of(account)
        equity = np.maximum(worth - initial, 0)
        reach = np.minimum(chosen.leverage * equity, chosen.leverage * self.capital[included])
        allowed = view.holdable(self.accounts)[:, included]
        lots = (reach / (2 * len(price)) / price * allowed).astype(np.int64)
        lives = (chosen.patience * self.variety.patience[included] // view.seconds).astype(np.int64)
        expiry = np.broadcast_to(view.block + lives, lots.shape).ravel()
        market = np.broadcast_to(np.arange(len(price))[:, None], lots.shape).ravel()
        owner = np.broadcast_to(account, lots.shape).ravel()
        sides = []
        for side in (1, -1):
            limit = np.rint(price * (1 - side * self.distance(view)[:, included])).astype(np.int64)
            sides.append(
                orders(owner, market, side * lots.ravel(), limit.ravel(), kind=POST_ONLY, expiry=expiry)
            )
        return join(sides)

    def _exits(self, view: View, included: Ints, rate: float) -> Orders:
        """Slices of caught positions, closed on the venue near the outside price."""
        account = self.accounts[included]
        held = view.book.size[:, account]
        market, column = np.nonzero(held)
        size = -np.sign(held[market, column]) * np.maximum(np.abs(held[market, column]) * rate, 1)
        limit = view.outside[market] * (1 + 0.001 * np.sign(size))
        return orders(
            account[column],
            market.astype(np.int64),
            size.astype(np.int64),
            limit.astype(np.int64),
            reduce_only=True,
        )
