"""Edge cases of the oracle under every preset: no price, an old price, and what hangs on it."""

import numpy as np
import pytest
from preset_venue import COLLATERAL, ORDER_BOOKS, POOLS, PRESETS, against, liquidate, opened, tell
from venue import ALICE, BOB, CAROL, hold, integers, nobody, place, quote, usd

from protocol.collateral import deposit_asset
from protocol.exchange import Exchange
from protocol.orders import NONE

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("price", [0.0, -5.0])
def test_a_feed_without_a_positive_price_changes_nothing(preset: str, price: float) -> None:
    exchange = opened(preset, 6_000, 1e6, 1e6, pool=1e6)
    hold(exchange, ALICE, against(exchange), 1_000)
    tell(exchange, price, 50, time=60.0)
    cascade = liquidate(exchange, CAROL)

    assert exchange.book.oracle.tolist() == exchange.book.mark.tolist() == [usd(100), usd(50)]
    assert len(cascade.liquidations) == 0


STILL = [
    ("dydx_v4", 3_600, True),
    ("hyperliquid", 3_600, True),
    ("drift", 3_600, True),
    ("gmx_v2", 300, True),
    ("gmx_v2", 301, False),
    ("synthetix_v3", 60, True),
    ("synthetix_v3", 61, False),
]


@pytest.mark.parametrize(("preset", "age", "goes_on"), STILL)
def test_liquidation_goes_on_at_an_old_price_where_the_venue_lets_it(
    preset: str, age: int, goes_on: bool
) -> None:
    """Drift liquidates on stale prices, GMX up to 300 s, Synthetix up to 60 s; the others know no age."""
    exchange = opened(preset, 100, 1e6, 1e6, pool=1e6)
    hold(exchange, ALICE, against(exchange), 100)
    exchange.book.cash[ALICE] -= usd(60)
    exchange.book.cash[BOB] += usd(60)
    tell(exchange, 100, 50, time=1.0)
    fresh = float(exchange.prices.feed.observed[0])
    tell(exchange, 1, 1, time=fresh + age, silent=True)
    if preset in ORDER_BOOKS:
        quote(exchange, CAROL, (100, 100))
    cascade = liquidate(exchange, CAROL)

    assert exchange.book.oracle[0] == usd(100)
    assert bool(cascade.liquidations["filled"].any()) is goes_on


OLDEST = {"dydx_v4": np.inf, "hyperliquid": np.inf, "drift": 48, "gmx_v2": 300, "synthetix_v3": 3_600}


def silent_for(exchange: Exchange, age: float) -> None:
    """Let the price grow this old [s]."""
    tell(exchange, 100, 50, time=1.0)
    observed = float(exchange.prices.feed.observed[0])
    tell(exchange, 100, 50, time=observed + age, silent=True)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("late", [0, 1])
def test_an_oracle_that_is_down_stops_withdrawals_against_a_position(preset: str, late: int) -> None:
    """Who holds nothing needs no price."""
    exchange = opened(preset, 1e5, 1e5, 1e5, pool=1e6)
    hold(exchange, ALICE, against(exchange), 1)
    silent_for(exchange, min(OLDEST[preset], 86_400) + late)
    stopped = late and np.isfinite(OLDEST[preset])

    assert exchange.withdraw(ALICE, usd(1), exchange.prices.time) == (0 if stopped else usd(1))
    assert exchange.withdraw(CAROL, usd(1), exchange.prices.time) == usd(1)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("late", [0, 1])
def test_an_oracle_that_is_down_stops_borrowing_against_an_asset(preset: str, late: int) -> None:
    """Without a position the price that margin hangs on is the asset's; 100 ether at 50 USD count 4,000."""
    exchange = opened(preset, 0, 1e5, 1e5, pool=1e6, overrides=(COLLATERAL,))
    deposit_asset(exchange.book, ALICE, 1, 100)
    silent_for(exchange, min(OLDEST[preset], 86_400) + late)
    stopped = late and np.isfinite(OLDEST[preset])

    assert exchange.withdraw(ALICE, usd(1e6), exchange.prices.time) == (0 if stopped else usd(4_000))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("late", [0, 1])
def test_an_oracle_that_is_down_keeps_an_asset_that_counts_where_it_is(preset: str, late: int) -> None:
    exchange = opened(preset, 0, 1e5, 1e5, pool=1e6, overrides=(COLLATERAL,))
    deposit_asset(exchange.book, ALICE, 1, 100)
    silent_for(exchange, min(OLDEST[preset], 86_400) + late)
    stopped = late and np.isfinite(OLDEST[preset])

    assert exchange.withdraw_asset(ALICE, 1, 60, exchange.prices.time) == (0 if stopped else 60)
    assert exchange.book.collateral[1, ALICE] == (100 if stopped else 40)


@pytest.mark.parametrize("preset", ["drift", *POOLS])
@pytest.mark.parametrize("late", [0, 1])
def test_an_oracle_that_is_down_stops_those_who_enter_and_leave_a_pool(preset: str, late: int) -> None:
    exchange = opened(preset, 1e5, 1e5, 1e5)
    pool = int(exchange.book.counterparty[0])
    exchange.buy_shares(ALICE, pool, usd(1_000))
    silent_for(exchange, OLDEST[preset] + late)

    assert exchange.sell_shares(ALICE, pool, usd(100)) == (0 if late else usd(100))
    assert exchange.buy_shares(BOB, pool, usd(100)) == (0 if late else usd(100))


def test_an_order_of_synthetix_never_settles_at_a_price_from_before_its_commitment() -> None:
    """The price of settlement is that of two seconds after the commitment; without one the order lapses."""
    exchange = opened("synthetix_v3", 1e5, pool=1e6)
    tell(exchange, 100, 50, time=60.0)
    committed = place(exchange, ALICE, 10)
    tell(exchange, 120, 50, time=120.0, silent=True)
    late = exchange.trade(NONE, nobody(exchange), 1, integers())

    assert (len(committed), len(late)) == (0, 0)
    assert exchange.book.size[0, ALICE] == 0
