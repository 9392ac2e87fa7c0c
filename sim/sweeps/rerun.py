"""One run of a sweep again, in full: its scenario, from what the store says about the point."""

from pathlib import Path

from sim.configuration import Scenario
from sim.problems import Problem, ScenarioError
from sim.sweeps.design import patched
from sim.sweeps.manifest import NAME, PointEntry, read_manifest
from sim.sweeps.place import Place
from sim.sweeps.tasks import scenario_digest


def point_scenario(place: str | Path, point: int) -> Scenario:
    """Scenario of a sweep's point, named after both.

    Parameters
    ----------
    place : str or Path
        Store of the sweep.
    point : int
        Its number in the tables of results.

    Raises
    ------
    ScenarioError
        When there is no such sweep or point, or when the scenario cannot be made again, as when a candle
        file has changed.
    """
    try:
        manifest = read_manifest(Place(place).read(NAME), str(place))
    except FileNotFoundError:
        raise ScenarioError(
            [Problem(str(place), "", f"a sweep must hold {NAME}, and none is there")]
        ) from None
    if not 0 <= point < len(manifest.points):
        rule = f"--point must be one of the sweep's points, 0 to {len(manifest.points) - 1}"
        raise ScenarioError([Problem(str(place), "", rule, str(point))])
    entry = manifest.points[point]
    data = patched(manifest.scenario, entry.changes, entry.removed)
    scenario = Scenario.model_validate(data)
    _same(entry, scenario, str(place))
    return scenario.model_copy(update={"name": f"{manifest.name}-point{point}"})


def _same(entry: PointEntry, scenario: Scenario, place: str) -> None:
    if scenario_digest(scenario) != entry.scenario:
        rule = "the point's scenario must be as it was; a candle file or a default has changed"
        raise ScenarioError([Problem(place, f"points.{entry.point}", rule)])
