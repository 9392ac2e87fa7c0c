"""Wrong-way risk: a long whose collateral is the asset itself fails earlier when it falls, and only then.

The crowd holds what it has at the start and does nothing else, so that the same accounts meet the same
prices. Those who bring the asset bring enough to have the same margin as with cash.
"""

from functools import cache

import numpy as np
import pytest
from small import opened

from agents.retail import Retail
from protocol.book import Mask
from sim.frames import Tables
from sim.scenario import load_scenario

STILL = tuple(f"agents.retail.{habit}=0" for habit in ("attention", "stops", "targets", "watchful"))
SMALL = (
    "clock.duration=12h",
    "clock.block=120s",
    "agents.retail.accounts=300",
    "shocks=[{at: 10h, kind: liquidity_withdrawal, share: 0.9, duration: 2h}]",
    *STILL,
)
FALLING = "BTC: 8000, ETH: 200}, {at: 6h, BTC: 7900, ETH: 197}, {at: 12h, BTC: 5600, ETH: 140}"
ETHER_STANDS = "BTC: 8000, ETH: 200}, {at: 6h, BTC: 7900, ETH: 200}, {at: 12h, BTC: 5600, ETH: 200}"
RISING = "BTC: 8000, ETH: 200}, {at: 6h, BTC: 8100, ETH: 203}, {at: 12h, BTC: 11000, ETH: 280}"


def path(points: str) -> tuple[str, ...]:
    """Prices through some points, with little between them."""
    return (
        "world.prices.event=",
        f"world.prices.points=[{{at: 0s, {points}]",
        "world.prices.volatility={BTC: 0.1, ETH: 0.1}",
    )


def brings(retail: Retail) -> Mask:
    """Accounts that bring assets where half of all do."""
    chosen: Mask = retail.stream("retail", "collateral").random(len(retail.accounts)) < 0.5
    return chosen


@cache
def closed(share: float, markets: tuple[str, ...], *overrides: str, seed: int = 3) -> dict[str, float]:
    """Accounts and notional liquidated [USD] of those who bring assets, long or short, and of the others."""
    taken = [
        f"protocol.markets.{market}.collateral={{initial_weight: 0.9, maintenance_weight: 0.9}}"
        for market in markets
    ]
    chosen = [*SMALL, *taken, f"agents.retail.asset_collateral={share}", *overrides]
    with opened(load_scenario("march_2020", chosen), seed) as model:
        retail = model.people.retail
        side = np.sign(model.exchange.book.size[:, retail.accounts].sum(axis=0))
        for _ in range(model.scenario.clock.blocks):
            model.step()
        orders = Tables(model.recorder).all()["liquidations"]
    orders = orders[(orders["role"] == "retail") & (orders["filled"] != 0)]
    index = orders["account"].to_numpy() - retail.accounts[0]
    groups = {"longs": brings(retail) & (side > 0), "shorts": brings(retail) & (side < 0)}
    groups["others"] = ~brings(retail)
    found = {"brought": float(model.exchange.book.asset_flows[0].sum())}
    for name, group in groups.items():
        found[name] = float(len(np.unique(index[group[index]])))
        found[f"{name}_usd"] = float(orders["notional_usd"].to_numpy()[group[index]].sum())
    return found


@pytest.mark.long
@pytest.mark.parametrize("overrides", [(), path(FALLING)], ids=["march 2020", "by thirty per cent"])
def test_more_longs_fail_with_collateral_in_what_falls(overrides: tuple[str, ...]) -> None:
    cash, asset = (closed(share, ("BTC", "ETH"), *overrides) for share in (0, 0.5))

    assert asset["longs"] > 1.05 * cash["longs"] > 0
    assert asset["longs_usd"] > 1.05 * cash["longs_usd"]
    assert asset["shorts"] == cash["shorts"] == 0


@pytest.mark.long
def test_nobody_more_fails_with_collateral_in_what_stands() -> None:
    """Bitcoin falls and ether does not; only ether is taken."""
    cash, asset = (closed(share, ("ETH",), *path(ETHER_STANDS)) for share in (0, 0.5))

    assert cash["longs"] > 0
    assert asset["brought"] > cash["brought"] == 0
    assert asset | {"brought": 0.0} == cash


@pytest.mark.long
def test_nobody_more_fails_with_collateral_in_what_rises() -> None:
    """Shorts fail, and those whose collateral rises against their position do so later or not at all."""
    cash, asset = (closed(share, ("BTC", "ETH"), *path(RISING)) for share in (0, 0.5))

    assert cash["shorts"] > 0
    assert asset["shorts"] < cash["shorts"]
    assert asset["shorts_usd"] < cash["shorts_usd"]
    assert asset["longs"] == cash["longs"] == 0
