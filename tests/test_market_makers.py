"""Market makers: the ladder's centre, width and size, and what is hedged and balanced."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from small import calm, crashed, give, opened, set_equity, showing, sight

from agents.market_makers import MarketMakers
from agents.role import DEPOSIT, WITHDRAW
from protocol.arithmetic import MICRO
from protocol.orders import POST_ONLY
from sim.model import Model

BITCOIN, MAKER = 0, 0


@pytest.fixture
def model() -> Iterator[Model]:
    with opened(calm()) as model:
        yield model


def ladder(model: Model, maker: int = MAKER, **changes: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bids and asks of one maker in bitcoin over the outside price, best first, and the bids' sizes."""
    makers: MarketMakers = model.people.makers
    view = sight(model, **changes)
    wanted = makers.act(view).orders
    own = (wanted.account == makers.accounts[maker]) & (wanted.market == BITCOIN)
    price = wanted.limit / view.outside[BITCOIN]
    bids, asks = own & (wanted.size > 0), own & (wanted.size < 0)
    return np.sort(price[bids])[::-1], np.sort(price[asks]), wanted.size[bids]


def volatility(model: Model, factor: float = 1.0) -> np.ndarray:
    return factor * model.world.calm_volatility


def test_a_flat_maker_quotes_both_sides_alike_from_the_half_spread_to_the_width(model: Model) -> None:
    bids, asks, sizes = ladder(model)

    minute = volatility(model)[BITCOIN] * np.sqrt(60)
    half = 2e-4 + 0.25 * minute
    assert len(bids) == len(asks) == 8
    np.testing.assert_allclose(bids + asks, 2.0, atol=1e-6)
    assert asks[0] - 1 == pytest.approx(half, abs=1e-6)
    assert asks[-1] - 1 == pytest.approx(half + 0.02 + 4 * minute, abs=1e-6)
    lots = 0.4 / 8 * model.people.makers.capital[MAKER] / sight(model).outside[BITCOIN]
    np.testing.assert_array_equal(sizes, int(lots))


def test_quotes_never_take_and_live_for_one_block(model: Model) -> None:
    wanted = model.people.makers.act(sight(model, block=7)).orders

    assert (wanted.kind == POST_ONLY).all()
    assert (wanted.expiry == 7).all()


def test_inventory_shifts_both_sides_against_itself(model: Model) -> None:
    makers = model.people.makers
    flat_bids, flat_asks, _ = ladder(model)
    lots = int(0.5 * makers.capital[MAKER] / sight(model).outside[BITCOIN])
    give(model, makers.accounts[MAKER], lots)
    long_bids, long_asks, _ = ladder(model)
    give(model, makers.accounts[MAKER], -lots)
    short_bids, short_asks, _ = ladder(model)

    np.testing.assert_allclose(long_bids / flat_bids, 1 - 0.001, atol=5e-6)
    np.testing.assert_allclose(long_asks / flat_asks, 1 - 0.001, atol=5e-6)
    np.testing.assert_allclose(short_bids / flat_bids, 1 + 0.001, atol=5e-6)
    np.testing.assert_allclose(short_asks / flat_asks, 1 + 0.001, atol=5e-6)


def test_the_spread_widens_and_sizes_shrink_with_volatility(model: Model) -> None:
    _, calm_asks, calm_sizes = ladder(model)
    _, wild_asks, wild_sizes = ladder(model, volatility=volatility(model, 8.0))

    minute = volatility(model)[BITCOIN] * np.sqrt(60)
    assert wild_asks[0] - calm_asks[0] == pytest.approx(0.25 * 7 * minute, abs=1e-6)
    assert wild_sizes[0] == pytest.approx(calm_sizes[0] / 8, abs=1)


def test_less_volatility_than_ordinary_does_not_enlarge_quotes(model: Model) -> None:
    np.testing.assert_array_equal(ladder(model, volatility=volatility(model, 0.3))[2], ladder(model)[2])


def test_a_liquidity_withdrawal_takes_its_share_of_the_quotes(model: Model) -> None:
    sizes = ladder(model)[2]

    assert ladder(model, withdrawn=0.75)[2][0] == pytest.approx(sizes[0] / 4, abs=1)
    assert len(ladder(model, withdrawn=1.0)[2]) == 0


def test_losses_shrink_the_quotes_of_the_loser_and_end_them_at_the_limit(model: Model) -> None:
    makers, sizes = model.people.makers, ladder(model)[2]
    capital = makers.capital[MAKER] / MICRO
    set_equity(model, makers.accounts[MAKER], capital * (1 - 2 * 0.15))
    wounded = ladder(model)[2]
    set_equity(model, makers.accounts[MAKER], capital * (1 - 2 * 0.3))

    assert wounded[0] == pytest.approx(sizes[0] / 2, abs=1)
    assert len(ladder(model)[2]) == 0
    np.testing.assert_array_equal(ladder(model, maker=1)[2], sizes)


@pytest.mark.parametrize(("withdrawal", "left"), [(0, 1.0), (1, 0.5), (3, 0.125)])
def test_how_much_losses_scare_is_a_setting(withdrawal: float, left: float) -> None:
    with opened(calm(f"agents.market_makers.withdrawal={withdrawal}")) as model:
        sizes, makers = ladder(model)[2], model.people.makers
        set_equity(model, makers.accounts[MAKER], makers.capital[MAKER] / MICRO * (1 - 2 * 0.15))

        assert ladder(model)[2][0] == pytest.approx(left * sizes[0], abs=1)


def test_margin_in_use_shrinks_the_quotes(model: Model) -> None:
    makers, sizes = model.people.makers, ladder(model)[2]
    account = makers.accounts[MAKER]
    give(model, account, int(25 * makers.capital[MAKER] / sight(model).outside[BITCOIN]))

    assert ladder(model)[2][0] == pytest.approx(sizes[0] / 2, rel=0.01)


def test_the_centre_follows_a_lasting_basis(model: Model) -> None:
    makers = model.people.makers
    flat_bids, _, _ = ladder(model)
    bids, asks, _ = ladder(model, quotes=showing(model, 1.01, 1.01), seconds=1800.0)

    np.testing.assert_allclose(makers.basis, 0.005, rtol=1e-6)
    np.testing.assert_allclose(bids / flat_bids, 1 + 0.7 * 0.005, atol=2e-6)
    assert (bids < asks).all()


def test_hedges_close_half_of_an_open_position_in_a_minute(model: Model) -> None:
    makers = model.people.makers
    give(model, makers.accounts[MAKER], 1_000_000)
    hedges = makers.act(sight(model, seconds=60.0)).hedges
    slower = makers.act(sight(model, seconds=30.0)).hedges

    assert [column.tolist() for column in hedges[:2]] == [[makers.accounts[MAKER]], [BITCOIN]]
    assert hedges.lots[0] == pytest.approx(-500_000)
    assert slower.lots[0] == pytest.approx(-1_000_000 * (1 - np.sqrt(0.5)))


def test_small_risks_are_not_hedged(model: Model) -> None:
    makers, view = model.people.makers, sight(model)
    band = 0.02 * makers.capital[MAKER] / view.outside[BITCOIN]
    give(model, makers.accounts[MAKER], int(0.99 * band))
    inside = makers.act(sight(model)).hedges
    give(model, makers.accounts[MAKER], int(1.01 * band))

    assert len(inside.lots) == 0
    assert len(makers.act(sight(model)).hedges.lots) == 1


@pytest.mark.parametrize(("share", "expected"), [(0.6, (DEPOSIT, 0.4)), (1.6, (WITHDRAW, 0.6)), (0.9, None)])
def test_cash_moves_to_the_side_that_lacks_it(
    model: Model, share: float, expected: tuple[int, float] | None
) -> None:
    makers = model.people.makers
    capital = makers.capital[MAKER]
    set_equity(model, makers.accounts[MAKER], share * capital / MICRO)
    moves = makers.act(sight(model)).transfers

    wanted = [(makers.accounts[MAKER], expected[0], int(expected[1] * capital))] if expected else []
    found = zip(moves.account.tolist(), moves.kind.tolist(), moves.amount.tolist(), strict=True)
    assert [(account, kind, pytest.approx(amount, abs=2)) for account, kind, amount in found] == wanted


def test_a_maker_brings_no_more_than_half_of_what_it_has_outside(model: Model) -> None:
    makers = model.people.makers
    account = makers.accounts[MAKER]
    set_equity(model, account, 0)
    model.outside.cash[account] = 0.5 * makers.capital[MAKER]
    moves = makers.act(sight(model)).transfers

    assert moves.amount.tolist() == [pytest.approx(0.25 * makers.capital[MAKER], abs=1)]


def test_where_orders_do_not_rest_nobody_quotes_but_positions_are_hedged(model: Model) -> None:
    makers = model.people.makers
    give(model, makers.accounts[MAKER], 1_000_000)
    actions = makers.act(sight(model, rests=False))

    assert len(actions.orders.account) == 0
    assert actions.hedges.account.tolist() == [makers.accounts[MAKER]]


def test_where_positions_stand_alone_each_maker_quotes_one_market(model: Model) -> None:
    alone = model.exchange.parameters._replace(isolated=np.array([False, True]))
    makers = model.people.makers
    wanted = makers.act(sight(model, parameters=alone)).orders
    ether = np.unique(wanted.account[wanted.market == 1]) - makers.accounts[0]

    assert len(np.unique(wanted.account[wanted.market == BITCOIN])) == 8
    assert ether.tolist() == [1, 3, 5, 7]


def test_in_a_crash_makers_whom_losses_scare_more_leave_a_thinner_book() -> None:
    def depth(withdrawal: int) -> float:
        markets = crashed(f"agents.market_makers.withdrawal={withdrawal}").tables["markets"]
        return float(markets.query("block > 60")["venue_depth_usd"].mean())

    steadfast, ordinary, timid = (depth(withdrawal) for withdrawal in (0, 1, 4))

    assert timid < 0.9 * ordinary < 0.9 * steadfast
