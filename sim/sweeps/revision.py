"""Which code a result came from: a digest of every module that a run imports, and of what they stand on."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sim.sources import digest, module_files
from sim.store import package_version

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRY = "sim.run"
LIBRARIES = ("arch", "llvmlite", "mesa", "numba", "numpy", "pandas", "scipy")


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
    sources = {
        path.relative_to(ROOT).as_posix(): digest(path.read_bytes()) for path in module_files(ROOT, ENTRY)
    }
    packages = {"python": ".".join(platform.python_version_tuple()[:2])}
    packages |= {name: package_version(name) or "missing" for name in LIBRARIES}
    text = repr((sorted(sources.items()), sorted(packages.items())))
    return Revision(digest(text.encode()), sources, packages)
