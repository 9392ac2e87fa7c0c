"""Who can be valued: positions and assets that count ask for a usable price, nothing else does."""

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, DAVE, integers, parameters, usd

from protocol.book import VAULT, Book, exchange_position, open_book
from protocol.valuation import valued_accounts, valued_purse

pytestmark = pytest.mark.kernel

FIRST, SECOND = np.array([True, False]), np.array([False, True])
COUNTED = parameters(2, weight_maintenance=integers(0, 900_000), weight_initial=integers(0, 800_000))


def held() -> Book:
    """ALICE is long the first market against the vault; BOB and CAROL own an asset, of which BOB's counts."""
    book = open_book(DAVE + 1, integers(usd(100), usd(50)))
    exchange_position(book, ALICE, VAULT, 0, 5, 5 * usd(100))
    book.collateral[1, BOB] = 7
    book.collateral[0, CAROL] = 7
    return book


@pytest.mark.parametrize(
    ("usable", "expected"),
    [(FIRST, [True, False, True, True]), (SECOND, [False, True, True, True]), (FIRST | SECOND, [True] * 4)],
)
def test_positions_and_assets_that_count_need_their_price(usable: np.ndarray, expected: list[bool]) -> None:
    accounts = integers(ALICE, BOB, CAROL, DAVE)

    assert valued_accounts(held(), COUNTED, accounts, usable).tolist() == expected


def test_a_purse_needs_the_prices_of_the_markets_that_it_serves_or_stands_in() -> None:
    book = held()
    purses = [VAULT, *book.counterparty.tolist()]

    assert [valued_purse(book, purse, FIRST) for purse in purses] == [True, True, False]
    assert [valued_purse(book, purse, SECOND) for purse in purses] == [False, False, True]
    book.counterparty[:] = book.counterparty[0]

    assert not valued_purse(book, purses[1], FIRST)
