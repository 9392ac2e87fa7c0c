"""The same world up to a moment, and another policy from there on.

A run is a function of scenario and seed, so running it again up to a moment is its checkpoint. What may
differ from then on is what people could still decide at that moment: who governs and how, what the risk
engine does, parameters within governance's reach, more money in the fund, and what strikes later.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from protocol.arithmetic import MICRO
from protocol.book import INSURANCE
from protocol.governance.payload import Setting, applied
from protocol.parameters import RiskParameters
from sim.configuration import Scenario
from sim.governance.enactment import changes as moves
from sim.model import Model
from sim.problems import Problem, ScenarioError
from sim.provenance import resolved
from sim.rerun import changed
from sim.risk_engines import open_risk_engine
from sim.run import Result, finished
from sim.venue_rules import risk_parameters

FREE = re.compile(
    r"(governance|risk_engine|shocks|protocol\.insurance_fund)\b"
    r"|protocol\.markets\.\w+\.(initial_margin|maintenance_margin)$"
)
RULE = (
    "a branch may change governance, risk_engine, shocks, protocol.insurance_fund, and margins of "
    "protocol.markets; put other parameters on governance.agenda"
)
TITLE = "set from here on"


def branch(scenario: Scenario, seed: int, at: float, changes: Mapping[str, Any]) -> Result:
    """Run a scenario up to a moment, and with other settings from there on.

    Parameters
    ----------
    scenario : Scenario
    seed : int
    at : float
        Since the start [s]; what is changed holds from the first block after it.
    changes : mapping of str to object
        Settings by their paths.

    Raises
    ------
    ScenarioError
        When the moment lies outside the run, a change breaks a rule, is about something that nobody could
        still decide, or about what was already over.
    """
    other = changed(scenario, changes)
    problems = list(_problems(scenario, other, at))
    if problems:
        raise ScenarioError(problems)
    shared = scenario.model_copy(
        update={
            "shocks": other.shocks,
            "governance": scenario.governance.model_copy(update={"agenda": other.governance.agenda}),
        }
    )
    model = Model(shared, seed)
    try:
        for _ in range(int(at // scenario.clock.block)):
            model.step()
        reform(model, other)
        while model.block < scenario.clock.blocks:
            model.step()
        return finished(model)
    finally:
        model.close()


def reform(model: Model, other: Scenario) -> None:
    """Let another scenario's rules hold from the next block on."""
    before = model.scenario
    model.scenario = other
    model.governance.reform(other.governance)
    if other.risk_engine != before.risk_engine:
        model.risk_engine = open_risk_engine(model)
    wanted = _moved(
        model.exchange.parameters, risk_parameters(before.protocol), risk_parameters(other.protocol)
    )
    model.governance.enactment.enact(wanted, (model.block, model.time), "branch", TITLE)
    more = round((other.protocol.insurance_fund - before.protocol.insurance_fund) * MICRO)
    model.exchange.deposit(INSURANCE, more)


def _moved(held: RiskParameters, old: RiskParameters, new: RiskParameters) -> RiskParameters:
    """Parameters in force, with those replaced in which two scenarios differ."""
    return applied(held, [Setting(name, market, value) for name, market, _, value in moves(old, new)])


def _problems(scenario: Scenario, other: Scenario, at: float) -> Iterator[Problem]:
    duration = scenario.clock.duration
    if not scenario.clock.block <= at < duration:
        rule = f"--at must lie within the run, from {scenario.clock.block}s to before {duration}s"
        yield Problem("--at", "", rule, f"{at:g}s")
    for path in _differences(resolved(scenario), resolved(other)):
        if not FREE.match(path):
            yield Problem("--set", path, RULE)
    if other.protocol.insurance_fund < scenario.protocol.insurance_fund:
        rule = "a branch may only add to the fund"
        yield Problem("--set", "protocol.insurance_fund", rule, f"{other.protocol.insurance_fund:g}")
    for section, mine, theirs in (
        ("shocks", scenario.shocks, other.shocks),
        ("governance.agenda", scenario.governance.agenda, other.governance.agenda),
    ):
        over = [[each for each in items if each.at <= at] for items in (mine, theirs)]
        if over[0] != over[1]:
            yield Problem("--set", section, f"what was due by {at:g}s has happened, and must stay as it was")
    if other.governance.votes and not scenario.governance.votes:
        yield Problem("--set", "governance.route", "a vote needs holders of tokens, and the run had none")


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths of settings in which two scenarios differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path
