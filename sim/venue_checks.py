"""Rules between settings of the venue: which ways of liquidating, of paying and of pricing go together."""

import re
from collections.abc import Iterator
from itertools import pairwise

from protocol.parameters import violations
from protocol.venues.impact import pool_violations
from sim.liquidation_settings import SliceSettings
from sim.market_settings import MarketSettings
from sim.pool_rules import pool_parameters
from sim.problems import Path, Problem, shown, suggestion
from sim.venue_rules import risk_parameters
from sim.venue_settings import ProtocolSettings

ENGINES = {
    "order_book": ("slices", "tranches", "transfers"),
    "amm": ("transfers",),
    "impact_pool": ("closes",),
    "skew_pool": ("windows",),
}
RESORTS = {"index": ("amm",), "pool": ("amm", "impact_pool", "skew_pool")}
POOLS = ("impact_pool", "skew_pool")
TIER_RATES = ("initial_margin", "maintenance_margin")


def broken(path: str, rule: str, /, *about: str, **values: object) -> Problem:
    """A broken rule between sibling settings named by keyword; `about` adds settings from elsewhere."""
    prefix = tuple(path.split(".")) if path else ()
    paths: tuple[Path, ...] = tuple((*prefix, name) for name in values)
    text = ", ".join(f"{name}={value}" for name, value in values.items())
    return Problem("", path, rule, text, (*paths, *(tuple(other.split(".")) for other in about)))


def venue_problems(protocol: ProtocolSettings) -> list[Problem]:
    """Every rule within `protocol:` that a scenario breaks; places are left to the loader."""
    found = [
        *_market_problems(protocol),
        *_fee_problems(protocol),
        *_liquidation_problems(protocol),
        *_layer_problems(protocol),
    ]
    return found or list(_enactment_problems(protocol))


def _market_problems(protocol: ProtocolSettings) -> Iterator[Problem]:
    if not protocol.markets:
        about = (("protocol", "markets"),)
        yield Problem("", "protocol.markets", "at least one market is needed", about=about)
    for name, market in protocol.markets.items():
        path = f"protocol.markets.{name}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", name):
            rule = "a market's name is made of letters, digits, _ and -"
            yield Problem("", path, rule, shown(name), (("protocol", "markets", name),))
        yield from _price_problems(path, market)
        yield from _margin_problems(path, market)
        yield from _tier_problems(path, market)
        yield from _ordered(f"{path}.collateral", market.collateral, "initial_weight", "maintenance_weight")
        yield from _ordered(f"{path}.amm", market.amm, "base_spread", "max_spread")
        yield from _cap_problems(f"{path}.collateral.cap", name, protocol)


def _cap_problems(path: str, name: str, protocol: ProtocolSettings) -> Iterator[Problem]:
    """A ceiling is set over another market of the venue that has none."""
    cap = protocol.markets[name].collateral.cap
    if not cap.base:
        if cap.ratio:
            yield broken(path, "a ratio needs a base", ratio=cap.ratio)
        return
    if cap.ratio == 0:
        yield broken(path, "ratio > 0 must hold", ratio=cap.ratio)
    base = protocol.markets.get(cap.base)
    if base is None or cap.base == name:
        others = [other for other in protocol.markets if other != name]
        rule = f"base must be another market{suggestion(cap.base, others)}"
        yield broken(path, rule, base=shown(cap.base))
    elif base.collateral.cap.base:
        rule = f"base must have no ceiling itself, that of {cap.base} is over {base.collateral.cap.base}"
        yield broken(path, rule, base=shown(cap.base))


def _ordered(path: str, settings: object, lower: str, upper: str) -> Iterator[Problem]:
    """The problem of two sibling settings of which the first must not exceed the second."""
    values = {name: getattr(settings, name) for name in (lower, upper)}
    if values[lower] > values[upper]:
        yield broken(path, f"{lower} <= {upper} must hold", **values)


def _price_problems(path: str, market: MarketSettings) -> Iterator[Problem]:
    micro = market.tick * market.lot * 1e6
    if round(micro) < 1 or abs(micro - round(micro)) > 1e-9 * micro:
        rule = "tick * lot must be a whole number of 1e-6 USD"
        yield broken(path, rule, tick=market.tick, lot=market.lot)
    bounds = {"price_floor": market.price_floor, "price_ceiling": market.price_ceiling}
    if all(bounds.values()) and market.price_floor >= market.price_ceiling:
        yield broken(path, "price_floor < price_ceiling must hold", **bounds)


def _margin_problems(path: str, market: MarketSettings) -> Iterator[Problem]:
    yield from _ordered(path, market, "maintenance_margin", "initial_margin")
    bounds = {
        "open_interest_lower": market.open_interest_lower,
        "open_interest_upper": market.open_interest_upper,
    }
    if any(bounds.values()) and market.open_interest_lower >= market.open_interest_upper:
        yield broken(path, "open_interest_lower < open_interest_upper must hold", **bounds)


def _tier_problems(path: str, market: MarketSettings) -> Iterator[Problem]:
    """Tiers ascend, and none raises the maintenance rate by more than the initial one."""
    for index, (low, high) in enumerate(pairwise(market.tiers), start=1):
        if low.above >= high.above:
            values = f"above={high.above:g} after above={low.above:g}"
            place = (*path.split("."), "tiers", str(index), "above")
            yield Problem("", f"{path}.tiers.{index}", "tiers must ascend", values, (place,))
    rates = (market.initial_margin, market.maintenance_margin)
    for index, tier in enumerate(market.tiers):
        reached = (max(tier.initial_margin, rates[0]), max(tier.maintenance_margin, rates[1]))
        if reached[1] - rates[1] > reached[0] - rates[0] + 1e-9:
            rule = "a tier must not raise maintenance_margin by more than initial_margin"
            yield broken(
                f"{path}.tiers.{index}",
                f"{rule}, from {rates[1]:g} and {rates[0]:g}",
                *(f"{path}.{name}" for name in TIER_RATES),
                maintenance_margin=tier.maintenance_margin,
                initial_margin=tier.initial_margin,
            )
        rates = reached


def _fee_problems(protocol: ProtocolSettings) -> Iterator[Problem]:
    fees = protocol.fees
    if abs(fees.maker) > fees.taker:
        yield broken("protocol.fees", "|maker| <= taker must hold", maker=fees.maker, taker=fees.taker)
    yield from _ordered("protocol.reward", protocol.reward, "minimum", "maximum")


def _liquidation_problems(protocol: ProtocolSettings) -> Iterator[Problem]:
    liquidation, kind = protocol.liquidation, protocol.venue.kind
    if liquidation.kind not in ENGINES[kind]:
        known = " or ".join(ENGINES[kind])
        rule = f"kind must be {known} on a venue of kind {kind}"
        yield broken("protocol.liquidation", rule, "protocol.venue.kind", kind=liquidation.kind)
    if isinstance(liquidation, SliceSettings):
        yield from _ordered("protocol.liquidation", liquidation, "min_notional", "max_notional")


def _layer_problems(protocol: ProtocolSettings) -> Iterator[Problem]:
    """What stands behind liquidation has to be there: a counterparty that pays, holders to close against."""
    kind, adl, resort = protocol.venue.kind, protocol.adl, protocol.last_resort
    if kind not in RESORTS.get(resort, (kind,)):
        rule = f"last_resort {resort} needs a venue of kind {' or '.join(RESORTS[resort])}"
        about = (("protocol", "last_resort"), ("protocol", "venue", "kind"))
        yield Problem("", "protocol.last_resort", rule, kind, about)
    if adl.rule != "none" and kind in POOLS:
        rule = f"rule must be none on a venue of kind {kind}, where the pool is on the other side"
        yield broken("protocol.adl", rule, "protocol.venue.kind", rule=adl.rule)
    if protocol.backstop.purse < 1 and kind != "order_book":
        rule = "purse must be 1 but on a venue of kind order_book"
        yield broken("protocol.backstop", rule, "protocol.venue.kind", purse=protocol.backstop.purse)
    if adl.pool_trigger and kind != "impact_pool":
        rule = "pool_trigger needs a venue of kind impact_pool"
        yield broken("protocol.adl", rule, "protocol.venue.kind", pool_trigger=adl.pool_trigger)
    yield from _ordered("protocol.adl", adl, "pool_target", "pool_trigger")


def _enactment_problems(protocol: ProtocolSettings) -> Iterator[Problem]:
    """What the venue itself would refuse when it opens, for reasons that no rule above has told."""
    sentences = violations(risk_parameters(protocol))
    if protocol.venue.kind == "impact_pool":
        sentences += pool_violations(pool_parameters(protocol))
    for sentence in sentences:
        yield Problem("", "protocol", sentence, about=(("protocol",),))
