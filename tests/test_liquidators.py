"""Liquidators: resting orders far away, renewed by those who get into the block, and exits."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from small import calm, crash, give, opened, set_equity, sight

from agents.role import Actions
from protocol.arithmetic import MICRO, PPM
from protocol.orders import POST_ONLY
from sim.model import Model
from sim.scenario import Scenario

BITCOIN = 0
NEVER = 1e12


@pytest.fixture
def model() -> Iterator[Model]:
    with opened(calm()) as model:
        yield model


def acts(model: Model, gas: float = 20.0, **changes: object) -> Actions:
    return model.people.liquidators.act(sight(model, gas=gas, **changes))


def test_an_order_rests_at_discount_risk_and_gas_from_the_price(model: Model) -> None:
    liquidators = model.people.liquidators
    view = sight(model, volatility=np.array([1e-4, 2e-4]), gas=20.0, gas_price=20.0 * 2000.0 * 1e-3)
    distance = liquidators.distance(view)

    gas = 2 * 12e6 / (3.0 * liquidators.capital / 4)
    assert distance.shape == (2, 10)
    np.testing.assert_allclose(distance[0], 0.008 + 1e-4 * np.sqrt(600) + gas)
    np.testing.assert_allclose(distance[1], 0.008 + 2e-4 * np.sqrt(600) + gas)


def test_everybody_quotes_both_sides_of_every_market_once(model: Model) -> None:
    liquidators = model.people.liquidators
    wanted = acts(model, block=40).orders
    view = sight(model, gas=20.0)

    distance = liquidators.distance(view)[wanted.market, wanted.account - liquidators.accounts[0]]
    assert len(wanted.account) == 2 * 2 * 10
    assert (wanted.kind == POST_ONLY).all()
    np.testing.assert_allclose(
        wanted.limit / view.outside[wanted.market], 1 - np.sign(wanted.size) * distance, rtol=1e-6
    )
    notional = np.abs(wanted.size) * view.outside[wanted.market]
    np.testing.assert_allclose(notional, 3.0 * liquidators.capital[0] / 4, rtol=1e-4)


@pytest.mark.parametrize(("seconds", "lives"), [(60.0, 5), (10.0, 30), (400.0, 0)])
def test_an_order_lives_as_long_as_its_owners_patience(model: Model, seconds: float, lives: int) -> None:
    wanted = acts(model, block=40, seconds=seconds).orders

    assert (wanted.expiry == 40 + lives).all()


def test_who_does_not_get_in_leaves_everything_as_it_is(model: Model) -> None:
    acts(model)
    renewed = model.people.liquidators.renewed.copy()
    shut_out = acts(model, gas=NEVER, time=10_000.0)

    assert len(shut_out.orders.account) == len(shut_out.leaving) == len(shut_out.senders) == 0
    np.testing.assert_array_equal(model.people.liquidators.renewed, renewed)


def test_inclusion_falls_with_gas_as_the_bid_says(model: Model) -> None:
    blocks = 300
    included = sum(
        len(acts(model, gas=160.0, block=block, time=1e4 * block).senders) for block in range(1, blocks + 1)
    )

    tries, chance = 10 * blocks, 2.0 * 20 / 160
    assert abs(included - chance * tries) < 5 * np.sqrt(tries * chance * (1 - chance))  # false alarm: 6e-7


def test_orders_are_renewed_only_for_a_reason(model: Model) -> None:
    acts(model, time=0.0)
    price = sight(model).outside

    assert len(acts(model, time=149.0).senders) == 0
    assert len(acts(model, time=149.0, outside=price * 1.0019).senders) == 0
    assert len(acts(model, time=149.0, outside=price * 1.0021).senders) == 10
    assert len(acts(model, time=149.0, outside=price * 1.0021).senders) == 0
    assert len(acts(model, time=299.0, outside=price * 1.0021).senders) == 10


def test_a_caught_position_is_closed_on_the_venue_and_hedged_outside_in_slices(model: Model) -> None:
    long, short = model.people.liquidators.accounts[:2]
    acts(model, time=0.0)
    give(model, long, 1000)
    give(model, short, -1)
    actions = acts(model, time=1.0)
    exits = actions.orders.reduce_only

    rate = 1 - 0.5 ** (60 / 300)
    closing = [column[exits].tolist() for column in (actions.orders.account, actions.orders.size)]
    assert closing == [[long, short], [-int(1000 * rate), 1]]
    limit = actions.orders.limit[exits] / sight(model).outside[BITCOIN]
    np.testing.assert_allclose(limit, [0.999, 1.001], rtol=1e-6)
    assert actions.hedges.account.tolist() == [long]
    assert actions.hedges.lots[0] == pytest.approx(-1000 * rate)
    assert actions.leaving.tolist() == [long, short]


def test_margin_in_use_leaves_less_to_quote(model: Model) -> None:
    liquidators = model.people.liquidators
    account = liquidators.accounts[0]
    view = sight(model)
    give(model, account, int(45 * liquidators.capital[0] / view.outside[BITCOIN]))
    wanted = acts(model).orders
    own = (wanted.account == account) & ~wanted.reduce_only

    notional = np.abs(wanted.size[own]) * view.outside[wanted.market[own]]
    np.testing.assert_allclose(notional, 3.0 * 0.1 * liquidators.capital[0] / 4, rtol=0.01)


def test_capital_is_a_share_of_open_interest(model: Model) -> None:
    endowment = model.people.liquidators.endow(1e9 * MICRO, model.exchange.book.mark)

    np.testing.assert_array_equal(endowment.cash, round(0.05 * 1e9 / 10 * MICRO))
    assert not endowment.size.any()


def test_where_positions_stand_alone_each_quotes_one_market(model: Model) -> None:
    alone = model.exchange.parameters._replace(isolated=np.array([True, True]))
    wanted = acts(model, parameters=alone).orders

    assert len(wanted.account) == 2 * 10
    assert (wanted.market == (wanted.account - model.people.liquidators.accounts[0]) % 2).all()


def test_everybody_stands_ready_as_a_keeper_whether_or_not_it_gets_in(model: Model) -> None:
    offers = acts(model, gas=NEVER).offers

    assert offers.account.tolist() == model.people.liquidators.accounts.tolist()
    assert (offers.ticket >= 0).all()
    assert len(set(offers.ticket.tolist())) == 10


@pytest.mark.parametrize("gas", [10.0, 20.0, 160.0])
def test_a_keeper_sends_up_to_its_multiple_of_ordinary_gas(model: Model, gas: float) -> None:
    price = gas * 2000.0 * 1e-3
    offers = acts(model, gas=gas, gas_base=20.0, gas_price=price).offers

    np.testing.assert_allclose(offers.tolerance, 2.0 * 20.0 * 2000.0 * 1e-3)


def test_a_keeper_asks_for_the_risk_of_the_wildest_market(model: Model) -> None:
    offers = acts(model, volatility=np.array([1e-4, 3e-4])).offers

    settings = model.scenario.agents.liquidators
    assert (offers.slippage == round(settings.slippage * PPM)).all()
    assert (offers.capital_cost == round(3e-4 * np.sqrt(600) * PPM)).all()


def test_tickets_are_drawn_anew_in_every_block(model: Model) -> None:
    first, second = (acts(model, block=block).offers.ticket for block in (1, 2))

    assert (first != second).any()


VARIED = "agents.liquidators.variety=0.5"


def test_liquidators_that_differ_hold_the_same_capital_together() -> None:
    with opened(calm()) as model, opened(calm(VARIED)) as varied:
        alike, differing = model.people.liquidators, varied.people.liquidators
        distance = differing.distance(sight(varied))

    assert len(set(alike.capital)) == 1
    assert len(set(differing.capital)) == 10
    assert differing.capital.sum() == pytest.approx(alike.capital.sum())
    assert np.std(np.log(differing.capital)) == pytest.approx(0.5, rel=0.8)
    assert len(set(distance[0])) == 10


def test_who_bids_more_for_gas_gets_into_more_blocks() -> None:
    with opened(calm(VARIED, "agents.liquidators.patience=60s")) as model:
        liquidators = model.people.liquidators
        sent = np.zeros(10)
        for block in range(400):
            view = sight(model, gas=100.0, block=block, time=60.0 * block)
            sent[liquidators.act(view).senders - liquidators.accounts[0]] += 1

    expected = np.minimum(1, 2.0 * liquidators.variety.gas * 20.0 / 100.0)
    np.testing.assert_allclose(sent / 400, expected, atol=0.12)  # five standard errors


HUNTERS = ("agents.liquidators.predation=1", "agents.liquidators.hunger=1.0e-6")


def endangered(model: Model, side: int) -> int:
    """Bring one retail account of a side to within half a per cent of liquidation, and all others far off."""
    book, retail = model.exchange.book, model.people.retail.accounts
    (first,) = np.flatnonzero(side * book.size[BITCOIN, retail] > 0)[:1]
    view = sight(model)
    notional = np.abs(book.size[:, retail] * view.outside[:, None]).sum(axis=0)
    for index, account in enumerate(retail):
        spare = 0.005 if index == first else 0.5
        set_equity(model, account, (view.risk[2, account] + spare * notional[index]) / MICRO)
    return int(notional[first])


@pytest.mark.parametrize("side", [1, -1])
def test_hunters_push_the_price_against_those_who_are_near(side: int) -> None:
    with opened(calm(*HUNTERS)) as model:
        liquidators = model.people.liquidators
        notional = endangered(model, side)
        prey = liquidators._prey(sight(model))
        hedges = liquidators.act(sight(model)).hedges

    assert prey[0 if side > 0 else 1].sum() == pytest.approx(notional, rel=1e-3)
    assert prey[1 if side > 0 else 0].sum() == 0
    assert set(hedges.market) == {BITCOIN}
    assert set(np.sign(hedges.lots)) == {-side}


def test_hunters_cover_when_the_prey_is_gone_or_the_time_is_up() -> None:
    with opened(calm(*HUNTERS)) as model:
        liquidators = model.people.liquidators
        endangered(model, 1)
        liquidators.act(sight(model))
        hunting = liquidators.hunt.tolist()
        liquidators.act(sight(model, time=601.0))
        tired = liquidators.hunt.tolist()

    assert hunting == [-1.0, 0.0]
    assert tired == [0.0, 0.0]


@pytest.mark.parametrize(("world", "reach"), [(crash, 0.01), (calm, 0.04)])
def test_prey_is_who_a_look_at_everybody_finds(world: Callable[..., Scenario], reach: float) -> None:
    """Followed by radius, block after block; in the calm both sides are near, in the crash longs are."""
    looked_at, found = 0, np.zeros(2)
    chosen = f"agents.liquidators={{predation: 0.5, reach: {reach}}}"
    with opened(world("agents.retail.accounts=1500", chosen)) as model:
        liquidators = model.people.liquidators
        for _ in range(90):
            model.step()
            view = sight(model)
            equity, _, maintenance = view.risk
            size = view.book.size * view.outside[:, None]
            near = (maintenance > 0) & (equity - maintenance < reach * np.abs(size).sum(axis=0))
            near[liquidators.accounts] = False
            expected = [np.maximum(side * size[:, near], 0).sum(axis=1) for side in (1, -1)]

            np.testing.assert_allclose(liquidators._prey(view), expected, rtol=1e-12)
            looked_at += len(liquidators._endangered(view))
            found += np.sum(expected, axis=1) > 0

    assert (found > 20).sum() == (1 if world is crash else 2)
    assert looked_at < 90 * len(view.book.cash) / 3


def test_nobody_hunts_where_nobody_is_near() -> None:
    with opened(calm(*HUNTERS)) as model:
        book, retail = model.exchange.book, model.people.retail.accounts
        for account in retail:
            set_equity(model, account, 1e9)
        hedges = model.people.liquidators.act(sight(model)).hedges

    assert not book.size[:, model.people.liquidators.accounts].any()
    assert len(hedges.lots) == 0


def test_a_bid_has_a_price_however_dear_the_risk() -> None:
    with opened(calm("agents.liquidators.risk_premium=1.0e300"), blocks=1) as model:
        wanted = model.people.liquidators.act(sight(model, block=40, time=2400.0)).orders

    assert len(wanted.limit)
    assert (wanted.limit > 0).all()
