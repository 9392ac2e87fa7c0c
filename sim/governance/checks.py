"""Rules between settings of governance."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from agents.attackers.key_theft import KeyTheftSettings
from agents.attackers.kinds import AnyAttack
from agents.attackers.ratchet import RatchetSettings
from agents.attackers.vote_capture import VoteCaptureSettings
from protocol.governance.governed import GOVERNED
from protocol.governance.limits import outside_limits
from sim.governance.rules import order
from sim.governance.settings import BoundSettings, GovernanceSettings, ItemSettings, StewardSettings
from sim.problems import Problem, shown, suggestion
from sim.venue_checks import broken, venue_problems
from sim.venue_rules import risk_parameters

if TYPE_CHECKING:
    from sim.configuration import Scenario

PATH = "governance"
KEYED = ("steward", "hub")


def governance_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Every rule of `governance:` that a scenario breaks; places are left to the loader."""
    settings = scenario.governance
    unknown = list(_unknown_names(settings))
    yield from unknown
    for route in KEYED:
        yield from _key_problems(f"{PATH}.{route}", getattr(settings, route))
    if not (unknown or venue_problems(scenario.protocol)):
        yield from _limit_problems(scenario)
    for index, item in enumerate(settings.agenda):
        yield from _item_problems(scenario, f"{PATH}.agenda.{index}", item)
    for name, attack in scenario.agents.attackers.items():
        yield from _plot_problems(scenario, f"agents.attackers.{name}", attack)


def _unknown_names(settings: GovernanceSettings) -> Iterator[Problem]:
    """Names of parameters that governance does not know."""
    named: dict[str, Iterable[str]] = {f"{PATH}.limits": settings.limits}
    for route in KEYED:
        keyed: StewardSettings = getattr(settings, route)
        for part in ("bounds", "drift", "spacings"):
            named[f"{PATH}.{route}.{part}"] = getattr(keyed, part)
    for path, names in named.items():
        yield from _unknown(path, names)


def _unknown(path: str, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if name not in GOVERNED:
            rule = f"governance knows no parameter {shown(name)}{suggestion(name, list(GOVERNED))}"
            yield Problem("", path, rule, about=((*path.split("."), name),))


def _key_problems(path: str, keyed: StewardSettings) -> Iterator[Problem]:
    if keyed.approvals > keyed.keys:
        yield broken(path, "approvals <= keys must hold", approvals=keyed.approvals, keys=keyed.keys)
    for part in ("bounds", "drift"):
        bounds: Mapping[str, BoundSettings] = getattr(keyed, part)
        for name, bound in bounds.items():
            if bound.relative > 0 and bound.absolute > 0:
                rule = "a bound is relative or absolute, not both"
                values = {"relative": bound.relative, "absolute": bound.absolute}
                yield broken(f"{path}.{part}.{name}", rule, **values)
    if keyed.drift and not keyed.window:
        yield broken(path, "drift needs a window over which it counts", window="0s", drift=list(keyed.drift))


def _limit_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Limits the wrong way round, and numbers that the venue opens with outside of them."""
    limits = scenario.governance.limits
    for name, limit in limits.items():
        if limit.least > limit.most:
            rule = "least <= most must hold"
            yield broken(f"{PATH}.limits.{name}", rule, least=limit.least, most=limit.most)
            return
    for sentence in outside_limits(risk_parameters(scenario.protocol), order(scenario.governance).limits):
        about = ((PATH, "limits"), ("protocol",))
        yield Problem("", f"{PATH}.limits", f"the venue must open within its limits: {sentence}", about=about)


def _item_problems(scenario: "Scenario", path: str, item: ItemSettings) -> Iterator[Problem]:
    settings = scenario.governance
    if sum(map(bool, (item.set, item.pause, item.cancels))) != 1:
        rule = "an item of the agenda sets parameters, or pauses, or cancels"
        yield broken(path, rule, set=item.set, pause=list(item.pause), cancels=shown(item.cancels))
    forbidden = [scope for scope in item.pause if scope not in settings.guardian.pauses]
    if forbidden:
        rule = f"the guardian may only pause what governance.guardian.pauses names, not {forbidden[0]}"
        yield broken(path, rule, f"{PATH}.guardian.pauses", pause=list(item.pause))
    if item.cancels and not settings.guardian.vetoes:
        rule = "only a guardian that vetoes can cancel"
        yield broken(path, rule, f"{PATH}.guardian.vetoes", cancels=shown(item.cancels))
    yield from _sender_problems(scenario, path, item)
    yield from _unknown(f"{path}.set", item.set)
    for name, values in item.set.items():
        if name in GOVERNED:
            yield from _market_problems(scenario, f"{path}.set", name, values)


def _sender_problems(scenario: "Scenario", path: str, item: ItemSettings) -> Iterator[Problem]:
    """A proposer that is not there, or a route that leads nowhere."""
    settings = scenario.governance
    route = item.route or settings.route
    if item.set and route == "frozen":
        yield broken(path, "a proposal needs a route, and governance is frozen", f"{PATH}.route", route=route)
        return
    most = _keys(settings).get(route, settings.people.holdings.holders)
    if item.set and item.proposer >= most:
        rule = f"proposer must be one of 0 to {most - 1} on the route {route}"
        yield broken(path, rule, proposer=item.proposer)


def _plot_problems(scenario: "Scenario", path: str, attack: AnyAttack) -> Iterator[Problem]:
    """Attackers of governance who find no door."""
    settings = scenario.governance
    if isinstance(attack, VoteCaptureSettings) and not settings.votes:
        rule = f"votes can only be captured where holders vote, governance.route={settings.route}"
        yield broken(path, rule, f"{PATH}.route", kind=attack.kind)
    if isinstance(attack, KeyTheftSettings | RatchetSettings):
        held = attack.keys if isinstance(attack, KeyTheftSettings) else attack.key + 1
        most = _keys(settings)[attack.route]
        if held > most:
            rule = f"an attacker can only hold keys that the route {attack.route} has, {most}"
            yield broken(path, rule, f"{PATH}.{attack.route}", keys=held)


def _keys(settings: GovernanceSettings) -> dict[str, int]:
    """Number of keys of each route by keys."""
    return {"steward": settings.steward.keys, "hub": settings.hub.keys, "direct": 1}


def _market_problems(
    scenario: "Scenario", path: str, name: str, values: Mapping[str, float] | float
) -> Iterator[Problem]:
    """A value for each market where there is one for each, and one for all where there is one."""
    about = ((*path.split("."), name),)
    if GOVERNED[name].each_market != isinstance(values, Mapping):
        form = "{MARKET: value}" if GOVERNED[name].each_market else "one value"
        yield Problem("", f"{path}.{name}", f"{name} is written as {form}", shown(values), about)
    elif isinstance(values, Mapping):
        for market in values:
            if market not in scenario.markets:
                known = suggestion(market, list(scenario.markets))
                yield Problem("", f"{path}.{name}", f"no such market {shown(market)}{known}", "", about)
