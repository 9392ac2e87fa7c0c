"""Telling the processor which records a kernel will need soon."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from protocol.book import Book, Rows
from protocol.kernels import fragment

AHEAD = 6


def prefetch(array: Rows, index: int) -> None:
    """Fetch one record of a one-dimensional array into the processor's cache; no index is invalid.

    It changes no result, and does nothing outside kernels. A kernel that looks up records in an order it
    knows beforehand, far apart in memory, need not wait for each of them.

    References
    ----------
    .. [1] LLVM Language Reference, "llvm.prefetch": address; 1 to write, locality 3 of 3, data cache.
    """


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typing: Any, array: Any, index: Any) -> Any:
    """The processor's instruction; numba asks for its types and for what to compile."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(array)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], index, types.intp)
        address = cgutils.get_item_pointer(context, builder, array, made, [place])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        instruction = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(instruction, [builder.bitcast(address, byte), *map(number, (1, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, index), generate


@overload(prefetch)
def compiled_prefetch(array, index):  # type: ignore[no-untyped-def]
    """What a kernel gets for `prefetch`; numba wants both signatures alike, hence no annotations."""
    return lambda array, index: fetch(array, index)


@fragment
def prefetch_account(book: Book, account: int) -> None:
    """Fetch what an account holds: its numbers lie in as many places as the book has columns."""
    prefetch(book.cash, account)
    prefetch(book.own_initial, account)
    for market in range(book.size.shape[0]):
        prefetch(book.size[market], account)
        prefetch(book.entry[market], account)
        prefetch(book.funding_paid[market], account)
        prefetch(book.collateral[market], account)
        prefetch(book.kept[market], account)
