"""A user's classes: found in files and modules, and errors that name the file and line."""

import sys
from pathlib import Path
from typing import Any

import pytest

from agents.blame import PluginError, method_place, user_place
from sim.plugins import module_file, plugin


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def made(reference: str, folder: Path, **arguments: object) -> Any:
    return plugin(reference, folder).make(arguments, "look(far)")


LOOK = "    def look(self, far): ...\n"


def test_a_class_is_found_in_a_file_beside_or_by_its_path(tmp_path: Path) -> None:
    file = written(tmp_path, f"class Feed:\n    word = 'mine'\n{LOOK}")

    assert made("mine:Feed", tmp_path).word == "mine"
    assert plugin(f"{file}:Feed") == plugin("mine:Feed", tmp_path)


def test_a_dotted_module_is_a_file_in_a_folder_below(tmp_path: Path) -> None:
    file = written(tmp_path, f"class Feed:\n{LOOK}", "feeds/mine.py")

    assert type(made("feeds.mine:Feed", tmp_path)).__name__ == "Feed"
    assert plugin("feeds.mine:Feed", tmp_path).files() == [file]


def test_what_is_no_file_is_a_module_of_python(tmp_path: Path) -> None:
    path = plugin("pathlib:PurePath", tmp_path).make({"word": "x"}, "joinpath()")

    assert path.name == "x"
    assert module_file("pathlib", tmp_path) is None


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path, f"class Feed:\n    word = '{name}'\n{LOOK}", f"{name}/mine.py")

    assert [made("mine:Feed", tmp_path / name).word for name in ("one", "two")] == ["one", "two"]


def test_what_an_object_left_in_its_module_does_not_reach_the_next(tmp_path: Path) -> None:
    count = "seen = []\nclass Feed:\n    def __init__(self): seen.append(1)\n"
    written(tmp_path, f"{count}    def look(self, far): return len(seen)\n")

    assert [made("mine:Feed", tmp_path).look(1) for _ in range(2)] == [1, 1]
    assert str(tmp_path) not in sys.path
    assert not list(tmp_path.rglob("*.pyc"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mine", "a class is written module:Class, got 'mine'"),
        (":Feed", "a class is written module:Class, got ':Feed'"),
        ("mine:", "a class is written module:Class, got 'mine:'"),
        ("mine:two words", "a class is written module:Class"),
        ("nowhere_at_all:Feed", "No module named 'nowhere_at_all' (looked in "),
        ("gone.py:Feed", "no such file 'gone.py'"),
        ("mine:Fed", "mine.py  has no class Fed; did you mean Feed?"),
        ("mine:number", "mine.py  has no class number"),
        ("mine:Blind", "Blind must have a method look(far)"),
        ("syntax:Feed", "syntax.py:2  the module must import, got SyntaxError"),
        ("above:Feed", "syntax.py:2  the module must import, got SyntaxError"),
        ("broken:Feed", "broken.py:3  the module must import, got ZeroDivisionError: division by zero"),
        ("lacking:Feed", "lacking.py:1  the module must import, got ModuleNotFoundError: No module named"),
        ("needy:Feed", "needy.py:2  the class must be made of no arguments: TypeError"),
        ("json:Feed", "the name json is taken"),
        ("sim:Feed", "the name sim is taken"),
    ],
)
def test_what_cannot_be_made_is_told_with_its_place(tmp_path: Path, reference: str, message: str) -> None:
    written(tmp_path, f"class Feed:\n{LOOK}\nnumber = 1\nclass Blind: ...\n")
    written(tmp_path, "class Feed:\n    word = = 1\n", "syntax.py")
    written(tmp_path, "import gone_at_all\nimport syntax\n", "above.py")
    written(tmp_path, "class Feed: ...\n\n1 / 0\n", "broken.py")
    written(tmp_path, "import not_there_at_all\n", "lacking.py")
    written(tmp_path, "class Feed:\n    def __init__(self, x): ...\n", "needy.py")
    written(tmp_path, "", "json.py")

    with pytest.raises(PluginError) as raised:
        made(reference, tmp_path)

    assert message in str(raised.value)


def test_a_broken_file_is_tried_anew(tmp_path: Path) -> None:
    written(tmp_path, "1 / 0\n")
    with pytest.raises(PluginError):
        made("mine:Feed", tmp_path)
    written(tmp_path, f"class Feed:\n{LOOK}")

    assert type(made("mine:Feed", tmp_path)).__name__ == "Feed"


def test_a_digest_is_of_the_class_and_of_the_text_of_its_files(tmp_path: Path) -> None:
    written(tmp_path, "SIZE = 1\n", "sizes.py")
    written(tmp_path, "import sizes\nimport numpy\n")
    first = plugin("mine:Feed", tmp_path).digest()
    other = plugin("mine:Other", tmp_path).digest()
    written(tmp_path, "SIZE = 2\n", "sizes.py")

    assert len({first, other, plugin("mine:Feed", tmp_path).digest()}) == 3


def test_an_error_in_a_call_is_blamed_on_the_users_line(tmp_path: Path) -> None:
    file = written(tmp_path, "class Feed:\n    def look(self, far):\n        return [][3]\n")
    feed = made("mine:Feed", tmp_path)
    with pytest.raises(IndexError) as raised:
        feed.look(1)

    assert user_place(raised.value, {file}) == f"{file}:3"
    assert user_place(raised.value, ()) == ""
    assert method_place(feed.look) == f"{file}:2"
    assert method_place(len) == repr(len)
