"""Errors in code that a user brought: whose line is to blame."""

import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any


class PluginError(Exception):
    """A user's own class cannot be found, made or run; the message names the file and line."""


def user_place(error: Exception, files: Collection[Path]) -> str:
    """`file:line` of the last line in these files that led to an error; empty where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() in files]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def method_place(method: Callable[..., Any]) -> str:
    """`file:line` at which a method begins; its name where it has no source."""
    code = getattr(method, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(method)
