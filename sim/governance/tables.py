"""What governance leaves behind: proposals, what happened to them, votes, and acts of the guardian."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from agents.delegates.settings import INTERESTS
from protocol.arithmetic import MICRO
from protocol.governance.governed import NAMES, scale
from protocol.governance.payload import ALL, Payload
from protocol.governance.proposals import Proposal, Support
from sim.governance.governing import Governance

MOMENTS = ("created", "published", "opens", "closes", "eta", "expires", "quorum_reached", "ended")
GUARDIAN = -1
SHOWN, FOLLOWERS = 60, 300


class Papers:
    """The tables of a run's governance.

    Parameters
    ----------
    governance : Governance
    start : Timestamp
        Of the run.
    markets : sequence of str
    """

    def __init__(self, governance: Governance, start: pd.Timestamp, markets: Sequence[str]) -> None:
        self.governance, self.start, self.markets = governance, start, markets

    def all(self) -> dict[str, pd.DataFrame]:
        """Tables by name, only those that have rows."""
        tables = {"proposals": self.proposals(), "governance": self.events(), "votes": self.votes()}
        if len(tables["votes"]):
            tables |= {"electorate": self.electorate(), "delegation": self.delegation()}
        return {name: table for name, table in tables.items() if len(table)}

    def proposals(self) -> pd.DataFrame:
        """One row for each proposal; moments that never came are missing."""
        process = self.governance.process
        ended = {event.number: event.time for event in process.events if event.state.final}
        rows = [self._row(each, ended.get(each.number, np.inf)) for each in process.proposals]
        frame = pd.DataFrame(rows)
        return frame.assign(**{name: self._times(frame[name]) for name in MOMENTS}) if rows else frame

    def _row(self, proposal: Proposal, ended: float) -> dict[str, Any]:
        tally = {f"votes_{support.name.lower()}": proposal.tally[support] / MICRO for support in Support}
        return {
            "number": proposal.number,
            "route": proposal.route,
            "proposer": proposal.proposer,
            "title": proposal.title,
            "changes": self.wording(proposal.payload, proposal.seen),
            "settings": len(proposal.payload.settings),
            "truncated": proposal.truncated,
            "state": proposal.state.name.lower(),
            "reason": proposal.reason,
            **{name: getattr(proposal, name) for name in MOMENTS[:-1]},
            "ended": ended,
            **tally,
            "turnout": self._turnout(proposal),
        }

    def _turnout(self, proposal: Proposal) -> float:
        """Share of all delegated power that has voted; NaN where nobody was asked."""
        tokens = self.governance.crowd.tokens
        if tokens is None or not proposal.voted:
            return np.nan
        return float(sum(proposal.tally) / max(int(tokens.power.sum()), 1))

    def wording(self, payload: Payload, seen: Sequence[int]) -> str:
        """What a payload does, in words and in the units of scenario files."""
        told = []
        for setting, old in zip(payload.settings, seen, strict=True):
            unit = scale(setting.parameter)
            market = "" if setting.market == ALL else f" {self.markets[setting.market]}"
            told.append(f"{NAMES[setting.parameter]}{market} {old / unit:g} → {setting.value / unit:g}")
        told += [f"pay ${each.amount / MICRO:,.0f} to account {each.target}" for each in payload.payments]
        told += [f"mint {each.amount / MICRO:,.0f} tokens for holder {each.holder}" for each in payload.mints]
        return "; ".join(told)

    def events(self) -> pd.DataFrame:
        """One row for each state that a proposal came into, and each act of the guardian."""
        process = self.governance.process
        rows = [
            (
                event.time,
                event.number,
                event.state.name.lower(),
                process.proposals[event.number].title,
                event.reason,
            )
            for event in process.events
        ]
        rows += [
            (act.time, GUARDIAN, act.act, act.target, act.refusal or act.reason)
            for act in self.governance.acts
        ]
        frame = pd.DataFrame(rows, columns=["time", "proposal", "event", "about", "reason"])
        frame = frame.sort_values("time", kind="stable", ignore_index=True)
        return frame.assign(time=self._times(frame["time"]))

    def votes(self) -> pd.DataFrame:
        """One row for each vote that counted; weights in tokens."""
        rows = [
            (each.time, each.number, each.voter, each.support.name.lower(), each.weight / MICRO)
            for each in self.governance.ballots
        ]
        frame = pd.DataFrame(rows, columns=["time", "proposal", "voter", "support", "weight"])
        return frame.assign(time=self._times(frame["time"]))

    def electorate(self) -> pd.DataFrame:
        """One row for each of the most powerful holders and their interests; tokens as at the end."""
        crowd = self.governance.crowd
        if crowd.tokens is None or crowd.people is None:
            return pd.DataFrame()
        power, kinds = crowd.tokens.power, crowd.people.people.interest
        ranked = np.argsort(-power, kind="stable")[:SHOWN]
        ranked = ranked[power[ranked] > 0]
        followers = np.bincount(crowd.tokens.delegates + 1, minlength=len(power) + 1)[1:]
        names = [INTERESTS[kinds[holder]] if holder < len(kinds) else "" for holder in ranked]
        columns = {
            "holder": ranked,
            "interest": names,
            "power": power[ranked] / MICRO,
            "balance": crowd.tokens.balances[ranked] / MICRO,
            "followers": followers[ranked],
        }
        return pd.DataFrame(columns)

    def delegation(self) -> pd.DataFrame:
        """One row for each of the largest holders who follow one of the most powerful; at the end."""
        tokens = self.governance.crowd.tokens
        if tokens is None:
            return pd.DataFrame()
        leaders = np.argsort(-tokens.power, kind="stable")[:SHOWN]
        following = np.isin(tokens.delegates, leaders) & (tokens.balances > 0)
        holders = np.flatnonzero(following)
        holders = holders[np.argsort(-tokens.balances[holders], kind="stable")][:FOLLOWERS]
        columns = {
            "holder": holders,
            "delegate": tokens.delegates[holders],
            "tokens": tokens.balances[holders] / MICRO,
        }
        return pd.DataFrame(columns)

    def _times(self, seconds: Iterable[float]) -> pd.Series:
        values = pd.Series(np.asarray(list(seconds), dtype=float))
        return self.start + pd.to_timedelta(values.where(np.isfinite(values)), unit="s")
