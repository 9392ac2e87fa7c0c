"""The scan over all accounts says what an account's own risk says, and hides nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from margin_rules import VENUES, books, holding, margin_rules
from venue import ALICE, BOB, integers, parameters, usd

from protocol.book import COUNTERPARTY, VAULT, Book, market_accounts, move_cash, open_book
from protocol.laws.invariants import unsettled
from protocol.margin import account_risk, below_maintenance, equity_of
from protocol.parameters import RiskParameters
from protocol.scan import accounts_risk, fill_slack, liquidatable
from sim.streams import stream

pytestmark = pytest.mark.kernel

TRADERS = 300


def crowd(seed: int, largest: int) -> Book:
    """Three hundred traders with funding, assets and positions in two markets."""
    draw, shape = stream(seed, "scan"), (2, TRADERS)
    book = open_book(ALICE + TRADERS, integers(800_000, 195_000))
    book.mark[:], book.oracle[:] = draw.integers(1, 10**6, 2), draw.integers(1, 10**6, 2)
    book.funding[:] = draw.integers(-(10**6), 10**6, (2, 2))
    crowded = slice(ALICE, None)
    book.size[:, crowded] = draw.integers(-largest, largest, shape) * draw.integers(0, 2, shape)
    book.funding_paid[:, crowded] = draw.integers(-(10**6), 10**6, shape)
    book.collateral[:, crowded] = draw.integers(0, 10**6, shape) * draw.integers(0, 2, shape)
    book.entry[:, crowded] = np.where(book.size[:, crowded] != 0, draw.integers(1, 10**6, shape), 0)
    book.own_initial[crowded] = draw.integers(0, 2, TRADERS) * 300_000
    return book


def put_at_maintenance(book: Book, rules: RiskParameters, gaps: np.ndarray) -> None:
    """Give every trader the cash that leaves its equity `gaps` micro-USD above maintenance."""
    equity, _, maintenance = accounts_risk(book, rules)
    book.cash[ALICE:] += (maintenance - equity)[ALICE:] + gaps


@given(books(), st.sampled_from(VENUES))
def test_risk_of_all_accounts_equals_the_risk_of_each(book: Book, kind: str) -> None:
    rules = margin_rules(kind)
    table = accounts_risk(book, rules)
    each = [account_risk(book, rules, account) for account in range(len(book.cash))]

    assert table.T.tolist() == [list(row) for row in each]
    assert equity_of(book, rules, integers(BOB, ALICE)).tolist() == [each[BOB][0], each[ALICE][0]]


@given(books(), st.sampled_from(VENUES), st.sampled_from([-1, 0, 1]), st.integers(0, 1_000))
def test_the_scan_finds_exactly_the_accounts_below_maintenance(
    book: Book, kind: str, gap: int, factor: int
) -> None:
    rules = margin_rules(kind)
    book.mark[:] *= 1 + factor
    put_at_maintenance(book, rules, integers(gap, -gap))
    below = [account for account in (ALICE, BOB) if below_maintenance(book, rules, account)]

    assert liquidatable(book, rules).tolist() == below
    assert all((account == ALICE) == (gap < 0) for account in below)


@given(st.integers(0, 2**32 - 1), st.sampled_from([10**3, 10**6, 10**9]), st.sampled_from(VENUES))
def test_in_a_crowd_at_the_edge_the_fast_scan_hides_nobody(seed: int, largest: int, kind: str) -> None:
    book, rules = crowd(seed, largest), margin_rules(kind)
    put_at_maintenance(book, rules, stream(seed, "gaps").integers(-1, 2, TRADERS))
    below = [account for account in range(ALICE, ALICE + TRADERS) if below_maintenance(book, rules, account)]

    assert 20 < len(below) < 150
    assert liquidatable(book, rules).tolist() == below


@given(st.integers(0, 2**32 - 1), st.sampled_from([10**3, 10**6, 10**9]), st.sampled_from(VENUES))
def test_the_slack_is_a_lower_bound_and_a_close_one(seed: int, largest: int, kind: str) -> None:
    book, rules = crowd(seed, largest), margin_rules(kind)
    slack, held = np.empty(len(book.cash)), np.abs(book.size).sum(axis=0) > 0
    put_at_maintenance(book, rules, stream(seed, "gaps").integers(-(10**9), 10**9, TRADERS))
    equity, _, maintenance = accounts_risk(book, rules)
    fill_slack(book, rules, slack)
    exact, worth = equity - maintenance, np.abs(book.size * book.mark[:, None]).sum(axis=0)
    scale = worth + maintenance + book.collateral.T @ book.oracle

    assert (slack[held] <= exact[held]).all()
    assert (slack >= exact - 100 - 2 * rules.reward_maximum - 1e-8 * scale).all()


def test_an_account_exactly_at_maintenance_is_safe_and_one_micro_less_is_not() -> None:
    book, rules = holding(1_200, (1_000, 100)), parameters()

    assert account_risk(book, rules, ALICE)[::2] == (usd(1_200), usd(1_200))
    assert liquidatable(book, rules).tolist() == []

    move_cash(book, ALICE, BOB, 1)

    assert liquidatable(book, rules).tolist() == [ALICE]


def test_debt_without_a_position_or_an_asset_cannot_be_liquidated() -> None:
    book, rules = holding(0, (0, 100)), parameters()
    move_cash(book, ALICE, BOB, 5)

    assert account_risk(book, rules, ALICE) == (-5, 0, 0)
    assert liquidatable(book, rules).tolist() == []


@pytest.mark.parametrize(("debt", "found"), [(450, []), (450.000001, [ALICE])])
def test_debt_beyond_the_weight_of_the_assets_behind_it_can_be_liquidated(
    debt: float, found: list[int]
) -> None:
    book, rules = holding(-debt, (0, 100)), parameters(weight_maintenance=integers(900_000))
    book.collateral[0, ALICE] = 5

    assert liquidatable(book, rules).tolist() == found


def test_the_vault_can_be_liquidated_and_a_pool_cannot() -> None:
    book, rules = holding(0, (0, 100)), parameters()
    pool = int(market_accounts(1, COUNTERPARTY)[0])
    for account in (VAULT, pool):
        book.size[0, account] = 10
        book.cash[account] = -usd(1_000)

    assert liquidatable(book, rules).tolist() == [VAULT]


def test_funding_that_is_owed_sums_over_longs_and_shorts() -> None:
    book = crowd(6, 10**6)
    index = np.where(book.size > 0, book.funding[0, :, None], book.funding[1, :, None])

    assert unsettled(book) == -int((book.size * (index - book.funding_paid)).sum())
