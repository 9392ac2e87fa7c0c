"""A crash small enough for the tests: Black Thursday's two falls in an afternoon, five hundred traders."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sim.configuration import Scenario
from sim.model import Model
from sim.run import Result, run
from sim.scenario import load_scenario

SEED = 3

CRASH = (
    "clock.duration=2h",
    "agents.retail.accounts=500",
    "agents.depositors.accounts=20",
    "world.prices.points=[{at: 0s, BTC: 8000, ETH: 200}, {at: 30m, BTC: 7900, ETH: 197},"
    " {at: 60m, BTC: 6600, ETH: 160}, {at: 75m, BTC: 5600, ETH: 130}, {at: 2h, BTC: 6000, ETH: 140}]",
    "world.share=0.3",
    "shocks=[{at: 40m, kind: gas_spike, factor: 8, duration: 1h},"
    " {at: 45m, kind: liquidity_withdrawal, share: 0.95, duration: 30m}]",
)
CALM = (
    "clock.duration=2h",
    "agents.retail.accounts=500",
    "agents.depositors.accounts=20",
)


@cache
def crash(*overrides: str) -> Scenario:
    """The crash, with settings laid over it."""
    return load_scenario("black_thursday", [*CRASH, *overrides])


@cache
def calm(*overrides: str) -> Scenario:
    """Two quiet hours, with settings laid over them."""
    return load_scenario("calm", [*CALM, *overrides])


@cache
def crashed(*overrides: str, seed: int = SEED) -> Result:
    """Result of the crash; runs are shared between tests and must not be changed by them."""
    return run(crash(*overrides), seed)
