"""Layers of a scenario, each with the places of its keys, and how one is laid over another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any

from sim.bundled import display_name
from sim.configuration import Origin
from sim.problems import Path, Problem
from sim.yaml_source import Document, parse_yaml

ALTERNATIVES = {"event": "points", "points": "event"}


@dataclass
class Layer:
    """Plain data and the origin of every key in it."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Origin] = field(default_factory=dict)
    height: int = 0

    def origin(self, path: Path) -> Origin:
        """Origin of a path, or of the nearest section around it that was written down."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return Origin("", "default", -1)

    def blamed(self, paths: Iterable[Path]) -> Origin:
        """Origin of the setting that was written last, of several that do not go together."""
        return max((self.origin(path) for path in paths), key=lambda origin: origin.rank)


def read_layer(file: File, label: str = "") -> tuple[Layer, list[Problem]]:
    """One YAML file as a layer.

    Parameters
    ----------
    file : Path
        The file.
    label : str
        Origin in the manifest of all that it sets; `file:line` when empty.

    Returns
    -------
    (Layer, list of Problem)
        What could be read, and what is wrong with the file itself.
    """
    name = display_name(file)
    try:
        document = parse_yaml(file.read_bytes(), name)
    except OSError as error:
        return Layer(), [Problem(name, "", f"the file cannot be read: {error.strerror}")]
    if document.data is not None and not isinstance(document.data, dict):
        document.problems.append(Problem(f"{name}:1", "", "the file must be a mapping of sections"))
        document.data = None
    return _layer(document, label), document.problems


def _layer(document: Document, label: str) -> Layer:
    origins = {}
    for path, line in document.lines.items():
        place = document.place(line)
        origins[path] = Origin(place, label or place)
    return Layer(document.data or {}, origins)


def override_layer(overrides: Iterable[str]) -> tuple[Layer, list[Problem]]:
    """Settings given as `a.b.c=value`, the value in YAML; later ones win."""
    layer, problems = Layer(), []
    for text in overrides:
        dotted, equals, value = text.partition("=")
        path = tuple(part.strip() for part in dotted.split("."))
        place = f"--set {text}"
        if not equals or not all(path):
            problems.append(Problem(place, "", "an override is written path=value, as in clock.block=30s"))
            continue
        document = parse_yaml(value, place)
        if document.problems:
            problems += [Problem(place, dotted, problem.rule, problem.value) for problem in document.problems]
            continue
        data: Any = document.data
        for part in reversed(path):
            data = {part: data}
        written = [path[:end] for end in range(1, len(path) + 1)]
        written += [path + below for below in document.lines if below]
        origin = Origin(place, "--set")
        layer = merged(layer, Layer(data, dict.fromkeys(written, origin)))
    return layer, problems


def merged(lower: Layer, upper: Layer) -> Layer:
    """`upper` laid over `lower`.

    Mappings are joined key by key, except that another `kind` starts afresh and an `event` takes the
    place of `points`; lists and values are replaced. A mapping with numbers for keys changes single
    entries of a list.
    """
    origins = dict(lower.origins)
    data = _joined(lower.data, upper.data, (), origins)
    above = lower.height + 1
    raised = {path: replace(origin, rank=origin.rank + above) for path, origin in upper.origins.items()}
    return Layer(data, origins | raised, above + upper.height)


def _joined(lower: Any, upper: Any, path: Path, origins: dict[Path, Origin]) -> Any:
    if isinstance(lower, dict) and upper is None:
        return lower
    if isinstance(lower, dict) and isinstance(upper, dict) and _same_kind(lower, upper):
        changed = {
            key: _joined(lower[key], value, (*path, key), origins) if key in lower else value
            for key, value in upper.items()
        }
        displaced = {ALTERNATIVES[key] for key in upper if key in ALTERNATIVES} - set(upper)
        for key in displaced & set(lower):
            _forget((*path, key), origins)
        return {key: value for key, value in lower.items() if key not in displaced} | changed
    if isinstance(lower, list) and isinstance(upper, dict) and _numbers_entries(upper, len(lower)):
        return [
            _joined(entry, upper[str(index)], (*path, str(index)), origins) if str(index) in upper else entry
            for index, entry in enumerate(lower)
        ]
    _forget(path, origins)
    return upper


def _forget(path: Path, origins: dict[Path, Origin]) -> None:
    """Drop the origins of a path and of all below it."""
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]


def _same_kind(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> bool:
    return "kind" not in lower or "kind" not in upper or lower["kind"] == upper["kind"]


def _numbers_entries(upper: Mapping[str, Any], length: int) -> bool:
    return bool(upper) and all(key.isdecimal() and int(key) < length for key in upper)
