"""Rules between the settings of prices, and those of markets and the clock."""

from collections.abc import Iterator, Mapping, Sequence

from sim.prices.settings import (
    Bootstrap,
    Garch,
    Heston,
    Jumps,
    PriceSettings,
    Regimes,
    Replay,
    Waypoints,
)
from sim.problems import Problem, shown, suggestion
from sim.venue_checks import broken

MAX_STEPS = 5_000_000
SECTION = "world.prices"


def market_tables(prices: PriceSettings) -> dict[str, Mapping[str, float]]:
    """Tables by market that must have a value for every market, by their path."""
    tables: dict[str, Mapping[str, float]] = {}
    if not isinstance(prices, Waypoints | Replay):
        tables[f"{SECTION}.start"] = prices.start
    if isinstance(prices, Waypoints | Garch | Heston | Jumps):
        tables[f"{SECTION}.volatility"] = prices.volatility
    if isinstance(prices, Garch):
        tables |= {f"{SECTION}.alpha": prices.alpha, f"{SECTION}.beta": prices.beta}
    if isinstance(prices, Regimes):
        for index, regime in enumerate(prices.regimes):
            tables[f"{SECTION}.regimes.{index}.volatility"] = regime.volatility
    return tables


def price_rules(prices: PriceSettings, markets: Sequence[str], duration: int) -> Iterator[Problem]:
    """Rules that the settings of prices break.

    Parameters
    ----------
    prices : PriceSettings
    markets : sequence of str
    duration : int
        Of the run [s].
    """
    yield from _correlation_problems(prices, len(markets))
    if isinstance(prices, Waypoints) and bool(prices.event) == bool(prices.points):
        rule = "exactly one of event and points must be given"
        yield broken(SECTION, rule, event=shown(prices.event), points=f"{len(prices.points)} entries")
    if isinstance(prices, Regimes | Garch | Heston) and duration / prices.step > MAX_STEPS:
        rule = f"clock.duration / step must be at most {MAX_STEPS:,} steps"
        yield broken(SECTION, rule, "clock.duration", step=f"{prices.step}s")
    if isinstance(prices, Regimes):
        yield from _regime_problems(prices)
    if isinstance(prices, Garch):
        yield from _garch_problems(prices, markets)


def _correlation_problems(prices: PriceSettings, count: int) -> Iterator[Problem]:
    """A single correlation of all pairs has a least value."""
    if count < 2 or isinstance(prices, Replay | Bootstrap):
        return
    lowest = -1 / (count - 1)
    rule = f"correlation >= {lowest:g} must hold with {count} markets"
    if isinstance(prices, Regimes):
        for index, regime in enumerate(prices.regimes):
            if regime.correlation < lowest:
                yield broken(f"{SECTION}.regimes.{index}", rule, correlation=regime.correlation)
        return
    if prices.correlation < lowest:
        yield broken(SECTION, rule, correlation=prices.correlation)
    if isinstance(prices, Jumps) and prices.common_correlation < lowest:
        yield broken(SECTION, f"common_{rule}", common_correlation=prices.common_correlation)


def _regime_problems(prices: Regimes) -> Iterator[Problem]:
    names = [regime.name for regime in prices.regimes]
    if len(set(names)) < len(names):
        yield broken(SECTION, "regimes must have different names", regimes=", ".join(map(repr, names)))
    if prices.initial and prices.initial not in names:
        rule = f"no such regime {shown(prices.initial)}{suggestion(prices.initial, names)}"
        yield broken(SECTION, rule, initial=prices.initial)
    for index, regime in enumerate(prices.regimes):
        path = f"{SECTION}.regimes.{index}"
        if regime.duration < prices.step:
            rule = f"a mean stay must be at least world.prices.step={prices.step}s"
            yield broken(path, rule, duration=f"{regime.duration}s")
        for name in regime.next:
            if name not in names:
                yield broken(path, f"no such regime {shown(name)}{suggestion(name, names)}", next=name)
        if regime.next and not any(odds for name, odds in regime.next.items() if name != regime.name):
            yield broken(path, "odds of another regime must be above 0", next=regime.next)


def _garch_problems(prices: Garch, markets: Sequence[str]) -> Iterator[Problem]:
    for market in markets:
        alpha, beta = prices.alpha.get(market, 0.0), prices.beta.get(market, 0.0)
        if alpha + beta >= 1:
            about = tuple(("world", "prices", name, market) for name in ("alpha", "beta"))
            value = f"alpha={alpha}, beta={beta}"
            yield Problem("", SECTION, f"alpha + beta < 1 must hold of {market}", value, about)
