"""Account-steps per second of the margin engine, beside plain Mesa agents that do the same, in one run.

Engines take turns, so that a drift of the machine's speed strikes all; every round draws the same world and
begins it anew. Making the accounts is not timed. Mesa advances by fewer blocks, and what it liquidates in
them has to be what the others do. `make bench` ends with the table; nothing here is a gate on a time.
"""

import gc
import time
from collections import defaultdict
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from bench.bandwidth import readings
from bench.core_crowd import CoreCrowd
from bench.crowd import Crowd, Outcome, Recipe, draw_crowd
from bench.engines import ENGINES, MESA, close
from bench.speeds import READINGS, SPEEDS, Speed

ROUNDS = 5
MESA_BLOCKS = {1_000: 400, 10_000: 60, 100_000: 20, 1_000_000: 3}
BLOCKS = {1_000: 4_000, 10_000: 1_000, 100_000: 300, 1_000_000: 60}
CALM, USUAL, WILD = 1e-4, 5e-4, 2e-3
WORLDS = [(size, USUAL) for size in BLOCKS] + list(product(list(BLOCKS)[:3], (CALM, WILD)))
Known = dict[tuple[int, float], dict[int, Outcome]]
CASES = [(turn, *world, name) for turn, world, name in product(range(ROUNDS), WORLDS, ENGINES)]


@cache
def drawn(accounts: int, sigma: float) -> Crowd:
    return draw_crowd(Recipe(accounts, BLOCKS[accounts], sigma))


@pytest.fixture(scope="module")
def known() -> Known:
    """What was found of each world, by the number of its blocks."""
    return defaultdict(dict)


def agree(outcomes: dict[int, Outcome], blocks: int, found: Outcome) -> None:
    """Hold an outcome after `blocks` blocks to what is known of the same world."""
    for others, other in outcomes.items():
        assert early(found, others) == early(other, blocks)

        if others == blocks:
            np.testing.assert_array_equal(found.cash, other.cash)
    outcomes.setdefault(blocks, found)


def early(outcome: Outcome, blocks: int) -> list[tuple[int, ...]]:
    """Liquidations of the first blocks."""
    return [row for row in outcome.liquidations if row[0] < blocks]


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Kernels are compiled, and have liquidated somebody."""
    crowd = draw_crowd(Recipe(20_000, 20, WILD))
    for make in ENGINES.values():
        engine = make(crowd)

        engine.run(20)

        assert engine.outcome().liquidations

        close(engine)


@pytest.mark.benchmark(timer=time.process_time, disable_gc=True)
@pytest.mark.parametrize(("turn", "accounts", "sigma", "name"), CASES)
def test_account_steps(
    turn: int,
    accounts: int,
    sigma: float,
    name: str,
    known: Known,
    benchmark: Any,
    request: pytest.FixtureRequest,
) -> None:
    blocks = (MESA_BLOCKS if name == MESA else BLOCKS)[accounts]
    gc.collect()
    engine = ENGINES[name](drawn(accounts, sigma))
    benchmark.pedantic(engine.run, args=(blocks,))
    found = engine.outcome()
    close(engine)
    if benchmark.stats:
        steps = accounts * blocks / benchmark.stats.stats.median
        benchmark.extra_info["account_steps_per_second"] = steps
        request.config.stash.setdefault(SPEEDS, []).append(Speed(name, accounts, sigma, turn, steps))

    assert name == MESA or found.liquidations
    agree(known[accounts, sigma], blocks, found)


def test_the_scan_against_the_bandwidth_of_memory(request: pytest.FixtureRequest) -> None:
    crowd = drawn(max(BLOCKS), USUAL)
    found = readings(CoreCrowd(crowd).book, crowd.parameters, ROUNDS)
    request.config.stash[READINGS] = found

    assert all(min(each) > 0 for each in found)
