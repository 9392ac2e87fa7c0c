"""Dividing lots: by weight, by draining leverage, in a drawn order."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import integers

from protocol.losses.allotment import allot, drain, drained, fill_allotment, scramble

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("quantity", "weight", "limit", "lots"),
    [
        (10, (10, 7, 3), (10, 7, 3), (5, 4, 1)),  # 5, 3.5 and 1.5: the tie goes to the first
        (11, (10, 7, 3), (10, 7, 3), (5, 4, 2)),  # 5.5, 3.85 and 1.65
        (20, (10, 7, 3), (10, 7, 3), (10, 7, 3)),
        (30, (10, 7, 3), (10, 7, 3), (10, 7, 3)),
        (0, (10, 7, 3), (10, 7, 3), (0, 0, 0)),
        (12, (6, 3, 1), (4, 9, 9), (4, 6, 2)),  # 7.2 is too much for the first; 8 is shared 3 to 1
        (12, (6, 3, 1), (4, 5, 9), (4, 5, 3)),  # and then 6 is too much for the second
        (5, (0, 1, 1), (9, 2, 9), (0, 2, 3)),
        (5, (0, 0, 0), (9, 2, 9), (0, 0, 0)),
        (1, (1, 1, 1), (1, 1, 1), (1, 0, 0)),
        (2, (5, 5, 1), (0, 5, 5), (0, 2, 0)),  # 1.67 and 0.33
    ],
)
def test_lots_are_divided_by_weight_under_everybodys_limit(
    quantity: int, weight: tuple[int, ...], limit: tuple[int, ...], lots: tuple[int, ...]
) -> None:
    assert allot(quantity, integers(*weight), integers(*limit)).tolist() == list(lots)


def fair_share(quantity: int, weight: list[int], limit: list[int]) -> list[Fraction]:
    """Exact shares in proportion to weight, those above their limit cut one after the other."""
    cut: set[int] = set()
    sharing = {k for k, (w, most) in enumerate(zip(weight, limit, strict=True)) if w and most}
    while True:
        left = quantity - sum(limit[k] for k in cut)
        total = sum(weight[k] for k in sharing - cut)
        share = {k: Fraction(left * weight[k], total) for k in sharing - cut}
        over = {k for k, value in share.items() if value > limit[k]}
        if not over:
            return [Fraction(limit[k]) if k in cut else share.get(k, Fraction(0)) for k in range(len(limit))]
        cut |= over


@given(
    st.integers(0, 10**12),
    st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**11)), min_size=1, max_size=8),
)
def test_every_allotment_is_the_exact_share_rounded_and_all_of_them_the_whole(
    quantity: int, people: list[tuple[int, int]]
) -> None:
    weight, limit = (list(column) for column in zip(*people, strict=True))
    lots = allot(quantity, integers(*weight), integers(*limit)).tolist()
    reach = sum(most for w, most in people if w)

    assert sum(lots) == min(quantity, reach)
    assert all(0 <= given_up <= most for given_up, most in zip(lots, limit, strict=True))
    if quantity <= reach:
        for given_up, share in zip(lots, fair_share(quantity, weight, limit), strict=True):
            assert abs(given_up - share) < 1


@given(st.integers(1, 10**6), st.lists(st.integers(1, 10**6), min_size=2, max_size=6), st.data())
def test_relabelling_does_not_change_what_somebody_gets_by_more_than_the_last_lot(
    quantity: int, lots: list[int], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(lots))))
    here = allot(quantity, integers(*lots), integers(*lots))
    there = allot(quantity, integers(*lots)[order], integers(*lots)[order])

    assert np.abs(here[order] - there).max() <= 1


@pytest.mark.parametrize(
    ("quantity", "taken"),
    [
        (25, (25, 0, 0)),  # down to 7.5 times equity
        (50, (50, 0, 0)),  # level with the second, at 5
        (80, (60, 20, 0)),  # 4
        (200, (100 - 1 / 0.13, 100 - 2 / 0.13, 100 - 10 / 0.13)),  # 100 lots left on 13 of equity
        (300, (100, 100, 100)),
        (400, (100, 100, 100)),
        (0, (0, 0, 0)),
    ],
)
def test_draining_takes_from_the_most_levered_until_they_stand_level(
    quantity: int, taken: tuple[float, ...]
) -> None:
    # 100 lots each, on equities of 10, 20 and 100
    found = drained(quantity, integers(100, 100, 100), integers(10, 20, 100))

    np.testing.assert_allclose(found, taken, atol=1e-9)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**15)), min_size=1, max_size=8),
    st.floats(0, 1),
)
def test_draining_leaves_the_least_possible_highest_leverage(
    people: list[tuple[int, int]], share: float
) -> None:
    lots, equity = (integers(*column) for column in zip(*people, strict=True))
    quantity = int(share * lots.sum())
    taken = drained(quantity, lots, equity)
    left = (lots - taken) / equity
    highest = left.max()

    assert taken.sum() == pytest.approx(quantity, rel=1e-9, abs=1e-6)
    for before, after in zip(lots / equity, left, strict=True):
        assert after == pytest.approx(min(before, highest), rel=1e-6, abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**15)), min_size=1, max_size=8),
    st.integers(0, 10**10),
)
def test_whole_lots_drained_are_next_to_the_exact_ones(people: list[tuple[int, int]], quantity: int) -> None:
    lots, equity = (integers(*column) for column in zip(*people, strict=True))
    taken = drain(quantity, lots, equity)

    assert taken.sum() == min(quantity, lots.sum())
    assert ((taken >= 0) & (taken <= lots)).all()
    np.testing.assert_allclose(taken, drained(quantity, lots, equity), atol=1.01)


def test_draining_nobody_takes_nothing() -> None:
    nobody = np.zeros(0, np.int64)

    assert drain(5, nobody, nobody).tolist() == allot(5, nobody, nobody).tolist() == []


def test_a_drawn_order_depends_on_the_ticket_and_keeps_when_somebody_leaves() -> None:
    accounts = np.arange(20, 30)
    first, second = scramble(accounts, 1).tolist(), scramble(accounts, 2).tolist()

    assert sorted(first) == sorted(second) == accounts.tolist()
    assert first != second
    assert scramble(accounts, 1).tolist() == first
    assert scramble(np.delete(accounts, 4), 1).tolist() == [each for each in first if each != 24]


def test_every_place_in_a_drawn_order_is_as_likely_as_any_other() -> None:
    draws = np.array([scramble(np.arange(5), ticket) for ticket in range(4_000)])

    for place in range(5):
        counts = np.bincount(draws[:, place], minlength=5)
        # Five binomial counts with n = 4,000, p = 1/5; five standard deviations, false alarm 1e-5.
        assert np.abs(counts - 800).max() < 5 * np.sqrt(4_000 * 0.2 * 0.8)


def test_compiled_and_interpreted_allotments_agree() -> None:
    found = []
    for kernel in (fill_allotment, fill_allotment.py_func):
        lots, remainder = np.zeros(3, np.int64), np.zeros(3, np.int64)
        left = kernel(12, integers(6, 3, 1), integers(4, 9, 9), integers(0, 1, 2), lots, remainder)
        found.append((left, lots.tolist(), remainder.tolist()))

    assert found[0] == found[1] == (0, [4, 6, 2], [0, 0, 0])
