"""Time to build a law of losses, and of one tail of it in a kernel. `make bench` prints both; no gate."""

import time

import numpy as np
import pytest

from agents.models.loss_law import LossLaw, StateReturns, loss_law, side_tail
from protocol.book import Floats
from protocol.kernels import kernel

CHAIN = np.array([[0.99, 0.008, 0.002], [0.02, 0.97, 0.01], [0.01, 0.03, 0.96]])
SCALE = np.array([0.004, 0.008, 0.016])
ROUNDS, CALLS = 5, 200_000


@kernel
def follow(law: LossLaw, probabilities: Floats, calls: int) -> float:
    """Sum of tails of both sides under probabilities that change."""
    total = 0.0
    for call in range(calls):
        quantile, shortfall = side_tail(law, probabilities[call % len(probabilities)], 0.99, call % 2)
        total += quantile + shortfall
    return total


def test_a_law_and_a_tail(capsys: pytest.CaptureFixture[str]) -> None:
    share = np.linspace(0, 1, 101)
    probabilities = np.column_stack([0.9 * share, 0.1 * share, 1 - share])
    lines = ["", "degrees  steps | build, ms | nodes | tail, ns"]
    for degrees in (np.inf, 5.0, 3.0, 2.1):
        for steps in (1, 24, 288):
            returns = StateReturns(np.zeros(3), SCALE, np.full(3, degrees))
            builds, tails = [], []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                law = loss_law(returns, CHAIN, steps)
                builds.append(time.perf_counter() - begin)
                follow(law, probabilities, 10)
                begin = time.perf_counter()
                total = follow(law, probabilities, CALLS)
                tails.append(time.perf_counter() - begin)
            figures = f"{1e3 * min(builds):9.1f} | {len(law.cumulative):5} | {1e9 * min(tails) / CALLS:8.0f}"
            lines.append(f"{degrees:7}  {steps:5} | {figures}")

            assert total > 0
    with capsys.disabled():
        print("\n".join(lines))
