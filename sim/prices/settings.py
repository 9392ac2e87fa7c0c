"""Where fundamental prices come from: `world.prices` of a scenario."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from agents.settings import Duration, Settings, entries, parameter

Positive = Annotated[float, Field(gt=0)]
Volatility = Annotated[float, Field(ge=0, le=20)]

START = {"BTC": 42_000.0, "ETH": 2_300.0}
BRIDGE_VOLATILITY = {"BTC": 0.8, "ETH": 1.0}
FITTED = "fitted to BTC and ETH spot, 1 h 2017-08 to 2022-09 and 5 m 2020-12 to 2022-07; docs/prices.md"


def joined_with(default: dict[str, float]) -> BeforeValidator:
    """A table by market changes and adds entries; it does not drop those of the default."""

    def join(value: object) -> object:
        return default | value if isinstance(value, dict) else value

    return BeforeValidator(join)


def _path(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, dict) and value and all(isinstance(path, str) and path for path in value.values()):
        return value
    raise ValueError("a path, or a mapping from market to path, is needed")


Path = Annotated[str | dict[str, str], BeforeValidator(_path)]
Prices = Annotated[dict[str, Positive], joined_with(START)]


class Waypoint(Settings):
    """A moment after the start and the price of each market then."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Positive] = Field(init=False)

    at: Duration = parameter(..., "s", ge=0)


class Waypoints(Settings):
    """Published or invented price levels, joined by a seeded Brownian bridge."""

    kind: Literal["waypoints"]
    event: str = parameter("", "", description="a bundled event by name, or the path of an event file")
    points: Annotated[tuple[Waypoint, ...], BeforeValidator(entries)] = parameter(
        (), "USD per base unit", description="levels by time since the start, in place of an event"
    )
    volatility: Annotated[dict[str, Volatility], joined_with(BRIDGE_VOLATILITY)] = parameter(
        BRIDGE_VOLATILITY, "1 per sqrt(year)", description="of the bridge, by market"
    )
    correlation: float = parameter(0.8, "1", ge=-1, le=1, description="between markets, of the bridge")


class Replay(Settings):
    """Candle files, walked through open, extremes and close of each bar."""

    kind: Literal["replay"]
    path: Path = parameter(
        ..., "", description="CSV or Parquet; by market, or one path with {market} or a market's name in it"
    )


class Bootstrap(Settings):
    """Blocks of the log returns of candle files, laid end to end in an order drawn by chance."""

    kind: Literal["bootstrap"]
    path: Path = parameter(
        ..., "", description="CSV or Parquet; by market, or one path with {market} or a market's name in it"
    )
    start: Prices = parameter(START, "USD per base unit", description="first price, by market")
    mean_length: Duration = parameter(259_200, "s", gt=0, description="mean length of a block")
    gaps: Literal["skip", "join"] = parameter(
        "skip", "", description="a block ends at a gap in the candles, or goes on behind it"
    )


class Regime(Settings):
    """A state of the market: how much prices move while it lasts."""

    name: str = parameter("", "", description="empty: its number")
    duration: Duration = parameter(..., "s", gt=0, description="mean length of a stay")
    volatility: dict[str, Volatility] = parameter(..., "1 per sqrt(year)", description="by market")
    drift: dict[str, float] = parameter({}, "1/year", description="of the log price, by market; 0 if missing")
    correlation: float = parameter(0.8, "1", ge=-1, le=1, description="between markets")
    next: dict[str, Annotated[float, Field(ge=0)]] = parameter(
        {}, "1", description="odds of the regimes that follow, by name; empty: all others alike"
    )


class Activity(Settings):
    """A log-normal factor of volatility, common to the markets, that returns to one."""

    sigma: float = parameter(..., "1", ge=0, le=3, description="standard deviation of its logarithm")
    half_life: Duration = parameter(..., "s", gt=0)
    leverage: float = parameter(
        0.0, "1", ge=-1, le=1, description="correlation with the shock before; below 0 falls excite"
    )


class Reversal(Settings):
    """A part of every move that does not last."""

    share: float = parameter(0.0, "1", ge=0, lt=1, description="of a move that is transient")
    half_life: Duration = parameter(3600, "s", gt=0)


REGIMES = (
    {
        "name": "calm",
        "duration": "385h",
        "volatility": {"BTC": 0.391, "ETH": 0.568},
        "correlation": 0.796,
        "next": {"usual": 0.67, "turbulent": 0.33},
    },
    {
        "name": "usual",
        "duration": "497h",
        "volatility": {"BTC": 0.705, "ETH": 0.906},
        "correlation": 0.775,
        "next": {"calm": 0.43, "turbulent": 0.57},
    },
    {
        "name": "turbulent",
        "duration": "254h",
        "volatility": {"BTC": 1.65, "ETH": 1.94},
        "correlation": 0.818,
        "next": {"usual": 1.0},
    },
)
ACTIVITY = (
    {"sigma": 0.496, "half_life": "15m", "leverage": -0.185},
    {"sigma": 0.247, "half_life": "2h", "leverage": -0.185},
    {"sigma": 0.383, "half_life": "5d", "leverage": -0.185},
)


class Regimes(Settings):
    """Markov-switching volatility with activity factors and common Student-t shocks."""

    kind: Literal["regimes"]
    start: Prices = parameter(START, "USD per base unit", description="first price, by market")
    regimes: Annotated[tuple[Regime, ...], BeforeValidator(entries)] = parameter(
        tuple(map(Regime.model_validate, REGIMES)), "", FITTED, min_length=1, max_length=100
    )
    initial: str = parameter("", "", description="regime at the start; empty: drawn from the long run")
    activity: Annotated[tuple[Activity, ...], BeforeValidator(entries)] = parameter(
        tuple(map(Activity.model_validate, ACTIVITY)), "", FITTED
    )
    degrees: float = parameter(
        24.0, "1", FITTED, gt=2, le=1000, description="degrees of freedom of the shocks, common to markets"
    )
    skew: float = parameter(
        0.0, "1", ge=-3, le=3, description="common tilt of shocks by their size; below 0 crashes are larger"
    )
    reversal: Reversal = Reversal()
    step: Duration = parameter(300, "s", gt=0, description="how long a shock and a level of activity last")


GARCH_1H = "GARCH(1,1)-t on BTC and ETH spot 1 h, 2017-08 to 2022-09"
LONG_RUN = {"BTC": 0.87, "ETH": 1.06}
ALPHA = {"BTC": 0.059, "ETH": 0.071}
BETA = {"BTC": 0.94, "ETH": 0.928}
Weight = Annotated[float, Field(ge=0)]


class Garch(Settings):
    """GARCH(1,1) with Student-t shocks, common to the markets in size and correlated in direction."""

    kind: Literal["garch"]
    start: Prices = parameter(START, "USD per base unit", description="first price, by market")
    step: Duration = parameter(3600, "s", gt=0, description="of the recursion")
    volatility: Annotated[dict[str, Volatility], joined_with(LONG_RUN)] = parameter(
        LONG_RUN, "1 per sqrt(year)", GARCH_1H, description="of the long run, by market"
    )
    alpha: Annotated[dict[str, Weight], joined_with(ALPHA)] = parameter(
        ALPHA, "1", GARCH_1H, description="weight of the last squared return, by market"
    )
    beta: Annotated[dict[str, Weight], joined_with(BETA)] = parameter(
        BETA,
        "1",
        f"{GARCH_1H}: integrated there, alpha + beta kept at 0.999",
        description="weight of the last variance, by market",
    )
    degrees: float = parameter(3.3, "1", GARCH_1H, gt=2, le=1000, description="degrees of freedom")
    correlation: float = parameter(0.8, "1", GARCH_1H, ge=-1, le=1, description="between markets")
    drift: dict[str, float] = parameter({}, "1/year", description="of the log price, by market; 0 if missing")


class Heston(Settings):
    """Square-root variance of each market, correlated with its price."""

    kind: Literal["heston"]
    start: Prices = parameter(START, "USD per base unit", description="first price, by market")
    step: Duration = parameter(300, "s", gt=0, description="longest step of the Euler scheme")
    volatility: Annotated[dict[str, Volatility], joined_with(LONG_RUN)] = parameter(
        LONG_RUN, "1 per sqrt(year)", FITTED, description="of the long run, by market"
    )
    half_life: Duration = parameter(259_200, "s", gt=0, description="of a deviation of variance")
    variation: float = parameter(
        1.0, "1", ge=0, le=10, description="standard deviation of variance in the long run, over its mean"
    )
    leverage: float = parameter(-0.1, "1", ge=-1, le=1, description="correlation of price and variance")
    correlation: float = parameter(0.8, "1", ge=-1, le=1, description="between markets, of both")
    drift: dict[str, float] = parameter({}, "1/year", description="of the log price, by market; 0 if missing")


DIFFUSION = {"BTC": 0.5, "ETH": 0.65}


class JumpSettings(Settings):
    """Jumps of the log price: normal in size, at random times."""

    rate: float = parameter(..., "1/day", ge=0, le=10_000)
    mean: float = parameter(0.0, "1", ge=-1, le=1)
    sigma: float = parameter(..., "1", ge=0, le=1, description="standard deviation of a jump")


class Jumps(Settings):
    """Jump diffusion: Brownian motion with jumps that all markets share and jumps of each alone."""

    kind: Literal["jumps"]
    start: Prices = parameter(START, "USD per base unit", description="first price, by market")
    volatility: Annotated[dict[str, Volatility], joined_with(DIFFUSION)] = parameter(
        DIFFUSION, "1 per sqrt(year)", description="between jumps, by market"
    )
    correlation: float = parameter(0.8, "1", ge=-1, le=1, description="between markets, between jumps")
    common: JumpSettings = JumpSettings(rate=1.0, mean=-0.002, sigma=0.02)
    common_correlation: float = parameter(0.8, "1", ge=-1, le=1, description="of the sizes of common jumps")
    own: JumpSettings = JumpSettings(rate=0.5, sigma=0.015)
    drift: dict[str, float] = parameter({}, "1/year", description="of the log price, by market; 0 if missing")


PriceSettings = Waypoints | Replay | Bootstrap | Regimes | Garch | Heston | Jumps
