"""Equity, requirements, the transition rule, and who may be liquidated."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import (
    ALICE,
    BOB,
    CAROL,
    equity,
    hold,
    integers,
    parameters,
    reference,
    risk,
    set_price,
    usd,
    venue,
)
from venue import (
    ALICE as FIRST,
)

from protocol.arithmetic import PPM
from protocol.book import INSURANCE, VAULT, Book, move_cash, open_book
from protocol.margin import (
    account_risk,
    equity_of,
    initial_rate,
    merged_risk,
    risk_after,
    transition_allowed,
)
from protocol.parameters import RiskParameters
from protocol.scan import accounts_risk, liquidatable, negative_equity
from sim.streams import stream

pytestmark = pytest.mark.kernel

SMALL_CAP = {
    "initial": 100_000,
    "maintenance": 50_000,
    "open_interest_lower": usd(20e6),
    "open_interest_upper": usd(50e6),
}
sizes = st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=2)


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Two markets and two traders with any cash, positions and funding behind them."""
    book = open_book(FIRST + 2, integers(1, 1))
    prices = st.lists(st.integers(1, 10**9), min_size=2, max_size=2)
    book.mark[:], book.funding[:] = draw(prices), draw(sizes)
    for account in (ALICE, BOB):
        book.cash[account] = draw(st.integers(-(10**15), 10**15))
        book.size[:, account], book.funding_paid[:, account] = draw(sizes), draw(sizes)
    book.open_interest[:] = np.maximum(book.size, 0).sum(axis=1)
    return book


def expected_risk(book: Book, rules: RiskParameters, account: int) -> tuple[int, int, int]:
    """The same three numbers in unbounded integers."""
    held, marks = book.size[:, account].tolist(), book.mark.tolist()
    behind = (book.funding - book.funding_paid[:, account]).tolist()
    owed = sum(size * gap for size, gap in zip(held, behind, strict=True))
    worth = sum(size * mark for size, mark in zip(held, marks, strict=True))
    initial = sum(
        -(-abs(size) * mark * int(rate) // PPM)
        for size, mark, rate in zip(held, marks, rules.initial, strict=True)
    )
    maintenance = sum(
        -(-abs(size) * mark * int(rate) // PPM)
        for size, mark, rate in zip(held, marks, rules.maintenance, strict=True)
    )
    return int(book.cash[account]) + worth + -owed // 1000, initial, maintenance


@pytest.mark.parametrize("row", reference("open_interest_scaling")["rows"])
def test_initial_margin_rises_with_open_interest_as_at_dydx(row: dict[str, Any]) -> None:
    rate = initial_rate(parameters(**SMALL_CAP), 0, usd(row["open_interest"]))

    assert rate == pytest.approx(row["initial"] * PPM, abs=1)


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_initial_margin_never_falls_with_open_interest_and_stays_in_bounds(one: int, other: int) -> None:
    rules = parameters(**SMALL_CAP)
    low, high = (initial_rate(rules, 0, interest) for interest in sorted((one, other)))

    assert 100_000 <= low <= high <= PPM


def test_open_interest_never_changes_maintenance() -> None:
    exchange = venue(1e6, 1e6, **SMALL_CAP)
    hold(exchange, ALICE, BOB, 1_000)
    before = risk(exchange, ALICE)
    exchange.book.open_interest[0] = 400_000
    after = risk(exchange, ALICE)

    assert after[1] > before[1]
    assert after[2] == before[2] == usd(5_000)


@given(books())
def test_risk_of_an_account_equals_the_sum_in_unbounded_integers(book: Book) -> None:
    rules = parameters(2)

    assert account_risk(book, rules, ALICE) == expected_risk(book, rules, ALICE)


@given(books())
def test_risk_of_all_accounts_equals_the_risk_of_each(book: Book) -> None:
    rules = parameters(2, open_interest_lower=10**6, open_interest_upper=10**15)
    table = accounts_risk(book, rules)
    each = [account_risk(book, rules, account) for account in range(len(book.cash))]

    assert table.T.tolist() == [list(row) for row in each]
    assert equity_of(book, rules, integers(BOB, ALICE)).tolist() == [each[BOB][0], each[ALICE][0]]


@given(books(), st.integers(-(10**6), 10**6), st.integers(-(10**15), 10**15))
def test_a_hypothetical_fill_has_the_risk_of_the_fill_itself(book: Book, change: int, cash: int) -> None:
    rules = parameters(2)
    foreseen = risk_after(book, rules, ALICE, 1, change, cash, 0)
    book.cash[ALICE] += cash - -(change * int(book.funding[1] - book.funding_paid[1, ALICE])) // 1000
    book.size[1, ALICE] += change
    found = account_risk(book, rules, ALICE)

    assert foreseen[1:] == found[1:]
    assert abs(foreseen[0] - found[0]) <= 1 + abs(2 * change * int(book.funding[1])) // 1000


@given(books())
def test_merged_risk_is_that_of_an_account_that_took_everything(book: Book) -> None:
    rules = parameters(2)
    book.funding_paid[:] = book.funding[:, None]
    foreseen = merged_risk(book, rules, ALICE, BOB)
    book.size[:, ALICE] += book.size[:, BOB]
    move_cash(book, BOB, ALICE, int(book.cash[BOB]))

    assert account_risk(book, rules, ALICE) == foreseen


@given(books())
def test_compiled_and_interpreted_risk_agree(book: Book) -> None:
    rules = parameters(2)

    assert account_risk(book, rules, BOB) == account_risk.py_func(book, rules, BOB)
    assert merged_risk(book, rules, ALICE, BOB) == merged_risk.py_func(book, rules, ALICE, BOB)
    assert risk_after(book, rules, BOB, 0, 7, -5, 3) == risk_after.py_func(book, rules, BOB, 0, 7, -5, 3)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ((100, 50, 30), (60, 60, 36), True),
        ((100, 50, 30), (59, 60, 36), False),
        ((40, 50, 30), (32, 40, 24), True),
        ((40, 50, 30), (31, 40, 24), False),
        ((40, 50, 30), (45, 50, 30), True),
        ((40, 50, 30), (49, 51, 31), False),
        ((-10, 50, 30), (-9, 50, 30), True),
        ((-10, 50, 30), (-9, 40, 24), False),
        ((-10, 50, 30), (0, 0, 0), True),
        ((-10, 50, 30), (-1, 0, 0), False),
        ((-10, 0, 0), (-9, 0, 0), True),
        ((-10, 0, 0), (-10, 0, 0), False),
        ((0, 0, 0), (0, 0, 0), True),
    ],
    ids=[
        "ends at initial margin",
        "ends below and was above",
        "below, shrinks in proportion",
        "below, shrinks but gets riskier",
        "below, equity grows",
        "below, a better ratio on a larger position",
        "bankrupt, owes less",
        "bankrupt, owes less on much less margin",
        "bankrupt, closes at zero",
        "bankrupt, closes with a debt",
        "no position, owes less",
        "no position, owes the same",
        "nothing at all",
    ],
)
def test_an_account_may_move_if_it_ends_above_initial_margin_or_no_riskier(
    before: tuple[int, int, int], after: tuple[int, int, int], allowed: bool
) -> None:
    assert transition_allowed(before, after) is allowed


@given(
    st.integers(-(10**15), 10**15),
    st.integers(0, 10**15),
    st.integers(-(10**15), 10**15),
    st.integers(0, 10**15),
)
def test_no_allowed_move_ends_below_initial_margin_with_a_worse_ratio(
    worth: int, margin: int, after_worth: int, after_margin: int
) -> None:
    before, after = (worth, 2 * margin, margin), (after_worth, 2 * after_margin, after_margin)
    if not transition_allowed(before, after) or after_worth >= 2 * after_margin:
        return

    assert worth < 2 * margin or margin == 0
    assert after_margin <= margin
    assert after_worth * margin >= worth * after_margin


def test_an_account_exactly_at_maintenance_is_safe_and_one_micro_less_is_not() -> None:
    exchange = venue(1_200, 1e6)
    hold(exchange, ALICE, BOB, 1_000)

    assert risk(exchange, ALICE)[0] == risk(exchange, ALICE)[2]
    assert liquidatable(exchange.book, exchange.parameters).tolist() == []

    move_cash(exchange.book, ALICE, BOB, 1)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == [ALICE]


@given(books(), st.sampled_from([-1, 0, 1]), st.integers(0, 1_000))
def test_the_scan_finds_exactly_the_accounts_below_maintenance(book: Book, gap: int, factor: int) -> None:
    rules = parameters(2)
    book.mark[:] *= 1 + factor
    worth, _, maintenance = account_risk(book, rules, ALICE)
    book.cash[ALICE] += maintenance + gap - worth
    table = accounts_risk(book, rules)
    below = np.flatnonzero((table[0] < table[2]) & (table[2] > 0))

    assert liquidatable(book, rules).tolist() == below[below >= VAULT].tolist()


def test_debt_without_a_position_cannot_be_liquidated() -> None:
    exchange = venue(0, 10)
    move_cash(exchange.book, ALICE, BOB, 5)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == []


def test_the_vault_can_be_liquidated() -> None:
    exchange = venue(1e6, vault=100)
    hold(exchange, VAULT, ALICE, 1_000)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == [VAULT]


def test_a_price_move_is_a_transfer_of_equity() -> None:
    exchange = venue(1e4, 1e4, 1e4)
    hold(exchange, ALICE, BOB, 70)
    hold(exchange, CAROL, BOB, -20)
    set_price(exchange, 117.35)

    assert equity(exchange, ALICE) == pytest.approx(1e4 + 70 * 17.35)
    assert accounts_risk(exchange.book, exchange.parameters)[0].sum() == usd(3e4)


def test_shortfall_counts_traders_only() -> None:
    assert negative_equity(integers(-9, -9, -9, -9, -3, 5, -4)) == 7


@given(st.integers(2, 1_000), st.lists(st.integers(-100, 100), min_size=3, max_size=3))
def test_scaling_all_prices_and_balances_scales_all_risk(factor: int, held: list[int]) -> None:
    exchange = venue(500, 700, 900)
    for account, size in zip((ALICE, BOB, CAROL), held, strict=True):
        if size:
            hold(exchange, account, INSURANCE, size)
    before = accounts_risk(exchange.book, exchange.parameters)
    scaled = exchange.book._replace(cash=exchange.book.cash * factor, mark=exchange.book.mark * factor)

    assert (accounts_risk(scaled, exchange.parameters) == before * factor).all()


def test_risk_is_exact_at_a_trillion_dollars() -> None:
    exchange = venue(1e12, prices=(1e5,))
    hold(exchange, ALICE, BOB, 10**7, 1e5)

    assert risk(exchange, ALICE) == (10**18, 2 * 10**16, 12 * 10**15)
    assert risk(exchange, BOB) == (0, 2 * 10**16, 12 * 10**15)


@given(st.integers(0, 2**32 - 1), st.sampled_from([10**3, 10**6, 10**9]))
def test_the_fast_scan_finds_exactly_those_below_maintenance(seed: int, largest: int) -> None:
    draw = stream(seed, "scan")
    book = open_book(FIRST + 300, integers(800_000, 195_000))
    book.mark[:] = draw.integers(1, 10**6, 2)
    book.funding[:] = draw.integers(-(10**6), 10**6, 2)
    traders = slice(FIRST, None)
    book.size[:, traders] = draw.integers(-largest, largest, (2, 300)) * draw.integers(0, 2, (2, 300))
    book.funding_paid[:, traders] = draw.integers(-(10**6), 10**6, (2, 300))
    rules = parameters(markets=2)
    equity_now, _, required = accounts_risk(book, rules)
    book.cash[traders] += (required - equity_now)[traders] + draw.integers(-1, 2, 300)

    equity_now, _, required = accounts_risk(book, rules)
    below = np.flatnonzero((equity_now < required) & (required > 0))
    assert 50 < len(below) < 150
    np.testing.assert_array_equal(liquidatable(book, rules), below)
