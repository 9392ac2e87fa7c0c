"""Orders per second of the order book, beside the Rust simulator bourse on the same stream, in one run.

60 % of the operations are limit orders, 30 % cancels of orders that rest, 10 % market orders, three times as
large, so that the book neither fills up nor empties. Both engines get batches and learn the ids of their
orders from them. `make bench` prints the table; nothing here is a gate.
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

OPERATIONS, BATCH, TRADERS, MIDDLE = 400_000, 10_000, 1_000, 100_000
WORST_BID, WORST_ASK = 1, 1 << 31


class Stream(NamedTuple):
    """Operations as columns, (n,): `target` is the number of the operation whose order a cancel withdraws."""

    kind: Ints
    account: Ints
    size: Ints
    price: Ints
    target: Ints


class Run(NamedTuple):
    """Seconds of each batch, fills for each operation, and orders left in the book."""

    seconds: list[float]
    fills: float
    resting: int

    def rate(self) -> float:
        """Operations per second in the second half, when the book is full."""
        return BATCH / statistics.median(self.seconds[len(self.seconds) // 2 :])


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


def batches() -> Iterator[slice]:
    """Places of the batches in the stream."""
    return (slice(start, start + BATCH) for start in range(0, OPERATIONS, BATCH))


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


def ours(work: Stream, cleared: bool, aiming: bool = False) -> Run:
    """Run the stream through the book; `cleared`: with margin checks, positions and cash."""
    book, rules, ids = rich_book(), parameters(1), np.zeros(OPERATIONS, np.int64)
    ladder = open_ladder(np.array([1]), np.array([MIDDLE]), OPERATIONS, cleared=cleared)
    none, never, seconds, filled = np.zeros(BATCH, np.int64), np.zeros(BATCH, np.bool_), [], 0
    for chosen in batches():
        if aiming:
            live = np.concatenate([resting_orders(ladder, row)["id"] for row in range(2)])
            aim(work, chosen, ids, live)
        begin = time.perf_counter()
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
        ladder, fills = match(book, rules, ladder, batch)
        ids[chosen] = np.where(work.kind[chosen] == REST, batch.id, 0)
        seconds.append(time.perf_counter() - begin)
        filled += len(fills)
    return Run(seconds, filled / OPERATIONS, int(ladder.orders.sum()))


def theirs(work: Stream, core: Any) -> Run:
    """Run the stream through bourse's batched interface, which shuffles each batch."""
    environment, ids, seconds = core.StepEnvNumpy(1, 0, 1, 1_000), np.zeros(OPERATIONS, np.uint64), []
    buying = work.size > 0
    price = np.where(work.kind == IMMEDIATE, np.where(buying, WORST_ASK, WORST_BID), work.price)
    act = np.where(work.kind == CANCEL, 2, 1).astype(np.uint32)
    lots, account = np.abs(work.size).astype(np.uint32), work.account.astype(np.uint32)
    worst = price.astype(np.uint32)
    for chosen in batches():
        begin = time.perf_counter()
        named = np.where(work.kind[chosen] == CANCEL, ids[work.target[chosen]], 0).astype(np.uint64)
        ids[chosen] = environment.submit_instructions(
            (act[chosen], buying[chosen], lots[chosen], account[chosen], worst[chosen], named)
        )
        environment.step()
        seconds.append(time.perf_counter() - begin)
    return Run(seconds, len(environment.get_trades()) / OPERATIONS, -1)


@pytest.fixture(scope="module")
def work() -> Stream:
    made = drawn(1)
    ours(made, cleared=False, aiming=True)
    ours(made, cleared=True)
    return made


def test_operations_per_second(work: Stream, capsys: pytest.CaptureFixture[str]) -> None:
    alone, whole = ours(work, cleared=False), ours(work, cleared=True)
    with capsys.disabled():
        print(
            f"\nmatching alone {alone.rate() / 1e6:.1f} M operations/s, with margin checks, positions and "
            f"cash {whole.rate() / 1e6:.1f} M/s; {alone.fills:.2f} fills for each operation, "
            f"{alone.resting:,} orders rest at the end"
        )

    assert (alone.fills, alone.resting) == (whole.fills, whole.resting)


def test_against_bourse(work: Stream, capsys: pytest.CaptureFixture[str]) -> None:
    core = pytest.importorskip("bourse.core", reason="bourse is not installed: pip install bourse")
    rounds = [
        (ours(work, False).rate(), ours(work, True).rate(), theirs(work, core).rate()) for _ in range(3)
    ]
    alone, whole, other = (statistics.median(column) for column in zip(*rounds, strict=True))
    with capsys.disabled():
        print(
            f"\nbourse {other / 1e6:.2f} M operations/s in batches; matching alone {alone / other:.1f} times "
            f"that, with margin checks, positions and cash {whole / other:.1f} times"
        )

    assert ours(work, False).fills == pytest.approx(theirs(work, core).fills, rel=0.1)
