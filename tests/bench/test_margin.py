"""What the liquidation scan costs for each account, and how near it comes to the memory's bandwidth.

Nobody is below maintenance, as in most blocks, so that the scan alone is measured. `make bench` prints the
table; nothing here is a gate.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
from venue import parameters

from protocol.book import Book, first_trader, open_book
from protocol.kernels import kernel
from protocol.parameters import RiskParameters
from protocol.scan import accounts_risk, fill_slack, liquidatable
from sim.streams import stream

ACCOUNTS = 4_000_000
REPEATS = 9
WORD = 8


@kernel
def triad(out: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """The sum of one array and three times another, element by element."""
    for index in range(out.size):
        out[index] = left[index] + 3.0 * right[index]


def seconds(work: Callable[[], object]) -> float:
    """Median duration of a call [s], after one that is not counted."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def bandwidth() -> float:
    """Bytes that one thread moves in a second, beyond any cache; a write reads its line first."""
    out, left, right = (np.ones(5 * ACCOUNTS) for _ in range(3))
    return 4 * WORD * len(out) / seconds(lambda: triad(out, left, right))


def crowd(markets: int) -> tuple[Book, RiskParameters]:
    """A venue of four million accounts, each with a position in every market and margin to spare."""
    rng = stream(1, "bench", "positions", markets)
    book = open_book(first_trader(markets) + ACCOUNTS, np.full(markets, 100_000_000))
    book.size[:, first_trader(markets) :] = rng.integers(-100, 101, (markets, ACCOUNTS))
    book.cash[first_trader(markets) :] = 10**12
    book.funding[:] = rng.integers(-1_000, 1_000, (2, markets))
    return book, parameters(markets)


@pytest.mark.parametrize("markets", [1, 8])
def test_cost_of_the_liquidation_scan(markets: int, capsys: pytest.CaptureFixture[str]) -> None:
    book, rules = crowd(markets)
    slack = np.empty(len(book.cash))
    lean, scan = seconds(lambda: fill_slack(book, rules, slack)), seconds(lambda: liquidatable(book, rules))
    exact = seconds(lambda: accounts_risk(book, rules))
    touched = (2 * markets + 3) * WORD * ACCOUNTS / lean
    limit = bandwidth()
    with capsys.disabled():
        print(
            f"\n{markets} markets: slack {1e9 * lean / ACCOUNTS:.2f} ns for each account, "
            f"{touched / 1e9:.1f} GB/s or {touched / limit:.0%} of the {limit / 1e9:.1f} GB/s of memory; "
            f"with candidates {1e9 * scan / ACCOUNTS:.2f} ns; exact {1e9 * exact / ACCOUNTS:.1f} ns"
        )

    assert len(liquidatable(book, rules)) == 0
    assert (slack <= (lambda risk: risk[0] - risk[2])(accounts_risk(book, rules)) + 1).all()
