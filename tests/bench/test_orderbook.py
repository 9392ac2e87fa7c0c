"""Orders per second of the order book, beside the Rust simulator bourse on the same stream, in one run.

60 % of the operations are limit orders, 30 % cancels of orders that rest, 10 % market orders, three times as
large, so that the book neither fills up nor empties. Both engines get batches and learn the ids of their
orders from them; only their own calls are timed. `make bench` prints the table; nothing here is a gate.
"""

import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from venue import parameters

from protocol.book import Book, Ints, first_trader, open_book
from protocol.orders import CANCEL, IMMEDIATE, REST, Orders
from protocol.venues.depth import resting_orders
from protocol.venues.ladder import open_ladder
from protocol.venues.orderbook import match
from sim.streams import stream

OPERATIONS, TRADERS, MIDDLE = 400_000, 1_000, 100_000
BATCHES = (1_000, 10_000, 100_000)
ROUNDS = 5
WORST_BID, WORST_ASK = 1, 1 << 31


class Stream(NamedTuple):
    """Operations as columns, (n,): `target` is the number of the operation whose order a cancel withdraws."""

    kind: Ints
    account: Ints
    size: Ints
    price: Ints
    target: Ints


class Run(NamedTuple):
    """Operations per batch, seconds of each, fills for each operation, and orders left in the book."""

    batch: int
    seconds: list[float]
    fills: float
    resting: int

    def rate(self) -> float:
        """Operations per second in the second half, when the book is full."""
        return self.batch / statistics.median(self.seconds[len(self.seconds) // 2 :])


def drawn(seed: int) -> Stream:
    """A stream around a price that drifts, whose cancels have no targets yet."""
    rng = stream(seed, "bench", "orders")
    kind = rng.choice(np.array([REST, CANCEL, IMMEDIATE]), OPERATIONS, p=[0.6, 0.3, 0.1])
    side = rng.choice(np.array([1, -1]), OPERATIONS)
    drift = np.rint(np.cumsum(rng.normal(0, 0.02, OPERATIONS))).astype(np.int64)
    price = MIDDLE + drift - side * (1 + rng.geometric(1 / 20, OPERATIONS))
    lots = rng.integers(1, 50, OPERATIONS) * np.where(kind == IMMEDIATE, 3, 1)
    account = first_trader(1) + rng.integers(0, TRADERS, OPERATIONS)
    return Stream(
        kind, account, side * lots, np.where(kind == REST, price, 0), np.zeros(OPERATIONS, np.int64)
    )


def batches(size: int) -> Iterator[slice]:
    """Places of the batches in the stream."""
    return (slice(start, start + size) for start in range(0, OPERATIONS, size))


def rich_book() -> Book:
    """Accounts whom the margin rule never hinders."""
    book = open_book(first_trader(1) + TRADERS, np.array([MIDDLE]))
    book.cash[:] = 10**15
    return book


def aim(work: Stream, chosen: slice, ids: Ints, live: Ints) -> None:
    """Let the cancels of a batch withdraw orders that rest when it begins, `live` by id."""
    cancels = chosen.start + np.flatnonzero(work.kind[chosen] == CANCEL)
    placed = np.flatnonzero(np.isin(ids[: chosen.start], live))
    drawn = stream(1, "bench", "cancels", chosen.start).permutation(placed)
    if len(drawn):
        work.target[cancels] = np.resize(drawn, len(cancels))
        work.account[cancels] = work.account[work.target[cancels]]


def ours(work: Stream, size: int, cleared: bool, aiming: bool = False) -> Run:
    """Run the stream through the book; `cleared`: with margin checks, positions and cash."""
    book, rules, ids = rich_book(), parameters(1), np.zeros(OPERATIONS, np.int64)
    ladder = open_ladder(np.array([1]), np.array([MIDDLE]), OPERATIONS, cleared=cleared)
    none, never, seconds, filled = np.zeros(size, np.int64), np.zeros(size, np.bool_), [], 0
    for chosen in batches(size):
        if aiming:
            live = np.concatenate([resting_orders(ladder, row)["id"] for row in range(2)])
            aim(work, chosen, ids, live)
        named = np.where(work.kind[chosen] == CANCEL, ids[work.target[chosen]], 0)
        batch = Orders(
            work.account[chosen],
            none,
            work.size[chosen],
            work.price[chosen],
            work.kind[chosen],
            never,
            none,
            none,
            named,
        )
        begin = time.perf_counter()
        ladder, fills = match(book, rules, ladder, batch)
        seconds.append(time.perf_counter() - begin)
        ids[chosen] = np.where(work.kind[chosen] == REST, batch.id, 0)
        filled += len(fills)
    return Run(size, seconds, filled / OPERATIONS, int(ladder.orders.sum()))


def theirs(work: Stream, size: int, core: Any) -> Run:
    """Run the stream through bourse's batched interface, which shuffles each batch."""
    environment, ids, seconds = core.StepEnvNumpy(1, 0, 1, 1_000), np.zeros(OPERATIONS, np.uint64), []
    buying = work.size > 0
    price = np.where(work.kind == IMMEDIATE, np.where(buying, WORST_ASK, WORST_BID), work.price)
    act = np.where(work.kind == CANCEL, 2, 1).astype(np.uint32)
    lots, account = np.abs(work.size).astype(np.uint32), work.account.astype(np.uint32)
    worst = price.astype(np.uint32)
    for chosen in batches(size):
        named = np.where(work.kind[chosen] == CANCEL, ids[work.target[chosen]], 0).astype(np.uint64)
        instructions = act[chosen], buying[chosen], lots[chosen], account[chosen], worst[chosen], named
        begin = time.perf_counter()
        ids[chosen] = environment.submit_instructions(instructions)
        environment.step()
        seconds.append(time.perf_counter() - begin)
    return Run(size, seconds, len(environment.get_trades()) / OPERATIONS, -1)


@pytest.fixture(scope="module")
def streams() -> dict[int, Stream]:
    """The stream with cancels that find their orders, for each size of a batch."""
    made = {size: drawn(1) for size in BATCHES}
    for size, work in made.items():
        ours(work, size, cleared=False, aiming=True)
    return made


def median_rate(runs: list[Run]) -> float:
    """Millions of operations per second."""
    return statistics.median(run.rate() for run in runs) / 1e6


def test_operations_per_second(streams: dict[int, Stream], capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", "   batch  fills/op  resting | matching alone, M/s | with margin, positions and cash, M/s"]
    for size, work in streams.items():
        alone = [ours(work, size, cleared=False) for _ in range(ROUNDS)]
        whole = [ours(work, size, cleared=True) for _ in range(ROUNDS)]
        fills, resting = alone[0].fills, alone[0].resting
        rates = f"{median_rate(alone):19.1f} | {median_rate(whole):5.1f}"
        lines.append(f"{size:8,} {fills:9.2f} {resting:8,} | {rates}")

        assert (fills, resting) == (whole[0].fills, whole[0].resting)
    with capsys.disabled():
        print("\n".join(lines))


def test_against_bourse(streams: dict[int, Stream], capsys: pytest.CaptureFixture[str]) -> None:
    core = pytest.importorskip("bourse.core", reason="bourse is not installed: pip install bourse")
    lines = ["", "   batch | bourse, M/s | matching alone, M/s | ratio"]
    for size, work in streams.items():
        rounds = [(ours(work, size, False), theirs(work, size, core)) for _ in range(ROUNDS)]
        mine, other = (median_rate(list(column)) for column in zip(*rounds, strict=True))
        lines.append(f"{size:8,} | {other:11.2f} | {mine:19.1f} | {mine / other:5.1f}")

        assert rounds[0][0].fills == pytest.approx(rounds[0][1].fills, rel=0.1)
    with capsys.disabled():
        print("\n".join(lines))
