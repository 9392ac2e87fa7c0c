"""What is wrong with an input: every problem with its place, and all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """One broken rule.

    Attributes
    ----------
    place : str
        `file:line` or the command-line option; empty where only the path is known.
    path : str
        Dotted path inside the scenario; empty for a problem of a whole file.
    rule : str
        What must hold.
    value : str
        What was found; empty where there is nothing to show.
    about : tuple of paths
        Settings that the rule compares, the one to blame first.
    """

    place: str
    path: str
    rule: str
    value: str = ""
    about: tuple[Path, ...] = ()

    def __str__(self) -> str:
        rule = f"{self.rule}, got {self.value}" if self.value else self.rule
        text = f"{self.path}: {rule}" if self.path else rule
        return f"{self.place}  {text}" if self.place else text


class ScenarioError(Exception):
    """An input that cannot be run; `problems` lists everything found, `str()` prints it a line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def shown(value: object) -> str:
    """Value as an error message quotes it, cut to a readable length."""
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def suggestion(word: str, known: Iterable[str]) -> str:
    """Tail of a message on an unknown name: the nearest known one, or the list of them."""
    names = sorted(known)
    near = close_names(word, names)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(names)}" if names else ""


def close_names(word: str, known: Sequence[str]) -> list[str]:
    """Known names that `word` may be a slip of, nearest first, case aside."""
    folded = {name.casefold(): name for name in known}
    return [folded[match] for match in get_close_matches(word.casefold(), list(folded), n=2, cutoff=0.65)]
