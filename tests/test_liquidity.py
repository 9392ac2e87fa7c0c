"""Shares of the backstop vault and of liquidity pools: bought and sold at what the purse is worth."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import NO_FEES, NO_IMPACT, Pools
from venue import ALICE, BOB, CAROL, hold, risk, set_price, usd, venue

from protocol.book import VAULT, move_cash, share_row
from protocol.exchange import Exchange
from protocol.liquidity import Desk, deposit, open_locks, redeem, share_price, vault_desk

pytestmark = pytest.mark.kernel

FREE = NO_IMPACT | NO_FEES


def desk(exchange: Exchange) -> Desk:
    """The vault's terms now, without locks."""
    return vault_desk(exchange.book, exchange.parameters, VAULT, 0.0, open_locks(exchange.book))


def invested(*amounts: float) -> Exchange:
    """A vault into which traders have put these amounts of their 10,000 USD each."""
    exchange = venue(1e4, 1e4, 1e4)
    for account, amount in enumerate(amounts, start=ALICE):
        put(exchange, account, usd(amount))
    return exchange


def put(exchange: Exchange, account: int, amount: int) -> int:
    return deposit(exchange.book, exchange.parameters, desk(exchange), account, amount)


def sell(exchange: Exchange, account: int, shares: int) -> int:
    return redeem(exchange.book, desk(exchange), account, shares)


def price(exchange: Exchange) -> float:
    return share_price(exchange.book, desk(exchange))


def test_the_first_deposit_buys_one_share_for_each_dollar() -> None:
    exchange = invested(300)

    assert exchange.book.shares[0, ALICE] == usd(300)
    assert exchange.book.cash[[ALICE, VAULT]].tolist() == [usd(9_700), usd(300)]
    assert price(exchange) == 1.0


def test_a_vault_without_shares_has_the_price_one() -> None:
    assert price(venue(100)) == 1.0


def test_gains_raise_the_price_at_which_later_deposits_buy() -> None:
    exchange = invested(300)
    move_cash(exchange.book, BOB, VAULT, usd(150))

    assert price(exchange) == 1.5
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

    assert price(exchange) == pytest.approx(1.1)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.lists(st.integers(1, 10**9), min_size=1, max_size=6))
def test_deposits_and_exits_never_dilute_those_who_stay(first: int, gain: int, amounts: list[int]) -> None:
    exchange = venue(1e4, 1e4, 1e4)
    put(exchange, ALICE, first)
    move_cash(exchange.book, CAROL, VAULT, gain)
    before = price(exchange)
    for amount in amounts:
        bought = put(exchange, BOB, amount)
        after = price(exchange)
        paid = sell(exchange, BOB, bought)
        left = price(exchange)

        assert before * (1 - 1e-12) <= after <= left * (1 + 1e-12)
        assert paid <= amount
        before = left


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
    assert exchange.book.funding_paid[0, VAULT] == exchange.book.funding[1, 0]


def test_compiled_and_interpreted_vaults_agree() -> None:
    exchange, other = invested(300), invested(300)
    for world, put_in, take_out in ((exchange, deposit, redeem), (other, deposit.py_func, redeem.py_func)):
        move_cash(world.book, CAROL, VAULT, 77)
        put_in(world.book, world.parameters, desk(world), BOB, usd(50))
        take_out(world.book, desk(world), ALICE, usd(7))

    assert exchange.book.cash.tolist() == other.book.cash.tolist()
    assert exchange.book.shares.tolist() == other.book.shares.tolist()


def provided(*amounts: float, **rule: Any) -> Pools:
    """A pool into which traders have put these amounts of their 1,000,000 USD each, an hour ago."""
    world = Pools(*[1e6] * 5, liquidity=0, **(FREE | rule))
    for account, amount in enumerate(amounts, start=ALICE):
        enter(world, account, amount, time=-3600.0)
    return world


def enter(world: Pools, account: int, amount: float, time: float = 0.0) -> int:
    terms = world.venue.desk(world.book, world.parameters, world.pool, time, world.locks)
    return deposit(world.book, world.parameters, terms, account, usd(amount))


def leave(world: Pools, account: int, shares: float, time: float = 0.0) -> int:
    terms = world.venue.desk(world.book, world.parameters, world.pool, time, world.locks)
    return redeem(world.book, terms, account, usd(shares))


def test_a_pool_that_is_new_sells_its_shares_at_one_dollar() -> None:
    world = provided(1_000)

    assert world.book.shares[share_row(world.pool), ALICE] == usd(1_000)
    assert world.book.shares[0].sum() == 0
    assert world.cash(world.pool) == 1_000


def test_fees_stay_in_the_pool() -> None:
    world = provided(100_000, fee_worsens=600, receiver_share=370_000)
    world.trade(BOB, 100)
    terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert terms.cheap == terms.dear == usd(100_000 + 6 * 0.63)


def test_a_pools_shares_lose_what_its_users_gain() -> None:
    world = provided(100_000)
    world.trade(BOB, 100)
    world.set_price(110)

    assert leave(world, ALICE, 1_000) == usd(990)

    world.set_price(90)

    assert enter(world, CAROL, 1_010) == pytest.approx(usd(1_000), rel=1e-3)


def test_users_gains_beyond_their_cap_do_not_weigh_on_the_shares() -> None:
    world = provided(100_000, gain_cap=200_000, gain_exits=1_000_000, reserve=10_000_000)
    world.trade(BOB, 500)
    world.set_price(130)
    terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert terms.cheap == usd(100_000 - 10_000)


def test_those_who_enter_and_leave_get_the_worse_end_of_the_oracles_range() -> None:
    world = provided(100_000, spread=2_000)
    world.trade(BOB, 100)
    world.trade(CAROL, -100)
    terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert (terms.dear, terms.cheap) == (usd(100_000 + 40), usd(100_000))


def test_a_desk_with_two_prices_sells_dear_and_buys_cheap() -> None:
    exchange = invested(100)
    terms = desk(exchange)._replace(dear=usd(125), cheap=usd(80))

    assert deposit(exchange.book, exchange.parameters, terms, BOB, usd(25)) == usd(20)
    assert redeem(exchange.book, terms, ALICE, usd(60)) == usd(40)


@pytest.mark.parametrize(("lots", "price"), [(500, 170.2), (-500, 29.8)])
def test_nobody_leaves_while_a_sides_gains_are_too_large(lots: int, price: float) -> None:
    world = provided(100_000, reserve=10_000_000)
    world.trade(BOB, lots)
    world.set_price(price)

    assert leave(world, ALICE, 1) == 0

    world.set_price(100)

    assert leave(world, ALICE, 1) > 0


def test_nobody_enters_while_a_sides_gains_are_too_large() -> None:
    world = provided(100_000, reserve=10_000_000)
    world.trade(BOB, 500)
    world.set_price(190.2)

    assert enter(world, CAROL, 100) == 0

    world.set_price(189.8)

    assert enter(world, CAROL, 100) > 0


@pytest.mark.parametrize(
    ("lots", "price", "free"),
    [(450, 100, 0), (450, 120, 0), (225, 100, 50_000), (225, 120, 40_000), (-225, 120, 50_000)],
)
def test_exits_leave_what_open_interest_needs(lots: int, price: float, free: float) -> None:
    world = provided(100_000)
    world.trade(BOB, lots)
    world.set_price(price)
    terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert terms.free == pytest.approx(usd(free), abs=1)


def test_exits_leave_what_gains_need() -> None:
    world = provided(100_000, reserve=10_000_000)
    world.trade(BOB, 500)
    world.set_price(135)
    terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert terms.free == pytest.approx(usd(50_000), abs=1)


def test_shares_are_locked_for_a_time_after_each_deposit() -> None:
    world = provided(1_000)
    enter(world, ALICE, 10, time=500.0)

    assert leave(world, ALICE, 1, time=4_099.0) == 0
    assert leave(world, ALICE, 1, time=4_100.0) == usd(1)


def test_one_accounts_lock_is_not_anothers() -> None:
    world = provided(1_000, 1_000)
    enter(world, ALICE, 10, time=500.0)

    assert leave(world, BOB, 1, time=600.0) == usd(1)


@pytest.mark.parametrize("loss", [10_000, 10_001])
def test_a_pool_worth_nothing_takes_no_deposits_and_pays_no_exits(loss: int) -> None:
    world = provided(10_000)
    move_cash(world.book, world.pool, CAROL, usd(loss))

    assert enter(world, CAROL, 100) == 0
    assert leave(world, ALICE, 100) == 0


@given(
    st.lists(st.tuples(st.integers(-200, 200), st.integers(1, 10**5), st.integers(80, 125)), max_size=6),
    st.integers(0, 2_000),
)
def test_entering_and_leaving_a_pool_at_once_gains_nothing(
    steps: list[tuple[int, int, int]], spread: int
) -> None:
    world = provided(100_000, spread=spread)
    world.locks = open_locks(world.book)
    for lots, amount, value in steps:
        if lots:
            world.trade(BOB, lots)
        world.set_price(value)
        before = world.book.cash[CAROL]
        terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)
        bought = deposit(world.book, world.parameters, terms, CAROL, amount)
        after = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)
        redeem(world.book, after, CAROL, bought)

        assert world.book.cash[CAROL] <= before
        assert world.broken() == []


def test_pools_that_serve_two_markets_have_one_worth() -> None:
    world = Pools(1e6, 1e6, liquidity=0, prices=(100.0, 10.0), **FREE)
    world.book.counterparty[1] = world.pool
    enter(world, ALICE, 100_000)
    world.trade(BOB, 100, market=0)
    world.trade(BOB, -1_000, market=1)
    world.set_price(101, 0)
    world.set_price(9, 1)
    terms = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert terms.cheap == usd(100_000 - 100 - 1_000)
    assert np.unique(world.book.counterparty).tolist() == [world.pool]
