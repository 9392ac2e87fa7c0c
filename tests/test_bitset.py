"""Sets of small numbers as bits in three tiers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.venues.bitset import LEAF, empty_sets, exclude, include, least, least_above, lowest_bit

pytestmark = pytest.mark.kernel

LIMITS = (64, 128, 4096, 4160, 1 << 16, 1 << 18)


@pytest.mark.parametrize("position", range(64))
def test_the_lowest_bit_is_found_whatever_lies_above_it(position: int) -> None:
    for above in (0, 1, 0b1011, (1 << 64) - 1):
        word = np.uint64((1 << position) | ((above << position) & ((1 << 64) - 1)))

        assert lowest_bit(word) == position


@given(st.integers(1, (1 << 64) - 1))
def test_the_lowest_bit_agrees_with_plain_python(word: int) -> None:
    expected = (word & -word).bit_length() - 1

    assert lowest_bit(np.uint64(word)) == expected
    with np.errstate(over="ignore"):
        assert lowest_bit.py_func(np.uint64(word)) == expected


@given(st.data(), st.sampled_from(LIMITS))
def test_a_bitset_behaves_like_a_set(data: st.DataObject, limit: int) -> None:
    sets, members = empty_sets(3, limit), set[int]()
    edges = [number for number in (0, 63, 64, 4095, 4096, limit - 1) if number < limit]
    number = st.one_of(st.sampled_from(edges), st.integers(0, limit - 1))
    for chosen, joins in data.draw(st.lists(st.tuples(number, st.booleans()), max_size=30)):
        (include if joins else exclude)(sets, 1, chosen)
        members = members | {chosen} if joins else members - {chosen}
        probe = data.draw(number)

        assert least(sets, 1) == min(members, default=limit)
        assert least_above(sets, 1, probe) == min((m for m in members if m > probe), default=limit)
    assert not sets[[0, 2]].any()


def test_an_emptied_set_has_no_bit_left() -> None:
    sets, numbers = empty_sets(1, 1 << 18), (0, 5, 64, 4096, 200_000, (1 << 18) - 1)
    for number in numbers:
        include(sets, 0, number)
    for number in numbers:
        exclude(sets, 0, number)

    assert not sets.any()


@pytest.mark.parametrize("limit", LIMITS)
def test_a_set_has_a_bit_for_each_number_below_its_limit(limit: int) -> None:
    assert empty_sets(2, limit).shape == (2, LEAF + limit // 64)


@pytest.mark.parametrize("limit", [0, -64, 63, 100, (1 << 18) + 64])
def test_a_limit_that_the_tiers_cannot_hold_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"got limit={limit}"):
        empty_sets(1, limit)
