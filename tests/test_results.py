"""Results: a tidy row for each point and seed, finished or not, and nothing that was damaged unseen."""

import io
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sweeping import FUND, TIGHT, described, invented, row, tiny

from sim.problems import ScenarioError
from sim.sweeps import results as module
from sim.sweeps.manifest import Manifest
from sim.sweeps.place import Place
from sim.sweeps.results import SweepResults, load_sweep
from sim.sweeps.store import Store
from sim.sweeps.sweep import sweep


def made(folder: Path, manifest: Manifest, finish: bool = True, skip: int = 0) -> SweepResults:
    """A store in which the n-th task has the value n, the first ones left out."""
    store = Store.open(Place(folder), manifest, "name: tiny\n")
    keys = list(dict.fromkeys(key for _, _, key in manifest.tasks()))
    store.add([row(key, float(index)) for index, key in enumerate(keys) if index >= skip])
    if finish:
        store.finish()
    store.close()
    return load_sweep(folder)


def test_every_point_and_seed_has_a_row_with_its_labels(tmp_path: Path) -> None:
    results = made(tmp_path, described(seeds=[5, 2]))

    assert results.points.to_dict("list") == {
        "point": [0, 1, 2, 3],
        FUND: [0, 0, 1_000_000, 1_000_000],
        "policy": ["as_it_was", "tight"] * 2,
    }
    assert results.runs["seed"].tolist() == [5, 2] * 4
    assert results.runs["point"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert results.runs["liquidated_usd"].tolist() == list(range(8))
    assert list(results.runs.columns) == [
        *("point", FUND, "policy", "seed", "status", "error", "traceback", "transcript", "liquidated_usd")
    ]
    assert (results.missing, len(results.failures), results.metrics) == (0, 0, ["liquidated_usd"])


def test_the_manifest_says_what_a_metric_means(tmp_path: Path) -> None:
    entry = made(tmp_path, described(seeds=1)).manifest["metrics"]["liquidated_usd"]

    assert entry["unit"] == "USD"
    assert entry["label"]
    assert entry["definition"]


def test_an_unfinished_sweep_shows_what_there_is(tmp_path: Path) -> None:
    results = made(tmp_path, described(seeds=2), finish=False, skip=3)

    assert results.missing == 3
    assert results.runs["liquidated_usd"].tolist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert results.runs["point"].tolist() == [1, 2, 2, 3, 3]
    assert results.manifest["metrics"]["liquidated_usd"]["unit"] == "USD"


def test_a_sweep_without_a_row_has_empty_tables(tmp_path: Path) -> None:
    results = made(tmp_path, described(seeds=2), finish=False, skip=8)

    assert results.runs.empty
    assert results.missing == 8
    assert results.metrics == []


def test_points_of_equal_scenarios_share_their_runs(tmp_path: Path) -> None:
    axes = {"policy": {"one": TIGHT, "same": TIGHT, "other": {}}}
    results = made(tmp_path, described(seeds=2, axes=axes))

    assert results.runs["liquidated_usd"].tolist() == [0.0, 1.0, 0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        ([0, 2_000_000], "int64", [0, 2_000_000]),
        ([0, 0.5], "float64", [0.0, 0.5]),
        ({"none": 0, "some": 5}, "str", ["none", "some"]),
    ],
    ids=["whole", "numbers", "words"],
)
def test_labels_keep_their_kind(tmp_path: Path, values: Any, kind: str, labels: list[Any]) -> None:
    results = made(tmp_path, described(seeds=1, axes={FUND: values}))

    assert results.runs[FUND].tolist() == labels
    assert results.runs[FUND].dtype == (pd.Series(labels).dtype if kind == "str" else kind)


def test_failures_are_rows_with_empty_numbers(tmp_path: Path) -> None:
    store = Store.open(Place(tmp_path), described(seeds=1), "")
    first, *others = [key for _, _, key in store.manifest.tasks()]
    broken = row(first, status="failed", error="bad", traceback="line\nbad", metrics={})
    store.add([broken, *map(row, others)])
    store.finish()
    store.close()
    failures = load_sweep(tmp_path).failures

    assert failures[["point", "status", "error", "traceback"]].to_numpy().tolist() == [
        [0, "failed", "bad", "line\nbad"]
    ]
    assert failures["liquidated_usd"].isna().all()


def test_a_table_longer_than_a_chunk_has_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(tmp_path / "one", described(seeds=6))
    monkeypatch.setattr(module, "CHUNK", 5)
    pieces = made(tmp_path / "other", described(seeds=6))

    pd.testing.assert_frame_equal(whole.runs, pieces.runs)


def test_a_place_without_a_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nothing  a sweep must hold manifest\.json"):
        load_sweep(tmp_path / "nothing")


@pytest.mark.parametrize("damage", ["deleted", "truncated", "empty", "text"])
def test_without_a_sound_table_the_parts_are_read(tmp_path: Path, damage: str) -> None:
    before = made(tmp_path, described(seeds=2))
    file = tmp_path / "results.parquet"
    content = file.read_bytes()
    file.write_bytes({"truncated": content[:-40], "empty": b"", "text": b"notes"}.get(damage, content))
    if damage == "deleted":
        file.unlink()
    after = load_sweep(tmp_path)

    pd.testing.assert_frame_equal(after.runs, before.runs)


def test_a_flipped_byte_in_a_page_of_the_table_is_noticed(tmp_path: Path) -> None:
    before = made(tmp_path, described(seeds=6)).runs
    file = tmp_path / "results.parquet"
    metadata = pq.ParquetFile(file).metadata.row_group(0)
    start = min(metadata.column(index).dictionary_page_offset or 4 for index in range(metadata.num_columns))
    whole, unseen = file.read_bytes(), []
    for index in range(start, metadata.total_byte_size, 7):
        file.write_bytes(whole[:index] + bytes([whole[index] ^ 0x01]) + whole[index + 1 :])
        if not load_sweep(tmp_path).runs.equals(before):
            unseen.append(index)

    assert unseen == []


def test_a_part_that_is_damaged_costs_its_own_rows_only(tmp_path: Path) -> None:
    manifest = described(seeds=2)
    store = Store.open(Place(tmp_path), manifest, "")
    keys = [key for _, _, key in manifest.tasks()]
    for chosen in (keys[:3], keys[3:]):
        store.add([row(key) for key in chosen])
    store.close()
    first, _ = sorted((tmp_path / "parts").iterdir())
    first.write_bytes(first.read_bytes()[:-9])
    results = load_sweep(tmp_path)

    assert (len(results.runs), results.missing) == (5, 3)


def test_results_can_be_sent_to_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", invented)
    results = sweep(tiny(seeds=1), tmp_path, workers=0)
    again = pickle.load(io.BytesIO(pickle.dumps(results)))

    pd.testing.assert_frame_equal(again.runs, results.runs)
    assert again.manifest == results.manifest
