"""Balances and positions: what a fill moves, and how funding settles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, equity, hold, integers, set_price, usd, venue

from protocol.book import (
    CLEARING,
    COUNTERPARTY,
    FUND,
    FUNDING_SCALE,
    IMPACT,
    INSURANCE,
    VAULT,
    average_entry,
    first_trader,
    market_accounts,
    open_book,
    settle_funding,
    share_row,
    share_rows,
    unsettled_funding,
)
from protocol.laws.invariants import unsettled

pytestmark = pytest.mark.kernel


def test_a_new_book_holds_nothing_at_the_opening_prices() -> None:
    book = open_book(7, integers(5, 6))

    assert book.size.shape == (2, 7)
    assert book.mark.tolist() == book.oracle.tolist() == [5, 6]
    assert not book.cash.any()


@pytest.mark.parametrize("markets", [1, 2, 5])
def test_the_venues_accounts_come_first_and_belong_to_one_purpose_each(markets: int) -> None:
    kinds = [market_accounts(markets, kind).tolist() for kind in (COUNTERPARTY, IMPACT, FUND)]
    own = sorted(account for accounts in kinds for account in accounts)

    assert own == list(range(4, first_trader(markets)))
    assert first_trader(markets) == 4 + 3 * markets


def test_markets_of_a_new_book_have_a_counterparty_each_and_share_the_fund() -> None:
    book = open_book(12, integers(5, 6))

    assert book.counterparty.tolist() == market_accounts(2, COUNTERPARTY).tolist()
    assert book.impact.tolist() == market_accounts(2, IMPACT).tolist()
    assert book.fund.tolist() == [INSURANCE, INSURANCE]
    assert not book.collateral.any()
    assert book.shares.shape == (3, 12)


def test_every_purse_with_depositors_has_a_row_of_shares_of_its_own() -> None:
    purses = integers(VAULT, *market_accounts(3, COUNTERPARTY))

    assert [share_row(int(purse)) for purse in purses] == [0, 1, 2, 3]
    assert share_rows(purses).tolist() == [0, 1, 2, 3]


def test_oracle_and_mark_of_a_new_book_are_two_arrays() -> None:
    prices = integers(5)
    book = open_book(4, prices)
    book.oracle[0] = 9

    assert (book.mark[0], prices[0]) == (5, 5)


def test_a_fill_moves_size_against_cash() -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 3, 100)

    assert exchange.book.size[0, [ALICE, BOB]].tolist() == [3, -3]
    assert exchange.book.cash[[ALICE, BOB]].tolist() == [usd(700), usd(1_300)]


@pytest.mark.parametrize(
    ("before", "change", "interest"),
    [
        ((0, 0), 5, 5),
        ((5, -5), -5, 0),
        ((5, -5), 3, 8),
        ((-5, 5), 3, 2),
        ((-5, 5), 8, 3),
    ],
)
def test_open_interest_follows_the_longs(before: tuple[int, int], change: int, interest: int) -> None:
    exchange = venue(1_000, 1_000)
    if before[0]:
        hold(exchange, ALICE, BOB, before[0])
    hold(exchange, ALICE, BOB, change)

    assert exchange.book.open_interest[0] == interest


def test_a_position_handed_on_leaves_open_interest_alone() -> None:
    exchange = venue(1_000, 1_000, 1_000)
    hold(exchange, ALICE, BOB, 5)
    hold(exchange, CAROL, ALICE, 5)

    assert exchange.book.open_interest[0] == 5


@given(st.lists(st.tuples(st.permutations([ALICE, BOB, CAROL]), st.integers(-9, 9).filter(bool))))
def test_open_interest_is_the_sum_of_longs_after_any_fills(fills: list[tuple[list[int], int]]) -> None:
    exchange = venue(0, 0, 0)
    for (taker, maker, _), change in fills:
        hold(exchange, taker, maker, change)

    assert exchange.book.open_interest[0] == np.maximum(exchange.book.size[0], 0).sum()
    assert exchange.book.size.sum() == 0


@pytest.mark.parametrize(
    ("entry", "size", "change", "price", "after"),
    [
        (0.0, 0, 4, 100.0, 100.0),
        (100.0, 4, 4, 110.0, 105.0),
        (100.0, -4, -12, 110.0, 107.5),
        (100.0, 4, -3, 90.0, 100.0),
        (100.0, 4, -4, 90.0, 0.0),
        (100.0, 4, -5, 90.0, 90.0),
        (100.0, -4, 7, 90.0, 90.0),
    ],
)
def test_entry_is_weighted_as_a_position_grows_and_kept_as_it_shrinks(
    entry: float, size: int, change: int, price: float, after: float
) -> None:
    assert average_entry(entry, size, change, price) == pytest.approx(after)


def test_longs_pay_shorts_what_the_index_grew() -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 10)
    exchange.book.funding[:, 0] += 1_500
    for account in (ALICE, BOB):
        settle_funding(exchange.book, account)

    assert exchange.book.cash[[ALICE, BOB]].tolist() == [usd(0) - 15, usd(2_000) + 15]
    assert exchange.book.cash[CLEARING] == 0


def test_funding_is_rounded_against_both_sides_and_the_dust_stays_in_clearing() -> None:
    exchange = venue(0, 0)
    hold(exchange, ALICE, BOB, 1, 0)
    exchange.book.funding[:, 0] += 1
    for account in (ALICE, BOB):
        settle_funding(exchange.book, account)

    assert exchange.book.cash[[ALICE, BOB, CLEARING]].tolist() == [-1, 0, 1]


def test_funding_settles_once() -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 10)
    exchange.book.funding[:, 0] += 1_500
    settle_funding(exchange.book, ALICE)
    once = exchange.book.cash[ALICE]
    settle_funding(exchange.book, ALICE)

    assert exchange.book.cash[ALICE] == once


def test_funding_is_owed_on_the_size_held_while_it_accrued() -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 10)
    exchange.book.funding[:, 0] += 2_000_000
    hold(exchange, ALICE, BOB, -10)
    exchange.book.funding[:, 0] += 5_000_000

    assert exchange.book.cash[ALICE] == usd(1_000) - 20_000
    assert unsettled_funding(exchange.book, ALICE) == 0


def test_longs_and_shorts_settle_against_their_own_index() -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 10, 0)
    exchange.book.funding[:, 0] += [3_000, 1_000]
    for account in (ALICE, BOB):
        settle_funding(exchange.book, account)

    assert exchange.book.cash[[ALICE, BOB, CLEARING]].tolist() == [usd(1_000) - 30, usd(1_000) + 10, 20]


def test_a_position_that_changes_sides_owes_nothing_for_the_time_before() -> None:
    exchange = venue(1_000, 1_000)
    exchange.book.funding[:, 0] = [9_000, 4_000]
    hold(exchange, ALICE, BOB, 10, 0)
    exchange.book.funding[:, 0] += [1_000, 1_000]
    hold(exchange, ALICE, BOB, -25, 0)

    assert exchange.book.cash[ALICE] == usd(1_000) - 10
    assert exchange.book.funding_paid[0, [ALICE, BOB]].tolist() == [5_000, 10_000]
    assert unsettled_funding(exchange.book, ALICE) == unsettled_funding(exchange.book, BOB) == 0

    exchange.book.funding[:, 0] += [0, 2_000]

    assert unsettled_funding(exchange.book, ALICE) == 30
    assert unsettled_funding(exchange.book, BOB) == 0


def test_unsettled_funding_counts_as_equity() -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 10)
    exchange.book.funding[:, 0] += usd(2) * FUNDING_SCALE
    set_price(exchange, 101)

    assert equity(exchange, ALICE) == 1_000 + 10 - 20
    assert equity(exchange, BOB) == 1_000 - 10 + 20


@given(st.lists(st.integers(-3, 3), min_size=4, max_size=4), st.lists(st.integers(-5_000, 5_000), min_size=1))
def test_funding_dust_is_never_minted_and_less_than_one_for_each_settlement(
    sizes: list[int], moves: list[int]
) -> None:
    exchange = venue(0, 0, 0, 0, 0)
    accounts = range(ALICE, ALICE + 4)
    for account, size in zip(accounts, sizes, strict=True):
        if size:
            hold(exchange, account, ALICE + 4, size, 0)
    for move in moves:
        exchange.book.funding[:, 0] += move
        for account in (*accounts, ALICE + 4):
            settle_funding(exchange.book, account)

    assert 0 <= exchange.book.cash[CLEARING] < 5 * len(moves) + 1
    assert unsettled(exchange.book) == 0
    assert exchange.book.cash.sum() == 0


def test_a_thousand_accounts_of_one_lot_leave_bounded_dust() -> None:
    exchange = venue(*[0.0] * 1_001)
    whale = ALICE + 1_000
    for account in range(ALICE, whale):
        hold(exchange, account, whale, 1, 0)
    exchange.book.funding[:, 0] += 1
    for account in range(ALICE, whale + 1):
        settle_funding(exchange.book, account)

    assert exchange.book.cash[whale] == 1
    assert exchange.book.cash[CLEARING] == 999
