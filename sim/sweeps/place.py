"""A folder for results, on this machine or behind a URL; files appear in it whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import basename, dirname, join
from typing import Any

import fsspec
from fsspec.core import split_protocol
from pyarrow import ArrowInvalid
from pyarrow import fs as arrow

from sim.problems import Problem, ScenarioError

PARTIAL = ".partial-"


class Place:
    """A folder that results are written to and read from.

    Parameters
    ----------
    url : str or Path
        A local folder, or a URL that pyarrow (`s3://bucket/folder?endpoint_override=…`, `gs://`, `hdfs://`)
        or fsspec can write.

    Raises
    ------
    ScenarioError
        When nothing can write to such a URL.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        protocol, _ = split_protocol(self.url)
        if protocol in (None, "file"):
            self.local: Path | None = Path(self.url.removeprefix("file://")).absolute()
            self.files, self.root = arrow.LocalFileSystem(), self.local.as_posix()
        else:
            self.local = None
            self.files, self.root = _remote(self.url)

    def __str__(self) -> str:
        return self.url

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """A stream whose content becomes the file `name` when the block ends well, and nothing otherwise."""
        path = join(self.root, name)
        partial = join(dirname(path), f"{PARTIAL}{basename(path)}")
        self.files.create_dir(dirname(path), recursive=True)
        try:
            with self.files.open_output_stream(partial) as stream:
                yield stream
            self.files.move(partial, path)
        except BaseException:
            with suppress(OSError):
                self.files.delete_file(partial)
            raise

    def write(self, name: str, content: bytes) -> None:
        """Write a file, replacing one of that name."""
        with self.writing(name) as stream:
            stream.write(content)

    def read(self, name: str) -> bytes:
        """Content of a file; FileNotFoundError if there is none."""
        with self.files.open_input_file(join(self.root, name)) as stream:
            content: bytes = stream.read()
        return content

    def opened(self, name: str) -> Any:
        """A file open for reading, as pyarrow reads it."""
        return self.files.open_input_file(join(self.root, name))

    def names(self, folder: str = "") -> list[str]:
        """Files directly in a folder, partial ones left out, in order."""
        found = self.files.get_file_info(self._selector(folder))
        return sorted(each.base_name for each in found if each.is_file and not _is_partial(each.base_name))

    def exists(self, name: str) -> bool:
        """Whether a file of that name is there."""
        kind = self.files.get_file_info(join(self.root, name)).type
        return bool(kind == arrow.FileType.File)

    def empty(self) -> bool:
        """Whether nothing is there but hidden files, or no folder yet."""
        found = self.files.get_file_info(self._selector(""))
        return all(each.base_name.startswith(".") for each in found)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self.files.delete_file(join(self.root, name))

    def sweep_up(self, folder: str = "") -> None:
        """Remove what interrupted writes have left behind."""
        for each in self.files.get_file_info(self._selector(folder)):
            if _is_partial(each.base_name):
                self.files.delete_file(each.path)

    def _selector(self, folder: str) -> arrow.FileSelector:
        return arrow.FileSelector(join(self.root, folder) if folder else self.root, allow_not_found=True)


def _is_partial(name: str) -> bool:
    return name.startswith(PARTIAL)


def _remote(url: str) -> tuple[Any, str]:
    """File system and path behind a URL: pyarrow's own where it has one, fsspec's otherwise."""
    try:
        files, root = arrow.FileSystem.from_uri(url)
    except ArrowInvalid as unknown:
        try:
            system, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            rule = f"a place must be a folder or a URL that can be written: {error}"
            raise ScenarioError([Problem(url, "", rule)]) from unknown
        files = arrow.PyFileSystem(arrow.FSSpecHandler(system))
    return files, root.rstrip("/")
