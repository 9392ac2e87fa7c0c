"""The bundled presets: what each gives, and where every number of it was read."""

from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pandas as pd
import pytest
import yaml

from sim.bundled import bundled
from sim.presets import COLUMNS, EVIDENCE, preset_description, preset_names, preset_parameters
from sim.provenance import provenance
from sim.scenario import ScenarioError, load_scenario

PRESETS = ("drift", "dydx_v4", "gmx_v2", "hyperliquid", "synthetix_v3")


@cache
def table(preset: str) -> pd.DataFrame:
    """Every parameter of a preset, by its path."""
    return preset_parameters(preset).set_index("path")


def content(preset: str) -> dict[str, Any]:
    """The file of a preset."""
    data: dict[str, Any] = yaml.safe_load(bundled("preset", preset).read_text())
    return data


def test_the_presets_are_these() -> None:
    assert tuple(preset_names()) == PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_in_a_line_what_venue_it_is(preset: str) -> None:
    description = preset_description(preset)

    assert 20 < len(description) < 120
    assert "\n" not in description


@pytest.mark.parametrize("preset", PRESETS)
def test_every_parameter_stands_once_with_unit_and_evidence(preset: str) -> None:
    rows = preset_parameters(preset)

    assert rows.columns.tolist() == list(COLUMNS)
    assert rows["path"].is_unique
    assert not rows["path"].str.startswith("protocol").any()
    assert set(rows["evidence"]) <= {*EVIDENCE, "assumed"}
    assert (rows.loc[rows["evidence"] != "assumed", "source"] != "").all()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_values_are_those_of_a_scenario_under_the_preset(preset: str) -> None:
    scenario = load_scenario("base", [f"protocol.preset={preset}"])
    expected = {
        row["path"].removeprefix("protocol."): row["value"]
        for row in provenance(scenario)
        if row["path"].startswith("protocol.") and row["path"] != "protocol.preset"
    }

    assert table(preset)["value"].to_dict() == expected


def test_a_number_of_the_file_is_given_and_a_default_is_not() -> None:
    rows = table("dydx_v4")

    assert rows.loc["fees.maker", ["value", "unit", "given"]].tolist() == [-0.00011, "1", True]
    assert rows.loc["borrowing.optimal", "given"].tolist() is False


def test_a_source_is_split_from_the_kind_of_evidence() -> None:
    sources = content("dydx_v4")["sources"]
    kind, _, text = sources["fees.*"].partition(": ")

    assert kind in EVIDENCE
    assert table("dydx_v4").loc["fees.taker", ["evidence", "source"]].tolist() == [kind, text]


def test_a_number_that_nobody_has_read_is_assumed() -> None:
    rows = table("gmx_v2")

    assert rows.loc["markets.BTC.lot", ["evidence", "source", "given"]].tolist() == ["assumed", "", True]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_source_belongs_to_a_number_that_the_preset_gives(preset: str) -> None:
    given = table(preset).query("given").index
    for pattern in content(preset)["sources"]:
        assert any(fnmatchcase(path, pattern) for path in given), pattern


@pytest.mark.parametrize("preset", PRESETS)
def test_margins_fees_and_ways_of_liquidating_are_not_assumed_or_say_so(preset: str) -> None:
    rows = table(preset).query("given")
    silent = rows[(rows["evidence"] == "assumed") & (rows["source"] == "")].index
    important = ("initial_margin", "maintenance_margin", "fees.taker", "fees.maker", "adl.rule")

    assert [path for path in silent if path.endswith(important)] == []


def test_an_unknown_preset_is_met_with_the_nearest_name() -> None:
    with pytest.raises(ScenarioError, match=r"no such preset 'dydx_v3'; did you mean dydx_v4 or dydx\?"):
        preset_parameters("dydx_v3")
    with pytest.raises(ScenarioError, match="no such preset 'ftx'"):
        preset_description("ftx")
