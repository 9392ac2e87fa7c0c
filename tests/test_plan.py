"""The plan of a sweep: how many runs, how long, how large, before anything is done."""

import math
from pathlib import Path

import pytest
from sweeping import BEYOND, FUND, POINTS, TIGHT, Counted, described, invented, tiny

from sim.problems import ScenarioError
from sim.sweeps.plan import Plan, disk_bytes, pilot_seconds, worth_starting
from sim.sweeps.study import Study, load_study
from sim.sweeps.sweep import plan, sweep


@pytest.fixture
def pilots(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Insurance fund of every scenario that a pilot timed, each of which takes 0.2 s."""
    seen: list[float] = []

    def timed(scenario: object, seed: int) -> float:
        seen.append(scenario.protocol.insurance_fund)
        return 0.2

    monkeypatch.setattr("sim.sweeps.plan.run_seconds", timed)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2, 3})
    return seen


def test_a_plan_counts_points_seeds_and_runs(tmp_path: Path, pilots: list[float]) -> None:
    made = plan(tiny(), tmp_path / "store")

    assert (made.points, made.seeds, made.tasks, made.stored, made.remaining) == (4, 6, 24, 0, 24)
    assert made.run_seconds == pytest.approx(0.2)
    assert pilots == [0, 1_000_000]
    assert not (tmp_path / "store").exists()


def test_points_of_equal_scenarios_are_planned_once(tmp_path: Path, pilots: list[float]) -> None:
    axes = {"policy": {"one": TIGHT, "same": TIGHT}}

    assert plan(tiny(axes=axes), tmp_path / "store").tasks == 6


def test_what_is_stored_is_not_planned_again(
    tmp_path: Path, pilots: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", Counted(2))
    sweep(tiny(seeds=3), tmp_path, workers=0)
    before = sorted(tmp_path.rglob("*"))
    made = plan(tiny(seeds=4), tmp_path)

    assert (made.tasks, made.stored, made.remaining) == (16, 8, 8)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_for_another_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", invented)
    sweep(tiny(seeds=1), tmp_path, workers=0)
    other = tiny(seeds=1, axes={"policy": {"tight": TIGHT}})
    other["set"] = other["set"] | {FUND: 7}

    with pytest.raises(ScenarioError, match=r"scenario: protocol\.insurance_fund is now 7"):
        plan(other, tmp_path)


@pytest.mark.parametrize(
    ("seconds", "workers", "chosen"), [(0.2, None, 0), (2.0, None, 4), (0.2, 3, 3), (99.0, 0, 0)]
)
def test_the_pilot_decides_unless_the_user_does(
    tmp_path: Path,
    pilots: list[float],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    workers: int | None,
    chosen: int,
) -> None:
    monkeypatch.setattr("sim.sweeps.plan.run_seconds", lambda scenario, seed: seconds)

    assert plan(tiny(), tmp_path / "store", workers=workers).workers == chosen


def test_a_start_of_ray_pays_when_it_saves_more_than_it_takes() -> None:
    assert not worth_starting(15.9, 2)
    assert worth_starting(16.1, 2)
    assert not worth_starting(1e9, 1)


def test_time_is_shared_among_workers() -> None:
    one = Plan(4, 6, 24, 4, 0.5, 0, 1)

    assert one.seconds == pytest.approx(10.0)
    assert Plan(4, 6, 24, 4, 0.5, 2, 1).seconds == pytest.approx(13.0)


def test_the_size_on_disk_is_of_the_right_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.sweeps.workers.BATCH_SECONDS", math.inf)
    sweep(tiny(), tmp_path, workers=0)
    taken = sum(file.stat().st_size for file in tmp_path.rglob("*.parquet"))
    foreseen = disk_bytes(described(), 24)

    assert taken / 5 < foreseen < taken * 5


def test_a_pilot_times_a_real_run() -> None:
    seconds = pilot_seconds(load_study(tiny(seeds=1, axes={})))

    assert 0 < seconds < 10


def test_a_pilot_of_a_scenario_that_fails_says_so_without_an_error() -> None:
    study: Study = load_study(tiny(seeds=1, axes={POINTS: [BEYOND]}))

    assert math.isnan(pilot_seconds(study))


def test_no_pilot_is_needed_when_all_is_stored(
    tmp_path: Path, pilots: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", invented)
    sweep(tiny(), tmp_path, workers=0)
    made = plan(tiny(), tmp_path)

    assert math.isnan(made.run_seconds)
    assert pilots == []
