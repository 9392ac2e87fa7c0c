"""Voting power: who holds tokens, to whom they are delegated, and what power that was at any past moment.

Each change leaves a checkpoint with its time, so that a vote can be weighed by what its caster had before a
proposal was known. Tokens that are delegated to nobody do not vote.

References
----------
.. [1] OpenZeppelin Contracts, Votes and Checkpoints: past votes are those at the end of a past clock tick.
"""

from bisect import bisect_left, bisect_right

import numpy as np

from protocol.book import Ints

NOBODY = -1


class Tokens:
    """Balances and delegation of a governance token.

    Parameters
    ----------
    balances : (h,) int64
        Of each holder [micro-tokens].
    delegates : (h,) int64
        Holder that each one's tokens vote through; himself, another, or NOBODY.

    Attributes
    ----------
    power : (h,) int64
        Delegated to each holder now [micro-tokens].
    """

    def __init__(self, balances: Ints, delegates: Ints) -> None:
        count = len(balances)
        if (balances < 0).any():
            raise ValueError(f"balances >= 0 must hold, got {int(balances.min())}")
        if len(delegates) != count or (delegates < NOBODY).any() or (delegates >= count).any():
            raise ValueError(f"delegates must be holders 0 to {count - 1} or {NOBODY}, for each of them")
        self.balances, self.delegates = balances.astype(np.int64), delegates.astype(np.int64)
        self.power = np.zeros(count, np.int64)
        voting = self.delegates != NOBODY
        np.add.at(self.power, self.delegates[voting], self.balances[voting])
        self._opening = self.power.copy()
        self._times: dict[int, list[float]] = {}
        self._powers: dict[int, list[int]] = {}
        self._supplies: list[tuple[float, int]] = [(-np.inf, int(self.balances.sum()))]

    @property
    def supply(self) -> int:
        """All tokens [micro-tokens]."""
        return self._supplies[-1][1]

    def supply_before(self, time: float) -> int:
        """Supply as it was before a moment [micro-tokens]."""
        return self._supplies[bisect_left(self._supplies, (time, -1)) - 1][1]

    def power_before(self, holder: int, time: float) -> int:
        """Power at the end of the last moment before `time`: what came at `time` itself does not count."""
        index = bisect_left(self._times.get(holder, []), time)
        return self._powers[holder][index - 1] if index else int(self._opening[holder])

    def power_at(self, holder: int, time: float) -> int:
        """Power at `time`, with all that has happened at that moment so far."""
        index = bisect_right(self._times.get(holder, []), time)
        return self._powers[holder][index - 1] if index else int(self._opening[holder])

    def transfer(self, source: int, target: int, amount: int, time: float) -> None:
        """Move tokens between holders; their power moves along."""
        if not 0 <= amount <= self.balances[source]:
            raise ValueError(
                f"0 <= amount <= balance must hold, got amount={amount}, balance={self.balances[source]} "
                f"(holder {source})"
            )
        self.balances[source] -= amount
        self.balances[target] += amount
        self._shift(int(self.delegates[source]), -amount, time)
        self._shift(int(self.delegates[target]), amount, time)

    def mint(self, holder: int, amount: int, time: float) -> None:
        """Make new tokens for a holder."""
        if amount < 0:
            raise ValueError(f"amount >= 0 must hold, got {amount}")
        self.balances[holder] += amount
        self._supplies.append((time, self.supply + amount))
        self._shift(int(self.delegates[holder]), amount, time)

    def burn(self, holder: int, amount: int, time: float) -> None:
        """Destroy tokens of a holder."""
        if not 0 <= amount <= self.balances[holder]:
            raise ValueError(
                f"0 <= amount <= balance must hold, got amount={amount}, balance={self.balances[holder]} "
                f"(holder {holder})"
            )
        self.balances[holder] -= amount
        self._supplies.append((time, self.supply - amount))
        self._shift(int(self.delegates[holder]), -amount, time)

    def delegate(self, holder: int, to: int, time: float) -> None:
        """Let a holder's tokens vote through somebody else from now on."""
        if not NOBODY <= to < len(self.balances):
            raise ValueError(f"a delegate must be a holder or {NOBODY}, got {to}")
        amount = int(self.balances[holder])
        self._shift(int(self.delegates[holder]), -amount, time)
        self.delegates[holder] = to
        self._shift(to, amount, time)

    def _shift(self, delegate: int, amount: int, time: float) -> None:
        if delegate == NOBODY or amount == 0:
            return
        self.power[delegate] += amount
        times, powers = self._times.setdefault(delegate, []), self._powers.setdefault(delegate, [])
        if times and time < times[-1]:
            raise ValueError(f"tokens move in the order of time, got {time} after {times[-1]}")
        if times and times[-1] == time:
            powers[-1] = int(self.power[delegate])
        else:
            times.append(time)
            powers.append(int(self.power[delegate]))
