"""What a page says of a theme beside its figures: a paragraph, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PageTable:
    """A table of a page.

    Attributes
    ----------
    columns : sequence of (str, str)
        Heading, and how its cells stand: "" for short words, "text" for long ones, "number".
    rows : sequence of sequence of str
    title, note : str
        Above it; nothing where empty.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Passage:
    """What is said of a theme.

    Attributes
    ----------
    text : str
        Before its figures.
    tables : sequence of PageTable
        After them.
    end : str
        After the tables.
    """

    text: str
    tables: Sequence[PageTable] = ()
    end: str = ""


def columns(words: Sequence[str], numbers: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """Columns of words, and of numbers behind them."""
    return (*((name, "") for name in words), *((name, "number") for name in numbers))
