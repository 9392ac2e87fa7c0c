"""What everybody can see of the protocol, and how much protection that asks for."""

from typing import NamedTuple

import numpy as np

from agents.role import View
from protocol.book import INSURANCE, Book, Floats
from protocol.governance.payload import ALL
from protocol.parameters import RiskParameters

DEBT = 100.0


class PublicFacts(NamedTuple):
    r"""The state of the protocol as voters read it.

    With stress :math:`s = \sigma / \sigma_{calm}`, the fund over its opening level :math:`\phi` and bad debt
    over open interest :math:`b`, the need for protection is

    .. math:: n = s (2 - \min(\phi, 1)) + 100 b

    which is 1 on an ordinary day.

    Attributes
    ----------
    opening : RiskParameters
        In force at the start.
    volatility, calm_volatility : (m,) float64
        Recent, and of ordinary times [1/√s].
    fund : float
        Insurance funds over what they had at the start [1].
    bad_debt : float
        Equity below zero of all accounts, over open interest [1].
    usage : (m,) float64, optional
        Open interest over its cap [1], 0 where there is none; None: caps bind as if they were used up.
    """

    opening: RiskParameters
    volatility: Floats
    calm_volatility: Floats
    fund: float = 1.0
    bad_debt: float = 0.0
    usage: Floats | None = None

    def stress(self, market: int) -> float:
        """Volatility over that of ordinary times [1]; the worst of all markets for what they share."""
        calm = np.where(self.calm_volatility > 0, self.calm_volatility, 1.0)
        ratio = np.where(self.calm_volatility > 0, self.volatility / calm, 1.0)
        return float(ratio.max() if market == ALL else ratio[market])

    def need(self, market: int) -> float:
        """Need for protection [1]."""
        return self.stress(market) * (2.0 - min(self.fund, 1.0)) + DEBT * self.bad_debt


def ordinary_day(parameters: RiskParameters) -> PublicFacts:
    """Facts of a day on which nothing happens."""
    calm = np.ones(len(parameters.initial))
    return PublicFacts(parameters, calm, calm)


def insurance(book: Book) -> int:
    """Cash of all insurance funds [micro-USD]."""
    return int(book.cash[np.union1d(book.fund, [INSURANCE])].sum())


def public_facts(view: View, opening: RiskParameters, fund: int) -> PublicFacts:
    """The facts of a moment.

    Parameters
    ----------
    view : View
    opening : RiskParameters
        In force at the start.
    fund : int
        `insurance` at the start [micro-USD]; 0 or less counts as a fund that is neither full nor empty.
    """
    book, cap = view.book, view.parameters.open_interest_cap
    interest = book.open_interest * book.oracle.astype(np.float64)
    debt = -float(np.minimum(view.risk[0], 0).sum())
    return PublicFacts(
        opening,
        view.volatility,
        view.calm_volatility,
        fund=max(insurance(book), 0) / fund if fund > 0 else 1.0,
        bad_debt=debt / max(float(interest.sum()), 1.0),
        usage=np.where(cap > 0, interest / np.maximum(cap, 1), 0.0),
    )
