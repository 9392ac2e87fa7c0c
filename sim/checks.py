"""Rules between settings: what types and bounds of single values cannot say."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.actors import ActSettings
from agents.retail_traits import UNLISTED_WEIGHT
from agents.settings import LARGEST_USD
from protocol.book import first_trader
from sim.engine_checks import engine_problems
from sim.governance.checks import governance_problems
from sim.prices.rules import market_tables, price_rules
from sim.problems import Problem, shown, suggestion
from sim.venue_checks import broken, venue_problems
from sim.world_settings import OracleFault, OracleStall, OutsideFlow, PriceJump, SentimentJump

if TYPE_CHECKING:
    from sim.configuration import Scenario

MAX_BLOCKS = 5_000_000
NOT_FOR_ACTORS = ("venue", "insurance_fund", "vault", "pool")


def cross_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Every rule between settings that a scenario breaks; places are left to the loader."""
    yield from _clock_problems(scenario)
    yield from venue_problems(scenario.protocol)
    yield from _round_problems(scenario)
    yield from _world_problems(scenario)
    yield from _coverage_problems(scenario)
    yield from _population_problems(scenario)
    yield from _capital_problems(scenario)
    yield from _party_problems(scenario)
    yield from _absent_problems(scenario)
    yield from _actor_problems(scenario)
    yield from _attack_problems(scenario)
    yield from _shock_problems(scenario)
    yield from engine_problems(scenario)
    yield from governance_problems(scenario)


def _clock_problems(scenario: "Scenario") -> Iterator[Problem]:
    clock = scenario.clock
    if clock.duration % clock.block:
        rule = "duration must be a multiple of block"
        yield broken("clock", rule, duration=f"{clock.duration}s", block=f"{clock.block}s")
    if clock.blocks > MAX_BLOCKS:
        rule = f"duration / block must be at most {MAX_BLOCKS:,} blocks"
        yield broken("clock", rule, duration=f"{clock.duration}s", block=f"{clock.block}s")
    if not 1970 <= clock.start.year <= 2200:
        yield broken("clock", "start must lie between 1970 and 2200", start=clock.start.isoformat())


def _world_problems(scenario: "Scenario") -> Iterator[Problem]:
    world = scenario.world
    if world.reading == "representative" and world.share != 1:
        rule = "a representative venue is the whole market, share=1 must hold"
        yield broken("world", rule, share=world.share)
    yield from _sentiment_problems(scenario)


def _sentiment_problems(scenario: "Scenario") -> Iterator[Problem]:
    mood = scenario.world.sentiment
    if mood.path and mood.provider:
        rule = "path and provider exclude each other"
        yield broken("world.sentiment", rule, path=shown(mood.path), provider=shown(mood.provider))
    if (mood.path or mood.provider) and (mood.gain or mood.noise):
        rule = "gain and noise belong to the process, which path or provider stand in for"
        yield broken("world.sentiment", rule, gain=mood.gain, noise=mood.noise)
    for index, shock in enumerate(scenario.shocks):
        if isinstance(shock, SentimentJump) and (mood.path or mood.provider):
            rule = "a sentiment_jump needs the process: no world.sentiment.path or provider"
            about = (("shocks", str(index), "kind"), ("world", "sentiment"))
            yield Problem("", f"shocks.{index}.kind", rule, about=about)


def _round_problems(scenario: "Scenario") -> Iterator[Problem]:
    liquidation = scenario.protocol.liquidation
    if scenario.clock.block % liquidation.round:
        rule = f"clock.block={scenario.clock.block}s must be a multiple of round"
        yield broken("protocol.liquidation", rule, "clock.block", round=f"{liquidation.round}s")


def _capital_problems(scenario: "Scenario") -> Iterator[Problem]:
    """What a role brings in proportion to open interest must be money that the venue can count."""
    world = scenario.world
    for role in ("market_makers", "arbitrageurs", "liquidators", "whales"):
        capital = getattr(scenario.agents, role).capital
        if capital * world.share * world.open_interest > LARGEST_USD:
            rule = f"capital of open interest must be at most {LARGEST_USD:g} USD"
            yield broken(f"agents.{role}", rule, "world.open_interest", capital=f"{capital:g}")


def _coverage_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Every market needs its number in the tables that are kept by market."""
    world = scenario.world
    depth = world.depth
    tables = {
        "world.depth.within_1pct": depth.within_1pct,
        "world.depth.calm_volatility": depth.calm_volatility,
        **market_tables(world.prices),
    }
    yield from price_rules(world.prices, scenario.markets, scenario.clock.duration)
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
        yield broken("agents.retail", rule, market_weights=weights)
    share, markets = scenario.agents.retail.asset_collateral, scenario.protocol.markets
    if share and not any(market.collateral.initial_weight for market in markets.values()):
        rule = "asset_collateral needs a market that takes its asset: collateral.initial_weight above 0"
        yield broken("agents.retail", rule, "protocol.markets", asset_collateral=share)
    accounts, alone = scenario.agents.arbitrageurs.accounts, [each.isolated for each in markets.values()]
    if scenario.protocol.venue.kind in ("order_book", "amm") and any(alone[accounts:]):
        rule = f"an isolated market needs an account whose turn it is: accounts must be at least {len(alone)}"
        yield broken("agents.arbitrageurs", rule, "protocol.markets", accounts=accounts)


def _party_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Actors, attackers and own traders have names of their own."""
    agents = scenario.agents
    taken = {*NOT_FOR_ACTORS, *type(agents).model_fields}
    for section, noun in (("actors", "an actor"), ("attackers", "an attacker"), ("own", "a trader")):
        for name in getattr(agents, section):
            path = ("agents", section, name)
            if name in taken or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
                rule = f"{noun}'s name is made of letters, digits, _ and -, and is no role's or other party's"
                yield Problem("", ".".join(path), rule, shown(name), (path,))
            taken.add(name)


def _absent_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Only traders can stay away."""
    first = first_trader(len(scenario.markets))
    end = first + sum(scenario.agents.counts().values())
    for account in scenario.agents.absent:
        if not first <= account < end:
            rule = f"an account of a trader is one of {first} to {end - 1}"
            yield Problem("", "agents.absent", rule, str(account), (("agents", "absent"),))


def _actor_problems(scenario: "Scenario") -> Iterator[Problem]:
    """The timetables of actors can be followed."""
    for name, actor in scenario.agents.actors.items():
        for index, act in enumerate(actor.acts):
            yield from _act_problems(scenario, f"agents.actors.{name}.acts.{index}", act)


def _attack_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Attackers attack a market that exists, within the run."""
    for name, attack in scenario.agents.attackers.items():
        path = f"agents.attackers.{name}"
        if attack.market not in scenario.markets:
            rule = f"no such market {shown(attack.market)}{suggestion(attack.market, scenario.markets)}"
            yield Problem("", f"{path}.market", rule, about=((*path.split("."), "market"),))
        if attack.at >= scenario.clock.duration:
            rule = f"at must lie within clock.duration={scenario.clock.duration}s"
            yield broken(path, rule, "clock.duration", at=f"{attack.at}s")


def _act_problems(scenario: "Scenario", path: str, act: ActSettings) -> Iterator[Problem]:
    if act.at >= scenario.clock.duration:
        rule = f"at must lie within clock.duration={scenario.clock.duration}s"
        yield broken(path, rule, "clock.duration", at=f"{act.at}s")
    if act.until and not (act.every and act.until >= act.at):
        values = {name: f"{getattr(act, name)}s" for name in ("until", "at", "every")}
        yield broken(path, "until needs every, and must not come before at", **values)
    if act.kind != "withdraw" and act.market not in scenario.markets:
        rule = f"no such market {shown(act.market)}{suggestion(act.market, scenario.markets)}"
        yield Problem("", f"{path}.market", rule, about=((*path.split("."), "market"),))
    if act.kind == "order" and bool(act.size) == bool(act.leverage):
        yield broken(path, "an order has a size or a leverage", size=act.size, leverage=act.leverage)
    if act.rests and not act.limit:
        yield broken(path, "an order that rests needs a limit", rests="true", limit=act.limit)
    if act.kind == "bring_asset" and act.size <= 0:
        yield broken(path, "size > 0 must hold of an asset", size=act.size)


def _shock_problems(scenario: "Scenario") -> Iterator[Problem]:
    for index, shock in enumerate(scenario.shocks):
        path = f"shocks.{index}"
        if shock.at >= scenario.clock.duration:
            rule = f"at must lie within clock.duration={scenario.clock.duration}s"
            yield broken(path, rule, "clock.duration", at=f"{shock.at}s")
        if isinstance(shock, PriceJump | OracleStall | OracleFault | OutsideFlow):
            for name in shock.markets:
                if name not in scenario.markets:
                    rule = f"no such market {shown(name)}{suggestion(name, scenario.markets)}"
                    about = (("shocks", str(index), "markets"), ("protocol", "markets", name))
                    yield Problem("", f"{path}.markets", rule, about=about)
