"""The pace of a sweep, and workers that are this process itself."""

from collections.abc import Iterator

import pytest
from sweeping import row

from sim.sweeps import workers as module
from sim.sweeps.tasks import Row, Task
from sim.sweeps.workers import InProcess, Pace


def tasks(count: int) -> Iterator[Task]:
    return (Task(str(number), "{}", number) for number in range(count))


def swift(task: Task, time_limit: float | None) -> Row:
    return row(task.key, seconds=0.1)


def test_a_batch_is_a_second_of_work() -> None:
    pace = Pace(remaining=10_000, pilot=0.05)

    assert pace.batch(2) == 20

    pace.learn([row("a", seconds=0.35)])

    assert pace.batch(2) == 5


def test_a_batch_shrinks_near_the_end_and_never_below_one() -> None:
    assert [Pace(remaining, 0.01).batch(2) for remaining in (1000, 40, 8, 4, 1, 0)] == [100, 10, 2, 1, 1, 1]
    assert Pace(1000, 60.0).batch(2) == 1
    assert Pace(1000, 0.0).batch(2) == 250


def test_tasks_run_in_order_and_every_row_comes_once() -> None:
    pace = Pace(5, 0.0)
    batches = list(InProcess(execute=swift).rows(tasks(5), pace))

    assert [each.key for batch in batches for each in batch] == ["0", "1", "2", "3", "4"]
    assert (pace.runs, pace.seconds) == (5, pytest.approx(0.5))


def test_rows_are_handed_over_about_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SECONDS", 0.0)
    batches = list(InProcess(execute=swift).rows(tasks(3), Pace(3, 0.0)))

    assert [len(batch) for batch in batches] == [1, 1, 1]


def test_no_tasks_make_no_rows() -> None:
    assert list(InProcess(execute=swift).rows(tasks(0), Pace(0, 0.0))) == []


def test_the_time_limit_reaches_the_run() -> None:
    limits = []

    def limited(task: Task, time_limit: float | None) -> Row:
        limits.append(time_limit)
        return row(task.key)

    list(InProcess(2.5, limited).rows(tasks(2), Pace(2, 0.0)))

    assert limits == [2.5, 2.5]


def before_an_interrupt(after: int) -> list[list[str]]:
    """Keys of the rows that are handed over when a run is interrupted."""

    def run(task: Task, time_limit: float | None) -> Row:
        if task.seed == after:
            raise KeyboardInterrupt
        return row(task.key)

    taken: list[list[str]] = []
    batches = InProcess(execute=run).rows(tasks(9), Pace(9, 0.0))
    with pytest.raises(KeyboardInterrupt):
        taken.extend([each.key for each in rows] for rows in batches)
    return taken


def test_an_interrupt_comes_after_the_rows_that_are_ready() -> None:
    assert before_an_interrupt(after=3) == [["0", "1", "2"]]


def test_an_interrupt_of_the_first_run_hands_nothing_over() -> None:
    assert before_an_interrupt(after=0) == []
