"""A sweep in words and tables, for the terminal: its plan, its points, its failures."""

import math
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analysis.wording import count, duration, quantity
from sim.sweeps.plan import Plan
from sim.sweeps.results import SweepResults

HEADLINE = ("liquidated_usd", "bad_debt_gross_usd", "insurance_fund_paid_usd", "deleveraged_usd")
SHOWN_POINTS = 30
SHOWN_ERRORS = 5
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan, one fact a line."""
    yield f"points    {plan.points:,}"
    yield f"seeds     {plan.seeds:,}, the same at every point"
    yield f"runs      {plan.tasks:,}, of which {plan.stored:,} are stored already"
    if plan.remaining:
        yield f"a run     {_pilot(plan.run_seconds)}"
        yield f"workers   {_workers(plan.workers)}"
        yield f"time      {_time(plan.seconds)}"
    yield f"disk      about {_bytes(plan.disk_bytes)}"


def _pilot(seconds: float) -> str:
    if math.isnan(seconds):
        return "unknown: the pilot's run failed"
    return f"{seconds:.2g} s, from a pilot on this machine"


def _workers(workers: int | None) -> str:
    if workers is None:
        return "all of the cluster's"
    return count(workers, "worker on Ray", "workers on Ray") if workers else "in this process"


def _time(seconds: float) -> str:
    return "unknown" if math.isnan(seconds) else f"about {duration(max(1.0, seconds))}"


def _bytes(size: float) -> str:
    scale, unit = next((each for each in BYTES if size >= each[0]), (1, "bytes"))
    return f"{size / scale:.3g} {unit}"


def points_table(results: SweepResults) -> Table:
    """Mean of the headline metrics at each point."""
    manifest = results.manifest
    axes, metrics = manifest["axes"], [name for name in HEADLINE if name in results.metrics]
    title = f"{manifest['name']}: means over {count(len(manifest['seeds']), 'seed')}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    for name in short_names(axes):
        table.add_column(Text(name), overflow="fold")
    table.add_column("runs", justify="right")
    for name in metrics:
        table.add_column(manifest["metrics"][name]["label"], justify="right")
    for _, rows in results.runs[results.runs["point"] < SHOWN_POINTS].groupby("point"):
        done = int((rows["status"] == "done").sum())
        cells = [quantity(rows[name].mean(), manifest["metrics"][name]["unit"]) for name in metrics]
        labels = [Text(str(rows[axis].iloc[0])) for axis in axes]
        table.add_row(*labels, str(done), *cells)
    if len(results.points) > SHOWN_POINTS:
        table.caption = f"the first {SHOWN_POINTS} of {len(results.points):,} points"
    return table


def short_names(paths: Sequence[str]) -> list[str]:
    """The last parts of dotted paths, as many as tell them apart."""
    split = [path.split(".") for path in paths]
    lengths = [1] * len(paths)
    while True:
        names = [".".join(parts[-length:]) for parts, length in zip(split, lengths, strict=True)]
        twice = [name for name in names if names.count(name) > 1]
        if not twice or all(length > len(parts) for length, parts in zip(lengths, split, strict=True)):
            return names
        lengths = [length + (name in twice) for length, name in zip(lengths, names, strict=True)]


def failure_lines(results: SweepResults) -> Iterator[str]:
    """What went wrong, the most frequent error first, each with a seed and a point to look at."""
    failures = results.failures
    if failures.empty:
        return
    yield f"{len(failures):,} of {count(len(results.runs), 'run')} failed; they are run again next time"
    for error, number in failures["error"].value_counts().head(SHOWN_ERRORS).items():
        first = failures[failures["error"] == error].iloc[0]
        lines = str(error).splitlines() or [""]
        yield f"  {number:,} {first['status']}: {lines[0]} (point {first['point']}, seed {first['seed']})"
