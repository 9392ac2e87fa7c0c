"""The crowd as numpy arrays: decisions and margin of everybody at once, no compiled code."""

from collections.abc import Iterable

import numpy as np
from bench.crowd import FIRST, Crowd, Outcome

from protocol.arithmetic import PPM
from protocol.book import FEES, INSURANCE, VAULT, Ints

ROUNDING = 10.0


def part(amount: Ints, rate: Ints | int) -> Ints:
    """A part of amounts, rounded up, without overflow [micro-USD; ppm]."""
    whole, rest = np.divmod(amount, PPM)
    return whole * rate - (-rest * rate) // PPM


class NumpyCrowd:
    """Cash (n,) and sizes (2, n) of all accounts."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.rules = crowd, crowd.parameters
        self.cash, self.size = crowd.cash.copy(), crowd.size.copy()
        self.mark, self.block = crowd.opening, 0
        self.liquidations: list[tuple[int, int, int, int, int]] = []

    def run(self, blocks: int) -> None:
        """Advance by so many blocks."""
        for _ in range(blocks):
            self.step()

    def step(self) -> None:
        """New marks, then decisions, then everybody's margin."""
        first, account, market, wanted = self.crowd.decisions
        now = slice(first[self.block], first[self.block + 1])
        self.mark = self.crowd.price[self.block]
        self.trade(account[now], market[now], wanted[now])
        for each in self.failing().tolist():
            self.liquidate(each)
        self.block += 1

    def outcome(self) -> Outcome:
        """What has happened."""
        return Outcome(self.liquidations, self.cash)

    def required(self, size: Ints, rate: Ints) -> Ints:
        """Margin of positions, (2, k), at a rate of each market; (k,) [micro-USD]."""
        return part(np.abs(size) * self.mark[:, None], rate[:, None]).sum(axis=0)

    def trade(self, account: Ints, market: Ints, wanted: Ints) -> None:
        """Bring accounts, each once, to their wanted sizes, as far as their margin allows it."""
        before = self.size[:, account]
        after = before.copy()
        after[market, np.arange(len(account))] = wanted
        quote = (after - before) * self.mark[:, None]
        fee = part(np.abs(quote), self.rules.taker_fee).sum(axis=0)
        equity = self.cash[account] + self.mark @ before
        done = (before != after).any(axis=0) & self.allowed(before, after, equity, fee)
        who = account[done]
        self.size[:, who] = after[:, done]
        self.size[:, VAULT] -= (after - before)[:, done].sum(axis=1)
        self.cash[who] -= quote[:, done].sum(axis=0) + fee[done]
        self.cash[VAULT] += quote[:, done].sum()
        self.cash[FEES] += fee[done].sum()

    def allowed(self, before: Ints, after: Ints, equity: Ints, fee: Ints) -> np.ndarray:
        """Who meets initial margin afterwards, or did not meet it before and is no riskier then."""
        initial, maintenance = self.rules.initial, self.rules.maintenance
        fine = equity - fee >= self.required(after, initial)
        asked = np.flatnonzero(~fine & (equity < self.required(before, initial)))
        held = self.required(before[:, asked], maintenance), self.required(after[:, asked], maintenance)
        rows: Iterable[tuple[int, ...]] = np.stack([asked, equity[asked], fee[asked], *held], axis=1).tolist()
        for index, worth, paid, needed, then in rows:
            fine[index] = then <= needed and (worth - paid) * needed >= worth * then
        return fine

    def failing(self) -> Ints:
        """Traders below maintenance, ascending: sieved in floats, decided in integers."""
        slack = self.cash.astype(np.float64)
        for size, mark, rate in zip(self.size, self.mark, self.rules.maintenance / PPM, strict=True):
            slack += size * mark - np.abs(size) * (mark * rate)
        found = np.flatnonzero(slack < ROUNDING)
        found = found[found >= FIRST]
        size = self.size[:, found]
        equity = self.cash[found] + self.mark @ size
        return found[size.any(axis=0) & (equity < self.required(size, self.rules.maintenance))]

    def liquidate(self, account: int) -> None:
        """Close every position of an account, and let the insurance fund pay what is missing."""
        size = self.size[:, account].copy()
        equity = int(self.cash[account] + self.mark @ size)
        for market in np.flatnonzero(size).tolist():
            self.liquidations.append((self.block, account, market, int(size[market]), equity))
        self.size[:, account] = 0
        self.size[:, VAULT] += size
        self.cash[VAULT] -= self.mark @ size
        paid = min(max(-equity, 0), int(self.cash[INSURANCE]))
        self.cash[account] = equity + paid
        self.cash[INSURANCE] -= paid
