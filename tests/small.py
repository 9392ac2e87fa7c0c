"""A crash and a calm small enough for the tests: two hours, five hundred traders."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, reduce
from typing import Any

import numpy as np
import pytest

from agents.role import View
from protocol.arithmetic import MICRO
from protocol.book import touch
from protocol.exchange import Exchange
from protocol.margin import account_risk
from protocol.venues.venue import Quotes
from sim.configuration import Scenario
from sim.model import Model
from sim.run import Result, run
from sim.scenario import load_scenario
from sim.venue import grid, open_exchange

SEED = 3

PEOPLE = ("clock.duration=2h", "agents.retail.accounts=500", "agents.depositors.accounts=20")
CRASH = (
    *PEOPLE,
    "world.share=0.3",
    "protocol.backstop.reserve=1",
    "world.prices.points=[{at: 0s, BTC: 8000, ETH: 200}, {at: 30m, BTC: 7900, ETH: 197},"
    " {at: 60m, BTC: 6600, ETH: 160}, {at: 75m, BTC: 5600, ETH: 130}, {at: 2h, BTC: 6000, ETH: 140}]",
    "shocks=[{at: 40m, kind: gas_spike, factor: 8, duration: 1h},"
    " {at: 45m, kind: liquidity_withdrawal, share: 0.95, duration: 30m}]",
)


@cache
def crash(*overrides: str) -> Scenario:
    """A fall of 30 per cent in an hour and a quarter, with settings laid over it."""
    return load_scenario("black_thursday", [*CRASH, *overrides])


@cache
def calm(*overrides: str) -> Scenario:
    """Two quiet hours, with settings laid over them."""
    return load_scenario("calm", [*PEOPLE, *overrides])


@cache
def crashed(*overrides: str, seed: int = SEED) -> Result:
    """Result of the crash; runs are shared between tests, which leave them as they are."""
    return run(crash(*overrides), seed)


@cache
def calmed(*overrides: str, seed: int = SEED) -> Result:
    """Result of the quiet hours; shared like `crashed`."""
    return run(calm(*overrides), seed)


PRICES = np.array([42_000.0, 2_300.0])


@cache
def empty_venue(preset: str, *overrides: str, accounts: int = 20) -> Exchange:
    """A venue of bitcoin and ether under a preset, with settings laid over it, that nobody has entered."""
    settings = load_scenario("base", [f"protocol.preset={preset}", *overrides]).protocol
    return open_exchange(settings, grid(settings), PRICES, accounts)


def at(thing: Any, attribute: str) -> Any:
    """An attribute by its dotted name; arrays as lists."""
    found = reduce(getattr, attribute.split("."), thing)
    return found.tolist() if isinstance(found, np.ndarray) else found


@contextmanager
def opened(scenario: Scenario, seed: int = SEED, blocks: int = 0) -> Iterator[Model]:
    """A model after some blocks, forgotten by Mesa at the end."""
    model = Model(scenario, seed)
    try:
        for _ in range(blocks):
            model.step()
        yield model
    finally:
        model.close()


def sight(model: Model, **changes: Any) -> View:
    """What agents of a model see now, with facts replaced."""
    view = model.view(model.units.price(model.world.outside).astype(float))
    return View(**{**vars(view), **changes})


def showing(model: Model, bid: float, ask: float) -> Quotes:
    """A book whose best prices stand at these multiples of the outside price; 0 leaves a side empty."""
    price = model.units.price(model.world.outside).astype(float)
    return Quotes(bid * price, ask * price, bid * price, ask * price, np.zeros(len(price)))


def set_equity(model: Model, account: int, usd: float) -> None:
    """Give an account this equity [USD], by cash from nowhere."""
    exchange = model.exchange
    touch(exchange.book, account)
    exchange.book.cash[account] += (
        round(usd * MICRO) - account_risk(exchange.book, exchange.parameters, account)[0]
    )


def equity(model: Model, account: int) -> float:
    """Equity of an account [USD]."""
    return account_risk(model.exchange.book, model.exchange.parameters, account)[0] / MICRO


def give(model: Model, account: int, lots: int, market: int = 0) -> None:
    """Set a position at the mark, past every rule; equity stays."""
    book = model.exchange.book
    touch(book, account)
    book.cash[account] -= (lots - book.size[market, account]) * book.mark[market]
    book.size[market, account] = lots


def others_long(values: Iterable[Any], kept: int = 1) -> list[Any]:
    """Values of a parameter of which all but the first few are left to `make long`."""
    return [
        value if number < kept else pytest.param(value, marks=pytest.mark.long)
        for number, value in enumerate(values)
    ]
