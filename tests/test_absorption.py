"""Liquidations that move no price: nothing else changes, and nothing is lost."""

from functools import cache

import numpy as np
import pytest
from small import crash, empty_venue
from venue import ALICE, BOB, CAROL, DAVE, hold, liquidate, quote, set_price, venue

from protocol.liquidations.absorption import Absorption
from protocol.scan import liquidatable
from sim.run import Result, run

SMALL = ("agents.retail.accounts=300", "clock.duration=90m")
BOOKS = ("dydx_v4", "hyperliquid")


@cache
def fallen(preset: str, impact: bool) -> Result:
    """A small crash under a venue's rules; its laws are checked after every block."""
    flag = f"world.impact.liquidations={str(impact).lower()}"
    return run(crash(f"protocol.preset={preset}", *SMALL, flag), 7)


@pytest.mark.parametrize("preset", [*BOOKS, "drift"])
def test_what_is_liquidated_is_left_with_the_outsider(preset: str) -> None:
    found = fallen(preset, impact=False)
    rows = found.tables["liquidations"]
    forced = found.tables["markets"]

    assert (rows["filled"] != 0).any()
    assert "outsider" in set(found.tables["agents"]["role"])
    assert (forced["forced_impact"] == 0).all()


@pytest.mark.parametrize("preset", BOOKS)
def test_every_fill_of_a_liquidation_is_at_the_mark(preset: str) -> None:
    rows = fallen(preset, impact=False).tables["liquidations"]
    filled = rows[(rows["filled"] != 0) & (rows["keeper"] < 0)]

    np.testing.assert_allclose(filled["price"], filled["mark"], rtol=1e-9)
    assert (filled["outcome"] == "filled").all()


@pytest.mark.parametrize("preset", BOOKS)
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


@pytest.mark.parametrize("preset", ["dydx_v4", "hyperliquid", "drift", "gmx_v2", "synthetix_v3"])
def test_only_engines_that_trade_or_hand_over_are_wrapped(preset: str) -> None:
    engine = empty_venue(preset).engine

    assert not isinstance(engine, Absorption)
