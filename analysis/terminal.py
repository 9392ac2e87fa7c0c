"""What a long command shows while it works: a bar on a terminal, a line now and then elsewhere."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from analysis.wording import count, duration

if TYPE_CHECKING:
    from sim.configuration import Scenario
    from sim.run import Progress as RunProgress
    from sim.sweeps.sweep import SweepProgress

LINE_SECONDS = 30.0


@contextmanager
def run_bar(scenario: "Scenario") -> Iterator[Callable[["RunProgress"], None]]:
    """Progress of a run on the error stream: simulated time, price, open interest."""
    first = scenario.markets[0]
    columns = (
        TextColumn("{task.fields[moment]}"),
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[market]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        start = "starting (a first run compiles its kernels)"
        task = bar.add_task("run", total=scenario.clock.blocks, moment=start, market="")

        def report(progress: "RunProgress") -> None:
            interest = progress.open_interest_usd / 1e6
            market = f"{first} {progress.prices[first]:,.0f}  open interest ${interest:,.0f}M"
            bar.update(
                task, completed=progress.block, moment=f"{progress.time:%Y-%m-%d %H:%M}", market=market
            )

        yield report


@contextmanager
def phase_bar(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Progress of work in phases, each of some number of pieces, on the error stream."""
    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal:
        yield _phase_reporter(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.completed}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda phase, done, total: bar.update(task, description=phase, completed=done, total=total)


def _phase_reporter(console: Console) -> Callable[[str, int, int], None]:
    last, known = -math.inf, ""

    def report(phase: str, done: int, total: int) -> None:
        nonlocal last, known
        if phase != known or perf_counter() - last > LINE_SECONDS:
            last, known = perf_counter(), phase
            console.print(f"{phase}: {done} of {total}", highlight=False)

    return report


@contextmanager
def sweep_bar(quiet: bool = False) -> Iterator[Callable[["SweepProgress"], None]]:
    """Progress of a sweep on the error stream: runs, rate, time left, failures."""
    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal:
        yield _line_reporter(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("starting", total=None, told="")

        def report(progress: "SweepProgress") -> None:
            if "damaged" in progress.phase:
                bar.console.print(progress.phase, highlight=False, markup=False)
            finished = progress.done + progress.failed
            total = progress.total or None
            bar.update(task, description=progress.phase, completed=finished, total=total, told=told(progress))

        yield report


def _line_reporter(console: Console) -> Callable[["SweepProgress"], None]:
    last, phase = -math.inf, ""

    def report(progress: "SweepProgress") -> None:
        nonlocal last, phase
        if progress.phase != phase or perf_counter() - last > LINE_SECONDS:
            last, phase = perf_counter(), progress.phase
            console.print(f"{phase}: {told(progress)}", highlight=False)

    return report


def told(progress: "SweepProgress") -> str:
    """A sweep's progress in words, as in `312 of 576 runs, 2 failed, 1.9/s, 2 m 19 s left, 2 workers`."""
    finished = progress.done + progress.failed
    parts = [f"{finished:,} of {count(progress.total, 'run')}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if math.isfinite(progress.seconds_left):
        parts += [f"{progress.rate:.3g}/s", f"{duration(progress.seconds_left)} left"]
    if progress.workers:
        parts.append(count(progress.workers, "worker"))
    return ", ".join(parts)
