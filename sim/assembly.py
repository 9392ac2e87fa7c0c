"""From a scenario's name or file to one layer: what it extends, its preset, and overrides."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache, reduce
from pathlib import Path as File
from typing import Any

from sim.bundled import bundled, display_name, names
from sim.layers import Layer, merged, override_layer, read_layer
from sim.plugins import module_file
from sim.problems import Path, Problem, shown, suggestion

OWN = ("name", "description")
PRESETS = {"protocol": "preset", "governance": "governance"}


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
    files = read_scenario(source)
    upper, problems = override_layer(overrides)
    files.problems += problems
    return laid(files, upper)


def read_scenario(source: str | File) -> Assembly:
    """The file of a scenario on top of what it extends, without its preset."""
    file = find_scenario(source)
    if file is None:
        rule = f"no such scenario file or bundled scenario{suggestion(str(source), names('scenario'))}"
        return Assembly(Layer(), problems=[Problem(str(source), "", rule)], gaps={()})
    layer, unread = _chain(file, (file.resolve(),))
    layer.data.setdefault("name", file.stem)
    return Assembly(layer, problems=unread, gaps={()} if unread else set())


def laid(files: Assembly, *upper: Layer) -> Assembly:
    """Layers laid over a scenario's files in turn, and all of it on its preset; `files` stays as it is."""
    layer = reduce(merged, upper, files.layer)
    data, gone = _with_settled_markets(layer.data)
    assembly = Assembly(replace(layer, data=data), problems=list(files.problems), gaps=set(files.gaps))
    _lay_on_preset(assembly, gone)
    return assembly


def find_scenario(source: str | File) -> File | None:
    """File of a scenario given by path or bundled name."""
    file = File(source)
    return file if file.is_file() else bundled("scenario", str(source))


def _chain(file: File, ancestors: tuple[File, ...]) -> tuple[Layer, list[Problem]]:
    """A file on top of what it extends."""
    layer, problems = read_layer(file)
    anchor_files(layer.data, file.parent)
    if "extends" not in layer.data:
        return layer, problems
    parent = layer.data.pop("extends")
    place = layer.origins.pop(("extends",)).place
    base_file = beside(parent, file.parent)
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


def beside(scenario: Any, folder: File) -> File | None:
    """File that a file in a folder means by `scenario`: one beside it, or a bundled one."""
    if not isinstance(scenario, str) or not scenario:
        return None
    file = folder / scenario
    return file if file.is_file() else bundled("scenario", scenario)


def _section(data: dict[str, Any], *path: str) -> dict[str, Any]:
    """A section of plain data; an empty one where it is missing or no mapping."""
    for step in path:
        below = data.get(step)
        data = below if isinstance(below, dict) else {}
    return data


def anchor_files(data: dict[str, Any], folder: File) -> None:
    """Make names of files that lead from a scenario's folder valid from here.

    They are candles, recorded sentiment, what a risk engine is trained on, and the modules of a feed and of
    traders of the user's own.
    """
    _anchor_candles(_section(data, "world", "prices"), folder)
    _anchor_sentiment(_section(data, "world", "sentiment"), folder)
    _anchor_training(_section(data, "risk_engine", "training"), folder)
    for own in _section(data, "agents", "own").values():
        if isinstance(own, dict):
            _anchor_agent(own, folder)


def _anchor_candles(prices: dict[str, Any], folder: File) -> None:
    path = prices.get("path")
    if isinstance(path, str):
        prices["path"] = _anchored(path, folder)
    elif isinstance(path, dict):
        prices["path"] = {
            market: _anchored(each, folder) if isinstance(each, str) else each
            for market, each in path.items()
        }


def _anchor_sentiment(sentiment: dict[str, Any], folder: File) -> None:
    path, provider = sentiment.get("path"), sentiment.get("provider")
    if isinstance(path, str):
        sentiment["path"] = _anchored(path, folder)
    if isinstance(provider, str) and ":" in provider:
        module, _, name = provider.rpartition(":")
        file = module_file(module, folder)
        if file is not None and file.is_file():
            sentiment["provider"] = f"{file.as_posix()}:{name}"


def _anchor_training(training: dict[str, Any], folder: File) -> None:
    path, prices = training.get("path"), training.get("prices")
    if isinstance(path, str):
        training["path"] = _anchored(path, folder)
    if isinstance(prices, str) and prices and (folder / prices).is_file():
        training["prices"] = (folder / prices).as_posix()


def _anchor_agent(own: dict[str, Any], folder: File) -> None:
    """Let the module of a trader be looked for beside the scenario first, if that is where it lies."""
    chosen, top = own.get("folder"), str(own.get("agent", "")).partition(":")[0].partition(".")[0]
    if isinstance(chosen, str):
        own["folder"] = (folder / chosen).as_posix()
    elif chosen is None and top and ((folder / top).is_dir() or (folder / f"{top}.py").is_file()):
        own["folder"] = folder.as_posix()


def _anchored(path: str, folder: File) -> str:
    if not path or File(path).is_absolute():
        return path
    there = (
        any(folder.glob(path.replace("{market}", "*"))) if "{market}" in path else (folder / path).is_file()
    )
    return (folder / path).as_posix() if there else path


def _with_settled_markets(data: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Data with `BTC:` as a market with nothing set, and without those of `BTC: none`, which come second."""
    markets = _section(data, "protocol", "markets")
    if not markets:
        return data, set()
    gone = {name for name, market in markets.items() if market == "none"}
    kept = {name: {} if market is None else market for name, market in markets.items() if name not in gone}
    return {**data, "protocol": {**data["protocol"], "markets": kept}}, gone


def _lay_on_preset(assembly: Assembly, gone: set[str]) -> None:
    """Put the presets that a scenario names below it; of a venue's markets, those that the scenario names."""
    layer = assembly.layer
    for section, kind in PRESETS.items():
        preset = _named_preset(assembly, section, kind)
        if preset is None:
            continue
        below = preset.layer
        if section == "protocol":
            below = _with_markets(below, set(_section(layer.data, "protocol", "markets")), gone)
        assembly.layer = merged(below, assembly.layer)
        assembly.sources |= preset.sources
        assembly.problems += preset.problems


def _named_preset(assembly: Assembly, section: str, kind: str) -> Assembly | None:
    """The preset that a section names; None where it names none, or one that does not exist."""
    name = _section(assembly.layer.data, section).get("preset", "none")
    if name == "none":
        return None
    file = bundled(kind, name) if isinstance(name, str) else None
    if file is not None:
        return _preset(file, name, section)
    place = assembly.layer.origin((section, "preset")).place
    rule = f"no such preset {shown(name)}{suggestion(str(name), ['none', *names(kind)])}"
    assembly.problems.append(Problem(place, f"{section}.preset", rule))
    assembly.gaps.add((section,))
    return None


@cache
def _preset(file: File, name: str, section: str) -> Assembly:
    """A bundled preset, read once; whoever lays something on it leaves it as it is."""
    layer, problems = read_layer(file, f"preset:{name}")
    patterns = layer.data.pop("sources", {})
    layer.data.pop("description", None)
    return Assembly(layer, _sources(layer, patterns, section), problems)


def _with_markets(preset: Layer, wanted: set[str], gone: set[str]) -> Layer:
    """A preset with the wanted ones of its markets, all if none is named, and none of those that are gone."""
    protocol = preset.data["protocol"]
    markets = protocol.get("markets", {})
    kept = {name: markets[name] for name in markets if (name in wanted or not wanted) and name not in gone}
    return replace(preset, data={**preset.data, "protocol": {**protocol, "markets": kept}})


def _sources(preset: Layer, patterns: dict[str, str], section: str) -> dict[Path, str]:
    """Source of each setting of a preset; `*` in a pattern stands for any market."""
    return {
        path: source
        for path in preset.origins
        for pattern, source in patterns.items()
        if fnmatchcase(".".join(path), f"{section}.{pattern}")
    }
