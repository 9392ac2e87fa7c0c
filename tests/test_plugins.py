"""A user's classes: found in files and modules, and errors that name the file and line."""

from pathlib import Path

import pytest

from sim.plugins import PluginError, blame, load_class, module_file


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_a_class_is_found_in_a_file_beside_or_by_its_path(tmp_path: Path) -> None:
    file = written(tmp_path, "class Feed:\n    word = 'mine'\n")

    assert load_class("mine:Feed", tmp_path).word == "mine"
    assert load_class(f"{file}:Feed") is load_class("mine:Feed", tmp_path)


def test_a_dotted_module_is_a_file_in_a_folder_below(tmp_path: Path) -> None:
    written(tmp_path, "class Feed: ...\n", "feeds/mine.py")

    assert load_class("feeds.mine:Feed", tmp_path).__name__ == "Feed"


def test_what_is_no_file_is_a_module_of_python(tmp_path: Path) -> None:
    assert load_class("pathlib:PurePath", tmp_path).__name__ == "PurePath"
    assert module_file("pathlib", tmp_path) is None


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path, f"class Feed:\n    word = '{name}'\n", f"{name}/mine.py")

    assert [load_class("mine:Feed", tmp_path / name).word for name in ("one", "two")] == ["one", "two"]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mine", "a class is named module:Class, got 'mine'"),
        (":Feed", "a class is named module:Class, got ':Feed'"),
        ("mine:", "a class is named module:Class, got 'mine:'"),
        ("mine:two words", "a class is named module:Class"),
        ("nowhere_at_all:Feed", "no such module 'nowhere_at_all'"),
        ("gone.py:Feed", "no such file"),
        ("mine:Fed", "mine.py has no class 'Fed'; did you mean Feed?"),
        ("mine:number", "mine.py has no class 'number'"),
        ("syntax:Feed", "syntax.py:2: "),
        ("broken:Feed", "broken.py:3: ZeroDivisionError: division by zero"),
        ("lacking:Feed", "lacking.py:1: ModuleNotFoundError: No module named 'not_there_at_all'"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_its_place(tmp_path: Path, reference: str, message: str) -> None:
    written(tmp_path, "class Feed: ...\nnumber = 1\n")
    written(tmp_path, "class Feed:\n    word = = 1\n", "syntax.py")
    written(tmp_path, "class Feed: ...\n\n1 / 0\n", "broken.py")
    written(tmp_path, "import not_there_at_all\n", "lacking.py")

    with pytest.raises(PluginError) as raised:
        load_class(reference, tmp_path)

    assert message in str(raised.value)


def test_a_broken_file_is_tried_anew(tmp_path: Path) -> None:
    written(tmp_path, "1 / 0\n")
    with pytest.raises(PluginError):
        load_class("mine:Feed", tmp_path)
    written(tmp_path, "class Feed: ...  # mended\n")

    assert load_class("mine:Feed", tmp_path).__name__ == "Feed"


def test_an_error_in_a_call_is_blamed_on_the_users_line(tmp_path: Path) -> None:
    file = written(tmp_path, "class Feed:\n    def look(self):\n        return [][3]\n")
    made = load_class(f"{file}:Feed")
    with pytest.raises(IndexError) as raised:
        made().look()

    assert blame(raised.value, "mine:Feed").endswith("mine.py:3: IndexError: list index out of range")
