"""Worlds of delegates for tests: a quiet venue, a governor without hurdles, electorates of one interest."""

from collections.abc import Callable
from functools import partial

import mesa
import numpy as np

from agents.delegates.delegates import Delegates, Vote
from agents.delegates.facts import PublicFacts, ordinary_day
from agents.delegates.settings import AttentionSettings, HoldingSettings, OpinionSettings, PeopleSettings
from protocol.governance.governor import Governor, GovernorRules
from protocol.governance.payload import Payload, Setting
from protocol.governance.process import Order, Process
from protocol.governance.proposals import Draft
from protocol.parameters import RiskParameters, flat_margins
from sim.streams import stream

DAY = 86_400.0
HOUR = 3600.0
RULES = GovernorRules(delay=2 * DAY, period=3 * DAY, timelock=2 * DAY)
EVERYBODY = AttentionSettings(level=0.999, slope=0.0, habit=0.0, salience=0.0, called=0.0)
PLAIN = OpinionSettings(appeal=0.0, appeal_spread=0.0, ideology=0.0, stakes=1000.0, abstention=0.0)


def parameters(markets: int = 1, **changed: object) -> RiskParameters:
    """Margins of 10 % and 5 %, a cap of a million USD, fees of 5 and 1 basis points."""
    one = np.ones(markets, np.int64)
    values = dict.fromkeys(RiskParameters._fields, 0) | flat_margins(markets)
    values |= {
        "initial": one * 100_000,
        "maintenance": one * 50_000,
        "open_interest_lower": one * 0,
        "open_interest_upper": one * 0,
        "open_interest_cap": one * 1_000_000_000_000,
        "impact_notional": one * 0,
        "taker_fee": 500,
        "maker_fee": 100,
    }
    return RiskParameters(**(values | changed))


def facts(volatility: float = 1.0, **changed: object) -> PublicFacts:
    """An ordinary day, but for the volatility, over that of calm times, and what is given."""
    return ordinary_day(parameters())._replace(volatility=np.array([volatility]), **changed)


def people(
    interests: dict[str, float] | None = None,
    attention: AttentionSettings | None = None,
    opinion: OpinionSettings | None = None,
) -> PeopleSettings:
    """A small town of three hundred holders."""
    holdings = HoldingSettings(holders=300, delegates=20, independents=50, largest=0.05, delegated=0.5)
    found = PeopleSettings(
        holdings=holdings, attention=attention or EVERYBODY, opinion=opinion or OpinionSettings()
    )
    return found.model_copy(update={"interests": interests} if interests else {})


def delegates(settings: PeopleSettings, seed: int = 1) -> Delegates:
    return Delegates(mesa.Model(), settings, partial(stream, seed))


def voting(agents: Delegates, rules: GovernorRules = RULES) -> Process:
    """A process with one route by vote, over the tokens of these people."""
    return Process({"vote": Governor(rules, agents.people.tokens())}, Order())


def submit(process: Process, time: float, *settings: Setting, payload: Payload | None = None) -> int:
    draft = Draft(payload or Payload(tuple(settings)))
    return process.submit("vote", 0, draft, parameters(), time).number


def passing(
    agents: Delegates,
    process: Process,
    until: float,
    seen: Callable[[float], PublicFacts] = lambda time: facts(),
    step: float = HOUR,
) -> list[tuple[float, Vote]]:
    """Let time pass, cast what is due, and return it with its time."""
    found = []
    for time in np.arange(0.0, until + step, step).tolist():
        process.advance(time)
        for vote in agents.votes(process, seen(time), time):
            found.append((time, vote))
            process.vote(vote.number, vote.voter, vote.support, time)
    return found
