"""Loading a scenario: the only reader of scenario files; all problems come at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path as File

import mesa  # noqa: F401 - before all others: it reads the sources of all modules on the stack that imports it

from sim.assembly import Assembly, assemble
from sim.checks import cross_problems
from sim.configuration import ClockSettings, Origins, Scenario
from sim.layers import Layer
from sim.own_agents import own_problems
from sim.prices.paths import price_problems
from sim.prices.settings import PriceSettings
from sim.problems import Path, Problem, ScenarioError
from sim.salvage import touches, validated, written
from sim.sentiment import sentiment_problems
from sim.training import sample_problems
from sim.validation import RULES

__all__ = ["Problem", "Scenario", "ScenarioError", "load_scenario"]

PriceCheck = Callable[[PriceSettings, ClockSettings, Sequence[str]], list[Problem]]


def load_scenario(source: str | File, overrides: Sequence[str] = ()) -> Scenario:
    """Scenario of a file or a bundled name.

    Parameters
    ----------
    source : str or Path
        Path of a scenario file, or the name of a bundled scenario such as `black_thursday`.
    overrides : sequence of str
        Settings laid over the file, as `clock.block=30s`; values are YAML.

    Returns
    -------
    Scenario
        Defaults, preset, extended files, file and overrides, in rising precedence.

    Raises
    ------
    ScenarioError
        Listing every problem found, each with rule, value, file, line and path.
    """
    assembly = assemble(source, overrides)
    scenario, problems = checked(assembly)
    if problems or scenario is None:
        raise ScenarioError(problems)
    scenario._origins = Origins(assembly.layer.origins, assembly.sources, str(source))
    return scenario


def checked(
    assembly: Assembly, price_check: PriceCheck = price_problems
) -> tuple[Scenario | None, list[Problem]]:
    """Scenario of layers laid together, and all that is wrong with it.

    Parameters
    ----------
    assembly : Assembly
    price_check : callable, optional
        Stands in for `price_problems`, which reads event and candle files anew at every call.
    """
    scenario, broken, removed = validated(assembly.layer)
    problems = [*assembly.problems, *(problem for problem in broken if not _excused(problem, assembly))]
    if scenario is not None:
        problems += _placed(_cross(scenario, price_check), assembly.layer, removed)
    return scenario, problems


def _excused(problem: Problem, assembly: Assembly) -> bool:
    """Whether a value is missing only because a layer that may hold it could not be read."""
    path = problem.about[0]
    return problem.rule.startswith(RULES["missing"]) and any(path[: len(gap)] == gap for gap in assembly.gaps)


def _cross(scenario: Scenario, price_check: PriceCheck) -> Iterable[Problem]:
    found = list(cross_problems(scenario))
    found += price_check(scenario.world.prices, scenario.clock, scenario.markets)
    found += sentiment_problems(scenario.world.sentiment, scenario.clock)
    return [*found, *own_problems(scenario), *sample_problems(scenario)]


def _placed(problems: Iterable[Problem], layer: Layer, removed: set[Path]) -> list[Problem]:
    """Problems with places, without those that come from a stand-in for a broken setting."""
    kept = []
    for problem in problems:
        about = [written(path, layer.data, removed) for path in problem.about]
        if any(touches(path, removed) for path in about):
            continue
        place = problem.place or layer.blamed(about).place
        path = written(tuple(problem.path.split(".")), layer.data, removed) if problem.path else ()
        kept.append(replace(problem, place=place, path=".".join(path), about=tuple(about)))
    return kept
