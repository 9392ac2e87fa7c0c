"""A venue of any preset in coarse units: one lot is one unit of base, prices are in USD."""

from functools import cache

import numpy as np
from venue import ALICE, BOB, integers, usd

from protocol.book import INSURANCE, VAULT
from protocol.exchange import Exchange
from protocol.liquidations.keepers import Offers
from protocol.losses.journal import STAGES, Cascade
from protocol.prices.oracle import MedianRule, calm_reading
from sim.scenario import load_scenario
from sim.venue import grid, open_exchange
from sim.venue_settings import ProtocolSettings

ORDER_BOOKS = ("dydx_v4", "hyperliquid")
POOLS = ("gmx_v2", "synthetix_v3")
PRESETS = (*ORDER_BOOKS, "drift", *POOLS)
AT_ONCE = "venue.settlement_delay=0s"
COLLATERAL = "markets.ETH.collateral={initial_weight: 0.8, maintenance_weight: 0.9}"
COARSE = tuple(f"protocol.markets.{name}={{lot: 1, tick: 0.01}}" for name in ("BTC", "ETH"))


@cache
def settings(preset: str, *overrides: str) -> ProtocolSettings:
    """A preset's settings in coarse units, with others laid over it."""
    chosen = [f"protocol.{each}" for each in overrides]
    return load_scenario("base", [f"protocol.preset={preset}", *COARSE, *chosen]).protocol


def opened(
    preset: str,
    *deposits: float,
    overrides: tuple[str, ...] = (),
    prices: tuple[float, float] = (100.0, 50.0),
    insurance: float = 0.0,
    vault: float = 0.0,
    pool: float = 0.0,
) -> Exchange:
    """A venue whose traders, from ALICE on, whose purses and each of whose pools have this money [USD]."""
    chosen = settings(preset, *overrides)
    exchange = open_exchange(chosen, grid(chosen), np.array(prices), ALICE + max(len(deposits), 5))
    for account, amount in enumerate(deposits, start=ALICE):
        exchange.deposit(account, usd(amount))
    exchange.deposit(INSURANCE, usd(insurance))
    exchange.deposit(VAULT, usd(vault))
    if preset not in ORDER_BOOKS:
        for account in np.unique(exchange.book.counterparty).tolist():
            exchange.deposit(account, usd(pool))
    return exchange


def tell(exchange: Exchange, *prices: float, time: float, silent: bool = False) -> None:
    """Let all sources name prices [USD], or none of them, and let a block end at `time` [s]."""
    known = calm_reading(integers(*map(usd, prices)))
    rule = exchange.rules.prices.feed
    if isinstance(rule, MedianRule):
        shape = (len(rule.weights), 1)
        known = known._replace(sources=np.tile(known.sources, shape), live=np.tile(known.live, shape))
    stalled = np.full(len(prices), silent)
    exchange.observe(time - exchange.prices.time)
    exchange.update_prices(known._replace(stalled=stalled), time)


def offers(*keepers: int) -> Offers:
    """Keepers who work at any gas price and for any gain."""
    count = len(keepers)
    nothing = np.zeros(count, np.int64)
    return Offers(integers(*keepers), np.full(count, 1e9), nothing, nothing, np.arange(count))


def liquidate(exchange: Exchange, *keepers: int, rounds: int = 1, ticket: int = 0) -> Cascade:
    """Run liquidation rounds now, with keepers standing ready and gas for nothing."""
    return exchange.liquidate(exchange.prices.time, rounds, np.full(rounds, ticket), offers(*keepers))


def borne(cascade: Cascade) -> dict[str, int]:
    """What each stage of the waterfall bore [micro-USD]."""
    found: dict[str, int] = {}
    for row in cascade.payments:
        name = STAGES[row["stage"]]
        found[name] = found.get(name, 0) + int(row["amount"])
    return found


def against(exchange: Exchange, market: int = 0) -> int:
    """Who stands on the other side of the users in tests: the pool, or BOB where traders meet."""
    return int(exchange.book.counterparty[market]) if exchange.venue.automated else BOB
