"""The axes of a sweep: what each of their values is called and what it changes."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from agents.settings import Settings, parse_duration
from sim.assembly import OWN, anchor_files
from sim.configuration import Origin, Scenario
from sim.layers import Layer, read_layer
from sim.problems import Path, close_names, shown, suggestion
from sim.salvage import touches
from sim.sweeps.settings import SAMPLED, Label
from sim.sweeps.sheet import Sheet, as_yaml, leaves, unfolded
from sim.validation import type_problems

SECTIONS = tuple(name for name in Scenario.model_fields if name not in OWN)
COLUMNS = ("point", "seed", "status", "error", "traceback", "transcript")
STORED = ("key", "seconds", "attempts", "worker")
LABEL_LENGTH = 60


def _bound(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Bound = Annotated[float, BeforeValidator(_bound)]


class Interval(Settings):
    """What a sampled axis draws its numbers from, both ends included."""

    low: Bound
    high: Bound
    log: bool = False
    whole: bool = False

    def number(self, share: float) -> float:
        """Number at a share [0, 1) of the way, to six figures; whole ones are equally likely."""
        low, high = self.low, self.high + self.whole
        value = low * (high / low) ** share if self.log else low + (high - low) * share
        if self.whole:
            return min(math.floor(value), int(self.high))
        return min(max(float(f"{value:.6g}"), low), high)


@dataclass(frozen=True)
class Choice:
    """One value of an axis: its label, what it lays over the scenario, where it was written."""

    label: Label
    layer: Layer
    place: str


@dataclass(frozen=True)
class Axis:
    """Something that differs between points: choices, or an interval of numbers or (`timed`) of seconds."""

    name: str
    place: str
    choices: tuple[Choice, ...] = ()
    interval: Interval | None = None
    timed: bool = False

    @property
    def paths(self) -> set[Path]:
        """Settings that at least one of its values sets."""
        if self.interval:
            return {tuple(self.name.split("."))}
        return {path for choice in self.choices for path, _ in leaves(choice.layer.data) if path}

    def at(self, share: float) -> Choice:
        """Value at a share [0, 1) of the way."""
        if not self.interval:
            return self.choices[int(share * len(self.choices))]
        number = self.interval.number(share)
        value = f"{number}s" if self.timed else number
        written = Layer({"value": value}, {("value",): Origin(self.place, self.place)})
        layer, _ = unfolded(written, ("value",), tuple(self.name.split(".")))
        return Choice(number, layer, self.place)


def read_axes(sheet: Sheet, design: str) -> tuple[list[Axis], dict[Path, str]]:
    """Axes of a sweep file, and which of them sets each setting that they change."""
    known = len(sheet.problems)
    found = [_axis(sheet, name, design) for name in sheet.layer.data.get("axes") or ()]
    axes = [axis for axis in found if axis is not None]
    return axes, _settings_of(sheet, axes) if len(sheet.problems) == known else {}


def _axis(sheet: Sheet, name: str, design: str) -> Axis | None:
    at = ("axes", name)
    value, place = sheet.layer.data["axes"][name], sheet.layer.origin(at).place
    section, dot, _ = name.partition(".")
    if section in SECTIONS:
        if design in SAMPLED and _is_interval(value):
            return _interval_axis(sheet, name)
        return Axis(name, place, _values(sheet, name, distinct=design != "zip"))
    if dot:
        sheet.complain(at, f"a setting lies in a section of the scenario{suggestion(section, SECTIONS)}")
    elif name in (*COLUMNS, *STORED, *OWN):
        sheet.complain(at, "an axis must not have the name of a column of the results")
    elif not isinstance(value, dict):
        near = " or ".join(close_names(name, SECTIONS))
        rule = "a named axis is a mapping from name to overrides"
        sheet.complain(at, f"{rule}; did you mean {near}?" if near else rule, "" if near else shown(value))
    elif not value:
        sheet.complain(at, "an axis needs at least one value")
    else:
        return Axis(name, place, _policies(sheet, name))
    return None


def _values(sheet: Sheet, name: str, distinct: bool) -> tuple[Choice, ...]:
    """Values of a setting: a list, or a mapping from label to value."""
    at, value = ("axes", name), sheet.layer.data["axes"][name]
    if not isinstance(value, list | dict):
        sheet.complain(at, "an axis is a list of values, or a mapping from name to value", shown(value))
        return ()
    if not value:
        sheet.complain(at, "an axis needs at least one value")
    listed = dict(enumerate(value)) if isinstance(value, list) else value
    named = labels(value) if isinstance(value, list) else list(value)
    seen: set[object] = set()
    choices = []
    for key, label in zip(listed, named, strict=True):
        path = (*at, str(key))
        if isinstance(value, list) and distinct and identity(listed[key]) in seen:
            sheet.complain(path, "a value must be listed once", shown(label))
        seen.add(identity(listed[key]))
        choices.append(_choice(sheet, path, tuple(name.split(".")), label))
    return tuple(choices)


def _choice(sheet: Sheet, at: Path, onto: Path, label: Label) -> Choice:
    """What stands at a path of the sheet as a value of an axis."""
    layer, problems = unfolded(sheet.layer, at, onto)
    if (onto, None) in leaves(layer.data):
        sheet.complain(at, "a value must be given")
    anchor_files(layer.data, sheet.folder)
    sheet.problems += problems
    return Choice(label, layer, sheet.layer.origin(at).place)


def _policies(sheet: Sheet, name: str) -> tuple[Choice, ...]:
    """Values of a named axis: whole policies, in place or in files."""
    choices = []
    for label, value in sheet.layer.data["axes"][name].items():
        at = ("axes", name, label)
        if isinstance(value, dict):
            choices.append(_choice(sheet, at, (), label))
        elif isinstance(value, str) and (sheet.folder / value).is_file():
            choices.append(_from_file(sheet, at, label))
        elif isinstance(value, str):
            sheet.complain(at, "no such file of overrides", shown(value))
        else:
            rule = "must be a mapping of overrides ({} for the scenario as it is), or a file with one"
            sheet.complain(at, rule, shown(value))
    return tuple(choices)


def _from_file(sheet: Sheet, at: Path, label: str) -> Choice:
    file = sheet.folder / sheet.layer.data["axes"][at[1]][label]
    written, unread = read_layer(file)
    for key in OWN:
        written.data.pop(key, None)
    layer, problems = unfolded(written)
    anchor_files(layer.data, file.parent)
    sheet.problems += [*unread, *problems]
    return Choice(label, layer, sheet.layer.origin(at).place)


def _is_interval(value: object) -> bool:
    """Whether a mapping gives bounds, and not choices that happen to be called low and high."""
    if not isinstance(value, dict) or not {"low", "high"} & set(value):
        return False
    return not any(isinstance(bound, dict | list) for bound in value.values())


def _interval_axis(sheet: Sheet, name: str) -> Axis | None:
    at, value = ("axes", name), sheet.layer.data["axes"][name]
    below = {path[2:]: origin for path, origin in sheet.layer.origins.items() if path[:2] == at}
    try:
        interval = Interval.model_validate(value)
    except ValidationError as error:
        found = type_problems(error, Layer(value, below), Interval)
        sheet.problems += [replace(problem, path=".".join((*at, problem.path))) for problem in found]
        return None
    timed = isinstance(value["low"], str) or isinstance(value["high"], str)
    rule = _broken_rule(interval, value, timed)
    if rule:
        sheet.complain(at, rule, f"low={value['low']}, high={value['high']}")
        return None
    if timed:
        interval = interval.model_copy(update={"whole": True})
    return Axis(name, sheet.layer.origin(at).place, interval=interval, timed=timed)


def _broken_rule(interval: Interval, value: Mapping[str, Any], timed: bool) -> str:
    """Rule that an interval breaks; empty when it is sound."""
    if timed and any(not isinstance(value[end], str) and value[end] != 0 for end in ("low", "high")):
        return "low and high must both be durations, or both be numbers"
    if not interval.low < interval.high:
        return "low < high must hold"
    if interval.log and interval.low <= 0:
        return "low > 0 must hold for log: true"
    if interval.whole and not (interval.low.is_integer() and interval.high.is_integer()):
        return "low and high must be whole for whole: true"
    return ""


def _settings_of(sheet: Sheet, axes: Iterable[Axis]) -> dict[Path, str]:
    """What sets each setting that differs between points: one axis only."""
    sets: dict[Path, str] = {}
    for axis in axes:
        for path in sorted(axis.paths):
            others = [sets[known] for known in sets if touches(path, {known})]
            if others:
                rule = f"two axes must not set the same, and {'.'.join(path)} is set by the {others[0]} too"
                sheet.complain(("axes", axis.name), rule)
                break
        sets |= dict.fromkeys(axis.paths, f"axis {axis.name}")
    return sets


def labels(values: Iterable[Any]) -> list[Label]:
    """Labels of values: a scalar is its own; a section is YAML in one line, cut and numbered where needed."""
    sections: dict[object, str] = {}
    taken: Counter[str] = Counter()
    found: list[Label] = []
    for value in values:
        if isinstance(value, dict | list):
            key = identity(value)
            if key not in sections:
                sections[key] = _distinct(as_yaml(value, in_one_line=True), taken)
            value = sections[key]
        found.append(value)
    return found


def _distinct(text: str, taken: Counter[str]) -> str:
    """Text of a readable length, with a number from the second time on."""
    short = text if len(text) <= LABEL_LENGTH else f"{text[: LABEL_LENGTH - 3]}..."
    taken[short] += 1
    return short if taken[short] == 1 else f"{short} ({taken[short]})"


def identity(value: object) -> object:
    """Something hashable that two values share when they are the same: 1 and 1.0 are, 1 and true are not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number else json.dumps(value, sort_keys=True)
