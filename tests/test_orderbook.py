"""The order book: who trades with whom, at what price, and whom the margin rule keeps out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    equity,
    hold,
    integers,
    nobody,
    parameters,
    place,
    quote,
    reference,
    resting,
    risk,
    set_price,
    usd,
    venue,
)

from protocol.book import FEES, Rows
from protocol.exchange import Exchange
from protocol.orders import IMMEDIATE, POST_ONLY, REST, Orders, orders
from protocol.venues.orderbook import (
    ASK,
    BID,
    cancel_orders,
    depth,
    impact_price,
    interest_change,
    margin_allows,
    match,
    match_orders,
    on_tick,
    open_ladder,
    quotes,
    take,
    with_room,
)

pytestmark = pytest.mark.kernel

LARGE_FEES = {"taker_fee": 500, "maker_fee": -110}


def traded(fills: Rows) -> list[tuple[int, int, int, float]]:
    """Fills as (taker, maker, lots, price in USD)."""
    return [
        (int(row["taker"]), int(row["maker"]), int(row["size"]), int(row["price"]) / 1e6) for row in fills
    ]


def rich(**changes: int) -> Exchange:
    """A venue with four traders whom the margin rule never hinders."""
    return venue(1e6, 1e6, 1e6, 1e6, **changes)


def test_the_best_price_trades_first() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 101))
    quote(exchange, BOB, (-5, 100))
    quote(exchange, CAROL, (-5, 102))
    fills = place(exchange, DAVE, 12)

    assert traded(fills) == [(DAVE, BOB, 5, 100), (DAVE, ALICE, 5, 101), (DAVE, CAROL, 2, 102)]


def test_among_equal_prices_the_oldest_trades_first() -> None:
    exchange = rich()
    for account in (BOB, ALICE, CAROL):
        quote(exchange, account, (5, 100))
    fills = place(exchange, DAVE, -12)

    assert traded(fills) == [(DAVE, BOB, -5, 100), (DAVE, ALICE, -5, 100), (DAVE, CAROL, -2, 100)]
    assert resting(exchange, BID) == [(CAROL, 3, 100)]


def test_a_partly_filled_order_keeps_its_place() -> None:
    exchange = rich()
    quote(exchange, ALICE, (5, 100))
    quote(exchange, BOB, (5, 100))
    place(exchange, DAVE, -2)

    assert resting(exchange, BID) == [(ALICE, 3, 100), (BOB, 5, 100)]


def test_a_taker_trades_at_the_makers_price() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100))
    fills = place(exchange, BOB, 5, 103)

    assert traded(fills) == [(BOB, ALICE, 5, 100)]
    assert exchange.book.cash[BOB] == usd(1e6 - 500)
    assert exchange.venue.ladder.last[0] == usd(100)


def test_a_limit_stops_at_worse_prices_and_the_rest_stays_in_the_book() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100), (-5, 102))
    fills = place(exchange, BOB, 8, 101)

    assert traded(fills) == [(BOB, ALICE, 5, 100)]
    assert resting(exchange, BID) == [(BOB, 3, 101)]
    assert resting(exchange, ASK) == [(ALICE, 5, 102)]


def test_an_immediate_order_leaves_nothing_behind() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100))
    fills = place(exchange, BOB, 8, 101, kind=IMMEDIATE)

    assert len(fills) == 1
    assert resting(exchange, BID) == resting(exchange, ASK) == []


def test_an_order_without_a_limit_never_rests() -> None:
    exchange = rich()
    place(exchange, BOB, 8, kind=REST)

    assert resting(exchange, BID) == []


def test_a_post_only_order_that_would_take_is_dropped_whole() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100))
    fills = place(exchange, BOB, 8, 100, kind=POST_ONLY)

    assert len(fills) == 0
    assert resting(exchange, BID) == []
    assert resting(exchange, ASK) == [(ALICE, 5, 100)]


def test_a_trader_who_meets_their_own_order_loses_it_and_trades_on() -> None:
    exchange = rich()
    quote(exchange, BOB, (-5, 100))
    quote(exchange, ALICE, (-5, 101))
    fills = place(exchange, BOB, 4)

    assert traded(fills) == [(BOB, ALICE, 4, 101)]
    assert resting(exchange, ASK) == [(ALICE, 1, 101)]


@pytest.mark.parametrize(
    ("held", "size", "filled"),
    [(10, -4, -4), (10, -25, -10), (-10, 25, 10), (10, 5, 0), (-10, -5, 0), (0, 5, 0), (0, -5, 0)],
)
def test_a_reducing_order_never_exceeds_the_position(held: int, size: int, filled: int) -> None:
    exchange = rich()
    if held:
        hold(exchange, BOB, CAROL, held)
    quote(exchange, ALICE, (-100, 100), (100, 99))
    place(exchange, BOB, size, reduce_only=True)

    assert exchange.book.size[0, BOB] == held + filled


def test_a_reducing_order_sees_what_happened_earlier_in_the_batch() -> None:
    exchange = rich()
    hold(exchange, BOB, CAROL, 10)
    quote(exchange, ALICE, (100, 99))
    batch = orders(integers(BOB, BOB), 0, integers(-7, -7), reduce_only=True)
    fills = exchange.trade(batch, nobody(exchange), 0, integers(0, 1))

    assert fills["size"].tolist() == [-7, -3]
    assert exchange.book.size[0, BOB] == 0


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


@pytest.mark.parametrize(
    ("limit", "buying", "on_grid"),
    [(129, True, 120), (121, False, 130), (130, True, 130), (130, False, 130), (0, True, 0), (0, False, 0)],
)
def test_limits_move_to_the_tick_that_is_better_for_their_owner(
    limit: int, buying: bool, on_grid: int
) -> None:
    assert on_tick(limit, 10, buying) == on_grid


def test_a_bid_below_the_smallest_price_buys_nothing() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100))
    for kind in (REST, IMMEDIATE, POST_ONLY):
        fills = place(exchange, BOB, 5, 0.004, kind=kind)

        assert len(fills) == 0
    assert resting(exchange, BID) == []


def test_the_book_grows_beyond_its_first_capacity() -> None:
    exchange = rich()
    count = 3 * exchange.venue.ladder.key.shape[1]
    prices = 90 + np.arange(count) % 7
    batch = orders(np.full(count, ALICE), 0, np.full(count, 1), prices * usd(1), REST, expiry=9)
    exchange.trade(batch, nobody(exchange), 0, np.arange(count))
    kept = [price for _, _, price in resting(exchange, BID)]

    assert kept == sorted(prices.tolist(), reverse=True)


def test_growing_the_book_keeps_what_rests_in_it() -> None:
    exchange = rich()
    quote(exchange, ALICE, (5, 99), (6, 98), (-7, 101))
    before = resting(exchange, BID), resting(exchange, ASK)
    exchange.venue.ladder = with_room(exchange.venue.ladder, 1_000)

    assert (resting(exchange, BID), resting(exchange, ASK)) == before
    assert with_room(exchange.venue.ladder, 10) is exchange.venue.ladder


@pytest.mark.parametrize("row", reference("fees")["rows"])
def test_fees_are_rounded_up_on_both_sides_and_rebates_too(row: dict[str, float]) -> None:
    exchange = venue(1e6, 1e6, prices=(row["notional"],), **LARGE_FEES)
    exchange.venue.ladder.tick[0] = 1
    quote(exchange, ALICE, (-1, row["notional"]))
    place(exchange, BOB, 1)

    assert exchange.book.cash[ALICE] == usd(1e6) + usd(row["notional"]) - usd(row["maker"])
    assert exchange.book.cash[BOB] == usd(1e6) - usd(row["notional"]) - usd(row["taker"])
    assert exchange.book.cash[FEES] == usd(row["taker"]) + usd(row["maker"])


@given(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(0, 10**4))
def test_rebates_never_exceed_the_takers_fee(size: int, price: int, fee: int) -> None:
    exchange = venue(0, 0, taker_fee=fee, maker_fee=-fee)
    exchange.book.cash[[ALICE, BOB]] = 10**17
    exchange.venue.ladder.tick[0] = 1
    batch = orders(integers(ALICE, BOB), 0, integers(-size, size), price, REST)
    exchange.trade(batch, nobody(exchange), 0, integers(0, 1))

    assert exchange.book.size[0, BOB] == size
    assert exchange.book.cash[FEES] >= 0


def test_a_taker_without_margin_trades_nothing_and_the_maker_stays() -> None:
    exchange = venue(1e6, 19.99)
    quote(exchange, ALICE, (-10, 100))
    fills = place(exchange, BOB, 10)

    assert len(fills) == 0
    assert resting(exchange, ASK) == [(ALICE, 10, 100)]


def test_a_taker_at_exactly_initial_margin_trades() -> None:
    exchange = venue(1e6, 20)
    quote(exchange, ALICE, (-10, 100))

    assert len(place(exchange, BOB, 10)) == 1


def test_fees_count_against_the_takers_margin() -> None:
    exchange = venue(1e6, 20, **LARGE_FEES)
    quote(exchange, ALICE, (-10, 100))

    assert len(place(exchange, BOB, 10)) == 0


def test_a_refused_taker_keeps_earlier_fills_and_does_not_rest() -> None:
    exchange = venue(1e6, 20)
    quote(exchange, ALICE, (-6, 100), (-6, 100.01))
    place(exchange, BOB, 12, 105)

    assert exchange.book.size[0, BOB] == 6
    assert resting(exchange, BID) == []


def test_a_maker_without_margin_leaves_the_book_and_matching_goes_on() -> None:
    exchange = venue(1e6, 1, 1e6)
    quote(exchange, BOB, (-10, 100))
    quote(exchange, CAROL, (-10, 101))
    fills = place(exchange, ALICE, 10)

    assert traded(fills) == [(ALICE, CAROL, 10, 101)]
    assert resting(exchange, ASK) == []


def test_an_account_below_initial_margin_may_close_but_not_open() -> None:
    exchange = venue(1_500, 1e6)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, BOB, (100, 100), (-100, 100.01))

    assert len(place(exchange, ALICE, 10)) == 0
    assert len(place(exchange, ALICE, -10)) == 1
    assert exchange.book.size[0, ALICE] == 990


def test_an_account_below_initial_margin_may_not_close_at_a_ruinous_price() -> None:
    exchange = venue(1_500, 1e6)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, BOB, (100, 90))

    assert len(place(exchange, ALICE, -100)) == 0


def test_at_the_open_interest_cap_only_reducing_trades_pass() -> None:
    cap = {"open_interest_lower": usd(5_000), "open_interest_upper": usd(10_000)}
    exchange = venue(50_000, 50_000, 50_000, **cap)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, BOB, (50, 100), (-50, 100))
    quote(exchange, CAROL, (-50, 100.01))

    assert risk(exchange, ALICE)[1] == usd(100_000)
    assert len(place(exchange, ALICE, 10)) == 0
    assert len(place(exchange, ALICE, -10)) == 1
    assert exchange.book.open_interest[0] == 990


def test_open_interest_counts_after_the_fill() -> None:
    exchange = venue(
        1_000, 1e6, open_interest_lower=usd(5_000), open_interest_upper=usd(10_000), initial=100_000
    )
    quote(exchange, BOB, (-60, 100))

    assert len(place(exchange, ALICE, 60)) == 0
    assert len(place(exchange, ALICE, 50)) == 1


@pytest.mark.parametrize(
    ("bought", "sold", "change", "expected"),
    [(0, 0, 5, 5), (5, -5, -5, -5), (0, 5, 5, 0), (-5, 5, 5, -5), (-2, 1, 5, 2), (0, 0, -5, 5)],
)
def test_the_change_of_open_interest_is_foreseen(bought: int, sold: int, change: int, expected: int) -> None:
    exchange = venue(1e6, 1e6, 1e6, 1e6)
    for account, size in ((ALICE, bought), (BOB, sold)):
        if size:
            hold(exchange, account, CAROL if account == ALICE else DAVE, size)
    before = exchange.book.open_interest[0]
    foreseen = interest_change(exchange.book, ALICE, BOB, 0, change)
    hold(exchange, ALICE, BOB, change)

    assert foreseen == expected == exchange.book.open_interest[0] - before


def test_a_crowd_of_small_makers_fits_the_record_of_fills() -> None:
    exchange = rich()
    for _ in range(40):
        quote(exchange, ALICE, (-1, 100))
    batch = orders(integers(BOB, CAROL), 0, integers(25, 25))
    fills = exchange.trade(batch, nobody(exchange), 0, integers(0, 1))

    assert fills["taker"].tolist() == [BOB] * 25 + [CAROL] * 15


def test_impact_prices_and_depth_read_the_book_by_notional() -> None:
    exchange = rich()
    quote(exchange, ALICE, (50, 99), (100, 98), (-50, 101), (-30, 102))
    shown = quotes(exchange.venue.ladder, integers(usd(9_850)), exchange.book.oracle)

    assert (shown.bid[0], shown.ask[0]) == (usd(99), usd(101))
    assert shown.impact_bid[0] == pytest.approx(usd(9_850) / (50 + 4_900 / 98))
    assert shown.impact_ask[0] == 0
    assert shown.depth[0] == usd(50 * 99 + 50 * 101)


def test_a_book_with_one_empty_side_shows_zeros_there() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 101))
    shown = exchange.quotes()

    assert (shown.bid[0], shown.ask[0], shown.impact_bid[0]) == (0, usd(101), 0)


def test_markets_have_separate_books() -> None:
    exchange = venue(1e6, 1e6, prices=(100, 50))
    quote(exchange, ALICE, (-5, 50), market=1)
    place(exchange, BOB, 5)
    place(exchange, BOB, 5, market=1)

    assert exchange.book.size[:, BOB].tolist() == [0, 5]


def batch_of(rows: list[tuple[int, int, int, int, bool]]) -> Orders:
    """Orders of the first traders from (account, lots, price in ticks, kind, reduce only)."""
    account, size, limit, kind = (integers(*[row[column] for row in rows]) for column in range(4))
    reduce, shape = np.array([row[4] for row in rows], np.bool_), np.zeros(len(rows), np.int64)
    return Orders(account, shape, size, limit, kind, reduce, shape + 99, shape)


def expected_fills(rows: list[tuple[int, int, int, int, bool]]) -> list[tuple[int, int, int, int]]:
    """Price-time priority with sorted lists; everybody is rich."""
    book: dict[int, list[list[int]]] = {1: [], -1: []}
    held, fills = dict.fromkeys(range(ALICE, ALICE + 8), 0), []
    for account, size, limit, kind, reduce in rows:
        side = 1 if size > 0 else -1
        left = min(abs(size), max(-side * held[account], 0)) if reduce else abs(size)
        other = sorted(book[-side], key=lambda order: side * order[1])
        if kind == POST_ONLY and other and (limit == 0 or side * other[0][1] <= side * limit):
            continue
        while kind != POST_ONLY and left and other and (limit == 0 or side * other[0][1] <= side * limit):
            best = other[0]
            lots = min(left, best[2])
            if best[0] == account:
                lots, best[2] = 0, 0
            else:
                fills.append((account, best[0], side * lots, best[1]))
                held[account] += side * lots
                held[best[0]] -= side * lots
                left, best[2] = left - lots, best[2] - lots
            if best[2] == 0:
                book[-side].remove(best)
                other = other[1:]
        if left and limit and kind != IMMEDIATE:
            book[side].append([account, limit, left])
    return fills


ticks = st.one_of(st.just(0), st.integers(95, 105))
order_rows = st.tuples(
    st.integers(ALICE, DAVE),
    st.integers(-9, 9).filter(bool),
    ticks,
    st.sampled_from([REST, IMMEDIATE, POST_ONLY]),
    st.booleans(),
)


@settings(max_examples=300)
@given(st.lists(order_rows, min_size=1, max_size=30))
def test_matching_agrees_with_a_book_of_sorted_lists(rows: list[tuple[int, int, int, int, bool]]) -> None:
    exchange = rich()
    exchange.venue.ladder.tick[0] = 1
    _, fills = match(exchange.book, exchange.parameters, exchange.venue.ladder, batch_of(rows))
    found = [tuple(int(fill[name]) for name in ("taker", "maker", "size", "price")) for fill in fills]

    assert found == expected_fills(rows)


@given(st.lists(order_rows, min_size=1, max_size=20))
def test_compiled_and_interpreted_matching_agree(rows: list[tuple[int, int, int, int, bool]]) -> None:
    worlds = []
    for kernel in (match_orders, match_orders.py_func):
        exchange = venue(15, 9, 3, 6)
        exchange.venue.ladder = with_room(exchange.venue.ladder._replace(tick=integers(1)), 30)
        exchange.book.mark[0] = 100
        exchange.book.cash[ALICE : DAVE + 1] = [40, 20, 10, 5]
        fills = np.zeros(
            100, match(exchange.book, exchange.parameters, exchange.venue.ladder, batch_of([]))[1].dtype
        )
        done = kernel(exchange.book, exchange.parameters, exchange.venue.ladder, batch_of(rows), fills)
        worlds.append(
            (fills[:done].tolist(), exchange.book.cash.tolist(), exchange.venue.ladder.orders.tolist())
        )

    assert worlds[0] == worlds[1]


@settings(max_examples=200)
@given(st.lists(order_rows, min_size=1, max_size=30), st.integers(80, 120))
def test_no_fill_leaves_anybody_below_initial_margin_unless_it_made_them_safer(
    rows: list[tuple[int, int, int, int, bool]], mark: int
) -> None:
    exchange = venue(0, 0, 0, 0, initial=200_000, maintenance=100_000)
    exchange.venue.ladder.tick[0] = 1
    exchange.book.cash[ALICE : DAVE + 1] = [900, 200, 100, 50]
    for row in rows:
        exchange.book.mark[0] = mark
        before = [risk(exchange, account) for account in range(ALICE, DAVE + 1)]
        exchange.venue.ladder, _ = match(
            exchange.book, exchange.parameters, exchange.venue.ladder, batch_of([row])
        )
        after = [risk(exchange, account) for account in range(ALICE, DAVE + 1)]
        for old, new in zip(before, after, strict=True):
            assert new == old or new[0] >= new[1] or (new[2] <= old[2] and new[0] * old[2] >= old[0] * new[2])


@given(st.lists(order_rows, min_size=1, max_size=20), st.permutations(range(ALICE, DAVE + 1)))
def test_renaming_accounts_renames_the_outcome(
    rows: list[tuple[int, int, int, int, bool]], names: list[int]
) -> None:
    cash = dict(zip(range(ALICE, DAVE + 1), [900, 200, 100, 50], strict=True))
    outcomes = []
    for renamed in (dict(zip(cash, cash, strict=True)), dict(zip(cash, names, strict=True))):
        exchange = venue(0, 0, 0, 0)
        exchange.venue.ladder.tick[0], exchange.book.mark[0] = 1, 100
        for account, amount in cash.items():
            exchange.book.cash[renamed[account]] = amount
        batch = batch_of([(renamed[account], *rest) for account, *rest in rows])
        match(exchange.book, exchange.parameters, exchange.venue.ladder, batch)
        outcomes.append([exchange.book.cash[renamed[account]] for account in cash])

    assert outcomes[0] == outcomes[1]


def test_interpreted_readings_of_the_book_agree_with_the_compiled_ones() -> None:
    exchange = rich()
    quote(exchange, ALICE, (50, 99), (100, 98), (-50, 101), (-30, 102))
    ladder = exchange.venue.ladder

    for row in (BID, ASK):
        assert impact_price(ladder, row, usd(7_000)) == impact_price.py_func(ladder, row, usd(7_000))
        assert depth(ladder, row, usd(100), 0.015) == depth.py_func(ladder, row, usd(100), 0.015)


def test_margin_is_asked_of_the_account_with_its_cash() -> None:
    exchange = venue(20, 1e6)
    ask = (exchange.book, exchange.parameters, ALICE, 0, 10)

    assert margin_allows(*ask, -usd(1_000), 10)
    assert not margin_allows(*ask, -usd(1_000) - 1, 10)


def test_taking_from_an_empty_book_leaves_the_whole_order() -> None:
    exchange = rich()
    ladder = open_ladder(integers(1), integers(1))
    fills = match(exchange.book, parameters(), ladder, batch_of([]))[1]

    assert take(exchange.book, parameters(), ladder, (ALICE, 0, -7, 0), fills, 0) == (-7, 0)


def test_trading_moves_no_equity_but_by_the_price() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 103))
    place(exchange, BOB, 5)

    assert (equity(exchange, ALICE), equity(exchange, BOB)) == (1e6 + 15, 1e6 - 15)

    set_price(exchange, 103)

    assert (equity(exchange, ALICE), equity(exchange, BOB)) == (1e6, 1e6)
