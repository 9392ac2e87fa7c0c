"""What attackers of governance share: an account of their costs, and of when they began to act."""

from typing import ClassVar

import mesa
import numpy as np

from agents.attackers.attack import Attack, AttackSettings
from agents.attackers.chamber import Chamber
from agents.attackers.holding import Holding
from agents.role import Stream
from protocol.book import Ints


class Intrigue(Attack):
    """An attacker who lives on how rules change.

    Attributes
    ----------
    numbers : list of int
        Proposals that it has brought in.
    first : float
        Time of its first act that others could have noticed [s]; infinite before.
    holding : Holding
        Its tokens, and what it has spent on votes and keys.
    """

    proposes: ClassVar[bool] = False

    def __init__(
        self, model: mesa.Model, accounts: Ints, stream: Stream, settings: AttackSettings, market: int
    ) -> None:
        super().__init__(model, accounts, stream, settings, market)
        self.numbers: list[int] = []
        self.first = np.inf
        self.holding = Holding(int(accounts[0]))

    def plot(self, chamber: Chamber) -> None:
        """Pursue the scheme, from its time on."""
        if chamber.time >= self.start:
            self.scheme(chamber)

    def scheme(self, chamber: Chamber) -> None:
        """What it does with governance, or learns there, at the end of a block."""
        raise NotImplementedError

    def act_first(self, time: float) -> None:
        """Note when it first did anything that others could have noticed."""
        self.first = min(self.first, time)
