"""How fast one thread reads memory, and how near to it the scan over everybody's margin comes."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from protocol.book import Book, Ints
from protocol.kernels import kernel
from protocol.parameters import RiskParameters
from protocol.scan import fill_slack

WORDS = 1 << 26
CALLS = 5


class Reading(NamedTuple):
    """Speeds of one round [bytes/s].

    Attributes
    ----------
    memory : float
        Of a sum over 512 MB.
    scan : float
        At which `fill_slack` reads the cash, sizes and funding of all accounts; its writes are not counted.
    """

    memory: float
    scan: float


@kernel
def total(values: Ints) -> int:
    """Sum of an array."""
    found = 0
    for index in range(values.size):
        found += values[index]
    return found


def processor_seconds(work: Callable[[], object]) -> float:
    """Median processor time of a call [s]."""
    times = []
    for _ in range(CALLS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def readings(book: Book, parameters: RiskParameters, rounds: int) -> list[Reading]:
    """Both speeds in turn, after a round that is not counted."""
    values, slack = np.ones(WORDS, np.int64), np.empty(len(book.cash))
    read = book.cash.nbytes + book.size.nbytes + book.funding_paid.nbytes
    found = []
    for _ in range(rounds + 1):
        memory = values.nbytes / processor_seconds(lambda: total(values))
        scan = read / processor_seconds(lambda: fill_slack(book, parameters, slack))
        found.append(Reading(memory, scan))
    return found[1:]
