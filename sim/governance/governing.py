"""Governance in a run: who proposes what and when, and what of it comes into force."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agents.guardian import Pause, Veto, Vital, Watch
from agents.risk_engine import Advice
from protocol.exchange import Exchange
from protocol.governance.governor import Governor
from protocol.governance.guardian import Guardian, Scope
from protocol.governance.payload import Payload, Setting, current
from protocol.governance.process import Process
from protocol.governance.proposals import Ballot, Draft, Proposal
from protocol.governance.route import Route
from protocol.governance.steward import Steward, StewardRules
from protocol.parameters import RiskParameters
from sim.governance.enactment import Enactment
from sim.governance.governed import setting
from sim.governance.rules import guardian_rules, order, steward_rules
from sim.governance.settings import GovernanceSettings, ItemSettings, StewardSettings

ENGINE, AGENDA = "risk engine", "agenda"
Draws = Callable[..., np.random.Generator]


class Letter(NamedTuple):
    """A proposal on its way.

    Attributes
    ----------
    due : float
        When it is sent [s].
    route : str
    proposer : int
        Holder of tokens, or key.
    wanted : tuple of Setting
    title : str
    published : float
        Moment that it speaks of [s].
    yields : bool
        Whether its sender asks for no more than the bounds of the route allow.
    """

    due: float
    route: str
    proposer: int
    wanted: tuple[Setting, ...]
    title: str
    published: float
    yields: bool


class Act(NamedTuple):
    """What the guardian did: when [s], what to, and why; a refusal tells why it could not."""

    time: float
    act: str
    target: str
    reason: str
    refusal: str


class Governance:
    """Lets proposals become rules.

    Parameters
    ----------
    exchange : Exchange
    settings : GovernanceSettings
    draws : callable
        `draws(*name)` makes the generator of one named decision.
    watch : Watch
        Eyes of the guardian.
    markets : tuple of str
        Names.

    Attributes
    ----------
    process : Process
    enactment : Enactment
    acts : list of Act
        Of the guardian.
    """

    def __init__(
        self,
        exchange: Exchange,
        settings: GovernanceSettings,
        draws: Draws,
        watch: Watch,
        markets: tuple[str, ...],
    ) -> None:
        self.exchange, self.settings, self.draws, self.watch = exchange, settings, draws, watch
        self.markets = markets
        self.enactment = Enactment(exchange, settings)
        self.guardian = Guardian(guardian_rules(settings.guardian), exchange.pauses)
        self.process = Process(self._routes(), order(settings), self.guardian)
        self.agenda = sorted(settings.agenda, key=lambda item: item.at)
        self.letters: list[Letter] = []
        self.acts: list[Act] = []
        self._sent = 0

    def _routes(self) -> dict[str, Route]:
        return {
            "direct": Steward(StewardRules(review=self.settings.review)),
            "steward": Steward(steward_rules(self.settings.steward)),
            "hub": Steward(steward_rules(self.settings.hub)),
        }

    @property
    def ballots(self) -> list[Ballot]:
        """Every vote that counted."""
        governor = self.process.routes.get("governor")
        return governor.ballots if isinstance(governor, Governor) else []

    def execute(self, block: int, time: float) -> None:
        """Let proposals move on, and put into force what is due."""
        self.process.advance(time)

        def enact(proposal: Proposal, parameters: RiskParameters) -> str:
            return self.enactment.enact(parameters, (block, time), proposal.route, proposal.title)

        self.process.execute(time, lambda: self.exchange.parameters, enact)
        self.enactment.proceed(block, time)

    def advise(self, advice: Advice, time: float) -> None:
        """Send what an engine wants by the route of the scenario, one letter for each market."""
        route = self.settings.route
        if route == "frozen":
            return
        for market in range(len(self.markets)):
            wanted = tuple(
                Setting(name, market, int(values[market])) for name, values in advice.values.items()
            )
            title = f"{ENGINE}: {advice.reason}"
            self._send(Letter(time, route, 0, wanted, title, time, yields=True))

    def observe(self, vital: Vital) -> None:
        """Let people act at the end of a block: the agenda, letters that are due, the guardian."""
        time = vital.time
        while self.agenda and self.agenda[0].at <= time:
            self._begin(self.agenda.pop(0), time)
        due = [letter for letter in self.letters if letter.due <= time]
        if due:
            self.letters = [letter for letter in self.letters if letter.due > time]
            for letter in due:
                self._submit(letter, time)
        for veto in self.watch.vetoed(self.process, time):
            self._veto(veto, time)
        for pause in self.watch.pauses(vital):
            self._pause(pause, time)

    def _send(self, letter: Letter) -> None:
        self._sent += 1
        self.letters.append(letter._replace(due=letter.due + self._reaction(letter.route)))

    def _reaction(self, route: str) -> float:
        """Time until a letter is sent: people look at it first, and may choose a random moment [s]."""
        rules = {"steward": self.settings.steward, "hub": self.settings.hub}.get(route)
        if not isinstance(rules, StewardSettings) or not (rules.reaction or rules.jitter):
            return 0.0
        draws = self.draws("governance", route, "reaction", self._sent)
        slow, moment = draws.standard_normal(), draws.random()
        return float(rules.reaction * np.exp(0.5 * slow) + rules.jitter * moment)

    def _submit(self, letter: Letter, time: float) -> None:
        """Propose what a letter wants, as far as bounds reach, unless all of it holds already."""
        parameters, route = self.exchange.parameters, self.process.routes[letter.route]
        wanted = tuple(each for each in letter.wanted if current(parameters, each) != each.value)
        asked = wanted
        if isinstance(route, Steward) and letter.yields:
            asked = route.within_bounds(wanted, parameters)
        if any(current(parameters, each) != each.value for each in asked):
            cut = sum(a != b for a, b in zip(asked, wanted, strict=True))
            draft = Draft(Payload(asked), letter.title, cut, letter.published)
            self.process.submit(letter.route, letter.proposer, draft, parameters, time)

    def _begin(self, item: ItemSettings, time: float) -> None:
        """Do what stands on the agenda."""
        for scope in item.pause:
            self._pause(Pause(scope, float(item.length), AGENDA), time)
        if item.cancels:
            for proposal in self.process.open:
                if proposal.title == item.cancels:
                    self._veto(Veto(proposal.number, AGENDA), time)
        if item.set:
            wanted = tuple(
                setting(name, self.markets.index(market) if market else 0, value)
                for name, values in item.set.items()
                for market, value in (values if isinstance(values, dict) else {"": values}).items()
            )
            route, title = item.route or self.settings.route, item.title or AGENDA
            self._send(Letter(time, route, item.proposer, wanted, title, time, yields=False))

    def _veto(self, veto: Veto, time: float) -> None:
        title = self.process.proposals[veto.number].title
        refusal = self.process.cancel(veto.number, time, f"vetoed by the guardian: {veto.reason}")
        self.acts.append(Act(time, "veto", title, veto.reason, refusal))

    def _pause(self, pause: Pause, time: float) -> None:
        scope: Scope = pause.scope
        refusal = self.guardian.pause(scope, time, pause.length)
        self.acts.append(Act(time, "pause", scope, pause.reason, refusal))
