"""The bundled presets: which venues they describe, and each of their numbers with its source."""

from typing import Any

import pandas as pd

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


def preset_description(name: str) -> str:
    """What kind of venue a preset describes."""
    return str(_file(name).get("description", ""))


def preset_parameters(name: str) -> pd.DataFrame:
    """Every parameter of the protocol under a preset.

    Parameters
    ----------
    name : str
        A bundled preset.

    Returns
    -------
    DataFrame
        `path` (dotted, below `protocol`), `value`, `unit`, `evidence` ("code", "docs" or "press" where it was
        read; "assumed"), `source`, and `given`: whether the preset gives the value; the others are defaults.

    Raises
    ------
    ScenarioError
        If there is no such preset.
    """
    markets = list(_file(name)["protocol"]["markets"])
    overrides = [f"protocol.preset={name}", *(f"protocol.markets.{market}={{}}" for market in markets)]
    rows = [
        {
            **row,
            **_judged(row["source"]),
            "path": row["path"].removeprefix("protocol."),
            "given": row["origin"].startswith("preset:"),
        }
        for row in provenance(load_scenario(HOLDER, overrides))
        if row["path"].startswith("protocol.") and row["path"] != "protocol.preset"
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


def _file(name: str) -> dict[str, Any]:
    """Content of a preset's file."""
    file = bundled("preset", name)
    if file is None:
        rule = f"no such preset {shown(name)}{suggestion(name, preset_names())}"
        raise ScenarioError([Problem(name, "", rule)])
    return read_layer(file)[0].data
