"""What a block costs, and where: measured side by side in one run, never a gate.

`make bench` prints the table. Ratios within it hold when the machine's speed drifts; single times do not.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest

from protocol.book import first_trader
from protocol.scan import accounts_risk, liquidatable
from sim.model import Model
from sim.scenario import load_scenario

SIZES = (1_000, 10_000, 100_000)
REPEATS = 7


def seconds(work: Callable[[], object]) -> float:
    """Median duration of a call [s], after one that is not counted."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def numpy_risk(model: Model) -> np.ndarray:
    """Equity and maintenance of every account in plain numpy, funding left out; (2, n)."""
    book, parameters = model.exchange.book, model.exchange.parameters
    notional = np.abs(book.size) * book.mark[:, None]
    maintenance = -(-notional * parameters.maintenance[:, None] // 1_000_000)
    return np.stack([book.cash + book.mark @ book.size, maintenance.sum(axis=0)])


@pytest.fixture(scope="module", params=SIZES)
def model(request: pytest.FixtureRequest) -> Model:
    scenario = load_scenario("calm", [f"agents.retail.accounts={request.param}"])
    made = Model(scenario, 1)
    for _ in range(5):
        made.step()
    return made


def test_cost_of_a_quiet_block_and_of_its_margin_scan(
    model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    book, parameters = model.exchange.book, model.exchange.parameters
    accounts = len(book.cash)
    block, scan = seconds(model.step), seconds(lambda: liquidatable(book, parameters))
    plain = seconds(lambda: numpy_risk(model))
    with capsys.disabled():
        print(
            f"\n{accounts:>9,} accounts: block {1e3 * block:7.2f} ms, "
            f"scan {1e9 * scan / accounts:6.1f} ns per account, numpy {plain / scan:4.1f} times the scan, "
            f"scan {scan / block:5.1%} of a block"
        )

    traders = slice(first_trader(2), None)
    kernel = accounts_risk(book, parameters)
    np.testing.assert_array_equal(kernel[2, traders], numpy_risk(model)[1, traders])
