"""What flows do to the outside price: a part that stays, and one that fades.

The impact is the log `P + T`. A net flow Q adds `φ·λ·Q/D₀` to the permanent part P, what the market learns
from it, at ordinary depth; and `(1−φ)·λ·Q/D` to the transient part T, what it costs to be absorbed, at the
depth of the moment. T decays. D is a hundred times the depth within 1 %. Under the square-root law T is
`(1−φ)·λ·√x/100` instead, of a pressure x that takes up Q over the depth within 1 % and fades.

References
----------
.. [1] Huberman and Stanzl, "Price manipulation and quasi-arbitrage" (2004): the permanent part is linear
   under both laws, or round trips would pay.
"""

import numpy as np
from numpy.typing import NDArray

from sim.world_settings import ImpactSettings

Floats = NDArray[np.float64]


def memory(seconds: float, half_life: float) -> float:
    """Weight that is left after `seconds` of a quantity that halves every `half_life` [1]."""
    return float(0.5 ** (seconds / half_life))


class Push:
    """What net purchases so far have made of prices.

    Parameters
    ----------
    settings : ImpactSettings
    seconds : float
        Length of a block [s].
    normal_depth : (m,) float64
        Ordinarily resting within 1 % of the price on a side [USD].

    Attributes
    ----------
    permanent, transient : (m,) float64
        The part that stays, and the one that fades [log].
    """

    def __init__(self, settings: ImpactSettings, seconds: float, normal_depth: Floats) -> None:
        self.settings, self.normal_depth = settings, normal_depth
        self.kept = memory(
            seconds, settings.half_life if settings.law == "linear" else settings.half_life / 2
        )
        self.permanent, self.transient, self.pressure = np.zeros((3, len(normal_depth)))

    @property
    def log(self) -> Floats:
        """Log of the price over what it would be without, (m,)."""
        found: Floats = self.permanent + self.transient
        return found

    def take(self, flow: Floats, depth: Floats) -> None:
        """Let a block's net purchase move the price, after what earlier ones left has faded.

        Parameters
        ----------
        flow, depth : (m,) float64
            Net purchase, and what rests within 1 % of the price on a side at the moment [USD].
        """
        chosen = self.settings
        push = chosen.coefficient * flow / 100
        self.permanent += chosen.permanent * push / self.normal_depth
        if chosen.law == "linear":
            self.transient *= self.kept
            self.transient += (1 - chosen.permanent) * push / depth
        else:
            self.pressure *= self.kept
            self.pressure += flow / depth
            root = np.sign(self.pressure) * np.sqrt(np.abs(self.pressure))
            self.transient = (1 - chosen.permanent) * chosen.coefficient * root / 100
