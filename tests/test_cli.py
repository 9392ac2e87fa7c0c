"""The command line: what newcomers read, what scripts rely on."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import seawall

SMALL = ["--set", "clock.duration=10m", "--set", "agents.retail.accounts=50"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(seawall.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("cli") / "run"
    return folder, invoke("run", "calm", "--seed", 3, *SMALL, "--out", folder)


@pytest.mark.parametrize("command", ["run", "check", "scenarios", "presets", "metrics", "report", "schema"])
def test_every_command_has_help(command: str) -> None:
    result = invoke(command, "--help")

    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_help_names_the_commands_and_a_first_step() -> None:
    result = invoke("--help")

    assert result.exit_code == 0
    for word in ("run", "check", "scenarios", "presets", "report", "schema", "seawall run black_thursday"):
        assert word in result.stdout


def test_check_says_what_would_run() -> None:
    result = invoke("check", "black_thursday")

    assert result.exit_code == 0
    for part in ("2880 of 60 s", "2020-03-12 00:00 UTC, 48 h", "BTC, ETH", "small"):
        assert part in result.stdout
    assert result.stdout.endswith("ok\n")


def test_check_prints_all_problems_in_full_lines() -> None:
    result = invoke("check", "calm", "--set", "clock.block=7s", "--set", "world.shar=1")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "--set world.shar=1  world.shar: unknown key; did you mean share?",
        "--set clock.block=7s  clock: duration must be a multiple of block, got duration=86400s, block=7s",
    ]


def test_check_warns_of_bars_that_are_too_short(tmp_path: Path) -> None:
    rows = "".join(f"2021-05-19T00:{minute:02}:00Z,9,11,8,10,1\n" for minute in range(20))
    (tmp_path / "BTC.csv").write_text(f"date,open,high,low,close,volume\n{rows}")
    changes = (
        "clock.duration=20m",
        "shocks=[]",
        "protocol.markets.ETH=none",
        f"world.prices.path={tmp_path}/BTC.csv",
    )
    result = invoke("check", "replay", *(part for change in changes for part in ("--set", change)))

    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "a bar of 60 s has fewer than 3 blocks of 60 s" in result.stderr
    assert result.stdout.endswith("ok\n")


def test_a_replay_without_a_path_asks_for_one() -> None:
    result = invoke("check", "replay")

    assert result.exit_code == 2
    assert "scenarios/replay.yaml:" in result.stderr
    assert "world.prices.path: must be given" in result.stderr


def test_an_unknown_scenario_is_bad_input() -> None:
    result = invoke("run", "black_tuesday")

    assert result.exit_code == 2
    assert "did you mean black_thursday?" in result.stderr


def test_scenarios_are_listed_with_descriptions() -> None:
    result = invoke("scenarios")

    assert result.exit_code == 0
    for name in ("base", "black_thursday", "calm", "may_2021", "replay"):
        assert name in result.stdout


def test_the_schema_is_json() -> None:
    result = invoke("schema")

    assert json.loads(result.stdout)["title"] == "Scenario"


@pytest.mark.parametrize("seed", ["-1", "x", "1.5"])
def test_a_seed_is_a_whole_number_from_zero(seed: str) -> None:
    assert invoke("run", "calm", "--seed", seed).exit_code == 2


def test_a_used_folder_is_refused_together_with_other_problems(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = invoke("run", "calm", "--set", "world.share=7", "--out", tmp_path)

    assert result.exit_code == 2
    assert "world.share: must be <= 1, got 7" in result.stderr
    assert f"--out {tmp_path}  the folder must be new or empty; nothing is overwritten" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_default_folder_is_refused_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    used = tmp_path / "runs" / "calm-seed5"
    used.mkdir(parents=True)
    (used / "summary.json").write_text("{}")
    result = invoke("run", "calm", "--seed", 5)

    assert result.exit_code == 2
    assert "runs/calm-seed5  the folder must be new or empty" in result.stderr


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        result = invoke("run", "calm", "--out", folder)

        assert result.exit_code == 2
        assert f"{tmp_path}/file is a file" in result.stderr


def test_a_folder_that_is_not_writable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda place, mode: False)
    result = invoke("run", "calm", "--out", tmp_path / "run")

    assert result.exit_code == 2
    assert f"{tmp_path} is not writable" in result.stderr


def test_presets_lists_every_venue() -> None:
    result = invoke("presets")

    assert result.exit_code == 0
    for name in seawall.preset_names():
        assert name in result.stdout


def test_a_preset_is_explained_with_its_sources_and_with_all_its_defaults() -> None:
    given, everything = invoke("presets", "drift"), invoke("presets", "drift", "--all")

    assert (given.exit_code, everything.exit_code) == (0, 0)
    assert "initial_margin" in given.stdout
    assert "default," not in given.stdout
    assert len(everything.stdout) > 2 * len(given.stdout)


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    result = invoke("presets", "dydx_v3")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "no such preset 'dydx_v3'; did you mean dydx_v4 or dydx?" in result.stderr


def test_a_run_says_where_its_results_lie(finished: tuple[Path, Result]) -> None:
    folder, result = finished
    manifest = json.loads((folder / "manifest.json").read_text())

    assert result.exit_code == 0
    assert f"folder:     {folder}" in result.stdout
    assert (folder / "report.html").is_file()
    assert str(folder / "report.html") in result.stdout
    assert manifest["transcript_hash"] in result.stdout
    assert manifest["seed"] == 3


def test_a_quiet_run_prints_its_folder_only(tmp_path: Path) -> None:
    result = invoke("run", "calm", *SMALL, "--out", tmp_path / "run", "--quiet")

    assert result.exit_code == 0
    assert result.output == f"{tmp_path / 'run'}\n"


def test_a_run_that_fails_ends_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("cash is conserved must hold, block 7, seed 1")

    monkeypatch.setattr("sim.run.run", broken)
    result = invoke("run", "calm", "--out", tmp_path / "run")

    assert result.exit_code == 1
    assert "block 7, seed 1" in str(result.exception)


def test_a_report_can_be_written_again(finished: tuple[Path, Result]) -> None:
    folder, _ = finished
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    result = invoke("report", folder)

    assert result.exit_code == 0
    assert (folder / "report.html").read_bytes() == before


def test_a_report_needs_a_finished_run(tmp_path: Path) -> None:
    result = invoke("report", tmp_path)

    assert result.exit_code == 2
    assert "manifest.json is missing" in result.stderr


def test_a_report_of_a_run_takes_no_option_of_a_sweep(finished: tuple[Path, Result]) -> None:
    result = invoke("report", finished[0], "--by", "policy")

    assert result.exit_code == 2
    assert "are for sweeps" in result.stderr


def test_the_package_offers_what_the_command_does() -> None:
    for name in seawall.__all__:
        assert getattr(seawall, name) is not None
    assert seawall.check("calm") == []
    assert seawall.check("calm", ("world.share=2",))[0].path == "world.share"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seawall.nothing  # noqa: B018
