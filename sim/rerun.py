"""A finished run once more: its scenario from its folder, and the same world with something changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.configuration import Scenario
from sim.problems import Problem, ScenarioError
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
        return Scenario.model_validate(manifest["scenario"]), int(manifest["seed"])
    except FileNotFoundError:
        rule = "the folder must hold a finished run, manifest.json is missing"
        raise ScenarioError([Problem(str(folder), "", rule)]) from None
    except (KeyError, ValidationError, json.JSONDecodeError) as error:
        rule = "the run must have been made by this version of Seawall"
        raise ScenarioError([Problem(str(file), "", rule, str(error).splitlines()[0])]) from error


def changed(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with other settings, by their paths.

    Raises
    ------
    ScenarioError
        When the result breaks a rule.
    """
    try:
        return Scenario.model_validate(patched(resolved(scenario), changes, ()))
    except ValidationError as error:
        named = ", ".join(f"{path}={value}" for path, value in changes.items())
        problems = [Problem(named, ".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        raise ScenarioError(problems) from error
