"""The clock of funding, and the fractions of a step that are carried."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import floats

from protocol.carry.funding_rules import carry_down, carry_up, open_funding, time_due

READY, NOT_READY = np.array([True]), np.array([False])
OWED = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("interval", "time", "due"),
    [(3600, 3599, 0), (3600, 3600, 3600), (3600, 86_400, 86_400), (0, 60, 60), (0, 0, 0)],
)
def test_time_is_due_when_the_interval_is_over(interval: float, time: float, due: float) -> None:
    assert time_due(floats(0), interval, time, READY).tolist() == [due]


def test_a_market_that_is_not_ready_is_charged_later_for_all_the_time() -> None:
    since = floats(0)

    assert time_due(since, 60, 60, NOT_READY).tolist() == [0]
    assert time_due(since, 60, 120, READY).tolist() == [120]


def test_each_market_has_its_own_clock() -> None:
    assert time_due(floats(0, 30), 60, 60, np.array([True, True])).tolist() == [60, 0]


def test_a_new_market_has_nothing_to_charge() -> None:
    funding = open_funding(2, 50.0)

    assert funding.since.tolist() == [50, 50]
    assert not np.any(funding[1:])


@given(OWED)
def test_carrying_down_sums_to_what_was_owed_rounded_down(owed: list[float]) -> None:
    remainder, total = floats(0), 0
    for amount in owed:
        step, remainder = carry_down(floats(amount), remainder)
        total += int(step[0])

        assert 0 <= remainder[0] <= 1

    assert total + remainder[0] == pytest.approx(sum(owed), abs=1e-6)


@given(OWED)
def test_carrying_up_sums_to_what_was_owed_rounded_up(owed: list[float]) -> None:
    remainder, total = floats(0), 0
    for amount in owed:
        step, remainder = carry_up(floats(amount), remainder)
        total += int(step[0])

        assert -1 <= remainder[0] <= 0

    assert total + remainder[0] == pytest.approx(sum(owed), abs=1e-6)


def test_three_thirds_make_one_step() -> None:
    remainder, steps = floats(0), []
    for _ in range(4):
        step, remainder = carry_down(floats(1 / 3), remainder)
        steps.append(int(step[0]))

    assert steps == [0, 0, 1, 0]
