"""Sweeps: the same bytes whoever runs them, nothing lost, nothing done twice, every failure a row."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sweeping import (
    BEYOND,
    FLAT,
    FUND,
    POINTS,
    SETTINGS,
    TIGHT,
    Counted,
    content,
    in_child,
    invented,
    keys,
    saved,
    shuffled,
    snapshot,
    stored,
    tiny,
    undisturbed,
)

from sim.problems import ScenarioError
from sim.sweeps.revision import Revision, code_revision
from sim.sweeps.sweep import SweepProgress, sweep
from sim.sweeps.workers import InProcess


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Invented runs in place of real ones, each in a part of its own."""
    return counted(monkeypatch)


def counted(monkeypatch: pytest.MonkeyPatch, *failing: int) -> Counted:
    runs = Counted(*failing)
    monkeypatch.setattr("sim.sweeps.tasks.run", runs)
    monkeypatch.setattr("sim.sweeps.workers.BATCH_SECONDS", 0.0)
    return runs


def fresh(folder: Path, **changes: Any) -> dict[str, bytes]:
    """What a sweep into an empty folder leaves."""
    sweep(tiny(**changes), folder / "fresh", workers=0)
    return content(folder / "fresh")


def test_the_order_of_tasks_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shuffled(monkeypatch)
    sweep(tiny(), tmp_path, workers=0)

    assert content(tmp_path) == undisturbed()


def test_more_seeds_run_only_what_is_new(tmp_path: Path, runs: Counted) -> None:
    sweep(tiny(seeds=2), tmp_path, workers=0)
    before = stored(tmp_path)
    sweep(tiny(seeds=4), tmp_path, workers=0)

    assert runs.seeds == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert before.items() <= stored(tmp_path).items()
    assert content(tmp_path) == fresh(tmp_path, seeds=4)


def test_more_labels_run_only_what_is_new(tmp_path: Path, runs: Counted) -> None:
    sweep(tiny(seeds=2, axes={FUND: [0, 7]}), tmp_path, workers=0)
    wider = {FUND: [5, 0, 7], "policy": {"as_it_was": {}, "tight": TIGHT}}
    sweep(tiny(seeds=2, axes=wider), tmp_path, workers=0)

    assert len(runs.seeds) == 4 + 8
    assert content(tmp_path) == fresh(tmp_path, seeds=2, axes=wider)


def test_fewer_seeds_and_labels_are_shown_and_the_others_kept(tmp_path: Path, runs: Counted) -> None:
    sweep(tiny(), tmp_path, workers=0)
    before = stored(tmp_path)
    less: dict[str, Any] = {"seeds": [4, 2], "axes": {"policy": {"tight": TIGHT, "poor": {FUND: 0}}}}
    results = sweep(tiny(**less), tmp_path, workers=0)

    assert len(runs.seeds) == 24 + 2
    assert results.runs["seed"].tolist() == [4, 2, 4, 2]
    assert before.items() <= stored(tmp_path).items()
    assert content(tmp_path) == fresh(tmp_path, **less)


def test_failed_runs_are_rows_and_are_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch, 3, 5)
    failures = sweep(tiny(), tmp_path, workers=0).failures
    runs = counted(monkeypatch)
    results = sweep(tiny(), tmp_path, workers=0)

    assert failures["seed"].tolist() == [3, 5] * 4
    assert set(failures["error"]) == {"ArithmeticError: seed 3 fails", "ArithmeticError: seed 5 fails"}
    assert failures["traceback"].str.contains("ArithmeticError").all()
    assert runs.seeds == [3] * 4 + [5] * 4
    assert results.failures.empty
    assert content(tmp_path) == fresh(tmp_path)


def test_a_run_that_always_fails_is_tried_once_in_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = counted(monkeypatch, 2)
    results = sweep(tiny(seeds=3), tmp_path, workers=0)
    sweep(tiny(seeds=3), tmp_path, workers=0)

    assert runs.seeds.count(2) == 8
    assert len(results.runs) == 12


def test_points_of_equal_scenarios_share_their_runs(tmp_path: Path, runs: Counted) -> None:
    axes = {"policy": {"one": TIGHT, "same": TIGHT, "none": {}}}
    told: list[SweepProgress] = []
    results = sweep(tiny(seeds=2, axes=axes), tmp_path, workers=0, report=told.append)
    numbers = results.runs.drop(columns=["point", "policy"])

    assert len(runs.seeds) == 4
    assert {each.total for each in told[1:]} == {4}
    pd.testing.assert_frame_equal(numbers[:2], numbers[2:4].reset_index(drop=True))


def test_another_scenario_is_refused_and_the_store_untouched(tmp_path: Path, runs: Counted) -> None:
    saved(tmp_path, {"extends": "black_thursday", "world": {"share": 0.01}}, "world.yaml")
    file = saved(tmp_path, tiny(seeds=1, scenario="world.yaml"))
    sweep(file, tmp_path / "store", workers=0)
    before = snapshot(tmp_path / "store")
    saved(tmp_path, {"extends": "black_thursday", "world": {"share": 0.02}}, "world.yaml")

    with pytest.raises(ScenarioError, match=r"never mixed.*, got scenario: world\.share is now 0\.02"):
        sweep(file, tmp_path / "store", workers=0)

    assert snapshot(tmp_path / "store") == before


def test_other_code_is_refused_and_the_store_untouched(
    tmp_path: Path, runs: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(tiny(seeds=1), tmp_path, workers=0)
    before, now = snapshot(tmp_path), code_revision()
    changed = Revision("f" * 16, now.sources | {"protocol/margin.py": "0" * 16}, now.packages)
    monkeypatch.setattr("sim.sweeps.sweep.code_revision", lambda: changed)

    with pytest.raises(ScenarioError, match=r"got code: protocol/margin\.py changed"):
        sweep(tiny(seeds=1), tmp_path, workers=0)

    assert snapshot(tmp_path) == before


def test_another_title_runs_nothing(tmp_path: Path, runs: Counted) -> None:
    sweep(tiny(seeds=1), tmp_path, workers=0)
    again = sweep(tiny(seeds=1, name="renamed", description="anew"), tmp_path, workers=0)

    assert len(runs.seeds) == 4
    assert again.manifest["name"] == "renamed"


def test_candles_that_change_are_run_anew(tmp_path: Path, runs: Counted) -> None:
    bars = pd.DataFrame({"date": pd.date_range("2021-05-19", periods=400, freq="1min", tz="UTC")})
    paths = {market: f"{tmp_path}/{market.lower()}.csv" for market in ("BTC", "ETH")}
    settings = SETTINGS | {"world.prices.path": paths}
    asked = tiny(scenario="replay", set=settings, axes={}, seeds=2)
    for high in (10.0, 11.0, 10.0):
        for market in ("btc", "eth"):
            made = bars.assign(open=9.0, high=high, low=8.0, close=9.5, volume=1.0)
            made.to_csv(tmp_path / f"{market}.csv", index=False)
        sweep(asked, tmp_path / "store", workers=0)

    assert len(runs.seeds) == 4
    assert len(keys(tmp_path / "store")) == 4


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda content: content[:-100], 1),
        (lambda content: b"", 1),
        (lambda content: content[:300] + bytes(9) + content[309:], 1),
    ],
    ids=["truncated", "empty", "overwritten"],
)
def test_only_the_runs_of_a_damaged_part_are_run_again(
    tmp_path: Path, runs: Counted, damage: Callable[[bytes], bytes], lost: int
) -> None:
    sweep(tiny(), tmp_path, workers=0)
    before, done = content(tmp_path), len(runs.seeds)
    first = min((tmp_path / "parts").iterdir())
    first.write_bytes(damage(first.read_bytes()))
    sweep(tiny(), tmp_path, workers=0)

    assert len(runs.seeds) == done + lost
    assert content(tmp_path) == before
    assert [file.name for file in (tmp_path / "damaged").iterdir()] == [first.name]


@pytest.mark.parametrize("damage", ["deleted", "truncated"])
def test_a_damaged_table_of_results_is_written_again(tmp_path: Path, runs: Counted, damage: str) -> None:
    sweep(tiny(seeds=2), tmp_path, workers=0)
    before, file = content(tmp_path), tmp_path / "results.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    if damage == "deleted":
        file.unlink()
    sweep(tiny(seeds=2), tmp_path, workers=0)

    assert len(runs.seeds) == 8
    assert content(tmp_path) == before


def test_a_damaged_part_is_told(tmp_path: Path, runs: Counted) -> None:
    sweep(tiny(seeds=1), tmp_path, workers=0)
    first = min((tmp_path / "parts").iterdir())
    first.write_bytes(b"")
    phases: list[str] = []
    sweep(tiny(seeds=1), tmp_path, workers=0, report=lambda progress: phases.append(progress.phase))

    assert any(first.name in phase for phase in phases)


def on_a_full_disk(folder: str) -> dict[str, Any]:
    """A sweep that can write no file of more than a few bytes once eight runs are stored."""
    with pytest.MonkeyPatch.context() as patch:
        counted(patch)

        def fill(progress: SweepProgress) -> None:
            if progress.done == 8:
                resource.setrlimit(
                    resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
                )

        try:
            sweep(tiny(), folder, workers=0, report=fill)
        except OSError as error:
            return {"errno": error.errno, "error": str(error), "files": sorted(snapshot(Path(folder)))}
    return {}


@pytest.mark.slow
def test_a_full_disk_stops_a_sweep_which_can_then_be_completed(tmp_path: Path, runs: Counted) -> None:
    told = in_child(on_a_full_disk, tmp_path)
    before = stored(tmp_path)

    assert "File too large" in told["error"]
    assert not [name for name in told["files"] if "partial" in name]
    assert len(keys(tmp_path)) == 8

    sweep(tiny(), tmp_path, workers=0)

    assert len(runs.seeds) == 16
    assert before.items() <= stored(tmp_path).items()
    assert content(tmp_path) == fresh(tmp_path)


@pytest.mark.parametrize("workers", [0, None])
def test_a_scenario_that_fails_is_a_row_and_its_neighbours_are_done(
    tmp_path: Path, workers: int | None
) -> None:
    results = sweep(tiny(seeds=2, axes={POINTS: [FLAT, BEYOND]}), tmp_path, workers=workers)

    assert results.runs["status"].tolist() == ["done", "done", "failed", "failed"]
    assert results.failures["error"].str.startswith("InvariantError: block 1").all()
    assert results.failures["liquidated_usd"].isna().all()
    assert results.runs["liquidated_usd"][:2].notna().all()


def test_a_run_out_of_time_is_a_row(tmp_path: Path) -> None:
    long = SETTINGS | {"clock": {"duration": "120h", "block": "1m"}}
    asked = tiny(set=long, axes={}, scenario="calm", seeds=1, time_limit="1s")
    results = sweep(asked, tmp_path, workers=0)

    assert results.runs["status"].tolist() == ["timeout"]
    assert results.runs["error"].tolist() == ["TimeLimitError: a run may take at most 1 s"]


def until(width: float, most: int = 40) -> dict[str, Any]:
    rule = {"metric": "bad_debt_gross_usd", "until": width, "max": most}
    return tiny(seeds=4, replicates=rule)


def test_seeds_are_added_until_the_interval_is_narrow_enough(tmp_path: Path, runs: Counted) -> None:
    results = sweep(until(45.0), tmp_path, workers=0)
    counts = results.runs.groupby("point")["seed"].agg(list)
    widths = [_half_width(rows["bad_debt_gross_usd"]) for _, rows in results.runs.groupby("point")]
    seeds = len(results.manifest["seeds"])

    assert 4 < seeds < 40
    assert max(widths) <= 45.0
    assert all(found == list(range(1, seeds + 1)) for found in counts)
    assert len(runs.seeds) == 4 * seeds


def _half_width(values: pd.Series) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def test_seeds_end_at_the_maximum(tmp_path: Path, runs: Counted) -> None:
    results = sweep(until(1e-3, most=11), tmp_path, workers=0)

    assert results.manifest["seeds"] == list(range(1, 12))
    assert len(runs.seeds) == 44


def test_enough_seeds_stay_as_they_are(tmp_path: Path, runs: Counted) -> None:
    assert sweep(until(1e6), tmp_path, workers=0).manifest["seeds"] == [1, 2, 3, 4]


def test_a_run_that_fails_is_not_tried_again_with_more_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = counted(monkeypatch, 2)
    results = sweep(until(1e-3, most=16), tmp_path, workers=0)

    assert results.failures["seed"].tolist() == [2] * 4
    assert runs.seeds.count(2) == 4
    assert len(runs.seeds) == 64


def test_replicates_that_were_interrupted_come_to_the_same(tmp_path: Path, runs: Counted) -> None:
    def interrupt(progress: SweepProgress) -> None:
        if progress.done == 20:
            raise KeyboardInterrupt

    sweep(until(45.0), tmp_path / "whole", workers=0)
    done = len(runs.seeds)
    with pytest.raises(KeyboardInterrupt):
        sweep(until(45.0), tmp_path / "resumed", workers=0, report=interrupt)
    sweep(until(45.0), tmp_path / "resumed", workers=0)

    assert len(runs.seeds) == 2 * done
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")


def test_replicates_in_another_order_come_to_the_same(
    tmp_path: Path, runs: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(until(45.0), tmp_path / "whole", workers=0)
    shuffled(monkeypatch)
    sweep(until(45.0), tmp_path / "shuffled", workers=0)

    assert content(tmp_path / "shuffled") == content(tmp_path / "whole")


def test_replicates_of_runs_that_all_fail_end_with_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(monkeypatch, *range(1, 12))
    results = sweep(until(45.0, most=11), tmp_path, workers=0)

    assert len(results.failures) == 44


def test_progress_counts_every_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch, 2)
    told: list[SweepProgress] = []
    sweep(tiny(seeds=2), tmp_path, workers=0)
    sweep(tiny(seeds=3), tmp_path, workers=0, report=told.append)

    assert [(each.done, each.failed) for each in (told[0], told[-1])] == [(4, 0), (8, 4)]
    assert {each.total for each in told} == {12}
    assert np.all(np.diff([each.done + each.failed for each in told]) >= 0)
    assert {each.workers for each in told} == {0}


def test_a_second_sweep_is_refused_while_the_first_one_runs(tmp_path: Path, runs: Counted) -> None:
    def intrude(progress: SweepProgress) -> None:
        with pytest.raises(ScenarioError, match="another sweep is writing here"):
            sweep(tiny(), tmp_path, workers=0)

    sweep(tiny(), tmp_path, workers=0, report=intrude)

    assert len(runs.seeds) == 24


def test_a_cluster_is_used_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, str | None]] = []

    @contextmanager
    def hired(workers: int | None, address: str | None, time_limit: float | None) -> Iterator[InProcess]:
        asked.append((workers, address))
        yield InProcess(time_limit)

    monkeypatch.setattr("sim.sweeps.tasks.run", invented)
    monkeypatch.setattr("sim.sweeps.sweep.on_ray", hired)
    monkeypatch.setattr("sim.sweeps.sweep.pilot_seconds", lambda study: 1000.0)
    sweep(tiny(seeds=1), tmp_path, address="cluster:6379")

    assert asked == [(None, "cluster:6379")]
