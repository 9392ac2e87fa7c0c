"""The ledger's totals are those of the whole book; what changes unnoticed, or breaks a law, is found."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scan import crowd
from venue import ALICE, BOB, parameters, usd

from protocol.account_set import AccountSet
from protocol.book import (
    CLEARING,
    COUNTERPARTY,
    VAULT,
    Book,
    exchange_position,
    market_accounts,
    move_cash,
    touch,
)
from protocol.laws.invariants import unsettled
from protocol.laws.ledger import LONGS, NET, Ledger
from protocol.margin import account_risk
from protocol.touches import Touches
from sim.streams import stream

pytestmark = pytest.mark.kernel


def balanced(seed: int) -> Book:
    """A crowd whose positions add up to nothing, whose money came in, and whose clearing is full."""
    book = crowd(seed, 10**6)
    pools = market_accounts(2, COUNTERPARTY)
    book.size[[0, 1], pools] = -book.size.sum(axis=1)
    book.entry[[0, 1], pools] = 1.0
    book.open_interest[:] = np.maximum(book.size, 0).sum(axis=1)
    book.cash[CLEARING] = 10**15
    book.flows[0] = book.cash.sum()
    book.asset_flows[0] = book.collateral.sum(axis=1)
    return book


@given(st.integers(0, 2**32 - 1))
def test_totals_follow_what_accounts_do(seed: int) -> None:
    book, draw = balanced(seed), stream(seed, "ledger")
    ledger, rules = Ledger(book), parameters(2, weight_maintenance=np.array([900_000, 0]))
    for whole in (False, True, False, False):
        assert ledger.balances(book, whole)
        assert ledger.complete(book)
        assert ledger.unsettled(book) == unsettled(book)
        assert ledger.totals[LONGS].tolist() == book.open_interest.tolist()
        assert not ledger.totals[NET].any()
        equity = sum(account_risk(book, rules, account)[0] for account in range(10, len(book.cash)))
        assert abs(ledger.trader_equity(book, rules) - equity) <= 2 * len(book.cash)
        for taker, maker in draw.integers(ALICE, len(book.cash), (5, 2)).tolist():
            if taker != maker:
                exchange_position(book, taker, maker, int(draw.integers(2)), 7, 7 * usd(100))
                move_cash(book, maker, taker, int(draw.integers(0, 10**9)))


def mint(book: Book) -> None:
    book.cash[ALICE] += 1


def grow(book: Book) -> None:
    book.size[0, ALICE] += 1


def pay(book: Book) -> None:
    book.funding_paid[0, ALICE] += 10**12


def own(book: Book) -> None:
    book.collateral[1, ALICE] += 1


def hold_shares(book: Book) -> None:
    book.shares[0, ALICE] += 1


@pytest.mark.parametrize("fault", [mint, grow, own, hold_shares])
def test_a_fault_in_a_touched_account_breaks_the_balance(fault: Callable[[Book], None]) -> None:
    book = balanced(3)
    ledger = Ledger(book)
    assert ledger.balances(book, whole=False)
    fault(book)
    touch(book, ALICE)

    assert not ledger.balances(book, whole=False)


@pytest.mark.parametrize("fault", [mint, grow, pay, own, hold_shares])
def test_a_change_that_nobody_noted_is_found_when_all_are_looked_through(
    fault: Callable[[Book], None],
) -> None:
    book = balanced(4)
    ledger = Ledger(book)
    ledger.balances(book, whole=False)
    fault(book)

    assert ledger.balances(book, whole=False)
    assert not ledger.complete(book)


@pytest.mark.parametrize("column", ["collateral", "shares"])
def test_nobody_may_hold_less_than_nothing(column: str) -> None:
    book = balanced(5)
    ledger = Ledger(book)
    getattr(book, column)[0, [ALICE, BOB]] += [-(10**9), 10**9]

    assert not ledger.balances(book, whole=True)


def test_a_reader_of_touches_is_told_each_change_once() -> None:
    book, reader = balanced(6), Touches()
    first = reader.since(book)
    move_cash(book, ALICE, VAULT, 5)
    touch(book, BOB)
    told, later = reader.since(book), reader.since(book)

    assert first is None
    assert told is not None
    assert later is not None
    assert told.tolist() == [ALICE, BOB]
    assert len(later) == 0


def test_who_reads_too_late_or_another_book_has_to_look_at_everybody() -> None:
    book, reader = balanced(7), Touches()
    reader.since(book)
    size = len(book.touched)
    for _ in range(size):
        touch(book, ALICE)
    whole = reader.since(book)
    for _ in range(size + 1):
        touch(book, ALICE)

    assert whole is not None
    assert len(whole) == size
    assert reader.since(book) is None
    assert reader.since(balanced(7)) is None


def test_a_set_of_accounts_grows_and_forgets() -> None:
    found = AccountSet()
    found.add(np.array([3, 70]))
    found.add(np.array([3, 900]))

    assert (3 in found, 4 in found, 10**6 in found, len(found)) == (True, False, False, 3)
    assert found.others(np.array([1, 3, 70, 5_000])).tolist() == [1, 5_000]
    found.clear()
    assert found.others(np.array([3, 70, 900])).tolist() == [3, 70, 900]
    assert len(found) == 0
