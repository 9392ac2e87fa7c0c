"""Validation that goes on after the first broken setting, so that all problems come at once."""

from typing import Any

from pydantic import ValidationError

from sim.configuration import Scenario
from sim.layers import Layer
from sim.problems import Path, Problem
from sim.validation import located, type_problems

REQUIRED: dict[Path, Any] = {
    ("protocol",): {},
    ("protocol", "markets"): {},
    ("world",): {},
    ("world", "prices"): {"kind": "waypoints"},
}
MARKET = {"lot": 1.0, "tick": 1.0, "initial_margin": 1.0, "maintenance_margin": 0.5}


def validated(layer: Layer) -> tuple[Scenario | None, list[Problem], set[Path]]:
    """Scenario of a layer; where settings are broken, the scenario without them.

    Returns
    -------
    scenario : Scenario or None
        Has defaults in the place of broken settings; None if even that fails.
    problems : list of Problem
        Everything that types and bounds refuse.
    removed : set of paths
        The broken settings, with list entries counted as they were written.
    """
    problems: list[Problem] = []
    removed: set[Path] = set()
    while True:
        data = _without(layer.data, removed)
        if removed:
            _stand_in(data)
        try:
            return Scenario.model_validate(data, context={"checks_follow": True}), problems, removed
        except ValidationError as error:
            problems = problems or type_problems(error, layer, Scenario)
            broken = {_culprit(detail["type"], located(detail["loc"], data)) for detail in error.errors()}
            known, removed = removed, removed | {written(path, layer.data, removed) for path in broken}
            if removed == known:
                return None, problems, removed


def written(path: Path, data: Any, removed: set[Path]) -> Path:
    """Path as it was written, of a path in data from which list entries were removed."""
    found: Path = ()
    for step in path:
        if isinstance(data, list) and step.isdecimal():
            kept = [index for index in range(len(data)) if (*found, str(index)) not in removed]
            step = str(kept[int(step)])
            data = data[int(step)]
        else:
            data = data.get(step) if isinstance(data, dict) else None
        found = (*found, step)
    return found


def touches(path: Path, removed: set[Path]) -> bool:
    """Whether a path is, holds or lies in a removed setting."""
    return any(path[: len(gone)] == gone or gone[: len(path)] == path for gone in removed)


def _culprit(kind: str, path: Path) -> Path:
    """What to take out: the broken value, or the section that lacks a required one."""
    has_stand_in = path in REQUIRED or (path[:2] == ("protocol", "markets") and path[-1] in MARKET)
    return path if kind != "missing" or has_stand_in else path[:-1]


def _without(data: Any, removed: set[Path], path: Path = ()) -> Any:
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if (*path, key) not in removed}
        return {key: _without(value, removed, (*path, key)) for key, value in kept.items()}
    if isinstance(data, list):
        entries = [(*path, str(index)) for index in range(len(data))]
        return [
            _without(value, removed, entry)
            for value, entry in zip(data, entries, strict=True)
            if entry not in removed
        ]
    return data


def _stand_in(data: dict[str, Any]) -> None:
    """Give required sections that were broken or missing a value that validation accepts."""
    for path, value in REQUIRED.items():
        section = data
        for step in path[:-1]:
            section = section[step]
        section.setdefault(path[-1], value.copy())
    for name, market in data["protocol"]["markets"].items():
        data["protocol"]["markets"][name] = MARKET | market
