import io
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from sweep_results import POLICIES, sweep_results

from analysis.comparisons.comparison import compare, compare_sweeps
from analysis.comparisons.figure import comparison_figure
from analysis.comparisons.markdown import table
from analysis.comparisons.page import comparison_markdown, write_comparison
from analysis.comparisons.table import comparison_table, gate_table, warning_lines
from analysis.comparisons.words import chance, factor, horizon, signed

NBSP = "\N{NO-BREAK SPACE}"
QUICK = {"resamples": 200}
GATES = ["es95(bad_debt_gross_usd) <= 1e6", "change of mean(liquidated_usd) <= 5%"]
METRICS = ["bad_debt_gross_usd", "liquidated_usd", "socialised_loss_usd", "time_to_adl_seconds"]


def page_of(comparison) -> str:
    return comparison_markdown(comparison).replace(NBSP, " ")


def printed(what) -> str:
    console = Console(width=100, file=io.StringIO())
    console.print(what)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def comparison():
    results = sweep_results(failed={(1, 5): "failed", (1, 9): "timeout"}, gates=GATES)
    return compare(results, "policy", metrics=METRICS, **QUICK)


@pytest.fixture(scope="module")
def page(comparison) -> str:
    return page_of(comparison)


@pytest.fixture(scope="module")
def written(comparison, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "new"
    write_comparison(comparison, folder)
    return folder


def test_the_page_answers_first_with_numbers_intervals_and_horizon(page) -> None:
    title, _, first = page.splitlines()[:3]

    assert title == "# more_margin and more_capital against as_it_was"
    assert first.startswith("**more_margin** against as_it_was: of ")
    assert "over 62 runs of 48 h on the same seeds" in first
    assert re.search(r"−\$351K or −52 %, 95 % interval −\$\d+K to −\$[\d.]+K", first)


def test_the_page_has_every_section_in_order(page) -> None:
    assert re.findall(r"^## (.*)$", page, re.M) == [
        "What was simulated", "What changes", "Gates", "Results", "Figure", "Failed runs", "Method", "Limits",
        "Reproduce",
    ]  # fmt: skip


def test_every_table_of_the_page_is_whole_and_no_html_is_in_it(page) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", page, re.M)

    assert len(blocks) == 5
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert not re.search(r"</?[a-z]+[ >]", page)
    assert not re.search(r"\b(nan|inf|None)\b", page.replace("None: all", ""))


def test_every_number_of_a_result_tells_level_runs_and_horizon(page) -> None:
    lines = [line for line in page.splitlines() if line.startswith(("| mean", "| VaR", "| ES", "| share of"))]

    assert len(lines) == 20
    assert all(re.match(r"\| .*, \d+ runs of 48 h \| more_", line) for line in lines)


def test_the_page_says_what_was_run_and_what_changed(page) -> None:
    assert "Horizon: every run is 48 h of BTC and ETH." in page
    assert "`runs/policies`, Seawall 0.1.0, revision 0123456789ab, code feedc0defeed" in page
    assert "share of the market 2.0 %" in page
    assert "| `protocol.insurance_fund` | 1,000,000 | 1,000,000 | 4,000,000 |" in page


def test_the_page_shows_gates_failures_family_and_pairing(page, comparison) -> None:
    family = comparison.family

    assert re.search(
        r"\| `change of mean\(liquidated_usd\) <= 5%` \| more_margin \| \*\*pass\*\* \| −40\.3 %", page
    )
    assert "| more_margin | **not shown**, the interval holds values on both sides | $3.61M (" in page
    assert "No policy passes all gates." in page
    assert "2 of 64 runs of more_margin gave no result (1 failed, 1 timeout)." in page
    assert "more_margin fails more often than as_it_was" in page
    assert "Time to first deleveraging has no meaning in " in page
    assert (
        f"Holm's correction covers the family of {family} comparisons, in which {family * 0.05:.2g} false"
        in page
    )
    assert re.search(r"pairing narrowed the intervals by a factor of \d\.\d in the median", page)
    assert "The same under all policies in every run: Socialised loss." in page
    assert re.search(r"Beware:\n\n- \d seeds are too few for mean, which needs 32: mean of more_margin", page)


def test_runs_of_other_lengths_are_told() -> None:
    lengths = {"a day": {"clock.duration": "86400s"}, "two days": {}}
    found = compare(sweep_results({"length": lengths}), "length", metrics=["liquidated_usd"], resamples=200)

    assert tuple(note.replace("\N{NO-BREAK SPACE}", " ") for note in found.notes) == (
        "Runs differ in length, 48 h and 24 h: the horizon named here is that of the base scenario.",
    )


def test_the_command_on_the_page_asks_the_same_question(page) -> None:
    results = sweep_results({"policy": POLICIES, "depth": {1: {}, 2: {}}})
    narrow = compare(
        results, "policy", baseline="more_capital", where={"depth": 2}, metrics=["liquidated_usd"],
        statistics=["p(> 2e7)"], gates=GATES[1:], level=0.9, **QUICK,
    )  # fmt: skip

    metrics = " ".join(f"--metric {name}" for name in METRICS)
    assert page.endswith(f"seawall compare runs/policies --by policy --baseline as_it_was {metrics}\n```\n")
    assert page_of(narrow).endswith(
        "seawall compare runs/policies --by policy --baseline more_capital --where depth=2 "
        "--metric liquidated_usd --statistic 'p(> 2e7)' --gate 'change of mean(liquidated_usd) <= 5%' "
        "--level 0.9\n```\n"
    )


def test_equal_comparisons_give_equal_bytes(comparison, written, tmp_path) -> None:
    write_comparison(comparison, tmp_path)
    names = sorted(path.name for path in written.iterdir())

    assert names == ["comparison.csv", "comparison.md", "comparison.png", "comparison.svg"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_the_csv_holds_every_row(comparison, written) -> None:
    frame = pd.read_csv(written / "comparison.csv")

    assert len(frame) == len(comparison.frame)
    assert frame["difference"].to_numpy() == pytest.approx(comparison.frame["difference"].to_numpy())


def test_the_image_stands_beside_the_page(written) -> None:
    link = re.search(r"!\[.*\]\((.*)\)", (written / "comparison.md").read_text())

    assert link is not None
    assert (written / link[1]).stat().st_size > 10_000


def test_the_figure_has_a_row_for_each_metric_that_differs(comparison) -> None:
    text = comparison_figure(comparison).to_json()

    assert [name in text for name in ("Bad debt, gross", "Liquidated", "Socialised loss")] == [
        True,
        True,
        False,
    ]
    assert "Green is better" in text


def test_many_policies_are_cut_to_those_that_differ_most() -> None:
    many = {f"rule_{i:02}": {"world.share": i / 100} for i in range(20)}
    results = sweep_results(
        {"policy": many},
        lambda labels: 0.1 if labels["policy"] in ("rule_07", "rule_19") else 1.0,
        gates=["change of mean(liquidated_usd) <= -20%"],
    )
    wide = compare(results, "policy", metrics=["liquidated_usd"], statistics=["mean"], **QUICK)
    text = page_of(wide)

    assert text.startswith("# 19 alternatives against rule_00 (policy)\n")
    assert text.count("\n- **rule_") == 8
    assert "**rule_07** against rule_00: of 1 comparison, better in 1." in text
    assert "Only the 8 policies that differ most stand here; the CSV has all." in text
    assert "rule_07 and rule_19 pass all gates." in text
    assert len(wide.frame) == 19
    assert "of 19" in comparison_figure(wide).to_json()


def test_a_single_alternative_has_a_column_of_its_own() -> None:
    results = sweep_results(
        {"policy": {"old": {}, "new|er": {}}}, lambda labels: 0.5 if labels["policy"] != "old" else 1
    )
    text = page_of(compare(results, "policy", metrics=["liquidated_usd"], **QUICK))

    assert "| Statistic | old | new\\|er | Difference |" in text
    assert "The policies have the same settings." in text
    assert "None: all 128 runs are done, and every one of them counts." in text


def test_policies_that_do_the_same_are_said_to() -> None:
    results = sweep_results({"policy": {"old": {}, "new": {}}})
    runs = results.runs
    runs.loc[runs["point"] == 1, "liquidated_usd"] = runs.loc[runs["point"] == 0, "liquidated_usd"].to_numpy()
    comparison = compare(results, "policy", metrics=["liquidated_usd"], **QUICK)
    text = page_of(comparison)

    assert "no difference is shown in any of 3 comparisons" in text
    assert "and the same in every run." in text
    assert "Pairing had nothing to narrow." in text
    assert "did the same in every run" in comparison_figure(comparison).to_json()


def test_two_sweeps_of_different_code_say_so() -> None:
    code = {"revision": "0" * 64, "sources": {}, "packages": {}}
    before = sweep_results(name="before", place="runs/before")
    after = sweep_results(effect=lambda labels: 0.5, name="after", place="runs/after", code=code)
    text = page_of(compare_sweeps(before, after, metrics=["liquidated_usd"], **QUICK))

    assert text.startswith("# after against before\n")
    assert "The two sweeps were run with different code" in text
    assert "mean, 3 × 64 runs of 48 h" in text
    assert "seawall compare runs/before runs/after --metric liquidated_usd" in text


def test_the_terminal_shows_each_statistic_beginning_with_the_baseline(comparison) -> None:
    text = printed(comparison_table(comparison))
    lines = [line.split() for line in text.splitlines()]

    assert max(map(len, text.splitlines())) <= 100
    assert ["mean", "as_it_was", "$679K"] in lines
    assert any(line[:2] == ["more_margin", "$328K"] for line in lines)
    assert "Socialised" not in text
    assert any(
        "time to first deleveraging (mean) of more_margin" in line for line in warning_lines(comparison)
    )


def test_the_terminal_shows_which_gates_are_passed(comparison) -> None:
    lines = [line.split() for line in printed(gate_table(comparison)).splitlines()]

    assert [*GATES[1].split(), "more_margin", "−40.3", "%", "pass"] in lines


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.2e6, "USD", "+$1.20M"), (-0.041, "1", "−4.1 points"), (0.0, "1", "0 points"), (-90, "s", "−1 m 30 s"),
     (0.002, "USD", "$0.00"), (0.2, "1", "+20 points")],
)  # fmt: skip
def test_a_difference_has_its_sign(value, unit, text) -> None:
    assert signed(value, unit).replace(NBSP, " ") == text


def test_small_numbers_read_well() -> None:
    assert [chance(p) for p in (0.00005, 0.004, 0.03, 0.5, 1.0)] == ["<0.001", "0.004", "0.03", "0.50", "1"]
    assert [factor(value) for value in (1.04, 9.46, 5e9)] == ["1.0", "9.5", "over 100"]
    assert [horizon(s).replace(NBSP, " ") for s in (172_800, 5400, 1800, 864_000)] == [
        "48 h",
        "1.5 h",
        "30 m",
        "10 d",
    ]


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(["a", "b"], [["x|y", "1"]]) == ["| a | b |", "| --- | --: |", "| x\\|y | 1 |"]
