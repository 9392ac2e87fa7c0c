"""Margins along given prices: what they cost at equal coverage, and how they move."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.margins.course import Course, margin_course
from analysis.margins.measures import intervals, largest_rise, measures, student_interval
from analysis.margins.study import measured
from seawall import app
from sim.configuration import Scenario
from sim.scenario import load_scenario
from sim.sweeps.study import load_study

SHORT = ("clock.duration=60d", "risk_engine.training.length=200d")
LAB = (
    "clock={duration: 60d, block: 1h}", "risk_engine.model=hmm", "risk_engine.targets.horizon=24h",
    "risk_engine.training.length=200d",
    "risk_engine.law={band_up: 0, band_down: 0, dwell: 0s, rise: 1000000, fall: 1000000,"
    " box: {minimum: 0.001, maximum: 1000}}",
)  # fmt: skip


@cache
def course(*overrides: str, seed: int = 1) -> Course:
    """A policy along two months of the laboratory's prices."""
    return margin_course(load_scenario("two_regimes", [*LAB, *overrides]), seed)


def test_the_prices_are_the_same_for_every_policy_and_moves_are_those_over_the_horizon() -> None:
    one, other = course(), course("risk_engine.model=ewma")

    assert np.array_equal(one.move, other.move)
    assert len(one.move) == 60 * 24 - 24
    assert (one.margin != other.margin).any()


def test_a_margin_at_a_time_knows_nothing_of_what_follows() -> None:
    whole, half = course(), course("clock.duration=30d")
    kept = len(half.margin)

    assert np.array_equal(whole.margin[:kept], half.margin)


def test_each_law_does_to_the_course_what_it_says() -> None:
    free = course().margin
    floored = course("risk_engine.law.floor=1").margin
    blended = course("risk_engine.law.stressed=0.25").margin
    slow = course("risk_engine.law.rise=0.01", "risk_engine.law.fall=0.01").margin
    late = course("governance.review=2d").margin
    frozen = course("risk_engine.regimes=frozen").margin

    assert course("risk_engine.model=static").margin == pytest.approx(
        course("risk_engine.model=static").margin[0]
    )
    assert floored.min() > free.min()
    assert floored.max() == pytest.approx(free.max())
    assert (blended >= free - 1e-12).all()
    assert np.abs(np.diff(slow) / slow[:-1]).max() <= 0.01 + 1e-9
    assert np.array_equal(late[48:], free[:-48])
    assert frozen.min() < free.min()
    assert frozen.max() / frozen.min() > free.max() / free.min()


def test_measures_of_a_hand_made_course() -> None:
    margin = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    move = np.array([0.1, 0.2, 0.8, 0.2, 0.1, 0.1, 0.1, 0.1])
    regime = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    found = measures(Course(margin, move, regime, 86_400), 6 / 7)

    assert found["margin"] == pytest.approx(0.2 * margin.mean())
    assert found["peak_to_trough"] == 2
    assert found["rise_24h"] == found["rise_5d"] == pytest.approx(1)
    assert found["stressed_breaches"] == 0.5
    assert found["shortfall"] == pytest.approx(1)
    assert found["moves"] == pytest.approx(2 / 7)


def test_a_rise_counts_from_the_lowest_value_within_its_time() -> None:
    margin = np.array([2.0, 1.0, 1.5, 1.6, 3.0])

    assert largest_rise(margin, 1) == pytest.approx(3.0 / 1.6 - 1)
    assert largest_rise(margin, 2) == pytest.approx(1.0)
    assert largest_rise(margin, 3) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [(16.52, 0.64, "16.5 ±0.6"), (498.2, 136.7, "498 ±137"), (1.982, 0.0563, "1.98 ±0.06"),
     (100.0, 0.0, "100"), (12.5, float("nan"), "12.5")],
)  # fmt: skip
def test_numbers_are_printed_as_finely_as_they_are_known(value: float, half: float, text: str) -> None:
    assert measured(value, half) == text


def test_coverage_is_equal_after_scaling() -> None:
    for overrides in ((), ("risk_engine.model=static",), ("risk_engine.model=ewma",)):
        one = course(*overrides)
        scale = np.quantile(one.move / one.margin, 0.99)

        assert (one.move <= scale * one.margin).mean() == pytest.approx(0.99, abs=0.001)
        assert measures(one, 0.99)["margin"] == pytest.approx(scale * one.margin.mean())


def test_intervals_hold_their_truth_and_pairs_cancel_what_is_common() -> None:
    from sim.streams import stream

    chance, hits = stream(5, "margins", "intervals"), 0
    for _ in range(300):
        _, low, high = student_interval(chance.normal(3.0, 2.0, 12), 0.95)
        hits += low <= 3.0 <= high
    common = chance.normal(0, 5, 12)
    rows = pd.DataFrame(
        [
            {"policy": name, "seed": seed, **dict.fromkeys(NUMBERS, common[seed] + shift)}
            for name, shift in (("one", 0.0), ("other", 0.1))
            for seed in range(12)
        ]
    )
    found = intervals(rows, ("one", "other"), "one").query("policy == 'other'").iloc[0]

    assert 0.91 < hits / 300 < 0.985
    assert found["difference_low"] == pytest.approx(0.1)
    assert found["high"] - found["low"] > 1


NUMBERS = (
    "margin", "peak_to_trough", "rise_24h", "rise_5d", "stressed_breaches", "shortfall", "moves",
)  # fmt: skip


def test_the_command_writes_a_row_for_each_policy_and_world(tmp_path: Path) -> None:
    out = tmp_path / "margins"
    settings = [word for each in SHORT for word in ("--set", each)]
    command = ["margins", "margin_policies", "--worlds", "2", "--workers", "0", "--out", str(out), *settings]
    found = CliRunner().invoke(app, command)
    rows = pd.read_csv(out / "worlds.csv")

    assert found.exit_code == 0, found.output
    assert "every margin covers 99.5 % of the moves" in found.output
    assert len(rows) == 15 * 2
    assert set(rows["policy"]) >= {"fixed", "mixture", "hindsight"}


def test_a_sweep_of_two_axes_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "{name: two, scenario: two_regimes, set: {risk_engine.model: hmm}, seeds: 2,"
        " axes: {policy: {one: {}}, world.impact.coefficient: [0, 1]}}"
    )
    found = CliRunner().invoke(app, ["margins", str(file), "--out", str(tmp_path / "none")])

    assert found.exit_code == 2
    assert "margins are compared along one axis, got policy, world.impact.coefficient" in found.output
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["risk_engines", "risk_engines_no_impact", "risk_engines_strong_impact"])
def test_the_bundled_sweeps_of_risk_engines_differ_in_impact_and_scale_alone(name: str) -> None:
    study = load_study(name)
    points = [Scenario.model_validate_json(point.scenario) for point in study.points]
    laws = {point.risk_engine.law.model_dump_json() for point in points}

    assert len(points) == 6
    assert len(study.seeds) == 64
    assert {point.governance.route for point in points} == {"direct"}
    assert len(laws) == 2
    assert all(point.risk_engine.targets.sold == 0 for point in points)
