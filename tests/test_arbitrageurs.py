"""Arbitrageurs: which gaps pay, on which side, for how much, and who gets into the block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from small import calm, give, opened, set_equity, showing, sight
from venue import integers

from agents.role import DEPOSIT, Actions
from protocol.arithmetic import MICRO
from sim.model import Model
from sim.problems import ScenarioError

BITCOIN = 0
GAPS = (0.0005, 0.002, 0.02)


@pytest.fixture
def model() -> Iterator[Model]:
    """Arbitrageurs without positions, gas as usual."""
    with opened(calm()) as model:
        arbitrageurs = model.people.arbitrageurs.accounts
        for account in arbitrageurs:
            for market in (0, 1):
                give(model, account, 0, market)
        model.outside.size[:, arbitrageurs] = 0
        yield model


def acts(model: Model, bid: float, ask: float, **changes: Any) -> Actions:
    facts = {"gas": model.scenario.world.gas.base, "quotes": showing(model, bid, ask)} | changes
    return model.people.arbitrageurs.act(sight(model, **facts))


def cost(model: Model, **changes: Any) -> float:
    """Gap at which bitcoin begins to pay."""
    arbitrageurs = model.people.arbitrageurs
    view = sight(model, **({"gas": model.scenario.world.gas.base} | changes))
    return float(arbitrageurs.margin(view, 0.1 * arbitrageurs.capital[0])[BITCOIN])


def test_the_gap_that_pays_is_fees_risk_and_gas(model: Model) -> None:
    volatility, gas = np.full(2, 1e-4), 20.0
    view = sight(model, volatility=volatility, gas=gas, gas_price=gas * 2000.0 * 1e-3)

    expected = 5e-4 + 2e-4 + 0.5 * 1e-4 * np.sqrt(60) + 12 / 1000
    np.testing.assert_allclose(model.people.arbitrageurs.margin(view, 1000 * MICRO), expected)


@pytest.mark.parametrize("side", [1, -1])
def test_they_sell_a_dear_bid_and_buy_a_cheap_ask_only_beyond_the_cost(model: Model, side: int) -> None:
    gap = cost(model)
    counts = {}
    for factor in (0.95, 1.05):
        price = 1 - side * factor * gap
        bid, ask = (price - 0.001, price) if side > 0 else (price, price + 0.001)
        counts[factor] = acts(model, bid, ask).orders

    taken = counts[1.05]
    assert len(counts[0.95].account) == 0
    assert set(taken.account) == set(model.people.arbitrageurs.accounts)
    assert (np.sign(taken.size) == side).all()
    limit = taken.limit[taken.market == BITCOIN] / sight(model).outside[BITCOIN]
    np.testing.assert_allclose(limit, 1 - side * gap, atol=1e-6)


def test_an_empty_book_offers_nothing(model: Model) -> None:
    assert len(acts(model, 0.0, 0.0).orders.account) == 0


def test_funding_that_will_be_received_pays_for_a_smaller_gap(model: Model) -> None:
    bid = 1 + 0.8 * cost(model)
    rate = 0.4 * cost(model)

    def sellers(funding: float) -> int:
        return len(acts(model, bid, bid + 0.001, funding_rate=np.full(2, funding)).orders.account)

    assert sellers(0.0) == 0
    assert sellers(rate) > 0
    assert sellers(-rate) == 0


def test_an_order_is_a_slice_of_capital(model: Model) -> None:
    orders = acts(model, 1.02, 1.03).orders
    view, capital = sight(model), model.people.arbitrageurs.capital[0]

    np.testing.assert_allclose(-orders.size * view.outside[orders.market], 0.1 * capital, rtol=1e-4)


def test_nobody_goes_beyond_the_leverage_but_everybody_may_go_back(model: Model) -> None:
    arbitrageurs, view = model.people.arbitrageurs, sight(model)
    full = int(3 * arbitrageurs.capital[0] / view.outside[BITCOIN])
    for account in arbitrageurs.accounts:
        give(model, account, -full)
    selling, buying = acts(model, 1.02, 1.03).orders, acts(model, 0.97, 0.98).orders

    assert (selling.market != BITCOIN).all()
    assert (buying.market == BITCOIN).any()


def test_every_position_is_hedged_in_full(model: Model) -> None:
    first, second = model.people.arbitrageurs.accounts[:2]
    give(model, first, 500)
    give(model, second, -70, market=1)
    model.outside.size[0, first] = -200.0
    hedges = acts(model, 0.0, 0.0).hedges

    assert [column.tolist() for column in hedges] == [[first, second], [0, 1], [-300.0, 70.0]]


def test_gas_above_the_bid_leaves_the_share_of_arbitrageurs_that_it_should(model: Model) -> None:
    blocks, people = 400, len(model.people.arbitrageurs.accounts)
    included = sum(
        len(acts(model, 1.2, 1.3, gas=12 * model.scenario.world.gas.base, block=block).senders)
        for block in range(blocks)
    )

    tries, chance = blocks * people, 3 / 12
    assert abs(included - chance * tries) < 5 * np.sqrt(tries * chance * (1 - chance))  # false alarm: 6e-7


def test_only_those_who_trade_pay_for_a_transaction(model: Model) -> None:
    assert set(acts(model, 1.02, 1.03).senders) == set(model.people.arbitrageurs.accounts)
    assert len(acts(model, 0.9999, 1.0001).senders) == 0


def test_the_residual_of_retail_is_shared_out_to_the_lot(model: Model) -> None:
    free = np.zeros(2, np.bool_)
    endowment = model.people.arbitrageurs.endow(1e12, integers(10, 20), integers(-100, 7), free)

    assert endowment.size.shape == (2, 6)
    assert endowment.size.sum(axis=1).tolist() == [-100, 7]
    assert np.ptp(endowment.size, axis=1).max() <= 6
    np.testing.assert_allclose(endowment.cash, 0.25 * 1e12 / 6, atol=1)


def test_the_residual_of_an_isolated_market_goes_to_those_whose_turn_it_is(model: Model) -> None:
    isolated = np.array([True, True])
    endowment = model.people.arbitrageurs.endow(1e12, integers(10, 20), integers(-100, 7), isolated)

    assert endowment.size.sum(axis=1).tolist() == [-100, 7]
    assert (endowment.size[0, 1::2] == 0).all()
    assert (endowment.size[1, ::2] == 0).all()


def test_a_scenario_needs_an_arbitrageur_for_each_isolated_market() -> None:
    alone = [f"protocol.markets.{name}.isolated=true" for name in ("BTC", "ETH")]
    rule = r"agents\.arbitrageurs: an isolated market needs an account .* at least 2, got accounts=1"
    with pytest.raises(ScenarioError, match=rule):
        calm(*alone, "agents.arbitrageurs.accounts=1")

    assert calm(*alone, "agents.arbitrageurs.accounts=2").agents.arbitrageurs.accounts == 2
    assert calm(alone[0], "agents.arbitrageurs.accounts=1").agents.arbitrageurs.accounts == 1


def test_where_positions_stand_alone_each_trades_one_market(model: Model) -> None:
    alone = model.exchange.parameters._replace(isolated=np.array([True, True]))
    wanted = acts(model, 1.02, 1.03, parameters=alone).orders
    turn = (wanted.account - model.people.arbitrageurs.accounts[0]) % 2

    assert len(wanted.account) == 6
    assert (wanted.market == turn).all()


def test_a_thin_margin_is_filled_from_outside(model: Model) -> None:
    account = model.people.arbitrageurs.accounts[0]
    give(model, account, 1_000_000)
    initial = sight(model).risk[1, account] / MICRO
    set_equity(model, account, 1.4 * initial)
    thin = acts(model, 0.0, 0.0).transfers
    set_equity(model, account, 1.6 * initial)
    enough = acts(model, 0.0, 0.0).transfers

    assert (thin.account.tolist(), thin.kind.tolist()) == ([account], [DEPOSIT])
    assert thin.amount[0] == pytest.approx(1.1 * initial * MICRO, abs=2)
    assert len(enough.account) == 0
