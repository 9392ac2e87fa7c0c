"""Settings of the risk engine: what it watches, how it learns, what it aims at, what it may do."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from agents.engine.law import LawSettings
from agents.settings import Duration, Settings, entries, parameter

Model = Literal["none", "static", "ewma", "garch", "hmm", "hindsight"]
Feature = Literal[
    "returns", "volatility", "funding", "basis", "imbalance", "depth", "near_liquidation", "gas"
]
FEATURES: tuple[Feature, ...] = Feature.__args__  # type: ignore[attr-defined]  # a Literal has its values
LATENCIES: dict[str, int] = {"near_liquidation": 60, "funding": 0}
DAY = 86_400
LEAST_STEPS = 100


class TrainingSettings(Settings):
    """What the engine has seen before it begins."""

    kind: Literal["history", "candles", "burn_in"] = parameter(
        "history",
        "",
        description="returns of a generator before the start; of a candle file; of the run's own beginning",
    )
    length: Duration = parameter(
        180 * DAY,
        "s",
        gt=0,
        description="of the history, or of the burn-in, during which nothing is proposed",
    )
    prices: str = parameter(
        "",
        "",
        description="scenario whose price generator makes the history; empty: this one's, or btc_eth_regimes",
    )
    path: str = parameter("", "", description="candle file; {market} in it stands for a market's name")


class RefitSettings(Settings):
    """How the model goes on learning."""

    every: Duration = parameter(0, "s", ge=0, description="time between fits to all that was seen; 0: none")
    memory: Duration = parameter(365 * DAY, "s", gt=0, description="how much of it a fit looks back on")
    trust: float = parameter(
        1.0,
        "nats",
        gt=0,
        description="a fit in which some regime has moved farther is refused; 1.1 is twice the volatility",
    )
    online: bool = parameter(False, "", description="learn from each observation, near the last fit")


class TargetSettings(Settings):
    """What the engine thinks margins should be."""

    level: float = parameter(
        0.99, "1", gt=0.5, lt=1, description="of expected shortfall in maintenance margin"
    )
    horizon: Duration = parameter(
        600, "s", gt=0, description="from the oracle's last report to the end of a liquidation"
    )
    top_up_level: float = parameter(0.99, "1", gt=0.5, lt=1, description="of value at risk in initial margin")
    top_up: Duration = parameter(14_400, "s", gt=0, description="time a trader has to add margin")
    sold: float = parameter(
        0.01, "1", ge=0, le=1, description="share of open interest sold within the horizon, for slippage"
    )
    slippage_most: float = parameter(0.05, "1", ge=0, lt=1)
    haircuts: bool = parameter(True, "", description="weights of collateral too, where a market takes it")
    open_interest: bool = parameter(False, "", description="caps of open interest too")
    dumped: float = parameter(
        0.25,
        "1",
        gt=0,
        le=1,
        description="share of open interest whose sale must not move prices by the margin",
    )
    scale: float = parameter(1.0, "1", gt=0, le=100, description="factor on margins, to compare policies at")


class SafetySettings(Settings):
    """When the engine must not trust what it sees; it then holds every value."""

    stale: Duration = parameter(7200, "s", gt=0, description="age of the oracle's price")
    drift: float = parameter(8.0, "1", gt=0, description="mean surprise, in its standard errors")
    memory: Duration = parameter(DAY, "s", gt=0, description="over which the mean surprise is taken")


class RiskEngineSettings(Settings):
    """What proposes risk parameters while the run goes on."""

    model: Model = parameter("none", "", description="none: parameters stay as the scenario has them")
    inputs: Annotated[tuple[Feature, ...], BeforeValidator(entries)] = parameter(
        ("returns",), "", description="series of the regime model, of every market"
    )
    emissions: Literal["student_t", "gaussian"] = parameter("student_t", "")
    states: Annotated[int, Field(ge=1, le=6)] | Literal["auto"] = parameter(
        2, "1", description="auto: chosen by prediction, up to 4"
    )
    regimes: Literal["chain", "frozen"] = parameter(
        "chain",
        "",
        description="what is expected of regimes: that they change, or the shortcut that they last",
    )
    half_life: Duration = parameter(
        DAY, "s", gt=0, description="of the weights of squared returns in the ewma model"
    )
    every: Duration = parameter(
        3600, "s", gt=0, description="time between observations, each with a decision"
    )
    price: Literal["oracle", "outside", "mark"] = parameter(
        "oracle", "", description="whose returns are seen"
    )
    latency: dict[Feature, Duration] = parameter(
        LATENCIES, "s", description="from the moment that a feature speaks of until it can be used"
    )
    training: TrainingSettings = TrainingSettings()
    refit: RefitSettings = RefitSettings()
    targets: TargetSettings = TargetSettings()
    law: LawSettings = LawSettings()
    safety: SafetySettings = SafetySettings()
