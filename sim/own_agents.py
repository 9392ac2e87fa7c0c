"""Traders of the user's own: their class is found, imported and made, and every failure says where.

The module is imported anew for every run, so that nothing which one run left in it reaches the next, and an
edit counts at once.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mesa
import numpy as np

from agents.custom import AgentError, Decides, Guest, OwnSettings, method_place, user_place
from agents.role import Stream
from protocol.book import Ints
from sim.problems import Problem, shown, suggestion
from sim.sources import digest, module_files
from sim.streams import stream

if TYPE_CHECKING:
    from sim.configuration import Scenario

SEAWALL = frozenset({"protocol", "agents", "sim", "analysis", "scenarios", "seawall"})

_imported: set[str] = set()


class OwnAgentError(Exception):
    """A user's module or class cannot be used; says why and where."""


def guest(model: mesa.Model, accounts: Ints, streams: Stream, settings: OwnSettings) -> Guest:
    """The Mesa agent that runs a user's object.

    Raises
    ------
    AgentError
        When the module cannot be imported or the object cannot be made.
    """
    try:
        trader = made(settings, accounts, streams)
        return Guest(model, accounts, settings, trader, user_files(settings))
    except OwnAgentError as error:
        raise AgentError(f"{settings.agent}: {error}") from error


def made(settings: OwnSettings, accounts: Ints, streams: Stream) -> Decides:
    """The user's object for these accounts."""
    with _searching(settings.folder):
        author = _found_class(settings)
        try:
            trader: Any = author(accounts, streams, dict(settings.settings))
        except Exception as error:
            place = user_place(error, user_files(settings)) or method_place(author.__init__)
            told = f"the class must be made of accounts, stream, settings: {type(error).__name__}: {error}"
            raise OwnAgentError(f"{place}  {told}") from error
    if not callable(getattr(trader, "act", None)):
        raise OwnAgentError(f"{author.__name__} must have a method act(view)")
    return trader  # type: ignore[no-any-return]


def user_files(settings: OwnSettings) -> list[Path]:
    """The user's module and what it imports beside itself, as absolute paths; none for a module not found."""
    entry = settings.agent.partition(":")[0]
    top = entry.partition(".")[0]
    folder = Path(settings.folder).resolve()
    if (folder / top).is_dir() or (folder / f"{top}.py").is_file():
        return module_files(folder, entry, lambda name: name.partition(".")[0] not in SEAWALL)
    spec = importlib.util.find_spec(top) if top and top not in SEAWALL else None
    if spec is None or spec.origin in (None, "built-in", "frozen"):
        return []
    origin = Path(str(spec.origin)).resolve()
    root = origin.parent.parent if spec.submodule_search_locations else origin.parent
    return module_files(root, entry, lambda name: name.partition(".")[0] == top)


def source_digest(settings: OwnSettings) -> str:
    """Digest of the text of all modules that the user wrote."""
    files = user_files(settings)
    return digest(repr([(file.name, digest(file.read_bytes())) for file in files]).encode())


def own_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Why own traders cannot be made; each is made once for a try."""
    for name, settings in scenario.agents.own.items():
        accounts = np.arange(settings.accounts, dtype=np.int64)
        try:
            made(settings, accounts, partial(stream, 0, "own", name))
        except OwnAgentError as error:
            path = ("agents", "own", name, "agent")
            yield Problem("", ".".join(path), str(error), about=(path,))


def _found_class(settings: OwnSettings) -> Callable[..., object]:
    entry, _, name = settings.agent.partition(":")
    if not entry or not name.isidentifier():
        raise OwnAgentError(f"an agent is written module:Class, got {shown(settings.agent)}")
    module = _module(entry, settings)
    author = getattr(module, name, None)
    if not isinstance(author, type):
        classes = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == entry]
        raise OwnAgentError(f"{module.__file__}  has no class {name}{suggestion(name, classes)}")
    return author


def _module(entry: str, settings: OwnSettings) -> Any:
    """The user's module, imported anew."""
    top = entry.partition(".")[0]
    try:
        files, folder = user_files(settings), Path(settings.folder).resolve()
        _forget([file for file in files if file.is_relative_to(folder)])
        before = set(sys.modules)
        if getattr(sys.modules.get(top), "__file__", None) and not _lies_in(sys.modules[top], files):
            rule = f"the name {top} is taken by a module of Python, Seawall or a library; choose another"
            raise OwnAgentError(rule)
        importlib.invalidate_caches()
        module = importlib.import_module(entry)
    except OwnAgentError:
        raise
    except Exception as error:
        place = user_place(error, user_files(settings) if not isinstance(error, SyntaxError) else ())
        told = f"the module must import, got {type(error).__name__}: {error}"
        looked = "" if place else f" (looked in {settings.folder} and on sys.path)"
        raise OwnAgentError(f"{place}  {told}" if place else told + looked) from error
    _imported.update(name for name in set(sys.modules) - before if _lies_in(sys.modules[name], files))
    return module


def _forget(files: list[Path]) -> None:
    """Let these files, and all that users' agents have imported before, be imported again."""
    known = [name for name, module in sys.modules.items() if name in _imported or _lies_in(module, files)]
    for name in known:
        del sys.modules[name]
    _imported.clear()


def _lies_in(module: Any, files: list[Path]) -> bool:
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin).resolve() in files


@contextmanager
def _searching(folder: str) -> Iterator[None]:
    """Imports look in a folder first, and leave no compiled files there."""
    place, writes = str(Path(folder).resolve()), sys.dont_write_bytecode
    sys.path.insert(0, place)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(place)
