"""The outsider of a counterfactual: takes what is liquidated, holds it, and moves no price."""

import numpy as np

from agents.role import Actions, Endowment, Role, View
from protocol.arithmetic import MICRO
from protocol.book import Ints

MULTIPLE = 20.0
LARGEST = 2e12 * MICRO


class Outsider(Role):
    """One account with money for more than the whole of open interest, and no wishes."""

    name = "outsider"

    def endow(self, open_interest: float, price: Ints) -> Endowment:
        """Money [micro-USD], and no position."""
        cash = np.array([int(min(MULTIPLE * open_interest + MICRO, LARGEST))])
        return Endowment(cash, np.zeros(1), np.zeros((len(price), 1), np.int64))

    def act(self, view: View) -> Actions:
        """Nothing."""
        return Actions()
