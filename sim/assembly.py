"""From a scenario's name or file to one layer: what it extends, its preset, and overrides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path as File
from typing import Any

from sim.bundled import bundled, display_name, names
from sim.layers import Layer, merged, override_layer, read_layer
from sim.problems import Path, Problem, shown, suggestion

OWN = ("name", "description")


@dataclass
class Assembly:
    """All layers of a scenario laid over each other, defaults aside.

    Attributes
    ----------
    layer : Layer
        Preset below extended files below the file below the overrides.
    sources : dict of path to str
        Where the preset's numbers were read.
    problems : list of Problem
        What kept a layer from being read.
    gaps : set of paths
        Sections that lack a layer for that reason, so that what is missing there is no mistake.
    """

    layer: Layer
    sources: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    gaps: set[Path] = field(default_factory=set)


def assemble(source: str | File, overrides: Sequence[str]) -> Assembly:
    """Layers of the scenario at a path or of a bundled name, with overrides as `a.b.c=value` on top."""
    upper, problems = override_layer(overrides)
    file = find_scenario(source)
    if file is None:
        rule = f"no such scenario file or bundled scenario{suggestion(str(source), names('scenario'))}"
        return Assembly(upper, problems=[Problem(str(source), "", rule), *problems], gaps={()})
    layer, unread = _chain(file, (file.resolve(),))
    layer.data.setdefault("name", file.stem)
    assembly = Assembly(merged(layer, upper), problems=[*unread, *problems], gaps={()} if unread else set())
    gone = _settle_markets(assembly.layer.data)
    _lay_on_preset(assembly, gone)
    return assembly


def find_scenario(source: str | File) -> File | None:
    """File of a scenario given by path or bundled name."""
    file = File(source)
    return file if file.is_file() else bundled("scenario", str(source))


def _chain(file: File, ancestors: tuple[File, ...]) -> tuple[Layer, list[Problem]]:
    """A file on top of what it extends."""
    layer, problems = read_layer(file)
    _anchor_candles(layer.data, file.parent)
    if "extends" not in layer.data:
        return layer, problems
    parent = layer.data.pop("extends")
    place = layer.origins.pop(("extends",)).place
    base_file = _extended(parent, file.parent)
    if base_file is None:
        rule = f"no such scenario {shown(parent)}{suggestion(str(parent), names('scenario'))}"
        problems.append(Problem(place, "extends", rule))
        return layer, problems
    if base_file.resolve() in ancestors:
        chain = " -> ".join(display_name(each) for each in (file, base_file))
        problems.append(Problem(place, "extends", "a scenario must not extend itself", chain))
        return layer, problems
    base, more = _chain(base_file, (*ancestors, base_file.resolve()))
    for key in OWN:
        base.data.pop(key, None)
        base.origins.pop((key,), None)
    return merged(base, layer), [*problems, *more]


def _extended(parent: Any, folder: File) -> File | None:
    if not isinstance(parent, str) or not parent:
        return None
    beside = folder / parent
    return beside if beside.is_file() else bundled("scenario", parent)


def _section(data: dict[str, Any], *path: str) -> dict[str, Any]:
    """A section of plain data; an empty one where it is missing or no mapping."""
    for step in path:
        below = data.get(step)
        data = below if isinstance(below, dict) else {}
    return data


def _anchor_candles(data: dict[str, Any], folder: File) -> None:
    """Make candle paths that lead from the scenario's folder valid from the current one."""
    prices = _section(data, "world", "prices")
    path = prices.get("path")
    if isinstance(path, str):
        prices["path"] = _anchored(path, folder)
    elif isinstance(path, dict):
        prices["path"] = {
            market: _anchored(each, folder) if isinstance(each, str) else each
            for market, each in path.items()
        }


def _anchored(path: str, folder: File) -> str:
    if not path or File(path).is_absolute():
        return path
    there = (
        any(folder.glob(path.replace("{market}", "*"))) if "{market}" in path else (folder / path).is_file()
    )
    return (folder / path).as_posix() if there else path


def _settle_markets(data: dict[str, Any]) -> set[str]:
    """Read `BTC:` as a market with nothing set and `BTC: none` as no market; return the latter."""
    markets = _section(data, "protocol", "markets")
    gone = {name for name, market in markets.items() if market == "none"}
    for name, market in list(markets.items()):
        if name in gone:
            del markets[name]
        elif market is None:
            markets[name] = {}
    return gone


def _lay_on_preset(assembly: Assembly, gone: set[str]) -> None:
    """Put the preset that a scenario names below it; of its markets, those that the scenario names."""
    layer = assembly.layer
    name = _section(layer.data, "protocol").get("preset", "none")
    if name == "none":
        return
    file = bundled("preset", name) if isinstance(name, str) else None
    if file is None:
        place = layer.origin(("protocol", "preset")).place
        rule = f"no such preset {shown(name)}{suggestion(str(name), ['none', *names('preset')])}"
        assembly.problems.append(Problem(place, "protocol.preset", rule))
        assembly.gaps.add(("protocol",))
        return
    preset, problems = read_layer(file, f"preset:{name}")
    patterns = preset.data.pop("sources", {})
    _keep_markets(preset, set(_section(layer.data, "protocol", "markets")), gone)
    assembly.layer = merged(preset, layer)
    assembly.sources = _sources(preset, patterns)
    assembly.problems += problems


def _keep_markets(preset: Layer, wanted: set[str], gone: set[str]) -> None:
    markets = preset.data["protocol"].get("markets", {})
    kept = [name for name in markets if (name in wanted or not wanted) and name not in gone]
    preset.data["protocol"]["markets"] = {name: markets[name] for name in kept}


def _sources(preset: Layer, patterns: dict[str, str]) -> dict[Path, str]:
    """Source of each setting of a preset; `*` in a pattern stands for any market."""
    return {
        path: source
        for path in preset.origins
        for pattern, source in patterns.items()
        if fnmatchcase(".".join(path), f"protocol.{pattern}")
    }
