"""The vocabulary of scenario settings: frozen, typed, with unit and source on every number."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LARGEST_USD = 1e12


class Settings(BaseModel):
    """A section of a scenario file: unknown keys, wrong types and NaN are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def parameter(default: Any, unit: str, source: str | None = None, **constraints: Any) -> Any:
    """A number with its unit and its source; no source means that the value is assumed.

    An amount of money is at most 1e12 USD, for the venue counts millionths of them in 64 bits.

    Parameters
    ----------
    default : Any
        Value used where the scenario says nothing; `...` makes it required.
    unit : str
        "1" for pure numbers, "USD", "1/day", "bp", …
    source : str, optional
        Where the default was read or measured.
    constraints : Any
        pydantic's `gt`, `ge`, `lt`, `le`, `description`.
    """
    if unit == "USD" and not isinstance(default, dict):
        constraints = {"le": LARGEST_USD} | constraints
    provenance: dict[str, Any] = {"unit": unit, "source": source or "assumed"}
    return Field(default, json_schema_extra=provenance, **constraints)


def parse_duration(value: object) -> object:
    """Seconds of `90s`, `15m`, `2h` or `3d`; anything else is left for the type check to refuse."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", value)
        if not match:
            raise ValueError("a duration is a number and a unit, as in 60s, 15m, 2h or 3d")
        seconds = float(match[1]) * SECONDS[match[2]]
        if seconds != int(seconds):
            raise ValueError("a duration is a whole number of seconds")
        return int(seconds)
    if isinstance(value, int) and not isinstance(value, bool) and value != 0:
        raise ValueError("a duration needs its unit, as in 60s, 15m, 2h or 3d")
    return value


def entries(value: object) -> object:
    """A YAML list as a tuple; an empty `key:` is an empty list."""
    return () if value is None else tuple(value) if isinstance(value, list) else value


Duration = Annotated[int, BeforeValidator(parse_duration)]
