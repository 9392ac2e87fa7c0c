"""Classes of a user's own, named in a scenario as `module:Class`: found, imported and made.

The module is imported anew whenever an object is made, so that nothing which one run left in it reaches the
next, and an edit counts at once.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from agents.blame import PluginError, method_place, user_place
from sim.problems import shown, suggestion
from sim.sources import digest, module_files

SEAWALL = frozenset({"protocol", "agents", "sim", "analysis", "commands", "scenarios", "seawall"})

_imported: set[str] = set()


class Plugin(NamedTuple):
    """A user's class by name.

    Attributes
    ----------
    module, name : str
        Dotted name of the module, and the name of the class in it.
    folder : Path
        Where the module is looked for before `sys.path`.
    """

    module: str
    name: str
    folder: Path

    def files(self) -> list[Path]:
        """The user's module and what it imports beside itself; none for a module that is not found.

        Raises
        ------
        SyntaxError
            When one of them is no Python.
        """
        top = self.module.partition(".")[0]
        if (self.folder / top).is_dir() or (self.folder / f"{top}.py").is_file():
            return module_files(self.folder, self.module, _is_foreign)
        spec = importlib.util.find_spec(top) if top and top not in SEAWALL else None
        if spec is None or spec.origin in (None, "built-in", "frozen"):
            return []
        origin = Path(str(spec.origin)).resolve()
        root = origin.parent.parent if spec.submodule_search_locations else origin.parent
        return module_files(root, self.module, lambda name: name.partition(".")[0] == top)

    def digest(self) -> str:
        """Digest of the text of all these files, and of the class's name."""
        texts = [(file.name, digest(file.read_bytes())) for file in self.files()]
        return digest(repr((self.name, texts)).encode())

    def make(self, arguments: Mapping[str, Any], method: str) -> Any:
        """An object of the class.

        Parameters
        ----------
        arguments : mapping of str to object
            What the class is made of, in order, by the names under which an error tells of them.
        method : str
            The method that it must have, written as `act(view)`.

        Raises
        ------
        PluginError
            When the module cannot be imported, or the class is not there or cannot be made of these.
        """
        with _searching(self.folder):
            author = self._class()
            try:
                made = author(*arguments.values())
            except Exception as error:
                place = user_place(error, self.files()) or method_place(author.__init__)
                told = f"the class must be made of {', '.join(arguments) or 'no arguments'}"
                raise PluginError(f"{place}  {told}: {type(error).__name__}: {error}") from error
        if not callable(getattr(made, method.partition("(")[0], None)):
            raise PluginError(f"{author.__name__} must have a method {method}")
        return made

    def _class(self) -> type[Any]:
        module = self._module()
        author = getattr(module, self.name, None)
        if isinstance(author, type):
            return author
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == self.module]
        raise PluginError(f"{module.__file__}  has no class {self.name}{suggestion(self.name, own)}")

    def _module(self) -> ModuleType:
        """The user's module, imported anew."""
        files: list[Path] = []
        try:
            files = self.files()
            _forget([file for file in files if file.is_relative_to(self.folder)])
            before = set(sys.modules)
            self._refuse_taken(files)
            importlib.invalidate_caches()
            module = importlib.import_module(self.module)
        except PluginError:
            raise
        except Exception as error:
            place = user_place(error, files)
            told = f"the module must import, got {type(error).__name__}: {error}"
            looked = "" if place else f" (looked in {self.folder} and on sys.path)"
            raise PluginError(f"{place}  {told}" if place else told + looked) from error
        _imported.update(name for name in set(sys.modules) - before if _lies_in(sys.modules[name], files))
        return module

    def _refuse_taken(self, files: list[Path]) -> None:
        top = self.module.partition(".")[0]
        present = sys.modules.get(top)
        if getattr(present, "__file__", None) and not _lies_in(present, files):
            rule = f"the name {top} is taken by a module of Python, Seawall or a library; choose another"
            raise PluginError(rule)


def plugin(reference: str, folder: str | Path = "") -> Plugin:
    """The class that a scenario names.

    Parameters
    ----------
    reference : str
        `module:Class`, or `path/to/file.py:Class`.
    folder : str or Path
        Where modules are looked for first and paths begin; the current folder if it is not given.

    Raises
    ------
    PluginError
        When the reference is no such pair, or names a file that is not there.
    """
    module, _, name = reference.rpartition(":")
    if not (module and name.isidentifier()):
        raise PluginError(f"a class is written module:Class, got {shown(reference)}")
    place = Path(folder).resolve()
    if not module.endswith(".py"):
        return Plugin(module, name, place)
    file = place / module
    if not file.is_file():
        raise PluginError(f"no such file {shown(module)}")
    return Plugin(file.stem, name, file.resolve().parent)


def module_file(module: str, folder: Path) -> Path | None:
    """File of a module in a folder, or the file that is named; None where only Python may know it."""
    if module.endswith(".py"):
        return folder / module
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return file if file.is_file() else None


def _is_foreign(name: str) -> bool:
    """Whether a module is none of Seawall's."""
    return name.partition(".")[0] not in SEAWALL


def _forget(files: list[Path]) -> None:
    """Let these files, and all that users' classes have imported before, be imported again."""
    known = [name for name, module in sys.modules.items() if name in _imported or _lies_in(module, files)]
    for name in known:
        del sys.modules[name]
    _imported.clear()


def _lies_in(module: Any, files: list[Path]) -> bool:
    origin = getattr(module, "__file__", None)
    return origin is not None and _resolved(origin) in files


@cache
def _resolved(origin: str) -> Path:
    """Place of a file behind links; each import of a user's class asks it of every module."""
    return Path(origin).resolve()


@contextmanager
def _searching(folder: Path) -> Iterator[None]:
    """Imports look in a folder first, and leave no compiled files there."""
    writes = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(str(folder))
