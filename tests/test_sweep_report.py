"""The report of a sweep."""

import re
from pathlib import Path

import pytest
from sweep_results import sweep_results
from sweeping import FUND, TIGHT, invented, tiny
from typer.testing import CliRunner

import seawall
from analysis.comparisons.comparison import Comparison, compare
from analysis.comparisons.figure import comparison_figure
from analysis.comparisons.findings import verdict
from analysis.comparisons.report import html, write_sweep_report
from sim.sweeps.sweep import sweep

METRICS = ["bad_debt_gross_usd", "liquidated_usd"]
SECTIONS = [
    "What was simulated", "What changes", "What is seen", "Gates", "Results", "Failed runs", "Limits",
    "Method", "Reproduce",
]  # fmt: skip


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    results = sweep_results(gates=["es95(bad_debt_gross_usd) <= 1e6"])
    return compare(results, "policy", metrics=METRICS, resamples=200)


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "report"
    write_sweep_report(comparison, folder)
    return folder


def test_the_page_has_every_section_in_order_and_an_entry_for_each(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8").partition("</main>")[0]
    contents = page.partition("<nav")[2].partition("</nav>")[0]
    places = re.findall(r'id="([^"]+)"', page)

    assert re.findall(r"<h2>([^<]+)</h2>", page) == SECTIONS
    assert [title for title in SECTIONS if title in contents] == SECTIONS
    assert set(re.findall(r'href="#([^"]+)"', contents)) <= set(places)
    assert len(places) == len(set(places))


def test_the_verdict_counts_the_policies_that_differ_in_what_is_measured_first(
    comparison: Comparison,
) -> None:
    text = verdict(comparison).replace("\N{NO-BREAK SPACE}", " ")

    assert text == (
        "Of 2 alternatives to as_it_was, 1 is shown better in bad debt, gross (mean), over 64 runs of 48 h; "
        "no difference is shown for the other."
    )


def test_equal_policies_are_not_said_to_differ() -> None:
    equal = sweep_results(effect=lambda labels: 1.0)
    found = compare(equal, "policy", metrics=["bad_debt_gross_usd"], resamples=200)

    assert "none is shown to differ" in verdict(found)


def test_figures_and_numbers_lie_beside_the_page_and_are_the_same_each_time(
    comparison: Comparison, folder: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_sweep_report(comparison, folder)

    assert {path.relative_to(folder).as_posix() for path in before} == {
        "report.html", "comparison.csv", "figures/comparison.svg", "figures/comparison.png",
    }  # fmt: skip
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_other_figures_come_before_that_of_the_comparison(comparison: Comparison, tmp_path: Path) -> None:
    frontier = {"frontier": (comparison_figure(comparison), "What safety costs.")}
    page = write_sweep_report(comparison, tmp_path, frontier).read_text(encoding="utf-8")

    assert re.findall(r'<figure id="(\w+)"', page) == ["frontier", "comparison"]
    assert "What safety costs." in page
    assert (tmp_path / "figures" / "frontier.svg").is_file()


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("a <b onclick='x'>b</b>", "&lt;b onclick"),
        ("[here](javascript:alert(1))", "[here](javascript:alert(1))"),
        ("![](https://example.org/x.png)", "![](https://example.org/x.png)"),
        ("<https://example.org>", "&lt;https://example.org&gt;"),
        ("| a |\n| --- |\n| <td> |", "&lt;td&gt;"),
    ],
)
def test_text_brings_no_tag_no_link_and_no_image(markdown: str, shown: str) -> None:
    found = html(markdown)

    assert shown in found
    assert not re.search(r"<(script|b|a|img)[ >]", found)


def test_markdown_of_our_own_becomes_tables_lists_and_stress() -> None:
    found = html("- **x** is better\n\n| a | b |\n| --- | --: |\n| `x.y` | −1 |")

    assert "<li><strong>x</strong> is better</li>" in found
    assert '<div class="wide"><table>' in found
    assert "<code>x.<wbr>y</code>" in found
    assert "−\N{WORD JOINER}1" in found


def test_the_command_writes_the_report_of_a_sweep_into_its_store(tmp_path: Path) -> None:
    store = tmp_path / "sweep"
    axes = {FUND: [0, 1_000_000], "policy": {"as_it_was": {}, "tight": TIGHT}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.sweeps.tasks.run", invented)
        sweep(tiny(seeds=16, axes=axes), store, workers=0)
    first = CliRunner().invoke(seawall.app, ["report", str(store)])
    out = tmp_path / "by"
    second = CliRunner().invoke(seawall.app, ["report", str(store), "--by", FUND, "--out", str(out)])
    wrong = CliRunner().invoke(seawall.app, ["report", str(store), "--by", "nothing"])

    assert first.exit_code == 0, first.output
    assert "tight against as_it_was" in (store / "report.html").read_text(encoding="utf-8")
    assert second.exit_code == 0, second.output
    assert "insurance_fund" in (out / "report.html").read_text(encoding="utf-8")
    assert wrong.exit_code == 2
    assert "nothing" in wrong.stderr
