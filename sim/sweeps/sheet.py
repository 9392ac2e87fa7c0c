"""A sweep file as written: its data, the place of every key, and what is found to be wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import numpy as np
import yaml

from sim.bundled import bundled, names
from sim.configuration import Origin
from sim.layers import Layer, read_layer
from sim.problems import Path, Problem, ScenarioError, shown, suggestion
from sim.yaml_source import CoreLoader

FROM_PYTHON = "sweep"


@dataclass
class Sheet:
    """A sweep file as written.

    Attributes
    ----------
    layer : Layer
        Its data and the place of every key.
    text : str
        The file itself; for a sweep made in Python the YAML of it.
    folder : Path
        Where relative paths begin.
    problems : list of Problem
        What was found to be wrong so far.
    """

    layer: Layer
    text: str
    folder: File
    problems: list[Problem] = field(default_factory=list)

    def complain(self, path: Path, rule: str, value: str = "") -> None:
        """Note a broken rule at a path of the file."""
        self.problems.append(Problem(self.layer.origin(path).place, ".".join(path), rule, value))


def read_sheet(source: str | File | Mapping[str, Any]) -> Sheet:
    """Sweep file at a path or of a bundled name, or a sweep made in Python.

    Raises
    ------
    ScenarioError
        When there is nothing to read.
    """
    if isinstance(source, Mapping):
        return _made_in_python(source)
    file = File(source) if File(source).is_file() else bundled("sweep", str(source))
    if file is None:
        rule = f"no such sweep file or bundled sweep{suggestion(str(source), names('sweep'))}"
        raise ScenarioError([Problem(str(source), "", rule)])
    layer, problems = read_layer(file)
    if problems and not layer.data:
        raise ScenarioError(problems)
    layer.data.setdefault("name", file.stem)
    return Sheet(layer, file.read_text(encoding="utf-8", errors="replace"), file.parent, problems)


def _made_in_python(source: Mapping[str, Any]) -> Sheet:
    data = _plain(source, ())
    origins = dict.fromkeys(_inside(data), Origin(FROM_PYTHON, FROM_PYTHON))
    return Sheet(Layer(data, origins), as_yaml(data), File())


def _plain(value: Any, path: Path) -> Any:
    """What YAML has words for, of what is at hand in Python."""
    if isinstance(value, Mapping):
        return {str(key): _plain(below, (*path, str(key))) for key, below in value.items()}
    if isinstance(value, list | tuple | range | np.ndarray):
        return [_plain(below, (*path, str(index))) for index, below in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, File):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise ScenarioError([Problem(FROM_PYTHON, ".".join(path), "must be plain data", shown(value))])


class _CoreDumper(yaml.SafeDumper):
    """Writes what `CoreLoader` reads back as it was."""

    yaml_implicit_resolvers = CoreLoader.yaml_implicit_resolvers


def as_yaml(data: Any, in_one_line: bool = False) -> str:
    """Plain data as YAML, its keys in their order."""
    style: dict[str, Any] = {"default_flow_style": True, "width": float("inf")} if in_one_line else {}
    text: str = yaml.dump(data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, **style)
    return text.removesuffix("\n").removesuffix("\n...") if in_one_line else text


def unfolded(written: Layer, at: Path = (), onto: Path = ()) -> tuple[Layer, list[Problem]]:
    """Part of a file as a layer of a scenario, in which `protocol.insurance_fund: 0` is nested.

    Parameters
    ----------
    written : Layer
        The file.
    at : path
        Where the part stands in the file.
    onto : path
        Where it belongs in a scenario.

    Returns
    -------
    (Layer, list of Problem)
        The layer, its origins those of the file; and what the part says twice.
    """
    value: Any = written.data
    for step in at:
        value = value[int(step)] if isinstance(value, list) else value[step]
    layer, problems = Layer(), []
    for keys, leaf in leaves(value):
        source, path = (*at, *keys), (*onto, *".".join(keys).split(".")) if keys else onto
        if not all(step.strip() for step in path):
            rule = "a key must not have an empty part"
        elif path and not _planted(layer, path, leaf, written, source):
            rule = f"a setting must stand once, and {'.'.join(path)} is set twice"
        else:
            continue
        problems.append(Problem(written.origin(source).place, ".".join(source), rule))
    return layer, problems


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Paths and values of nested mappings; lists and empty mappings are values."""
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, below in value.items():
        yield from leaves(below, (*path, key))


def _planted(layer: Layer, path: Path, leaf: Any, written: Layer, source: Path) -> bool:
    """Whether a value found its place in a layer, which it does not where another one stands."""
    section, origin = layer.data, written.origin(source)
    for end, step in enumerate(path[:-1], 1):
        section = section.setdefault(step, {})
        layer.origins.setdefault(path[:end], origin)
        if not isinstance(section, dict):
            return False
    if path[-1] in section:
        return leaf == {} and isinstance(section[path[-1]], dict)
    section[path[-1]] = leaf
    layer.origins |= {(*path, *below): written.origin((*source, *below)) for below in _inside(leaf)}
    return True


def _inside(value: Any) -> Iterator[Path]:
    """Path of a value, which is empty, and those of all that it holds."""
    yield ()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield from ((str(key), *path) for path in _inside(below))
