"""How far a parameter may ever go, and how far it may go at once."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.governance.payload import UNBOUNDED, Setting
from protocol.parameters import RiskParameters


class Range(NamedTuple):
    """Least and greatest value that a parameter may have, in its unit."""

    least: int
    most: int

    def nearest(self, value: int) -> int:
        """The value of the range that is nearest to a value."""
        return min(max(value, self.least), self.most)


ANYTHING = Range(-UNBOUNDED, UNBOUNDED)


class Bound(NamedTuple):
    """Largest change at once.

    Attributes
    ----------
    up, down : int
        In the parameter's unit, or [ppm] of the absolute value in force.
    relative : bool
    """

    up: int
    down: int
    relative: bool

    def around(self, value: int) -> Range:
        """Values that a change may lead to from `value`; rounded toward it."""
        up = self.up * abs(value) // PPM if self.relative else self.up
        down = self.down * abs(value) // PPM if self.relative else self.down
        return Range(value - down, value + up)

    def drift(self, value: int, changes: int) -> Range:
        """Values that so many changes in a row may lead to; what is not negative stays so."""
        low = high = value
        lowest = 0 if value >= 0 else -UNBOUNDED
        for _ in range(changes):
            low = max(lowest, self.around(low).least)
            high = min(UNBOUNDED, self.around(high).most)
        return Range(low, high)


def outside_limits(parameters: RiskParameters, limits: Mapping[str, Range]) -> list[str]:
    """Sentences on each parameter that lies outside its limits."""
    found = []
    for name, limit in limits.items():
        found += [
            f"{limit.least} <= {name} <= {limit.most} must hold, got {value}"
            for value in np.ravel(getattr(parameters, name)).tolist()
            if not limit.least <= value <= limit.most
        ]
    return found


def truncated(setting: Setting, value: int, bound: Bound) -> Setting:
    """A setting as far as the bound around the value in force lets it go."""
    return setting._replace(value=bound.around(value).nearest(setting.value))
