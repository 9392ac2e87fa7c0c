"""The design of a sweep: the points that its axes make."""

import json
import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from sim.assembly import anchor_files
from sim.layers import Layer
from sim.problems import Path, Problem, shown, suggestion
from sim.streams import stream
from sim.sweeps.axes import SECTIONS, Axis, Choice, identity, labels, read_axes
from sim.sweeps.settings import SAMPLED, Label, SweepSettings
from sim.sweeps.sheet import Sheet, leaves, unfolded

__all__ = ["Design", "Label", "Row", "changes", "patched", "read_design"]

CASE = "case"
UNSET = "as in scenario"
MAX_RUNS = 1_000_000


@dataclass(frozen=True)
class Row:
    """A point before its scenario is known: its labels, what it lays over the scenario, where it stands."""

    labels: Mapping[str, Label]
    layers: tuple[Layer, ...]
    place: str


@dataclass(frozen=True)
class Design:
    """The points of a sweep.

    Attributes
    ----------
    axes : tuple of str
        Names of the axes; every row has a label for each.
    rows : tuple of Row
    sets : mapping of path to str
        Settings that differ between points, and what sets each, as in "axis policy".
    drawn : bool
        Whether values were drawn from intervals.
    """

    axes: tuple[str, ...]
    rows: tuple[Row, ...]
    sets: Mapping[Path, str]
    drawn: bool = False


def read_design(sheet: Sheet, settings: SweepSettings) -> Design | None:
    """Points of a sweep; None when something is wrong with its axes, which the sheet then says."""
    known = len(sheet.problems)
    if settings.design == "list":
        design = _listed(sheet, settings)
    elif isinstance(settings.axes, dict):
        design = _spanned(sheet, settings)
    else:
        sheet.complain(("axes",), "a list of points needs design: list", f"design: {settings.design}")
        return None
    if design is not None:
        _check_labels(sheet, design)
    return design if len(sheet.problems) == known else None


def _spanned(sheet: Sheet, settings: SweepSettings) -> Design | None:
    """Points of a design made of axes."""
    known = len(sheet.problems)
    axes, sets = read_axes(sheet, settings.design)
    if len(sheet.problems) > known or not _is_countable(sheet, axes, settings):
        return None
    names = tuple(axis.name for axis in axes)
    rows = [
        Row(
            {name: choice.label for name, choice in zip(names, choices, strict=True)},
            tuple(choice.layer for choice in choices),
            choices[-1].place if choices else "",
        )
        for choices in _combinations(axes, settings)
    ]
    return Design(names, tuple(rows), sets, drawn=any(axis.interval for axis in axes))


def _is_countable(sheet: Sheet, axes: list[Axis], settings: SweepSettings) -> bool:
    """Whether axes make points, and with their seeds not too many."""
    design, lengths = settings.design, {axis.name: len(axis.choices) for axis in axes}
    if design in SAMPLED and not axes:
        sheet.complain(("design",), f"the design {design} needs an axis to draw from")
        return False
    if design == "zip" and len(set(lengths.values())) > 1:
        told = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        sheet.complain(("axes",), "axes of the design zip must be equally long", told)
        return False
    points = max(lengths.values(), default=1) if design == "zip" else math.prod(lengths.values())
    return _fits(sheet, settings.samples or points, settings)


def _fits(sheet: Sheet, points: int, settings: SweepSettings) -> bool:
    seeds = settings.most_seeds
    if points * seeds <= MAX_RUNS:
        return True
    rule = f"points x seeds must be at most {MAX_RUNS:,} runs"
    sheet.complain(("seeds",), rule, f"{points:,} x {seeds:,} = {points * seeds:,}")
    return False


def _combinations(axes: list[Axis], settings: SweepSettings) -> Iterable[tuple[Choice, ...]]:
    """Values of all axes at each point; in a grid the last axis changes fastest."""
    if settings.samples is not None:
        shares = _shares(len(axes), settings.samples, settings)
        return [tuple(axis.at(share) for axis, share in zip(axes, row, strict=True)) for row in shares]
    choices = [axis.choices for axis in axes]
    return zip(*choices, strict=True) if settings.design == "zip" and axes else product(*choices)


def _shares(axes: int, samples: int, settings: SweepSettings) -> list[list[float]]:
    """Points that fill the unit cube evenly; with more samples, `sobol` keeps those it has."""
    from scipy.stats import qmc

    engine = qmc.Sobol if settings.design == "sobol" else qmc.LatinHypercube
    generator = stream(settings.design_seed, "sweep design", settings.design)
    shares: list[list[float]] = engine(axes, rng=generator).random(samples).tolist()
    return shares


def _listed(sheet: Sheet, settings: SweepSettings) -> Design | None:
    """Points given one by one, each by the settings it changes and perhaps a name."""
    known = len(sheet.problems)
    points = settings.axes
    if not isinstance(points, list) or not points:
        sheet.complain(("axes",), "design: list needs a list of points")
        return None
    for index, point in enumerate(points):
        _check_point(sheet, ("axes", str(index)), point)
    if len(sheet.problems) > known:
        return None
    layers = [_overrides(sheet, ("axes", str(index))) for index in range(len(points))]
    told = _names(sheet, points) if any("name" in point for point in points) else _columns(points)
    if len(sheet.problems) > known or not _fits(sheet, len(points), settings):
        return None
    rows = tuple(
        Row(
            {axis: told[axis][index] for axis in told},
            (layer,),
            sheet.layer.origin(("axes", str(index))).place,
        )
        for index, layer in enumerate(layers)
    )
    sets = {path: "list of points" for layer in layers for path, _ in leaves(layer.data) if path}
    return Design(tuple(told), rows, sets)


def _check_point(sheet: Sheet, at: Path, point: object) -> None:
    if not isinstance(point, dict):
        sheet.complain(at, "a point is a mapping from setting to value", shown(point))
        return
    for name, value in point.items():
        section = name.partition(".")[0]
        if name == "name":
            if value is None or isinstance(value, dict | list):
                sheet.complain((*at, name), "the name of a point must be a word or a number", shown(value))
        elif section not in SECTIONS:
            sheet.complain(
                (*at, name),
                f"a point sets what lies in a section of the scenario{suggestion(section, SECTIONS)}",
            )
        elif value is None:
            sheet.complain((*at, name), "a value must be given")


def _overrides(sheet: Sheet, at: Path) -> Layer:
    """What a point lays over the scenario."""
    layer, problems = unfolded(sheet.layer, at)
    layer.data.pop("name", None)
    anchor_files(layer.data, sheet.folder)
    sheet.problems += problems
    return layer


def _names(sheet: Sheet, points: list[dict[str, Any]]) -> dict[str, list[Label]]:
    for index, point in enumerate(points):
        if "name" not in point:
            sheet.complain(("axes", str(index)), "all points must have a name, or none")
    return {CASE: [point.get("name", "") for point in points]}


def _columns(points: list[dict[str, Any]]) -> dict[str, list[Label]]:
    """A column of labels for each setting that a point names."""
    names = dict.fromkeys(name for point in points for name in point)
    return {name: labels([point.get(name, UNSET) for point in points]) for name in names}


def _check_labels(sheet: Sheet, design: Design) -> None:
    """No two points may look the same; of a sampled design, whose places are those of its axes, once."""
    seen: set[object] = set()
    told: set[str] = set()
    for row in design.rows:
        key = tuple(map(identity, row.labels.values()))
        if key in seen and row.place not in told:
            told.add(row.place)
            value = shown_labels(row.labels)
            sheet.problems.append(Problem(row.place, "axes", "no two points may have the same labels", value))
        seen.add(key)


def shown_labels(labels: Mapping[str, Label]) -> str:
    """Labels of a point as messages quote them."""
    texts = {axis: label if isinstance(label, str) else json.dumps(label) for axis, label in labels.items()}
    return ", ".join(f"{axis}={text}" for axis, text in texts.items())


def changes(base: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """How one scenario differs from another, as plain data with keys that hold no dots.

    Parameters
    ----------
    base, other : mapping
        Nested mappings; a list that differs is given whole.

    Returns
    -------
    (dict, list of str)
        Dotted path to value of all that `other` has anew or otherwise, and the paths that it lacks.
    """
    changed: dict[str, Any] = {}
    removed = [key for key in base if key not in other]
    for key, value in other.items():
        known = base.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            below, gone = changes(known, value)
            changed |= {f"{key}.{path}": leaf for path, leaf in below.items()}
            removed += [f"{key}.{path}" for path in gone]
        elif key not in base or identity(known) != identity(value):
            changed |= {".".join((key, *path)): leaf for path, leaf in leaves(value)}
    return changed, removed


def patched(base: Mapping[str, Any], changed: Mapping[str, Any], removed: Iterable[str]) -> dict[str, Any]:
    """The scenario that differs from another as `changes` says."""
    data = deepcopy(dict(base))
    for path in removed:
        *way, last = path.split(".")
        section = data
        for step in way:
            section = section[step]
        del section[last]
    for path, value in changed.items():
        *way, last = path.split(".")
        section = data
        for step in way:
            if not isinstance(section.get(step), dict):
                section[step] = {}
            section = section[step]
        section[last] = deepcopy(value)
    return data
