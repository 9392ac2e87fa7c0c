"""The worlds of a campaign: a preset with a third market, a seed, and the storms that may strike."""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from protocol.arithmetic import MICRO
from protocol.book import INSURANCE, VAULT, Ints, first_trader
from protocol.exchange import Exchange
from protocol.venues.limit_book import LimitBook
from sim.scenario import Scenario, load_scenario
from sim.streams import stream
from sim.venue import grid, open_exchange
from sim.venue_settings import ProtocolSettings

STORMS = (
    "jumps",
    "crashes",
    "stalls",
    "scaling",
    "gas",
    "governance",
    "assets",
    "thin",
    "absent",
    "slow",
    "whales",
    "rules",
)
OPENING = np.array([42_000.0, 2_300.0, 60.0])
SIZES = {"traders": 30, "makers": 3, "keepers": 3, "providers": 4}
WEALTH = {"traders": 5e3, "makers": 2e5, "keepers": 1e5, "providers": 1e5}
PLAIN = "lot: 0.1, tick: 0.01, initial_margin: 0.1, maintenance_margin: 0.05"
THIRD_MARKETS = (
    f"{{{PLAIN}}}",
    f"{{{PLAIN}, isolated: true}}",
    f"{{{PLAIN}, size_root: 0.002, gain_weight: 0.5}}",
    f"{{{PLAIN}, open_interest_lower: 20000, open_interest_upper: 200000, open_interest_cap: 400000, "
    "position_margin: 5, minimum_margin: 10}",
    f"{{{PLAIN}, tiers: [{{above: 10000, initial_margin: 0.2, maintenance_margin: 0.1}}, "
    "{above: 50000, initial_margin: 0.5, maintenance_margin: 0.25}]}",
)
SURROUNDINGS = (
    "world.depth.within_1pct={SOL: 5e+6}",
    "world.depth.calm_volatility={SOL: 1.0}",
    "world.prices.volatility={SOL: 1.0}",
    "world.prices.points=[{at: 0s, BTC: 42000, ETH: 2300, SOL: 60}]",
)
OWN_RESORT = {"drift": "index", "gmx_v2": "pool", "synthetix_v3": "pool"}
WAITS = ("protocol.vault.lock_up=1h", "protocol.venue.lock_up=10m")
COLLATERAL = "{initial_weight: 0.7, maintenance_weight: 0.85}"


class World(NamedTuple):
    """What a world follows from."""

    preset: str
    seed: int
    storms: frozenset[str]

    def command(self, blocks: int) -> str:
        """The command that runs this world again."""
        storms = ",".join(sorted(self.storms)) or "none"
        where = f"--preset {self.preset} --seed {self.seed} --storms {storms} --blocks {blocks}"
        return f"python tests/campaign.py {where}"


class Crowd(NamedTuple):
    """Accounts by what they do, (k,) int64 each."""

    traders: Ints
    makers: Ints
    keepers: Ints
    providers: Ints


def storms_of(seed: int) -> frozenset[str]:
    """The storms of a world in a long campaign: each with one chance in three."""
    return frozenset(np.array(STORMS)[stream(seed, "storms").random(len(STORMS)) < 1 / 3].tolist())


@functools.cache
def scenario_of(preset: str, third: int, assets: bool, rules: tuple[str, ...]) -> Scenario:
    """A preset with a third market, with or without assets as collateral, and with some other rules."""
    market = f"protocol.markets.SOL={THIRD_MARKETS[third]}"
    overrides = [f"protocol.preset={preset}", market, *SURROUNDINGS, *WAITS, *rules]
    if assets:
        overrides += [f"protocol.markets.{name}.collateral={COLLATERAL}" for name in ("ETH", "SOL")]
    return load_scenario("base", overrides)


def other_rules(rng: np.random.Generator, preset: str) -> tuple[str, ...]:
    """A few rules that the venue might have chosen instead."""
    own = OWN_RESORT.get(preset, "socialise")
    resort = rng.choice(["gate", "socialise", "halt", own], p=[0.25, 0.25, 0.25, 0.25])
    gate = rng.choice(["0s", "50s", "10m"])
    price = rng.choice(["bankruptcy", "previous_mark", "crossing", "mark"])
    adl = rng.choice(["queue", "ranked", "random", "pro_rata", "profit_pro_rata", "drain", "none"])
    forced = str(bool(rng.random() < 0.5)).lower()
    backstop, mark = rng.choice(["none", "takeover"]), rng.choice(["oracle", "median", "twap"])
    chosen = [f"protocol.last_resort={resort}", f"protocol.withdrawals.gate={gate}"]
    if preset in ("dydx_v4", "hyperliquid"):
        chosen += [f"protocol.adl={{rule: {adl}, price: {price}, forced: {forced}}}"]
        chosen += [f"protocol.backstop.rule={backstop}", f"protocol.mark={mark}"]
    return tuple(chosen)


def settings_of(world: World, rng: np.random.Generator) -> ProtocolSettings:
    """The venue of a world: its third market and its rules are drawn."""
    third, rules = int(rng.integers(len(THIRD_MARKETS))), other_rules(rng, world.preset)
    chosen = rules if "rules" in world.storms else ()
    if world.preset == "synthetix_v3" and rng.random() < 0.5:
        chosen += ("protocol.liquidation.capacity=0.001",)
    return scenario_of(world.preset, third, "assets" in world.storms, chosen).protocol


def open_world(settings: ProtocolSettings, rng: np.random.Generator, spread: float) -> tuple[Exchange, Crowd]:
    """The venue with everybody's money, log-normal by `spread`, the fund's, and the depositors' shares."""
    edges = np.cumsum([first_trader(len(OPENING)), *SIZES.values()])
    crowd = Crowd(*(np.arange(low, high) for low, high in itertools.pairwise(edges)))
    exchange = open_exchange(settings, grid(settings), OPENING, int(edges[-1]))
    for group, accounts in crowd._asdict().items():
        for account in accounts.tolist():
            exchange.deposit(account, int(WEALTH[group] * MICRO * rng.lognormal(0.0, spread)))
    exchange.deposit(INSURANCE, int(rng.choice([0, 100, 3e3]) * MICRO))
    part = 10 ** rng.uniform(-1.5, 0.0)
    purses = deposit_purses(exchange)
    for place, account in enumerate(crowd.providers.tolist()):
        exchange.buy_shares(account, purses[place % len(purses)], int(part * exchange.book.cash[account]))
    return exchange, crowd


def deposit_purses(exchange: Exchange) -> list[int]:
    """The vault of an order book, the counterparties of any other venue."""
    pools: list[int] = np.unique(exchange.book.counterparty).tolist()
    return [VAULT] if isinstance(exchange.venue, LimitBook) else pools
