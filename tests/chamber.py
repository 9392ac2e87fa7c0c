"""A process with one route and a venue's parameters, small enough to be followed by hand."""

from typing import Any

from venue import integers, parameters

from protocol.arithmetic import MICRO
from protocol.governance.governor import Governor, GovernorRules
from protocol.governance.guardian import Guardian
from protocol.governance.payload import ALL, Payload, Setting
from protocol.governance.process import Order, Process
from protocol.governance.proposals import Draft, Proposal, State, Support
from protocol.governance.steward import Steward, StewardRules
from protocol.governance.tokens import Tokens
from protocol.parameters import RiskParameters

HOUR, DAY = 3600.0, 86_400.0
ROUTE = "route"

COMPOUND = GovernorRules(
    threshold=25_000 * MICRO,
    delay=44 * HOUR,
    period=66 * HOUR,
    extension=48 * HOUR,
    quorum=400_000 * MICRO,
    timelock=2 * DAY,
    grace=14 * DAY,
)


def tokens_of(*balances: float) -> Tokens:
    """Holders with so many tokens, each of whom votes himself."""
    return Tokens(integers(*(round(each * MICRO) for each in balances)), integers(*range(len(balances))))


def maintenance(value: int, market: int = 0) -> Setting:
    """A new maintenance margin [ppm]."""
    return Setting("maintenance", market, value)


def fee(value: int) -> Setting:
    """A new taker fee [ppm]."""
    return Setting("taker_fee", ALL, value)


class Chamber:
    """Proposals of one route, and the two markets whose parameters they change.

    Maintenance margins open at 1.2 %, initial ones at 2 %, the taker fee at 0.
    """

    def __init__(
        self,
        rules: GovernorRules | StewardRules,
        *balances: float,
        order: Order = Order(),  # noqa: B008  # a named tuple
        guardian: Guardian | None = None,
        **changes: Any,
    ) -> None:
        self.tokens = tokens_of(*balances)
        route = Governor(rules, self.tokens) if isinstance(rules, GovernorRules) else Steward(rules)
        self.route = route
        self.process = Process({ROUTE: route}, order, guardian)
        self.parameters: RiskParameters = parameters(2, **changes)
        self.refusal = ""

    def propose(self, *settings: Setting, by: int = 0, at: float = 0.0, **draft: Any) -> Proposal:
        """Submit a proposal of these settings."""
        payload = Payload(settings, draft.pop("payments", ()), draft.pop("mints", ()))
        return self.process.submit(ROUTE, by, Draft(payload, **draft), self.parameters, at)

    def vote(self, voter: int, support: Support = Support.FOR, *, at: float, number: int = 0) -> str:
        """Advance to a moment and cast a vote there."""
        self.process.advance(at)
        return self.process.vote(number, voter, support, at)

    def state_at(self, time: float, number: int = -1) -> State:
        """Advance to a moment, execute what is due then, and say where a proposal stands."""
        self.process.advance(time)
        self.process.execute(time, lambda: self.parameters, self._enact)
        return self.process.proposals[number].state

    def _enact(self, proposal: Proposal, changed: RiskParameters) -> str:
        if not self.refusal:
            self.parameters = changed
            for mint in proposal.payload.mints:
                self.tokens.mint(mint.holder, mint.amount, 0.0)
        return self.refusal
