"""Who pays a deficit: insurance fund, fee pool, and everybody who holds a position."""

from typing import Any

import numpy as np
import pytest
from drift import rows
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, ERIN, integers, parameters, usd

from protocol.book import (
    CLEARING,
    FUND,
    FUNDING_SCALE,
    INSURANCE,
    Book,
    exchange_position,
    market_accounts,
    open_book,
    settle_funding,
)
from protocol.losses.social_loss import (
    pay_from_insurance,
    pay_from_pool,
    socialise,
    socialise_by_index,
    users_interest,
)
from protocol.margin import account_risk

pytestmark = pytest.mark.kernel

AMM = 4


def holding(*sizes: int, markets: int = 1) -> Book:
    """Traders from BOB on hold `sizes` against the AMM of the first market; ALICE is the one who owes."""
    book = open_book(ALICE + 8, integers(*[usd(100)] * markets))
    for account, lots in enumerate(sizes, start=BOB):
        if lots:
            exchange_position(book, account, int(book.counterparty[0]), 0, lots, lots * usd(100))
    return book


def settle_all(book: Book) -> None:
    for account in range(len(book.cash)):
        settle_funding(book, account)


@pytest.mark.parametrize("row", rows("social_loss"))
def test_every_open_lot_pays_alike(row: dict[str, float]) -> None:
    book = holding(int(row["long"]), -int(row["short"]))
    before = book.cash.copy()
    paid, dust = socialise_by_index(book, 0, ALICE, usd(row["deficit"]))

    assert paid == usd(row["deficit"]) == book.cash[ALICE]
    assert dust == round(row["dust"] * 1e9)
    settle_all(book)
    charged = before - book.cash
    for account, lots in ((BOB, row["long"]), (CAROL, row["short"])):
        assert 0 <= charged[account] - lots * row["charge"] * 1e6 < 1
    assert charged[AMM] == 0


@given(
    sizes=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=6),
    deficit=st.integers(0, 10**13),
    owed=st.integers(-(10**6), 10**6),
)
def test_the_charges_are_the_deficit_and_a_dust_of_units(sizes: list[int], deficit: int, owed: int) -> None:
    book = holding(*sizes)
    book.funding[:, 0] += owed
    settle_all(book)
    clearing, cash = int(book.cash[CLEARING]), book.cash.copy()
    lots = users_interest(book, 0)
    paid, dust = socialise_by_index(book, 0, ALICE, deficit)
    settle_all(book)
    kept = int(book.cash[CLEARING]) - clearing

    assert lots == sum(map(abs, sizes))
    assert paid == (deficit if lots else 0)
    assert 0 <= dust < max(lots, 1)
    assert dust <= kept * FUNDING_SCALE < dust + FUNDING_SCALE * (len(sizes) + 1)
    assert int((cash - book.cash)[BOB:].sum()) == paid + kept
    assert book.cash[AMM] == cash[AMM]
    assert book.cash.sum() == 0


def test_the_clearing_account_never_owes_more_than_it_is_owed() -> None:
    book = holding(7, -4)
    socialise_by_index(book, 0, ALICE, usd(100))
    index = np.where(book.size > 0, book.funding[0, :, None], book.funding[1, :, None])
    owed = -int((book.size * (index - book.funding_paid)).sum())

    assert int(book.cash[CLEARING]) * FUNDING_SCALE >= owed


def test_the_charge_counts_in_margin_before_it_is_settled() -> None:
    book = holding(8, -2)
    rule = parameters()
    before = [account_risk(book, rule, account)[0] for account in (BOB, CAROL, AMM)]
    socialise_by_index(book, 0, ALICE, usd(100))
    after = [account_risk(book, rule, account)[0] for account in (BOB, CAROL, AMM)]

    assert [then - now for then, now in zip(before, after, strict=True)] == [usd(80), usd(20), 0]


def test_funding_due_is_paid_beside_the_loss() -> None:
    book = holding(8, -2)
    book.funding[:, 0] += 3 * 10**6 * FUNDING_SCALE
    socialise_by_index(book, 0, ALICE, usd(100))
    settle_all(book)

    assert book.cash[BOB] == usd(-800 - 80 - 24)
    assert book.cash[CAROL] == usd(200 - 20 + 6)
    assert book.cash[AMM] == usd(600 + 18)
    assert book.cash[CLEARING] == 0


def test_nothing_is_shared_when_nobody_holds_a_position() -> None:
    book = holding(0)

    assert socialise_by_index(book, 0, ALICE, usd(5)) == (0, 0)
    assert socialise_by_index(holding(1), 0, ALICE, 0) == (0, 0)
    assert not book.cash.any()
    assert not book.funding.any()


def test_other_markets_do_not_pay() -> None:
    book = holding(5, markets=2)
    exchange_position(book, CAROL, DAVE, 1, 50, 50 * usd(100))
    socialise_by_index(book, 0, ALICE, usd(10))
    settle_all(book)

    assert book.cash[BOB] == usd(-500 - 10)
    assert book.cash[CAROL] == usd(-5_000)


@pytest.mark.parametrize(
    ("fund", "deficit", "allowance", "paid"),
    [
        (100, 40, 1_000, 40),
        (40, 40, 1_000, 39.999999),
        (40.000001, 40, 1_000, 40),
        (100, 40, 25, 25),
        (100, 40, 0, 0),
        (0, 40, 1_000, 0),
    ],
)
def test_the_fund_pays_within_its_allowance_and_keeps_a_unit(
    fund: float, deficit: float, allowance: float, paid: float
) -> None:
    book = holding(1)
    book.cash[INSURANCE] = usd(fund)

    assert pay_from_insurance(book, 0, ALICE, usd(deficit), usd(allowance)) == usd(paid)
    assert book.cash[ALICE] == usd(paid)
    assert book.cash[INSURANCE] == usd(fund) - usd(paid)


def test_each_market_has_the_fund_that_the_book_names() -> None:
    book = holding(1, markets=2)
    own = int(market_accounts(2, FUND)[1])
    book.fund[1] = own
    book.cash[own], book.cash[INSURANCE] = usd(5), usd(50)

    assert pay_from_insurance(book, 1, ALICE, usd(10), usd(100)) == usd(5) - 1
    assert book.cash[INSURANCE] == usd(50)


@pytest.mark.parametrize(
    ("pool", "deficit", "paid"), [(100, 40, 40), (40, 40, 40), (30, 40, 30), (-5, 40, 0)]
)
def test_the_fee_pool_pays_as_far_as_it_reaches(pool: float, deficit: float, paid: float) -> None:
    book = holding(1)
    purse = int(book.impact[0])
    book.cash[purse] = usd(pool)

    assert pay_from_pool(book, 0, ALICE, usd(deficit)) == usd(paid)
    assert book.cash[purse] == usd(pool - paid)


def charges_of(book: Book, deficit: float, *, debtor: int = ALICE) -> Any:
    charges = np.zeros_like(book.cash)
    return socialise(book, debtor, usd(deficit), charges), charges


def test_by_notional_both_sides_of_all_markets_pay_for_their_size() -> None:
    book = open_book(ALICE + 5, integers(usd(100), usd(50)))
    exchange_position(book, BOB, CAROL, 0, 30, 30 * usd(100))
    exchange_position(book, DAVE, CAROL, 1, 20, 20 * usd(50))
    book.cash[:] = 0
    collected, charges = charges_of(book, 80)

    assert collected == usd(80)
    assert charges[[BOB, CAROL, DAVE, ERIN]].tolist() == [usd(30), usd(40), usd(10), 0]
    assert book.cash[ALICE] == usd(80)


@given(sizes=st.lists(st.integers(1, 10**6), min_size=1, max_size=4), deficit=st.integers(1, 10**12))
def test_by_notional_the_dust_goes_to_the_fund(sizes: list[int], deficit: int) -> None:
    book = open_book(ALICE + 6, integers(usd(100)))
    for account, lots in enumerate(sizes, start=BOB):
        exchange_position(book, account, BOB + 4, 0, lots, lots * usd(100))
    book.cash[:] = 0
    charges = np.zeros_like(book.cash)

    assert socialise(book, ALICE, deficit, charges) == deficit
    assert int(charges.sum()) == deficit + book.cash[INSURANCE]
    assert 0 <= book.cash[INSURANCE] <= len(sizes) + 1
    assert book.cash.sum() == 0


def test_by_notional_nobody_pays_for_his_own_deficit_or_without_a_position() -> None:
    book = open_book(ALICE + 5, integers(usd(100)))
    assert charges_of(book, 5)[0] == 0

    exchange_position(book, ALICE, BOB, 0, 30, 30 * usd(100))
    collected, charges = charges_of(book, 5)

    assert (collected, charges[ALICE], charges[BOB]) == (usd(5), 0, usd(5))
