"""What rests while the guardian has paused it, and what it costs."""

import numpy as np
import pytest
from campaign import Campaign
from campaign_world import World
from preset_venue import PRESETS, against, opened, tell
from preset_venue import liquidate as liquidate_by
from venue import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    hold,
    integers,
    liquidate,
    place,
    quote,
    risk,
    set_price,
    update,
    usd,
    venue,
)

from protocol.book import COUNTERPARTY, VAULT, WITHDRAWALS, market_accounts
from protocol.exchange import Exchange
from protocol.governance.guardian import SCOPES, Scope
from protocol.laws.invariants import violated
from protocol.orders import IMMEDIATE, orders
from protocol.prices.oracle import PushRule, calm_reading
from protocol.scan import liquidatable
from sim.streams import stream

pytestmark = pytest.mark.kernel
HOUR = 3600.0


def paused(exchange: Exchange, *scopes: Scope, until: float = HOUR) -> Exchange:
    """Let parts of a venue rest."""
    for scope in scopes:
        exchange.pauses.begin(scope, until)
    return exchange


def crowd() -> Exchange:
    """ALICE is long 10 against BOB at 100; CAROL, DAVE and ERIN have money and no position."""
    exchange = venue(5_000, 5_000, 5_000, 5_000, 5_000)
    hold(exchange, ALICE, BOB, 10)
    return exchange


def test_while_trading_rests_positions_close_and_change_hands_but_none_is_opened() -> None:
    exchange = paused(crowd(), "trading")
    quote(exchange, CAROL, (5, 100), (-5, 101))
    opening = place(exchange, DAVE, 3, 101, kind=IMMEDIATE)
    handing = place(exchange, ALICE, -3, 100, kind=IMMEDIATE)
    closing = place(exchange, BOB, 3, 101, kind=IMMEDIATE)

    assert len(opening) == 0
    assert [len(handing), len(closing)] == [1, 1]
    assert exchange.book.size[0, [ALICE, BOB, CAROL, DAVE]].tolist() == [7, -7, 0, 0]
    assert exchange.book.open_interest[0] == 7


def test_a_resting_order_opens_nothing_either() -> None:
    exchange = crowd()
    quote(exchange, CAROL, (-5, 101))
    paused(exchange, "trading")
    fills = place(exchange, DAVE, 5, 101, kind=IMMEDIATE)

    assert len(fills) == 0
    assert exchange.book.open_interest[0] == 10


def test_trading_goes_on_when_its_pause_is_over() -> None:
    exchange = paused(crowd(), "trading", until=60.0)
    quote(exchange, CAROL, (-5, 101))
    during = place(exchange, DAVE, 5, 101, kind=IMMEDIATE)
    update(exchange, 100, 60.0)
    quote(exchange, CAROL, (-5, 101))

    assert len(during) == 0
    assert len(place(exchange, DAVE, 5, 101, kind=IMMEDIATE)) == 1
    assert exchange.parameters.open_interest_cap.tolist() == [0]


def take(exchange: Exchange, account: int, size: int) -> int:
    """Trade at the market; returns the lots filled."""
    batch = orders(integers(account), 0, integers(size), kind=IMMEDIATE)
    fills = exchange.trade(batch, np.zeros(len(exchange.book.cash), np.bool_), 1, integers(0))
    return int(np.abs(fills["size"]).sum())


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in ("dydx_v4", "hyperliquid")])
def test_no_pool_takes_the_other_side_of_a_balancing_position_while_trading_rests(preset: str) -> None:
    overrides = ("venue.settlement_delay=0s",) if preset == "synthetix_v3" else ()
    exchange = opened(preset, 1e5, 1e5, pool=1e7, overrides=overrides)
    tell(exchange, 100.0, 50.0, time=60.0)
    before = take(exchange, ALICE, 10)
    paused(exchange, "trading")
    during = take(exchange, BOB, -3)

    assert (before, during) == (10, 0)
    assert take(exchange, ALICE, -4) == 4
    assert exchange.book.size[0, ALICE] == 6
    exchange.pauses.end("trading", exchange.prices.time)
    assert take(exchange, BOB, -3) == 3


@pytest.mark.parametrize("scope", SCOPES)
def test_only_a_pause_of_withdrawals_keeps_money_in(scope: Scope) -> None:
    exchange = paused(venue(5_000, prices=(100.0, 50.0)), scope)
    weights = {name: integers(0, 900_000) for name in ("weight_initial", "weight_maintenance")}
    exchange.enact(exchange.parameters._replace(**weights))
    exchange.deposit_asset(ALICE, 1, 4, usd(50))
    pool = int(market_accounts(2, COUNTERPARTY)[0])
    for purse in (VAULT, pool):
        assert exchange.buy_shares(ALICE, purse, usd(100)) == usd(100)
    taken = (
        exchange.withdraw(ALICE, usd(10), 0.0),
        exchange.withdraw_asset(ALICE, 1, 1, 0.0),
        exchange.sell_shares(ALICE, VAULT, usd(10)),
        exchange.sell_shares(ALICE, pool, usd(10)),
    )

    assert taken == ((0, 0, 0, 0) if scope == "withdrawals" else (usd(10), 1, usd(10), usd(10)))
    assert exchange.deposit(ALICE, usd(10)) == usd(10)


def test_withdrawals_go_on_when_their_pause_is_over() -> None:
    exchange = paused(venue(5_000), "withdrawals", until=60.0)
    update(exchange, 100, 60.0)

    assert exchange.withdraw(ALICE, usd(10), 59.0) == 0
    assert exchange.withdraw(ALICE, usd(10), 60.0) == usd(10)


def falling() -> Exchange:
    """ALICE is long 100 lots with 500 USD; CAROL's bids stand at 96 and, the market gone, at 90."""
    exchange = venue(500, 1e6, 1e6, insurance=0, rules={"adl": "none"}, liquidation_share=1_000_000)
    hold(exchange, ALICE, BOB, 100)
    return exchange


def test_while_liquidations_rest_nobody_is_closed_and_all_are_still_counted() -> None:
    exchange = paused(falling(), "liquidations")
    quote(exchange, CAROL, (100, 96))
    set_price(exchange, 96)
    cascade = liquidate(exchange, rounds=5)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == [ALICE]
    assert (cascade.rounds, len(cascade.liquidations), cascade.truncated) == (0, 0, False)
    assert exchange.book.size[0, ALICE] == 100
    assert len(liquidate(exchange, rounds=5, time=HOUR).liquidations) > 0


def test_trading_while_liquidations_rest_leaves_no_idle_order_behind() -> None:
    exchange = paused(crowd(), "liquidations")
    quote(exchange, CAROL, (20, 100))
    place(exchange, ALICE, -10, 103, reduce_only=True)
    place(exchange, ALICE, -10, 100, kind=IMMEDIATE)
    liquidate(exchange)

    assert exchange.book.size[0, ALICE] == 0
    assert violated(exchange.book, exchange.venue) == []


def debt(pause: bool) -> float:
    """What ALICE owes after a fall from 100 to 96 and on to 90 [USD]."""
    exchange = paused(falling(), "liquidations", until=60.0) if pause else falling()
    for time, price in ((0.0, 96.0), (60.0, 90.0)):
        exchange.venue.cancel(np.arange(len(exchange.book.cash)) == CAROL, 0)
        quote(exchange, CAROL, (100, price))
        set_price(exchange, price)
        liquidate(exchange, rounds=10, time=time)
    return max(-risk(exchange, ALICE)[0] / 1e6, 0.0)


def test_a_pause_of_liquidations_in_a_fall_makes_debt_of_what_was_a_margin() -> None:
    """Closed at 96 the loss of 400 is covered by 500; after the pause, at 90, a thousand is lost."""
    assert debt(pause=False) == 0.0
    assert debt(pause=True) == pytest.approx(500.0, abs=1.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_liquidations_of_every_preset_rest(preset: str) -> None:
    exchange = opened(preset, 1_000, 1e6, 1e4, pool=1e6, insurance=1e4, vault=1e4)
    hold(exchange, ALICE, against(exchange), 100)
    tell(exchange, 90.5, 50.0, time=60.0)
    book = exchange.book
    failing = liquidatable(book, exchange.parameters).tolist()
    paused(exchange, "liquidations")
    before = [column.copy() for column in book]
    cascade = liquidate_by(exchange, DAVE, ERIN, rounds=3)

    assert failing == [ALICE]
    assert len(cascade.liquidations) + len(cascade.deleverages) + len(cascade.payments) == 0
    assert all((was == now).all() for was, now in zip(before, book, strict=True))


def test_while_the_oracle_rests_its_price_stays_and_grows_old() -> None:
    exchange = paused(crowd(), "oracle")
    update(exchange, 90, 60.0)

    assert exchange.book.oracle.tolist() == exchange.book.mark.tolist() == [usd(100)]
    assert exchange.prices.feed.observed.tolist() == [0.0]
    assert exchange.prices.time == 60.0
    update(exchange, 90, HOUR)
    assert exchange.book.oracle.tolist() == [usd(90)]


def test_a_price_on_its_way_arrives_after_the_pause_of_the_oracle() -> None:
    exchange = crowd()
    exchange.prices.rules = exchange.prices.rules._replace(feed=PushRule(0.0, HOUR, 90.0))
    update(exchange, 90, 60.0)
    paused(exchange, "oracle", until=240.0)
    found = []
    for time in (180.0, 240.0):
        exchange.update_prices(calm_reading(integers(usd(80))), time)
        found.append(exchange.book.oracle.tolist()[0] / 1e6)

    assert found == [100.0, 90.0]


def test_the_oracle_of_every_preset_rests() -> None:
    for preset in PRESETS:
        exchange = paused(opened(preset, 1e4, pool=1e6), "oracle")
        tell(exchange, 91.0, 40.0, time=60.0)

        assert exchange.book.oracle.tolist() == [usd(100), usd(50)]


class Paused(Campaign):
    """A world in which parts rest at random; what rests is checked."""

    def step(self) -> None:
        pauses, book = self.exchange.pauses, self.exchange.book
        now = self.time + 60.0
        for scope in SCOPES:
            if self.draws.random() < 0.2:
                pauses.begin(scope, now + 60.0 * float(self.draws.integers(1, 4)))
        rests = {scope: pauses.holds(scope, now) for scope in SCOPES}
        interest, oracle = book.open_interest.copy(), book.oracle.copy()
        paid, closed = int(book.flows[WITHDRAWALS]), self._closed()
        super().step()
        self.seen.update(f"{scope} rested" for scope, holds in rests.items() if holds)

        assert not rests["trading"] or (book.open_interest <= interest).all()
        assert not rests["withdrawals"] or book.flows[WITHDRAWALS] == paid
        assert not rests["oracle"] or (book.oracle == oracle).all()
        assert not rests["liquidations"] or self._closed() == closed

    def _closed(self) -> int:
        """How many liquidations and deleveragings there were."""
        return sum(n for name, n in self.seen.items() if name.startswith(("liquidation ", "deleveraged")))


@pytest.mark.parametrize("preset", PRESETS)
def test_random_worlds_in_which_parts_rest_break_no_law(preset: str) -> None:
    here = Paused(World(preset, 5, frozenset({"jumps", "assets", "crashes"})))
    here.draws = stream(5, "pauses", preset)
    seen = here.run(80)

    assert all(seen[f"{scope} rested"] >= 10 for scope in SCOPES)
    assert seen["fills"] > 30
    assert seen["withdrawals"] > 10
