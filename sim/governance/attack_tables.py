"""What attackers of governance did, as a table: what they spent and got, and when somebody noticed."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from agents.attackers.holding import COSTS, worth
from agents.attackers.intrigue import Intrigue
from protocol.arithmetic import MICRO
from protocol.book import Floats
from protocol.governance.proposals import State
from sim.governance.governing import Governance
from sim.governance.opening import first_plotter

if TYPE_CHECKING:
    from sim.model import Model

DRIFT_ALARM = "drift alarm"


def intriguers(model: "Model") -> list[tuple[int, Intrigue]]:
    """Attackers of governance, each with its number among the holders of tokens."""
    numbered = enumerate(model.people.attackers, first_plotter(model))
    return [(number, each) for number, each in numbered if isinstance(each, Intrigue)]


def token_worth(model: "Model") -> Floats:
    """What the tokens that attackers are left with would bring, by account, (n,) [micro-USD]."""
    found, crowd = np.zeros(len(model.exchange.book.cash)), model.governance.crowd
    if crowd.tokens is not None and crowd.market is not None:
        for holder, each in intriguers(model):
            held, borrowed = int(crowd.tokens.balances[holder]), each.holding.borrowed
            found[each.accounts[0]] = worth(held, borrowed, crowd.market) * MICRO
    return found


def attack_tables(model: "Model", start: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """The table `attacks`, one row for each attacker of governance; nothing where there is none.

    `executed` is how many proposals of its own were, `paid_usd` what they moved to its account and what the
    tokens brought that they made; `first` is its first act, `noticed` the first answer, `by` whose it was.
    """
    alarms = _alarm_times(model)
    rows = [_row(model, each, alarms, start) for _, each in intriguers(model)]
    return {"attacks": pd.DataFrame(rows)} if rows else {}


def _row(model: "Model", attacker: Intrigue, alarms: list[float], start: pd.Timestamp) -> dict[str, object]:
    proposals = [model.governance.process.proposals[number] for number in attacker.numbers]
    done = [each for each in proposals if each.state == State.EXECUTED]
    paid = sum(model.governance.receipts.get(each.number, 0) for each in done)
    noticed, by = _notice(model.governance, attacker, alarms)
    spent = attacker.holding.spent
    return {
        "role": attacker.name,
        "proposes": attacker.proposes,
        "proposals": len(proposals),
        "executed": len(done),
        "paid_usd": paid / MICRO + attacker.holding.earned,
        "cost_usd": attacker.holding.cost,
        **{f"{name}_usd": spent[name] for name in COSTS},
        "first": _moment(start, attacker.first),
        "noticed": _moment(start, noticed),
        "by": by,
    }


def _notice(governance: Governance, attacker: Intrigue, alarms: list[float]) -> tuple[float, str]:
    """First act of the guardian against it, pause or alarm of the engine, from its first act on."""
    found = [(time, "engine") for time in alarms]
    found += [
        (act.time, "guardian")
        for act in governance.acts
        if not act.refusal and (act.act == "pause" or act.target == attacker.name)
    ]
    return min((each for each in found if each[0] >= attacker.first), default=(np.inf, ""))


def _alarm_times(model: "Model") -> list[float]:
    """When the risk engine held everything because the world had left its model [s]."""
    return [each.time for each in model.recorder.decisions if each.reason == DRIFT_ALARM]


def _moment(start: pd.Timestamp, seconds: float) -> object:
    """The moment, missing where there was none."""
    return start + pd.Timedelta(seconds=seconds) if np.isfinite(seconds) else pd.NaT
