"""How kernels are compiled: one cache folder for each state of the sources.

numba notices an edit only in the file of the compiled function itself; a cached kernel that calls a kernel
of another file would go on running the old code. Keying the folder by the text of every module that may
hold kernels removes the trap, so that kernels may be composed across files.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit, types
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

# (items, place, value): the tuple with one item replaced; a wrapper of ours would keep it out of registers
with_item = tuple_setitem


def source_digest(root: Path) -> str:
    """Sixteen hexadecimal digits that change with any module below `protocol` or `agents`."""
    digest = hashlib.sha256()
    for folder in ("protocol", "agents"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels lie: below `NUMBA_CACHE_DIR` if set, else in the user's cache folder."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seawall"
    return (Path(chosen) if chosen else default) / source_digest(Path(__file__).resolve().parent.parent)


config.CACHE_DIR = str(cache_folder())


def kernel(function: Function) -> Function:
    """Compile a function over arrays and scalars, without the interpreter, cached on disk.

    A kernel allocates nothing, so that no array in it has to be counted: without numba's counting of
    references kernels compile in half the time, and small ones called in a loop run several times as fast.
    """
    return _compiled(function)


def fragment(function: Function) -> Function:
    """Compile a small kernel that is copied into its callers.

    A call hands over every array that its function takes, which costs more than a small function does.
    """
    return _compiled(function, forceinline=True)


def _compiled(function: Function, **options: bool) -> Function:
    """A kernel that C does not call, and that is compiled once however wide its callers' integers are.

    Numba would compile it anew for `int32` and for every constant that a caller hands over.
    """
    compiled: Any = njit(
        cache=True, nogil=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True, **options
    )(function)
    resolve = compiled.get_call_template
    compiled.get_call_template = lambda handed, named: resolve(
        tuple(map(_widened, handed)), {name: _widened(kind) for name, kind in named.items()}
    )
    found: Function = compiled
    return found


def _widened(kind: types.Type) -> types.Type:
    """`int64` for constants and for narrower signed integers; other types as they are."""
    known = types.unliteral(kind)
    return types.int64 if isinstance(known, types.Integer) and known.signed else kind


@intrinsic  # type: ignore[untyped-decorator]
def bits_of(context: Any, number: Any) -> Any:
    """The 64 bits of a float as an integer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic  # type: ignore[untyped-decorator]
def float_of(context: Any, bits: Any) -> Any:
    """The float that 64 bits stand for."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate
