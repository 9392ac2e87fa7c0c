"""How the AMM follows its oracle, and who pays for it."""

import numpy as np
import pytest
from drift import Fixture
from hypothesis import given, settings
from hypothesis import strategies as st
from venue import ALICE, BOB

from protocol.book import CLEARING, FUNDING_SCALE, move_cash
from protocol.venues.curve import closing_value, curve_price
from protocol.venues.ladder import ASK, BID

pytestmark = pytest.mark.kernel

HOUR = 3_600.0


def price(venue: Fixture) -> float:
    """Of the curve [USD per lot]."""
    return curve_price(venue.amm.state.curve, 0, float(venue.position)) / 1e6


def short_amm(lots: int = 100, **settings: object) -> Fixture:
    """ALICE has bought from the AMM, whose curve then stands above its oracle of 100."""
    venue = Fixture(1e6, 1e6, **settings)  # type: ignore[arg-type]
    venue.send(ALICE, lots)
    return venue


def test_an_amm_without_a_position_follows_the_oracle_for_nothing() -> None:
    venue = Fixture(pool=0.0)
    venue.oracle(130)
    venue.refresh(60.0)

    assert price(venue) == pytest.approx(130)
    assert venue.pool == 0
    assert venue.balanced()


def test_a_cheaper_peg_costs_an_amm_that_is_long() -> None:
    venue = Fixture(1e6, 1e6, pool=10_000)
    venue.send(ALICE, -250)
    venue.oracle(57.6)
    pool, value = venue.pool, closing_value(venue.amm.state.curve, 0, 250.0) / 1e6
    venue.refresh(60.0)

    assert value == pytest.approx(20_000)
    assert price(venue) == pytest.approx(57.6)
    assert venue.pool - pool == pytest.approx(-2_000, abs=1e-5)
    assert venue.balanced()


def test_a_peg_that_moves_in_favour_of_the_position_feeds_the_pool() -> None:
    venue = short_amm(pool=0.0)
    pool = venue.pool
    venue.oracle(100 * 0.9 / 0.81)
    venue.refresh(60.0)

    assert price(venue) == pytest.approx(100 * 0.9 / 0.81)
    assert venue.pool - pool == pytest.approx(1_111.111111, abs=1e-4)
    assert venue.balanced()


def test_the_peg_stops_where_the_pool_is_empty() -> None:
    venue = short_amm(pool=500.0, credit=False)
    venue.oracle(2 * 100 / 0.81)
    venue.refresh(60.0)

    assert venue.pool == pytest.approx(0, abs=1e-5)
    assert venue.amm.state.curve.peg[0] == pytest.approx(104.5e6)
    assert venue.balanced()


def test_on_credit_the_curve_stays_within_half_the_widest_spread() -> None:
    venue = short_amm(pool=500.0, widest_spread=100_000)
    venue.oracle(200)
    venue.refresh(60.0)

    assert price(venue) == pytest.approx(190)
    assert venue.pool < 0
    assert venue.balanced()


def test_nothing_moves_while_the_oracle_is_not_usable() -> None:
    venue = short_amm()
    before = [column.copy() for column in venue.amm.state.curve]
    cash = venue.book.cash.copy()
    venue.oracle(150)
    venue.refresh(2 * HOUR, usable=False)

    assert all((now == then).all() for now, then in zip(venue.amm.state.curve, before, strict=True))
    assert (venue.book.cash == cash).all()
    assert not venue.amm.state.room.any()


def test_a_market_that_is_usable_does_not_wait_for_another() -> None:
    venue = Fixture()
    venue.refresh(60.0, usable=False)
    venue.refresh(120.0)

    assert venue.amm.state.room.all()


def test_what_the_amm_trades_grows_with_time_and_not_with_the_number_of_blocks() -> None:
    short, long = Fixture(fill_share=1_000), Fixture(fill_share=1_000)
    traded = 0
    for block in range(1, 4):
        short.refresh(20.0 * block)
        traded += int(short.amm.state.room[ASK, 0])
    long.refresh(60.0)

    assert long.amm.state.room[ASK, 0] == 150
    assert traded == 150


def test_the_amm_trades_within_the_band_of_its_reserves() -> None:
    venue = Fixture(1e6, 1e6, concentration=1_250_000, fill_share=900_000)

    assert venue.amm.state.room[:, 0].tolist() == [250, 200]
    venue.send(ALICE, 150)
    venue.refresh(60.0)

    assert venue.amm.state.room[:, 0].tolist() == [400, 50]


def test_a_gain_deepens_the_reserves_by_a_tenth_of_a_percent_at_most() -> None:
    venue = short_amm()
    venue.amm.state.pool[0] -= 10**12
    venue.refresh(HOUR)

    assert venue.amm.state.curve.root[0] == pytest.approx(1_001)
    assert venue.balanced()


def test_a_small_gain_is_spent_by_half() -> None:
    venue = short_amm()
    venue.oracle(100 / 0.81)
    venue.refresh(HOUR / 2)
    pool = venue.pool
    venue.amm.state.pool[0] = round((pool - 2) * 1e6)
    venue.refresh(HOUR)

    assert venue.amm.state.curve.root[0] == pytest.approx(1_000 * 1.0009007295909687)
    assert pool - venue.pool == pytest.approx(1, abs=1e-5)


def test_a_loss_is_recovered_from_the_depth_within_its_bound() -> None:
    venue = short_amm()
    venue.amm.state.pool[0] += 10**12
    venue.refresh(HOUR)

    assert venue.amm.state.curve.root[0] == pytest.approx(978)
    assert venue.balanced()


def test_an_empty_pool_pays_for_no_depth() -> None:
    venue = short_amm(pool=0.0, credit=False)
    venue.oracle(100 / 0.81)
    venue.refresh(HOUR / 2)
    move_cash(venue.book, int(venue.book.impact[0]), ALICE, int(venue.book.cash[venue.book.impact[0]]))
    venue.amm.state.pool[0] = -(10**9)
    venue.refresh(HOUR)

    assert venue.amm.state.curve.root[0] == pytest.approx(1_000, rel=1e-9)


def test_the_depth_waits_for_its_hour() -> None:
    venue = Fixture()
    venue.amm.state.pool[0] -= 10**9
    venue.refresh(HOUR - 1)

    assert venue.amm.state.curve.root[0] == 1_000
    venue.refresh(HOUR)

    assert venue.amm.state.curve.root[0] == pytest.approx(1_001)
    venue.amm.state.pool[0] -= 10**9
    venue.refresh(2 * HOUR - 1)

    assert venue.amm.state.curve.root[0] == pytest.approx(1_001)


def test_a_position_at_the_edge_keeps_the_depth() -> None:
    venue = Fixture(1e6, 1e6, concentration=1_250_000, fill_share=900_000)
    venue.send(ALICE, 199)
    venue.refresh(60.0)
    venue.amm.state.pool[0] += 10**12
    venue.refresh(HOUR)

    assert venue.amm.state.curve.root[0] == 1_000


def test_the_volatility_of_the_oracle_widens_the_spread() -> None:
    venue = Fixture(volatility_share=500_000, least_spread=1_000)
    venue.oracle(102)
    venue.refresh(60.0)
    hourly = np.log(1.02) * np.sqrt((1 - np.exp(-1 / 60)) * 60)

    assert venue.amm.state.spread[:, 0] == pytest.approx(hourly / 2)
    assert hourly / 2 > 0.0005


def test_an_empty_pool_widens_the_spread_tenfold() -> None:
    assert Fixture(least_spread=1_000).amm.state.spread[:, 0] == pytest.approx(0.0005)
    assert Fixture(least_spread=1_000, pool=0.0).amm.state.spread[:, 0] == pytest.approx(0.005)


def test_a_position_widens_the_side_that_adds_to_it() -> None:
    venue = short_amm(least_spread=1_000, pool=1e9)
    venue.oracle(100 / 0.81)
    venue.refresh(60.0)
    free = 900 - 1_000 / 1.4142

    assert venue.amm.state.spread[BID, 0] == pytest.approx(0.0005)
    assert venue.amm.state.spread[ASK, 0] == pytest.approx(0.0005 * (1 + 10 * 100 / free), rel=1e-5)


def test_funding_paid_to_the_amm_ends_up_in_its_pool() -> None:
    venue = short_amm()
    pool = venue.pool
    venue.book.funding[:, 0] += 5 * 10**6 * FUNDING_SCALE
    venue.refresh(60.0)
    received = -int(venue.book.cash[CLEARING]) / 1e6

    assert received == 500
    assert venue.pool == pytest.approx(pool + 500 + peg_gain(venue, pool), abs=1e-4)
    assert venue.balanced()


def peg_gain(venue: Fixture, pool: float) -> float:
    """What the pool has gained by the peg since ALICE's purchase moved the curve away from 100."""
    return 11_111.111111 - 11_111.111111 * venue.amm.state.curve.peg[0] / 1e8


def test_what_depositors_bring_stays_with_the_amm() -> None:
    venue = short_amm(pool=50.0)
    amm = int(venue.book.counterparty[0])
    venue.book.cash[amm] += 10**9
    pool = venue.pool
    venue.refresh(60.0)
    gained = venue.pool - pool
    venue.send(BOB, 10)

    value = closing_value(venue.amm.state.curve, 0, float(venue.position))
    assert int(venue.book.cash[amm]) == 10**9 - round(value)
    assert gained == pytest.approx(peg_gain(venue, 0.0), abs=1e-4)


moves = st.lists(
    st.tuples(st.floats(0.8, 1.25), st.integers(-120, 120), st.sampled_from([1.0, 60.0, HOUR])), max_size=12
)


@settings(max_examples=60)
@given(moves=moves, credit=st.booleans())
def test_the_books_balance_against_the_curve_whatever_happens(
    moves: list[tuple[float, int, float]], credit: bool
) -> None:
    venue = Fixture(1e7, 1e7, fees=(350, -25), credit=credit, least_spread=500, volatility_share=100_000)
    time, oracle = 0.0, 100.0
    for factor, lots, seconds in moves:
        time, oracle = time + seconds, oracle * factor
        if lots:
            venue.send(ALICE if lots % 2 else BOB, lots)

        assert venue.balanced()
        venue.oracle(round(oracle, 4))
        pool = venue.pool
        venue.refresh(time)

        assert venue.balanced()
        assert venue.amm.violated(venue.book) == []
        if not credit:
            assert venue.pool >= min(pool, 0) - 1e-5
