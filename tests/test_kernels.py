"""Kernels are compiled once for each state of the sources, and never from an old one."""

from pathlib import Path

import numpy as np
import pytest
from numba import config

from protocol import margin
from protocol.kernels import cache_folder, kernel, source_digest


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A tree with one module in each place that may hold kernels, and one that may not."""
    for name in ("protocol/venues/book.py", "agents/retail.py", "sim/run.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("one = 1\n")
    return tmp_path


@pytest.mark.parametrize("name", ["protocol/venues/book.py", "agents/retail.py"])
def test_an_edit_where_kernels_may_lie_changes_the_digest(sources: Path, name: str) -> None:
    before = source_digest(sources)
    (sources / name).write_text("one = 2\n")

    assert source_digest(sources) != before


def test_a_renamed_module_changes_the_digest(sources: Path) -> None:
    before = source_digest(sources)
    (sources / "agents/retail.py").rename(sources / "agents/crowd.py")

    assert source_digest(sources) != before


def test_an_edit_elsewhere_keeps_the_digest(sources: Path) -> None:
    before = source_digest(sources)
    (sources / "sim/run.py").write_text("one = 2\n")

    assert source_digest(sources) == before


def test_the_environment_chooses_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    assert cache_folder().parent == tmp_path


def test_without_a_choice_kernels_lie_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert cache_folder().parent == tmp_path / "seawall"


def test_numba_uses_the_folder_of_the_present_sources() -> None:
    assert Path(config.CACHE_DIR).name == source_digest(Path(margin.__file__).resolve().parent.parent)


def test_kernels_divide_like_numpy() -> None:
    @kernel
    def quotient(a: float, b: float) -> float:
        return a / b

    assert quotient(1.0, 0.0) == float("inf")


def test_a_kernel_is_compiled_once_for_constants_and_narrow_integers_of_its_callers() -> None:
    @kernel
    def twice(number: int) -> int:
        return 2 * number

    @kernel
    def caller(narrow: int, wide: int) -> int:
        return twice(narrow) + twice(wide) + twice(3)

    assert caller(np.int32(2**30), 1) == 2**31 + 2 + 6
    assert [str(kind) for kind, *_ in twice.signatures] == ["int64"]  # type: ignore[attr-defined]


def test_unsigned_numbers_and_truths_stay_what_they_are() -> None:
    @kernel
    def same(number: int) -> int:
        return number

    @kernel
    def caller(number: int, truth: bool) -> int:
        return same(number) + same(truth)

    assert caller(np.uint16(5), True) == 6
    assert {str(kind) for kind, *_ in same.signatures} == {"uint16", "bool"}  # type: ignore[attr-defined]
