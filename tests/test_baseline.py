"""Chosen numbers of two small runs stand where the baseline says; `tests/update_baseline.py` moves it."""

import pytest
from update_baseline import measured, recorded


@pytest.fixture(scope="module")
def now() -> dict[str, dict[str, float | None]]:
    return measured()


@pytest.mark.parametrize("name", ["calm", "crash"])
def test_the_chosen_numbers_have_not_moved(name: str, now: dict[str, dict[str, float | None]]) -> None:
    assert now[name] == {
        key: pytest.approx(value, rel=1e-6, abs=1e-9) if value is not None else None
        for key, value in recorded()[name].items()
    }


def test_the_baseline_holds_every_chosen_number(now: dict[str, dict[str, float | None]]) -> None:
    assert {name: set(numbers) for name, numbers in recorded().items()} == {
        name: set(numbers) for name, numbers in now.items()
    }
