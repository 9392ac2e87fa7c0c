"""Liquidation against a pool: everything at once, at the oracle price, the pool bears what is missing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import NO_FEES, NO_IMPACT, SQUARE, Pools, rows
from venue import ALICE, integers, usd

from protocol.book import FEES, Rows
from protocol.liquidations.closes import Closes
from protocol.liquidations.record import COMPLETE, NO_OFFERS, Moment
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel

NOW = Moment(0.0, 1.0, 0, 0)


def close(world: Pools, *accounts: int, attempts: int = 50, ticket: int = 0, number: int = 0) -> Rows:
    """One round against these accounts, or against all below maintenance."""
    engine = Closes(world.venue, attempts)
    chosen = integers(*accounts) if accounts else liquidatable(world.book, world.parameters)
    return engine.round(world.book, world.parameters, chosen, Moment(0.0, 1.0, number, ticket))


def failing(price: float, side: int = 1, **rule: Any) -> Pools:
    """ALICE holds 100 lots at 100 with a collateral of 100 USD after fees, and the price has moved."""
    world = Pools(106, **(NO_IMPACT | rule))
    world.trade(ALICE, side * 100)
    world.set_price(100 + side * (price - 100))
    return world


@pytest.mark.parametrize("row", rows("liquidations"), ids=lambda row: f"at {row['price']}")
def test_a_liquidation_pays_what_it_would_at_gmx(row: dict[str, float]) -> None:
    world = failing(row["price"])
    sink, pool = world.book.cash[FEES], world.book.cash[world.pool]
    closed = close(world, ALICE)[0]

    assert world.cash(ALICE) == pytest.approx(row["left"], abs=2e-6)
    assert closed["fee"] == pytest.approx(usd(row["fee"]), abs=1)
    assert closed["pool"] == usd(row["pool"])
    if row["left"] > 0:
        assert world.book.cash[FEES] - sink == pytest.approx(0.37 * usd(row["fee"]), abs=1)
    else:
        assert world.book.cash[ALICE] == 0
        assert world.book.cash[FEES] == sink
        assert world.book.cash[world.pool] - pool == closed["quote"] + closed["fee"] - closed["pool"]
    assert world.broken() == []


def test_a_record_describes_the_close() -> None:
    world = failing(99.4)
    equity, _, maintenance = world.risk(ALICE)
    closed = close(world, ALICE, number=3)[0]

    assert closed["account"] == ALICE
    assert closed["round"] == 3
    assert closed["keeper"] == -1
    assert closed["size"] == closed["filled"] == -100
    assert closed["outcome"] == COMPLETE
    assert closed["quote"] == -usd(9_940)
    assert (closed["equity"], closed["maintenance"]) == (equity, maintenance)
    assert (closed["oracle"], closed["mark"]) == (usd(99.4), usd(99.4))
    assert closed["bankruptcy"] == usd(99)
    assert closed["insurance"] == 0


def test_a_short_is_closed_like_a_long() -> None:
    world = failing(99.4, side=-1)
    closed = close(world)[0]

    assert closed["size"] == 100
    assert closed["quote"] == usd(10_060)
    assert world.cash(ALICE) == pytest.approx(100 - 60 - 0.0024 * 10_060, abs=2e-6)


def test_only_those_below_maintenance_are_candidates() -> None:
    world = failing(99.51)

    assert liquidatable(world.book, world.parameters).tolist() == []

    world.set_price(99.49)

    assert liquidatable(world.book, world.parameters).tolist() == [ALICE]


@pytest.mark.parametrize(
    ("price", "fee", "paid", "aside", "left"),
    [
        (99.85, 23.964, 39.94, 20.06, 1.036),
        (99.70, 23.928, 39.88, 6.192, 0),
        (99.50, 23.88, 26.12, 0, 0),
        (99.20, 20, 0, 0, 0),
    ],
)
def test_impact_is_paid_after_fees_and_what_is_set_aside_comes_last(
    price: float, fee: float, paid: float, aside: float, left: float
) -> None:
    world = failing(price, cap_negative=4_000)
    world.venue.state.pending[0, ALICE] = -usd(60)
    before = world.book.cash[ALICE]
    closed = close(world, ALICE)[0]
    owed = world.venue.state.claims.amount[: world.venue.state.claims.used[0]].sum()

    assert world.book.cash[ALICE] - before == -closed["quote"] - closed["fee"]

    assert closed["fee"] == pytest.approx(usd(fee), abs=1)
    assert world.cash(world.purse) == pytest.approx(paid + aside, abs=2e-6)
    assert owed == pytest.approx(usd(aside), abs=2)
    assert world.cash(ALICE) == pytest.approx(left, abs=2e-6)
    assert world.broken() == []


def test_a_gain_of_impact_helps_a_failing_account() -> None:
    world = failing(99.2, purse=100)
    world.venue.state.pending[0, ALICE] = usd(30)
    closed = close(world, ALICE)[0]

    assert closed["quote"] == -usd(9_920 + 30)
    assert world.cash(ALICE) == pytest.approx(20 + 30 - 9_920 * 0.0024, abs=2e-6)


def test_all_positions_go_at_once_and_gains_pay_for_losses() -> None:
    world = Pools(1_000, prices=(100.0, 10.0), **NO_IMPACT, **NO_FEES)
    world.trade(ALICE, 1_000, market=0)
    world.trade(ALICE, -1_000, market=1)
    world.set_price(98, 0)
    world.set_price(9.5, 1)
    closed = close(world, ALICE)

    assert closed["market"].tolist() == [0, 1]
    assert closed["pool"].sum() == usd(500)
    assert world.book.cash[ALICE] == 0
    assert not world.book.size[:, ALICE].any()
    assert closed["pool"].tolist() == [-(-usd(500) * 98_000 // 107_500), usd(500) * 9_500 // 107_500]
    assert world.broken() == []


def test_a_round_closes_no_more_accounts_than_keepers_attempt() -> None:
    world = Pools(*[106] * 5, **NO_IMPACT)
    for account in range(ALICE, ALICE + 5):
        world.trade(account, 100)
    world.set_price(99)
    first = close(world, attempts=2, ticket=3)

    assert first["account"].tolist() == [ALICE + 3, ALICE + 4]
    assert close(world, attempts=2, ticket=3)["account"].tolist() == [ALICE, ALICE + 1]
    assert len(close(world)) == 1
    assert len(close(world)) == 0


def test_nobody_is_closed_at_a_price_that_may_not_be_used() -> None:
    world = failing(99)
    engine = Closes(world.venue, 50)
    engine.prepare(NO_OFFERS, 0.0, np.array([False]))

    assert len(engine.round(world.book, world.parameters, integers(ALICE), NOW)) == 0
    assert world.book.size[0, ALICE] == 100

    engine.prepare(NO_OFFERS, 0.0, np.array([True]))

    assert len(engine.round(world.book, world.parameters, integers(ALICE), NOW)) == 1


@pytest.mark.parametrize(("counted", "found"), [(0, 0), (1_000, 0), (1_100, 1), (10_000, 1)])
def test_the_impact_of_closing_counts_in_the_test_only_as_far_as_the_rule_says(
    counted: int, found: int
) -> None:
    world = failing(99.6, liquidation_impact=counted)
    world.venue.state.pending[0, ALICE] = -usd(20)
    engine = Closes(world.venue, 50)
    engine.prepare(NO_OFFERS, 0.0, np.array([True]))

    assert engine.busy == (counted > 0)
    assert len(engine.failing(world.book, world.parameters)) == found
    assert len(engine.round(world.book, world.parameters, integers(), NOW)) == found
    assert not engine.busy


def test_a_gain_of_impact_does_not_count_in_the_test() -> None:
    world = failing(99.49, liquidation_impact=10_000)
    world.venue.state.pending[0, ALICE] = usd(20)

    assert Closes(world.venue, 50).failing(world.book, world.parameters).tolist() == [ALICE]


@given(
    st.lists(st.tuples(st.integers(20, 400), st.integers(-500, 500)), min_size=4, max_size=4),
    st.floats(60, 140),
    st.integers(0, 9),
)
def test_liquidations_keep_all_money_and_leave_nobody_in_debt(
    traders: list[tuple[int, int]], price: float, ticket: int
) -> None:
    steep = SQUARE | {"factor_negative": 1e-7, "factor_positive": 5e-8}
    world = Pools(*(cash for cash, _ in traders), liquidity=1e5, margin={"initial": 10_000}, **steep)
    for account, (_, lots) in enumerate(traders, start=ALICE):
        if lots:
            world.trade(account, lots)
    world.set_price(round(price, 2))
    failing = liquidatable(world.book, world.parameters)
    before = world.book.cash.copy()
    closed = close(world, ticket=ticket)
    fees = before[FEES]

    assert sorted(closed["account"]) == failing.tolist()
    assert world.broken() == []
    for row in closed:
        account = row["account"]
        assert world.book.cash[account] - before[account] == row["pool"] - row["quote"] - row["fee"]
        assert world.book.cash[account] >= 0
        assert row["pool"] == 0 or world.book.cash[account] == 0
    assert world.book.cash[FEES] >= fees
    assert len(liquidatable(world.book, world.parameters)) == 0
