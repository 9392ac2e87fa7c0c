"""What a run leaves on disk: whole files, a manifest that repeats it, the same bytes for the same run."""

import filecmp
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small import SEED, calm, crash, crashed

from sim.run import run
from sim.store import git_revision, package_version, write_json, write_run

TABLES = (
    "blocks", "markets", "liquidations", "deleverages", "waterfall", "parameters", "agents",
    "failures", "accounts", "positions",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "new" / "crash"
    write_run(crashed(), folder)
    return folder


def test_a_run_leaves_tables_summary_and_manifest_and_nothing_else(folder: Path) -> None:
    names = {f"{name}.parquet" for name in TABLES} | {"summary.json", "manifest.json"}

    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_back_as_it_was(folder: Path, name: str) -> None:
    read = pd.read_parquet(folder / f"{name}.parquet")

    pd.testing.assert_frame_equal(read, crashed().tables[name].reset_index(drop=True), check_dtype=False)


def test_the_manifest_names_all_that_is_needed_to_repeat_the_run(folder: Path) -> None:
    found = json.loads((folder / "manifest.json").read_text())

    assert found["seed"] == SEED
    assert found["start"] == "2020-03-12T00:00:00+00:00"
    assert (found["blocks"], found["block_seconds"], found["markets"]) == (120, 60, ["BTC", "ETH"])
    assert found["accounts"] == 554
    assert found["transcript_hash"] == crashed().transcript
    assert found["packages"]["numpy"] == package_version("numpy")
    assert {"value", "unit", "source", "origin", "path"} <= set(found["parameters"][0])


def test_the_scenario_in_the_manifest_is_the_one_that_ran(folder: Path) -> None:
    scenario = json.loads((folder / "manifest.json").read_text())["scenario"]

    assert scenario["agents"]["retail"]["accounts"] == 500
    assert scenario["world"]["share"] == 0.3
    assert [shock["kind"] for shock in scenario["shocks"]] == ["gas_spike", "liquidity_withdrawal"]


def test_the_summary_is_flat_and_holds_numbers_or_nothing(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())

    assert summary == dict(crashed().summary)
    assert all(value is None or isinstance(value, int | float) for value in summary.values())


def test_equal_runs_leave_equal_bytes(folder: Path, tmp_path: Path) -> None:
    write_run(run(crash(), SEED), tmp_path / "again")
    names = [path.name for path in folder.iterdir()]

    assert filecmp.cmpfiles(folder, tmp_path / "again", names, shallow=False) == (names, [], [])


def test_another_seed_leaves_other_bytes(folder: Path, tmp_path: Path) -> None:
    write_run(crashed(seed=SEED + 1), tmp_path / "other")

    assert not filecmp.cmp(folder / "blocks.parquet", tmp_path / "other" / "blocks.parquet", shallow=False)


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=f"must be empty, got {tmp_path}"):
        write_run(crashed(), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_what_is_cut_short_leaves_no_half_file_and_no_manifest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = pd.DataFrame.to_parquet

    def dying(frame: pd.DataFrame, path: Path, **options: Any) -> None:
        if "markets" in path.name:
            path.write_bytes(b"PAR1 and then")
            raise OSError("no space left")
        write(frame, path, **options)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", dying)
    with pytest.raises(OSError, match="no space left"):
        write_run(crashed(), tmp_path)

    assert {path.name for path in tmp_path.glob("[!.]*")} == {"blocks.parquet"}


def test_json_is_replaced_as_a_whole_and_refuses_what_json_cannot_say(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})

    assert json.loads(path.read_text()) == {"a": 1}


def test_a_missing_package_has_no_version() -> None:
    assert package_version("no-such-distribution") is None


def test_the_revision_is_that_of_the_sources_or_unknown() -> None:
    revision = git_revision()

    assert revision is None or len(revision.removesuffix("+changes")) == 40


def test_a_run_without_a_single_event_can_be_stored(tmp_path: Path) -> None:
    write_run(run(calm("clock.duration=2m"), 1), tmp_path / "quiet")

    assert len(pd.read_parquet(tmp_path / "quiet" / "liquidations.parquet")) == 0
    assert len(pd.read_parquet(tmp_path / "quiet" / "blocks.parquet")) == 2
