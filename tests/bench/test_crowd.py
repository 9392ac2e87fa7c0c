"""Account-steps per second of the margin engine, beside plain Mesa agents that do the same, in one run.

Engines take turns, so that a drift of the machine's speed strikes all; each goes on in its own copy of the
world, Mesa by fewer blocks, and must end where the protocol's book ends after as many. Everybody's accounts
are made before the first is timed: agents made where others have been freed lie scattered in memory, and
are half as fast. `make bench` ends with the table; nothing here is a gate on a time.
"""

import time
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from bench.bandwidth import readings
from bench.core_crowd import CoreCrowd
from bench.crowd import Crowd, Engine, Recipe, draw_crowd
from bench.engines import ENGINES, MESA, OURS, close
from bench.speeds import READINGS, SPEEDS, Speed

ROUNDS = 5
MESA_BLOCKS = {1_000: 400, 10_000: 60, 100_000: 20, 1_000_000: 3}
BLOCKS = {1_000: 4_000, 10_000: 1_000, 100_000: 300, 1_000_000: 60}
CALM, USUAL, WILD = 1e-4, 5e-4, 2e-3
WORLDS = [(size, USUAL) for size in BLOCKS] + list(product(list(BLOCKS)[:3], (CALM, WILD)))
Engines = dict[tuple[int, float, str], Engine]
CASES = [(turn, *world, name) for turn, world, name in product(range(ROUNDS), WORLDS, ENGINES)]


@cache
def drawn(accounts: int, sigma: float) -> Crowd:
    return draw_crowd(Recipe(accounts, ROUNDS * BLOCKS[accounts], sigma))


def warm() -> None:
    """Compile the kernels of every engine, somebody's liquidation included."""
    crowd = draw_crowd(Recipe(20_000, 20, WILD))
    for make in OURS.values():
        engine = make(crowd)
        engine.run(20)

        assert engine.outcome().liquidations


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """One of each for each world."""
    warm()
    made = {(*world, name): ENGINES[name](drawn(*world)) for world, name in product(WORLDS, ENGINES)}
    yield made
    for engine in made.values():
        close(engine)


@pytest.mark.benchmark(timer=time.process_time, disable_gc=True)
@pytest.mark.parametrize(("turn", "accounts", "sigma", "name"), CASES)
def test_account_steps(
    turn: int,
    accounts: int,
    sigma: float,
    name: str,
    engines: Engines,
    benchmark: Any,
    request: pytest.FixtureRequest,
) -> None:
    blocks = (MESA_BLOCKS if name == MESA else BLOCKS)[accounts]
    engine = engines[accounts, sigma, name]
    before = engine.block
    benchmark.pedantic(engine.run, args=(blocks,))

    assert engine.block == before + blocks
    if benchmark.stats:
        steps = accounts * blocks / benchmark.stats.stats.median
        benchmark.extra_info["account_steps_per_second"] = steps
        request.config.stash.setdefault(SPEEDS, []).append(Speed(name, accounts, sigma, turn, steps))


@pytest.mark.parametrize(("accounts", "sigma"), WORLDS)
def test_all_engines_are_where_the_book_is_after_as_many_blocks(
    accounts: int, sigma: float, engines: Engines
) -> None:
    for name in ENGINES:
        engine, book = engines[accounts, sigma, name], CoreCrowd(drawn(accounts, sigma))
        book.run(engine.block)
        found, known = engine.outcome(), book.outcome()

        assert found.liquidations == known.liquidations, name
        np.testing.assert_array_equal(found.cash, known.cash, name)


def test_the_scan_against_the_bandwidth_of_memory(request: pytest.FixtureRequest) -> None:
    crowd = drawn(max(BLOCKS), USUAL)
    found = readings(CoreCrowd(crowd).book, crowd.parameters, ROUNDS)
    request.config.stash[READINGS] = found

    assert all(min(each) > 0 for each in found)
