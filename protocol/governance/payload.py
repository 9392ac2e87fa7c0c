"""What a proposal does when it is executed: parameters it sets, money it moves, tokens it mints."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from protocol.parameters import RiskParameters

ALL = -1
UNBOUNDED = 2**62


class Setting(NamedTuple):
    """A new value of one parameter.

    Attributes
    ----------
    parameter : str
        Field of `RiskParameters`.
    market : int
        ALL for a parameter that the venue has once.
    value : int
        In the parameter's unit.
    """

    parameter: str
    market: int
    value: int


class Payment(NamedTuple):
    """Money moved between two accounts of the venue [micro-USD], as far as it is there."""

    source: int
    target: int
    amount: int


class Mint(NamedTuple):
    """New tokens [micro-tokens] for a holder."""

    holder: int
    amount: int


class Payload(NamedTuple):
    """All that one proposal does, at once."""

    settings: tuple[Setting, ...] = ()
    payments: tuple[Payment, ...] = ()
    mints: tuple[Mint, ...] = ()


def current(parameters: RiskParameters, setting: Setting) -> int:
    """Value in force of the parameter that a setting is about."""
    held = getattr(parameters, setting.parameter)
    return int(held) if setting.market == ALL else int(held[setting.market])


def applied(parameters: RiskParameters, settings: Iterable[Setting]) -> RiskParameters:
    """Parameters after some settings; those given are left as they are.

    Raises
    ------
    ValueError
        If a setting is about no parameter, or no market, of the venue, or its value is no integer of it.
    """
    values: dict[str, object] = {}
    for setting in settings:
        if not -UNBOUNDED <= setting.value <= UNBOUNDED:
            raise ValueError(f"{setting.parameter} must be within ±{UNBOUNDED}, got {setting.value}")
        held = values.get(setting.parameter, getattr(parameters, setting.parameter, None))
        if isinstance(held, np.ndarray) and held.ndim == 1 and 0 <= setting.market < len(held):
            held = held.copy()
            held[setting.market] = setting.value
        elif isinstance(held, int) and setting.market == ALL:
            held = int(setting.value)
        else:
            raise ValueError(
                f"a setting must name a parameter and a market of the venue, got {setting.parameter} "
                f"of market {setting.market}"
            )
        values[setting.parameter] = held
    return parameters._replace(**values)  # type: ignore[arg-type]  # the types are those of the fields
