"""From settings to integers: units, parameters, rules, and an empty venue."""

import numpy as np
import pytest
from small import calm, crash

from protocol.arithmetic import MICRO
from protocol.parameters import violations
from sim.venue import grid, micro, open_exchange, ppm, risk_parameters, rules

COARSE_ETHER = "protocol.markets.ETH={lot: 0.01, tick: 0.05}"


def test_prices_are_counted_in_millionths_of_a_dollar_per_lot() -> None:
    units = grid(calm().protocol)

    assert units.names == ("BTC", "ETH")
    assert units.tick.tolist() == [100, 100]
    assert units.price(np.array([42000.0, 2300.0])).tolist() == [4_200_000, 2_300_000]


def test_units_follow_lot_and_tick() -> None:
    units = grid(calm(COARSE_ETHER).protocol)

    assert units.tick.tolist() == [100, 500]
    assert units.price(np.array([1.0, 1.0])).tolist() == [100, 10_000]


def test_a_price_survives_the_round_trip_to_the_nearest_unit() -> None:
    units = grid(calm().protocol)
    usd = np.array([41_234.567_89, 2_345.678_9])

    np.testing.assert_allclose(units.usd(units.price(usd)), usd, rtol=2e-7)


def test_money_and_shares_become_integers() -> None:
    assert micro(1.2345678) == 1_234_568
    assert ppm(-0.00011) == -110


def test_parameters_carry_the_settings_in_their_units() -> None:
    found = risk_parameters(crash().protocol)

    assert found.initial.tolist() == [50_000, 50_000]
    assert found.maintenance.tolist() == [30_000, 30_000]
    assert found.impact_notional.tolist() == [10_000 * MICRO] * 2
    assert (found.taker_fee, found.maker_fee) == (500, -110)
    assert (found.liquidation_minimum, found.liquidation_maximum) == (1_000 * MICRO, 100_000 * MICRO)
    assert (found.liquidation_share, found.liquidation_fee) == (100_000, 15_000)
    assert (found.backstop_trigger, found.backstop_loss_share) == (666_667, 100_000)
    assert found.backstop_reserve == 1_000_000
    assert (found.funding_default, found.funding_clamp) == (100, 6_000_000)
    assert violations(found) == []


def test_without_takeover_nothing_triggers_the_backstop() -> None:
    assert risk_parameters(calm().protocol).backstop_trigger == 0


def test_rules_carry_names_and_clocks() -> None:
    found = rules(crash("protocol.adl.rule=ranked", "protocol.last_resort=socialise").protocol)

    assert (found.adl, found.last_resort, found.backstop, found.mark) == (
        "ranked",
        "socialise",
        "takeover",
        "oracle",
    )
    assert (found.feed.deviation, found.feed.heartbeat, found.feed.delay) == (0.001, 3600.0, 40.0)
    assert (found.funding_interval, found.withdrawal_gate) == (3600, 50)


@pytest.mark.parametrize("accounts", [4, 1000])
def test_a_new_venue_is_empty_and_priced(accounts: int) -> None:
    settings = calm().protocol
    exchange = open_exchange(settings, grid(settings), np.array([42000.0, 2300.0]), accounts)

    assert exchange.book.cash.shape == (accounts,)
    assert not exchange.book.cash.any()
    assert not exchange.book.size.any()
    assert exchange.book.mark.tolist() == exchange.book.oracle.tolist() == [4_200_000, 2_300_000]
    exchange.check(0, 0)
