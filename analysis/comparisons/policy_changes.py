"""Which settings of a scenario differ between the policies of a comparison."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.comparisons.arms import Arm, Combination, Contrast
from sim.provenance import TITLES
from sim.sweeps.design import changes, patched

SEVERAL, ABSENT = "several", "–"
LONGEST = 60


def policy_changes(contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Settings in which any alternative differs from the baseline.

    Parameters
    ----------
    contrasts : sequence of Contrast
        With one baseline.

    Returns
    -------
    DataFrame
        `setting` (dotted path), and a column for each policy, the baseline first, with its value as text;
        a dash where a policy lacks the setting, "several" where it takes different values in different
        combinations of the other axes.
    """
    names = [contrasts[0].baseline.name, *(each.alternative.name for each in contrasts)]
    arms = [contrasts[0].baseline, *(each.alternative for each in contrasts)]
    paths = list(dict.fromkeys(path for each in contrasts for path in _differing(each)))
    combinations = [contrasts[0].combinations, *(each.combinations for each in contrasts)]
    columns = {
        name: [_shown(arm, known, path) for path in paths]
        for name, arm, known in zip(names, arms, combinations, strict=True)
    }
    return pd.DataFrame({"setting": paths, **columns})


def _differing(contrast: Contrast) -> list[str]:
    found: dict[str, None] = {}
    for combination in contrast.combinations:
        before, after = (_scenario(arm, combination) for arm in contrast.arms)
        changed, removed = changes(before, after)
        found |= dict.fromkeys(path for path in [*changed, *removed] if path not in TITLES)
    return list(found)


def _scenario(arm: Arm, combination: Combination) -> dict[str, Any]:
    entry = arm.scenario_point(combination)
    return patched(arm.results.manifest["scenario"], entry["changes"], entry["removed"])


def _shown(arm: Arm, combinations: Sequence[Combination], path: str) -> str:
    texts = {_text(_leaf(_scenario(arm, combination), path)) for combination in combinations}
    return texts.pop() if len(texts) == 1 else SEVERAL


def _leaf(scenario: Mapping[str, Any], path: str) -> object:
    value: Any = scenario
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def _text(value: object) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.15g}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
