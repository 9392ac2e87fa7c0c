"""Each invariant names a planted violation, and a sound venue breaks none."""

from collections.abc import Callable

import pytest
from venue import ALICE, BOB, CAROL, hold, quote, usd, venue

from protocol.book import CLEARING, FEES, INSURANCE, VAULT, exchange_position, move_cash, settle_funding
from protocol.exchange import Exchange
from protocol.invariants import InvariantError, unsettled, violated


def sound() -> Exchange:
    """A venue in use: positions, quotes, funding behind, a vault with shares."""
    exchange = venue(1e4, 1e4, 1e4, prices=(100, 50), insurance=100, vault=1_000)
    hold(exchange, ALICE, BOB, 30)
    hold(exchange, CAROL, VAULT, 7, 50, market=1)
    quote(exchange, ALICE, (5, 99), (-5, 101))
    exchange.book.funding[:] += 777
    exchange.book.shares[ALICE] = usd(1_000)
    return exchange


def mint_cash(exchange: Exchange) -> None:
    exchange.book.cash[ALICE] += 1


def mint_position(exchange: Exchange) -> None:
    settle_funding(exchange.book, BOB)
    exchange.book.size[0, BOB] -= 1


def miscount_interest(exchange: Exchange) -> None:
    exchange.book.open_interest[1] += 1


def overdraw_fund(exchange: Exchange) -> None:
    move_cash(exchange.book, INSURANCE, ALICE, usd(100) + 1)


def trade_with_a_purse(exchange: Exchange) -> None:
    exchange_position(exchange.book, FEES, BOB, 0, 1, usd(100))


def pay_out_clearing(exchange: Exchange) -> None:
    move_cash(exchange.book, CLEARING, ALICE, 1)


def own_negative_shares(exchange: Exchange) -> None:
    exchange.book.shares[BOB] = -1


def give_a_purse_shares(exchange: Exchange) -> None:
    exchange.book.shares[VAULT] = 1


def lose_the_oracle(exchange: Exchange) -> None:
    exchange.book.oracle[1] = 0


def lose_the_mark(exchange: Exchange) -> None:
    exchange.book.mark[0] = -1


def cross_the_book(exchange: Exchange) -> None:
    exchange.ladder.key[0, 0] = usd(101)


VIOLATIONS = [
    (mint_cash, "cash_conserved"),
    (mint_position, "positions_sum_to_zero"),
    (miscount_interest, "open_interest_is_long_size"),
    (overdraw_fund, "insurance_fund_not_negative"),
    (trade_with_a_purse, "purses_hold_no_positions"),
    (pay_out_clearing, "funding_never_minted"),
    (own_negative_shares, "vault_shares_belong_to_depositors"),
    (give_a_purse_shares, "vault_shares_belong_to_depositors"),
    (lose_the_oracle, "prices_are_positive"),
    (lose_the_mark, "prices_are_positive"),
    (cross_the_book, "book_is_not_crossed"),
]


def test_a_sound_venue_breaks_nothing() -> None:
    exchange = sound()

    assert violated(exchange.book, exchange.ladder) == []
    exchange.check(1, 2)


@pytest.mark.parametrize(("plant", "name"), VIOLATIONS, ids=lambda item: getattr(item, "__name__", None))
def test_a_planted_violation_is_named(plant: Callable[[Exchange], None], name: str) -> None:
    exchange = sound()
    plant(exchange)
    found = violated(exchange.book, exchange.ladder)

    assert [line.split(":")[0] for line in found] == [name]


def test_the_error_names_block_seed_and_every_violation() -> None:
    exchange = sound()
    mint_cash(exchange)
    lose_the_oracle(exchange)
    with pytest.raises(InvariantError, match=r"block 17, seed 4: cash_conserved: .*; prices_are_positive"):
        exchange.check(17, 4)


def test_a_one_sided_book_is_not_crossed() -> None:
    exchange = venue(1e4)
    quote(exchange, ALICE, (5, 99))

    assert violated(exchange.book, exchange.ladder) == []


def test_unsettled_funding_of_both_sides_cancels_as_the_index_moves() -> None:
    exchange = sound()
    before = unsettled(exchange.book)
    exchange.book.funding[:] += 12_345

    assert before == unsettled(exchange.book) == 0
