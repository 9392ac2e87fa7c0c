"""A small venue of the Drift family for the tests: one lot is one unit of base, prices are in USD."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from venue import ALICE, FOREVER, TICK, integers, parameters, usd

from protocol.book import Book, Rows, open_book
from protocol.orders import IMMEDIATE, REST, orders
from protocol.parameters import RiskParameters
from protocol.venues.amm import Amm
from protocol.venues.curve import Curve, closing_value
from protocol.venues.depth import resting_orders
from protocol.venues.repeg import AmmParameters

USABLE = np.array([True])


def reference(name: str) -> Any:
    """A section of the numbers taken from Drift."""
    text = (Path(__file__).parent / "reference" / "drift.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[name]


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a section."""
    return reference(name)["rows"]


def ppm(share: float) -> int:
    return round(share * 1e6)


def a_curve(reserves: float = 1_000.0, peg: float = 100.0) -> Curve:
    """A curve of one market, the peg in USD per lot."""
    return Curve(np.array([reserves]), np.array([reserves]), np.array([peg * 1e6]))


class Fixture:
    """A venue of one market at 100 whose traders, from ALICE on, have brought these deposits [USD].

    The AMM has reserves of 1,000 lots, no spread and no limits unless told.
    """

    def __init__(self, *deposits: float, pool: float = 1_000.0, fees: tuple[int, int] = (0, 0), **amm: Any):
        self.book: Book = open_book(ALICE + max(len(deposits), 5), integers(usd(100)))
        for account, amount in enumerate(deposits, start=ALICE):
            self.book.cash[account] = usd(amount)
        self.book.cash[self.book.impact[0]] = usd(pool)
        self.money = int(self.book.cash.sum())
        self.parameters: RiskParameters = parameters(
            initial=100_000, maintenance=50_000, taker_fee=fees[0], maker_fee=fees[1]
        )
        plain: dict[str, Any] = {
            "least_spread": 0,
            "widest_spread": 200_000,
            "volatility_share": 0,
            "fill_share": 500_000,
        }
        rules = plain | amm
        for name in ("least_spread", "widest_spread"):
            rules[name] = integers(rules[name])
        self.amm = Amm(self.book, integers(usd(TICK)), integers(usd(1_000)), AmmParameters(**rules))
        for column, value in zip(self.amm.state.curve, a_curve(), strict=True):
            column[:] = value
        self.refresh()

    def refresh(self, time: float = 0.0, usable: bool = True) -> None:
        self.amm.refresh(self.book, self.parameters, time, np.array([usable]))

    def send(self, account: int, size: int, limit: float = 0.0, **order: Any) -> Rows:
        """Send one order (resting if it has a limit and no kind); returns the fills."""
        kind = order.pop("kind", REST if limit else IMMEDIATE)
        batch = orders(integers(account), 0, integers(size), usd(limit), kind, expiry=FOREVER, **order)
        return self.amm.match(self.book, self.parameters, batch)

    def oracle(self, price: float) -> None:
        """Move oracle and mark."""
        self.book.oracle[0] = self.book.mark[0] = usd(price)

    def resting(self, side: int) -> list[tuple[int, int, float]]:
        """Orders of one side as (account, lots, price), the best first."""
        found = resting_orders(self.amm.ladder, side)
        return [(int(row["account"]), int(row["size"]), int(row["price"]) / 1e6) for row in found]

    @property
    def position(self) -> int:
        """Of the AMM [lots]."""
        return int(self.book.size[0, self.book.counterparty[0]])

    @property
    def pool(self) -> float:
        """The AMM's fee pool [USD]."""
        return int(self.book.cash[self.book.impact[0]]) / 1e6

    def balanced(self) -> bool:
        """Whether money is conserved and the AMM holds just what closing along its curve costs."""
        value = closing_value(self.amm.state.curve, 0, float(self.position))
        held = int(self.book.cash[self.book.counterparty[0]])
        return (
            int(self.book.cash.sum()) == self.money
            and not self.book.size.sum(axis=1).any()
            and held == -int(np.rint(value))
        )
