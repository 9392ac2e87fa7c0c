import io
from pathlib import Path

import pytest
from rich.console import Console
from run_folder import write_run_folder

from analysis.summary import SECTIONS, summary_frame, summary_table
from analysis.tables import load_run
from analysis.wording import count, duration, joined, percent, price, quantity, usd


def _printed(folder: Path, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(summary_table(folder))
    return console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def crash(tmp_path_factory) -> Path:
    return write_run_folder(tmp_path_factory.mktemp("crash") / "run")


def test_a_summary_prints_the_sections_that_say_something_and_the_numbers_of_each_market(crash) -> None:
    text = _printed(crash)
    frame = summary_frame(crash).fillna({"value": 0.0}).query("value != 0")

    assert [section for section in SECTIONS if section in text] == list(dict.fromkeys(frame["section"]))
    assert "Risk engine" not in text  # this run had none
    assert "Governance" not in text  # no parameter was changed, which is a whole section of zeros
    assert "BTC" in text
    assert "ETH" in text
    assert "Bad debt, gross" in text
    assert "…" not in text


def test_one_line_holds_the_markets_and_the_venue(crash) -> None:
    line = next(line for line in _printed(crash).splitlines() if line.strip().startswith("Liquidated "))

    assert line.count("$") == 3


def test_a_calm_run_says_that_there_was_no_bad_debt_and_hides_empty_lines(tmp_path) -> None:
    text = _printed(write_run_folder(tmp_path / "run", fall=0.0))

    assert "Bad debt, gross" in text
    assert "$0" in text
    assert "Truncated blocks" not in text


def test_the_frame_holds_value_unit_and_definition_of_every_metric(crash) -> None:
    frame = summary_frame(crash)

    assert set(frame["metric"]) == set(load_run(crash).summary)
    assert list(dict.fromkeys(frame["section"])) == list(SECTIONS)
    assert frame["definition"].str.endswith(".").all()
    assert frame.loc[frame["metric"] == "mark_drawdown_ETH", "subject"].item() == "ETH"


def test_a_folder_without_a_run_is_refused_with_the_names_of_what_is_missing(crash, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"manifest\.json, summary\.json, blocks\.parquet.*nowhere"):
        load_run(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (9.5, "$9.50"), (950, "$950"), (999.6, "$1.00K"), (12345, "$12.3K"), (999_999, "$1.00M"),
     (-4_560_000, "−$4.56M"), (5.511e9, "$5.51B"), (-0.001, "$0.00")],
)  # fmt: skip
def test_dollars_read_as_people_write_them(value, text) -> None:
    assert usd(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (62, "1 m 02 s"), (3600, "1 h"), (3720, "1 h 02 m"), (90000, "1 d 01 h")],
)
def test_spans_of_time_read_in_their_two_largest_units(seconds, text) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.533, "53 %"), (-0.041, "−4.1 %"), (0.0012, "0.12 %"), (0, "0 %"), (2.5, "250 %")]
)
def test_shares_read_as_per_cent(share, text) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


def test_prices_counts_and_lists_read_well() -> None:
    assert [price(7962.3), price(31.2), price(0.012345)] == ["$7,962", "$31.20", "$0.01235"]
    assert [count(1, "account"), count(1204, "account")] == ["1 account", "1,204 accounts"]
    assert [joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_what_has_no_meaning_is_a_dash() -> None:
    assert quantity(None, "USD") == "–"
    assert quantity(float("nan"), "1") == "–"
