"""Rules between settings of the risk engine."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.engine.settings import LEAST_STEPS
from agents.models.observations import MOST_SERIES
from sim.prices.settings import Regimes
from sim.problems import Problem, shown
from sim.venue_checks import broken

if TYPE_CHECKING:
    from sim.configuration import Scenario

PATH, TRAINING = "risk_engine", "risk_engine.training"
LEAST_WINDOWS = 10
FROM_PRICES = ("returns", "volatility")


def engine_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Every rule of `risk_engine:` that a scenario breaks; places are left to the loader."""
    if scenario.risk_engine.model == "none":
        return
    yield from _time_problems(scenario)
    yield from _input_problems(scenario)
    yield from _training_problems(scenario)
    if scenario.risk_engine.model == "hindsight":
        yield from _hindsight_problems(scenario)


def _time_problems(scenario: "Scenario") -> Iterator[Problem]:
    engine, clock = scenario.risk_engine, scenario.clock
    if engine.every % clock.block:
        rule = f"every must be a multiple of clock.block={clock.block}s"
        yield broken(PATH, rule, "clock.block", every=f"{engine.every}s")
    if engine.refit.every % engine.every:
        rule = f"every must be a multiple of risk_engine.every={engine.every}s"
        yield broken(f"{PATH}.refit", rule, f"{PATH}.every", every=f"{engine.refit.every}s")
    if engine.training.length < LEAST_STEPS * engine.every:
        rule = f"length must hold {LEAST_STEPS} steps of risk_engine.every={engine.every}s"
        yield broken(TRAINING, rule, f"{PATH}.every", length=f"{engine.training.length}s")
    if engine.training.length < LEAST_WINDOWS * engine.targets.top_up:
        rule = f"length must hold {LEAST_WINDOWS} times risk_engine.targets.top_up={engine.targets.top_up}s"
        yield broken(TRAINING, rule, f"{PATH}.targets.top_up", length=f"{engine.training.length}s")


def _input_problems(scenario: "Scenario") -> Iterator[Problem]:
    engine = scenario.risk_engine
    series = len(engine.inputs) * len(scenario.markets)
    if not 1 <= series <= MOST_SERIES and engine.model == "hmm":
        rule = f"inputs times {len(scenario.markets)} markets must be 1 to {MOST_SERIES} series"
        yield broken(PATH, rule, "protocol.markets", inputs=list(engine.inputs))
    if len(set(engine.inputs)) < len(engine.inputs):
        yield broken(PATH, "inputs must differ", inputs=list(engine.inputs))
    later = [name for name in engine.inputs if name not in FROM_PRICES]
    if later and engine.training.kind != "burn_in":
        rule = f"{', '.join(later)} can only be learned in the run: training.kind must be burn_in"
        yield broken(PATH, rule, f"{TRAINING}.kind", inputs=list(engine.inputs))


def _training_problems(scenario: "Scenario") -> Iterator[Problem]:
    training, clock = scenario.risk_engine.training, scenario.clock
    if (training.kind == "candles") != bool(training.path):
        rule = "path belongs to training from candles, and only to it"
        yield broken(TRAINING, rule, kind=training.kind, path=shown(training.path))
    if training.prices and training.kind != "history":
        rule = "prices belongs to training from a history"
        yield broken(TRAINING, rule, kind=training.kind, prices=shown(training.prices))
    if training.kind == "burn_in" and training.length >= clock.duration:
        rule = f"a burn-in must end within clock.duration={clock.duration}s"
        yield broken(TRAINING, rule, "clock.duration", length=f"{training.length}s")


def _hindsight_problems(scenario: "Scenario") -> Iterator[Problem]:
    engine, prices = scenario.risk_engine, scenario.world.prices
    known = engine.training.kind == "history" and not engine.training.prices
    if not (isinstance(prices, Regimes) and known):
        rule = "hindsight needs world.prices.kind regimes, and a history of just these prices"
        yield broken(PATH, rule, "world.prices.kind", TRAINING, model=engine.model)
    if engine.refit.every:
        rule = "hindsight learns no more: refit.every must be 0s"
        yield broken(f"{PATH}.refit", rule, f"{PATH}.model", every=f"{engine.refit.every}s")
