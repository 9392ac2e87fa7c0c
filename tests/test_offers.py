"""Resting orders as offers: what may fill of them, and how they leave the book."""

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, DAVE, hold, integers, nobody, place, quote, resting, usd, venue

from protocol.book import Rows
from protocol.exchange import Exchange
from protocol.orders import POST_ONLY, REST, cancels, orders
from protocol.venues.depth import resting_orders
from protocol.venues.ladder import ASK, BID, CANCEL_BOTH, CANCEL_RESTING, CANCEL_TAKER, DECREMENT
from protocol.venues.offers import best_offer, cancel_orders, drop_idle
from protocol.venues.orderbook import match

pytestmark = pytest.mark.kernel


def traded(fills: Rows) -> list[tuple[int, int, int, float]]:
    """Fills as (taker, maker, lots, price in USD)."""
    return [
        (int(row["taker"]), int(row["maker"]), int(row["size"]), int(row["price"]) / 1e6) for row in fills
    ]


def rich(**changes: int) -> Exchange:
    """A venue with four traders whom the margin rule never hinders."""
    return venue(1e6, 1e6, 1e6, 1e6, **changes)


def self_trade(mode: int) -> tuple[Exchange, Rows, list[tuple[int, int, float]]]:
    """BOB buys 8 lots and meets his own offer of 5 first; the venue, the fills, and what rests to sell."""
    exchange = rich()
    quote(exchange, BOB, (-5, 100))
    quote(exchange, ALICE, (-9, 101))
    batch = orders(integers(BOB), 0, integers(8), usd(102), REST, expiry=9)
    exchange.venue.ladder = exchange.venue.ladder._replace(self_trade=mode)
    fills = exchange.trade(batch, nobody(exchange), 0, integers(0))
    return exchange, fills, resting(exchange, ASK)


@pytest.mark.parametrize(
    ("mode", "bought", "left"),
    [
        (CANCEL_RESTING, 8, [(ALICE, 1, 101)]),
        (CANCEL_TAKER, 0, [(BOB, 5, 100), (ALICE, 9, 101)]),
        (CANCEL_BOTH, 0, [(ALICE, 9, 101)]),
        (DECREMENT, 3, [(ALICE, 6, 101)]),
    ],
)
def test_a_trader_never_trades_with_themselves(
    mode: int, bought: int, left: list[tuple[int, int, float]]
) -> None:
    exchange, fills, offers = self_trade(mode)

    assert exchange.book.size[0, BOB] == bought
    assert traded(fills) == ([(BOB, ALICE, bought, 101)] if bought else [])
    assert offers == left
    assert resting(exchange, BID) == []


def test_what_is_left_of_a_larger_own_order_stays_when_both_are_decremented() -> None:
    exchange = rich()
    exchange.venue.ladder = exchange.venue.ladder._replace(self_trade=DECREMENT)
    quote(exchange, BOB, (-5, 100))
    place(exchange, BOB, 2, 100)

    assert resting(exchange, ASK) == [(BOB, 3, 100)]
    assert resting(exchange, BID) == []


def test_a_resting_reducing_order_fills_no_more_than_is_left_to_close() -> None:
    exchange = rich()
    hold(exchange, ALICE, CAROL, 10)
    place(exchange, ALICE, -10, 101, reduce_only=True)
    hold(exchange, ALICE, CAROL, -4)
    quote(exchange, DAVE, (-9, 102))
    fills = place(exchange, BOB, 8)

    assert traded(fills) == [(BOB, ALICE, 6, 101), (BOB, DAVE, 2, 102)]
    assert exchange.book.size[0, ALICE] == 0
    assert resting(exchange, ASK) == [(DAVE, 7, 102)]


@pytest.mark.parametrize("change", [-10, -15])
def test_a_resting_reducing_order_with_nothing_to_close_neither_trades_nor_stands_in_the_way(
    change: int,
) -> None:
    exchange = rich()
    hold(exchange, ALICE, CAROL, 10)
    place(exchange, ALICE, -10, 101, reduce_only=True)
    hold(exchange, ALICE, CAROL, change)
    place(exchange, BOB, 5, 101, kind=POST_ONLY)

    assert resting(exchange, BID) == [(BOB, 5, 101)]
    assert resting(exchange, ASK) == []
    assert exchange.book.size[0, ALICE] == 10 + change


def test_reducing_orders_leave_at_the_end_of_the_batch_that_closed_the_position() -> None:
    exchange = rich()
    hold(exchange, ALICE, CAROL, 10)
    place(exchange, ALICE, -10, 101, reduce_only=True)
    place(exchange, ALICE, -4, 105, reduce_only=True)
    quote(exchange, BOB, (10, 99))
    place(exchange, ALICE, -10)

    assert resting(exchange, ASK) == []


def test_idle_orders_are_dropped_on_request_and_no_others() -> None:
    exchange = rich()
    hold(exchange, ALICE, CAROL, 10)
    place(exchange, ALICE, -10, 101, reduce_only=True)
    quote(exchange, BOB, (-5, 102))

    assert drop_idle(exchange.book, exchange.venue.ladder) == 0

    hold(exchange, ALICE, CAROL, -10)

    assert drop_idle(exchange.book, exchange.venue.ladder) == 1
    assert resting(exchange, ASK) == [(BOB, 5, 102)]


@pytest.mark.parametrize(("held", "lots"), [(10, 6), (4, 4), (0, 0), (-3, 0)])
def test_the_best_offer_tells_what_may_fill_of_it(held: int, lots: int) -> None:
    exchange = rich()
    hold(exchange, ALICE, CAROL, 10)
    place(exchange, ALICE, -6, 101, reduce_only=True)
    exchange.book.size[0, ALICE] = held

    assert best_offer(exchange.book, exchange.venue.ladder, ASK) == (ALICE, usd(101), lots)


def placed(exchange: Exchange, account: int, *levels: tuple[int, float]) -> list[int]:
    """Rest orders, each (signed lots, price); returns their ids."""
    size, price = (integers(*column) for column in zip(*levels, strict=True))
    batch = orders(np.full(len(size), account), 0, size, price * usd(1), REST, expiry=9)
    exchange.venue.ladder, _ = match(exchange.book, exchange.parameters, exchange.venue.ladder, batch)
    return list(batch.id.tolist())


def withdraw(exchange: Exchange, account: int, *ids: int) -> None:
    """Cancel orders by id."""
    batch = cancels(np.full(len(ids), account), integers(*ids))
    exchange.trade(batch, nobody(exchange), 0, np.arange(len(ids)))


def test_an_order_is_cancelled_by_its_id() -> None:
    exchange = rich()
    first, second, third = placed(exchange, ALICE, (5, 99), (6, 99), (-7, 101))
    withdraw(exchange, ALICE, second, third)

    assert resting(exchange, BID) == [(ALICE, 5, 99)]
    assert resting(exchange, ASK) == []
    assert resting_orders(exchange.venue.ladder, BID)["id"].tolist() == [first]


def test_nobody_cancels_the_order_of_another() -> None:
    exchange = rich()
    withdraw(exchange, BOB, *placed(exchange, ALICE, (5, 99)))

    assert resting(exchange, BID) == [(ALICE, 5, 99)]


def test_an_order_that_does_not_rest_has_no_id() -> None:
    exchange = rich()
    placed(exchange, ALICE, (-5, 101))

    assert placed(exchange, BOB, (5, 102), (5, 99))[0] == 0


def test_an_id_dies_with_its_order_and_unknown_ones_cancel_nothing() -> None:
    exchange = rich()
    (old,) = placed(exchange, ALICE, (5, 99))
    withdraw(exchange, ALICE, old)
    (new,) = placed(exchange, ALICE, (6, 98))
    withdraw(exchange, ALICE, old, 0, -1, 7, 1 << 40, new + 1)

    assert new != old
    assert resting(exchange, BID) == [(ALICE, 6, 98)]


def test_expired_orders_leave_and_the_last_block_of_life_counts() -> None:
    exchange = rich()
    place(exchange, ALICE, 5, 99, expiry=3)
    place(exchange, ALICE, 5, 98, expiry=4)
    assert place(exchange, BOB, -1, block=3)["price"].tolist() == [usd(99)]
    fills = place(exchange, BOB, -1, block=4)

    assert traded(fills) == [(BOB, ALICE, -1, 98)]
    assert resting(exchange, BID) == [(ALICE, 4, 98)]


def test_a_leaving_account_loses_all_its_orders_and_nobody_else_any() -> None:
    exchange = rich()
    quote(exchange, ALICE, (5, 99), (-5, 101))
    quote(exchange, BOB, (5, 99), (-5, 101))
    leaving = nobody(exchange)
    leaving[ALICE] = True

    assert cancel_orders(exchange.venue.ladder, leaving, 0) == 2
    assert resting(exchange, BID) == [(BOB, 5, 99)]
    assert resting(exchange, ASK) == [(BOB, 5, 101)]
