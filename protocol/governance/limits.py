"""How far a parameter may ever go, and how far it may go at once."""

from collections.abc import Mapping
from typing import NamedTuple

from protocol.arithmetic import PPM
from protocol.governance.payload import Setting
from protocol.parameters import RiskParameters

UNBOUNDED = 2**62


class Range(NamedTuple):
    """Least and greatest value that a parameter may have, in its unit."""

    least: int
    most: int


class Bound(NamedTuple):
    """Largest change at once.

    Attributes
    ----------
    up, down : int
        In the parameter's unit, or [ppm] of the value in force.
    relative : bool
    """

    up: int
    down: int
    relative: bool

    def around(self, value: int) -> Range:
        """Values that a change may lead to from `value`; rounded toward it."""
        up = self.up * value // PPM if self.relative else self.up
        down = self.down * value // PPM if self.relative else self.down
        return Range(value - down, value + up)

    def drift(self, value: int, changes: int) -> Range:
        """Values that so many changes in a row may lead to."""
        low = high = value
        for _ in range(changes):
            low, high = max(0, self.around(low).least), min(UNBOUNDED, self.around(high).most)
        return Range(low, high)


def outside_limits(parameters: RiskParameters, limits: Mapping[str, Range]) -> list[str]:
    """Sentences on each parameter that lies outside its limits."""
    found = []
    for name, limit in limits.items():
        held = getattr(parameters, name)
        values = [held] if isinstance(held, int) else held.tolist()
        found += [
            f"{limit.least} <= {name} <= {limit.most} must hold, got {value}"
            for value in values
            if not limit.least <= value <= limit.most
        ]
    return found


def truncated(setting: Setting, value: int, bound: Bound) -> Setting:
    """A setting as far as the bound around the value in force lets it go."""
    allowed = bound.around(value)
    return setting._replace(value=min(max(setting.value, allowed.least), allowed.most))
