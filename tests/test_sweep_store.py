"""The store of a sweep: what may be continued, what is refused, and what survives damage."""

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sweeping import FUND, described, row, snapshot

from sim.problems import ScenarioError
from sim.sweeps import store as module
from sim.sweeps.manifest import Manifest
from sim.sweeps.place import Place
from sim.sweeps.results import load_sweep
from sim.sweeps.store import Store

OPEN: list[Store] = []


@pytest.fixture(autouse=True)
def _closed_stores() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def opened(folder: Path, manifest: Manifest | None = None, text: str = "name: tiny\n") -> Store:
    OPEN.append(Store.open(Place(folder), manifest or described(seeds=2), text))
    return OPEN[-1]


def made(folder: Path, **changes: Any) -> list[str]:
    """A store with a row for each task of the small sweep, in two parts; its keys."""
    store = opened(folder, described(seeds=2, **changes))
    keys = [key for _, _, key in store.manifest.tasks()]
    store.add([row(key) for key in keys[:4]])
    store.add([row(key) for key in keys[4:]])
    store.finish()
    store.close()
    return keys


def complaints(folder: Path, manifest: Manifest | None = None) -> str:
    before = snapshot(folder)
    with pytest.raises(ScenarioError) as caught:
        opened(folder, manifest)

    assert snapshot(folder) == before
    return str(caught.value).replace(str(folder), "STORE")


def edited(folder: Path, **changes: Any) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_what_was_added_is_known_when_the_store_is_opened_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add([row("a"), row("b", status="failed", metrics={})])
    store.close()
    again = opened(tmp_path)

    assert (again.done("a"), again.done("b"), again.done("c")) == (True, False, False)
    assert again.statuses == {"a": "done", "b": "failed"}
    assert again.damaged == {}


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    assert complaints(tmp_path) == "STORE  --out must be a new or empty folder, or hold a sweep"


def test_a_store_of_another_scenario_is_refused_with_every_difference(tmp_path: Path) -> None:
    made(tmp_path)
    other = described(seeds=2)
    scenario = json.loads(json.dumps(other.scenario))
    scenario["world"]["share"] = 0.5
    del scenario["protocol"]["insurance_fund"]
    told = complaints(tmp_path, other.model_copy(update={"scenario": scenario}))

    rule = (
        "STORE  results of different code or scenarios are never mixed; choose another --out, got scenario:"
    )
    assert told.splitlines() == [
        f"{rule} world.share is now 0.5",
        f"{rule} protocol.insurance_fund is gone",
    ]


def test_a_store_of_other_code_is_refused_and_the_files_are_named(tmp_path: Path) -> None:
    made(tmp_path)
    manifest = described(seeds=2)
    sources = manifest.code.sources | {"protocol/margin.py": "0" * 16}
    packages = manifest.code.packages | {"numpy": "9.9"}
    code = manifest.code.model_copy(update={"revision": "f" * 16, "sources": sources, "packages": packages})
    told = complaints(tmp_path, manifest.model_copy(update={"code": code}))

    assert "got code: protocol/margin.py changed" in told
    assert f"got code: numpy {manifest.code.packages['numpy']} -> 9.9" in told


def test_many_differences_are_cut_short(tmp_path: Path) -> None:
    made(tmp_path)
    manifest = described(seeds=2)
    code = manifest.code.model_copy(update={"sources": {}})
    told = complaints(tmp_path, manifest.model_copy(update={"code": code})).splitlines()

    assert len(told) == module.SHOWN + 1
    assert told[-1].endswith(f"and {len(manifest.code.sources) - module.SHOWN} more")


def test_another_name_description_and_title_are_no_difference(tmp_path: Path) -> None:
    keys = made(tmp_path)
    store = opened(tmp_path, described(seeds=2, name="renamed", description="anew"))

    assert [key for _, _, key in store.manifest.tasks()] == keys
    assert all(map(store.done, keys))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:500]), "Invalid JSON"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "Invalid JSON"),
        (lambda file: edited(file.parent, format=2), "format: Input should be 1"),
        (lambda file: edited(file.parent, kind="run"), "kind: Input should be 'sweep'"),
        (lambda file: edited(file.parent, points=7), "points: Input should be a valid"),
        (lambda file: edited(file.parent, seeds=["x"]), "seeds.0: Input should be a valid integer"),
        (lambda file: edited(file.parent, extra=1), "extra: Extra inputs are not permitted"),
    ],
    ids=["truncated", "binary", "format", "kind", "points", "seeds", "extra"],
)
def test_a_damaged_manifest_is_named_and_nothing_is_touched(
    tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    made(tmp_path)
    damage(tmp_path / "manifest.json")

    assert f"STORE/manifest.json  {told}" in complaints(tmp_path)


@pytest.mark.parametrize("changes", [{"seeds": ["1", "2"]}, {"seconds": "7200"}, {"level": "0.9"}])
def test_a_manifest_is_strict_about_types(tmp_path: Path, changes: dict[str, Any]) -> None:
    made(tmp_path)
    edited(tmp_path, **changes)

    assert "Input should be a valid" in complaints(tmp_path)


def test_a_store_that_lost_its_manifest_can_be_completed(tmp_path: Path) -> None:
    keys = made(tmp_path)
    (tmp_path / "manifest.json").unlink()

    assert all(map(opened(tmp_path).done, keys))


@pytest.mark.parametrize("left", [".partial-manifest.json", ".lock"])
def test_a_sweep_killed_before_it_wrote_its_manifest_can_be_started_again(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_text("name: tiny\n")

    assert opened(tmp_path).statuses == {}


def test_a_second_sweep_is_refused_while_the_first_one_runs(tmp_path: Path) -> None:
    first = opened(tmp_path)

    assert complaints(tmp_path) == "STORE  another sweep is writing here; wait for it"

    first.close()

    opened(tmp_path).close()


def test_a_second_sweep_that_is_refused_leaves_the_file_of_the_first(tmp_path: Path) -> None:
    first = opened(tmp_path, text="seeds: 2\n")
    with pytest.raises(ScenarioError, match="another sweep is writing here"):
        opened(tmp_path, text="seeds: 3\n")

    assert (tmp_path / "sweep.yaml").read_text() == "seeds: 2\n"
    first.close()


def test_a_store_that_could_not_be_opened_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(place: Place, folder: str = "") -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Place, "sweep_up", full)
        with pytest.raises(OSError, match="No space") as kept:
            opened(tmp_path)
    try:
        opened(tmp_path)
    finally:
        del kept
        gc.collect()


def test_a_damaged_part_is_set_aside_and_its_runs_are_missing(tmp_path: Path) -> None:
    keys = made(tmp_path)
    first, _ = sorted((tmp_path / "parts").iterdir())
    broken = first.read_bytes()[:-50]
    first.write_bytes(broken)
    store = opened(tmp_path)

    assert list(store.damaged) == [first.name]
    assert (tmp_path / "damaged" / first.name).read_bytes() == broken
    assert not first.exists()
    assert [store.done(key) for key in keys] == [False] * 4 + [True] * 4


def test_what_is_not_a_part_is_set_aside_too(tmp_path: Path) -> None:
    keys = made(tmp_path)
    (tmp_path / "parts" / "notes.txt").write_text("mine")
    store = opened(tmp_path)

    assert list(store.damaged) == ["notes.txt"]
    assert (tmp_path / "damaged" / "notes.txt").read_text() == "mine"
    assert all(map(store.done, keys))


def test_what_interrupted_writes_left_is_swept_up(tmp_path: Path) -> None:
    keys = made(tmp_path)
    for folder in ("", "parts"):
        (tmp_path / folder / ".partial-part-000007-00000000.parquet").write_bytes(b"half")
    store = opened(tmp_path)

    assert not list(tmp_path.rglob(".partial-*"))
    assert store.damaged == {}
    assert all(map(store.done, keys))


def test_results_are_gone_while_a_sweep_goes_on_and_come_back_the_same(tmp_path: Path) -> None:
    made(tmp_path)
    before = snapshot(tmp_path)
    store = opened(tmp_path)

    assert not (tmp_path / "results.parquet").exists()

    store.finish()
    store.close()

    assert snapshot(tmp_path) == before


def test_a_disk_full_on_the_way_never_leaves_old_results_with_a_new_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(place: Place, name: str, content: bytes) -> None:
        if name == module.SWEEP:
            raise OSError(28, "No space left on device")
        write(place, name, content)

    made(tmp_path)
    write = Place.write
    monkeypatch.setattr(Place, "write", full)
    with pytest.raises(OSError, match="No space"):
        opened(tmp_path, described(seeds=2, axes={FUND: [1_000_000]}))

    assert load_sweep(tmp_path).runs["point"].unique().tolist() == [0]


def test_values_stand_by_point_and_seed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    keys = [key for _, _, key in store.manifest.tasks()]
    store.add([row(key, float(index)) for index, key in enumerate(keys) if index != 3])
    values = store.values("liquidated_usd")

    assert [each.tolist() for each in values[::2]] == [[0.0, 1.0], [4.0, 5.0]]
    assert values[1][0] == 2.0
    assert values[1][1] != values[1][1]


def test_more_seeds_are_written_down(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.widen(range(1, 5))
    store.close()

    assert json.loads((tmp_path / "manifest.json").read_text())["seeds"] == [1, 2, 3, 4]
    assert len(list(store.manifest.tasks())) == 16


def test_no_file_of_a_store_is_a_pickle(tmp_path: Path) -> None:
    made(tmp_path)
    kinds = {Path(name).suffix or name: content[:4] for name, content in snapshot(tmp_path).items()}

    assert kinds == {".parquet": b"PAR1", ".json": b'{\n "', ".yaml": b"name", ".lock": b""}
