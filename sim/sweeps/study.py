"""A study: a sweep file with its scenario at every point, all checked before anything runs."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any

from sim.assembly import Assembly, anchor_files, beside, laid, read_scenario
from sim.bundled import names
from sim.configuration import ClockSettings, Origins, Scenario
from sim.layers import Layer, merged, override_layer
from sim.metrics import METRICS
from sim.prices.paths import price_problems
from sim.prices.settings import PriceSettings
from sim.problems import Problem, ScenarioError, shown, suggestion
from sim.provenance import resolved
from sim.salvage import touches
from sim.scenario import PriceCheck, checked
from sim.sweeps.axes import identity
from sim.sweeps.design import Design, Row, read_design, shown_labels
from sim.sweeps.settings import Label, SweepSettings, read_settings
from sim.sweeps.sheet import Sheet, leaves, read_sheet, unfolded

SHAPE = {"axes", "design", "samples", "design_seed"}
MAX_TOLD = 20
BRIDGE = {"volatility", "correlation"}
UNKNOWN = "unknown key"


@dataclass(frozen=True)
class Point:
    """One combination of the axes' values.

    Attributes
    ----------
    index : int
        From 0, in the order of the design.
    labels : mapping of str to str, int, float or bool
        What the value of each axis is called.
    scenario : str
        Resolved scenario as JSON text, settings and markets in their order, on which a run depends.
    """

    index: int
    labels: Mapping[str, Label]
    scenario: str


@dataclass(frozen=True)
class Study:
    """A sweep that can be run.

    Attributes
    ----------
    name, description : str
    text : str
        The sweep file as written; YAML of what came from Python.
    settings : SweepSettings
    base : Scenario
        The scenario with what the file and the command line set everywhere, without the axes.
    axes : tuple of str
    points : tuple of Point
    seeds : tuple of int
        Those that every point meets first.
    """

    name: str
    description: str
    text: str
    settings: SweepSettings
    base: Scenario
    axes: tuple[str, ...]
    points: tuple[Point, ...]
    seeds: tuple[int, ...]


def load_study(source: str | File | Mapping[str, Any], overrides: Sequence[str] = ()) -> Study:
    """Study of a sweep file, of a bundled sweep, or of a sweep made in Python.

    Parameters
    ----------
    source : str, Path or mapping
        Path of a sweep file, name of a bundled sweep, or what such a file holds; relative paths in a
        mapping begin in the current folder.
    overrides : sequence of str
        Settings laid over the scenario below the axes, as `clock.block=30s`.

    Raises
    ------
    ScenarioError
        Listing every problem of the sweep file, of its scenario and of the scenario at any point.
    """
    sheet = read_sheet(source)
    settings, broken = read_settings(sheet)
    design = None if broken & SHAPE else read_design(sheet, settings)
    files = Assembly(Layer(), gaps={()}) if "scenario" in broken else _scenario_files(sheet, settings)
    upper, unread = override_layer(overrides)
    ground = _ground(sheet, files, upper)
    base, problems = _base(ground, settings)
    points: tuple[Point, ...] = ()
    if design is not None:
        _check_overrides(sheet, upper, design)
        _check_names(sheet, settings, design, base)
        points, found = _points(ground, design, problems) if not ground.gaps else ((), [])
        problems = [*problems, *found]
    if sheet.problems or unread or problems or base is None or design is None:
        raise ScenarioError([*sheet.problems, *unread, *problems])
    text, seeds = sheet.text, settings.first_seeds
    return Study(settings.name, settings.description, text, settings, base, design.axes, points, seeds)


def _scenario_files(sheet: Sheet, settings: SweepSettings) -> Assembly:
    file = beside(settings.scenario, sheet.folder)
    if file is not None:
        return read_scenario(os.path.normpath(file))
    near = suggestion(settings.scenario, names("scenario"))
    sheet.complain(("scenario",), f"no such scenario {shown(settings.scenario)}{near}")
    return Assembly(Layer(), gaps={()})


def _ground(sheet: Sheet, files: Assembly, upper: Layer) -> Assembly:
    """What lies below the axes: the scenario's files, what the sweep sets everywhere, the command line."""
    layer = files.layer
    if isinstance(sheet.layer.data.get("set"), dict):
        everywhere, problems = unfolded(sheet.layer, ("set",))
        anchor_files(everywhere.data, sheet.folder)
        sheet.problems += problems
        layer = merged(layer, everywhere)
    return replace(files, layer=merged(layer, upper))


def _base(ground: Assembly, settings: SweepSettings) -> tuple[Scenario | None, list[Problem]]:
    assembly = laid(ground)
    scenario, problems = checked(assembly)
    if scenario is not None:
        scenario._origins = Origins(assembly.layer.origins, assembly.sources, settings.scenario)
    return scenario, problems


def _check_overrides(sheet: Sheet, upper: Layer, design: Design) -> None:
    for path, _ in leaves(upper.data):
        setters = [setter for own, setter in design.sets.items() if path and touches(path, {own})]
        if setters:
            rule = f"an override must not set what the {setters[0]} sets"
            sheet.problems.append(Problem(upper.origin(path).place, ".".join(path), rule))


def _check_names(sheet: Sheet, settings: SweepSettings, design: Design, base: Scenario | None) -> None:
    """Axes, labels and metrics that the sweep names must exist, and no axis may be called like a metric."""
    for axis, label in settings.baseline.items():
        known = {identity(row.labels[axis]): row.labels[axis] for row in design.rows if axis in row.labels}
        if axis not in design.axes:
            sheet.complain(("baseline", axis), f"no such axis{suggestion(axis, design.axes)}")
        elif identity(label) not in known:
            near = suggestion(str(label), [str(each) for each in known.values()][:MAX_TOLD])
            sheet.complain(("baseline", axis), f"the axis has no label {shown(label)}{near}")
    metrics = metric_names(base) if base is not None else []
    for axis in set(design.axes) & set(metrics):
        sheet.complain(("axes", axis), "an axis must not have the name of a metric")
    if settings.replicates and base is not None and settings.replicates.metric not in metrics:
        metric = settings.replicates.metric
        rule = f"no such metric {shown(metric)}{suggestion(metric, metrics)}"
        sheet.complain(("replicates", "metric"), rule)


def metric_names(scenario: Scenario) -> list[str]:
    """Metrics of runs of a scenario, by their keys in `summary.json`."""
    present = [name for name, accounts in scenario.agents.counts().items() if accounts]
    subjects = {
        "venue": ("",),
        "market": scenario.markets,
        "role": (*present, "insurance_fund", "venue"),
        "attacker": tuple(scenario.agents.attackers),
    }
    return [
        metric.name.format(market=subject, role=subject, attacker=subject)
        for metric in METRICS.values()
        for subject in subjects[metric.scope]
    ]


def _points(
    ground: Assembly, design: Design, known: Iterable[Problem]
) -> tuple[tuple[Point, ...], list[Problem]]:
    """Every point with its scenario, and what is wrong with them beyond the known problems of the base."""
    price_check = _remembered(price_problems)
    findings = Findings(len(design.rows), set(known), design.drawn)
    points = []
    for index, row in enumerate(design.rows):
        scenario, problems = checked(laid(ground, *row.layers), price_check)
        findings.add(problems, row)
        if scenario is not None and not problems:
            text = json.dumps(resolved(scenario), separators=(",", ":"), allow_nan=False)
            points.append(Point(index, row.labels, text))
    return tuple(points), findings.problems()


def _remembered(check: PriceCheck) -> PriceCheck:
    """A check of prices that looks at each event or candle file once; the bridge between levels is free."""
    known: dict[str, list[Problem]] = {}

    def remembered(settings: PriceSettings, clock: ClockSettings, markets: Sequence[str]) -> list[Problem]:
        parts = [settings.model_dump_json(exclude=BRIDGE), clock.model_dump_json(), *markets]
        key = json.dumps(parts)
        if key not in known:
            known[key] = check(settings, clock, markets)
        return known[key]

    return remembered


@dataclass
class Findings:
    """Problems of points, each told once: with the first point that has it, and how many there are.

    Attributes
    ----------
    points : int
        In all.
    known : set of Problem
        Those that were told already.
    drawn : bool
        Whether values were drawn from intervals, so that those found broken are examples.
    """

    points: int
    known: set[Problem]
    drawn: bool
    first: dict[tuple[str, ...], tuple[Problem, Row]] = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def add(self, problems: Iterable[Problem], row: Row) -> None:
        """Note the problems of a point."""
        for problem in dict.fromkeys(problems):
            if problem not in self.known:
                self.first.setdefault(self._key(problem), (problem, row))
                self.counts[self._key(problem)] += 1

    def problems(self) -> list[Problem]:
        """What was noted, and of much the beginning."""
        told = [self._told(key) for key in list(self.first)[:MAX_TOLD]]
        if len(self.first) > MAX_TOLD:
            told.append(Problem("", "axes", f"{len(self.first) - MAX_TOLD} further problems at other points"))
        return told

    def _key(self, problem: Problem) -> tuple[str, ...]:
        """Equal for problems that are told once; an unknown key is the same wherever it stands."""
        place = "" if problem.rule.startswith(UNKNOWN) else problem.place
        return place, problem.path, problem.rule, "" if self.drawn else problem.value

    def _told(self, key: tuple[str, ...]) -> Problem:
        problem, row = self.first[key]
        if not row.labels:
            return problem
        count = self.counts[key]
        where = shown_labels(row.labels)
        note = f"(at {where})" if count == 1 else f"(at {count} of {self.points} points, first {where})"
        if problem.value:
            return replace(problem, value=f"{problem.value} {note}")
        return replace(problem, rule=f"{problem.rule} {note}")
