"""Sweep files: every point checked before anything runs, and every mistake named with its place."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sim.bundled import names
from sim.configuration import Scenario
from sim.provenance import provenance, resolved
from sim.run import run
from sim.scenario import ScenarioError, load_scenario
from sim.sweeps.design import changes
from sim.sweeps.study import MAX_TOLD, load_study, metric_names

MINE = """\
extends: base
name: mine
clock: {duration: 2h, block: 30s}
protocol: {insurance_fund: 7}
"""
HEAD = "scenario: mine.yaml\nseeds: 2\n"
FUND = "protocol.insurance_fund"


def saved(folder: Path, text: str, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def sweep(folder: Path, text: str, head: str = HEAD) -> Path:
    """A sweep file beside its scenario; the text begins in line 3."""
    saved(folder, MINE, "mine.yaml")
    return saved(folder, f"{head}{text}")


def complaints(source: str | Path | Mapping[str, Any], overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_study(source, overrides)
    folder = f"{Path(source).parent}/" if isinstance(source, Path) else "/"
    return [line.replace(folder, "") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", names("sweep"))
def test_bundled_sweeps_load_and_name_themselves(name: str) -> None:
    study = load_study(name)

    assert study.name == name
    assert study.description
    assert len(study.points) > 1


@pytest.mark.parametrize("name", names("sweep"))
def test_a_bundled_sweep_says_first_what_it_is_for(name: str) -> None:
    assert load_study(name).text.startswith("#")


def test_a_sweep_has_its_scenario_at_every_point(tmp_path: Path) -> None:
    text = f"set: {{agents.retail.accounts: 50}}\naxes:\n  {FUND}: [0, 9]\n"
    text += "  clock: {as: {}, block: {block: 60s}}\n"
    study = load_study(sweep(tmp_path, text), ["world.share=0.5"])
    scenarios = [Scenario.model_validate_json(point.scenario) for point in study.points]

    assert (study.name, study.description, study.axes, study.seeds) == ("s", "", (FUND, "clock"), (1, 2))
    assert study.text == f"{HEAD}{text}"
    assert [point.index for point in study.points] == [0, 1, 2, 3]
    assert [dict(point.labels) for point in study.points][1] == {FUND: 0, "clock": "block"}
    assert [(each.protocol.insurance_fund, each.clock.block) for each in scenarios] == [
        (0, 30),
        (0, 60),
        (9, 30),
        (9, 60),
    ]
    assert {(each.name, each.agents.retail.accounts, each.world.share) for each in scenarios} == {
        ("mine", 50, 0.5)
    }
    assert study.base.protocol.insurance_fund == 7
    assert (study.base.agents.retail.accounts, study.base.world.share) == (50, 0.5)


def test_points_differ_from_the_base_in_what_their_axes_set() -> None:
    study = load_study("policies")
    base = resolved(study.base)
    differences = [changes(base, json.loads(point.scenario)) for point in study.points]

    assert differences[0] == ({}, [])
    assert differences[1][0] == {
        f"protocol.markets.{market}.{margin}_margin": value
        for market in ("BTC", "ETH")
        for margin, value in (("initial", 0.1), ("maintenance", 0.06))
    }
    assert differences[2] == ({FUND: 1e6, "protocol.vault.deposits": 4e6}, [])


MARKET = "{lot: 0.001, tick: 0.1, initial_margin: 0.05, maintenance_margin: 0.03}"
REVERSED = f"""\
clock: {{duration: 10m}}
protocol: {{markets: {{ETH: {MARKET}, BTC: {MARKET}}}}}
world: {{prices: {{kind: waypoints, points: [{{at: 0s, BTC: 42000, ETH: 2300}}]}}}}
agents: {{retail: {{accounts: 40}}}}
"""


def test_a_point_is_the_scenario_that_a_run_with_its_settings_gets(tmp_path: Path) -> None:
    scenario = saved(tmp_path, REVERSED)
    study = load_study({"scenario": scenario, "seeds": 1, "axes": {FUND: [5]}})
    point = Scenario.model_validate_json(study.points[0].scenario)
    alone = load_scenario(scenario, [f"{FUND}=5"])

    assert point.markets == ("ETH", "BTC")
    assert run(point, 1).transcript == run(alone, 1).transcript


def test_a_removed_market_is_there_again_at_the_next_point() -> None:
    study = load_study(
        {"scenario": "base", "seeds": 1, "axes": {"protocol.markets.ETH": ["none", {}], FUND: [1, 2]}}
    )
    scenarios = [Scenario.model_validate_json(point.scenario) for point in study.points]

    assert [each.markets for each in scenarios] == [("BTC",), ("BTC",), ("BTC", "ETH"), ("BTC", "ETH")]
    assert scenarios[2].protocol.markets == load_scenario("base").protocol.markets


def test_a_policy_may_do_without_the_preset() -> None:
    market = {"lot": 0.01, "tick": 0.1, "initial_margin": 0.2, "maintenance_margin": 0.1}
    bare = {"protocol": {"preset": "none", "markets": {"BTC": market, "ETH": market}}}
    study = load_study({"scenario": "base", "seeds": 1, "axes": {"policy": {"as it is": {}, "bare": bare}}})
    venues = [Scenario.model_validate_json(point.scenario).protocol for point in study.points]

    assert [venue.preset for venue in venues] == ["dydx_v4", "none"]
    assert [venue.fees.maker for venue in venues] == [-0.00011, 0]
    assert [venue.markets["BTC"].tick for venue in venues] == [1, 0.1]


def test_a_problem_of_one_point_is_none_of_the_next() -> None:
    axes = {"policy": {"other": {"protocol.preset": "dydx_v5"}, "as it is": {}}}
    lines = complaints({"scenario": "base", "seeds": 1, "axes": axes})

    assert lines == [
        "sweep  protocol.preset: no such preset 'dydx_v5'; did you mean dydx_v4? (at policy=other)",
    ]


def test_what_a_policy_takes_away_is_missed_where_it_is_written() -> None:
    axes = {"policy": {"as it is": {}, "bare": {"protocol.preset": "none"}}}
    lines = complaints({"scenario": "base", "seeds": 1, "axes": axes})

    assert any(
        "BTC.lot: must be given: smallest change of a position (at policy=bare)" in line for line in lines
    )
    assert len(lines) == 8


def test_entries_of_a_list_are_settings_too() -> None:
    axes = {"shocks.0.factor": [2, 9], "shocks.1.share": [0.5]}
    study = load_study({"scenario": "black_thursday", "seeds": 1, "axes": axes})
    shocks = [json.loads(point.scenario)["shocks"] for point in study.points]

    assert [(each[0]["factor"], each[1]["share"], each[2]["share"]) for each in shocks] == [
        (2, 0.5, 0.95),
        (9, 0.5, 0.95),
    ]


def test_a_policy_may_lie_in_a_file_beside_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    saved(
        tmp_path / "rules",
        "name: tight\ndescription: more\nprotocol.insurance_fund: 3\nworld: {share: 0.3}\n",
        "tight.yaml",
    )
    study = load_study(sweep(tmp_path, "axes:\n  policy: {now: {}, tight: rules/tight.yaml}\n"))
    scenario = Scenario.model_validate_json(study.points[1].scenario)

    assert (scenario.name, scenario.protocol.insurance_fund, scenario.world.share) == ("mine", 3, 0.3)


def test_mistakes_in_the_file_of_a_policy_are_named_there(tmp_path: Path) -> None:
    saved(tmp_path, "protocol:\n  insurance_fund: -1\nworld.share: 0.3\nworld: {share: 0.4}\n", "tight.yaml")
    saved(tmp_path, "\n\nprotocol.insurance_fund: -1\n", "loose.yaml")
    twice = complaints(sweep(tmp_path, "axes:\n  policy: {now: {}, tight: tight.yaml}\n"))
    below = complaints(sweep(tmp_path, "axes:\n  policy: {now: {}, loose: loose.yaml}\n"))

    assert twice == ["tight.yaml:4  world.share: a setting must stand once, and world.share is set twice"]
    assert below == ["loose.yaml:3  protocol.insurance_fund: must be >= 0, got -1 (at policy=loose)"]


def test_candles_lie_beside_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    rows = "".join(
        f"2024-01-01T{hour:02}:{minute:02}:00Z,9,11,8,10,1\n"
        for hour in (0, 1)
        for minute in range(0, 60, 15)
    )
    for name in ("a.csv", "b.csv"):
        saved(home, f"date,open,high,low,close,volume\n{rows}", name)
    text = "set: {protocol.markets.ETH: none, world.prices: {kind: replay, path: a.csv}}\n"
    grid = load_study(sweep(home, f"{text}axes: {{world.prices.path: [a.csv, b.csv]}}\n"))
    listed = "axes: [{world.prices.path: a.csv}, {world: {prices: {path: b.csv}}}]\n"
    studies = [grid, load_study(sweep(home, f"{text}design: list\n{listed}"))]

    assert [point.labels["world.prices.path"] for point in grid.points] == ["a.csv", "b.csv"]
    for study in studies:
        paths = [json.loads(point.scenario)["world"]["prices"]["path"] for point in study.points]
        assert paths == [f"{home}/a.csv", f"{home}/b.csv"]


def test_candles_that_are_not_there_are_missed_once() -> None:
    prices = {"as it is": {}, "gone": {"kind": "replay", "path": {"BTC": "x.csv", "ETH": "x.csv"}}}
    lines = complaints({"scenario": "base", "seeds": 1, "axes": {"world.prices": prices}})

    assert lines == ["x.csv  no such candle file (at world.prices=gone)"]


def test_a_scenario_lies_beside_the_sweep_or_is_bundled(tmp_path: Path) -> None:
    for scenario in ("calm", "calm.yaml", "../calm.yaml"):
        saved(tmp_path, "extends: base\nname: other\n", "calm.yaml")
        (tmp_path / "below").mkdir(exist_ok=True)
        study = load_study(saved(tmp_path / "below", f"scenario: {scenario}\nseeds: 1\n"))

        assert study.base.name == ("other" if scenario.startswith("..") else "calm")


def test_the_base_says_where_its_settings_come_from(tmp_path: Path) -> None:
    study = load_study(sweep(tmp_path, "set:\n  protocol.fees.taker: 0.001\n"), ["world.share=0.5"])
    rows = {row["path"]: row["origin"] for row in provenance(study.base)}

    assert rows["protocol.fees.taker"].endswith("/s.yaml:4")
    assert rows[FUND].endswith("/mine.yaml:4")
    assert rows["world.share"] == "--set"
    assert rows["protocol.fees.maker"] == "preset:dydx_v4"


def test_a_study_can_be_sent_to_another_process(tmp_path: Path) -> None:
    study = load_study(sweep(tmp_path, "axes: {policy: {a: {}, b: {protocol.insurance_fund: 1}}}\n"))

    assert pickle.loads(pickle.dumps(study)) == study


@pytest.mark.parametrize(
    ("seeds", "expected"), [("3", (1, 2, 3)), ("[5, 0, 9223372036854775807]", (5, 0, 2**63 - 1))]
)
def test_seeds_are_a_count_or_a_list(tmp_path: Path, seeds: str, expected: tuple[int, ...]) -> None:
    study = load_study(sweep(tmp_path, "", f"scenario: mine.yaml\nseeds: {seeds}\n"))

    assert study.seeds == expected


def test_settings_have_their_types(tmp_path: Path) -> None:
    text = f"axes: {{{FUND}: [1, 2]}}\nbaseline: {{{FUND}: 1.0}}\n"
    text += "time_limit: 10m\ngates: [mean(x) < 1, y]\nlevel: 0.9\n"
    text += "replicates: {metric: mark_drawdown_ETH, until: 0.01, max: 8}\n"
    settings = load_study(sweep(tmp_path, text)).settings

    assert (settings.time_limit, settings.gates, settings.level) == (600, ("mean(x) < 1", "y"), 0.9)
    assert settings.baseline == {FUND: 1}
    assert settings.replicates is not None
    assert (settings.replicates.level, settings.replicates.max) == (0.95, 8)


def test_every_metric_of_a_run_can_decide_on_replicates() -> None:
    actors = "agents.actors={whale: {cash: 1}, shark: {cash: 1}}"
    scenario = load_scenario("base", ["clock.duration=10m", "agents.retail.accounts=40", actors])

    assert set(run(scenario, 1).summary) == set(metric_names(scenario))


def test_a_sweep_made_in_python_equals_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = sweep(
        tmp_path,
        f"axes:\n  {FUND}: [0, 1.0e-05]\n  policy: {{1e6: {{}}, 'on': {{world.share: 0.2}}}}\nname: sweep\n",
    )
    axes = {FUND: [0, 1e-5], "policy": {"1e6": {}, "on": {"world.share": 0.2}}}
    made = load_study({"scenario": Path("mine.yaml"), "seeds": 2, "axes": axes})

    assert made.points == load_study(path).points
    assert load_study(saved(tmp_path, made.text, "again.yaml")).points == made.points


AXES = {
    "axes: 5": "s.yaml:3  axes: must be a mapping of axes, or for the design list a list of points, got 5",
    "axes: [{}]": "s.yaml:3  axes: a list of points needs design: list, got design: grid",
    "axes: [": "s.yaml:4  not valid YAML",
    "axes:\n  a: {b: {}}\n  a: {c: {}}": "s.yaml:5  axes.a: a key must stand once",
    f"axes:\n  {FUND}: 5": f"s.yaml:4  axes.{FUND}: an axis is a list of values, or a mapping",
    f"axes:\n  {FUND}: []": f"s.yaml:4  axes.{FUND}: an axis needs at least one value",
    f"axes:\n  {FUND}: {{}}": f"s.yaml:4  axes.{FUND}: an axis needs at least one value",
    f"axes:\n  {FUND}:\n    - 0\n    - 1\n    - 0.0": f"s.yaml:7  axes.{FUND}.2: a value must be listed once",
    f"axes:\n  {FUND}:\n    - 0\n    -": f"s.yaml:6  axes.{FUND}.1: a value must be given",
    f"axes:\n  {FUND}:\n    - 0\n    - -1": f"s.yaml:6  {FUND}: must be >= 0, got -1 (at {FUND}=-1)",
    f"axes:\n  {FUND}: [true]": f"s.yaml:4  {FUND}: must be a number, got true (at {FUND}=true)",
    "axes:\n  protocol.: [1]": "s.yaml:4  axes.protocol..0: a key must not have an empty part",
    "axes:\n  protocol.insurence_fund:\n    - 0\n    - 1": (
        "s.yaml:5  protocol.insurence_fund: unknown key; did you mean insurance_fund? (at 2 of 2 points"
    ),
    "axes:\n  protocl.insurance_fund: [0]": (
        "s.yaml:4  axes.protocl.insurance_fund: a setting lies in a section of the scenario; did you mean pro"
    ),
    "axes:\n  shock: [[]]": (
        "s.yaml:4  axes.shock: a named axis is a mapping from name to overrides; did you mean shocks?"
    ),
    "axes:\n  policy: 3": "s.yaml:4  axes.policy: a named axis is a mapping from name to overrides, got 3",
    "axes:\n  policy: {}": "s.yaml:4  axes.policy: an axis needs at least one value",
    "axes:\n  policy:\n    a:": (
        "s.yaml:5  axes.policy.a: must be a mapping of overrides ({} for the scenario as it is), or a file"
    ),
    "axes:\n  policy:\n    a: b.yaml": "s.yaml:5  axes.policy.a: no such file of overrides, got 'b.yaml'",
    "axes:\n  policy:\n    a:\n      protocol.x: 1": "s.yaml:6  protocol.x: unknown key; known: adl",
    "axes:\n  policy:\n    a:\n      clock.block: 1\n      clock:\n        block: 1": (
        "s.yaml:8  axes.policy.a.clock.block: a setting must stand once, and clock.block is set twice"
    ),
    "axes:\n  policy:\n    a:\n      protocol.fees: 1\n      protocol.fees.taker: 1": (
        "s.yaml:7  axes.policy.a.protocol.fees.taker: a setting must stand once"
    ),
    "axes:\n  policy:\n    a:\n      protocol.fees.taker: 1\n      protocol.fees: 1": (
        "s.yaml:7  axes.policy.a.protocol.fees: a setting must stand once"
    ),
    "axes:\n  seed: {a: {}}": "s.yaml:4  axes.seed: an axis must not have the name of a column",
    "axes:\n  crash_usd: {a: {}}\n  pnl_retail_usd: {a: {}}": (
        "s.yaml:5  axes.pnl_retail_usd: an axis must not have the name of a metric"
    ),
    f"axes:\n  {FUND}: [0]\n  policy: {{a: {{}}, b: {{{FUND}: 1}}}}": (
        f"s.yaml:5  axes.policy: two axes must not set the same, and {FUND} is set by the axis {FUND} too"
    ),
    "axes:\n  clock: [{block: 1s, duration: 2h}]\n  policy: {a: {clock.block: 2s, clock.duration: 1h}}": (
        "s.yaml:5  axes.policy: two axes must not set the same, and clock.block is set by the axis clock too"
    ),
    "axes:\n  protocol: [{fees: {taker: 0.1}}]\n  protocol.fees.taker: [0.2]": (
        "s.yaml:5  axes.protocol.fees.taker: two axes must not set the same"
    ),
    f"design: zip\naxes:\n  {FUND}: [0, 1]\n  clock.block: [30s]": (
        f"s.yaml:4  axes: axes of the design zip must be equally long, got {FUND}: 2, clock.block: 1"
    ),
    f"design: zip\naxes:\n  {FUND}: [0, 0]\n  clock.block:\n    - 30s\n    - 30s": (
        f"s.yaml:8  axes: no two points may have the same labels, got {FUND}=0, clock.block=30s"
    ),
    "axes:\n  shocks:\n    - []\n    - - {at: 1h, kind: price_jump, size: 1}\n"
    "      - {at: 3h, kind: price_jump, size: 1}": (
        "s.yaml:7  shocks.1: at must lie within clock.duration=7200s, got at=10800s (at shocks=[{at: 1h,"
    ),
    "axes:\n  protocol.backstop:\n    with: {rule: takeover}\n    without: {rul: none}": (
        "s.yaml:6  protocol.backstop.rul: unknown key; did you mean rule? (at protocol.backstop=without)"
    ),
    "axes:\n  protocol.markets.BTC.maintenance_margin: [0.01, 0.05]\n  clock.block: [30s, 60s]": (
        "s.yaml:4  protocol.markets.BTC: maintenance_margin <= initial_margin must hold, got "
        "maintenance_margin=0.05, initial_margin=0.02 (at 2 of 4 points, first "
        "protocol.markets.BTC.maintenance_margin=0.05, clock.block=30s)"
    ),
}

LISTS = {
    "{a: {}}": "s.yaml:4  axes: design: list needs a list of points",
    "[]": "s.yaml:4  axes: design: list needs a list of points",
    "\n  - {}\n  - 5": "s.yaml:6  axes.1: a point is a mapping from setting to value, got 5",
    "\n  - {policy: tight}": "s.yaml:5  axes.0.policy: a point sets what lies in a section of the scenario; ",
    "\n  - {protocl.x: 1}": (
        "s.yaml:5  axes.0.protocl.x: a point sets what lies in a section of the scenario; did you mean"
    ),
    f"\n  - {{{FUND}: }}": f"s.yaml:5  axes.0.{FUND}: a value must be given",
    f"\n  - {{{FUND}: 1}}\n  - {{{FUND}: 1.0}}": "s.yaml:6  axes: no two points may have the same labels",
    "\n  - {}\n  - {}": "s.yaml:6  axes: no two points may have the same labels",
    "\n  - {name: a}\n  - {}": "s.yaml:6  axes.1: all points must have a name, or none",
    "\n  - {name: a}\n  - {name: a, clock.block: 60s}": (
        "s.yaml:6  axes: no two points may have the same labels, got case=a"
    ),
    "\n  - {name: [a]}": "s.yaml:5  axes.0.name: the name of a point must be a word or a number, got ['a']",
    "\n  - {clock.block: 1s, clock: {block: 2s}}": "s.yaml:5  axes.0.clock.block: a setting must stand once",
    f"\n  - {{{FUND}: 1}}\n  - {{{FUND}: -1}}": f"s.yaml:6  {FUND}: must be >= 0, got -1 (at {FUND}=-1)",
}

INTERVALS = {
    "{low: 2, high: 1}": "low < high must hold, got low=2, high=1",
    "{low: 1, high: 1}": "low < high must hold, got low=1, high=1",
    "{low: 0, high: 1, log: true}": "low > 0 must hold for log: true, got low=0, high=1",
    "{low: 1h, high: 3}": "low and high must both be durations, or both be numbers, got low=1h, high=3",
    "{low: 0.5, high: 3, whole: true}": "low and high must be whole for whole: true, got low=0.5, high=3",
    "{low: 1}": f"axes.{FUND}.high: must be given",
    "{low: 1, high: 2, hgh: 3}": f"axes.{FUND}.hgh: unknown key; did you mean high?",
    "{low: x, high: 3}": f"axes.{FUND}.low: a duration is a number and a unit, as in",
    "{low: true, high: 3}": f"axes.{FUND}.low: must be a number, got true",
    "{low: .nan, high: 3}": f"axes.{FUND}.low: must be finite, got nan",
    "{low: 1, high: 3, log: 1}": f"axes.{FUND}.log: must be true or false, got 1",
    "{low: -3, high: -1}": "must be >= 0, got -",
    "{a: 1, b: 2}": "no two points may have the same labels",
}

SETTINGS = {
    "design: gird": "s.yaml:3  design: must be one of 'grid', 'zip', 'list', 'sobol' or 'lhs', got 'gird'",
    "design: sobol": "s.yaml:3  design: the design sobol needs samples, the number of its points",
    "design: lhs\nsamples: 4": "s.yaml:3  design: the design lhs needs an axis to draw from",
    "design: sobol\nsamples: 100": (
        "s.yaml:4  samples: samples of the design sobol must be a power of two, such as 64 or 128, got 100"
    ),
    "samples: 4": "s.yaml:3  samples: only the designs sobol and lhs draw samples, got grid",
    "design_seed: 0": "s.yaml:3  design_seed: only the designs sobol and lhs draw samples, got grid",
    "seed: 1": "s.yaml:3  seed: unknown key; did you mean seeds?",
    "name: a/b": "s.yaml:3  name: must match",
    "level: 0.5": "s.yaml:3  level: must be > 0.5, got 0.5",
    "level: 95": "s.yaml:3  level: must be < 1, got 95",
    "time_limit: 5": "s.yaml:3  time_limit: a duration needs its unit",
    "time_limit: 0s": "s.yaml:3  time_limit: must be > 0, got '0s'",
    "gates: [1]": "s.yaml:3  gates.0: must be text, got 1",
    "gates: a": "s.yaml:3  gates: must be a list, got 'a'",
    "set: 5": "s.yaml:3  set: must be a mapping, got 5",
    "set:\n  protocol.insurance_fund: -1": f"s.yaml:4  {FUND}: must be >= 0, got -1",
    "set:\n  protcol.insurance_fund: 1": "s.yaml:4  protcol: unknown key; did you mean protocol?",
    "set:\n  world.share: 1\n  world: {share: 1}": "s.yaml:5  set.world.share: a setting must stand once",
    "baseline: {policy: a}": "s.yaml:3  baseline.policy: no such axis",
    f"axes: {{{FUND}: [1, 2]}}\nbaseline: {{{FUND}: 3}}": (
        f"s.yaml:4  baseline.{FUND}: the axis has no label 3; known: 1, 2"
    ),
    "axes: {policy: {1: {}}}\nbaseline: {policy: 1}": "s.yaml:4  baseline.policy: the axis has no label 1; ",
    "baseline: {policy: [a]}": "s.yaml:3  baseline.policy: a label is a word, a number, true or false, got",
    "replicates: {metric: bad_debt_gros_usd, until: 1, max: 9}": (
        "s.yaml:3  replicates.metric: no such metric 'bad_debt_gros_usd'; did you mean bad_debt_gross_usd"
    ),
    "replicates: {metric: bad_debt_gross_usd, until: 0, max: 9}": "s.yaml:3  replicates.until: must be > 0",
    "replicates: {metric: bad_debt_gross_usd, until: 1, max: 1}": (
        "s.yaml:3  replicates.max: seeds <= max must hold, got max=1, seeds=2"
    ),
    "replicates: {metric: bad_debt_gross_usd, until: 1}": "s.yaml:3  replicates.max: must be given",
}

SEEDS = {
    "0": "s.yaml:2  seeds: must be >= 1, got 0",
    "true": "s.yaml:2  seeds: must be a whole number, got true",
    "many": "s.yaml:2  seeds: must be a whole number, got 'many'",
    "[]": "s.yaml:2  seeds: a list of seeds needs at least one",
    "\n  - 1\n  - -1": "s.yaml:4  seeds.1: must be >= 0, got -1",
    "\n  - 1\n  - 2\n  - 1": "s.yaml:5  seeds.2: seeds must differ, got 1 again",
    "[9223372036854775808]": "s.yaml:2  seeds.0: must be < 9.22337203685e+18",
    "[1, 2]\nreplicates: {metric: bad_debt_gross_usd, until: 1, max: 9}": (
        "s.yaml:3  replicates: replicates need seeds given as a count, not as a list"
    ),
    f"400000\naxes: {{{FUND}: [1, 2, 3]}}": (
        "s.yaml:2  seeds: points x seeds must be at most 1,000,000 runs, got 3 x 400,000 = 1,200,000"
    ),
    "1\nreplicates: {metric: bad_debt_gross_usd, until: 1, max: 1000001}": (
        "s.yaml:2  seeds: points x seeds must be at most 1,000,000 runs, got 1 x 1,000,001 = 1,000,001"
    ),
    f"1000\ndesign: lhs\nsamples: 1001\naxes: {{{FUND}: {{low: 1, high: 2}}}}": "1,001 x 1,000 = 1,001,000",
}


@pytest.mark.parametrize("text", [*AXES, *SETTINGS])
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    lines = complaints(sweep(tmp_path, f"{text}\n"))

    assert len(lines) == 1
    assert lines[0].startswith((AXES | SETTINGS)[text])


@pytest.mark.parametrize("points", list(LISTS))
def test_a_mistake_in_a_list_of_points_is_named_with_its_line(tmp_path: Path, points: str) -> None:
    lines = complaints(sweep(tmp_path, f"design: list\naxes: {points}\n"))

    assert len(lines) == 1
    assert lines[0].startswith(LISTS[points])


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_a_mistake_in_an_interval_is_named_with_its_line(tmp_path: Path, interval: str) -> None:
    lines = complaints(sweep(tmp_path, f"design: lhs\nsamples: 3\naxes:\n  {FUND}: {interval}\n"))

    assert len(lines) == 1
    assert lines[0].startswith("s.yaml:6  ")
    assert INTERVALS[interval] in lines[0]


@pytest.mark.parametrize("seeds", list(SEEDS))
def test_a_mistake_in_the_seeds_is_named_with_its_line(tmp_path: Path, seeds: str) -> None:
    lines = complaints(sweep(tmp_path, "", f"scenario: mine.yaml\nseeds: {seeds}\n"))

    assert len(lines) == 1
    assert SEEDS[seeds] in lines[0]


WHERE = [f"world.gas.base={base}, policy={policy}" for base, policy in ((1, "b"), (-1, "a"), (-2, "a"))]


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = "level: 2\nset: {world.share: 7}\naxes:\n  world.gas.base: [1, -1, -2]\n"
    text += "  policy: {a: {}, b: {world.shar: 1}}\n"
    lines = complaints(sweep(tmp_path, f"{text}baseline: {{policy: c}}\n"), ("clock.block=7s", "x"))

    assert lines == [
        "s.yaml:3  level: must be < 1, got 2",
        "s.yaml:8  baseline.policy: the axis has no label 'c'; known: a, b",
        "--set x  an override is written path=value, as in clock.block=30s",
        "s.yaml:4  world.share: must be <= 1, got 7",
        "--set clock.block=7s  clock: duration must be a multiple of block, got duration=7200s, block=7s",
        f"s.yaml:7  world.shar: unknown key; did you mean share? (at 3 of 6 points, first {WHERE[0]})",
        f"s.yaml:6  world.gas.base: must be > 0, got -1 (at 2 of 6 points, first {WHERE[1]})",
        f"s.yaml:6  world.gas.base: must be > 0, got -2 (at 2 of 6 points, first {WHERE[2]})",
    ]


def test_problems_of_the_scenario_are_named_in_its_file_and_once(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    saved(tmp_path, f"{MINE}world: {{share: 7}}\n", "mine.yaml")
    text = f"scenario: ../mine.yaml\nseeds: 1\naxes: {{{FUND}: [0, 1]}}\n"
    lines = complaints(saved(tmp_path / "below", text))

    assert lines == [f"{tmp_path}/mine.yaml:5  world.share: must be <= 1, got 7"]


def test_a_scenario_that_is_not_there_hides_no_other_mistake(tmp_path: Path) -> None:
    head = "scenario: black_tuesday\nseeds: 0\n"
    lines = complaints(sweep(tmp_path, f"set: {{protocl.x: 1}}\naxes: {{{FUND}: [0, 0]}}\n", head))

    assert lines == [
        "s.yaml:2  seeds: must be >= 1, got 0",
        f"s.yaml:4  axes.{FUND}.1: a value must be listed once, got 0",
        "s.yaml:1  scenario: no such scenario 'black_tuesday'; did you mean black_thursday?",
        "s.yaml:3  protocl: unknown key; did you mean protocol?",
    ]


def test_entries_of_a_list_are_no_mistake_where_the_list_could_not_be_read(tmp_path: Path) -> None:
    lines = complaints(
        sweep(tmp_path, "axes: {shocks.0.factor: [1, 2]}\n", "scenario: black_tuesday\nseeds: 1\n")
    )

    assert lines == ["s.yaml:1  scenario: no such scenario 'black_tuesday'; did you mean black_thursday?"]


def test_an_empty_file_says_what_it_needs(tmp_path: Path) -> None:
    assert complaints(saved(tmp_path, "")) == [
        "s.yaml:1  scenario: must be given: a file beside this one, or a bundled scenario",
        "s.yaml:1  seeds: must be given: a number of seeds, or a list of them",
    ]


def test_an_unknown_sweep_is_met_with_the_nearest_name() -> None:
    assert complaints("margin_and_fnd") == [
        "margin_and_fnd  no such sweep file or bundled sweep; did you mean margin_and_fund?"
    ]


@pytest.mark.parametrize("override", [f"{FUND}=3", "protocol={insurance_fund: 3}"])
@pytest.mark.parametrize(
    ("axes", "setter"),
    [
        (f"axes: {{{FUND}: [0]}}", f"axis {FUND}"),
        (f"axes: {{policy: {{a: {{}}, b: {{{FUND}: 1}}}}}}", "axis policy"),
        (f"design: lhs\nsamples: 1\naxes: {{{FUND}: {{low: 0, high: 1}}}}", f"axis {FUND}"),
        (f"design: list\naxes: [{{name: a, {FUND}: 1}}]", "list of points"),
    ],
)
def test_an_override_must_leave_the_axes_alone(tmp_path: Path, override: str, axes: str, setter: str) -> None:
    lines = complaints(sweep(tmp_path, f"{axes}\n"), (override,))

    assert lines == [f"--set {override}  {FUND}: an override must not set what the {setter} sets"]


def test_of_many_different_problems_the_first_are_told(tmp_path: Path) -> None:
    values = ", ".join(str(-value) for value in range(1, MAX_TOLD + 6))
    lines = complaints(sweep(tmp_path, f"axes: {{{FUND}: [{values}]}}\n"))

    assert len(lines) == MAX_TOLD + 1
    assert lines[-1] == "axes: 5 further problems at other points"


def test_drawn_values_that_break_a_rule_are_told_once(tmp_path: Path) -> None:
    text = f"design: sobol\nsamples: 64\naxes: {{{FUND}: {{low: -1, high: 3}}}}\n"
    lines = complaints(sweep(tmp_path, text))

    assert len(lines) == 1
    assert "(at 16 of 64 points, first protocol.insurance_fund=-" in lines[0]


def test_prices_are_looked_up_once_for_all_points(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.sweeps import study

    seen = []
    real = study.price_problems
    monkeypatch.setattr(study, "price_problems", lambda *about: seen.append(about) or real(*about))
    axes = {FUND: [0, 1, 2], "world.prices.volatility.BTC": [0.5, 0.6], "clock.block": ["30s", "60s"]}
    load_study({"scenario": "black_thursday", "seeds": 1, "axes": axes})

    assert len(seen) == 2
