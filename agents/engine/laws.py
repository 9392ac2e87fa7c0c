"""Laws of what a market may lose over the engine's horizons, by regime."""

from math import inf
from typing import NamedTuple

import numpy as np

from agents.engine.settings import RiskEngineSettings, TargetSettings
from agents.engine.targets import Outlook, Outlooks
from agents.models.hmm import HMM
from agents.models.loss_law import LossLaw, StateReturns, loss_law, tail
from agents.models.parameters import Markov, stationary_law
from protocol.book import Floats, Ints

LEAST_STAY = 20
NOTHING = Outlook(0.0, 0.0, 0.0)


class Laws(NamedTuple):
    """The laws of one market's return over the liquidation horizon and over the time to top up.

    Attributes
    ----------
    liquidation, top_up : LossLaw
    calm, cycle, stressed : Outlook
        In the calmest regime, through the cycle, and in the wildest.
    """

    liquidation: LossLaw
    top_up: LossLaw
    calm: Outlook = NOTHING
    cycle: Outlook = NOTHING
    stressed: Outlook = NOTHING

    def outlook(self, probability: Floats, targets: TargetSettings) -> Outlook:
        """Losses, given probabilities of the regime in the next step, (K,)."""
        late = tail(self.liquidation, probability, targets.level)
        slow = tail(self.top_up, probability, targets.top_up_level)
        fall = tail(self.liquidation, probability, targets.level, "long").quantile
        return Outlook(late.shortfall, slow.quantile, fall)

    def outlooks(self, probability: Floats, targets: TargetSettings) -> Outlooks:
        """The same beside what does not depend on the present."""
        return Outlooks(self.outlook(probability, targets), self.calm, self.cycle, self.stressed)


def market_laws(
    settings: RiskEngineSettings, emitted: list[StateReturns], chain: Floats, order: Ints
) -> list[Laws]:
    """The laws of every market.

    Parameters
    ----------
    emitted : list of StateReturns
        By market.
    chain : (K, K) ndarray
        Transitions over a step.
    order : (K,) ndarray of int64
        Regimes from the calmest to the wildest.
    """
    targets, pure = settings.targets, np.eye(len(chain))
    spans = (targets.horizon / settings.every, targets.top_up / settings.every)
    moves = chain if settings.regimes == "chain" else pure
    always = (pure[order[0]], stationary_law(chain), pure[order[-1]])
    found = []
    for returns in emitted:
        liquidation, top_up = (loss_law(returns, moves, span) for span in spans)
        laws = Laws(liquidation, top_up)
        found.append(Laws(liquidation, top_up, *(laws.outlook(each, targets) for each in always)))
    return found


def emitted_returns(parameters: Markov) -> list[StateReturns]:
    """The law of each market's return in each state, where the states emit returns.

    Learnt drifts are noise at these horizons, and left out.
    """
    still = np.zeros(parameters.states)
    return [
        StateReturns(still, np.sqrt(parameters.scale[:, i, i]), parameters.degrees)
        for i in range(parameters.series)
    ]


def labelled_returns(returns: Floats, label: Ints, states: int) -> list[StateReturns]:
    """The law of each market's return in each state, from steps that are known to belong to it.

    Drifts are left out. A state with fewer than 20 steps takes the law of all.
    """
    found = []
    for column in returns.T:
        seen = ~np.isnan(column)
        rows = []
        for state in range(states):
            inside = column[seen & (label == state)]
            rows.append(one_law(inside if len(inside) >= LEAST_STAY else column[seen]))
        found.append(StateReturns(*(np.array(each) for each in zip(*rows, strict=True))))
    return found


def one_law(returns: Floats) -> tuple[float, float, float]:
    """Mean 0, scale and degrees of freedom of a sample's Student-t law."""
    if not np.ptp(returns) > 0:
        return 0.0, 1e-9, inf
    law = HMM(1).fit(returns).parameters_
    return 0.0, float(np.sqrt(law.scale[0, 0, 0])), float(law.degrees[0])
