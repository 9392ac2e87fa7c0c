"""What positions pay to the pool that reserves liquidity for them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import floats, observation, pair, rate_to_step, venue_rows

from protocol.carry.borrowing import BorrowingRule, advance_borrowing, borrowing_rate, open_borrowing
from protocol.carry.funding_rules import YEAR

HOUR, DAY = 3_600, 86_400
USAGE = st.floats(0, 2)


@pytest.mark.parametrize("row", venue_rows("borrowing"), ids=lambda row: row["name"])
def test_borrowing_costs_as_at_gmx(row: dict[str, Any]) -> None:
    shown = observation(usage_long=row["usage"], usage_short=row["usage"])
    borrowing, steps = advance_borrowing(open_borrowing(1, 0.0), BorrowingRule(), shown, HOUR)

    assert borrowing.rate == pytest.approx(np.full((2, 1), row["rate"]))
    assert pair(steps) == pytest.approx([row["step"], -row["step"]], abs=1)


@pytest.mark.parametrize(
    ("longs", "shorts", "payers"),
    [(200, 100, [True, False]), (100, 200, [False, True]), (100, 100, [True, True]), (0, 0, [True, True])],
)
def test_the_smaller_side_pays_nothing(longs: int, shorts: int, payers: list[bool]) -> None:
    shown = observation(long_interest=longs, short_interest=shorts, usage_long=0.5, usage_short=0.5)
    _, steps = advance_borrowing(open_borrowing(1, 0.0), BorrowingRule(), shown, HOUR)

    assert [step != 0 for step in pair(steps)] == payers


def test_the_smaller_side_pays_where_the_rule_says_so() -> None:
    shown = observation(long_interest=200, usage_long=0.5, usage_short=0.25)
    rule = BorrowingRule(smaller_side_pays=True)
    _, steps = advance_borrowing(open_borrowing(1, 0.0), rule, shown, HOUR)

    assert pair(steps) == pytest.approx([2_568_494, -1_284_247], abs=1)


@pytest.mark.parametrize(
    "rule", [BorrowingRule(optimal=1.0), BorrowingRule(above=0.45), BorrowingRule(above=0.1)]
)
def test_without_a_kink_the_rate_is_in_proportion_to_the_use(rule: BorrowingRule) -> None:
    assert borrowing_rate(rule, floats(0.5, 1, 1.5)) == pytest.approx([0.225, 0.45, 0.675])


@given(USAGE, USAGE)
def test_the_rate_never_falls_with_the_use(first: float, second: float) -> None:
    lower, higher = borrowing_rate(BorrowingRule(), floats(*sorted((first, second))))

    assert 0 <= lower <= higher


@given(USAGE, USAGE, st.integers(1, DAY), st.integers(2, 60))
def test_an_hour_costs_the_same_in_one_step_and_in_many(
    long: float, short: float, seconds: int, parts: int
) -> None:
    shown = observation(usage_long=long, usage_short=short)
    _, once = advance_borrowing(open_borrowing(1, 0.0), BorrowingRule(), shown, seconds)
    borrowing, total = open_borrowing(1, 0.0), np.zeros(2)
    for part in range(parts):
        borrowing, steps = advance_borrowing(borrowing, BorrowingRule(), shown, seconds * (part + 1) / parts)
        total += pair(steps)

    assert total == pytest.approx(pair(once), abs=1)


@given(st.lists(st.tuples(USAGE, st.integers(1, 3600)), min_size=1, max_size=20))
def test_payers_never_pay_less_than_the_rate(blocks: list[tuple[float, int]]) -> None:
    borrowing, time, paid, owed = open_borrowing(1, 0.0), 0, 0, 0.0
    for usage, seconds in blocks:
        time += seconds
        shown = observation(usage_long=usage, usage_short=usage)
        borrowing, steps = advance_borrowing(borrowing, BorrowingRule(), shown, time)
        long, short = pair(steps)
        paid += long
        owed += rate_to_step(borrowing_rate(BorrowingRule(), floats(usage))[0] / YEAR, seconds)

        assert long == -short
        assert owed - 1e-3 <= paid < owed + 1 + 1e-3


def test_nothing_is_due_twice_at_one_time() -> None:
    shown = observation(usage_long=0.5)
    borrowing, _ = advance_borrowing(open_borrowing(1, 0.0), BorrowingRule(), shown, HOUR)

    assert advance_borrowing(borrowing, BorrowingRule(), shown, HOUR) == (borrowing, None)


def test_an_interval_is_awaited() -> None:
    shown, rule = observation(usage_long=0.5), BorrowingRule(interval=HOUR)
    waiting, early = advance_borrowing(open_borrowing(1, 0.0), rule, shown, HOUR - 60)
    _, steps = advance_borrowing(waiting, rule, shown, HOUR)

    assert early is None
    assert pair(steps)[0] == 2_568_494


def test_time_without_a_usable_index_is_charged_when_it_is_back() -> None:
    shown = observation(usage_long=0.5)
    blind = shown._replace(oracle_ok=np.array([False]))
    waiting, nothing = advance_borrowing(open_borrowing(1, 0.0), BorrowingRule(), blind, HOUR)
    _, steps = advance_borrowing(waiting, BorrowingRule(), shown, 2 * HOUR)

    assert nothing is None
    assert pair(steps)[0] == pytest.approx(2 * 2_568_493.15, abs=1)
