"""Classes of a user's own, named in a scenario as `module:Class`."""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from sim.problems import shown, suggestion


class PluginError(Exception):
    """A user's class that cannot be found, loaded or run; the message names the file and line."""


def load_class(reference: str, folder: Path | None = None) -> type[Any]:
    """Class that a scenario names.

    Parameters
    ----------
    reference : str
        `module:Class`, where the module is a file `module.py` in `folder` or one that Python finds, or
        `path/to/file.py:Class`.
    folder : Path, optional
        Where modules are looked for first; the current folder if it is not given.

    Raises
    ------
    PluginError
        When the reference is no such pair, or the module or class is missing or fails to load.
    """
    module, colon, name = reference.rpartition(":")
    if not (colon and module and name.isidentifier()):
        raise PluginError(f"a class is named module:Class, got {shown(reference)}")
    loaded = _load(module, module_file(module, folder or Path()))
    found = getattr(loaded, name, None)
    if not isinstance(found, type):
        classes = [each for each, value in vars(loaded).items() if isinstance(value, type)]
        file = getattr(loaded, "__file__", module)
        raise PluginError(f"{file} has no class {shown(name)}{suggestion(name, classes)}")
    return found


def module_file(module: str, folder: Path) -> Path | None:
    """File of a module in a folder, or the file that is named; None where only Python may know it."""
    if module.endswith(".py"):
        return folder / module
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return file if file.is_file() else None


def blame(error: BaseException, reference: str) -> str:
    """An exception as `file:line: Kind: message`, the line in the file that the reference is about."""
    trail = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parent.parent)
    theirs = [frame for frame in trail if not frame.filename.startswith((ours, "<frozen"))] or list(trail)
    place = f"{theirs[-1].filename}:{theirs[-1].lineno}" if theirs else reference
    return f"{place}: {type(error).__name__}: {error}"


def _load(module: str, file: Path | None) -> ModuleType:
    """A module from its file, or as Python finds it."""
    try:
        return importlib.import_module(module) if file is None else _from_file(file)
    except SyntaxError as error:
        raise PluginError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except ModuleNotFoundError as error:
        if file is None and error.name and module.split(".")[0] == error.name.split(".")[0]:
            raise PluginError(f"no such module {shown(module)}") from error
        raise PluginError(blame(error, module)) from error
    except Exception as error:
        raise PluginError(blame(error, module)) from error


def _from_file(file: Path) -> ModuleType:
    """A module of its own for each file, loaded once."""
    if not file.is_file():
        raise PluginError(f"no such file {shown(str(file))}")
    name = f"seawall_plugin:{file.resolve()}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, file)
    if specification is None or specification.loader is None:
        raise PluginError(f"no Python module {shown(str(file))}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
