"""What a sweep's store says about itself: the scenario, the points, the code; JSON, checked when read."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sim.configuration import Scenario
from sim.problems import Problem, ScenarioError
from sim.provenance import TITLES, resolved
from sim.store import git_revision, package_version
from sim.sweeps.design import Label, changes
from sim.sweeps.revision import Revision
from sim.sweeps.study import Point, Study
from sim.sweeps.tasks import canonical, scenario_digest, task_key

NAME = "manifest.json"


class Entry(BaseModel):
    """A part of a manifest: strict about types, so that a store from elsewhere is safe to open."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class PointEntry(Entry):
    """A point of a sweep: its labels, and where its scenario differs from the base scenario."""

    point: int
    labels: dict[str, Label]
    changes: dict[str, Any]
    removed: list[str]
    scenario: str


class MetricEntry(Entry):
    """What a column of results means."""

    label: str
    unit: str
    definition: str
    section: str
    subject: str
    worse: str


class CodeEntry(Entry):
    """The code that made all results of a store."""

    revision: str
    sources: dict[str, str]
    packages: dict[str, str]

    def differences(self, other: Revision) -> list[str]:
        """What differs between the store's code and another, one line each."""
        return Revision(self.revision, self.sources, self.packages).differences(other)


class Manifest(Entry):
    """The manifest of a store; `results` is a digest of the table of results, once that is written."""

    kind: Literal["sweep"] = "sweep"
    format: Literal[1] = 1
    seawall: str | None
    name: str
    description: str
    git_revision: str | None
    code: CodeEntry
    scenario: dict[str, Any]
    markets: list[str]
    seconds: int
    reading: str
    design: str
    axes: list[str]
    seeds: list[int]
    points: list[PointEntry]
    metrics: dict[str, MetricEntry] = {}
    results: str = ""
    baseline: dict[str, Label] = {}
    gates: list[str] = []
    level: float = 0.95

    def tasks(self) -> Iterator[tuple[int, int, str]]:
        """Point, seed and key of every task, point by point."""
        for entry in self.points:
            for seed in self.seeds:
                yield entry.point, seed, task_key(self.code.revision, entry.scenario, seed)

    def text(self) -> bytes:
        """The manifest as it is written."""
        return f"{self.model_dump_json(indent=1)}\n".encode()


def describe_sweep(study: Study, code: Revision, seeds: tuple[int, ...]) -> Manifest:
    """Manifest of a sweep that is about to run.

    Raises
    ------
    ScenarioError
        When a candle file that a point replays cannot be read.
    """
    base = resolved(study.base)
    scenarios = [Scenario.model_validate_json(point.scenario) for point in study.points]
    markets = dict.fromkeys(name for scenario in (study.base, *scenarios) for name in scenario.markets)
    return Manifest(
        seawall=package_version("seawall"),
        name=study.name,
        description=study.description,
        git_revision=git_revision(),
        code=CodeEntry(revision=code.revision, sources=dict(code.sources), packages=dict(code.packages)),
        scenario=base,
        markets=list(markets),
        seconds=study.base.clock.duration,
        reading=study.base.world.reading,
        design=study.settings.design,
        axes=list(study.axes),
        seeds=list(seeds),
        points=[_entry(point, each, base) for point, each in zip(study.points, scenarios, strict=True)],
        baseline=dict(study.settings.baseline),
        gates=list(study.settings.gates),
        level=study.settings.level,
    )


def _entry(point: Point, scenario: Scenario, base: Mapping[str, Any]) -> PointEntry:
    changed, removed = changes(base, json.loads(point.scenario))
    return PointEntry(
        point=point.index,
        labels=dict(point.labels),
        changes=changed,
        removed=removed,
        scenario=scenario_digest(scenario),
    )


def read_manifest(text: bytes, place: str) -> Manifest:
    """Manifest of a store.

    Raises
    ------
    ScenarioError
        Naming what is wrong with it.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ScenarioError(
            Problem(f"{place}/{NAME}", ".".join(map(str, each["loc"])), each["msg"])
            for each in error.errors(include_url=False, include_input=False)
        ) from error


def strangeness(stored: Manifest, wanted: Manifest) -> list[str]:
    """Why results of a store must not be mixed with those of a sweep; empty when they go together."""
    lines = [
        f"code: {line}"
        for line in stored.code.differences(
            Revision(wanted.code.revision, wanted.code.sources, wanted.code.packages)
        )
    ]
    changed, removed = changes(_plain(stored.scenario), _plain(wanted.scenario))
    lines += [f"scenario: {path} is now {canonical(value)}" for path, value in changed.items()]
    return lines + [f"scenario: {path} is gone" for path in removed]


def _plain(scenario: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scenario.items() if name not in TITLES}
