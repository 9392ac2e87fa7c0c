"""A small venue of oracle-priced pools for the tests: one lot is one unit of base, prices are in USD."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from venue import ALICE, integers, parameters, usd

from protocol.book import (
    DEPOSITS,
    LONG,
    SHORT,
    WITHDRAWALS,
    Book,
    Rows,
    open_book,
)
from protocol.liquidity import open_locks
from protocol.margin import account_risk
from protocol.orders import IMMEDIATE, orders
from protocol.parameters import RiskParameters
from protocol.venues.backing import count_positions, user_interest
from protocol.venues.impact import pool_parameters
from protocol.venues.impact_pool import ImpactPool

FOREVER = 1 << 40
BITCOIN = {
    "factor_negative": 9e-11,
    "factor_positive": 3e-11,
    "exponent_negative": 2.0,
    "exponent_positive": 1.0,
}
SQUARE = {"exponent_negative": 2.0, "exponent_positive": 2.0}
NO_IMPACT = {"factor_negative": 0.0, "factor_positive": 0.0}
NO_FEES = {"fee_worsens": 0, "fee_improves": 0, "liquidation_fee": 0}


class Pools:
    """Book, risk parameters and pools, with what the tests do to them in USD."""

    def __init__(
        self,
        *deposits: float,
        liquidity: float = 1e9,
        purse: float = 0,
        prices: tuple[float, ...] = (100.0,),
        margin: dict[str, Any] | None = None,
        **rule: Any,
    ) -> None:
        self.book: Book = open_book(ALICE + max(len(deposits), 5), integers(*map(usd, prices)))
        chosen = {"initial": 5_000, "maintenance": 5_000} | (margin or {})
        self.parameters: RiskParameters = parameters(len(prices), **chosen)
        self.venue = ImpactPool(self.book, pool_parameters(len(prices), **({**BITCOIN} | rule)))
        self.locks = open_locks(self.book, pools=3600.0)
        for account, amount in enumerate(deposits, start=ALICE):
            self.bring(account, amount)
        for pool in np.unique(self.book.counterparty):
            self.bring(int(pool), liquidity)
        for account in self.book.impact:
            self.bring(int(account), purse)

    @property
    def pool(self) -> int:
        return int(self.book.counterparty[0])

    @property
    def purse(self) -> int:
        return int(self.book.impact[0])

    def bring(self, account: int, amount: float) -> None:
        self.book.cash[account] += usd(amount)
        self.book.flows[DEPOSITS] += usd(amount)

    def trade(
        self,
        account: int,
        lots: int,
        limit: float = 0,
        *,
        market: int = 0,
        kind: int = IMMEDIATE,
        reduce_only: bool = False,
    ) -> Rows:
        batch = orders(
            integers(account),
            market,
            integers(lots),
            usd(limit),
            kind,
            reduce_only=reduce_only,
            expiry=FOREVER,
        )
        return self.venue.match(self.book, self.parameters, batch)

    def settle(self) -> Rows:
        """A block without new orders."""
        return self.venue.match(self.book, self.parameters, orders(integers(), 0, integers()))

    def set_price(self, price: float, market: int = 0) -> None:
        self.book.oracle[market] = self.book.mark[market] = usd(price)

    def refresh(self, time: float = 0.0, usable: bool = True) -> None:
        mask = np.full(len(self.book.oracle), usable)
        self.venue.refresh(self.book, self.parameters, time, mask)

    def risk(self, account: int) -> tuple[int, int, int]:
        return account_risk(self.book, self.parameters, account)

    def cash(self, account: int) -> float:
        return float(self.book.cash[account]) / 1e6

    def broken(self) -> list[str]:
        """What conservation, the sides' open interest, or the pools' own invariants find wrong."""
        book, found = self.book, self.venue.violated(self.book)
        if book.cash.sum() != book.flows[DEPOSITS] - book.flows[WITHDRAWALS]:
            found.append("cash is not conserved")
        if book.size.sum(axis=1).any():
            found.append("positions do not sum to zero")
        for market, pool in enumerate(book.counterparty):
            longs, shorts = (user_interest(book, market, side) for side in (LONG, SHORT))
            users = np.delete(book.size[market], pool)
            if (longs, shorts) != (users[users > 0].sum(), -users[users < 0].sum()):
                found.append(f"open interest of market {market} is {longs} and {shorts}")
            if longs - shorts != -book.size[market, pool]:
                found.append(f"pool of market {market} does not hold the other side")
        counted = [[user_interest(book, m, side) for m in range(len(book.oracle))] for side in (LONG, SHORT)]
        if self.venue.state.lots.tolist() != counted:
            found.append(f"lots {self.venue.state.lots.tolist()} are not {counted}")
        cost = self.venue.state.cost.copy()
        count_positions(book, self.venue.state)
        if not np.allclose(cost, self.venue.state.cost, rtol=1e-9, atol=10):
            found.append(f"costs {cost.tolist()} are not {self.venue.state.cost.tolist()}")
        return found


def rows(name: str) -> Any:
    """A table of the numbers taken from GMX v2."""
    text = (Path(__file__).parent / "reference" / "gmx_v2.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[name]["rows"]
