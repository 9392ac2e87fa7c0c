"""The rules of random histories of governance, and the dice that they are drawn with."""

import numpy as np

from protocol.governance.governor import GovernorRules
from protocol.governance.limits import Bound
from protocol.governance.steward import StewardRules
from sim.streams import stream

KEYS, DRAWS = 3, 1_000


class Dice:
    """Numbers drawn at once, used up one by one."""

    def __init__(self, seed: int) -> None:
        self.left = iter(stream(seed, "governance", "history").integers(0, 2**31, DRAWS).tolist())

    def below(self, most: int) -> int:
        """One of 0 to most - 1."""
        return int(next(self.left)) % most

    def among(self, *things: object) -> object:
        """One of some things."""
        return things[self.below(len(things))]

    def happens(self, once_in: int) -> bool:
        """True once in so many times."""
        return self.below(once_in) == 0


def governor_rules(dice: Dice, unit: int) -> GovernorRules:
    """Some way to vote; clocks of a few seconds, a few tens of units of tokens."""
    one = dice.among
    return GovernorRules(
        threshold=one(0, 0, 0, 5, 20) * unit,
        deposit=one(0, 0, 3, 10) * unit,
        rechecked=dice.happens(3),
        delay=float(one(0, 1, 3)),
        period=float(one(0, 2, 4, 6)),
        extension=float(one(0, 0, 2, 6)),
        weighing=one("opening", "creation", "voting"),
        quorum=one(0, 0, 10, 30) * unit,
        quorum_share=one(0, 40_000, 334_000),
        counts_abstentions=dice.happens(2),
        counts_against=dice.happens(2),
        majority=one(500_000, 500_000, 666_667),
        differential=one(0, 0, 7) * unit,
        veto=one(0, 0, 334_000),
        timelock=float(one(0, 1, 3)),
        grace=one(0.0, 2.0, 5.0, np.inf),
        emergency_share=one(0, 300_000, 500_000),
        emergency_wait=float(one(0, 0, 2)),
    )


def steward_rules(dice: Dice) -> StewardRules:
    """Some way to act by keys."""
    one = dice.among
    bounds = {
        "maintenance": Bound(one(500, 2_000, 5_000), one(500, 5_000), False),
        "taker_fee": Bound(one(300_000, 1_000_000), one(100_000, 300_000), True),
    }
    window = float(one(0, 0, 6))
    return StewardRules(
        keys=KEYS,
        approvals=one(1, 1, 2, 3),
        signing=one(2.0, 6.0, np.inf),
        review=float(one(0, 0, 2)),
        grace=one(2.0, 6.0, np.inf),
        expiry=one(3.0, 8.0, np.inf),
        ordered=dice.happens(2),
        spacing=float(one(0, 3, 5)),
        spacings={"taker_fee": 2.0} if dice.happens(3) else {},
        bounds={} if dice.happens(4) else bounds,
        only_bounded=dice.happens(4),
        truncates=dice.happens(2),
        joint=dice.happens(2),
        window=window,
        drift={"maintenance": Bound(one(2_000, 6_000), one(1_000, 6_000), False)} if window else {},
    )
