"""What prices, funding and cash moves may do: each law names what is planted against it."""

from collections.abc import Callable

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, hold, integers, quote, update, usd, venue

from protocol.book import VAULT, WITHDRAWALS, move_cash
from protocol.exchange import Exchange
from protocol.laws.audit import (
    PRICE_LAWS,
    TRANSFER_LAWS,
    broken_by_prices,
    broken_by_transfers,
    resting_accounts,
    snapshot,
)
from protocol.laws.invariants import violated
from protocol.prices.guards import GuardRule, Guards

pytestmark = pytest.mark.kernel


def sound() -> Exchange:
    """A venue in use: a position, quotes, an insurance fund, and a vault with a depositor."""
    exchange = venue(1e4, 1e4, 1e4, insurance=100)
    hold(exchange, ALICE, BOB, 30)
    quote(exchange, ALICE, (5, 99), (-5, 101))
    exchange.buy_shares(CAROL, VAULT, usd(1_000))
    return exchange


def move_a_position(exchange: Exchange) -> None:
    hold(exchange, ALICE, BOB, 1)


def run_the_feed_backwards(exchange: Exchange) -> None:
    exchange.prices.feed = exchange.prices.feed._replace(observed=np.array([-1.0]))


def report_from_the_future(exchange: Exchange) -> None:
    exchange.prices.feed = exchange.prices.feed._replace(observed=np.array([61.0]))


def use_an_old_price(exchange: Exchange) -> None:
    guards = Guards(trade=GuardRule(max_age=-1.0))
    exchange.rules = exchange.rules._replace(prices=exchange.rules.prices._replace(guards=guards))


def charge_at_once(exchange: Exchange) -> None:
    move_cash(exchange.book, BOB, ALICE, 1)


def raise_maintenance_above_initial(exchange: Exchange) -> None:
    exchange.parameters = exchange.parameters._replace(maintenance=integers(30_000))


PRICE_VIOLATIONS = [
    (move_a_position, "positions_stay"),
    (run_the_feed_backwards, "feed_runs_forward"),
    (report_from_the_future, "feed_runs_forward"),
    (use_an_old_price, "guards_refuse_old_prices"),
    (charge_at_once, "funding_waits_for_its_account"),
    (raise_maintenance_above_initial, "parameters_within_bounds"),
]


def pay_behind_the_gate(exchange: Exchange) -> None:
    exchange.withdraw(CAROL, 1, 60.0)
    exchange.gates.cross = 61.0


def pay_a_halted_venue(exchange: Exchange) -> None:
    exchange.withdraw(CAROL, 1, 60.0)
    exchange.halted = True


def sell_shares_behind_the_gate(exchange: Exchange) -> None:
    exchange.sell_shares(CAROL, VAULT, usd(1))
    exchange.gates.cross = 61.0


def withdraw_margin(exchange: Exchange) -> None:
    exchange.book.cash[ALICE] -= usd(9_950)
    exchange.book.flows[WITHDRAWALS] += usd(9_950)


def spend_the_margin_of_the_vault(exchange: Exchange) -> None:
    hold(exchange, VAULT, CAROL, 100)
    exchange.book.size[0, [VAULT, CAROL]] = 0
    move_cash(exchange.book, VAULT, CAROL, usd(2_000))


def pay_with_insurance(exchange: Exchange) -> None:
    exchange.book.cash[CAROL] -= usd(30_050)
    exchange.book.flows[WITHDRAWALS] += usd(30_050)


def give_shares_away(exchange: Exchange) -> None:
    exchange.book.shares[0, CAROL] += usd(1)


def take_from_the_vault(exchange: Exchange) -> None:
    move_cash(exchange.book, VAULT, CAROL, 1)


TRANSFER_VIOLATIONS = [
    (move_a_position, "positions_stay"),
    (pay_behind_the_gate, "gate_holds_withdrawals"),
    (pay_a_halted_venue, "gate_holds_withdrawals"),
    (sell_shares_behind_the_gate, "gate_holds_withdrawals"),
    (withdraw_margin, "leavers_keep_their_margin"),
    (spend_the_margin_of_the_vault, "leavers_keep_their_margin"),
    (pay_with_insurance, "withdrawals_come_from_the_pool"),
    (give_shares_away, "shares_are_not_diluted"),
    (take_from_the_vault, "shares_are_not_diluted"),
]


def names(broken: list[str]) -> set[str]:
    return {line.split(":")[0] for line in broken}


def test_a_block_of_a_sound_venue_breaks_nothing() -> None:
    exchange = sound()
    before = snapshot(exchange)
    update(exchange, 103)
    exchange.advance_funding(3_600.0)

    assert broken_by_prices(before, exchange) == []

    before = snapshot(exchange)
    exchange.withdraw(CAROL, usd(100), 60.0)
    exchange.deposit(BOB, usd(50))
    exchange.buy_shares(BOB, VAULT, usd(40))
    exchange.sell_shares(CAROL, VAULT, usd(30))

    assert broken_by_transfers(before, exchange) == []
    assert violated(exchange.book, exchange.venue) == []


@pytest.mark.parametrize(("plant", "name"), PRICE_VIOLATIONS)
def test_a_violation_by_prices_is_named(plant: Callable[[Exchange], None], name: str) -> None:
    exchange = sound()
    before = snapshot(exchange)
    update(exchange, 100)
    plant(exchange)

    assert name in names(broken_by_prices(before, exchange))


@pytest.mark.parametrize(("plant", "name"), TRANSFER_VIOLATIONS)
def test_a_violation_by_transfers_is_named(plant: Callable[[Exchange], None], name: str) -> None:
    exchange = sound()
    update(exchange, 100)
    before = snapshot(exchange)
    plant(exchange)

    assert name in names(broken_by_transfers(before, exchange))


def test_every_law_of_prices_and_transfers_has_a_violation() -> None:
    assert {law.__name__ for law in PRICE_LAWS} == {name for _, name in PRICE_VIOLATIONS}
    assert {law.__name__ for law in TRANSFER_LAWS} == {name for _, name in TRANSFER_VIOLATIONS}


def test_a_snapshot_stays_when_the_venue_moves_on() -> None:
    exchange = sound()
    before = snapshot(exchange)
    cash, risk = before.book.cash.copy(), before.risk.copy()
    update(exchange, 130)
    hold(exchange, BOB, CAROL, 4)

    assert (before.book.cash == cash).all()
    assert (before.risk == risk).all()
    assert before.book.oracle.tolist() == [usd(100)]
    assert before.feed.price.tolist() == [usd(100)]


def test_accounts_rest_while_they_have_an_order() -> None:
    exchange = sound()
    found = resting_accounts(exchange.venue, len(exchange.book.cash))

    assert np.flatnonzero(found).tolist() == [ALICE]
