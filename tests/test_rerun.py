"""One run of a sweep again, in full."""

from pathlib import Path

import pytest
from sweeping import FUND, tiny
from typer.testing import CliRunner

import seawall
from analysis.tables import Run, load
from sim.problems import ScenarioError
from sim.sweeps.rerun import point_scenario
from sim.sweeps.results import SweepResults
from sim.sweeps.sweep import sweep


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    sweep(tiny(seeds=2), folder, workers=0)
    return folder


def test_a_point_is_run_again_with_the_transcript_of_the_sweep(store: Path, tmp_path: Path) -> None:
    arguments = ["run", str(store), "--point", "3", "--seed", "2", "--out", str(tmp_path / "run"), "--quiet"]
    result = CliRunner().invoke(seawall.app, arguments)
    again, results = load(tmp_path / "run"), load(store)

    assert result.exit_code == 0, result.output
    assert isinstance(again, Run)
    assert isinstance(results, SweepResults)
    row = results.runs.query("point == 3 and seed == 2").iloc[0]
    assert again.manifest["transcript_hash"] == row["transcript"]
    assert again.summary["liquidated_usd"] == row["liquidated_usd"]
    assert again.manifest["name"] == "tiny-point3"


def test_points_differ_as_their_labels_say(store: Path) -> None:
    first, last = point_scenario(store, 0), point_scenario(store, 3)

    assert (first.protocol.insurance_fund, last.protocol.insurance_fund) == (0, 1_000_000)
    assert last.protocol.markets["BTC"].maintenance_margin == 0.06


@pytest.mark.parametrize("point", [-1, 4])
def test_a_point_that_is_not_there_is_refused(store: Path, point: int) -> None:
    with pytest.raises(ScenarioError, match=f"one of the sweep's points, 0 to 3, got {point}"):
        point_scenario(store, point)


def test_a_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"a sweep must hold manifest\.json"):
        point_scenario(tmp_path, 0)


def test_a_point_that_cannot_be_made_as_it_was_is_refused(tmp_path: Path) -> None:
    sweep(tiny(seeds=1, axes={FUND: [1]}), tmp_path, workers=0)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"share": 0.12', '"share": 0.13', 1))

    with pytest.raises(ScenarioError, match="the point's scenario must be as it was"):
        point_scenario(tmp_path, 0)


def test_a_point_is_run_as_it_was_or_not_at_all(store: Path) -> None:
    arguments = ["run", str(store), "--point", "0", "--set", "clock.block=30s"]
    result = CliRunner().invoke(seawall.app, arguments)

    assert result.exit_code == 2
    assert "--point or --set, not both" in result.stderr
