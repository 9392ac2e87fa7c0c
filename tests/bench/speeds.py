"""The one table of `make bench`: account-steps per second, and how much faster than plain Mesa agents."""

import statistics
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from bench.bandwidth import Reading
from bench.engines import ENGINES, MESA

MILLION, GIGA = 1e6, 1e9
LABEL, CELL = 24, 19


class Speed(NamedTuple):
    """One timed run of an engine.

    Attributes
    ----------
    engine : str
    accounts, round : int
    sigma : float
        Standard deviation of a block's log return [1].
    steps : float
        Account-steps per second of processor time.
    """

    engine: str
    accounts: int
    sigma: float
    round: int
    steps: float


SPEEDS, READINGS = pytest.StashKey[list[Speed]](), pytest.StashKey[list[Reading]]()


def spread(values: Iterable[float]) -> str:
    """Median, least and largest, to three digits."""
    known = sorted(values)
    if not known:
        return "–"
    least, median, largest = (
        f"{each:.{places(each)}f}" for each in (known[0], statistics.median(known), known[-1])
    )
    return f"{median} [{least}–{largest}]"


def places(number: float) -> int:
    """Decimals that a number is told with."""
    return 2 if number < 9.995 else 1 if number < 99.95 else 0


def table(speeds: list[Speed]) -> str:
    """Engines down, numbers of accounts across: millions of account-steps a second, and times Mesa."""
    sizes = sorted({each.accounts for each in speeds})
    lines = [
        "million account-steps a second of processor time, median [least–largest]; below, times plain Mesa"
    ]
    for sigma in dict.fromkeys(each.sigma for each in speeds):
        world = [each for each in speeds if each.sigma == sigma]
        head = f"σ {1e4 * sigma:g} bp a block"
        lines += ["", f"{head:{LABEL}}" + "".join(f"{f'{size:,}':>{CELL}}" for size in sizes)]
        for engine in ENGINES:
            lines.append(row(engine, [absolute(world, engine, size) for size in sizes]))
            if engine != MESA:
                lines.append(row("", [times_mesa(world, engine, size) for size in sizes]))
    return "\n".join(lines)


def row(label: str, cells: Iterable[str]) -> str:
    """A line of the table."""
    return f"{label:{LABEL}}" + "".join(f"{cell:>{CELL}}" for cell in cells)


def of_rounds(world: list[Speed], engine: str, size: int) -> dict[int, float]:
    """Account-steps per second by round."""
    return {each.round: each.steps for each in world if (each.engine, each.accounts) == (engine, size)}


def absolute(world: list[Speed], engine: str, size: int) -> str:
    """What an engine does, in millions."""
    return spread(steps / MILLION for steps in of_rounds(world, engine, size).values())


def times_mesa(world: list[Speed], engine: str, size: int) -> str:
    """The same over what Mesa does in the same round."""
    ours, theirs = of_rounds(world, engine, size), of_rounds(world, MESA, size)
    found = spread(steps / theirs[turn] for turn, steps in ours.items() if turn in theirs)
    return found if found == "–" else f"× {found}"


def memory_lines(readings: list[Reading]) -> str:
    """What memory gives, and what the scan takes of it."""
    memory = spread(each.memory / GIGA for each in readings)
    scan = spread(each.scan / GIGA for each in readings)
    share = spread(100 * each.scan / each.memory for each in readings)
    return (
        f"one thread reads {memory} GB/s of memory; the full scan of a million accounts\n"
        f"reads {scan} GB/s, {share} % of that"
    )
