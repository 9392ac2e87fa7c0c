"""Collateral sold in a run: who buys it, what that does to the outside price, and what it is to a role."""

from collections.abc import Iterator

import numpy as np
import pytest
from small import calm, crash, crashed, opened
from venue import integers

from agents.role import DEPOSIT_ASSET, Actions, Hedges, transfers
from protocol.arithmetic import MICRO
from protocol.liquidations.record import DELEVERAGE, LIQUIDATION
from protocol.losses.journal import Cascade
from sim.frames import Tables
from sim.model import Model

TAKEN = tuple(
    f"protocol.markets.{market}.collateral={{initial_weight: 0.8, maintenance_weight: 0.9}}"
    for market in ("BTC", "ETH")
)
WRONG_WAY = (*TAKEN, "agents.retail.asset_collateral=0.5")


@pytest.fixture
def model() -> Iterator[Model]:
    """A venue that takes both assets, on which nobody acts."""
    with opened(calm(*TAKEN)) as model:
        for role in model.people.roles:
            role.act = lambda _view: Actions()
        yield model


def sell(model: Model, lots: int, market: int = 0) -> None:
    """Tell the model that so many lots of an asset were sold."""
    sales = np.zeros(1, LIQUIDATION)
    sales["market"], sales["filled"] = market, -lots
    nothing = np.zeros(0, LIQUIDATION), np.zeros(0, DELEVERAGE), np.zeros(0)
    model._force(Cascade(1, False, *nothing, sales), model._outside_price())


def depth_lots(model: Model, minutes: float) -> int:
    """Lots worth so many minutes of what the outside market takes."""
    return int(minutes * model.world.depth[0] * MICRO / model._outside_price()[0])


def test_what_was_sold_presses_the_outside_price_of_the_next_block(model: Model) -> None:
    sell(model, depth_lots(model, 1.0))
    model._hedge([], model._outside_price())
    flow = float(model.flow[0])
    model.step()

    assert flow == pytest.approx(-model.world.normal_depth[0], rel=1e-3)
    assert model.unsold.tolist() == [0, 0]
    assert model.world.outside[0] / model.world.fundamental[1, 0] == pytest.approx(np.exp(-0.01), rel=1e-3)
    assert model.world.outside[1] == model.world.fundamental[1, 1]


def test_what_the_market_does_not_take_at_once_waits_and_buyers_know(model: Model) -> None:
    lots = depth_lots(model, 4.0)
    sell(model, lots)
    model._hedge([], model._outside_price())
    model._tell_buyers(model._outside_price())
    price = model._outside_price()

    assert model.unsold[0] == pytest.approx(0.75 * lots, rel=1e-3)
    assert model.exchange.engine.outside[0] / price[0] == pytest.approx(np.exp(-0.015), rel=1e-3)
    assert model.exchange.engine.outside[1] == price[1]


def test_hedgers_who_buy_meet_those_who_sell(model: Model) -> None:
    lots = depth_lots(model, 4.0)
    sell(model, lots)
    buyer = model.people.makers.accounts[:1]
    model._hedge([Hedges(buyer, integers(0), np.array([float(lots)]))], model._outside_price())

    assert model.flow.tolist() == [0, 0]
    assert model.unsold.tolist() == [0, 0]
    assert model.outside.size[0, buyer[0]] == lots


def test_a_sale_is_forced_flow_that_the_counterfactual_takes_away() -> None:
    with opened(calm(*TAKEN, "world.impact.liquidations=false")) as model:
        sell(model, depth_lots(model, 1.0))
        model._hedge([], model._outside_price())
        model.world.advance(model.flow)

        assert model.flow[0] < 0
        assert model.world.outside[0] == model.world.fundamental[1, 0]


def test_bringing_an_asset_is_neither_gain_nor_loss_wherever_the_oracle_stands(model: Model) -> None:
    account, before = model.people.makers.accounts[:1], profits(model)
    model.exchange.book.oracle[:] *= 3
    model._transfer(transfers(account, integers(70_000), DEPOSIT_ASSET, 1))
    after = profits(model)

    assert model.exchange.book.collateral[1, account[0]] == 70_000
    for column in ("venue_pnl", "outside_pnl", "pnl"):
        np.testing.assert_allclose(after[column], before[column], atol=1e-6)


def test_an_asset_that_rises_is_a_gain_in_full(model: Model) -> None:
    account = model.people.makers.accounts[:1]
    model._transfer(transfers(account, integers(70_000), DEPOSIT_ASSET, 1))
    before, price = profits(model), model.world.outside[1]
    model.world.outside[1] = 1.5 * price
    gain = float(profits(model).at["market_makers", "venue_pnl"] - before.at["market_makers", "venue_pnl"])

    assert gain == pytest.approx(70_000 * model.units.lot[1] * 0.5 * price, rel=1e-6)


def profits(model: Model):  # type: ignore[no-untyped-def]
    """The table of roles by name."""
    return Tables(model.recorder).agents().set_index("role")


def test_a_crash_sells_collateral_and_tells_of_it() -> None:
    sales = crashed(*WRONG_WAY).tables["sales"]
    sold = sales[sales["outcome"] == "sold"]

    assert len(sold) > 20
    assert set(sales["outcome"]) <= {"sold", "unsold"}
    assert (sold["sold"] == sold["size"]).all()
    assert (sold["size"] < 0).all()
    np.testing.assert_allclose(sold["price"] / sold["oracle"], 0.95, rtol=1e-3)
    np.testing.assert_allclose(sold["penalty_usd"] / sold["paid_usd"], 0.01, atol=2e-3)
    assert (sold["equity_before"] < sold["maintenance_before"].clip(lower=1e-9)).all()
    assert set(sold["role"]) == {"retail", "vault"}


def test_the_fund_holds_penalties_beside_what_liquidations_brought_and_paid() -> None:
    result = crashed(*WRONG_WAY)
    blocks, rows, paid = (result.tables[name] for name in ("blocks", "liquidations", "waterfall"))
    brought = rows["insurance_delta"].clip(lower=0).sum() + result.tables["sales"]["penalty_usd"].sum()
    spent = paid.loc[paid["stage"] == "insurance_fund", "amount_usd"].sum()

    assert blocks["insurance_fund"].iloc[-1] == pytest.approx(5e6 + brought - spent, abs=0.01)


def test_a_venue_that_takes_no_asset_has_no_table_of_sales() -> None:
    assert "sales" not in crashed().tables


def test_assets_that_nobody_brings_change_nothing() -> None:
    without, taken = crashed(), crashed(*TAKEN)

    assert taken.transcript == without.transcript
    assert taken.summary == without.summary
    assert len(taken.tables["sales"]) == 0


def test_flows_of_an_asset_add_up_in_a_run() -> None:
    with opened(crash(*WRONG_WAY), blocks=100) as model:
        book = model.exchange.book

        assert book.asset_flows[1].all()
        np.testing.assert_array_equal(book.collateral.sum(axis=1), book.asset_flows[0] - book.asset_flows[1])
