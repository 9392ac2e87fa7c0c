"""Whales: large accounts that go slowly to the positions their views ask for."""

from collections.abc import Iterator

import numpy as np
import pytest
from small import calm, calmed, opened, set_equity, sight

from protocol.arithmetic import MICRO
from sim.model import Model

FEW = "agents.whales.accounts=6"


@pytest.fixture
def model() -> Iterator[Model]:
    with opened(calm(FEW, "agents.whales.rethinking=0")) as model:
        yield model


def test_they_start_with_what_their_views_ask_for_and_somebody_holds_the_rest(model: Model) -> None:
    whales, book = model.people.whales, model.exchange.book
    equity = sight(model).risk[0, whales.accounts]
    held = book.size[whales.home, whales.accounts]

    interest = model.scenario.world.share * model.scenario.world.open_interest * MICRO
    assert equity.sum() == pytest.approx(0.1 * interest, rel=1e-6)
    np.testing.assert_allclose(held * book.mark[whales.home], 3 * whales.side * equity, rtol=1e-3)
    assert set(whales.side) == {-1, 1}
    assert set(whales.home) == {0, 1}
    assert not book.size.sum(axis=1).any()


def test_who_stands_where_it_wants_to_does_nothing(model: Model) -> None:
    assert np.abs(model.people.whales.act(sight(model)).orders.size).sum() <= 6


@pytest.mark.parametrize(("seconds", "share"), [(60.0, 1 - 0.5 ** (1 / 120)), (7200.0, 0.5)])
def test_half_the_way_to_a_new_view_takes_the_horizon(model: Model, seconds: float, share: float) -> None:
    whales = model.people.whales
    held = model.exchange.book.size[whales.home, whales.accounts]
    whales.side = -whales.side
    wanted = whales.act(sight(model, seconds=seconds)).orders

    np.testing.assert_allclose(wanted.size, -2 * share * held, rtol=2e-3, atol=2)
    assert (np.sign(wanted.limit - sight(model).mid[wanted.market]) == np.sign(wanted.size)).all()


def test_who_is_short_of_margin_gives_up_half_at_once(model: Model) -> None:
    whales = model.people.whales
    account, market = int(whales.accounts[0]), int(whales.home[0])
    held = int(model.exchange.book.size[market, account])
    need = sight(model).risk[2, account] / MICRO

    set_equity(model, account, 2.1 * need)
    before = whales.act(sight(model)).orders
    set_equity(model, account, 1.9 * need)
    after = whales.act(sight(model)).orders

    assert abs(before.size[before.account == account]).sum() < 0.02 * abs(held)
    assert after.size[after.account == account].tolist() == [int(0.5 * held - held)]


@pytest.mark.parametrize(("conviction", "longs"), [(5.0, 1.0), (-5.0, 0.0)])
def test_new_views_lean_with_the_trend_or_against_it(conviction: float, longs: float) -> None:
    settings = (FEW, "agents.whales.rethinking=1.0e+6", f"agents.whales.conviction={conviction}")
    with opened(calm(*settings)) as model:
        model.people.whales.act(sight(model, trend=np.array([10.0, 10.0])))

        assert np.mean(model.people.whales.side > 0) == longs


def test_a_whale_keeps_within_the_venues_leverage() -> None:
    with opened(calm(FEW, "agents.whales.leverage=100")) as model:
        equity, initial, _ = sight(model).risk[:, model.people.whales.accounts]

    assert (initial <= 0.91 * equity).all()
    assert (initial >= 0.85 * equity).all()


def test_no_whales_no_trace() -> None:
    with opened(calm()) as model:
        assert len(model.people.whales.accounts) == 0
    assert "whales" not in set(calmed().tables["agents"]["role"])
    assert "whales" in set(calmed(FEW).tables["agents"]["role"])
