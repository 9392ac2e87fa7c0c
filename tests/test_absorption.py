"""Liquidations that move no price: nothing else changes, and nothing is lost."""

from functools import cache

import numpy as np
import pytest
from small import PRICES, crash, opened, others_long
from venue import ALICE, BOB, CAROL, DAVE, hold, liquidate, quote, set_price, venue

from protocol.liquidations.absorption import Absorption
from protocol.liquidations.closes import Closes
from protocol.liquidations.record import Engine
from protocol.liquidations.slices import Slices
from protocol.liquidations.tranches import Tranches
from protocol.liquidations.transfers import Transfers
from protocol.liquidations.windows import Windows
from protocol.scan import liquidatable
from sim.frames import Tables
from sim.population import outsider_of
from sim.run import Result, run
from sim.scenario import load_scenario
from sim.venue import grid, open_exchange

SMALL = ("agents.retail.accounts=300", "clock.duration=90m")
BOOKS = ("dydx_v4", "hyperliquid")


@cache
def fallen(preset: str, impact: bool) -> Result:
    """A small crash under a venue's rules; its laws are checked after every block."""
    flag = f"world.impact.liquidations={str(impact).lower()}"
    return run(crash(f"protocol.preset={preset}", *SMALL, flag), 7)


@pytest.mark.parametrize("preset", others_long([*BOOKS, "drift"]))
def test_what_is_liquidated_is_left_with_the_outsider(preset: str) -> None:
    scenario = crash(f"protocol.preset={preset}", *SMALL, "world.impact.liquidations=false")
    with opened(scenario, 7, blocks=scenario.clock.blocks) as model:
        tables = Tables(model.recorder)
        rows, markets = tables.all()["liquidations"], tables.markets()
        held = model.exchange.book.size[:, outsider_of(scenario)]
        bought = rows.groupby("market")["filled"].sum()[list(model.units.names)] / model.units.lot

    assert (held > 0).all()
    assert held.tolist() == np.rint(-bought).astype(int).tolist()
    assert (markets["forced_impact"] == 0).all()


@pytest.mark.parametrize("preset", others_long(BOOKS))
def test_every_fill_of_a_liquidation_is_at_the_mark(preset: str) -> None:
    rows = fallen(preset, impact=False).tables["liquidations"]
    filled = rows[(rows["filled"] != 0) & (rows["keeper"] < 0)]

    np.testing.assert_allclose(filled["price"], filled["mark"], rtol=1e-9)
    assert (filled["outcome"] == "filled").all()


@pytest.mark.parametrize("preset", others_long(BOOKS))
def test_with_impact_they_fill_below_it_and_in_part(preset: str) -> None:
    rows = fallen(preset, impact=True).tables["liquidations"]
    sold = rows[(rows["filled"] < 0) & (rows["keeper"] < 0)]

    assert (sold["price"] < sold["mark"]).mean() > 0.5


@pytest.mark.parametrize("preset", ["gmx_v2", "synthetix_v3"])
def test_a_pool_that_closes_at_the_oracle_moves_no_price_anyway(preset: str) -> None:
    one, other = (fallen(preset, impact).summary["liquidated_accounts"] for impact in (True, False))

    assert one == other


def test_the_book_of_others_stays_as_it_was() -> None:
    exchange = venue(500, 1e6, 1e6, 1e9, rules={"adl": "none"}, liquidation_share=1_000_000)
    hold(exchange, ALICE, BOB, 100)
    quote(exchange, CAROL, (100, 96))
    engine = exchange.engine
    exchange.engine = Absorption(engine, exchange.venue, DAVE)
    set_price(exchange, 96)
    before = exchange.quotes()
    assert liquidatable(exchange.book, exchange.parameters).tolist() == [ALICE]
    cascade = liquidate(exchange, rounds=5)
    after = exchange.quotes()

    assert exchange.book.size[0, ALICE] == 0
    assert cascade.liquidations["filled"].sum() == -100
    assert exchange.book.size[0, DAVE] == 100
    assert (before.bid, before.depth) == (after.bid, after.depth)


@pytest.mark.parametrize(
    ("preset", "engine", "trades"),
    [
        ("dydx_v4", Slices, True),
        ("hyperliquid", Tranches, True),
        ("drift", Transfers, False),
        ("gmx_v2", Closes, None),
        ("synthetix_v3", Windows, None),
    ],
)
def test_only_engines_that_trade_or_hand_over_are_wrapped(
    preset: str, engine: type[Engine], trades: bool | None
) -> None:
    """With an outsider; without one nobody's engine is."""
    settings = load_scenario("base", [f"protocol.preset={preset}"]).protocol
    alone, watched = (open_exchange(settings, grid(settings), PRICES, 20, who) for who in (None, 19))

    assert isinstance(alone.engine, engine)
    if trades is None:
        assert isinstance(watched.engine, engine)
    else:
        assert isinstance(watched.engine, Absorption)
        assert isinstance(watched.engine.engine, engine)
        assert watched.engine.venue is (watched.venue if trades else None)
        assert watched.engine.outsider == 19
