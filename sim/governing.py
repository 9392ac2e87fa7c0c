"""Parameters in force: proposals that wait for their time, ramps that run, and a log of every change."""

from typing import NamedTuple

import numpy as np

from agents.engine.settings import RiskEngineSettings
from agents.risk_engine import Proposal
from agents.role import NOBODY
from protocol.arithmetic import MICRO
from protocol.book import Ints, Mask, Rows
from protocol.exchange import Exchange
from protocol.margin import below_maintenance
from protocol.parameters import RiskParameters
from protocol.scan import liquidatable


class Change(NamedTuple):
    """A value that came into force: block, field of `RiskParameters`, market, before and after, and why."""

    block: int
    parameter: str
    market: int
    old: int
    new: int
    reason: str


class Ramp(NamedTuple):
    """A rise of maintenance margins, (m,) [ppm], over a time [s]."""

    start: float
    low: Ints
    high: Ints

    def at(self, time: float, grace: float) -> Ints:
        """The margins at a time, (m,) [ppm]: up along a line, down at once."""
        share = min(max((time - self.start) / grace, 0.0), 1.0)
        rising = np.rint(self.low + share * (self.high - self.low)).astype(np.int64)
        return np.where(self.high > self.low, rising, self.high)


class Governance:
    """Lets proposals become rules.

    Parameters
    ----------
    exchange : Exchange
    settings : RiskEngineSettings

    Attributes
    ----------
    changes : list of Change
    caused : (n,) bool
        Accounts that a change has put below maintenance, at the prices of that moment, and that are still
        there.
    traces : dict of str to float
        Notional of this block's liquidations of accounts that would be healthy under the opening parameters,
        and of accounts that were when a change came [USD].
    """

    def __init__(self, exchange: Exchange, settings: RiskEngineSettings) -> None:
        self.exchange, self.settings = exchange, settings
        self.opening = exchange.parameters
        self.waiting: list[Proposal] = []
        self.ramp: Ramp | None = None
        self.changes: list[Change] = []
        self.traces = {"tightened_usd": 0.0, "engine_caused_usd": 0.0}
        self.caused: Mask = np.zeros(len(exchange.book.cash), np.bool_)
        if settings.scope == "new":
            exchange.book.keeping[:] = exchange.parameters.maintenance

    def take(self, proposal: Proposal) -> None:
        """Let a proposal wait for its time."""
        self.waiting.append(proposal)

    def execute(self, block: int, time: float) -> None:
        """Enact what is due, and the next step of a ramp."""
        due = [each for each in self.waiting if each.due <= time]
        self.waiting = [each for each in self.waiting if each.due > time]
        values: dict[str, Ints] = {}
        for proposal in due:
            values |= proposal.values
        if self.settings.scope == "ramp":
            values |= self._ramped(values, time)
        changed = {
            name: value
            for name, value in values.items()
            if (value != getattr(self.exchange.parameters, name)).any()
        }
        if changed:
            self._enact(changed, block, due[-1].reason if due else "grace ramp")

    def tightened(self) -> Ints:
        """Accounts below maintenance that would not be under the opening parameters, (k,)."""
        exchange = self.exchange
        if exchange.parameters is self.opening:
            return NOBODY
        failing = liquidatable(exchange.book, exchange.parameters)
        fine = [not below_maintenance(exchange.book, self.opening, account) for account in failing.tolist()]
        return failing[np.array(fine, np.bool_)]

    def settle(self, tightened: Ints, liquidations: Rows) -> None:
        """Note what was liquidated of such accounts; forget caused ones that are healthy again, or gone."""
        self.traces["tightened_usd"] = self._notional(liquidations, tightened)
        self.traces["engine_caused_usd"] = self._notional(liquidations, np.flatnonzero(self.caused))
        if self.caused.any():
            still = np.zeros_like(self.caused)
            still[liquidatable(self.exchange.book, self.exchange.parameters)] = True
            self.caused &= still

    @staticmethod
    def _notional(liquidations: Rows, accounts: Ints) -> float:
        """Notional of liquidations of some accounts [USD]."""
        if not len(accounts) or not len(liquidations):
            return 0.0
        mine = np.isin(liquidations["account"], accounts)
        return float(np.abs(liquidations["quote"][mine].astype(float)).sum() / MICRO)

    def _ramped(self, values: dict[str, Ints], time: float) -> dict[str, Ints]:
        """Maintenance margins at this moment of a ramp, which only a new target begins anew."""
        now, wanted = self.exchange.parameters.maintenance, values.get("maintenance")
        bound = now if self.ramp is None else self.ramp.high
        if wanted is not None and (wanted != bound).any():
            self.ramp = Ramp(time, now.copy(), wanted)
        if self.ramp is None:
            return {}
        risen = self.ramp.at(time, float(self.settings.grace))
        if (risen == self.ramp.high).all():
            self.ramp = None
        return {"maintenance": risen}

    def _enact(self, values: dict[str, Ints], block: int, reason: str) -> None:
        exchange, old = self.exchange, self.exchange.parameters
        before = liquidatable(exchange.book, old)
        exchange.enact(RiskParameters(**{**old._asdict(), **values}))
        if self.settings.scope == "new":
            exchange.book.keeping[:] = exchange.parameters.maintenance
        after = liquidatable(exchange.book, exchange.parameters)
        self.caused[np.setdiff1d(after, before)] = True
        self._log(old, values, block, reason)

    def _log(self, old: RiskParameters, values: dict[str, Ints], block: int, reason: str) -> None:
        for name, value in values.items():
            previous = getattr(old, name)
            for market in np.flatnonzero(value != previous).tolist():
                row = (block, name, market, int(previous[market]), int(value[market]), reason)
                self.changes.append(Change(*row))
