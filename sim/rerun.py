"""A finished run once more: its scenario from its folder, and the same world with something changed."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.bundled import bundled, names
from sim.checks import cross_problems
from sim.configuration import Scenario
from sim.layers import override_layer, read_layer
from sim.problems import Problem, ScenarioError, suggestion
from sim.provenance import resolved
from sim.sweeps.design import patched


def recorded(folder: str | Path) -> tuple[Scenario, int]:
    """Scenario and seed of a finished run.

    Raises
    ------
    ScenarioError
        When no run lies there, or when its scenario is none by the rules of this version.
    """
    file = Path(folder) / "manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        if "branch" in manifest:
            rule = "a branch is no run of one scenario; give the run that it has left"
            raise ScenarioError([Problem(str(folder), "", rule, str(manifest["branch"]["run"]))])
        return Scenario.model_validate(manifest["scenario"]), int(manifest["seed"])
    except FileNotFoundError:
        rule = "the folder must hold a finished run, manifest.json is missing"
        raise ScenarioError([Problem(str(folder), "", rule)]) from None
    except (KeyError, ValidationError, json.JSONDecodeError) as error:
        rule = "the run must have been made by this version of Seawall"
        raise ScenarioError([Problem(str(file), "", rule, str(error).splitlines()[0])]) from error


def changed(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with other settings, by their paths.

    A preset of governance replaces all of that section but its agenda.

    Raises
    ------
    ScenarioError
        When the result breaks a rule.
    """
    base, preset = resolved(scenario), changes.get("governance.preset", "none")
    if preset != "none":
        base = patched(base, {"governance": _preset(str(preset), base["governance"]["agenda"])}, ())
    try:
        found = Scenario.model_validate(patched(base, changes, ()))
    except ValidationError as error:
        named = ", ".join(f"{path}={value}" for path, value in changes.items())
        problems = [Problem(named, ".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        raise ScenarioError(problems) from error
    if problems := list(cross_problems(found)):
        raise ScenarioError(problems)
    return found


def _preset(name: str, agenda: Any) -> dict[str, Any]:
    """The section of a bundled form of governance."""
    file = bundled("governance", name)
    if file is None:
        rule = f"no such preset{suggestion(name, names('governance'))}"
        raise ScenarioError([Problem("governance.preset", "", rule, name)])
    return {**read_layer(file)[0].data["governance"], "agenda": agenda}


def changes_of(overrides: Iterable[str]) -> dict[str, Any]:
    """Settings by path, of overrides as `a.b.c=value`, the value in YAML.

    Raises
    ------
    ScenarioError
        Where one is written in another way.
    """
    found: dict[str, Any] = {}
    for text in overrides:
        layer, problems = override_layer([text])
        if problems:
            raise ScenarioError(problems)
        path, value = text.partition("=")[0].strip(), layer.data
        for step in path.split("."):
            value = value[step.strip()]
        found[path] = value
    return found
