"""How long a run takes, found out by a short one."""

import statistics
from time import perf_counter

from sim.configuration import Scenario
from sim.model import Model
from sim.run import run

BUDGET_SECONDS = 2.0
WARM_BLOCKS = 5


def run_seconds(scenario: Scenario, seed: int = 1) -> float:
    """Wall time of one run in this process [s], without the compilation of kernels.

    A short run is timed whole. Of a long one some blocks are, and the median block stands for all: what
    is compiled on the way does not count, but a crash later in the run is not foreseen either.
    """
    opened = _blocks(scenario, seed)
    setup, blocks = _blocks(scenario, seed) if opened[0] < BUDGET_SECONDS else opened
    estimate = setup + statistics.median(blocks) * scenario.clock.blocks
    if estimate > BUDGET_SECONDS:
        return estimate
    run(scenario, seed)
    start = perf_counter()
    run(scenario, seed)
    return perf_counter() - start


def _blocks(scenario: Scenario, seed: int) -> tuple[float, list[float]]:
    """Time of setting up a model, and of its blocks until the budget is spent [s]."""
    start = perf_counter()
    model = Model(scenario, seed)
    setup = perf_counter() - start
    times: list[float] = []
    try:
        for _ in range(scenario.clock.blocks):
            before = perf_counter()
            model.step()
            times.append(perf_counter() - before)
            if sum(times) > BUDGET_SECONDS and len(times) > WARM_BLOCKS:
                break
    finally:
        model.close()
    return setup, times
