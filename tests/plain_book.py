"""An order book of sorted lists in plain Python, whose traders are rich: the oracle of the compiled one."""

from dataclasses import dataclass, field

from protocol.orders import CANCEL, FILL_OR_KILL, IMMEDIATE, POST_ONLY
from protocol.venues.ladder import CANCEL_RESTING, CANCEL_TAKER, DECREMENT


@dataclass
class Resting:
    """An order in the book; `side` is 1 for a bid, −1 for an ask."""

    account: int
    side: int
    price: int
    left: int
    reduce_only: bool
    expiry: int = 99


@dataclass
class PlainBook:
    """Price-time priority: the first of a list sorted by price, which keeps the order of arrival."""

    self_trade: int = CANCEL_RESTING
    resting: list[Resting] = field(default_factory=list)
    placed: dict[int, Resting] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    fills: list[tuple[int, int, int, int]] = field(default_factory=list)

    def offered(self, order: Resting) -> int:
        """Lots of an order that may fill."""
        closable = max(-order.side * self.held.get(order.account, 0), 0)
        return min(order.left, closable) if order.reduce_only else order.left

    def drop_idle(self) -> None:
        """Remove what has nothing to fill."""
        self.resting = [order for order in self.resting if self.offered(order) > 0]

    def queue(self, side: int) -> list[Resting]:
        """Orders of a side, the best first."""
        return sorted((o for o in self.resting if o.side == side), key=lambda order: -side * order.price)

    def against(self, side: int, limit: int) -> list[Resting]:
        """Orders that an order of a side would meet, within its limit."""
        self.drop_idle()
        return [o for o in self.queue(-side) if limit == 0 or side * o.price <= side * limit]

    def would_fill(self, account: int, side: int, left: int, limit: int) -> bool:
        """Whether an order would fill whole."""
        held = dict(self.held)
        for order in self.against(side, limit):
            if order.account == account:
                if self.self_trade != CANCEL_RESTING:
                    break
                continue
            lots = min(left, self.offered(order))
            self.held[order.account] = self.held.get(order.account, 0) - side * lots
            left -= lots
        self.held = held
        return left == 0

    def take(self, account: int, side: int, left: int, limit: int) -> int:
        """Trade; returns the lots left."""
        while left and (met := self.against(side, limit)):
            best = met[0]
            lots = min(left, self.offered(best))
            if best.account != account:
                self.fills.append((account, best.account, side * lots, best.price))
                self.held[account] = self.held.get(account, 0) + side * lots
                self.held[best.account] = self.held.get(best.account, 0) - side * lots
                left, best.left = left - lots, best.left - lots
            elif self.self_trade == CANCEL_TAKER:
                return 0
            elif self.self_trade == DECREMENT:
                own = min(left, best.left)
                left, best.left = left - own, best.left - own
            else:
                best.left = 0
                left = left if self.self_trade == CANCEL_RESTING else 0
        return left

    def place(self, number: int, account: int, size: int, limit: int, kind: int, reduce_only: bool) -> None:
        """Execute one order; `number` is its name, or that of the order to cancel."""
        side = 1 if size > 0 else -1
        if kind == CANCEL:
            order = self.placed.get(number)
            if order is not None and order.account == account:
                order.left = 0
            self.drop_idle()
            return
        left = abs(size)
        if reduce_only:
            left = min(left, max(-side * self.held.get(account, 0), 0))
        if kind == POST_ONLY and self.against(side, limit):
            return
        if kind == FILL_OR_KILL and not self.would_fill(account, side, left, limit):
            return
        if kind != POST_ONLY:
            left = self.take(account, side, left, limit)
        if left and limit and kind not in (IMMEDIATE, FILL_OR_KILL):
            self.placed[number] = Resting(account, side, limit, left, reduce_only)
            self.resting.append(self.placed[number])
