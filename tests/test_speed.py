"""What speed is worth: planted slopes are found, absent ones are not, and the table says which is which."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analysis.speed import answer, delay_name, speed, speed_tables, width_name
from analysis.speed_figure import speed_figure, write_speed
from sim.problems import ScenarioError
from sim.streams import stream
from sim.sweeps.results import SweepResults
from sim.sweeps.study import load_study

DAY = 86_400
DELAYS = {"0s": 0, "1h": 3600, "1d": DAY, "3d": 3 * DAY}
SCENARIO = {"governance": {"route": "direct", "review": "0s", "steward": {}}, "risk_engine": {"model": "hmm"}}
METRIC = "bad_debt_gross_usd"


def point(name: str, **changes: object) -> dict[str, Any]:
    return {"labels": {"policy": name}, "changes": changes, "removed": []}


def store(slope: float, seeds: int = 40, bounded: float = 0.0, points: list | None = None) -> SweepResults:
    """A sweep whose loss grows by `slope` for a day of delay; bounds add `bounded`."""
    points = points or [
        point("none", **{"governance.route": "frozen"}),
        point("hindsight", **{"risk_engine.model": "hindsight"}),
        *(point(f"any_{name}", **{"governance.review": name}) for name in DELAYS),
        *(
            point(
                f"tenth_{name}",
                **{
                    "governance.route": "steward",
                    "governance.steward": {
                        "review": name,
                        "bounds": {"maintenance_margin": {"relative": 0.1}},
                    },
                },
            )
            for name in DELAYS
        ),
    ]
    luck = stream(7, "speed").gamma(2.0, 2e6, seeds)
    rows = []
    for number, each in enumerate(points):
        name = each["labels"]["policy"]
        delay = DELAYS.get(name.partition("_")[2], 0) / DAY
        extra = {"none": 4e6, "hindsight": -1e6}.get(name, slope * delay + bounded * ("tenth" in name))
        noise = stream(7, "noise", number).standard_normal(seeds)
        rows += [
            {"point": number, "policy": name, "seed": seed, "status": "done", METRIC: value}
            for seed, value in enumerate(luck + extra + 2e5 * noise)
        ]
    manifest = {
        "scenario": SCENARIO,
        "points": [dict(each, point=number) for number, each in enumerate(points)],
        "metrics": {METRIC: {"unit": "USD"}},
        "name": "planted",
    }
    frame = pd.DataFrame([{"point": each["point"], **each["labels"]} for each in manifest["points"]])
    return SweepResults("planted", manifest, frame, pd.DataFrame(rows))


def test_a_planted_price_of_a_day_is_found_and_an_absent_one_is_not() -> None:
    found, nothing = speed(store(1e6)), speed(store(0.0))

    planted = found.worth(np.inf, 0, DAY)
    assert planted["low"] < 1e6 < planted["high"]
    assert planted["low"] > 0
    absent = nothing.worth(np.inf, 0, DAY)
    assert absent["low"] <= 0 <= absent["high"]


def test_loss_avoided_and_regret_are_paired_differences() -> None:
    curves = speed(store(1e6, bounded=2e6)).curves.set_index(["width", "delay"])
    at_once, late = curves.loc[(np.inf, 0.0)], curves.loc[(np.inf, 3.0 * DAY)]

    assert at_once["avoided_low"] < 4e6 < at_once["avoided_high"]
    assert late["avoided_low"] < 1e6 < late["avoided_high"]
    assert late["regret_low"] < 4e6 < late["regret_high"]
    assert curves.loc[(0.1, 0.0)]["avoided_high"] < 4e6 - 1e6
    assert at_once["avoided_high"] - at_once["avoided_low"] < 0.2 * at_once["loss"]


def test_the_answer_names_the_delay_from_which_changes_do_not_help() -> None:
    useless = answer(speed(store(1.4e6)))
    useful = answer(speed(store(1e4)))

    assert "after 3 d they are not shown to help" in useless[1].replace("\N{NO-BREAK SPACE}", " ")
    assert "even after 3 d they are shown to help" in useful[1].replace("\N{NO-BREAK SPACE}", " ")
    assert "±10" in useful[2]


def test_the_tables_have_a_row_for_each_delay_and_a_column_for_each_width() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(*speed_tables(speed(store(1e6))))
    text = console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ")

    for word in ("at once", "after 1 h", "after 3 d", "any change", "±10 % a change", "1 d to 3 d", "*"):
        assert word in text


def test_the_figure_draws_a_line_for_each_width_and_levels_for_both_ends(tmp_path) -> None:
    found = speed(store(1e6))
    text = speed_figure(found).to_json()
    write_speed(found, tmp_path / "out")

    assert "hindsight, at once" in text
    assert "no update" in text
    assert all(width_name(width) in text for width in (np.inf, 0.1))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "speed.csv", "slopes.csv", "speed.png", "speed.svg"
    }  # fmt: skip
    assert delay_name(0) == "at once"


def test_a_sweep_without_the_two_ends_is_refused_with_all_that_it_lacks() -> None:
    lone = store(0.0, points=[point("any_0s"), point("any_0s")])

    with pytest.raises(ScenarioError) as error:
        speed(lone, "no_such_metric")
    text = str(error.value)
    for words in ("metric no_such_metric", "must be frozen", "must be hindsight", "must differ in delay"):
        assert words in text


@pytest.mark.parametrize("name", ["value_of_speed", "value_of_speed_fast"])
def test_the_bundled_sweeps_are_of_that_kind(name: str) -> None:
    study = load_study(name)
    labels = [str(point.labels["policy"]) for point in study.points]

    assert labels[:2] == ["none", "hindsight"]
    assert len(labels) == 20
    assert study.settings.baseline == {"policy": "none"}
