"""Which files a module is made of: itself, and what it imports from the same place, directly or not."""

import ast
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path


def everything(name: str) -> bool:
    """Whether an import is followed: always."""
    return True


def module_files(root: Path, entry: str, follows: Callable[[str], bool] = everything) -> list[Path]:
    """Files of a module and of all that it imports below `root`, directly or not, in order of path.

    Parameters
    ----------
    root : Path
        Folder that dotted names start from.
    entry : str
        Dotted name of the module.
    follows : callable, optional
        Whether an import, by its dotted name, is followed.
    """
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        for file in _files(root, name) if follows(name) else ():
            if file not in found:
                found.add(file)
                waiting += _imports(file, root)
    return sorted(found)


def digest(content: bytes) -> str:
    """Sixteen hexadecimal digits of SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def _files(root: Path, name: str) -> Iterator[Path]:
    """File of a dotted name and of the packages around it; none for what lies outside `root`."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:end])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())


def _imports(file: Path, root: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = ".".join([*_package(file, root, level), *([module] if module else [])])
                yield start
                yield from (f"{start}.{alias.name}" for alias in names)


def _package(file: Path, root: Path, level: int) -> tuple[str, ...]:
    """Package that a relative import of a level starts from; nothing for an absolute one."""
    return file.relative_to(root).parent.parts[: len(file.relative_to(root).parts) - level] if level else ()
