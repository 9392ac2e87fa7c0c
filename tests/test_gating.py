"""Gates after a debt: one for cross margin, one for each isolated market."""

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, integers, parameters, usd

from protocol.book import Book, exchange_position, open_book
from protocol.gating import CROSS, Gates, collateral_pool

pytestmark = pytest.mark.kernel

RULES = parameters(3, isolated=np.array([False, True, True]))


def held() -> Book:
    """ALICE stands in the first market, BOB in the second, CAROL in none."""
    book = open_book(CAROL + 1, integers(*[usd(100)] * 3))
    exchange_position(book, ALICE, int(book.counterparty[0]), 0, 5, 5 * usd(100))
    exchange_position(book, BOB, int(book.counterparty[1]), 1, -5, -5 * usd(100))
    return book


def test_an_isolated_market_is_a_pool_of_its_own_and_all_others_share_one() -> None:
    assert [collateral_pool(RULES, market) for market in range(3)] == [CROSS, 1, 2]


def test_a_new_venue_has_no_gate_shut() -> None:
    gates, book = Gates(3), held()

    assert [gates.of_account(book, RULES, account) for account in (ALICE, BOB, CAROL)] == [-np.inf] * 3
    assert gates.last == -np.inf


@pytest.mark.parametrize(
    ("pools", "expected"), [({CROSS}, [9, -np.inf, 9]), ({1}, [-np.inf, 9, -np.inf]), ({2}, [-np.inf] * 3)]
)
def test_a_gate_holds_those_whose_pool_it_is(pools: set[int], expected: list[float]) -> None:
    gates, book = Gates(3), held()
    gates.shut(pools, 9.0)

    assert [gates.of_account(book, RULES, account) for account in (ALICE, BOB, CAROL)] == expected
    assert gates.last == 9.0


def test_gates_are_told_by_market() -> None:
    gates = Gates(3)
    gates.shut({CROSS}, 7.0)
    gates.shut({2}, 9.0)

    assert gates.of_markets(RULES).tolist() == [7.0, -np.inf, 9.0]
