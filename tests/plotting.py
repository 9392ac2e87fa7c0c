"""A chamber of governance without a venue around it, in which attackers can be watched block by block."""

from dataclasses import dataclass, field

import mesa
import numpy as np
from small import empty_venue

from agents.attackers.chamber import Chamber
from agents.attackers.intrigue import Intrigue
from agents.attackers.kinds import AnyAttack, attacker
from agents.token_market import TokenMarket, TokenSettings
from protocol.arithmetic import MICRO
from protocol.governance.governor import Governor, GovernorRules
from protocol.governance.guardian import Guardian, GuardianRules, Pauses
from protocol.governance.process import Order, Process
from protocol.governance.proposals import Proposal, Support
from protocol.governance.steward import Steward, StewardRules
from protocol.governance.tokens import NOBODY, Tokens
from protocol.parameters import RiskParameters
from sim.streams import stream

HOUR, DAY = 3600.0, 86_400.0
VOTERS, LENDER, PLOTTER = 4, 4, 5
FUND, ACCOUNT = 0, 1
SUPPLY = 1_000_000
RULES = GovernorRules(
    threshold=1_000 * MICRO,
    delay=2 * DAY,
    period=3 * DAY,
    quorum=40_000 * MICRO,
    timelock=2 * DAY,
    weighing="opening",
)
TOKEN = TokenSettings(price=10.0, depth=1e6, lendable=0.1, flash=0.2)


def electorate() -> Tokens:
    """Four voters with 30,000 tokens each, the market with the rest, and a plotter with nothing."""
    balances = np.array([30_000] * VOTERS + [SUPPLY - 30_000 * VOTERS, 0], np.int64) * MICRO
    return Tokens(balances, np.array([0, 1, 2, 3, NOBODY, PLOTTER]))


@dataclass
class Stage:
    """Governance in blocks of an hour: a fund of 5 million USD, voters who vote against in mid-period."""

    rules: GovernorRules = RULES
    keys: StewardRules = field(default_factory=StewardRules)
    guardian: GuardianRules = field(default_factory=GuardianRules)
    against: int = 1
    money: float = 1e6
    token: TokenSettings = TOKEN

    def __post_init__(self) -> None:
        self.tokens = electorate()
        self.market = TokenMarket(self.token, self.tokens.supply)
        self.cash = np.array([0.0, self.money * MICRO])
        self.funds = np.array([5_000_000 * MICRO, 0], np.int64)
        self.parameters = empty_venue("dydx_v4").parameters
        routes = {"governor": Governor(self.rules, self.tokens), "steward": Steward(self.keys)}
        self.process = Process(routes, Order(), Guardian(self.guardian, Pauses()))
        self.time = 0.0

    def chamber(self) -> Chamber:
        """What a plotter sees now."""
        return Chamber(
            time=self.time,
            seconds=HOUR,
            process=self.process,
            parameters=self.parameters,
            route="governor",
            tokens=self.tokens,
            market=self.market,
            cash=self.cash,
            money=self.funds,
            purses=(FUND, FUND, FUND),
            holder=PLOTTER,
            lender=LENDER,
            execute=self.execute,
        )

    def execute(self) -> None:
        """Put into force what is due."""
        self.process.execute(self.time, lambda: self.parameters, self.enact)

    def enact(self, proposal: Proposal, parameters: RiskParameters) -> str:
        """Move money, make tokens, set parameters."""
        for source, target, amount in proposal.payload.payments:
            paid = min(amount, int(self.funds[source]))
            self.funds[[source, target]] += -paid, paid
        for mint in proposal.payload.mints:
            self.tokens.mint(mint.holder, mint.amount, self.time)
        if proposal.payload.payments or proposal.payload.mints:
            self.market.fall()
        self.parameters = parameters
        return ""

    def play(self, plotter: Intrigue, until: float) -> None:
        """Let blocks pass."""
        while self.time < until:
            self.time += HOUR
            self.process.advance(self.time)
            self.execute()
            plotter.plot(self.chamber())
            for proposal in self.process.open:
                if proposal.voted and proposal.opens + DAY <= self.time <= proposal.closes:
                    for voter in range(self.against):
                        self.process.vote(proposal.number, voter, Support.AGAINST, self.time)


def plotter(settings: AnyAttack) -> Intrigue:
    """An attacker with the second account."""
    made = attacker(mesa.Model(rng=1), np.array([ACCOUNT]), lambda *name: stream(1, *name), settings, 0)
    assert isinstance(made, Intrigue)
    return made
