"""Governance in a run: who proposes what and when, and what of it comes into force."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agents.delegates.delegates import Delegates
from agents.delegates.facts import PublicFacts
from agents.guardian import Pause, Veto, Vital, Watch
from agents.risk_engine import Advice
from agents.token_market import TokenMarket
from protocol.arithmetic import MICRO
from protocol.exchange import Exchange
from protocol.governance.governed import setting
from protocol.governance.governor import Governor
from protocol.governance.guardian import Guardian, Scope
from protocol.governance.payload import Payload, Setting, current
from protocol.governance.process import Process
from protocol.governance.proposals import Ballot, Draft, Proposal, State
from protocol.governance.route import Route
from protocol.governance.steward import Steward, StewardRules
from protocol.governance.tokens import Tokens
from protocol.parameters import RiskParameters
from sim.governance.enactment import Enactment
from sim.governance.rules import governor_rules, guardian_rules, order, steward_rules
from sim.governance.settings import GovernanceSettings, ItemSettings, StewardSettings

ENGINE, AGENDA = "risk engine", "agenda"
SLOWNESS = 0.5
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


class Signature(NamedTuple):
    """A key that will sign: when [s], which proposal, which key."""

    due: float
    number: int
    key: int


class Crowd(NamedTuple):
    """Who takes part: the guardian's watch, and where there are votes the token and its holders."""

    watch: Watch
    tokens: Tokens | None = None
    people: Delegates | None = None
    market: TokenMarket | None = None


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
    crowd : Crowd
    markets : tuple of str
        Names.

    Attributes
    ----------
    process : Process
    enactment : Enactment
    acts : list of Act
        Of the guardian.
    receipts : dict of int to int
        Money that each executed proposal has moved between accounts [micro-USD].
    """

    def __init__(
        self,
        exchange: Exchange,
        settings: GovernanceSettings,
        draws: Draws,
        crowd: Crowd,
        markets: tuple[str, ...],
    ) -> None:
        self.exchange, self.settings, self.draws, self.crowd = exchange, settings, draws, crowd
        self.markets = markets
        self.enactment = Enactment(exchange, settings)
        self.guardian = Guardian(guardian_rules(settings.guardian), exchange.pauses)
        self.process = Process(self._routes(), order(settings), self.guardian)
        self.agenda = sorted(settings.agenda, key=lambda item: item.at)
        self.letters: list[Letter] = []
        self.signatures: list[Signature] = []
        self.acts: list[Act] = []
        self.receipts: dict[int, int] = {}
        self._sent = 0

    def reform(self, settings: GovernanceSettings) -> None:
        """Let other settings hold from now on; what is under way goes on by them."""
        self.settings = self.enactment.settings = settings
        self.guardian.rules = guardian_rules(settings.guardian)
        self.crowd.watch.settings = settings.guardian
        self.process.order = order(settings)
        for name, route in self._routes().items():
            held = self.process.routes[name]
            if isinstance(held, Steward) and isinstance(route, Steward):
                held.rules = route.rules
            if isinstance(held, Governor) and isinstance(route, Governor):
                held.rules = route.rules

    def _routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {
            "direct": Steward(StewardRules(review=self.settings.review)),
            "steward": Steward(steward_rules(self.settings.steward)),
            "hub": Steward(steward_rules(self.settings.hub)),
        }
        if self.crowd.tokens is not None:
            routes["governor"] = Governor(governor_rules(self.settings.governor), self.crowd.tokens)
        return routes

    @property
    def ballots(self) -> list[Ballot]:
        """Every vote that counted."""
        governor = self.process.routes.get("governor")
        return governor.ballots if isinstance(governor, Governor) else []

    def execute(self, block: int, time: float) -> None:
        """Let proposals move on, and put into force what is due."""
        self.process.advance(time)
        self.run_due(block, time)
        self.enactment.proceed(block, time)

    def run_due(self, block: int, time: float) -> None:
        """Execute what is due."""

        def enact(proposal: Proposal, parameters: RiskParameters) -> str:
            refusal = self.enactment.enact(parameters, (block, time), proposal.route, proposal.title)
            if not refusal:
                self._pay(proposal, time)
            return refusal

        self.process.execute(time, lambda: self.exchange.parameters, enact)

    def _pay(self, proposal: Proposal, time: float) -> None:
        """Move the money and make the tokens of an executed proposal."""
        payload, crowd = proposal.payload, self.crowd
        if payload.payments:
            self.receipts[proposal.number] = sum(self.exchange.pay(*each) for each in payload.payments)
        for mint in payload.mints:
            if crowd.tokens is not None:
                crowd.tokens.mint(mint.holder, mint.amount, time)
        if (payload.payments or payload.mints) and crowd.market is not None:
            crowd.market.fall()

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
            if route == "governor" and self._pending(market):
                continue
            self._send(Letter(time, route, 0, wanted, title, time, yields=True))

    def _pending(self, market: int) -> bool:
        """Whether the engine still waits for a vote on a market."""
        waiting = [each for each in self.letters if each.yields and each.route == "governor"]
        asked = [each.payload.settings for each in self.process.open if each.title.startswith(ENGINE)]
        asked += [letter.wanted for letter in waiting]
        return any(setting.market == market for settings in asked for setting in settings)

    def observe(self, vital: Vital, facts: Callable[[], PublicFacts]) -> None:
        """Let people act at the end of a block: the agenda, letters that are due, voters, the guardian.

        Parameters
        ----------
        vital : Vital
        facts : callable
            What everybody can see; asked for where somebody votes or wants to propose.
        """
        time = vital.time
        while self.agenda and self.agenda[0].at <= time:
            self._begin(self.agenda.pop(0), time)
        due = [letter for letter in self.letters if letter.due <= time]
        if due:
            self.letters = [letter for letter in self.letters if letter.due > time]
            for letter in due:
                self._submit(letter, time)
        self._sign(time)
        if self.crowd.people is not None:
            self._vote(self.crowd.people, facts, time)
        for veto in self.crowd.watch.vetoed(self.process, time):
            self._veto(veto, time)
        for pause in self.crowd.watch.pauses(vital):
            self._pause(pause, time)

    def _send(self, letter: Letter) -> None:
        self._sent += 1
        self.letters.append(letter._replace(due=letter.due + self._reaction(letter.route)))

    def _keyed(self, route: str) -> StewardSettings | None:
        """Settings of a route by keys of people, or of a hub."""
        return {"steward": self.settings.steward, "hub": self.settings.hub}.get(route)

    def _reaction(self, route: str) -> float:
        """Time until a letter is sent: people look at it first, and may choose a random moment [s]."""
        rules = self._keyed(route)
        if rules is None or not (rules.reaction or rules.jitter):
            return 0.0
        draws = self.draws("governance", route, "reaction", self._sent)
        return float(_slow(rules.reaction, draws) + rules.jitter * draws.random())

    def _call_for_signatures(self, proposal: Proposal) -> None:
        """Ask the other keys of a council, each of which takes its time."""
        rules = self._keyed(proposal.route)
        if rules is None or proposal.state != State.ACTIVE:
            return
        for key in range(rules.keys):
            if key != proposal.proposer:
                draws = self.draws("governance", proposal.route, "signature", proposal.number, key)
                due = proposal.created + _slow(rules.reaction, draws)
                self.signatures.append(Signature(due, proposal.number, key))

    def _sign(self, time: float) -> None:
        """Sign what waits for signatures that are due."""
        due = sorted(each for each in self.signatures if each.due <= time)
        if due:
            self.signatures = [each for each in self.signatures if each.due > time]
            for each in due:
                self.process.sign(each.number, each.key, time)

    def _vote(self, people: Delegates, facts: Callable[[], PublicFacts], time: float) -> None:
        """Let people cast the votes that are due, and bring in what they wish for."""
        if any(each.voted and each.state == State.ACTIVE for each in self.process.open):
            for vote in people.votes(self.process, facts(), time):
                self.process.vote(vote.number, vote.voter, vote.support, time)
        if self.settings.people.initiative.rate:
            for wish in people.wishes(facts(), self.exchange.parameters, time):
                self.process.submit("governor", wish.proposer, wish.draft, self.exchange.parameters, time)

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
            proposer = self._proposer(letter)
            proposal = self.process.submit(letter.route, proposer, draft, parameters, time)
            self._call_for_signatures(proposal)

    def _proposer(self, letter: Letter) -> int:
        """Holder or key that sends a letter.

        Holders who can pay the deposit are numbered by their power, the largest first.
        """
        tokens = self.crowd.tokens
        if letter.route != "governor" or tokens is None:
            return letter.proposer
        deposit = round(self.settings.governor.deposit * MICRO)
        able = tokens.balances - tokens.locked >= deposit
        ranked = np.argsort(np.where(able, -tokens.power, 1), kind="stable")
        return int(ranked[letter.proposer])

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


def _slow(median: float, draws: np.random.Generator) -> float:
    """Time that somebody takes [s], around a median."""
    return float(median * np.exp(SLOWNESS * draws.standard_normal()))
