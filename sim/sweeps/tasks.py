"""One task of a sweep: a scenario and a seed in, one row out, whatever happens in between."""

import hashlib
import json
import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from sim.configuration import Scenario
from sim.plugins import plugin
from sim.prices.paths import price_files
from sim.prices.settings import Bootstrap, Replay
from sim.provenance import TITLES, resolved
from sim.run import Progress, run
from sim.sentiment import sentiment_files
from sim.sweeps.revision import ROOT
from sim.training import training_files, training_history

Status = Literal["done", "failed", "timeout", "lost"]


@dataclass(frozen=True)
class Task:
    """A run that a sweep asks for.

    Attributes
    ----------
    key : str
        Names the result: equal keys, equal results.
    scenario : str
        Resolved scenario as JSON.
    seed : int
    """

    key: str
    scenario: str
    seed: int


@dataclass(frozen=True)
class Row:
    """What became of a task.

    Attributes
    ----------
    key : str
    seed : int
    status : {"done", "failed", "timeout", "lost"}
        A failed run raised an error; a run out of time was stopped; a lost one took its worker along.
    error, traceback : str
        Empty when done.
    transcript : str
        Hash of the run's events and final state; empty unless done.
    metrics : mapping of str to float or None
        The run's summary; empty unless done.
    seconds : float
        Wall time of the run.
    attempts : int
        How often it was started.
    worker : str
        Process and machine that ran it.
    """

    key: str
    seed: int
    status: Status
    error: str = ""
    traceback: str = ""
    transcript: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    attempts: int = 1
    worker: str = ""


class TimeLimitError(Exception):
    """A run took longer than a sweep allows."""


def execute(task: Task, time_limit: float | None = None) -> Row:
    """Run a task; an exception becomes a row, so that no run is missing from a sweep.

    Parameters
    ----------
    task : Task
    time_limit : float, optional
        Wall time after which the run is stopped [s]; looked at every few blocks.
    """
    start = perf_counter()
    worker = f"{os.uname().nodename}:{os.getpid()}"
    try:
        scenario = Scenario.model_validate_json(task.scenario)
        result = run(scenario, task.seed, _watch(start, time_limit))
        metrics = result.summary
    except Exception as error:  # noqa: BLE001 - a failed run is a row, never a hole
        status: Status = "timeout" if isinstance(error, TimeLimitError) else "failed"
        told = f"{type(error).__name__}: {error}"
        trail = _trail(error) if status == "failed" else ""
        return Row(task.key, task.seed, status, told, trail, seconds=perf_counter() - start, worker=worker)
    return Row(
        task.key,
        task.seed,
        "done",
        transcript=result.transcript,
        metrics=metrics,
        seconds=perf_counter() - start,
        worker=worker,
    )


def _watch(start: float, time_limit: float | None) -> Any:
    if time_limit is None:
        return None

    def watch(progress: Progress) -> None:
        if perf_counter() - start > time_limit and progress.block < progress.blocks:
            raise TimeLimitError(f"a run may take at most {time_limit:g} s")

    return watch


def _trail(error: Exception) -> str:
    """Traceback below this module, with paths that are the same on every machine."""
    trail = error.__traceback__.tb_next if error.__traceback__ else None
    text = "".join(traceback.format_exception(type(error), error, trail))
    return text.replace(f"{ROOT}{os.sep}", "")


def scenario_digest(scenario: Scenario) -> str:
    """Digest of everything in a scenario that can change a run, files that it names by their content.

    Raises
    ------
    OSError
        When such a file cannot be read.
    """
    data = resolved(scenario)
    for title in TITLES:
        del data[title]
    files = price_files(scenario.world.prices, scenario.markets) | sentiment_files(scenario.world.sentiment)
    if scenario.risk_engine.model != "none":
        files |= training_files(scenario)
        data["history"] = training_history(scenario)
        data["risk_engine"]["training"] |= {"path": "", "prices": ""}
    data["files"] = {name: file_digest(path) for name, path in files.items()}
    if isinstance(scenario.world.prices, Replay | Bootstrap):
        del data["world"]["prices"]["path"]
    sentiment, provider = data["world"]["sentiment"], scenario.world.sentiment.provider
    del sentiment["path"]
    sentiment["provider"] = provider and plugin(provider).digest()
    for name, own in scenario.agents.own.items():
        data["agents"]["own"][name]["folder"] = plugin(own.agent, own.folder).digest()
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    found = path.stat()
    return _content_digest(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=256)
def _content_digest(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def task_key(revision: str, scenario: str, seed: int) -> str:
    """Key of a task: changes with the code, the scenario's digest and the seed."""
    return hashlib.sha256(f"{revision}:{scenario}:{seed}".encode()).hexdigest()[:32]


def canonical(data: Any) -> str:
    """Plain data as JSON; keys keep their order, because a run depends on the order of its markets."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
