"""Worlds small enough for pencil and paper, run for real: a few longs, one deep bid, one known push.

Nothing moves but what is planted: prices have no volatility, the oracle repeats the outside price, margin is
held against it, nothing costs a fee and depth is constant. The makers' one account sells everybody what he
opens with in the first block, and from then on bids at the mark for all that will be liquidated, whole
positions at once. What he buys he sells outside one block later, and one block after that the outside price
is lower by a factor of `exp(-usd / MARKET)` for good. So a liquidation in block t is felt in block t + 2.
"""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agents.custom import Trader
from agents.role import Actions, Hedges, View
from protocol.book import first_trader
from protocol.orders import NONE, POST_ONLY, Orders, join, orders
from sim.configuration import Scenario
from sim.run import Result, run
from sim.scenario import load_scenario

PRICE = 100.0
MAINTENANCE = 0.05
DEPTH = 1e6
MARKET = 100 * DEPTH  # a sale of so many USD takes a factor of e off the price
STRUCK = 120
LATER = 0.5 ** (60 / 3600)  # of a forced trade that is known as one when it is hedged, a block later
LOT = 1000.0  # so large that rounding of prices is of 1e-9 USD
RULES = {"lot": LOT, "tick": 1e-9, "initial_margin": MAINTENANCE, "maintenance_margin": MAINTENANCE}
NOBODY = ("market_makers", "liquidators", "depositors", "whales")
ABSENT = ("retail", "arbitrageurs")  # of which a venue has one at least
ENOUGH = 10_000  # lots
STILL = (
    "protocol.preset=none",
    *(f"agents.{role}.accounts=0" for role in NOBODY),
    *(f"agents.{role}.accounts=1" for role in ABSENT),
    "protocol.fees={taker: 0, maker: 0}",
    "protocol.liquidation={kind: tranches, threshold: 1000000000000}",
    "protocol.adl.rule=none",
    "protocol.oracle.deviation=0",
    "protocol.insurance_fund=1000000000",
    "protocol.vault={deposits: 0, quotes: false}",
    "world.depth.volatility_exponent=0",
    "world.impact.permanent=1",
    "world.impact.participation=1000000",
)


class Long(NamedTuple):
    """Somebody who opens long: base units in each market, and what he brings [USD]."""

    units: Mapping[str, float]
    cash: float

    @property
    def size(self) -> float:
        """Units of him who is in one market only."""
        (size,) = self.units.values()
        return size

    @property
    def bankrupt(self) -> float:
        """Price at which nothing is left of him who is in one market only [USD]."""
        return PRICE - self.cash / self.size

    @property
    def liquidated_below(self) -> float:
        """Price below which he is under maintenance [USD]."""
        return self.bankrupt / (1 - MAINTENANCE)

    def owes(self, price: float) -> float:
        """What is missing once he is sold at a price [USD]."""
        return max(0.0, self.size * (self.bankrupt - price))


class Opens(Trader):
    """Buys in the first block, then holds."""

    def act(self, view: View) -> Orders:
        """Market orders, once."""
        if view.block > 1:
            return NONE
        return join([self.order(view, market, units) for market, units in self.settings["units"].items()])


class Deep(Trader):
    """Sells as much as is wanted at the mark in the first block, then bids, and hedges what he buys."""

    opened: np.ndarray | None = None

    def act(self, view: View) -> Actions:
        """Quotes at the mark, and the hedge of what liquidations have brought."""
        markets = np.arange(len(view.markets))
        account, mark = np.full(len(markets), self.accounts[0]), view.book.mark
        held = view.book.size[:, self.accounts[0]].astype(float)
        if view.block == 2:
            self.opened = held
        size = np.full(len(markets), -ENOUGH if view.block == 1 else ENOUGH)
        quotes = orders(account, markets, size, mark.copy(), kind=POST_ONLY, expiry=view.block)
        if self.opened is None:
            return Actions(orders=quotes, leaving=self.accounts)
        lots = self.opened - held - view.outside_size[:, self.accounts[0]]
        return Actions(orders=quotes, leaving=self.accounts, hedges=Hedges(account, markets, lots))


def handmade(
    longs: Mapping[str, Long],
    *overrides: str,
    markets: tuple[str, ...] = ("BTC",),
    absent: tuple[str, ...] = (),
) -> Scenario:
    """A venue of these longs, of whom some may be absent, and one maker."""
    listed = dict.fromkeys(markets, RULES)
    unlisted = {name: "none" for name in ("BTC", "ETH") if name not in markets}
    folder, crowd = str(Path(__file__).parent), first_trader(len(markets))
    away = [*range(crowd, crowd + len(ABSENT)), *(account(longs, name, len(markets)) for name in absent)]
    owns: dict[str, object] = {
        name: {"agent": "handmade:Opens", "folder": folder, "cash": each.cash, "settings": each._asdict()}
        for name, each in longs.items()
    }
    owns["maker"] = {"agent": "handmade:Deep", "folder": folder, "cash": 1e11}
    return load_scenario(
        "base",
        [
            *STILL,
            "clock.duration=12m",
            f"protocol.markets={_flow(listed | unlisted)}",
            f"agents.absent={away}",
            f"agents.own={_flow(owns)}",
            f"world.prices.points=[{_flow({'at': '0s'} | dict.fromkeys(markets, PRICE))}]",
            f"world.prices.volatility={_flow(dict.fromkeys(markets, 0.0))}",
            f"world.depth.within_1pct={_flow(dict.fromkeys(markets, DEPTH))}",
            f"world.depth.calm_volatility={_flow(dict.fromkeys(markets, 1.0))}",
            *overrides,
        ],
    )


def account(longs: Mapping[str, Long], name: str, markets: int = 1) -> int:
    """Number of a long's account: behind those of the venue and of the two who are absent."""
    return first_trader(markets) + len(ABSENT) + list(longs).index(name)


def _flow(value: object) -> str:
    """A value as YAML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    return value if isinstance(value, str) else repr(value)


def ran(
    longs: Mapping[str, Long],
    *overrides: str,
    markets: tuple[str, ...] = ("BTC",),
    absent: tuple[str, ...] = (),
) -> Result:
    """Their venue's run."""
    return run(handmade(longs, *overrides, markets=markets, absent=absent), 1)


def fall(size: float, market: str = "BTC") -> str:
    """An override: the fundamental price of a market falls in the second block, by a share."""
    return f"shocks=[{{at: {STRUCK}s, kind: price_jump, size: {-size}, markets: [{market}]}}]"


def pushed(price: float, *sales: float) -> float:
    """The price after such sales [USD]."""
    return reduce(lambda left, usd: left * float(np.exp(-usd / MARKET)), sales, price)
