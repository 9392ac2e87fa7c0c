"""Actors: named accounts that follow a timetable, for incidents whose course is known.

An actor stands for one party with some wallets, all of which do the same. What it does is written in the
scenario: orders, withdrawals, assets brought as collateral, at set times or again and again.
"""

from typing import Annotated, Literal, Protocol

import mesa
import numpy as np
from pydantic import BeforeValidator

from agents.role import (
    DEPOSIT_ASSET,
    NO_TRANSFERS,
    WITHDRAW,
    Actions,
    Endowment,
    Role,
    Stream,
    Transfers,
    View,
    merge_transfers,
    transfers,
)
from agents.settings import Duration, Settings, entries, parameter
from protocol.arithmetic import MICRO
from protocol.book import Floats, Ints
from protocol.orders import IMMEDIATE, NONE, REST, Orders, join, orders

EVERYTHING = 2**60


class ActSettings(Settings):
    """One entry of an actor's timetable; sizes and amounts are for each wallet."""

    at: Duration = parameter(..., "s", ge=0, description="since the start")
    every: Duration = parameter(0, "s", ge=0, description="again after so long; 0: once")
    until: Duration = parameter(0, "s", ge=0, description="of what is repeated; 0: to the end")
    kind: Literal["order", "withdraw", "bring_asset"] = parameter(..., "")
    market: str = parameter("", "", description="of an order or asset")
    size: float = parameter(0.0, "base unit", description="of an order, signed, or of an asset")
    leverage: float = parameter(
        0.0, "1", ge=-200, le=200, description="position that an order leads to, over equity; signed"
    )
    limit: float = parameter(0.0, "USD", ge=0, description="worst price; 0: any")
    rests: bool = parameter(False, "1", description="the order stays in the book for a block")
    amount: float = parameter(0.0, "USD", ge=0, description="withdrawn; 0: all that is possible")

    def due(self, time: float, seconds: float) -> bool:
        """Whether it falls due in the block of `seconds` that ends at `time` [s]; the first has its start."""
        before = self._occurrences(time - seconds) if time > seconds else 0
        return self._occurrences(time) > before

    def _occurrences(self, time: float) -> int:
        """How often the entry has fallen due up to `time` [s]."""
        last = min(time, self.until) if self.until else time
        if last < self.at:
            return 0
        return 1 + int((last - self.at) // self.every) if self.every else 1


class ActorSettings(Settings):
    """A party of an incident."""

    accounts: int = parameter(1, "1", ge=1, le=100_000, description="wallets that do the same")
    cash: float = parameter(..., "USD", ge=0, description="on the venue at the start, of each wallet")
    acts: Annotated[tuple[ActSettings, ...], BeforeValidator(entries)] = parameter((), "")


class Units(Protocol):
    """What an actor has to know of the markets: their names, and base units in a lot, (m,)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Markets in order."""
        ...

    @property
    def lot(self) -> Floats:
        """Base units in a lot of each."""
        ...


class Actor(Role):
    """One party of an incident as a Mesa agent."""

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        stream: Stream,
        settings: ActorSettings,
        units: Units,
    ) -> None:
        super().__init__(model, accounts, stream)
        self.settings = settings
        self.units = units

    def endow(self, price: Ints) -> Endowment:
        """Cash on the venue, nothing else."""
        count = len(self.accounts)
        cash = np.full(count, round(self.settings.cash * MICRO))
        return Endowment(cash, np.zeros(count), np.zeros((len(price), count), np.int64))

    def act(self, view: View) -> Actions:
        """What the timetable has for this block."""
        due = [act for act in self.settings.acts if act.due(view.time, view.seconds)]
        return Actions(
            orders=join([self._order(view, act) for act in due if act.kind == "order"]) if due else NONE,
            transfers=merge_transfers(NO_TRANSFERS, *(self._move(act) for act in due if act.kind != "order")),
        )

    def _order(self, view: View, act: ActSettings) -> Orders:
        """An order of each wallet: of a size, or to a leverage."""
        market = self.units.names.index(act.market)
        lots = np.full(len(self.accounts), round(act.size / self.units.lot[market]))
        if act.leverage:
            equity = np.maximum(view.risk_of(self.accounts)[0], 0)
            wanted = act.leverage * equity / view.mid[market]
            lots = wanted.astype(np.int64) - view.book.size[market, self.accounts]
        limit = round(act.limit * self.units.lot[market] * MICRO)
        kind = REST if act.rests else IMMEDIATE
        return orders(self.accounts, market, lots, limit, kind=kind, expiry=view.block + 1)

    def _move(self, act: ActSettings) -> Transfers:
        """A withdrawal, or an asset brought as collateral, of each wallet."""
        if act.kind == "withdraw":
            amount = round(act.amount * MICRO) or EVERYTHING
            return transfers(self.accounts, np.full(len(self.accounts), amount), WITHDRAW)
        market = self.units.names.index(act.market)
        lots = round(act.size / self.units.lot[market])
        return transfers(self.accounts, np.full(len(self.accounts), lots), DEPOSIT_ASSET, market)
