"""Edge cases of funding, debts, governance and open interest under every preset, worked by hand."""

import numpy as np
import pytest
from preset_venue import AT_ONCE, ORDER_BOOKS, PRESETS, against, borne, liquidate, opened, tell
from venue import ALICE, BOB, CAROL, DAVE, hold, integers, place, quote, risk, usd

from protocol.book import CLEARING, FEES, settle_funding
from protocol.exchange import Exchange
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel


def trading(preset: str, *deposits: float, overrides: tuple[str, ...] = (), **purses: float) -> Exchange:
    """A venue at 100 USD where market orders fill at once; DAVE quotes where there is nobody else."""
    deposits = (*deposits, *[1e7] * (3 - len(deposits)), 1e7)
    exchange = opened(preset, *deposits, overrides=(AT_ONCE, *overrides), pool=1e7, **purses)
    tell(exchange, 100, 50, time=60.0)
    requote(exchange)
    return exchange


def requote(exchange: Exchange) -> None:
    """Let DAVE bid and offer 1,000 lots at the oracle where a book has no other side."""
    price = exchange.book.oracle[0] / 1e6
    if not exchange.venue.automated and exchange.rules.waterfall.last_resort != "index":
        quote(exchange, DAVE, (1_000, price - 0.01), (-1_000, price + 0.01))


def filled(exchange: Exchange, account: int, lots: int, price: float = 0) -> int:
    """Lots that a market order fills."""
    return int(place(exchange, account, lots, price)["size"].sum())


def settle_everybody(exchange: Exchange) -> None:
    """Settle the funding of all accounts."""
    for account in range(len(exchange.book.cash)):
        settle_funding(exchange.book, account)


def pass_hours(exchange: Exchange, hours: int, price: float = 100.0) -> None:
    """Let funding accrue hour by hour at one price."""
    start = exchange.prices.time
    for hour in range(1, hours + 1):
        tell(exchange, price, 50, time=start + 3_600.0 * hour)
        exchange.advance_funding(exchange.prices.time)


@pytest.mark.parametrize("preset", PRESETS)
def test_nobody_owes_funding_for_the_time_without_open_interest(preset: str) -> None:
    exchange = trading(preset, 1e6, 1e6)
    money = exchange.book.cash.copy()
    pass_hours(exchange, 24)
    empty = exchange.book.cash - money
    hold(exchange, ALICE, against(exchange), 10)
    settle_everybody(exchange)

    assert not empty[ALICE:].any()
    assert exchange.book.cash[ALICE] == usd(1e6 - 1_000)
    assert exchange.book.cash[CLEARING] == 0
    exchange.check(1, 0)


def test_the_last_long_of_gmx_pays_no_funding_and_a_short_makes_it_pay() -> None:
    exchange = opened("gmx_v2", 1e6, 1e6, pool=1e7, overrides=("borrowing.enabled=false",))
    hold(exchange, ALICE, against(exchange), 1_000)
    pass_hours(exchange, 24)
    alone = exchange.book.funding[:, 0].tolist()
    hold(exchange, BOB, against(exchange), -500)
    pass_hours(exchange, 1)

    assert alone == [0, 0]
    assert (exchange.book.funding[:, 0] > 0).all()


def test_the_last_long_of_synthetix_pays_the_pool() -> None:
    """1,000 lots of a scale of 12,500 at 9 a day²: 0.03 a day after an hour, of which half on average holds
    for a 24th of a day on 100 USD, 0.0625 USD a lot."""
    exchange = opened("synthetix_v3", 1e6, pool=1e6)
    hold(exchange, ALICE, against(exchange), 1_000)
    pass_hours(exchange, 1)
    settle_everybody(exchange)

    assert exchange.book.cash[ALICE] == usd(1e6 - 100_000) - usd(62.5)
    assert exchange.book.cash[against(exchange)] == usd(1e6 + 100_000) + usd(62.5)
    assert exchange.book.cash[CLEARING] == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_thousands_of_accounts_of_one_lot_leave_dust_and_never_mint(preset: str) -> None:
    """Each settlement rounds down by less than a micro-USD; what is left stays with the venue."""
    crowd = 2_000
    exchange = opened(preset, *[10.0] * crowd, 1e7, 1e7, pool=1e7, prices=(99.999999, 50.0))
    maker = ALICE + crowd
    for account in range(ALICE, ALICE + crowd):
        side = 1 if account % 3 else -1
        other = maker if against(exchange) == BOB else against(exchange)
        hold(exchange, account, other, side, 99.999999)
    if preset in ORDER_BOOKS:
        quote(exchange, maker + 1, (500, 99.0), (-500, 101.7))
    before = int(exchange.book.cash.sum())
    pass_hours(exchange, 7, 99.999999)
    settle_everybody(exchange)
    settled = int(np.count_nonzero(exchange.book.size[0]))

    assert exchange.book.funding[:, 0].any()
    assert exchange.book.cash.sum() == before
    assert 0 <= exchange.book.cash[CLEARING] <= settled
    exchange.check(1, 0)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_debt_without_a_position_is_stuck_until_money_comes(preset: str) -> None:
    """Its maintenance is 0, so nobody liquidates it; it may neither trade nor take out, and no fund pays."""
    exchange = trading(preset, -500, insurance=1_000)
    cascade = liquidate(exchange, CAROL, rounds=3)
    refused = filled(exchange, ALICE, 1), exchange.withdraw(ALICE, usd(1), 1e6)
    exchange.deposit(ALICE, usd(500) - 1)
    short = filled(exchange, ALICE, 1), exchange.withdraw(ALICE, 1, 1e6)
    exchange.deposit(ALICE, usd(50) + 1)

    assert (len(cascade.liquidations), borne(cascade)) == (0, {})
    assert (refused, short) == ((0, 0), (0, 0))
    assert exchange.withdraw(ALICE, usd(100), 1e6) == usd(50)
    exchange.check(1, 0)


RAISED = {"dydx_v4": 250, "hyperliquid": 300, "drift": 600, "gmx_v2": 150, "synthetix_v3": 400}


@pytest.mark.parametrize("preset", PRESETS)
def test_raising_initial_margin_freezes_and_raising_maintenance_liquidates_at_once(preset: str) -> None:
    """100 lots at 100 USD with a little more than the initial margin of old."""
    exchange = trading(preset, RAISED[preset])
    hold(exchange, ALICE, against(exchange) if against(exchange) != BOB else CAROL, 100)
    free = risk(exchange, ALICE)
    exchange.enact(exchange.parameters._replace(initial=integers(150_000, 150_000)))
    frozen = liquidatable(exchange.book, exchange.parameters).tolist()
    grown, taken = filled(exchange, ALICE, 1), exchange.withdraw(ALICE, 1, 1e6)
    shrunk = filled(exchange, ALICE, -1)
    exchange.enact(exchange.parameters._replace(maintenance=integers(100_000, 100_000)))
    cascade = liquidate(exchange, CAROL)

    assert free[0] >= free[1]
    assert (frozen, grown, taken, shrunk) == ([], 0, 0, -1)
    assert np.unique(cascade.liquidations["account"]).tolist() == [ALICE]
    assert exchange.book.size[0, ALICE] < 99
    exchange.check(1, 0)


CAPS = {
    "dydx_v4": "markets.BTC.open_interest_cap=1005",
    "hyperliquid": "markets.BTC.open_interest_cap=1005",
    "drift": "markets.BTC.open_interest_cap=1005",
    "gmx_v2": "markets.BTC.pool.max_open_interest=1005",
    "synthetix_v3": "markets.BTC.open_interest_cap=1005",
}


@pytest.mark.parametrize("preset", PRESETS)
def test_at_the_cap_of_open_interest_nobody_opens_and_anybody_closes(preset: str) -> None:
    """1,005 USD are ten lots at 100; at a price of 120 ten lots are beyond it."""
    exchange = trading(preset, 1e6, 1e6, 1e6, overrides=(CAPS[preset],))
    first = [filled(exchange, ALICE, 10), filled(exchange, BOB, 1), filled(exchange, ALICE, -4)]
    then = [filled(exchange, BOB, 5), filled(exchange, BOB, 4)]
    tell(exchange, 120, 50, time=120.0)
    requote(exchange)

    assert first == [10, 0, -4]
    assert then[-1] == 4
    assert then[0] in (0, 4)
    assert [filled(exchange, CAROL, 1), filled(exchange, ALICE, -6)] == [0, -6]
    exchange.check(1, 0)


def both_sides(preset: str, *overrides: str) -> Exchange:
    """ALICE and BOB are one party with 10 M USD that holds 483 lots of 38,200 USD against itself; then the
    spot is pushed to 910,000 USD. CAROL has brought 120 M USD, and each pool 50 M."""
    chosen = (AT_ONCE, "fees={taker: 0, maker: 0}", "guards.withdraw={max_ratio: 0}", *overrides)
    exchange = opened(preset, 5e6, 5e6, 120e6, pool=5e7, prices=(38_200.0, 50.0), overrides=chosen)
    tell(exchange, 38_200, 50, time=60.0)
    place(exchange, BOB, -483, 0 if exchange.venue.automated else 38_200)
    place(exchange, ALICE, 483, 0 if exchange.venue.automated else 38_200)
    tell(exchange, 910_000, 50, time=120.0)
    return exchange


@pytest.mark.parametrize("preset", PRESETS)
def test_who_holds_both_sides_of_a_pumped_market_takes_out_all_that_others_brought(preset: str) -> None:
    """421 M USD are gained on paper, and as much is lost by the same party. Drift and GMX pay settled gains
    only, and without them ALICE is below initial margin."""
    exchange = both_sides(preset)
    held = int(exchange.book.flows[0] - exchange.book.cash[FEES])
    paid = exchange.withdraw(ALICE, usd(1e12), 120.0)
    drained = preset not in ("drift", "gmx_v2")

    assert exchange.book.size[0, [ALICE, BOB]].tolist() == [483, -483]
    assert paid == (held if drained else 0)
    assert exchange.withdraw(CAROL, usd(1), 120.0) == (0 if drained else usd(1))
    exchange.check(1, 0)


@pytest.mark.parametrize("preset", PRESETS)
def test_gains_that_do_not_count_keep_the_money_of_the_others_in(preset: str) -> None:
    exchange = both_sides(preset, "markets.BTC.gain_weight=0")

    assert exchange.withdraw(ALICE, usd(1e12), 120.0) == 0
    assert exchange.withdraw(CAROL, usd(1), 120.0) == usd(1)
