"""Queues of orders: priority, the window that follows the price, and names that are used once."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue import integers

from protocol.venues.ladder import ASK, BID, FREE, REDUCING, Ladder, open_ladder, with_room
from protocol.venues.levels import (
    best_key,
    best_order,
    beyond,
    claim,
    consume,
    enqueue,
    following,
    named_order,
    order_id,
    price_of,
    recentre,
    remove_order,
)
from sim.streams import stream

pytestmark = pytest.mark.kernel

OWNER = 9


def rest(ladder: Ladder, row: int, tick: int, size: int = 1, reduce_only: bool = False) -> int:
    """Let an order rest at a price in ticks; returns its number."""
    slot = claim(ladder)
    order, terms = ladder.order, ladder.terms
    order["account"][slot], order["size"][slot], order["reduce_only"][slot] = OWNER, size, reduce_only
    terms["key"][slot] = tick if row % 2 == ASK else -tick
    enqueue(ladder, row, slot)
    return int(slot)


def queued(ladder: Ladder, row: int) -> list[int]:
    """Numbers of a row's orders in priority."""
    found, slot = [], best_order(ladder, row)
    while slot:
        found.append(int(slot))
        slot = following(ladder, slot)
    return found


def assert_sound(ladder: Ladder) -> None:
    """Everything that the arrays say twice agrees, and all orders are in their places."""
    window = int(beyond(ladder))
    for row in range(len(ladder.orders)):
        slots = queued(ladder, row)
        order, keys = ladder.order[slots], ladder.terms["key"][slots]
        levels = np.minimum(keys - ladder.side["base"][row], window)
        lots = np.bincount(levels, order["size"], window + 1) if slots else np.zeros(window + 1)
        occupied = np.flatnonzero(lots[:window])

        assert len(slots) == ladder.orders[row]
        assert (order["row"] == row).all()
        assert (order["level"] == levels).all()
        assert (np.diff(keys) >= 0).all()
        assert (ladder.queue["size"][row] == lots).all()
        assert (ladder.queue["head"][row] != 0).sum() == len(np.unique(levels))
        assert ladder.side["best"][row] == (occupied[0] if len(slots) else window)
    assert ladder.pool[REDUCING] == ladder.order["reduce_only"][ladder.order["size"] != 0].sum()


@dataclass
class Sorted:
    """The same with one sorted list for each row."""

    rows: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def rest(self, row: int, tick: int, slot: int) -> None:
        queue = self.rows.setdefault(row, [])
        queue.append((tick if row % 2 == ASK else -tick, slot))
        queue.sort(key=lambda each: each[0])

    def remove(self, row: int, slot: int) -> None:
        self.rows[row] = [each for each in self.rows[row] if each[1] != slot]


near, anywhere = st.integers(990, 1010), st.integers(1, 10_000_000)
steps = st.lists(
    st.tuples(
        st.integers(0, 3), st.one_of(near, near, anywhere), st.sampled_from("rrrct"), st.integers(0, 99)
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(steps, st.sampled_from([64, 192, 4096]))
def test_orders_stay_sorted_by_price_and_age_wherever_prices_go(
    steps: list[tuple[int, int, str, int]], window: int
) -> None:
    ladder, plain = open_ladder(integers(1, 1), integers(1, 1), 50, window), Sorted()
    for row, tick, step, choice in steps:
        queue = plain.rows.get(row, [])
        if step == "r":
            plain.rest(row, tick, rest(ladder, row, tick, 1 + choice, choice % 2 == 0))
        elif queue:
            slot = queue[0 if step == "t" else choice % len(queue)][1]
            lots = int(ladder.order["size"][slot])
            if step == "t" and choice % 2 and lots > 1:
                consume(ladder, row, lots - 1)
            else:
                remove_order(ladder, slot) if step == "c" else consume(ladder, row, lots)
                plain.remove(row, slot)

        assert_sound(ladder)
        for each, expected in plain.rows.items():
            assert queued(ladder, each) == [slot for _, slot in expected]


@pytest.mark.parametrize("row", [BID, ASK])
def test_better_prices_come_first_on_both_sides(row: int) -> None:
    ladder = open_ladder(integers(5), integers(1))
    slots = {tick: rest(ladder, row, tick) for tick in (20, 30, 10)}
    best = 30 if row == BID else 10

    assert queued(ladder, row) == [slots[tick] for tick in sorted(slots, reverse=row == BID)]
    assert price_of(ladder, row, best_key(ladder, row)) == 5 * best


def test_an_order_ten_times_away_waits_beyond_the_window_and_is_reached_when_its_turn_comes() -> None:
    ladder = open_ladder(integers(1), integers(1), window=64)
    close, far, farther = (rest(ladder, ASK, tick) for tick in (100, 1_000, 10_000))

    assert ladder.queue["size"][ASK, beyond(ladder)] == 2

    remove_order(ladder, close)

    assert queued(ladder, ASK) == [far, farther]
    assert best_key(ladder, ASK) == 1_000

    remove_order(ladder, far)

    assert best_key(ladder, ASK) == 10_000
    assert_sound(ladder)


def test_the_window_moves_to_a_much_better_price_and_what_it_leaves_behind_keeps_its_order() -> None:
    ladder = open_ladder(integers(1), integers(1), window=64)
    old = [rest(ladder, BID, tick) for tick in (100, 99, 99, 90)]
    best = rest(ladder, BID, 5_000)

    assert queued(ladder, BID) == [best, *old]
    assert ladder.queue["size"][BID, beyond(ladder)] == 4


def test_the_window_follows_a_price_that_drifts_so_that_orders_near_it_stay_inside() -> None:
    ladder = open_ladder(integers(1), integers(1), window=64)
    previous = rest(ladder, ASK, 100)
    for tick in range(101, 1_000):
        slot = rest(ladder, ASK, tick)
        remove_order(ladder, previous)
        previous = slot

        assert ladder.queue["head"][ASK, beyond(ladder)] == 0


def test_recentring_changes_nothing_but_the_window() -> None:
    ladder = open_ladder(integers(1), integers(1), window=64)
    before = [rest(ladder, ASK, tick) for tick in (10, 10, 12, 40, 500)]
    recentre(ladder, ASK, 10)

    assert queued(ladder, ASK) == before
    assert ladder.side["base"][ASK] == 10 - 16
    assert_sound(ladder)


def test_an_id_names_one_order_of_one_account_as_long_as_it_rests() -> None:
    ladder = open_ladder(integers(1), integers(1))
    slot = rest(ladder, ASK, 10, 5)
    number = order_id(ladder, slot)
    consume(ladder, ASK, 2)

    assert named_order(ladder, OWNER, number) == slot
    assert named_order(ladder, OWNER + 1, number) == 0

    consume(ladder, ASK, 3)

    assert named_order(ladder, OWNER, number) == 0

    again = rest(ladder, ASK, 10)

    assert again == slot
    assert named_order(ladder, OWNER, number) == 0
    assert order_id(ladder, again) != number


@pytest.mark.parametrize("number", [0, -1, 1, 1 << 32, (1 << 32) | 7, -(1 << 63), (1 << 63) - 1])
def test_numbers_that_name_nothing_are_recognised(number: int) -> None:
    ladder = open_ladder(integers(1), integers(1))
    slot = rest(ladder, ASK, 10)
    remove_order(ladder, slot)

    assert named_order(ladder, OWNER, number) == named_order(ladder, 0, number) == 0


def test_places_are_used_again_before_new_ones() -> None:
    ladder = open_ladder(integers(1), integers(1), capacity=3)
    slots = [rest(ladder, ASK, tick) for tick in (10, 11, 12)]
    for slot in slots:
        remove_order(ladder, slot)

    assert ladder.pool[FREE] == slots[-1]
    assert [rest(ladder, BID, 9) for _ in slots] == slots[::-1]
    assert len(with_room(ladder, 0).order) == 4


def test_a_book_of_a_many_thousand_orders_is_taken_in_order() -> None:
    count, ladder = 20_000, open_ladder(integers(1), integers(1), 20_000)
    ticks = stream(1, "ticks").integers(50_000, 51_000, count)
    for tick in ticks.tolist():
        rest(ladder, ASK, tick)
    taken = []
    while slot := best_order(ladder, ASK):
        taken.append(int(slot))
        remove_order(ladder, slot)

    assert taken == (1 + np.argsort(ticks, kind="stable")).tolist()
    assert ladder.orders[ASK] == 0
    assert not ladder.queue["size"].any()
