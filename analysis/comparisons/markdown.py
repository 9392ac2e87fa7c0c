"""Pieces of Markdown."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """A Markdown table whose first `left` columns are flush left and the others flush right."""
    marks = ["---"] * left + ["--:"] * (len(head) - left)
    return [_line(cells) for cells in (head, marks, *rows)]


def code(text: str) -> str:
    """Text as code within a line."""
    return f"`{text}`"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
