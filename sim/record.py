"""What a run remembers: a row for each block and market in preallocated arrays, and the event logs."""

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.attackers.intrigue import Intrigue
from agents.engine.decisions import Decision
from agents.engine.features import Observation
from agents.risk_engine import RiskEngine
from protocol.arithmetic import MICRO, PPM
from protocol.book import (
    CLEARING,
    FEES,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    Book,
    Floats,
    Rows,
    balances,
    first_trader,
)
from protocol.laws.invariants import unsettled
from protocol.liquidations.failures import FAILURE
from protocol.liquidations.record import LIQUIDATION
from protocol.losses.deleveraging import DELEVERAGE
from protocol.losses.journal import PAYMENT, Cascade
from protocol.margin import equity_of, risks_of
from protocol.scan import accounts_risk
from sim.event_log import EventLog

if TYPE_CHECKING:
    from sim.model import Model

BLOCK = np.dtype(
    [("block", np.int32)]
    + [
        (name, np.float64)
        for name in (
            "gas",
            "insurance_fund",
            "vault_equity",
            "pool_equity",
            "fees_collected",
            "trader_equity",
            "negative_equity",
            "outside_deficit",
        )
    ]
    + [("liquidatable", np.int32), ("rounds", np.int32)]
    + [("truncated", np.bool_), ("withdrawals_gated", np.bool_)]
    + [("orders", np.int32), ("fills", np.int32)]
)
MARKET = np.dtype(
    [
        (name, np.float64)
        for name in (
            "fundamental",
            "outside",
            "oracle",
            "mark",
            "bid",
            "ask",
            "open_interest",
            "open_interest_usd",
            "volume_usd",
            "long_liquidated_usd",
            "short_liquidated_usd",
            "deleveraged_usd",
            "outside_flow_usd",
            "depth_usd",
            "venue_depth_usd",
            "premium",
            "funding_rate",
            "initial_margin",
            "maintenance_margin",
        )
    ]
)
EVENTS = {
    "liquidations": LIQUIDATION,
    "deleverages": DELEVERAGE,
    "payments": PAYMENT,
    "sales": LIQUIDATION,
    "failures": FAILURE,
}
TOLD = ("liquidations", "deleverages", "payments", "sales")


class Watched(NamedTuple):
    """What a risk engine saw, thought and learned at the end of a block: see its attributes."""

    block: int
    observation: Observation
    state: dict[str, float]
    surprise: float
    fit: str


class Recorder:
    """Gathers a run's history; one call of `record` for each block."""

    def __init__(self, model: "Model") -> None:
        self.model = model
        blocks, markets = model.scenario.clock.blocks, len(model.units.names)
        self.blocks = np.zeros(blocks, BLOCK)
        self.markets = np.zeros((blocks, markets), MARKET)
        self.forced_impact = np.zeros((blocks, markets))
        self.traces: dict[str, Floats] = {name: np.zeros(blocks) for name in self._traces()}
        self.decisions: list[Decision] = []
        self.watched: list[Watched] = []
        self.events = {name: EventLog(kind) for name, kind in EVENTS.items()}
        self.start_equity, self.start_worth = self.equity(), self.worth()
        self.start_outside = self.outside_worth()
        self.start_deposits = model.exchange.deposited.copy()
        self.start_brought = model.exchange.brought.copy()
        self._copy_book(model.exchange.book)

    def _copy_book(self, book: Book) -> None:
        """Keep what accounts held at the start, and at which prices."""
        self.start_maintenance = accounts_risk(book, self.model.exchange.parameters)[2]
        self.start_shares = book.shares.copy()
        self.start_size, self.start_collateral = book.size.copy(), book.collateral.copy()
        self.start_mark, self.start_oracle = book.mark.copy(), book.oracle.copy()

    def equity(self) -> NDArray[np.int64]:
        """Equity of every account on the venue, (n,), vault shares not included [micro-USD].

        What the clearing account still has to pay out belongs to those it is owed to.
        """
        return self._equity(self.model.exchange.book)

    def worth(self) -> NDArray[np.int64]:
        """Equity of every account with its assets in full at the outside price, (n,) [micro-USD]."""
        book = self.model.exchange.book
        if not book.collateral.any():
            return self.equity()
        assets: NDArray[np.int64] = self.model.units.price(self.model.world.outside) @ book.collateral
        return self._equity(book._replace(collateral=np.zeros_like(book.collateral))) + assets

    def _equity(self, book: Book) -> NDArray[np.int64]:
        equity: NDArray[np.int64] = accounts_risk(book, self.model.exchange.parameters)[0]
        equity[CLEARING] -= unsettled(book) // FUNDING_SCALE
        return equity

    def outside_worth(self) -> Floats:
        """Cash and positions of every account outside, (n,) [micro-USD]."""
        price = self.model.units.price(self.model.world.outside).astype(float)
        return self.model.outside.worth(price)

    def record(self, orders: int, fills: Rows, cascade: Cascade, premium: Floats) -> None:
        """Append the block that has just ended."""
        index = self.model.block - 1
        self._record_block(self.blocks[index], orders, fills, cascade)
        self._record_markets(self.markets[index], fills, cascade, premium)
        seen = (self.model.exchange.prices.feed.observed / self.model.seconds).astype(int)
        self.forced_impact[index] = self.model.world.forced_impact[seen, np.arange(len(seen))]
        for name, value in self._traces().items():
            self.traces[name][index] = value
        for name in EVENTS:
            self.events[name].append(self.model.block, getattr(cascade, name))

    def _traces(self) -> dict[str, float]:
        """What is recorded only where a scenario has it."""
        model = self.model
        governed = model.risk_engine is not None or model.scenario.governance.proposes
        governed |= any(isinstance(each, Intrigue) for each in model.people.attackers)
        return model.world.traces() | (model.governance.enactment.traces if governed else {})

    def record_engine(self, engine: RiskEngine, decisions: list[Decision]) -> None:
        """Append what a risk engine saw, thought and decided."""
        if engine.observation is None:
            return
        self.decisions += decisions
        model = engine.forecaster
        state = dict(zip(model.states, model.state.tolist(), strict=True)) if model else {}
        names = self.model.units.names
        state |= {f"risk_weight_{name}": each for name, each in zip(names, engine.weights, strict=True)}
        surprise = model.surprise if model else np.nan
        self.watched.append(Watched(self.model.block, engine.observation, state, surprise, engine.fit))

    def _record_block(self, row: Any, orders: int, fills: Rows, cascade: Cascade) -> None:
        model, book = self.model, self.model.exchange.book
        exchange, parameters = model.exchange, model.exchange.parameters
        short = exchange.sentry.short(book, parameters)
        owing, _, required = risks_of(book, parameters, short)
        indebted = (owing < 0) & (short >= first_trader(len(book.mark)))
        row["block"] = model.block
        row["gas"] = model.world.gas[model.block]
        row["insurance_fund"] = book.cash[INSURANCE] / MICRO
        liquidator = exchange.backstop.liquidator
        vault, pools = {VAULT, liquidator}, {*book.counterparty.tolist()} - {liquidator}
        row["vault_equity"], row["pool_equity"] = (
            equity_of(book, parameters, np.array([*purses], np.int64)).sum() / MICRO
            for purses in (vault, pools)
        )
        row["fees_collected"] = book.cash[FEES] / MICRO
        row["trader_equity"] = exchange.ledger.trader_equity(book, parameters) / MICRO
        row["negative_equity"] = -owing[indebted].sum() / MICRO
        outside = model.units.price(model.world.outside)
        row["outside_deficit"] = exchange.sentry.deficit(book, parameters, outside) / MICRO
        row["liquidatable"] = (required > 0).sum()
        row["rounds"] = cascade.rounds
        row["truncated"] = cascade.truncated
        row["withdrawals_gated"] = model.time < model.exchange.gates.last
        row["orders"] = orders
        row["fills"] = len(fills)

    def _record_markets(self, row: Rows, fills: Rows, cascade: Cascade, premium: Floats) -> None:
        model, exchange, book = self.model, self.model.exchange, self.model.exchange.book
        usd, quotes = model.units.usd, model.exchange.quotes()
        row["fundamental"] = model.world.fundamental[model.block]
        row["outside"] = model.world.outside
        row["oracle"], row["mark"] = usd(book.oracle), usd(book.mark)
        row["bid"] = usd(np.where(quotes.bid > 0, quotes.bid, np.nan))
        row["ask"] = usd(np.where(quotes.ask > 0, quotes.ask, np.nan))
        row["open_interest"] = book.open_interest * model.units.lot
        row["open_interest_usd"] = book.open_interest * book.mark / MICRO
        liquidated, quote = cascade.liquidations["market"], cascade.liquidations["quote"]
        self._add(row["volume_usd"], fills["market"], np.abs(fills["size"] * fills["price"]))
        self._add(row["volume_usd"], liquidated, np.abs(quote))
        self._add(row["long_liquidated_usd"], liquidated, np.maximum(-quote, 0))
        self._add(row["short_liquidated_usd"], liquidated, np.maximum(quote, 0))
        closed = cascade.deleverages
        self._add(row["deleveraged_usd"], closed["market"], np.abs(closed["quote"]))
        row["outside_flow_usd"] = model.flow
        row["depth_usd"] = model.world.depth
        row["venue_depth_usd"] = quotes.depth / MICRO
        row["premium"] = premium
        row["funding_rate"] = exchange.accrual.rate
        row["initial_margin"] = exchange.parameters.initial / PPM
        row["maintenance_margin"] = exchange.parameters.maintenance / PPM

    @staticmethod
    def _add(column: Floats, market: NDArray[np.int64], amount: NDArray[np.int64]) -> None:
        """Add amounts [micro-USD] to the columns of their markets [USD]."""
        np.add.at(column, market, amount / MICRO)

    def transcript(self) -> str:
        """Hash of all events and of the final state: equal runs have equal transcripts.

        Who fell below maintenance follows from the rest, as does what forced trades did to prices.
        """
        digest = hashlib.sha256()
        traces = self.traces.values()
        state: tuple[Rows, ...] = (self.blocks, self.markets, *balances(self.model.exchange.book), *traces)
        for part in state:
            digest.update(np.ascontiguousarray(part).tobytes())
        for name in TOLD:
            for column in range(2):
                for events in self.events[name].parts():
                    digest.update(events[column].tobytes())
        digest.update(self.model.outside.size.tobytes())
        digest.update(self.model.outside.cash.tobytes())
        if self.decisions:
            digest.update(repr(self.decisions).encode())
        return digest.hexdigest()
