"""Tasks: whatever happens to a run becomes a row, and a key changes with all that can change a result."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small import PEOPLE
from sweeping import invented

from sim.configuration import Scenario
from sim.provenance import resolved
from sim.run import Progress, run
from sim.scenario import load_scenario
from sim.sweeps.tasks import Task, execute, scenario_digest, task_key

START = pd.Timestamp("2021-05-19", tz="UTC")
EVENT = """\
name: fall
source: made up
points:
  - {time: 2020-03-12T00:00:00Z, BTC: 8000, ETH: 200}
  - {time: 2020-03-12T02:00:00Z, BTC: FALL, ETH: 190}
"""


def scenario(*overrides: str, source: str | Path = "calm") -> Scenario:
    return load_scenario(source, [*PEOPLE, "clock.block=10m", "shocks=[]", *overrides])


def task(made: Scenario, seed: int = 1) -> Task:
    return Task("key", json.dumps(resolved(made)), seed)


def candles(folder: Path, scale: float) -> Path:
    rows = 40
    frame = pd.DataFrame({"date": pd.date_range(START, periods=rows, freq="10min")})
    frame = frame.assign(open=9.0, high=11.0 * scale, low=8.0, close=10.0, volume=1.0)
    frame.to_csv(folder / "btc.csv", index=False)
    return folder / "btc.csv"


def replay(folder: Path, scale: float = 1.0) -> Scenario:
    path = candles(folder, scale)
    return scenario(f"world.prices.path={path}", "protocol.markets.ETH=none", source="replay")


def test_a_row_holds_what_the_run_itself_gives() -> None:
    made = scenario()
    row, result = execute(task(made, 3)), run(made, 3)

    assert (row.key, row.seed, row.status, row.error, row.traceback) == ("key", 3, "done", "", "")
    assert row.transcript == result.transcript
    assert dict(row.metrics) == dict(result.summary)
    assert row.seconds > 0
    assert row.worker.endswith(f":{os.getpid()}")


def test_a_broken_invariant_is_a_row_with_its_traceback() -> None:
    points = "[{at: 0s, BTC: 8000, ETH: 200}, {at: 1h, BTC: 1e-5, ETH: 200}]"
    prices = f"world.prices={{kind: waypoints, points: {points}}}"
    row = execute(task(scenario(prices, source="black_thursday")))

    assert row.status == "failed"
    assert row.error.startswith("InvariantError: block 4, seed 1: outside_price_fits_the_venue")
    assert row.traceback.startswith("Traceback")
    assert 'File "sim/model.py"' in row.traceback
    assert (row.metrics, row.transcript) == ({}, "")


def test_an_error_that_nobody_foresaw_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.sweeps.tasks.run", lambda *arguments: int("x"))
    row = execute(task(scenario()))

    assert row.status == "failed"
    assert row.error == "ValueError: invalid literal for int() with base 10: 'x'"


def test_a_scenario_that_cannot_be_read_is_a_row() -> None:
    assert execute(Task("key", "{}", 1)).status == "failed"
    assert "Invalid JSON" in execute(Task("key", "{", 1)).error


def test_equal_failures_are_equal_rows() -> None:
    beyond = scenario("world.prices.points=[{at: 0s, BTC: 9, ETH: 9}, {at: 1m, BTC: 1.0e13, ETH: 2300}]")
    rows = [execute(task(beyond)) for _ in range(2)]

    assert rows[0].status == "failed"
    assert rows[0].traceback == rows[1].traceback


def test_an_interrupt_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sim.sweeps.tasks.run", interrupted)

    with pytest.raises(KeyboardInterrupt):
        execute(task(scenario()))


def test_a_run_out_of_time_is_stopped() -> None:
    long = scenario("clock.duration=24h", "clock.block=1m")
    row = execute(task(long), time_limit=0.05)

    assert (row.status, row.error) == ("timeout", "TimeLimitError: a run may take at most 0.05 s")
    assert row.seconds < 5
    assert row.metrics == {}


def test_a_run_that_is_ready_when_its_time_is_over_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(made: Scenario, seed: int, progress: Any) -> object:
        progress(Progress(2, 2, START, {}, 0.0, 0.0))
        return invented(made, seed)

    monkeypatch.setattr("sim.sweeps.tasks.run", late)

    assert execute(task(scenario()), time_limit=1e-9).status == "done"


@pytest.mark.parametrize(
    "change",
    [
        "world.share=0.123",
        "agents.retail.accounts=7",
        "clock.block=5m",
        "protocol.insurance_fund=1",
        "shocks=[]",
    ],
)
def test_a_digest_changes_with_every_setting(change: str) -> None:
    made = load_scenario("black_thursday", ["clock.block=20m"])
    other = load_scenario("black_thursday", ["clock.block=20m", change])

    assert scenario_digest(made) == scenario_digest(load_scenario("black_thursday", ["clock.block=20m"]))
    assert scenario_digest(made) != scenario_digest(other)


def test_a_digest_does_not_change_with_titles() -> None:
    made = scenario()
    renamed = made.model_copy(update={"name": "other", "description": "anew"})

    assert scenario_digest(renamed) == scenario_digest(made)


def test_the_order_of_markets_is_part_of_a_digest() -> None:
    made = scenario()
    markets = dict(reversed(made.protocol.markets.items()))
    turned = made.model_copy(update={"protocol": made.protocol.model_copy(update={"markets": markets})})

    assert scenario_digest(turned) != scenario_digest(made)


def test_candles_count_by_their_content_and_not_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    before = scenario_digest(replay(tmp_path))

    assert scenario_digest(replay(tmp_path / "other")) == before
    assert scenario_digest(replay(tmp_path, scale=1.5)) != before


def test_an_event_file_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "fall.yaml"
    digests = []
    for price in ("7000", "6000"):
        file.write_text(EVENT.replace("FALL", price))
        digests.append(scenario_digest(scenario(f"world.prices.event={file}", source="black_thursday")))

    assert digests[0] != digests[1]


def test_a_key_changes_with_code_scenario_and_seed() -> None:
    keys = {task_key("r", "s", 1), task_key("q", "s", 1), task_key("r", "t", 1), task_key("r", "s", 2)}

    assert len(keys) == 4
    assert task_key("r", "s", 1) == task_key("r", "s", 1)
