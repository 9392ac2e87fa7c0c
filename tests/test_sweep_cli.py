"""`seawall sweep`: its plan, its words, its exit codes, and what signals and full disks do to it."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir

import psutil
import pytest
from sweeping import (
    Counted,
    content,
    keys,
    saved,
    seawall_command,
    snapshot,
    stored,
    tiny,
    undisturbed,
    wait_for,
)
from typer.testing import CliRunner, Result

import seawall
from sim.sweeps.cluster import ClusterError
from sim.sweeps.results import load_sweep
from sim.sweeps.sweep import sweep

LONG = 12
AGENTS = {
    "ray::DashboardAgent",
    "ray::RuntimeEnvAgent",
}  # they wait a minute for the dead head of the cluster


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(seawall.app, ["sweep", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved(tmp_path, tiny(seeds=2))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr("sim.sweeps.tasks.run", counted)
    return counted


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a sweep of a hundred runs and waits until some of them are stored."""
    commands: list[subprocess.Popen[str]] = []

    def begin(*options: object) -> subprocess.Popen[str]:
        source = saved(tmp_path, tiny(seeds=LONG))
        commands.append(seawall_command("sweep", source, "--out", tmp_path / "store", *options))
        wait_for(lambda: stored(tmp_path / "store") or commands[-1].poll() is not None)
        return commands[-1]

    yield begin
    for command in commands:
        command.kill()
        command.communicate()


def resumed(folder: Path) -> dict[str, bytes]:
    """What the store holds after the sweep was completed; rows that were there must still be."""
    before = stored(folder)
    sweep(folder.parent / "tiny.yaml", folder, workers=0)

    assert before
    assert before.items() <= stored(folder).items()
    assert len(set(keys(folder))) == len(keys(folder)) == 4 * LONG
    return content(folder)


def test_help_tells_how_to_begin() -> None:
    result = invoke("--help")

    assert result.exit_code == 0
    for word in ("--dry-run", "--workers", "--serial", "--address", "--out", "seawall sweep margin_and_fund"):
        assert word in result.stdout


def test_a_sweep_prints_its_points_and_where_they_lie(tmp_path: Path, file: Path, runs: Counted) -> None:
    result = invoke(file, "--out", tmp_path / "store", "--serial")

    assert result.exit_code == 0
    assert f"store:   {tmp_path / 'store'}" in result.stdout
    assert "tiny: means over 2 seeds" in result.stdout
    assert result.stdout.count("tight") == 2
    assert len(runs.seeds) == 8


def test_a_quiet_sweep_prints_its_store_only(tmp_path: Path, file: Path, runs: Counted) -> None:
    result = invoke(file, "--out", tmp_path / "store", "--serial", "--quiet")

    assert (result.exit_code, result.output) == (0, f"{tmp_path / 'store'}\n")


def test_the_store_is_named_after_the_sweep(
    tmp_path: Path, file: Path, runs: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(file, "--serial", "--quiet")

    assert result.output == f"{Path('runs', 'tiny')}\n"
    assert (tmp_path / "runs" / "tiny" / "results.parquet").is_file()


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweeps.plan.run_seconds", lambda scenario, seed: 0.25)
    result = invoke(file, "--out", tmp_path / "store", "--dry-run")

    assert result.exit_code == 0
    for part in (
        "points    4",
        "seeds     2",
        "runs      8, of which 0 are stored",
        "0.25 s",
        "this process",
    ):
        assert part in result.stdout
    assert not (tmp_path / "store").exists()


def test_overrides_reach_the_scenario(tmp_path: Path, file: Path, runs: Counted) -> None:
    invoke(file, "--out", tmp_path / "store", "--serial", "--set", "world.share=0.5")

    assert load_sweep(tmp_path / "store").manifest["scenario"]["world"]["share"] == 0.5


def test_what_is_wrong_with_a_sweep_is_told_in_full_lines(tmp_path: Path) -> None:
    broken = saved(tmp_path, tiny(axes={"protocol.insurance_fun": [1]}, seed=3))
    result = invoke(broken, "--out", tmp_path / "store")

    assert result.exit_code == 2
    assert "did you mean insurance_fund?" in result.stderr
    assert "seed: unknown key; did you mean seeds?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "store").exists()


def test_serial_goes_with_neither_workers_nor_address(file: Path) -> None:
    for more in (("--workers", 2), ("--address", "here:1")):
        result = invoke(file, "--serial", *more)

        assert result.exit_code == 2
        assert "--serial  runs everything in this process" in result.stderr


def test_a_used_folder_is_refused(tmp_path: Path, file: Path) -> None:
    result = invoke(file, "--out", tmp_path, "--serial")

    assert result.exit_code == 2
    assert result.stderr.strip() == f"{tmp_path}  --out must be a new or empty folder, or hold a sweep"


def test_another_scenario_is_refused_with_the_difference(tmp_path: Path, file: Path, runs: Counted) -> None:
    invoke(file, "--out", tmp_path / "store", "--serial")
    before = snapshot(tmp_path / "store")
    result = invoke(file, "--out", tmp_path / "store", "--serial", "--set", "world.share=0.5")

    assert result.exit_code == 2
    assert "got scenario: world.share is now 0.5" in result.stderr
    assert snapshot(tmp_path / "store") == before


def test_failures_are_told_and_end_with_one(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", Counted(2))
    result = invoke(file, "--out", tmp_path / "store", "--serial")

    assert result.exit_code == 1
    assert "4 of 8 runs failed; they are run again next time" in result.stderr
    assert "4 failed: ArithmeticError: seed 2 fails (point 0, seed 2)" in result.stderr


@pytest.mark.parametrize("option", ["--serial", "--dry-run"])
def test_a_place_that_is_a_file_is_told_in_a_line(tmp_path: Path, file: Path, option: str) -> None:
    (tmp_path / "store").write_text("mine")
    result = invoke(file, "--out", tmp_path / "store", option)

    assert result.exit_code in (1, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert str(tmp_path / "store") in result.stderr
    assert (tmp_path / "store").read_text() == "mine"


def test_a_damaged_part_is_told(tmp_path: Path, file: Path, runs: Counted) -> None:
    invoke(file, "--out", tmp_path / "store", "--serial")
    (part,) = (tmp_path / "store" / "parts").iterdir()
    part.write_bytes(b"")
    result = invoke(file, "--out", tmp_path / "store", "--serial")

    assert len(runs.seeds) == 16
    assert part.name in result.stderr


def test_a_damaged_manifest_is_told(tmp_path: Path, file: Path, runs: Counted) -> None:
    invoke(file, "--out", tmp_path / "store", "--serial")
    (tmp_path / "store" / "manifest.json").write_text('{"kind": "sweep", ')
    result = invoke(file, "--out", tmp_path / "store", "--serial")

    assert result.exit_code == 2
    assert "store/manifest.json  Invalid JSON" in result.stderr


def test_a_url_that_nobody_can_write_is_told_in_a_line(file: Path) -> None:
    result = invoke(file, "--out", "nonsense://x", "--serial")

    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit)
    assert "nonsense://x" in result.stderr


def ended(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and error stream of a command that is about to end."""
    _, errors = command.communicate(timeout=60)
    return command.returncode, errors


def word_on_how_to_go_on(tmp_path: Path) -> str:
    return f"Go on with: seawall sweep {tmp_path / 'tiny.yaml'} --out {tmp_path / 'store'}"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_a_signal_stops_a_serial_sweep_which_can_be_completed(
    tmp_path: Path, begun: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    command = begun("--serial")
    command.send_signal(number)
    code, errors = ended(command)

    assert code == 130
    assert word_on_how_to_go_on(tmp_path) in errors
    assert "Traceback" not in errors
    assert resumed(tmp_path / "store") == undisturbed(LONG)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
@pytest.mark.parametrize("error", [ClusterError("the workers are gone"), RuntimeError("of Ray's")])
def test_an_error_that_follows_a_signal_counts_as_the_signal(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, error: Exception
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        raise error

    monkeypatch.setattr("sim.sweeps.sweep.sweep", interrupted)
    result = invoke(file, "--out", tmp_path / "store")

    assert result.exit_code == 130
    assert word_on_how_to_go_on(tmp_path) in result.stderr
    assert str(error) not in result.stderr


@pytest.mark.long
def test_an_interrupt_of_all_processes_stops_a_sweep_on_ray_which_can_be_completed(
    tmp_path: Path, begun: Callable[..., subprocess.Popen[str]]
) -> None:
    command = begun("--workers", 2)
    below = psutil.Process(command.pid).children(recursive=True)
    os.killpg(command.pid, signal.SIGINT)
    code, errors = ended(command)
    _, alive = psutil.wait_procs(below, timeout=20)

    assert code == 130, errors
    assert word_on_how_to_go_on(tmp_path) in errors
    assert "Traceback" not in errors
    assert alive == []
    assert resumed(tmp_path / "store") == undisturbed(LONG)


@pytest.mark.slow
def test_a_killed_driver_takes_its_processes_along_and_its_sweep_can_be_completed(
    tmp_path: Path, begun: Callable[..., subprocess.Popen[str]]
) -> None:
    command = begun("--workers", 2)
    below = {each: each.name() for each in psutil.Process(command.pid).children(recursive=True)}
    command.kill()
    code, _ = ended(command)
    _, alive = psutil.wait_procs([each for each, name in below.items() if name not in AGENTS], timeout=20)
    for agent in below:
        with suppress(psutil.NoSuchProcess):
            agent.kill()
    (folder,) = Path(gettempdir()).glob(f"seawall-{command.pid}-*")
    rmtree(folder)

    assert code == -signal.SIGKILL
    assert len(below) > 3
    assert alive == []
    assert resumed(tmp_path / "store") == undisturbed(LONG)


def limited() -> None:
    """Let this process write no file of more than 10 kB, which is too little for a manifest."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.slow
def test_a_full_disk_ends_with_one_and_a_word_on_how_to_go_on(tmp_path: Path) -> None:
    source = saved(tmp_path, tiny())
    command = seawall_command("sweep", source, "--out", tmp_path / "store", "--serial", preexec_fn=limited)
    code, errors = ended(command)

    assert code == 1
    assert "the sweep stopped: [Errno 27]" in errors
    assert word_on_how_to_go_on(tmp_path) in errors
    assert not list((tmp_path / "store").rglob(".partial-*"))

    sweep(source, tmp_path / "store", workers=0)

    assert content(tmp_path / "store") == undisturbed()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a hundred kilobytes, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_small_disk_that_fills_up_keeps_what_fits_and_a_larger_one_goes_on(
    tmp_path: Path, disk: Path
) -> None:
    source = saved(tmp_path, tiny())
    code, errors = ended(seawall_command("sweep", source, "--out", disk / "store", "--serial"))
    before = stored(disk / "store")

    assert code == 1
    assert "No space left on device" in errors
    assert before

    subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
    sweep(source, disk / "store", workers=0)

    assert before.items() <= stored(disk / "store").items()
    assert content(disk / "store") == undisturbed()
