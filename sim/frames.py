"""A finished run's history as frames: times in UTC, money in USD, sizes in base units."""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.engine.decisions import Decision
from agents.engine.law import LAW_STAGES
from agents.engine.targets import PARTS
from protocol.arithmetic import MICRO
from protocol.book import INSURANCE, VAULT, Rows, first_trader
from protocol.governance.governed import NAMES, scale
from protocol.liquidations.collateral_sales import CollateralSales
from protocol.liquidations.record import OUTCOMES
from protocol.losses.journal import PAYMENT, STAGES, UNCOVERED
from sim.accounts import PROFIT, account_frame, position_frame, profits
from sim.event_log import Part
from sim.governance.attack_tables import attack_tables
from sim.governance.tables import Papers
from sim.record import Recorder
from sim.stored_tables import Parts

Table = Callable[[], pd.DataFrame]
LOGS = ("liquidations", "failures", "deleverages", "waterfall", "sales")


def _only(table: Table) -> Iterator[pd.DataFrame]:
    yield table()


def _joined(parts: Iterator[pd.DataFrame]) -> pd.DataFrame:
    frames = list(parts)
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)


class Tables:
    """The tables of a finished run."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.model = recorder.model
        self.names = np.array(self.model.units.names)
        self.roles = self._role_names()

    @cached_property
    def profits(self) -> pd.DataFrame:
        """What every account gained: see `sim.accounts.profits`."""
        return profits(self.recorder)

    def all(self) -> dict[str, pd.DataFrame]:
        """Every table by its name in the run folder."""
        return {name: _joined(parts()) for name, parts in self.parts().items()}

    def parts(self) -> dict[str, Parts]:
        """What makes every table, by its name in the run folder, from parts of which each may be large.

        `sales` only where a venue sells collateral, those of a risk engine only where there is one, those of
        governance only where something was proposed, `attacks` only where somebody attacks it.
        """
        start = pd.Timestamp(self.model.scenario.clock.start)
        papers = Papers(self.model.governance, start, self.names.tolist()).all()
        papers |= attack_tables(self.model, start)
        engine = {"decisions": self.decisions, "features": self.features, "regimes": self.regimes}
        tables: dict[str, Table] = {
            "blocks": self.blocks,
            "markets": self.markets,
            "parameters": self.parameters,
            "agents": self.agents,
            "accounts": lambda: account_frame(self.recorder, self.roles, self.profits),
            "positions": lambda: position_frame(self.recorder, self.names),
            **(engine if self.model.risk_engine is not None else {}),
            **{name: partial(papers.__getitem__, name) for name in papers},
        }
        sold = isinstance(self.model.exchange.engine, CollateralSales)
        parts: dict[str, Parts] = {name: partial(_only, table) for name, table in tables.items()}
        return parts | {name: partial(self._events, name) for name in (LOGS if sold else LOGS[:-1])}

    def _events(self, name: str) -> Iterator[pd.DataFrame]:
        """A log of events, frame by frame."""
        table, log = getattr(self, name), self.recorder.events["payments" if name == "waterfall" else name]
        for part in log.parts():
            yield table(*part)
        if name == "waterfall":
            yield table(*self._uncovered())

    def _role_names(self) -> NDArray[Any]:
        """Role of every account, (n,) of str."""
        book = self.model.exchange.book
        names = np.full(len(book.cash), "venue", object)
        names[INSURANCE], names[VAULT] = "insurance_fund", "vault"
        names[book.fund], names[book.counterparty] = "insurance_fund", "pool"
        names[self.model.exchange.backstop.liquidator] = "vault"
        for role in self.model.people.roles:
            names[role.accounts] = role.name
        return names

    def _times(self, blocks: NDArray[Any]) -> pd.Series:
        start = pd.Timestamp(self.model.scenario.clock.start)
        seconds = blocks.astype(np.int64) * self.model.seconds
        return pd.Series(start + pd.to_timedelta(seconds, unit="s"))

    def blocks(self) -> pd.DataFrame:
        """One row for each block; base fee and sentiment only where the scenario has them.

        `regime`, where prices have one, is what nobody in the run could see.
        """
        frame = pd.DataFrame(self.recorder.blocks)
        frame.insert(1, "time", self._times(self.recorder.blocks["block"]))
        if self.model.world.regime is not None:
            frame["regime"] = self.model.world.regime[self.recorder.blocks["block"]]
        return frame.assign(**self.recorder.traces)

    def markets(self) -> pd.DataFrame:
        """One row for each block and market.

        `forced_impact` is the log of what hedges of forced trades had made of the oracle's price.
        """
        count = len(self.names)
        block = np.repeat(self.recorder.blocks["block"], count)
        frame = pd.DataFrame(self.recorder.markets.ravel())
        frame.insert(0, "block", block)
        frame.insert(1, "time", self._times(block))
        frame.insert(2, "market", np.tile(self.names, len(self.recorder.blocks)))
        return frame.assign(forced_impact=self.recorder.forced_impact.ravel())

    def liquidations(self, block: NDArray[np.int32], rows: Rows) -> pd.DataFrame:
        """One row for each liquidation order."""
        block, rows = block[rows["size"] != 0], rows[rows["size"] != 0]
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
            "keeper": rows["keeper"],
            "price": price / scale,
            "oracle": rows["oracle"] / scale,
            "mark": rows["mark"] / scale,
            "bankruptcy_price": rows["bankruptcy"] / scale,
            "limit_price": rows["limit"] / scale,
            "notional_usd": np.abs(rows["quote"]) / MICRO,
            "equity_before": rows["equity"] / MICRO,
            "maintenance_before": rows["maintenance"] / MICRO,
            "fee_usd": rows["fee"] / MICRO,
            "insurance_delta": rows["insurance"] / MICRO,
            "pool_loss_usd": rows["pool"] / MICRO,
            "outcome": np.array(OUTCOMES)[rows["outcome"]],
        }
        return pd.DataFrame(columns)

    def failures(self, block: NDArray[np.int32], rows: Rows) -> pd.DataFrame:
        """One row for each position of an account that fell below maintenance, at that moment."""
        lot = self.model.units.lot[rows["market"]]
        columns = {
            "block": block,
            "time": self._times(block),
            "round": rows["round"],
            "account": rows["account"],
            "role": self.roles[rows["account"]],
            "market": self.names[rows["market"]],
            "size": rows["size"] * lot,
            "mark": rows["mark"] / (lot * MICRO),
            "oracle": rows["oracle"] / (lot * MICRO),
            "equity": rows["equity"] / MICRO,
            "maintenance": rows["maintenance"] / MICRO,
        }
        return pd.DataFrame(columns)

    def sales(self, block: NDArray[np.int32], rows: Rows) -> pd.DataFrame:
        """One row for each sale of a failing account's asset, and for each that found no buyer."""
        lot, market = self.model.units.lot[rows["market"]], rows["market"]
        columns = {
            "block": block,
            "time": self._times(block),
            "round": rows["round"],
            "market": self.names[market],
            "account": rows["account"],
            "role": self.roles[rows["account"]],
            "size": rows["size"] * lot,
            "sold": rows["filled"] * lot,
            "price": rows["limit"] / (lot * MICRO),
            "oracle": rows["oracle"] / (lot * MICRO),
            "paid_usd": np.abs(rows["quote"]) / MICRO,
            "penalty_usd": rows["fee"] / MICRO,
            "equity_before": rows["equity"] / MICRO,
            "maintenance_before": rows["maintenance"] / MICRO,
            "outcome": np.array(OUTCOMES)[rows["outcome"]],
        }
        return pd.DataFrame(columns)

    def deleverages(self, block: NDArray[np.int32], rows: Rows) -> pd.DataFrame:
        """One row for each auto-deleveraging fill."""
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

    def waterfall(self, block: NDArray[np.int32], rows: Rows) -> pd.DataFrame:
        """One row for each loss that somebody else than the trader bore; deficits left at the end last."""
        columns = {
            "block": block,
            "time": self._times(block),
            "account": rows["account"],
            "role": self.roles[rows["account"]],
            "stage": np.array(STAGES)[rows["stage"]],
            "amount_usd": rows["amount"] / MICRO,
        }
        return pd.DataFrame(columns)

    def _uncovered(self) -> Part:
        """What traders owe at the end, as payments that nobody made."""
        left, first = self.recorder.equity(), first_trader(len(self.names))
        owing = first + np.flatnonzero(left[first:] < 0)
        rows = np.zeros(len(owing), PAYMENT)
        rows["account"], rows["stage"], rows["amount"] = owing, UNCOVERED, -left[owing]
        return Part(np.full(len(owing), self.model.block, np.int32), rows)

    def parameters(self) -> pd.DataFrame:
        """Every value a parameter has had: those that the venue opened with, and each change."""
        enactment, genesis = self.model.governance.enactment, ("genesis", "opening value")
        opened = [
            (0, name, market, np.nan, getattr(enactment.opening, name)[market], *genesis)
            for market in range(len(self.names))
            for name in ("initial", "maintenance")
        ]
        columns = ["block", "parameter", "market", "old", "new", "route", "reason"]
        frame = pd.DataFrame([*opened, *enactment.changes], columns=columns)
        unit = frame["parameter"].map(scale)
        frame["old"], frame["new"] = frame["old"].astype(float) / unit, frame["new"].astype(float) / unit
        frame["market"] = np.append(self.names, "")[frame["market"]]
        frame["parameter"] = frame["parameter"].map(NAMES)
        frame["block"] = frame["block"].astype(np.int32)
        frame.insert(1, "time", self._times(frame["block"].to_numpy()))
        return frame[["block", "time", "market", "parameter", "old", "new", "route", "reason"]]

    def decisions(self) -> pd.DataFrame:
        """One row for each target that the engine's law has passed on.

        Parts and stages add up to `tightness`: the margin, 1 less the weight, or the reciprocal of the cap.
        """
        rows = self.recorder.decisions
        frame = pd.DataFrame([each[:7] for each in rows], columns=list(Decision._fields[:7]))
        frame["time"] = self._times(np.rint(frame["time"] / self.model.seconds).astype(int).to_numpy())
        frame["market"] = self.names[frame["market"].astype(int)]
        frame["reason"] = [each.reason for each in rows]
        made = np.array([np.concatenate([each.parts, each.stages]) for each in rows])
        names = [*PARTS, *LAW_STAGES]
        added = pd.DataFrame(made.reshape(len(rows), len(names)), columns=names)
        return frame.join(added).assign(tightness=added.sum(axis=1))

    def features(self) -> pd.DataFrame:
        """One row for each of the engine's observations, market and feature: its value and its times."""
        start = pd.Timestamp(self.model.scenario.clock.start)
        rows = [
            (each.block, market, name, reading.measured, reading.available, reading.value[index])
            for each in self.recorder.watched
            for name, reading in each.observation.readings.items()
            for index, market in enumerate(self.names)
        ]
        columns = ["block", "market", "feature", "measured", "available", "value"]
        frame = pd.DataFrame(rows, columns=columns)
        for name in ("measured", "available"):
            frame[name] = start + pd.to_timedelta(frame[name], unit="s")
        frame.insert(1, "time", self._times(frame["block"].to_numpy()))
        return frame

    def regimes(self) -> pd.DataFrame:
        """One row for each of the engine's observations: what it believes, and how surprised it is."""
        rows = [
            {
                "block": each.block,
                **each.state,
                "surprise": each.surprise,
                "stale": each.observation.stale,
                "fit": each.fit,
            }
            for each in self.recorder.watched
        ]
        frame = pd.DataFrame(rows, columns=None if rows else ["block"])
        frame.insert(1, "time", self._times(frame["block"].to_numpy()))
        return frame

    def agents(self) -> pd.DataFrame:
        """One row for each role: what it brought, what it has, where it gained and lost [USD].

        Sums of what `sim.accounts.profits` says of its accounts. `owed` is what accounts below zero leave
        unpaid at the end.
        """
        named = self.profits[list(PROFIT)].rename(
            columns={"liquidated": "liquidated_accounts", "ruined": "ruined_accounts"}
        )
        named.insert(0, "role", self.roles)
        named.insert(1, "accounts", 1)
        named.loc[named["role"] == "venue", "accounts"] = 0
        owned = named["role"].isin(["vault", "pool"])
        totals = named[~owned].groupby("role", sort=False).sum().reset_index()
        totals["pnl"] = totals["venue_pnl"] + totals["outside_pnl"] - totals["gas_paid"]
        totals["attacks"] = totals["role"].isin(self.model.scenario.agents.attackers)
        return totals
