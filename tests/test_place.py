"""Places: local folders and URLs behave alike, and files appear in them whole or not at all."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest
from sweeping import FILES, content, invented, snapshot, tiny

from sim.problems import ScenarioError
from sim.sweeps.place import Place
from sim.sweeps.results import load_sweep
from sim.sweeps.sweep import sweep

MOTO = "ignore::DeprecationWarning"


@pytest.fixture(params=["folder", "file url", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    urls = {
        "folder": str(tmp_path / "store"),
        "file url": f"file://{tmp_path}/store",
        "memory": f"memory:/{tmp_path}",
    }
    yield Place(urls[request.param])
    memory = fsspec.filesystem("memory")
    if memory.exists(str(tmp_path)):
        memory.rm(str(tmp_path), recursive=True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a bucket on this machine."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="results")
    yield f"s3://results/folder?endpoint_override={host}:{port}&scheme=http"
    server.stop()


def test_what_is_written_can_be_read(place: Place) -> None:
    assert place.empty()
    assert place.names() == []
    place.write("b.txt", b"old")
    place.write("b.txt", b"new")
    place.write("parts/a.txt", b"below")

    assert not place.empty()
    assert place.read("b.txt") == b"new"
    assert place.opened("parts/a.txt").read() == b"below"
    assert place.names() == ["b.txt"]
    assert place.names("parts") == ["a.txt"]
    assert (place.exists("b.txt"), place.exists("parts"), place.exists("c.txt")) == (True, False, False)


def test_an_interrupted_write_leaves_what_was_there(place: Place) -> None:
    place.write("a.txt", b"old")
    with suppress(KeyboardInterrupt), place.writing("a.txt") as stream:
        stream.write(b"half")
        raise KeyboardInterrupt

    assert place.read("a.txt") == b"old"
    assert len(place.files.get_file_info(place._selector(""))) == 1


def test_a_partial_file_is_not_seen_and_can_be_swept_up(place: Place) -> None:
    place.write("parts/.partial-a.txt", b"half")
    place.write("parts/a.txt", b"whole")

    assert place.names("parts") == ["a.txt"]

    place.sweep_up("parts")

    assert len(place.files.get_file_info(place._selector("parts"))) == 1
    assert place.read("parts/a.txt") == b"whole"


def test_deleting_what_is_not_there_does_nothing(place: Place) -> None:
    place.write("a.txt", b"1")
    place.delete("a.txt")
    place.delete("a.txt")

    assert place.names() == []
    with pytest.raises(FileNotFoundError):
        place.read("a.txt")


def test_a_url_that_nobody_can_write_is_named() -> None:
    with pytest.raises(
        ScenarioError, match="nonsense://x  a place must be a folder or a URL that can be written"
    ):
        Place("nonsense://x")


def test_a_sweep_in_memory_is_the_one_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", invented)
    sweep(tiny(), tmp_path / "local", workers=0)
    url = f"memory:/{tmp_path}/remote"
    sweep(tiny(), url, workers=0)

    assert {name: Place(url).read(name) for name in FILES} == content(tmp_path / "local")


@pytest.mark.slow
@pytest.mark.filterwarnings(MOTO)
def test_a_sweep_in_a_bucket_is_the_one_on_disk_and_can_be_completed(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", invented)
    sweep(tiny(), tmp_path, workers=0)
    first = sweep(tiny(seeds=2), bucket, workers=0)
    sweep(tiny(), bucket, workers=0)

    assert len(first.runs) == 8
    assert len(Place(bucket).names("parts")) == 2
    assert {name: Place(bucket).read(name) for name in FILES} == content(tmp_path)
    assert load_sweep(bucket).runs.equals(load_sweep(tmp_path).runs)
    assert not [name for name in snapshot(tmp_path) if "partial" in name]
