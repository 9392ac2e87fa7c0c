"""The push feed, the average basis and the median mark."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import integers

from protocol.oracle import (
    EMA_SECONDS,
    Feed,
    FeedRule,
    median_mark,
    observe_basis,
    open_basis,
    open_feed,
    push,
)

RULE = FeedRule(deviation=0.01, heartbeat=3600.0, delay=0.0)
PROMPT = RULE._replace(delay=30.0)


def advance(
    feed: Feed, price: int, time: float, rule: FeedRule = RULE, stalled: bool = False, slowdown: float = 1.0
) -> Feed:
    """Advance a feed of one market."""
    return push(feed, integers(price), time, rule, np.array([stalled]), slowdown)


def test_a_feed_ignores_moves_below_its_deviation() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 10_099, 60.0)

    assert feed.price[0] == 10_000


@pytest.mark.parametrize("price", [10_100, 9_900, 15_000])
def test_a_feed_follows_moves_of_its_deviation_either_way(price: int) -> None:
    feed = advance(open_feed(integers(10_000), 0.0), price, 60.0)

    assert (feed.price[0], feed.observed[0]) == (price, 60.0)


def test_a_silent_feed_updates_at_its_heartbeat() -> None:
    feed = open_feed(integers(10_000), 0.0)
    early, due = advance(feed, 10_001, 3599.0), advance(feed, 10_001, 3600.0)

    assert (early.price[0], due.price[0]) == (10_000, 10_001)


def test_a_price_arrives_after_the_delay_as_it_was_observed() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 11_000, 60.0, PROMPT)
    waiting = advance(feed, 12_000, 89.0, PROMPT)
    arrived = advance(waiting, 11_000, 90.0, PROMPT)

    assert feed.price[0] == waiting.price[0] == 10_000
    assert (arrived.price[0], arrived.observed[0]) == (11_000, 60.0)


def test_gas_stretches_the_delay() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 11_000, 0.0, PROMPT, slowdown=8.0)

    assert advance(feed, 11_000, 239.0, PROMPT).price[0] == 10_000
    assert advance(feed, 11_000, 240.0, PROMPT).price[0] == 11_000


def test_only_one_update_is_on_its_way_at_a_time() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 11_000, 0.0, PROMPT)
    feed = advance(feed, 13_000, 10.0, PROMPT)

    assert feed.pending[0] == 11_000
    assert feed.pending_due[0] == 30.0


def test_the_next_update_leaves_as_soon_as_the_last_has_arrived() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 11_000, 0.0, PROMPT)
    feed = advance(feed, 13_000, 30.0, PROMPT)

    assert (feed.price[0], feed.pending[0], feed.pending_due[0]) == (11_000, 13_000, 60.0)


def test_a_stalled_feed_sends_nothing_but_receives_what_is_under_way() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 11_000, 0.0, PROMPT)
    feed = advance(feed, 13_000, 60.0, PROMPT, stalled=True)
    later = advance(feed, 5_000, 9_000.0, PROMPT, stalled=True)

    assert later.price[0] == 11_000
    assert later.pending[0] == 0


def test_a_feed_that_comes_back_catches_up_at_once() -> None:
    feed = advance(open_feed(integers(10_000), 0.0), 5_000, 600.0, stalled=True)

    assert advance(feed, 4_000, 660.0).price[0] == 4_000


def test_markets_update_independently() -> None:
    feed = open_feed(integers(10_000, 500), 0.0)
    feed = push(feed, integers(10_001, 600), 60.0, RULE, np.array([False, False]), 1.0)

    assert feed.price.tolist() == [10_000, 600]


@given(st.lists(st.tuples(st.integers(1, 10**9), st.floats(0, 100), st.booleans()), max_size=30))
def test_observation_times_never_run_backwards(steps: list[tuple[int, float, bool]]) -> None:
    feed, time = open_feed(integers(1_000), 0.0), 0.0
    for price, wait, stalled in steps:
        time += wait
        after = advance(feed, price, time, PROMPT, stalled)

        assert feed.observed[0] <= after.observed[0] <= time
        feed = after


def test_the_basis_is_an_exponential_average_over_150_seconds() -> None:
    basis, oracle = open_basis(1), integers(1_000)
    for mid in (1_010.0, 1_020.0):
        basis = observe_basis(basis, np.array([mid]), oracle, 60.0)
    decay = np.exp(-60 / 150)

    assert EMA_SECONDS == 150
    assert basis.weighted / basis.weight == pytest.approx((10 * decay + 20) / (decay + 1))


def test_a_one_sided_book_leaves_the_basis_alone() -> None:
    basis = observe_basis(open_basis(1), np.array([1_010.0]), integers(1_000), 60.0)

    assert observe_basis(basis, np.array([np.nan]), integers(1_000), 60.0) == basis


@pytest.mark.parametrize(
    ("oracle", "bid", "ask", "last", "outside", "mark"),
    [
        (1_000, 1_005, 1_009, 1_007, 1_020, 1_007),
        (1_000, 1_005, 1_009, 1_100, 1_020, 1_009),
        (1_000, 0, 1_009, 1_004, 1_020, 1_004),
        (1_000, 0, 0, 1_004, 1_002, 1_002),
        (1_000, 1_500, 1_501, 1_500, 1_001, 1_001),
        (1_000, 500, 501, 500, 1_001, 1_000),
    ],
    ids=["last", "ask", "no bid", "no quotes", "own price runs away", "own price collapses"],
)
def test_the_mark_is_the_median_of_oracle_own_price_and_outside(
    oracle: int, bid: float, ask: float, last: int, outside: int, mark: int
) -> None:
    found = median_mark(
        integers(oracle),
        open_basis(1),
        np.array([float(bid)]),
        np.array([float(ask)]),
        integers(last),
        integers(outside),
    )

    assert found.tolist() == [mark]


def test_the_average_basis_shifts_the_oracle_in_the_mark() -> None:
    basis = observe_basis(open_basis(1), np.array([1_010.0]), integers(1_000), 60.0)
    quotes = np.array([1_030.0]), np.array([1_032.0])

    assert median_mark(integers(1_000), basis, *quotes, integers(1_030), integers(990)).tolist() == [1_010]
