"""Edge cases of what stops: gates after a debt, a venue that halts, accounts under liquidation."""

import numpy as np
import pytest
from preset_venue import ORDER_BOOKS, PRESETS, against, borne, liquidate, opened, tell
from venue import ALICE, BOB, CAROL, DAVE, ERIN, equity, hold, integers, nobody, place, risk, usd

from protocol.book import VAULT
from protocol.exchange import Exchange
from protocol.orders import NONE

pytestmark = pytest.mark.kernel


def owing(market: int) -> Exchange:
    """On dYdX bitcoin stands alone with its own fund, nobody is deleveraged, and ALICE owes 2,000 USD."""
    alone = ("markets.BTC.isolated=true", "adl.rule=none")
    exchange = opened("dydx_v4", 3_000, *[1e6] * 4, insurance=1e6, overrides=alone)
    hold(exchange, ALICE, BOB, 1_000, 100 if market == 0 else 50, market=market)
    hold(exchange, CAROL, DAVE, 10, 50, market=1)
    tell(exchange, *((95, 50) if market == 0 else (100, 45)), time=60.0)
    liquidate(exchange)
    return exchange


def test_a_debt_in_an_isolated_pool_gates_that_pool_and_no_other() -> None:
    """The fund of the cross pool has a million and pays nothing for it either."""
    exchange = owing(market=0)
    taken = [exchange.withdraw(account, usd(1), 60.0) for account in (BOB, CAROL, ERIN)]

    assert equity(exchange, ALICE) == -2_000
    assert taken == [0, usd(1), usd(1)]
    assert exchange.withdraw(BOB, usd(1), 109.0) == 0
    assert exchange.withdraw(BOB, usd(1), 110.0) == usd(1)


def test_a_debt_in_the_cross_pool_gates_everybody_but_the_isolated() -> None:
    exchange = owing(market=1)
    hold(exchange, ERIN, BOB, 1)
    taken = [exchange.withdraw(account, usd(1), 60.0) for account in (CAROL, DAVE, ERIN)]

    assert equity(exchange, ALICE) == -2_000
    assert taken == [0, 0, usd(1)]


def stopped(preset: str, resort: str) -> Exchange:
    """ALICE fails, and is under liquidation where that takes time; then the venue sees a debt nobody pays."""
    chosen = (f"last_resort={resort}", "adl.rule=none", "venue.settlement_delay=2s")
    exchange = opened(preset, 6_000, 1e6, 1e6, 1e6, 1e6, pool=1e6, overrides=chosen)
    tell(exchange, 100, 50, time=30.0)
    hold(exchange, ALICE, against(exchange), 1_000)
    tell(exchange, 96.5, 50, time=60.0)
    place(exchange, BOB, 10, 0 if preset == "synthetix_v3" else 95)
    liquidate(exchange, CAROL)
    exchange.halted = resort == "halt"
    return exchange


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("resort", ["halt", "gate"])
def test_a_venue_that_halts_stops_everything_and_one_that_goes_on_does_not(preset: str, resort: str) -> None:
    """A new order, one that was waiting, the next liquidation, a withdrawal and an exit from the pool."""
    exchange = stopped(preset, resort)
    goes_on = resort == "gate"
    purse = VAULT if preset in ORDER_BOOKS else int(exchange.book.counterparty[0])
    exchange.buy_shares(ERIN, purse, usd(1_000))
    before = exchange.book.size.copy()
    tell(exchange, 94, 50, time=90.0)
    exchange.usable = exchange.usable._replace(trade=np.ones(2, np.bool_))
    exchange.trade(NONE, nobody(exchange), 1, integers())
    place(exchange, CAROL, -5)
    tell(exchange, 94, 50, time=93.0)
    exchange.trade(NONE, nobody(exchange), 1, integers())
    traded = (exchange.book.size != before)[:, [BOB, CAROL]].any(axis=0).tolist()
    cascade = liquidate(exchange, CAROL, rounds=3)

    assert exchange.halted is not goes_on
    assert traded == [goes_on] * 2
    assert (len(cascade.liquidations) > 0) is goes_on
    assert exchange.withdraw(ERIN, usd(1), 1e6) == (usd(1) if goes_on else 0)
    assert (exchange.sell_shares(ERIN, purse, usd(10)) > 0) is (goes_on and preset != "hyperliquid")
    exchange.check(1, 0)


@pytest.mark.parametrize("preset", [*ORDER_BOOKS, "drift"])
@pytest.mark.parametrize("resort", ["halt", "gate"])
def test_only_a_venue_whose_last_resort_is_to_halt_does_so_over_a_debt(preset: str, resort: str) -> None:
    """3,000 USD behind 1,000 lots from 100, at 95; no fund, nobody is deleveraged."""
    chosen = (f"last_resort={resort}", "adl.rule=none", "backstop.rule=none")
    exchange = opened(preset, 3_000, 1e6, 1e6, overrides=chosen)
    hold(exchange, ALICE, BOB, 1_000)
    tell(exchange, 95, 50, time=60.0)
    cascade = liquidate(exchange, CAROL, rounds=12)

    assert borne(cascade) == {}
    assert risk(exchange, ALICE)[0] < 0
    assert exchange.halted is (resort == "halt")
    exchange.check(1, 0)


def flagged() -> Exchange:
    """ALICE has been flagged at 96 and waits for her 719 lots to be closed."""
    exchange = opened("synthetix_v3", 6_000, 1e6, 1e6, pool=1e6)
    hold(exchange, ALICE, against(exchange), 1_000)
    tell(exchange, 96, 50, time=60.0)
    liquidate(exchange, CAROL)
    return exchange


def test_a_flagged_account_takes_nothing_out_when_the_price_returns() -> None:
    """At 120, before keepers come again, 719 lots have gained 24 USD each; the gain is the pool's."""
    exchange = flagged()
    tell(exchange, 120, 50, time=120.0)
    liquidate(exchange)

    assert risk(exchange, ALICE)[0] == usd(719 * 24)
    assert exchange.withdraw(ALICE, usd(1e6), 120.0) == 0


def test_a_flagged_account_brings_no_money_that_the_pool_would_seize() -> None:
    exchange = flagged()
    before = exchange.book.flows.copy()
    exchange.deposit(ALICE, usd(20_000))

    assert exchange.book.flows.tolist() == before.tolist()
    assert risk(exchange, ALICE)[0] == 0
    exchange.check(1, 0)
