"""How new parameters come to hold: for whom, how suddenly, and whom that liquidates."""

from typing import Any, NamedTuple

import numpy as np

from agents.role import NOBODY
from protocol.arithmetic import MICRO
from protocol.book import Ints, Mask, Rows
from protocol.exchange import Exchange
from protocol.governance.payload import ALL
from protocol.margin import below_maintenance
from protocol.parameters import RiskParameters
from protocol.scan import liquidatable
from sim.governance.settings import GovernanceSettings

GRACE_RAMP = "grace ramp"


class Change(NamedTuple):
    """A value that came into force.

    Attributes
    ----------
    block : int
    parameter : str
        Field of `RiskParameters`.
    market : int
        ALL for what the venue has once.
    old, new : int
    route, reason : str
        By which door it came, and why.
    """

    block: int
    parameter: str
    market: int
    old: int
    new: int
    route: str
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


class Enactment:
    """Puts parameters into force, and keeps account of whom that liquidates.

    Parameters
    ----------
    exchange : Exchange
    settings : GovernanceSettings

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

    def __init__(self, exchange: Exchange, settings: GovernanceSettings) -> None:
        self.exchange, self.settings = exchange, settings
        self.opening = exchange.parameters
        self.ramp: Ramp | None = None
        self.changes: list[Change] = []
        self.traces = {"tightened_usd": 0.0, "engine_caused_usd": 0.0}
        self.caused: Mask = np.zeros(len(exchange.book.cash), np.bool_)
        if settings.scope == "new":
            exchange.book.keeping[:] = exchange.parameters.maintenance

    def enact(self, parameters: RiskParameters, now: tuple[int, float], route: str, reason: str) -> str:
        """Let parameters hold, maintenance along a ramp where that is the rule.

        Parameters
        ----------
        parameters : RiskParameters
        now : (int, float)
            Block and time [s].
        route, reason : str

        Returns
        -------
        str
            Why they must not hold now; empty once they do.
        """
        if self.settings.scope == "ramp":
            parameters = parameters._replace(maintenance=self._ramped(parameters.maintenance, now[1]))
        if self.settings.scope == "revert":
            harmed = len(self._harmed(parameters))
            if harmed:
                return f"it would put {harmed} accounts below maintenance"
        self._put(parameters, now[0], route, reason)
        return ""

    def proceed(self, block: int, time: float) -> None:
        """The next step of a ramp."""
        if self.ramp is None:
            return
        held = self.exchange.parameters
        risen = np.minimum(self.ramp.at(time, float(self.settings.grace)), held.initial)
        if time >= self.ramp.start + self.settings.grace:
            self.ramp = None
        if (risen != held.maintenance).any():
            self._put(held._replace(maintenance=risen), block, GRACE_RAMP, GRACE_RAMP)

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

    def _ramped(self, wanted: Ints, time: float) -> Ints:
        """Maintenance margins at the beginning of a ramp, which only a new target begins anew."""
        now = self.exchange.parameters.maintenance
        bound = now if self.ramp is None else self.ramp.high
        target = np.where(wanted != now, wanted, bound)
        if (target != bound).any():
            self.ramp = Ramp(time, now.copy(), target)
        return now if self.ramp is None else self.ramp.at(time, float(self.settings.grace))

    def _harmed(self, parameters: RiskParameters) -> Ints:
        """Accounts that new parameters would put below maintenance, (k,)."""
        before = liquidatable(self.exchange.book, self.exchange.parameters)
        return np.setdiff1d(liquidatable(self.exchange.foreseen(parameters), parameters), before)

    def _put(self, parameters: RiskParameters, block: int, route: str, reason: str) -> None:
        exchange, old = self.exchange, self.exchange.parameters
        changed = changes(old, parameters)
        if not changed:
            return
        harmed = self._harmed(parameters)
        exchange.enact(parameters)
        if self.settings.scope == "new":
            exchange.book.keeping[:] = parameters.maintenance
        self.caused[harmed] = True
        self.changes += [Change(block, *each, route, reason) for each in changed]


def changes(old: RiskParameters, new: RiskParameters) -> list[tuple[str, int, int, int]]:
    """Fields in which two sets of parameters differ: field, market or ALL, old and new value."""
    found: list[tuple[str, int, int, int]] = []
    before: Any
    after: Any
    for name, before, after in zip(RiskParameters._fields, old, new, strict=True):
        if before is after:
            continue
        if isinstance(before, int):
            found += [(name, ALL, before, after)] if before != after else []
            continue
        for market in np.flatnonzero(before != after).tolist():
            found.append((name, market, int(before[market]), int(after[market])))
    return found
