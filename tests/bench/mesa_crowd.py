"""The crowd as plain Mesa agents: one object for each account, asked each block."""

import mesa
from bench.crowd import FIRST, MARKETS, Crowd, Outcome

from protocol.arithmetic import PPM
from protocol.book import FEES, INSURANCE, VAULT


def part(amount: int, rate: int) -> int:
    """A part of an amount, rounded up [micro-USD; ppm]."""
    return -(-amount * rate // PPM)


class Trader(mesa.Agent):
    """An account: its cash and its positions.

    Parameters
    ----------
    account : int
    cash : int
        [micro-USD]
    positions : dict
        Lots by market; none is 0.
    """

    def __init__(self, model: "MesaCrowd", account: int, cash: int, positions: dict[int, int]) -> None:
        super().__init__(model)
        self.account = account
        self.cash = cash
        self.positions = positions

    def act(self) -> None:
        """Trade to the wanted size, if awake and if margin allows it."""
        decision = self.model.decisions.get(self.account)
        if decision is not None:
            self.trade(*decision)

    def check(self) -> None:
        """Be liquidated, if below maintenance."""
        equity, maintenance = self.risk(self.positions, self.model.maintenance)
        if equity < maintenance:
            self.liquidate(equity)

    def risk(self, positions: dict[int, int], rates: list[int]) -> tuple[int, int]:
        """Equity of cash and the positions it has, and what `positions` require at these rates."""
        mark, equity, required = self.model.mark, self.cash, 0
        for market, lots in self.positions.items():
            equity += lots * mark[market]
        for market, lots in positions.items():
            required += part(abs(lots) * mark[market], rates[market])
        return equity, required

    def trade(self, market: int, wanted: int) -> None:
        lots = wanted - self.positions.get(market, 0)
        if lots == 0:
            return
        quote = lots * self.model.mark[market]
        fee = part(abs(quote), self.model.taker_fee)
        after = {**self.positions, market: wanted}
        if self.allowed(after, fee):
            self.exchange(market, lots)
            self.cash -= fee
            self.model.fees += fee

    def allowed(self, after: dict[int, int], fee: int) -> bool:
        """Whether initial margin is met afterwards, or was not met before and the account is no riskier."""
        equity, initial = self.risk(after, self.model.initial)
        if equity - fee >= initial:
            return True
        if equity >= self.risk(self.positions, self.model.initial)[1]:
            return False
        before = self.risk(self.positions, self.model.maintenance)[1]
        then = self.risk(after, self.model.maintenance)[1]
        return then <= before and (equity - fee) * before >= equity * then

    def exchange(self, market: int, lots: int) -> None:
        """Buy lots from the house at the mark."""
        quote = lots * self.model.mark[market]
        self.positions[market] = self.positions.get(market, 0) + lots
        if self.positions[market] == 0:
            del self.positions[market]
        self.cash -= quote
        self.model.house_cash += quote

    def liquidate(self, equity: int) -> None:
        """Close every position, and let the insurance fund pay what is missing."""
        for market, lots in sorted(self.positions.items()):
            self.model.liquidations.append((self.model.block, self.account, market, lots, equity))
            self.exchange(market, -lots)
        paid = min(max(-self.cash, 0), self.model.fund)
        self.cash += paid
        self.model.fund -= paid


class MesaCrowd(mesa.Model):
    """The crowd, its house and its insurance fund."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(seed=0)
        rules = crowd.parameters
        self.initial, self.maintenance = rules.initial.tolist(), rules.maintenance.tolist()
        self.taker_fee = rules.taker_fee
        self.prices = crowd.price.tolist()
        self.mark = crowd.opening.tolist()
        self.block = 0
        self.cash, self.plan = crowd.cash, crowd.decisions
        self.decisions: dict[int, tuple[int, int]] = {}
        self.fees, self.fund, self.house_cash = (int(crowd.cash[each]) for each in (FEES, INSURANCE, VAULT))
        self.liquidations: list[tuple[int, int, int, int, int]] = []
        for account in range(FIRST, len(crowd.cash)):
            sizes = {market: int(crowd.size[market, account]) for market in range(len(MARKETS))}
            positions = {market: lots for market, lots in sizes.items() if lots}
            Trader(self, account, int(crowd.cash[account]), positions)

    def step(self) -> None:
        """New marks, then everybody's decisions, then everybody's margin."""
        self.mark = self.prices[self.block]
        self.decisions = self.decided()
        self.agents.do("act")
        self.agents.do("check")
        self.block += 1

    def run(self, blocks: int) -> None:
        """Advance by so many blocks."""
        for _ in range(blocks):
            self.step()

    def decided(self) -> dict[int, tuple[int, int]]:
        """Market and wanted size of those who wake in this block, by account."""
        now = slice(self.plan.first[self.block], self.plan.first[self.block + 1])
        account, market, wanted = (each[now].tolist() for each in self.plan[1:])
        return dict(zip(account, zip(market, wanted, strict=True), strict=True))

    def outcome(self) -> Outcome:
        """What has happened."""
        cash = self.cash.copy()
        cash[[FEES, INSURANCE, VAULT]] = self.fees, self.fund, self.house_cash
        cash[FIRST:] = self.agents.get("cash")
        return Outcome(self.liquidations, cash)

    def close(self) -> None:
        """Let Mesa forget this model, which it would otherwise keep alive."""
        self.remove_all_agents()
        mesa.Agent._ids.pop(self, None)
