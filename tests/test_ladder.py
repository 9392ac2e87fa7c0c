"""How resting orders are laid out: room, alignment, and what a new book is."""

import numpy as np
import pytest
from venue import integers

from protocol.venues.depth import resting_orders
from protocol.venues.ladder import (
    ASK,
    BID,
    CANCEL_BOTH,
    CANCEL_RESTING,
    MARKETS,
    ORDER,
    SELF_TRADE,
    aligned_orders,
    open_ladder,
    with_room,
)
from protocol.venues.levels import claim, enqueue


def test_a_book_has_room_for_as_many_markets_as_it_can_number() -> None:
    ticks = np.ones(MARKETS + 1, np.int64)
    with pytest.raises(ValueError, match="at most 32768 markets, got 32769"):
        open_ladder(ticks, ticks, 1, 64)


def test_a_new_book_is_empty_and_knows_its_prices() -> None:
    ladder = open_ladder(integers(10, 20), integers(1_000, 2_000))

    assert ladder.orders.tolist() == [0, 0, 0, 0]
    assert ladder.last.tolist() == [1_000, 2_000]
    assert len(resting_orders(ladder, BID)) == len(resting_orders(ladder, ASK)) == 0


def test_a_book_keeps_its_own_ticks_and_prices() -> None:
    tick, prices = integers(10), integers(1_000)
    ladder = open_ladder(tick, prices)
    tick[0] = prices[0] = 7

    assert (ladder.tick[0], ladder.last[0]) == (10, 1_000)


def test_the_choices_of_a_venue_are_those_given() -> None:
    ladder = open_ladder(integers(1), integers(1), self_trade=CANCEL_BOTH, cleared=False)

    assert (ladder.self_trade, ladder.cleared) == (CANCEL_BOTH, False)


def test_every_way_to_prevent_self_trades_has_a_name() -> None:
    assert sorted(SELF_TRADE.values()) == [0, 1, 2, 3]
    assert SELF_TRADE["cancel_resting"] == CANCEL_RESTING == open_ladder(integers(1), integers(1)).self_trade


@pytest.mark.parametrize("window", [0, 100, 1 << 19])
def test_a_window_that_the_tiers_cannot_hold_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"got limit={window}"):
        open_ladder(integers(1), integers(1), window=window)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_no_order_straddles_two_lines_of_the_cache(count: int) -> None:
    orders = aligned_orders(count)

    assert len(orders) == count
    assert 64 % ORDER.itemsize == 0
    assert orders.__array_interface__["data"][0] % ORDER.itemsize == 0
    assert not orders.view(np.uint8).any()


def test_room_is_made_only_when_it_lacks_and_then_at_least_doubles() -> None:
    ladder = open_ladder(integers(1), integers(1), capacity=8)

    assert with_room(ladder, 8) is ladder
    assert len(with_room(ladder, 9).order) == 2 * len(ladder.order)
    assert len(with_room(ladder, 100).order) == 101


def test_orders_survive_a_move_to_a_larger_room() -> None:
    ladder = open_ladder(integers(1), integers(1), capacity=2)
    for key in (7, 5):
        slot = claim(ladder)
        ladder.order["size"][slot], ladder.terms["key"][slot] = 3, key
        enqueue(ladder, ASK, slot)
    before = resting_orders(ladder, ASK).tolist()
    moved = with_room(ladder, 50)

    assert len(before) == 2
    assert resting_orders(moved, ASK).tolist() == before
