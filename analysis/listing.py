"""A plain table for the terminal: a name in front, numbers behind."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table


def listing(first: str, columns: Sequence[str]) -> Table:
    """An empty table; the first column is never broken, the others stand on the right."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    return table
