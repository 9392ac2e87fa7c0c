"""Designs of sweeps: which points axes make, what they are called, and what they change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from sim.problems import ScenarioError
from sim.sweeps.axes import COLUMNS, STORED
from sim.sweeps.design import Design, changes, patched, read_design
from sim.sweeps.parts import FIXED
from sim.sweeps.settings import read_settings
from sim.sweeps.sheet import as_yaml, read_sheet
from sim.yaml_source import parse_yaml

FUND, BLOCK = "protocol.insurance_fund", "clock.block"


def design(**sweep: Any) -> Design:
    """Design of a sweep made in Python; an error lists what is wrong with its axes."""
    sheet = read_sheet({"scenario": "base", "seeds": 2, **sweep})
    settings, broken = read_settings(sheet)
    found = None if broken else read_design(sheet, settings)
    if found is None:
        raise ScenarioError(sheet.problems)
    return found


def labels(found: Design) -> list[tuple[object, ...]]:
    return [tuple(row.labels.values()) for row in found.rows]


def overrides(found: Design) -> list[dict[str, Any]]:
    """What each point of a design of one axis lays over the scenario."""
    return [row.layers[0].data for row in found.rows]


def test_a_grid_has_every_combination_and_its_first_axis_is_the_slowest() -> None:
    found = design(axes={FUND: [0, 1], BLOCK: ["30s", "60s", "5m"]})

    assert found.axes == (FUND, BLOCK)
    assert labels(found) == [(0, "30s"), (0, "60s"), (0, "5m"), (1, "30s"), (1, "60s"), (1, "5m")]
    assert [layer.data for layer in found.rows[5].layers] == [
        {"protocol": {"insurance_fund": 1}},
        {"clock": {"block": "5m"}},
    ]


def test_a_zip_goes_through_its_axes_together() -> None:
    found = design(design="zip", axes={FUND: [1, 1, 2], "policy": {"a": {}, "b": {}, "c": {}}})

    assert labels(found) == [(1, "a"), (1, "b"), (2, "c")]


@pytest.mark.parametrize("axes", [None, {}])
@pytest.mark.parametrize("kind", ["grid", "zip"])
def test_without_axes_there_is_one_point(kind: str, axes: object) -> None:
    found = design(design=kind, axes=axes)

    assert (found.axes, labels(found), found.rows[0].layers) == ((), [()], ())


def test_a_list_names_its_points_or_has_an_axis_for_each_setting() -> None:
    points = [{FUND: 1, BLOCK: "30s"}, {BLOCK: "60s"}, {}]
    unnamed = design(design="list", axes=points)
    named = design(design="list", axes=[{"name": name, **points[i]} for i, name in enumerate("abc")])

    assert unnamed.axes == (FUND, BLOCK)
    assert labels(unnamed) == [(1, "30s"), ("as in scenario", "60s"), ("as in scenario", "as in scenario")]
    assert named.axes == ("case",)
    assert labels(named) == [("a",), ("b",), ("c",)]
    assert overrides(named) == overrides(unnamed)
    assert overrides(named)[0] == {"protocol": {"insurance_fund": 1}, "clock": {"block": "30s"}}


def test_whole_sections_are_values_and_labelled_by_name_or_by_their_yaml() -> None:
    named = design(
        axes={"protocol.backstop": {"with vault": {"rule": "takeover"}, "without": {"rule": "none"}}}
    )
    listed = design(axes={"protocol.backstop": [{"rule": "takeover"}, {"rule": "none", "trigger": 0.5}]})

    assert labels(named) == [("with vault",), ("without",)]
    assert labels(listed) == [("{rule: takeover}",), ("{rule: none, trigger: 0.5}",)]
    assert overrides(listed)[1] == {"protocol": {"backstop": {"rule": "none", "trigger": 0.5}}}


def test_long_labels_are_cut_and_stay_distinct() -> None:
    jumps = [
        [{"at": f"{hour}h", "kind": "price_jump", "size": -0.1} for hour in (1, 2, 3, last)]
        for last in (4, 5, 6)
    ]
    texts = [str(label) for (label,) in labels(design(axes={"shocks": jumps}))]

    assert len(set(texts)) == 3
    assert all(len(text) <= 64 for text in texts)
    assert texts[0].startswith("[{at: 1h, kind: price_jump, size: -0.1}, {at: 2h")
    assert texts[2].endswith("... (3)")


def test_dotted_keys_of_a_policy_are_nested() -> None:
    policy = {
        "protocol.insurance_fund": 0,
        "protocol": {"fees.taker": 0.001, "markets": {"BTC.lot": 1}},
        "protocol.fees": {},
        "shocks": [{"at": "1h"}],
    }
    found = design(axes={"policy": {"as it is": {}, "other": policy}})

    assert overrides(found) == [
        {},
        {
            "protocol": {"insurance_fund": 0, "fees": {"taker": 0.001}, "markets": {"BTC": {"lot": 1}}},
            "shocks": [{"at": "1h"}],
        },
    ]
    assert found.sets[("protocol", "markets", "BTC", "lot")] == "axis policy"


def drawn(samples: int, kind: str = "sobol", seed: int = 0, **intervals: Any) -> np.ndarray:
    paths = {
        "fund": FUND,
        "reach": "world.depth.recovery",
        "share": "world.share",
        "head": "agents.retail.accounts",
    }
    axes = {paths[name]: interval for name, interval in intervals.items()}
    found = design(design=kind, samples=samples, design_seed=seed, axes=axes)
    return np.array(labels(found), dtype=float)


@pytest.mark.parametrize("kind", ["sobol", "lhs"])
def test_samples_fill_their_intervals_evenly(kind: str) -> None:
    found = drawn(64, kind, fund={"low": 1e3, "high": 1e7, "log": True}, share={"low": -1.0, "high": 3})
    unit = np.column_stack([np.log10(found[:, 0] / 1e3) / 4, (found[:, 1] + 1) / 4])

    for column in unit.T:
        assert np.array_equal(np.sort((column * 64).astype(int)), np.arange(64)), "one sample in each 64th"
    assert qmc.discrepancy(unit) < 0.01


def test_more_sobol_samples_keep_the_points_that_are_there() -> None:
    few, many = (drawn(n, fund={"low": 0, "high": 1}, share={"low": 0, "high": 1}) for n in (16, 64))

    assert np.array_equal(many[:16], few)


@pytest.mark.parametrize("kind", ["sobol", "lhs"])
def test_the_design_seed_alone_decides_the_samples(kind: str) -> None:
    first, again, other = (drawn(8, kind, seed, fund={"low": 0, "high": 1}) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_whole_numbers_are_equally_likely_with_both_ends() -> None:
    found = drawn(512, head={"low": 3, "high": 6, "whole": True}, fund={"low": 0, "high": 1})

    assert dict(zip(*np.unique(found[:, 0], return_counts=True), strict=True)) == dict.fromkeys(
        [3, 4, 5, 6], 128
    )


def test_sampled_durations_are_whole_seconds_and_labelled_as_such() -> None:
    found = design(
        design="lhs", samples=20, axes={"world.depth.recovery": {"low": "1h", "high": "24h", "log": True}}
    )
    seconds = [row.labels["world.depth.recovery"] for row in found.rows]

    assert all(isinstance(each, int) and 3600 <= each <= 86_400 for each in seconds)
    assert overrides(found) == [{"world": {"depth": {"recovery": f"{each}s"}}} for each in seconds]


def test_a_bound_of_zero_needs_no_unit() -> None:
    found = design(design="lhs", samples=2, axes={"protocol.oracle.delay": {"low": 0, "high": "1m"}})
    low, high = sorted(row.labels["protocol.oracle.delay"] for row in found.rows)

    assert 0 <= low <= 30 <= high <= 60


def test_samples_that_repeat_a_point_are_refused_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        design(design="lhs", samples=16, axes={FUND: [1, 2], BLOCK: ["30s", "60s"]})

    assert len(caught.value.problems) == 1
    assert "no two points may have the same labels" in str(caught.value)


def test_a_sampled_design_draws_choices_equally_often() -> None:
    policies = {"policy": {name: {} for name in "abcd"}, FUND: {"low": 0, "high": 1}}
    found = design(design="sobol", samples=64, axes=policies)
    names = [row.labels["policy"] for row in found.rows]

    assert {name: names.count(name) for name in "abcd"} == dict.fromkeys("abcd", 16)


def test_choices_called_low_and_high_are_no_interval() -> None:
    sections = {"low": {"rule": "none"}, "high": {"rule": "takeover"}}
    found = design(design="lhs", samples=2, axes={"protocol.backstop": sections})

    assert sorted(labels(found)) == [("high",), ("low",)]


def test_columns_of_a_store_are_no_names_of_axes() -> None:
    assert set(FIXED.names) <= {*COLUMNS, *STORED}
    for name in (*COLUMNS, *STORED):
        with pytest.raises(ScenarioError, match="must not have the name of a column"):
            design(axes={name: {"a": {}}})


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x"])
def test_a_sweep_made_in_python_holds_plain_data(value: object) -> None:
    with pytest.raises(ScenarioError, match=rf"^sweep  axes.{FUND}.1: must be plain data, got "):
        design(axes={FUND: [0, value]})


def test_numpy_numbers_and_ranges_are_plain_data() -> None:
    found = design(design="zip", axes={FUND: np.linspace(0, 1, 3), "agents.retail.accounts": range(1, 4)})

    assert labels(found) == [(0.0, 1), (0.5, 2), (1.0, 3)]


@pytest.mark.parametrize(
    "text", ["1e6", "on", "2020-03-12", "0o17", "12:30", "null", "~", "a: b", "", "1_000", ".5"]
)
def test_text_stays_text_in_the_yaml_of_a_sweep(text: str) -> None:
    data = {"a": [text, {text: 1e-5}], "b": 1e16}

    assert parse_yaml(as_yaml(data), "sweep").data == data


LEAVES = st.integers() | st.text("ab") | st.booleans() | st.lists(st.integers(0, 2), max_size=2)
TREES = st.dictionaries(
    st.sampled_from("abc"), st.recursive(LEAVES, lambda below: st.dictionaries(st.sampled_from("abc"), below))
)


@given(TREES, TREES)
def test_what_changed_leads_from_one_scenario_to_the_other(
    base: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    found, removed = changes(base, other)

    assert as_yaml(_sorted(patched(base, found, removed))) == as_yaml(_sorted(other))
    assert changes(base, base) == ({}, [])


def _sorted(data: object) -> object:
    return {key: _sorted(data[key]) for key in sorted(data)} if isinstance(data, dict) else data


def test_changes_name_leaves_and_what_is_gone() -> None:
    base = {"a": {"x": 1, "y": [1, 2], "z": {"u": 1}}, "b": 1, "c": 1}
    other = {"a": {"x": 1, "y": [1, 3]}, "b": True, "d": {"e": {}, "f": 2}}

    assert changes(base, other) == ({"a.y": [1, 3], "b": True, "d.e": {}, "d.f": 2}, ["c", "a.z"])


def test_patching_leaves_the_original_alone() -> None:
    base, changed = {"a": {"x": [1], "y": 2}}, {"a.z": [3]}
    other = patched(base, changed, ["a.y"])
    other["a"]["x"].append(4)
    other["a"]["z"].append(4)

    assert (base, changed) == ({"a": {"x": [1], "y": 2}}, {"a.z": [3]})
