"""The order book: who trades with whom, at what price, and whom the margin rule keeps out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_book import PlainBook
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

from protocol.admission import interest_change, margin_allows
from protocol.book import FEES, Rows, balances
from protocol.exchange import Exchange
from protocol.orders import CANCEL, FILL_OR_KILL, IMMEDIATE, POST_ONLY, REST, Orders, orders
from protocol.venues.depth import resting_orders
from protocol.venues.ladder import (
    ASK,
    BID,
    CANCEL_RESTING,
    CANCEL_TAKER,
    DECREMENT,
    SELF_TRADE,
    open_ladder,
    with_room,
)
from protocol.venues.orderbook import match, match_orders, on_tick, take
from protocol.venues.venue import FILL

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


def state(exchange: Exchange) -> list[object]:
    """Everything that a trade may move."""
    book, ladder = exchange.book, exchange.venue.ladder
    orders = [resting_orders(ladder, row).tolist() for row in (BID, ASK)]
    return [*(column.tolist() for column in balances(book)), orders, ladder.last.tolist()]


@pytest.mark.parametrize(("size", "limit", "filled"), [(8, 0, 8), (5, 100, 5), (6, 100, 0), (9, 0, 0)])
def test_fill_or_kill_fills_whole_or_not_at_all(size: int, limit: float, filled: int) -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100))
    quote(exchange, CAROL, (-3, 101))
    before = state(exchange)
    fills = place(exchange, BOB, size, limit, kind=FILL_OR_KILL)

    assert fills["size"].sum() == exchange.book.size[0, BOB] == filled
    assert (state(exchange) == before) == (filled == 0)
    assert resting(exchange, BID) == []


def test_fill_or_kill_does_not_count_on_a_maker_without_margin() -> None:
    exchange = venue(1, 1e6, 1e6, taker_fee=500, maker_fee=-110)
    hold(exchange, CAROL, BOB, 2, price=90)
    quote(exchange, CAROL, (-4, 100))
    quote(exchange, ALICE, (-5, 101))
    before = state(exchange)

    assert len(place(exchange, BOB, 6, kind=FILL_OR_KILL)) == 0
    assert state(exchange) == before
    assert len(place(exchange, BOB, 4, kind=FILL_OR_KILL)) == 1


def test_fill_or_kill_goes_past_a_maker_without_margin() -> None:
    exchange = venue(1, 1e6, 1e6)
    quote(exchange, ALICE, (-5, 100))
    quote(exchange, CAROL, (-5, 101))

    assert traded(place(exchange, BOB, 5, kind=FILL_OR_KILL)) == [(BOB, CAROL, 5, 101)]
    assert resting(exchange, ASK) == []


def test_fill_or_kill_without_margin_for_the_whole_trades_nothing() -> None:
    exchange = venue(1e6, 20)
    quote(exchange, ALICE, (-6, 100), (-6, 100.01))
    before = state(exchange)

    assert len(place(exchange, BOB, 12, kind=FILL_OR_KILL)) == 0
    assert state(exchange) == before


@pytest.mark.parametrize(("mode", "filled"), [(CANCEL_RESTING, 5), (CANCEL_TAKER, 0), (DECREMENT, 0)])
def test_fill_or_kill_looks_past_an_own_order_only_if_that_would_leave(mode: int, filled: int) -> None:
    exchange = rich()
    quote(exchange, BOB, (-5, 100))
    quote(exchange, ALICE, (-5, 101))
    exchange.venue.ladder = exchange.venue.ladder._replace(self_trade=mode)

    assert place(exchange, BOB, 5, kind=FILL_OR_KILL)["size"].sum() == filled


@pytest.mark.parametrize("kind", [IMMEDIATE, FILL_OR_KILL])
def test_a_ladder_that_is_not_cleared_only_records_fills(kind: int) -> None:
    exchange = venue(0, 0)
    quote(exchange, ALICE, (-5, 100))
    exchange.venue.ladder = exchange.venue.ladder._replace(cleared=False)
    before = [column.copy() for column in exchange.book]
    fills = place(exchange, BOB, 5, kind=kind)

    assert traded(fills) == [(BOB, ALICE, 5, 100)]
    assert fills["quote"].tolist() == [usd(500)]
    assert fills["taker_fee"].tolist() == fills["maker_fee"].tolist() == [0]
    assert resting(exchange, ASK) == []
    for column, old in zip(exchange.book, before, strict=True):
        np.testing.assert_array_equal(column, old)


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


@pytest.mark.parametrize("size", [5, -5])
def test_an_order_at_a_negative_price_is_none(size: int) -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 100), (5, 90))
    before = resting(exchange, ASK), resting(exchange, BID)

    assert len(place(exchange, BOB, size, -100, kind=REST)) == 0
    assert (resting(exchange, ASK), resting(exchange, BID)) == before


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


def test_markets_have_separate_books() -> None:
    exchange = venue(1e6, 1e6, prices=(100, 50))
    quote(exchange, ALICE, (-5, 50), market=1)
    place(exchange, BOB, 5)
    place(exchange, BOB, 5, market=1)

    assert exchange.book.size[:, BOB].tolist() == [0, 5]


Line = tuple[int, int, int, int, bool, int]


def batch_of(lines: list[Line], ids: dict[int, int] | None = None) -> Orders:
    """Orders from (account, lots, price in ticks, kind, reduce only, number of the order to cancel)."""
    account, size, limit, kind, number = (
        integers(*[line[column] for line in lines]) for column in (0, 1, 2, 3, 5)
    )
    reduce, zero = np.array([line[4] for line in lines], np.bool_), np.zeros(len(lines), np.int64)
    known = integers(*[(ids or {}).get(int(each), 0) for each in number])
    return Orders(account, zero, size, limit, kind, reduce, zero + 99, zero, known)


def lines(*kinds: int) -> st.SearchStrategy[Line]:
    """Orders of four traders within a few ticks of 100."""
    return st.tuples(
        st.integers(ALICE, DAVE),
        st.integers(-9, 9).filter(bool),
        st.one_of(st.just(0), st.integers(95, 105)),
        st.sampled_from(kinds),
        st.booleans(),
        st.integers(0, 40),
    )


EVERY_KIND = (REST, REST, REST, IMMEDIATE, POST_ONLY, FILL_OR_KILL, CANCEL)


@settings(max_examples=400)
@given(
    st.lists(lines(*EVERY_KIND), min_size=1, max_size=40),
    st.integers(1, 7),
    st.sampled_from(sorted(SELF_TRADE.values())),
    st.sampled_from([64, 128, 4096]),
)
def test_matching_agrees_with_a_book_of_sorted_lists(
    rows: list[Line], length: int, mode: int, window: int
) -> None:
    exchange, plain, ids = rich(), PlainBook(mode), dict[int, int]()
    found: list[tuple[int, ...]] = []
    exchange.venue.ladder = open_ladder(integers(1), integers(100), 2, window, mode)
    for start in range(0, len(rows), length):
        chosen = rows[start : start + length]
        batch = batch_of(chosen, ids)
        exchange.venue.ladder, fills = match(exchange.book, exchange.parameters, exchange.venue.ladder, batch)
        found += fills[["taker", "maker", "size", "price"]].tolist()
        for number, row in enumerate(chosen, start):
            cancelled = row[5] if row[5] in ids else -1
            plain.place(cancelled if row[3] == CANCEL else number, *row[:5])
        ids |= {
            number: int(each)
            for number, each in enumerate(batch.id, start)
            if chosen[number - start][3] != CANCEL
        }
    plain.drop_idle()
    offers = [(order.account, order.left, order.price) for order in plain.queue(-1)]

    assert found == plain.fills
    assert [tuple(order)[1:4] for order in resting_orders(exchange.venue.ladder, ASK).tolist()] == offers


@given(st.lists(lines(REST, IMMEDIATE, POST_ONLY, FILL_OR_KILL), min_size=1, max_size=20))
def test_compiled_and_interpreted_matching_agree(rows: list[Line]) -> None:
    worlds = []
    for kernel in (match_orders, match_orders.py_func):
        exchange = venue(0, 0, 0, 0)
        ladder = with_room(exchange.venue.ladder._replace(tick=integers(1)), 30)
        ladder = ladder._replace(order=ladder.order.view(np.recarray))
        exchange.book.mark[0] = 100
        exchange.book.cash[ALICE : DAVE + 1] = [40, 20, 10, 5]
        fills = np.zeros(100, FILL)
        ends = exchange.book, exchange.parameters, ladder, batch_of(rows), fills, np.zeros((100, 2))
        done = kernel(*ends)
        worlds.append(
            (fills[:done].tolist(), exchange.book.cash.tolist(), resting_orders(ladder, BID).tolist())
        )

    assert worlds[0] == worlds[1]


@settings(max_examples=200)
@given(st.lists(lines(*EVERY_KIND), min_size=1, max_size=30), st.integers(80, 120))
def test_no_fill_leaves_anybody_below_initial_margin_unless_it_made_them_safer(
    rows: list[Line], mark: int
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


@given(st.lists(lines(*EVERY_KIND), min_size=1, max_size=20), st.permutations(range(ALICE, DAVE + 1)))
def test_renaming_accounts_renames_the_outcome(rows: list[Line], names: list[int]) -> None:
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


def test_margin_is_asked_of_the_account_with_its_cash() -> None:
    exchange = venue(20, 1e6)
    ask = (exchange.book, exchange.parameters, ALICE, 0, 10)

    assert margin_allows(*ask, -usd(1_000), 10, 0)
    assert not margin_allows(*ask, -usd(1_000), 10, 1)


def test_trading_moves_no_equity_but_by_the_price() -> None:
    exchange = rich()
    quote(exchange, ALICE, (-5, 103))
    place(exchange, BOB, 5)

    assert (equity(exchange, ALICE), equity(exchange, BOB)) == (1e6 + 15, 1e6 - 15)

    set_price(exchange, 103)

    assert (equity(exchange, ALICE), equity(exchange, BOB)) == (1e6, 1e6)


def test_taking_from_an_empty_book_leaves_the_whole_order() -> None:
    exchange = rich()
    ladder, fills = open_ladder(integers(1), integers(1)), np.zeros(1, FILL)

    assert take(exchange.book, parameters(), ladder, (ALICE, 0, -7, 0), fills, 0) == (-7, 0)
