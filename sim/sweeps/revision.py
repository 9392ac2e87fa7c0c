"""Which code a result came from: a digest of every module that a run imports, and of what they stand on."""

import ast
import hashlib
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sim.store import package_version

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRY = "sim.run"
LIBRARIES = ("llvmlite", "mesa", "numba", "numpy", "pandas")


@dataclass(frozen=True)
class Revision:
    """The code behind a result.

    Attributes
    ----------
    revision : str
        Sixteen hexadecimal digits that change with any source or library below.
    sources : mapping of str to str
        Digest of each module that a run imports, by its path below the sources' root.
    packages : mapping of str to str
        Versions of Python and of the libraries that can change a number.
    """

    revision: str
    sources: Mapping[str, str]
    packages: Mapping[str, str]

    def differences(self, other: "Revision") -> list[str]:
        """What differs, one line each, seen from `self` to `other`."""
        lines = []
        for path in sorted({*self.sources, *other.sources}):
            mine, theirs = self.sources.get(path), other.sources.get(path)
            if mine != theirs:
                lines.append(f"{path} {'changed' if mine and theirs else 'removed' if mine else 'added'}")
        for name in sorted({*self.packages, *other.packages}):
            mine, theirs = self.packages.get(name), other.packages.get(name)
            if mine != theirs:
                lines.append(f"{name} {mine} -> {theirs}")
        return lines


@cache
def code_revision() -> Revision:
    """The code that is installed now; editing what no run imports, such as a report, leaves it as it is."""
    sources = {path.relative_to(ROOT).as_posix(): digest(path.read_bytes()) for path in _modules(ROOT, ENTRY)}
    packages = {"python": ".".join(platform.python_version_tuple()[:2])}
    packages |= {name: package_version(name) or "missing" for name in LIBRARIES}
    text = repr((sorted(sources.items()), sorted(packages.items())))
    return Revision(digest(text.encode()), sources, packages)


def digest(content: bytes) -> str:
    """Sixteen hexadecimal digits of SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def _modules(root: Path, entry: str) -> list[Path]:
    """Files of a module and of all that it imports below `root`, directly or not, in order of path."""
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        for file in _files(root, waiting.pop()):
            if file not in found:
                found.add(file)
                waiting += _imports(file)
    return sorted(found)


def _files(root: Path, name: str) -> Iterator[Path]:
    """File of a dotted name and of the packages around it; none for what lies outside `root`."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:end])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
