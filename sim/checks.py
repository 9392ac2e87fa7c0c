"""Rules between settings: what types and bounds of single values cannot say."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.retail import UNLISTED_WEIGHT
from sim.liquidation_settings import SliceSettings
from sim.problems import Path, Problem, shown, suggestion
from sim.world_settings import OracleFault, OracleStall, PriceJump, Waypoints

if TYPE_CHECKING:
    from sim.configuration import Scenario

MAX_BLOCKS = 5_000_000


def cross_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Every rule between settings that a scenario breaks; places are left to the loader."""
    yield from _clock_problems(scenario)
    yield from _market_problems(scenario)
    yield from _protocol_problems(scenario)
    yield from _world_problems(scenario)
    yield from _coverage_problems(scenario)
    yield from _population_problems(scenario)
    yield from _shock_problems(scenario)


def _broken(path: str, rule: str, *about: str, **values: object) -> Problem:
    """A broken rule between sibling settings named by keyword; `about` adds settings from elsewhere."""
    prefix = tuple(path.split(".")) if path else ()
    paths: tuple[Path, ...] = tuple((*prefix, name) for name in values)
    text = ", ".join(f"{name}={value}" for name, value in values.items())
    return Problem("", path, rule, text, (*paths, *(tuple(other.split(".")) for other in about)))


def _clock_problems(scenario: "Scenario") -> Iterator[Problem]:
    clock = scenario.clock
    if clock.duration % clock.block:
        rule = "duration must be a multiple of block"
        yield _broken("clock", rule, duration=f"{clock.duration}s", block=f"{clock.block}s")
    if clock.blocks > MAX_BLOCKS:
        rule = f"duration / block must be at most {MAX_BLOCKS:,} blocks"
        yield _broken("clock", rule, duration=f"{clock.duration}s", block=f"{clock.block}s")
    if not 1970 <= clock.start.year <= 2200:
        yield _broken("clock", "start must lie between 1970 and 2200", start=clock.start.isoformat())


def _market_problems(scenario: "Scenario") -> Iterator[Problem]:
    if not scenario.protocol.markets:
        yield Problem(
            "", "protocol.markets", "at least one market is needed", about=(("protocol", "markets"),)
        )
    for name, market in scenario.protocol.markets.items():
        path = f"protocol.markets.{name}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", name):
            rule = "a market's name is made of letters, digits, _ and -"
            yield Problem("", path, rule, shown(name), (("protocol", "markets", name),))
        margins = {"maintenance_margin": market.maintenance_margin, "initial_margin": market.initial_margin}
        if not market.maintenance_margin <= market.initial_margin:
            yield _broken(path, "maintenance_margin <= initial_margin must hold", **margins)
        bounds = {
            "open_interest_lower": market.open_interest_lower,
            "open_interest_upper": market.open_interest_upper,
        }
        if any(bounds.values()) and market.open_interest_lower >= market.open_interest_upper:
            yield _broken(path, "open_interest_lower < open_interest_upper must hold", **bounds)
        micro = market.tick * market.lot * 1e6
        if round(micro) < 1 or abs(micro - round(micro)) > 1e-9 * micro:
            rule = "tick * lot must be a whole number of 1e-6 USD"
            yield _broken(path, rule, tick=market.tick, lot=market.lot)


def _world_problems(scenario: "Scenario") -> Iterator[Problem]:
    world = scenario.world
    if world.reading == "representative" and world.share != 1:
        rule = "a representative venue is the whole market, share=1 must hold"
        yield _broken("world", rule, share=world.share)


def _protocol_problems(scenario: "Scenario") -> Iterator[Problem]:
    protocol = scenario.protocol
    fees, liquidation = protocol.fees, protocol.liquidation
    if abs(fees.maker) > fees.taker:
        rule = "|maker| <= taker must hold"
        yield _broken("protocol.fees", rule, maker=fees.maker, taker=fees.taker)
    if isinstance(liquidation, SliceSettings) and liquidation.min_notional > liquidation.max_notional:
        values = {"min_notional": liquidation.min_notional, "max_notional": liquidation.max_notional}
        yield _broken("protocol.liquidation", "min_notional <= max_notional must hold", **values)
    if scenario.clock.block % liquidation.round:
        rule = f"clock.block={scenario.clock.block}s must be a multiple of round"
        yield _broken("protocol.liquidation", rule, "clock.block", round=f"{liquidation.round}s")


def _coverage_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Every market needs its number in the tables that are kept by market."""
    world = scenario.world
    depth = world.depth
    tables = {
        "world.depth.within_1pct": depth.within_1pct,
        "world.depth.calm_volatility": depth.calm_volatility,
    }
    if isinstance(world.prices, Waypoints):
        tables["world.prices.volatility"] = world.prices.volatility
        yield from _waypoint_problems(scenario, world.prices)
    for path, table in tables.items():
        for name in scenario.markets:
            if name not in table:
                rule = f"market {name} needs a value{suggestion(name, table)}"
                about = (("protocol", "markets", name), tuple(path.split(".")))
                yield Problem("", path, rule, about=about)


def _population_problems(scenario: "Scenario") -> Iterator[Problem]:
    weights = scenario.agents.retail.market_weights
    if scenario.markets and not any(weights.get(name, UNLISTED_WEIGHT) for name in scenario.markets):
        rule = f"one of {', '.join(scenario.markets)} must have a weight above 0"
        yield _broken("agents.retail", rule, market_weights=weights)


def _waypoint_problems(scenario: "Scenario", prices: Waypoints) -> Iterator[Problem]:
    if bool(prices.event) == bool(prices.points):
        rule = "exactly one of event and points must be given"
        values = {"event": shown(prices.event), "points": f"{len(prices.points)} entries"}
        yield _broken("world.prices", rule, **values)
    count = len(scenario.markets)
    if count > 1 and prices.correlation < -1 / (count - 1):
        rule = f"correlation >= {-1 / (count - 1):g} must hold with {count} markets"
        yield _broken("world.prices", rule, correlation=prices.correlation)


def _shock_problems(scenario: "Scenario") -> Iterator[Problem]:
    for index, shock in enumerate(scenario.shocks):
        path = f"shocks.{index}"
        if shock.at >= scenario.clock.duration:
            rule = f"at must lie within clock.duration={scenario.clock.duration}s"
            yield _broken(path, rule, "clock.duration", at=f"{shock.at}s")
        if isinstance(shock, PriceJump | OracleStall | OracleFault):
            for name in shock.markets:
                if name not in scenario.markets:
                    rule = f"no such market {shown(name)}{suggestion(name, scenario.markets)}"
                    about = (("shocks", str(index), "markets"), ("protocol", "markets", name))
                    yield Problem("", f"{path}.markets", rule, about=about)
