"""What a run remembers: a row for each block and market in preallocated arrays, and the event logs."""

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protocol.arithmetic import MICRO, PPM
from protocol.book import CLEARING, FEES, FUNDING_SCALE, INSURANCE, SYSTEM_ACCOUNTS, VAULT, Floats, Rows
from protocol.exchange import PAYMENT, Cascade
from protocol.invariants import unsettled
from protocol.liquidation import LIQUIDATION, OUTCOMES
from protocol.margin import accounts_risk, negative_equity
from protocol.waterfall import DELEVERAGE, STAGES, UNCOVERED

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
            "fees_collected",
            "trader_equity",
            "negative_equity",
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


class Recorder:
    """Gathers a run's history; one call of `record` for each block."""

    def __init__(self, model: "Model") -> None:
        self.model = model
        blocks, markets = model.scenario.clock.blocks, len(model.units.names)
        self.blocks = np.zeros(blocks, BLOCK)
        self.markets = np.zeros((blocks, markets), MARKET)
        self.events: dict[str, list[Rows]] = {"liquidations": [], "deleverages": [], "payments": []}
        self.event_blocks: dict[str, list[NDArray[np.int32]]] = {name: [] for name in self.events}
        self.start_equity = self.equity()
        self.start_outside = self.outside_worth()
        self.start_deposits = model.exchange.deposited.copy()
        self.start_shares = model.exchange.book.shares.copy()

    def equity(self) -> NDArray[np.int64]:
        """Equity of every account on the venue, (n,), vault shares not included [micro-USD].

        What the clearing account still has to pay out belongs to those it is owed to.
        """
        exchange = self.model.exchange
        equity: NDArray[np.int64] = accounts_risk(exchange.book, exchange.parameters)[0]
        equity[CLEARING] -= unsettled(exchange.book) // FUNDING_SCALE
        return equity

    def outside_worth(self) -> Floats:
        price = self.model.units.price(self.model.world.outside).astype(float)
        return self.model.outside.worth(price)

    def record(self, orders: int, fills: Rows, cascade: Cascade, premium: Floats) -> None:
        """Append the block that has just ended."""
        index = self.model.block - 1
        self._record_block(self.blocks[index], orders, fills, cascade)
        self._record_markets(self.markets[index], fills, cascade, premium)
        for name, rows in zip(
            self.events, (cascade.liquidations, cascade.deleverages, cascade.payments), strict=True
        ):
            if len(rows):
                self.events[name].append(rows)
                self.event_blocks[name].append(np.full(len(rows), self.model.block, np.int32))

    def _record_block(self, row: Any, orders: int, fills: Rows, cascade: Cascade) -> None:
        model, book = self.model, self.model.exchange.book
        equity, _, maintenance = accounts_risk(book, model.exchange.parameters)
        traders = slice(SYSTEM_ACCOUNTS, None)
        row["block"] = model.block
        row["gas"] = model.world.gas[model.block]
        row["insurance_fund"] = book.cash[INSURANCE] / MICRO
        row["vault_equity"] = equity[VAULT] / MICRO
        row["fees_collected"] = book.cash[FEES] / MICRO
        row["trader_equity"] = equity[traders].sum() / MICRO
        row["negative_equity"] = negative_equity(equity) / MICRO
        row["liquidatable"] = ((equity < maintenance) & (maintenance > 0)).sum()
        row["rounds"] = cascade.rounds
        row["truncated"] = cascade.truncated
        row["withdrawals_gated"] = model.time < model.exchange.gated_until
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
        row["funding_rate"] = exchange.rate / PPM
        row["initial_margin"] = exchange.parameters.initial / PPM
        row["maintenance_margin"] = exchange.parameters.maintenance / PPM

    @staticmethod
    def _add(column: Floats, market: NDArray[np.int64], amount: NDArray[np.int64]) -> None:
        """Add amounts [micro-USD] to the columns of their markets [USD]."""
        np.add.at(column, market, amount / MICRO)

    def log(self, name: str) -> tuple[NDArray[np.int32], Rows]:
        """Blocks and rows of one event log, in order."""
        dtypes = {"liquidations": LIQUIDATION, "deleverages": DELEVERAGE, "payments": PAYMENT}
        if not self.events[name]:
            return np.zeros(0, np.int32), np.zeros(0, dtypes[name])
        return np.concatenate(self.event_blocks[name]), np.concatenate(self.events[name])

    def transcript(self) -> str:
        """Hash of all events and of the final state: equal runs have equal transcripts."""
        digest = hashlib.sha256()
        for part in (self.blocks, self.markets, *self.model.exchange.book):
            digest.update(np.ascontiguousarray(part).tobytes())
        for name in self.events:
            for part in self.log(name):
                digest.update(part.tobytes())
        digest.update(self.model.outside.size.tobytes())
        digest.update(self.model.outside.cash.tobytes())
        return digest.hexdigest()


class Tables:
    """A finished run's history as frames, in USD and base units."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.model = recorder.model
        self.names = np.array(self.model.units.names)
        self.roles = self._role_names()

    def all(self) -> dict[str, pd.DataFrame]:
        """Every table by its name in the run folder."""
        return {
            "blocks": self.blocks(),
            "markets": self.markets(),
            "liquidations": self.liquidations(),
            "deleverages": self.deleverages(),
            "waterfall": self.waterfall(),
            "parameters": self.parameters(),
            "agents": self.agents(),
        }

    def _role_names(self) -> NDArray[Any]:
        """Role of every account, (n,) of str."""
        names = np.full(len(self.model.exchange.book.cash), "venue", object)
        names[INSURANCE], names[VAULT] = "insurance_fund", "vault"
        for role in self.model.people.roles:
            names[role.accounts] = role.name
        return names

    def _times(self, blocks: NDArray[Any]) -> pd.Series:
        start = pd.Timestamp(self.model.scenario.clock.start)
        seconds = blocks.astype(np.int64) * self.model.seconds
        return pd.Series(start + pd.to_timedelta(seconds, unit="s"))

    def blocks(self) -> pd.DataFrame:
        """One row for each block."""
        frame = pd.DataFrame(self.recorder.blocks)
        frame.insert(1, "time", self._times(self.recorder.blocks["block"]))
        return frame

    def markets(self) -> pd.DataFrame:
        """One row for each block and market."""
        count = len(self.names)
        block = np.repeat(self.recorder.blocks["block"], count)
        frame = pd.DataFrame(self.recorder.markets.ravel())
        frame.insert(0, "block", block)
        frame.insert(1, "time", self._times(block))
        frame.insert(2, "market", np.tile(self.names, len(self.recorder.blocks)))
        return frame

    def liquidations(self) -> pd.DataFrame:
        """One row for each liquidation order."""
        block, rows = self.recorder.log("liquidations")
        lot, market = self.model.units.lot[rows["market"]], rows["market"]
        scale = lot * MICRO
        filled = rows["filled"].astype(float)
        price = np.divide(rows["quote"], filled, out=np.full(len(rows), np.nan), where=filled != 0)
        columns = {
            "block": block,
            "time": self._times(block),
            "round": rows["round"],
            "market": self.names[market],
            "account": rows["account"],
            "role": self.roles[rows["account"]],
            "size": rows["size"] * lot,
            "filled": filled * lot,
            "price": price / scale,
            "oracle": rows["oracle"] / scale,
            "mark": rows["mark"] / scale,
            "bankruptcy_price": rows["bankruptcy"] / scale,
            "limit_price": rows["limit"] / scale,
            "notional_usd": np.abs(rows["quote"]) / MICRO,
            "equity_before": rows["equity"] / MICRO,
            "maintenance_before": rows["maintenance"] / MICRO,
            "insurance_delta": rows["insurance"] / MICRO,
            "outcome": np.array(OUTCOMES)[rows["outcome"]],
        }
        return pd.DataFrame(columns)

    def deleverages(self) -> pd.DataFrame:
        """One row for each auto-deleveraging fill."""
        block, rows = self.recorder.log("deleverages")
        lot = self.model.units.lot[rows["market"]]
        scale = lot * MICRO
        columns = {
            "block": block,
            "time": self._times(block),
            "round": rows["round"],
            "market": self.names[rows["market"]],
            "account": rows["account"],
            "counterparty": rows["counterparty"],
            "counterparty_role": self.roles[rows["counterparty"]],
            "size": rows["size"] * lot,
            "price": rows["quote"] / np.where(rows["size"] == 0, 1, rows["size"]) / scale,
            "mark": rows["mark"] / scale,
            "notional_usd": np.abs(rows["quote"]) / MICRO,
            "haircut_usd": rows["haircut"] / MICRO,
        }
        return pd.DataFrame(columns)

    def waterfall(self) -> pd.DataFrame:
        """One row for each loss that somebody else than the trader bore; deficits left at the end last."""
        block, rows = self.recorder.log("payments")
        left = self.recorder.equity()
        owing = SYSTEM_ACCOUNTS + np.flatnonzero(left[SYSTEM_ACCOUNTS:] < 0)
        account = np.concatenate([rows["account"], owing])
        block = np.concatenate([block, np.full(len(owing), self.model.block, np.int32)])
        stage = np.concatenate([rows["stage"], np.full(len(owing), UNCOVERED)])
        columns = {
            "block": block,
            "time": self._times(block),
            "account": account,
            "role": self.roles[account],
            "stage": np.array(STAGES)[stage],
            "amount_usd": np.concatenate([rows["amount"], -left[owing]]) / MICRO,
        }
        return pd.DataFrame(columns)

    def parameters(self) -> pd.DataFrame:
        """Every value a parameter has had: so far, the ones the venue opened with."""
        opened = self.model.exchange.parameters
        rows = [
            {"market": market, "parameter": name, "new": float(getattr(opened, name)[index] / PPM)}
            for index, market in enumerate(self.names)
            for name in ("initial", "maintenance")
        ]
        frame = pd.DataFrame(rows)
        frame["parameter"] += "_margin"
        frame.insert(0, "block", np.zeros(len(frame), np.int32))
        frame.insert(1, "time", self._times(np.zeros(len(frame))))
        frame.insert(4, "old", np.nan)
        return frame.assign(route="genesis", reason="opening value")

    def agents(self) -> pd.DataFrame:
        """One row for each role: what it brought, what it has, where it gained and lost [USD]."""
        recorder, exchange = self.recorder, self.model.exchange
        end = recorder.equity() + self._share_value(recorder.equity()[VAULT])
        start = recorder.start_equity + self._share_value(recorder.start_equity[VAULT], opening=True)
        deposits = exchange.deposited - recorder.start_deposits
        outside = recorder.outside_worth() - recorder.start_outside + deposits
        gas = self.model.outside.gas_paid
        liquidated = np.zeros(len(end), np.bool_)
        liquidated[recorder.log("liquidations")[1]["account"]] = True
        ruined = liquidated & (end < 0.01 * (start + np.maximum(deposits, 0)))
        frame = pd.DataFrame(
            {
                "role": self.roles,
                "accounts": 1,
                "equity_start": start / MICRO,
                "equity_end": end / MICRO,
                "net_deposits": deposits / MICRO,
                "venue_pnl": (end - start - deposits) / MICRO,
                "outside_pnl": (outside + gas) / MICRO,
                "gas_paid": gas / MICRO,
                "liquidated_accounts": liquidated,
                "ruined_accounts": ruined,
            }
        )
        frame.loc[[FEES, CLEARING], "accounts"] = 0
        totals = frame[frame["role"] != "vault"].groupby("role", sort=False).sum().reset_index()
        totals["pnl"] = totals["venue_pnl"] + totals["outside_pnl"] - totals["gas_paid"]
        return totals

    def _share_value(self, vault_equity: int, opening: bool = False) -> Floats:
        """Value of every account's vault shares, (n,) [micro-USD]."""
        shares = self.recorder.start_shares if opening else self.model.exchange.book.shares
        total = shares.sum()
        return shares * (vault_equity / total) if total else np.zeros(len(shares))
