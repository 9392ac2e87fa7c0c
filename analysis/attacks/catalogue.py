"""The bundled attacks: which scenario shows each, what guards against it, and what only seems to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from agents.settings import Settings, parameter
from sim.problems import Problem, ScenarioError, suggestion

FILE = Path(__file__).with_name("catalogue.yaml")
Number = Literal["profit", "executed", "shift"]
NUMBERS: tuple[Number, ...] = get_args(Number)
HOLE = "hole"


class SuccessRule(Settings):
    """When an attack counts as a success: a number of its run above a bar."""

    number: Number = parameter("profit", "")
    above: float = parameter(0.0, "")


class Sweep(Settings):
    """A guard in several strengths, the weakest first."""

    path: str = parameter(..., "", description="setting that is swept")
    values: tuple[Any, ...] = parameter(..., "")
    unit: str = parameter("", "")
    more: tuple[str, ...] = parameter((), "", description="settings that belong to it")


class AttackCase(Settings):
    """One attack of the catalogue; guards and controls are settings laid over its scenario, by name."""

    scenario: str = parameter(..., "")
    success: SuccessRule = SuccessRule()
    hole: tuple[str, ...] = parameter((), "", description="settings that open it")
    guards: dict[str, tuple[str, ...]] = parameter({}, "")
    controls: dict[str, tuple[str, ...]] = parameter({}, "", description="what sounds like a guard")
    swept: Sweep | None = None

    def arms(self) -> dict[str, tuple[str, ...]]:
        """Settings over the scenario, by the name under which they are run; the hole first."""
        found = {HOLE: self.hole}
        found |= {name: (*self.hole, *settings) for name, settings in (self.guards | self.controls).items()}
        return found | {name: (*self.hole, *settings) for name, settings in self.strengths().items()}

    def strengths(self) -> dict[str, tuple[str, ...]]:
        """The swept guard's settings, by name."""
        if self.swept is None:
            return {}
        leaf = self.swept.path.rpartition(".")[2]
        return {
            f"{leaf} {value}": (f"{self.swept.path}={value}", *self.swept.more) for value in self.swept.values
        }


def load_catalogue(file: Path = FILE) -> dict[str, AttackCase]:
    """Attacks by name, in the order of a catalogue.

    Raises
    ------
    ScenarioError
        Listing everything in the file that is not as it should be.
    """
    text = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        return TypeAdapter(dict[str, AttackCase]).validate_python(text, strict=False)
    except ValidationError as error:
        raise ScenarioError(
            Problem(file.name, ".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()
        ) from error


def chosen(catalogue: dict[str, AttackCase], names: Sequence[str]) -> dict[str, AttackCase]:
    """The attacks that are asked for; all, if none is.

    Raises
    ------
    ScenarioError
        For names that the catalogue does not hold.
    """
    unknown = [name for name in names if name not in catalogue]
    if unknown:
        raise ScenarioError(
            Problem("", "", f"no attack {name!r}{suggestion(name, catalogue)}") for name in unknown
        )
    return {name: case for name, case in catalogue.items() if not names or name in names}
