"""Sentiment: the process by hand, files, feeds of one's own, and what the people make of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small import calm, calmed

from agents.blame import PluginError
from sim.configuration import ClockSettings, Scenario
from sim.problems import ScenarioError
from sim.run import run
from sim.scenario import load_scenario
from sim.sentiment import Mood, Own, Sight, replayed_values
from sim.sweeps.tasks import scenario_digest
from sim.world_settings import SentimentSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CLOCK = ClockSettings(duration="2h")
FEED = """class Feed:
    def sentiment(self, sight):
        return {answer}
"""


def mood(clock: ClockSettings = CLOCK, jumps: np.ndarray | None = None, **settings: Any) -> Mood:
    still = np.zeros(clock.blocks + 1) if jumps is None else jumps
    return Mood(SentimentSettings.model_validate(settings), clock, still, seed=1)


def sight(block: int, *change: float) -> Sight:
    return Sight(block, 60.0 * block, 60.0, np.ones(len(change)), np.array(change))


def feed(folder: Path, answer: str) -> str:
    file = folder / "mine.py"
    file.write_text(FEED.format(answer=answer))
    return f"{file}:Feed"


def table(folder: Path, *rows: tuple[str, Any], name: str = "mood.csv") -> str:
    frame = pd.DataFrame(rows, columns=["time", "value"])
    file = folder / name
    if name.endswith("parquet"):
        frame.assign(time=pd.to_datetime(frame["time"], utc=True)).to_parquet(file)
    else:
        frame.to_csv(file, index=False)
    return str(file)


def problem(*overrides: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        load_scenario("calm", list(overrides))
    return str(raised.value)


def test_sentiment_takes_up_the_mean_return_and_forgets_by_halves() -> None:
    there = mood(gain=10.0, half_life="1m")

    assert there.sentiment(sight(1, 0.03, 0.01)) == pytest.approx(np.tanh(0.2))
    assert there.sentiment(sight(2, 0.0, 0.0)) == pytest.approx(np.tanh(0.1))
    assert there.sentiment(sight(3, -0.01, -0.01)) == pytest.approx(np.tanh(-0.05))


def test_without_gain_noise_and_jumps_there_is_no_mood() -> None:
    there = mood()

    assert [there.sentiment(sight(block, 0.5)) for block in (1, 2)] == [0, 0]


def test_a_scripted_jump_fades_like_any_other() -> None:
    jumps = np.zeros(CLOCK.blocks + 1)
    jumps[2] = -1.0
    there = mood(jumps=jumps, half_life="1m")

    assert [there.sentiment(sight(block, 0.0)) for block in (1, 2, 3)] == [0, np.tanh(-1), np.tanh(-0.5)]


@pytest.mark.parametrize("block", [60, 600])
def test_noise_has_its_size_for_a_day_on_any_grid(block: int) -> None:
    days = 300
    clock = ClockSettings(duration=f"{days}d", block=f"{block}s")
    shocks = mood(clock, noise=0.14, half_life="10d").shocks[1:]

    daily = shocks.reshape(days, -1).sum(axis=1)
    assert daily.std() == pytest.approx(0.14, abs=5 * 0.14 / np.sqrt(2 * days))  # false alarm: 6e-7


@pytest.mark.parametrize("name", ["mood.csv", "mood.csv.gz", "mood.parquet"])
def test_a_file_says_the_last_value_known(tmp_path: Path, name: str) -> None:
    clock = ClockSettings(duration="4m", start="2024-01-01T00:00:00Z")
    rows = [("2023-12-31T23:00:00Z", 0.5), ("2024-01-01T00:01:00Z", -1), ("2024-01-01T00:02:30Z", 1)]

    assert replayed_values(table(tmp_path, *rows, name=name), clock).tolist() == [0.5, -1, -1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("2024-01-02T00:00:00Z", 0.5)], "the first time must not be after clock.start"),
        ([("2023-01-01T00:00:00Z", 1.5)], "value must lie in [-1, 1], got row 0: 1.5"),
        ([("2023-01-01T00:00:00Z", "high")], "value must lie in [-1, 1], got row 0: high"),
        ([("2023-01-02T00:00:00Z", 0.1), ("2023-01-01T00:00:00Z", 0.2)], "times must rise, got row 1"),
        ([("yesterday", 0.1)], "time must be given, got row 0"),
        ([(5, 0.1)], "time must be ISO text or timestamps"),
        ([], "columns time and value must be present, with at least one row"),
    ],
)
def test_a_file_that_says_nothing_sensible_is_a_problem_of_the_scenario(
    tmp_path: Path, rows: list[tuple[str, Any]], message: str
) -> None:
    path = table(tmp_path, *rows)

    assert f"--set world.sentiment.path={path}  world.sentiment.path: " in problem(
        f"world.sentiment.path={path}"
    )
    assert message in problem(f"world.sentiment.path={path}")


def test_missing_and_unknown_files_are_problems_too(tmp_path: Path) -> None:
    (tmp_path / "mood.txt").write_text("time,value\n")

    assert "no such file, got gone.csv" in problem("world.sentiment.path=gone.csv")
    assert "must end in .csv" in problem(f"world.sentiment.path={tmp_path}/mood.txt")


def test_path_provider_and_process_exclude_each_other(tmp_path: Path) -> None:
    path = table(tmp_path, ("2023-01-01T00:00:00Z", 0.5))
    both = problem(f"world.sentiment.path={path}", f"world.sentiment.provider={feed(tmp_path, '0')}")
    jump = "shocks=[{at: 1h, kind: sentiment_jump, size: 1}]"

    assert "path and provider exclude each other" in both
    assert "gain and noise belong to the process" in problem(
        f"world.sentiment.path={path}", "world.sentiment.gain=3"
    )
    assert "a sentiment_jump needs the process" in problem(f"world.sentiment.path={path}", jump)


def test_a_feed_of_ones_own_sees_the_block_and_is_heard(tmp_path: Path) -> None:
    there = Own(feed(tmp_path, "sight.change.sum() + sight.block / 10"))

    assert there.sentiment(sight(2, 0.1, 0.2)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("2", "{file}:2  sentiment feed, block 7: sentiment must lie in [-1, 1], got 2.0"),
        ("float('nan')", "{file}:2  sentiment feed, block 7: sentiment must lie in [-1, 1], got nan"),
        ("1 / 0", "{file}:3  sentiment feed, block 7: ZeroDivisionError: division by zero"),
        ("'high'", "ValueError: could not convert string to float: 'high'"),
    ],
)
def test_a_feed_that_fails_names_the_block_and_the_line(tmp_path: Path, answer: str, message: str) -> None:
    there = Own(feed(tmp_path, answer))
    with pytest.raises(PluginError) as raised:
        there.sentiment(sight(7, 0.0))

    assert message.format(file=tmp_path / "mine.py") in str(raised.value)


def test_a_class_that_is_no_feed_is_a_problem_of_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Feed: ...\n\nclass Needy:\n    def __init__(self, x): ...\n")

    assert "must have a method sentiment(sight)" in problem(
        f"world.sentiment.provider={tmp_path}/mine.py:Feed"
    )
    assert "TypeError" in problem(f"world.sentiment.provider={tmp_path}/mine.py:Needy")
    assert "No module named 'gone'" in problem("world.sentiment.provider=gone:Feed")


def test_files_beside_the_scenario_are_found_and_count_by_their_content(tmp_path: Path) -> None:
    def scenario(setting: str) -> Scenario:
        (tmp_path / "mine.yaml").write_text(f"extends: calm.yaml\nworld: {{sentiment: {{{setting}}}}}\n")
        return load_scenario(tmp_path / "mine.yaml")

    feed(tmp_path, "0.5")
    table(tmp_path, ("2020-01-01T00:00:00Z", 0.5))
    own, file = scenario("provider: 'mine:Feed'"), scenario("path: mood.csv")
    before = [scenario_digest(own), scenario_digest(file)]
    feed(tmp_path, "0.25")
    table(tmp_path, ("2020-01-01T00:00:00Z", 0.25))

    assert own.world.sentiment.provider == f"{tmp_path}/mine.py:Feed"
    assert file.world.sentiment.path == f"{tmp_path}/mood.csv"
    assert not set(before) & {scenario_digest(own), scenario_digest(file)}


def test_sentiment_is_recorded_only_where_there_is_one() -> None:
    assert "sentiment" not in calmed().tables["blocks"]
    assert calmed("world.sentiment.noise=0.5").tables["blocks"]["sentiment"].abs().max() > 0


def test_a_mood_that_nobody_minds_changes_nothing_on_the_venue() -> None:
    deaf = ("agents.retail.herding=0", "agents.retail.enthusiasm=0")
    moody, plain = run(calm("world.sentiment.noise=0.5", *deaf), 3), run(calm(*deaf), 3)

    pd.testing.assert_frame_equal(moody.tables["markets"], plain.tables["markets"], check_exact=True)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the index in ../shared/data")
def test_the_numbers_named_for_the_process_are_those_of_fear_and_greed() -> None:
    frame = pd.read_csv(DATA / "btc_daily_price_funding_feargreed_2015_2022-09.csv.gz").dropna(subset=["fng"])
    x = np.arctanh(((frame["fng"] - 50) / 50).clip(-0.98, 0.98))
    change = np.log(frame["price"]).diff()
    known = pd.concat([x, x.shift(), change, change.shift()], axis=1).dropna().to_numpy()
    basis = np.column_stack([known[:, 1:], np.ones(len(known))])
    keep, today, yesterday, _ = np.linalg.lstsq(basis, known[:, 0], rcond=None)[0]
    left = known[:, 0] - basis @ np.linalg.lstsq(basis, known[:, 0], rcond=None)[0]

    assert today + yesterday == pytest.approx(3.0, abs=0.1)
    assert np.log(0.5) / np.log(keep) == pytest.approx(10.5, abs=0.1)
    assert left.std() == pytest.approx(0.14, abs=0.01)
