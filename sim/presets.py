"""The bundled presets of venues and of governance: what they describe, and their numbers with sources."""

from typing import Any

import pandas as pd

from sim.assembly import PRESETS
from sim.bundled import bundled, names
from sim.layers import read_layer
from sim.problems import Problem, ScenarioError, shown, suggestion
from sim.provenance import provenance
from sim.scenario import load_scenario

COLUMNS = ("path", "value", "unit", "evidence", "source", "given")
EVIDENCE = ("code", "docs", "press")
HOLDER = "base"


def preset_names() -> list[str]:
    """Names that `protocol.preset` may have, `none` aside."""
    return names("preset")


def governance_names() -> list[str]:
    """Names that `governance.preset` may have, `none` aside."""
    return names("governance")


def preset_description(name: str) -> str:
    """What kind of venue, or of governance, a preset describes."""
    return str(_file(name)[1].get("description", ""))


def preset_parameters(name: str) -> pd.DataFrame:
    """Every parameter of the section that a preset is of.

    Parameters
    ----------
    name : str
        A bundled preset of a venue or of governance.

    Returns
    -------
    DataFrame
        `path` (dotted, below `protocol` or `governance`), `value`, `unit`, `evidence` ("code", "docs" or
        "press" where it was read; "assumed"), `source`, and `given`: whether the preset gives the value; the
        others are defaults.

    Raises
    ------
    ScenarioError
        If there is no such preset.
    """
    section, content = _file(name)
    markets = list(content[section].get("markets", ()))
    overrides = [f"{section}.preset={name}", *(f"{section}.markets.{market}={{}}" for market in markets)]
    rows = [
        {
            **row,
            **_judged(row["source"]),
            "path": row["path"].removeprefix(f"{section}."),
            "given": row["origin"].startswith("preset:"),
        }
        for row in provenance(load_scenario(HOLDER, overrides))
        if row["path"].startswith(f"{section}.") and row["path"] != f"{section}.preset"
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _judged(source: str) -> dict[str, str]:
    """What kind of evidence a source is, and the source without that word."""
    kind, colon, text = source.partition(": ")
    if colon and kind in (*EVIDENCE, "assumed"):
        return {"evidence": kind, "source": text}
    return (
        {"evidence": "assumed", "source": ""}
        if source == "assumed"
        else {"evidence": "docs", "source": source}
    )


def _file(name: str) -> tuple[str, dict[str, Any]]:
    """Section that a preset is of, and the content of its file."""
    for section, kind in PRESETS.items():
        file = bundled(kind, name)
        if file is not None:
            return section, read_layer(file)[0].data
    rule = f"no such preset {shown(name)}{suggestion(name, [*preset_names(), *governance_names()])}"
    raise ScenarioError([Problem(name, "", rule)])
