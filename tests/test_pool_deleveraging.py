"""Auto-deleveraging against a pool: the best returns are closed until the side's gains are at the target."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import NO_FEES, NO_IMPACT, SQUARE, Pools, rows
from venue import ALICE, BOB, CAROL, DAVE, integers, usd

from protocol.book import FEES, LONG, SHORT, move_cash
from protocol.losses.pool_deleveraging import deleverage_winners, ranking, within_gain
from protocol.venues.backing import side_backing, side_gain
from protocol.venues.settlement import Terms

pytestmark = pytest.mark.kernel

FREE = NO_IMPACT | NO_FEES
WIDE = {"reserve": 100_000_000}


def ratio(world: Pools, side: int, market: int = 0) -> float:
    """Gains of a side over its backing."""
    book, state = world.book, world.venue.state
    backed = side_backing(book, state, world.venue.parameters, market, side)
    return side_gain(book, state, market, side, int(book.oracle[market])) / backed


def winners(price: float, *holdings: tuple[int, float], **rule: Any) -> Pools:
    """A pool of 1,000,000 USD whose traders hold these lots, each opened at a price of its own."""
    world = Pools(*[1e7] * max(len(holdings), 1), liquidity=1e6, **(FREE | WIDE | rule))
    for account, (lots, entry) in enumerate(holdings, start=ALICE):
        world.set_price(entry)
        world.trade(account, lots)
    world.set_price(price)
    return world


@pytest.mark.parametrize("row", rows("deleveraging"), ids=lambda row: f"{row['lots']} at {row['price']}")
def test_as_much_is_closed_as_brings_the_side_to_the_target(row: dict[str, float]) -> None:
    world = winners(row["price"], (int(row["lots"]), 100))
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert abs(closed["size"].sum()) == row["closed"]
    assert world.broken() == []


def test_the_best_return_is_closed_first_and_ties_by_account() -> None:
    world = winners(150, (1_000, 125), (3_000, 100), (2_000, 100), (7_000, 110))
    ranked = ranking(world.book, 0, LONG).tolist()
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert ranked == [BOB, CAROL, DAVE, ALICE]
    assert closed["counterparty"].tolist() == ranked[: len(closed)]
    assert ratio(world, LONG) == pytest.approx(0.77, abs=1e-4)


def test_losers_are_never_closed() -> None:
    world = winners(150, (100, 160), (10_000, 100))
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert closed["counterparty"].tolist() == [BOB]
    assert ALICE not in ranking(world.book, 0, LONG)


def test_a_record_has_the_pool_as_the_account_that_is_relieved() -> None:
    world = winners(144, (10_000, 100))
    row = deleverage_winners(world.book, world.venue, 0.0, number=2)[0]

    assert (row["round"], row["account"], row["counterparty"]) == (2, world.pool, ALICE)
    assert (row["size"], row["quote"], row["mark"]) == (2_032, 2_032 * usd(144), usd(144))
    assert row["haircut"] == 0


def test_what_the_cap_withholds_is_the_haircut() -> None:
    world = winners(160, (10_000, 100))
    row = deleverage_winners(world.book, world.venue, 0.0)[0]

    assert row["haircut"] == row["size"] * usd(60) // 4
    assert row["quote"] == row["size"] * usd(160) - row["haircut"]
    assert ratio(world, LONG) == pytest.approx(0.77, abs=1e-4)


def test_fees_of_a_forced_close_are_paid_out_of_the_gain() -> None:
    world = winners(144, (10_000, 100), fee_worsens=600, fee_improves=400)
    before = world.book.cash[[ALICE, FEES]].copy()
    row = deleverage_winners(world.book, world.venue, 0.0)[0]
    fee = -(-row["quote"] * 4 // 10_000)

    assert world.book.cash[ALICE] - before[0] == row["quote"] - fee
    assert world.book.cash[FEES] - before[1] == fee * 37 // 100


def test_costs_of_a_forced_close_never_pass_its_gain() -> None:
    terms = Terms(quote=-usd(1_000), fee=usd(6), own=0, impact=-usd(30), aside=usd(5))

    assert within_gain(terms, float(usd(50)))[1:] == (usd(6), 0, -usd(30), usd(5))
    assert within_gain(terms, float(usd(39)))[1:] == (usd(6), 0, -usd(30), usd(3))
    assert within_gain(terms, float(usd(20)))[1:] == (usd(6), 0, -usd(14), 0)
    assert within_gain(terms, float(usd(4)))[1:] == (usd(4), 0, 0, 0)
    assert within_gain(terms, -1.0)[1:] == (0, 0, 0, 0)


def test_winners_whose_gain_is_withheld_pay_no_costs() -> None:
    world = winners(400, (1_000, 100), fee_worsens=600, fee_improves=400)
    move_cash(world.book, world.pool, BOB, usd(1e6))
    world.venue.state.pending[0, ALICE] = -usd(500)
    before = world.cash(ALICE)
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert closed["size"].tolist() == [999]
    assert world.cash(ALICE) - before == 99_900


@pytest.mark.parametrize(("spread", "fee"), [(0, 20_000), (40_000, 0)])
def test_what_the_pool_keeps_of_a_close_counts(spread: int, fee: int) -> None:
    world = winners(144, (10_000, 100))
    world.venue.enact(world.venue.parameters._replace(spread=integers(spread), fee_improves=integers(fee)))
    world.venue.enact(world.venue.parameters._replace(receiver_share=integers(0)))
    deleverage_winners(world.book, world.venue, 0.0)

    assert 0.77 <= ratio(world, LONG) < 0.7701


def test_one_close_in_part_ends_it() -> None:
    world = winners(150, (8_000, 100), (3_000, 140), (3_000, 149))
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert closed["counterparty"].tolist() == [ALICE]


def test_a_trigger_of_zero_is_never_passed() -> None:
    world = winners(190, (10_000, 100), gain_trigger=0, gain_target=0)

    assert len(deleverage_winners(world.book, world.venue, 0.0)) == 0


def test_sides_are_judged_apart() -> None:
    world = winners(144, (10_000, 100), (-1_000, 150))
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert closed["counterparty"].tolist() == [ALICE]
    assert world.book.size[0, BOB] == -1_000


def test_nobody_is_closed_at_a_price_that_may_not_be_used() -> None:
    world = winners(144, (10_000, 100))
    world.refresh(usable=False)

    assert len(deleverage_winners(world.book, world.venue, 0.0)) == 0


def test_a_pool_that_has_nothing_left_closes_every_winner() -> None:
    world = winners(400, (1_000, 100), (2_000, 100))
    world.book.cash[world.pool] -= usd(1e6)
    world.book.cash[BOB] += usd(1e6)
    closed = deleverage_winners(world.book, world.venue, 0.0)

    assert closed["size"].tolist() == [1_000, 2_000]
    assert closed["haircut"].sum() == usd(300 * 3_000)
    assert world.broken() == []


@given(
    st.lists(
        st.tuples(st.integers(-6_000, 6_000).filter(bool), st.integers(80, 120)), min_size=1, max_size=4
    ),
    st.integers(20, 260),
    st.integers(0, 2_000),
    st.booleans(),
)
def test_gains_end_at_the_target_and_never_below(
    holdings: list[tuple[int, int]], price: int, spread: int, fees: bool
) -> None:
    rule = {} if fees else NO_FEES
    world = Pools(*[1e7] * 4, liquidity=1e6, spread=spread, **(WIDE | SQUARE | rule))
    for account, (lots, entry) in enumerate(holdings, start=ALICE):
        world.set_price(entry)
        world.trade(account, lots)
    world.set_price(price)
    before = {side: ratio(world, side) for side in (LONG, SHORT)}
    cash = world.book.cash.copy()
    sizes = world.book.size.copy()
    closed = deleverage_winners(world.book, world.venue, 0.0)
    users = np.arange(len(cash)) >= ALICE

    assert world.broken() == []
    assert (np.abs(world.book.size[0, users]) <= np.abs(sizes[0, users])).all()
    for side in (LONG, SHORT):
        if before[side] > 0.85:
            assert ratio(world, side) >= 0.77 * (1 - 1e-9)
            assert ratio(world, side) <= max(0.7705, before[side])
        elif len(closed) == 0:
            assert ratio(world, side) == before[side]
