"""What every attack shares: a budget, a beginning, wallets on the venue, and the moves it is made of."""

from typing import ClassVar

import mesa
import numpy as np

from agents.attackers.chamber import Chamber
from agents.role import (
    NO_HEDGES,
    WITHDRAW,
    Actions,
    Endowment,
    Hedges,
    Role,
    Stream,
    Transfers,
    View,
    transfers,
)
from agents.settings import Duration, Settings, parameter
from protocol.arithmetic import MICRO
from protocol.book import Ints
from protocol.orders import IMMEDIATE, POST_ONLY, Orders, join, orders

EVERYTHING = 2**60
NEAR = 0.002


class AttackSettings(Settings):
    """What every attacker has."""

    budget: float = parameter(..., "USD", gt=0, description="all the money that it brings")
    at: Duration = parameter(0, "s", ge=0, description="since the start")
    market: str = parameter(..., "", description="that it attacks")


class Attack(Role):
    """An attacker as a Mesa agent.

    Nothing happens before `settings.at`. Every account that orders or moves cash on the venue in a block
    pays for one transaction in it. What is left outside at the end of a run counts at the outside price.

    Parameters
    ----------
    settings : AttackSettings
    market : int
        Number of the market.
    """

    wallets: ClassVar[int] = 1

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: AttackSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream)
        self.start = float(settings.at)
        self.budget = settings.budget
        self.market = market

    def stakes(self) -> tuple[float, ...]:
        """Share of the budget that each wallet brings on the venue; the first keeps the rest outside."""
        return (1.0,)

    def endow(self, price: Ints) -> Endowment:
        """The budget, part of it on the venue."""
        count = len(self.accounts)
        cash = np.rint(self.budget * MICRO * np.array(self.stakes())).astype(np.int64)
        wallet = np.zeros(count)
        wallet[0] = round(self.budget * MICRO) - cash.sum()
        return Endowment(cash, wallet, np.zeros((len(price), count), np.int64))

    def act(self, view: View) -> Actions:
        """The attack's moves for this block, with who pays for them."""
        if view.time < self.start:
            return Actions()
        moves = self.attack(view, view.time - self.start)
        return moves._replace(senders=np.union1d(moves.orders.account, moves.transfers.account))

    def attack(self, view: View, since: float) -> Actions:
        """What is to happen `since` seconds after the beginning."""
        raise NotImplementedError

    def plot(self, chamber: Chamber) -> None:
        """What it does with governance at the end of a block; most attacks do nothing there."""

    def held(self, view: View) -> Ints:
        """Positions of the wallets, (k,) [lots]."""
        return view.book.size[self.market, self.accounts]

    def lots_worth(self, view: View, usd: float) -> int:
        """Lots that are worth `usd` at the outside price."""
        return int(usd * MICRO / view.outside[self.market])

    def cross(
        self, view: View, pair: tuple[int, int], lots: int, price: float, beyond: float = 0.0
    ) -> Orders:
        """A sale of `lots` from the first to the second of two own accounts, at a price, in one block.

        The seller's order is a quote, so it stands before takers come; others may trade with either. The
        buyer goes `beyond` that price [1] for what others have taken.
        """
        tick = int(view.tick[self.market])
        limit = -(-int(price) // tick) * tick
        seller, buyer = pair
        sold = orders(np.array([seller]), self.market, np.array([-lots]), limit, POST_ONLY, expiry=view.block)
        bought = orders(np.array([buyer]), self.market, np.array([lots]), round(limit * (1 + beyond)))
        return join([sold, bought])

    def exit(self, view: View, accounts: Ints, share: float, slippage: float) -> Orders:
        """Orders that close a share of the accounts' positions, no further than `slippage` from the mark."""
        held = view.book.size[self.market, accounts]
        lots = -np.sign(held) * np.ceil(np.abs(held) * share).astype(np.int64)
        limit = view.book.mark[self.market] * (1 + np.sign(lots) * slippage)
        return orders(accounts, self.market, lots, limit.astype(np.int64), IMMEDIATE, reduce_only=True)

    def purchase(self, view: View, usd: float) -> Hedges:
        """Spot bought outside by the first wallet, for `usd` at most, and never on credit."""
        owner, price = self.accounts[:1], view.outside[self.market]
        money = min(usd * MICRO, 0.9 * float(view.outside_cash[owner[0]]))
        if money < MICRO:
            return NO_HEDGES
        return Hedges(owner, np.array([self.market]), np.array([money / price]))

    def sale(self, view: View, share: float) -> Hedges:
        """A share of the first wallet's spot sold outside."""
        owner = self.accounts[:1]
        lots = share * view.outside_size[self.market, owner]
        return Hedges(owner, np.array([self.market]), -lots) if lots[0] else NO_HEDGES


def withdrawals(accounts: Ints) -> Transfers:
    """All that the accounts may take out."""
    return transfers(accounts, np.full(len(accounts), EVERYTHING), WITHDRAW)


def slice_share(seconds: float, duration: float) -> float:
    """Share of what is left that goes in a block, when most of it goes within `duration` [1]."""
    return float(1 - 0.05 ** (seconds / duration))
