"""A scenario as plain data, and where each of its numbers comes from."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from agents.settings import parse_duration
from sim.configuration import Origin, Scenario
from sim.problems import Path

TITLES = ("name", "description")


def resolved(scenario: Scenario) -> dict[str, Any]:
    """Every setting as JSON-able data that loads to an equal scenario; durations as `60s`."""
    data: dict[str, Any] = _plain(scenario, None)
    return data


def plain(settings: BaseModel) -> dict[str, Any]:
    """A section of a scenario as JSON-able data, durations as `60s`."""
    data: dict[str, Any] = _plain(settings, None)
    return data


def provenance(scenario: Scenario) -> list[dict[str, Any]]:
    """Every parameter with its value, unit, source and origin.

    Returns
    -------
    list of dict
        `path` (dotted), `value`, `unit` ("1" for pure numbers, "" for names), `source` (where the value was
        read or measured; "assumed"; "scenario" when a file or an override set it) and `origin`
        (`default`, `preset:NAME`, `FILE:LINE` or `--set`).
    """
    default = Origin("", "default")
    rows = []
    for path, value, field in _leaves(scenario, (), None):
        if path[0] in TITLES:
            continue
        unit, source = _documented(field)
        origin = scenario._origins.of.get(path, default).label
        if origin.startswith("preset:"):
            source = scenario._origins.sources.get(path, "assumed")
        elif origin != "default":
            source = "scenario"
        rows.append(
            {"path": ".".join(path), "value": value, "unit": unit, "source": source, "origin": origin}
        )
    return rows


def is_duration(field: FieldInfo) -> bool:
    """Whether a field holds durations, alone, optional or in a container."""
    return _marks_duration(field.metadata) or _nests_duration(field.annotation)


def _marks_duration(metadata: Any) -> bool:
    return any(isinstance(mark, BeforeValidator) and mark.func is parse_duration for mark in metadata)


def _nests_duration(annotation: Any) -> bool:
    if _marks_duration(getattr(annotation, "__metadata__", ())):
        return True
    return any(_nests_duration(argument) for argument in get_args(annotation))


def _members(model: BaseModel, around: FieldInfo | None) -> Iterator[tuple[str, Any, FieldInfo | None]]:
    """Fields of a section; entries beyond them, as prices in a waypoint, take the unit of what holds them."""
    for name, field in type(model).model_fields.items():
        yield name, getattr(model, name), field
    for name, value in (model.__pydantic_extra__ or {}).items():
        yield name, value, around


def _plain(value: Any, field: FieldInfo | None) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(member, inner) for name, member, inner in _members(value, field)}
    if isinstance(value, Mapping):
        return {key: _plain(member, field) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member, field) for member in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if field is not None and isinstance(value, int) and not isinstance(value, bool) and is_duration(field):
        return f"{value}s"
    return value


def _leaves(value: Any, path: Path, field: FieldInfo | None) -> Iterator[tuple[Path, Any, FieldInfo | None]]:
    if isinstance(value, BaseModel):
        for name, member, inner in _members(value, field):
            yield from _leaves(member, (*path, name), inner)
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from _leaves(member, (*path, key), field)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _leaves(member, (*path, str(index)), field)
    else:
        yield path, _plain(value, field), field


def _documented(field: FieldInfo | None) -> tuple[str, str]:
    extra = field.json_schema_extra if field is not None else None
    if not isinstance(extra, dict):
        return "", "assumed"
    return str(extra.get("unit", "")), str(extra.get("source", "assumed"))
