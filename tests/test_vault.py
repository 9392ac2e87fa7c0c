"""Shares of the backstop vault: bought and sold at its equity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, hold, risk, set_price, usd, venue

from protocol.book import VAULT, move_cash
from protocol.exchange import Exchange
from protocol.vault import deposit, redeem, share_price

pytestmark = pytest.mark.kernel


def invested(*amounts: float) -> Exchange:
    """A vault into which traders have put these amounts of their 10,000 USD each."""
    exchange = venue(1e4, 1e4, 1e4)
    for account, amount in enumerate(amounts, start=ALICE):
        put(exchange, account, usd(amount))
    return exchange


def put(exchange: Exchange, account: int, amount: int) -> int:
    return deposit(exchange.book, exchange.parameters, account, amount)


def sell(exchange: Exchange, account: int, shares: int) -> int:
    return redeem(exchange.book, exchange.parameters, account, shares)


def test_the_first_deposit_buys_one_share_for_each_dollar() -> None:
    exchange = invested(300)

    assert exchange.book.shares[0, ALICE] == usd(300)
    assert exchange.book.cash[[ALICE, VAULT]].tolist() == [usd(9_700), usd(300)]
    assert share_price(exchange.book, exchange.parameters) == 1.0


def test_a_vault_without_shares_has_the_price_one() -> None:
    exchange = venue(100)

    assert share_price(exchange.book, exchange.parameters) == 1.0


def test_gains_raise_the_price_at_which_later_deposits_buy() -> None:
    exchange = invested(300)
    move_cash(exchange.book, BOB, VAULT, usd(150))

    assert share_price(exchange.book, exchange.parameters) == 1.5
    assert put(exchange, CAROL, usd(300)) == usd(200)


def test_losses_are_shared_in_proportion() -> None:
    exchange = invested(300, 100)
    move_cash(exchange.book, VAULT, CAROL, usd(200))

    assert sell(exchange, ALICE, usd(300)) == usd(150)
    assert sell(exchange, BOB, usd(100)) == usd(50)


def test_shares_are_worth_the_vaults_positions_too() -> None:
    exchange = invested(300)
    hold(exchange, VAULT, BOB, 10)
    set_price(exchange, 103)

    assert share_price(exchange.book, exchange.parameters) == pytest.approx(1.1)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.lists(st.integers(1, 10**9), min_size=1, max_size=6))
def test_deposits_and_exits_never_dilute_those_who_stay(first: int, gain: int, amounts: list[int]) -> None:
    exchange = venue(1e4, 1e4, 1e4)
    put(exchange, ALICE, first)
    move_cash(exchange.book, CAROL, VAULT, gain)
    price = share_price(exchange.book, exchange.parameters)
    for amount in amounts:
        bought = put(exchange, BOB, amount)
        after = share_price(exchange.book, exchange.parameters)
        paid = sell(exchange, BOB, bought)
        left = share_price(exchange.book, exchange.parameters)

        assert price * (1 - 1e-12) <= after <= left * (1 + 1e-12)
        assert paid <= amount
        price = left


@pytest.mark.parametrize("amount", [0, -5, usd(1e4) + 1])
def test_a_deposit_beyond_the_depositors_means_is_refused(amount: int) -> None:
    exchange = invested()

    assert put(exchange, ALICE, amount) == 0
    assert exchange.book.cash[VAULT] == 0


def test_a_deposit_may_not_take_the_margin_of_a_position() -> None:
    exchange = venue(100, 1e6)
    hold(exchange, ALICE, BOB, -10)

    assert exchange.book.cash[ALICE] == usd(1_100)
    assert put(exchange, ALICE, usd(80) + 1) == 0
    assert put(exchange, ALICE, usd(80)) == usd(80)
    assert risk(exchange, ALICE)[:2] == (usd(20), usd(20))


def test_a_deposit_too_small_for_a_share_is_refused_whole() -> None:
    exchange = invested(0.000001)
    move_cash(exchange.book, CAROL, VAULT, usd(100))

    assert put(exchange, BOB, usd(99)) == 0
    assert exchange.book.cash[BOB] == usd(1e4)


def test_a_vault_without_equity_takes_no_deposits_and_pays_no_exits() -> None:
    exchange = invested(300)
    for loss in (300, 1):
        move_cash(exchange.book, VAULT, CAROL, usd(loss))

        assert put(exchange, BOB, usd(10)) == 0
        assert sell(exchange, ALICE, usd(300)) == 0
    assert exchange.book.shares[0, ALICE] == usd(300)


def test_an_indebted_vault_that_nobody_owns_takes_no_deposits() -> None:
    exchange = venue(100, 100)
    move_cash(exchange.book, VAULT, BOB, usd(1))

    assert put(exchange, ALICE, usd(10)) == 0


@pytest.mark.parametrize("shares", [0, -1, usd(300) + 1])
def test_nobody_sells_shares_that_they_do_not_have(shares: int) -> None:
    exchange = invested(300, 300)

    assert sell(exchange, ALICE, shares) == 0
    assert exchange.book.shares[0, ALICE] == usd(300)


def test_shares_worth_nothing_are_kept() -> None:
    exchange = invested(300)
    move_cash(exchange.book, VAULT, CAROL, usd(300) - 1)

    assert sell(exchange, ALICE, usd(299)) == 0
    assert exchange.book.shares[0, ALICE] == usd(300)


def test_an_exit_may_not_take_the_vaults_initial_margin() -> None:
    exchange = invested(300)
    hold(exchange, VAULT, BOB, 50)

    assert risk(exchange, VAULT)[1] == usd(100)
    assert sell(exchange, ALICE, usd(200) + 1) == 0
    assert sell(exchange, ALICE, usd(200)) == usd(200)


def test_an_exit_is_paid_with_the_funding_that_the_vault_has_earned() -> None:
    exchange = invested(300)
    hold(exchange, VAULT, BOB, -1)
    exchange.book.funding[:, 0] += usd(30) * 1000

    assert sell(exchange, ALICE, usd(100)) == usd(110)
    assert exchange.book.funding_paid[0, VAULT] == exchange.book.funding[0]


def test_compiled_and_interpreted_vaults_agree() -> None:
    exchange, other = invested(300), invested(300)
    for world, put_in, take_out in ((exchange, deposit, redeem), (other, deposit.py_func, redeem.py_func)):
        move_cash(world.book, CAROL, VAULT, 77)
        put_in(world.book, world.parameters, BOB, usd(50))
        take_out(world.book, world.parameters, ALICE, usd(7))

    assert exchange.book.cash.tolist() == other.book.cash.tolist()
    assert exchange.book.shares.tolist() == other.book.shares.tolist()
