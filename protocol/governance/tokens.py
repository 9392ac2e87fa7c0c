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
LARGEST_SUPPLY = 2**62


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
    locked : (h,) int64
        The part of each balance that is a deposit, and stays where it is [micro-tokens].
    """

    def __init__(self, balances: Ints, delegates: Ints) -> None:
        count = len(balances)
        if (balances < 0).any():
            raise ValueError(f"balances >= 0 must hold, got {int(balances.min())}")
        if len(delegates) != count or (delegates < NOBODY).any() or (delegates >= count).any():
            raise ValueError(f"delegates must be holders 0 to {count - 1} or {NOBODY}, for each of them")
        supply = sum(balances.tolist())
        if supply > LARGEST_SUPPLY:
            raise ValueError(f"supply <= {LARGEST_SUPPLY} must hold, got {supply}")
        self.balances, self.delegates = balances.astype(np.int64), delegates.astype(np.int64)
        self.locked = np.zeros(count, np.int64)
        self.power = np.zeros(count, np.int64)
        voting = self.delegates != NOBODY
        np.add.at(self.power, self.delegates[voting], self.balances[voting])
        self._opening = self.power.copy()
        self._times: dict[int, list[float]] = {}
        self._powers: dict[int, list[int]] = {}
        self._supplies: list[tuple[float, int]] = [(-np.inf, supply)]
        self._latest = -np.inf

    @property
    def supply(self) -> int:
        """All tokens [micro-tokens]."""
        return self._supplies[-1][1]

    def supply_before(self, time: float) -> int:
        """Supply as it was before a moment [micro-tokens]."""
        return self._supplies[bisect_left(self._supplies, (time, -1)) - 1][1]

    def power_before(self, holder: int, time: float) -> int:
        """Power at the end of the last moment before `time`: what came at `time` itself does not count."""
        self._require(holder)
        index = bisect_left(self._times.get(holder, []), time)
        return self._powers[holder][index - 1] if index else int(self._opening[holder])

    def power_at(self, holder: int, time: float) -> int:
        """Power at `time`, with all that has happened at that moment so far."""
        self._require(holder)
        index = bisect_right(self._times.get(holder, []), time)
        return self._powers[holder][index - 1] if index else int(self._opening[holder])

    def transfer(self, source: int, target: int, amount: int, time: float) -> None:
        """Move tokens between holders; their power moves along."""
        self._require(source, target)
        amount = self._spendable(source, amount)
        self._pass(time)
        self.balances[source] -= amount
        self.balances[target] += amount
        self._shift(int(self.delegates[source]), -amount, time)
        self._shift(int(self.delegates[target]), amount, time)

    def mint(self, holder: int, amount: int, time: float) -> None:
        """Make new tokens for a holder."""
        self._require(holder)
        amount = int(amount)
        if not 0 <= amount <= LARGEST_SUPPLY - self.supply:
            raise ValueError(
                f"amount >= 0 and supply + amount <= {LARGEST_SUPPLY} must hold, got amount={amount}, "
                f"supply={self.supply}"
            )
        self._pass(time)
        self.balances[holder] += amount
        self._supplies.append((time, self.supply + amount))
        self._shift(int(self.delegates[holder]), amount, time)

    def burn(self, holder: int, amount: int, time: float) -> None:
        """Destroy tokens of a holder."""
        self._require(holder)
        amount = self._spendable(holder, amount)
        self._pass(time)
        self.balances[holder] -= amount
        self._supplies.append((time, self.supply - amount))
        self._shift(int(self.delegates[holder]), -amount, time)

    def delegate(self, holder: int, to: int, time: float) -> None:
        """Let a holder's tokens vote through somebody else from now on."""
        self._require(holder)
        if not NOBODY <= to < len(self.balances):
            raise ValueError(f"a delegate must be a holder or {NOBODY}, got {to}")
        self._pass(time)
        amount = int(self.balances[holder])
        self._shift(int(self.delegates[holder]), -amount, time)
        self.delegates[holder] = to
        self._shift(to, amount, time)

    def free(self, holder: int) -> int:
        """Tokens that a holder may move [micro-tokens]."""
        self._require(holder)
        return int(self.balances[holder] - self.locked[holder])

    def lock(self, holder: int, amount: int) -> None:
        """Keep tokens of a holder where they are; a negative amount sets them free again."""
        self._require(holder)
        if not -self.locked[holder] <= amount <= self.free(holder):
            raise ValueError(
                f"-locked <= amount <= free must hold, got amount={amount}, locked={self.locked[holder]}, "
                f"free={self.free(holder)} (holder {holder})"
            )
        self.locked[holder] += amount

    def _require(self, *holders: int) -> None:
        """Refuse who is no holder; a negative number would count from the end."""
        for holder in holders:
            if not 0 <= holder < len(self.balances):
                raise ValueError(f"a holder must be one of 0 to {len(self.balances) - 1}, got {holder}")

    def _spendable(self, holder: int, amount: int) -> int:
        """The amount, if a holder may move it."""
        if not 0 <= amount <= self.free(holder):
            raise ValueError(
                f"0 <= amount <= free must hold, got amount={amount}, free={self.free(holder)} "
                f"(holder {holder})"
            )
        return int(amount)

    def _pass(self, time: float) -> None:
        """Note that tokens move now; the past stays as it was."""
        if time < self._latest:
            raise ValueError(f"tokens move in the order of time, got {time} after {self._latest}")
        self._latest = time

    def _shift(self, delegate: int, amount: int, time: float) -> None:
        if delegate == NOBODY or amount == 0:
            return
        self.power[delegate] += amount
        times, powers = self._times.setdefault(delegate, []), self._powers.setdefault(delegate, [])
        if times and times[-1] == time:
            powers[-1] = int(self.power[delegate])
        else:
            times.append(time)
            powers.append(int(self.power[delegate]))
