"""Candle files: every kind of damage is named with its place."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from sim.prices.candles import bar_seconds, read_candles, window
from sim.problems import ScenarioError

HEADER = "date,open,high,low,close,volume"
GOOD = [
    "2021-05-19 00:00:00+00:00,100,110,90,105,5",
    "2021-05-19 00:05:00+00:00,105,108,99,100,4",
    "2021-05-19 00:10:00+00:00,100,101,80,85,9",
    "2021-05-19 00:15:00+00:00,85,95,84,94,7",
]


def written(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "btc.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def moment(minute: int) -> datetime:
    return datetime(2021, 5, 19, 0, minute, tzinfo=UTC)


def complaint(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        read_candles(path)
    return str(caught.value).replace(str(path), "btc.csv")


def test_a_sound_file_is_read_in_utc(tmp_path: Path) -> None:
    frame = read_candles(written(tmp_path, GOOD))

    assert list(frame.columns) == ["date", "open", "high", "low", "close", "volume"]
    assert str(frame["date"].dt.tz) == "UTC"
    assert frame["low"].tolist() == [90, 99, 80, 84]
    assert bar_seconds(frame) == 300


@pytest.mark.parametrize("name", ["btc.csv.gz", "btc.parquet"])
def test_compressed_text_and_parquet_hold_the_same(tmp_path: Path, name: str) -> None:
    frame = read_candles(written(tmp_path, GOOD))
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, index=False)

    pd.testing.assert_frame_equal(read_candles(tmp_path / name), frame, check_dtype=False)


def test_column_names_may_be_capitalised_and_times_without_zone_are_utc(tmp_path: Path) -> None:
    rows = [row.replace("+00:00", "") for row in GOOD]
    frame = read_candles(written(tmp_path, rows, "Date,Open,High,Low,Close,Volume"))

    assert frame["date"].iloc[0] == pd.Timestamp("2021-05-19", tz="UTC")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2021-05-19T00:10:00Z,100,,80,85,9", "btc.csv:4  high must be given, got line 4: nan"),
        ("2021-05-19T00:10:00Z,100,abc,80,85,9", "btc.csv:4  high must be given, got line 4: abc"),
        ("soon,100,101,80,85,9", "btc.csv:4  date must be given, got line 4: soon"),
        ("2021-05-19T00:05:00Z,100,101,80,85,9", "btc.csv:4  a time must stand once, got line 4"),
        ("2021-05-18T00:05:00Z,100,101,80,85,9", "btc.csv:4  times must rise, got line 4"),
        ("2021-05-19T00:10:00Z,100,101,-80,85,9", "btc.csv:4  prices must be > 0 and finite, got line 4"),
        (
            "2021-05-19T00:10:00Z,0,101,80,85,9",
            "btc.csv:4  prices must be > 0 and finite, got line 4: open=0",
        ),
        ("2021-05-19T00:10:00Z,100,inf,80,85,9", "btc.csv:4  prices must be > 0 and finite"),
        (
            "2021-05-19T00:10:00Z,100,70,80,85,9",
            "btc.csv:4  high >= low must hold, got line 4: open=100 high=70",
        ),
        ("2021-05-19T00:10:00Z,100,101,90,85,9", "btc.csv:4  open and close must lie within [low, high]"),
        ("2021-05-19T00:10:00Z,102,101,80,85,9", "btc.csv:4  open and close must lie within [low, high]"),
        ("2021-05-19T00:10:00Z,100,101,80,85,-1", "btc.csv:4  volume must be >= 0 and finite"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path, [GOOD[0], GOOD[1], row, GOOD[3]])

    assert message in complaint(path)


def test_all_damage_comes_at_once_and_long_lists_are_cut(tmp_path: Path) -> None:
    rows = [f"2021-05-19T00:{minute:02}:00Z,100,90,110,100,-1" for minute in range(10)]
    text = complaint(written(tmp_path, rows))

    assert "btc.csv:2  high >= low must hold" in text
    assert "btc.csv:2  volume must be >= 0 and finite" in text
    assert text.count("and 7 more") == 2


def test_missing_columns_are_listed_with_what_was_found(tmp_path: Path) -> None:
    text = complaint(written(tmp_path, ["2021-05-19T00:00:00Z,1,2"], "time,open,high"))

    assert text == "btc.csv  columns date, low, close, volume must be present, got time, open, high"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such candle file"),
        ("x.json", b"{}", "a candle file must end in .csv, .csv.gz or .parquet"),
        ("x.parquet", b"nonsense", "the candle file cannot be read"),
        ("x.csv.gz", b"nonsense", "the candle file cannot be read"),
        ("x.csv", b"", "the candle file cannot be read"),
        ("x.csv", b"\xff\xfe\x00", "the candle file cannot be read"),
        ("x.csv", HEADER.encode(), "a candle file must hold at least two bars, got 0"),
        ("x.csv", f"{HEADER}\n1621382400,1,1,1,1,1".encode(), "date must be ISO text or timestamps"),
    ],
)
def test_files_that_hold_no_candles_are_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    assert message in complaint(path)


def test_a_window_holds_just_the_bars_that_cover_it(tmp_path: Path) -> None:
    frame = read_candles(written(tmp_path, GOOD))

    assert window(frame, moment(5), moment(10), "f")["open"].tolist() == [105]
    assert window(frame, moment(7), moment(11), "f")["open"].tolist() == [105, 100]
    assert len(window(frame, moment(0), moment(20), "f")) == 4


@pytest.mark.parametrize(("start", "end"), [(moment(0).replace(day=18), moment(10)), (moment(5), moment(21))])
def test_a_window_beyond_the_file_names_the_span(tmp_path: Path, start: datetime, end: datetime) -> None:
    frame = read_candles(written(tmp_path, GOOD))

    with pytest.raises(ScenarioError, match="got 2021-05-19T00:00:00Z to 2021-05-19T00:20:00Z"):
        window(frame, start, end, "f")


def test_a_gap_matters_only_inside_the_window(tmp_path: Path) -> None:
    late = ["2021-05-19T00:30:00Z,94,95,90,91,1", "2021-05-19T00:35:00Z,91,92,90,91,1"]
    frame = read_candles(written(tmp_path, [*GOOD, *late]))

    assert len(window(frame, moment(0), moment(20), "f")) == 4
    assert len(window(frame, moment(30), moment(40), "f")) == 2
    for start, end in [(0, 35), (0, 25), (22, 40), (22, 25)]:
        with pytest.raises(ScenarioError, match=r"got 1 gap: 2021-05-19T00:20:00Z to 2021-05-19T00:30:00Z"):
            window(frame, moment(start), moment(end), "f")


def test_a_single_bar_is_no_candle_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="at least two bars, got 1"):
        window(read_candles(written(tmp_path, GOOD[:1])), moment(0), moment(5), "f")


def test_real_files_are_sound(market_data: Path) -> None:
    frame = read_candles(market_data / "btc_usdt_spot_5m_binance_2020-02_2020-03-12.parquet")

    assert len(frame) == 11_668
    with pytest.raises(ScenarioError, match="got 3 gaps: 2020-02-09T02:00:00Z to"):
        window(frame, frame["date"].iloc[0], frame["date"].iloc[-1], "f")
