"""`seawall compare`: its table, its page, its gates and what it refuses."""

from pathlib import Path

import pytest
from sweeping import FUND, TIGHT, invented, tiny
from typer.testing import CliRunner, Result

import seawall
from sim.sweeps.sweep import sweep

AXES = {FUND: [0, 1_000_000], "policy": {"as_it_was": {}, "tight": TIGHT}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.sweeps.tasks.run", invented)
        sweep(tiny(seeds=64, axes=AXES), folder, workers=0)
    return folder


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(seawall.app, ["compare", *map(str, arguments)])


def test_a_comparison_prints_a_table_and_writes_its_page(store: Path, tmp_path: Path) -> None:
    result = invoke(store, "--by", FUND, "--metric", "bad_debt_gross_usd", "--out", tmp_path / "page")
    page = (tmp_path / "page" / "comparison.md").read_text()

    assert result.exit_code == 0, result.output
    assert "against insurance_fund=0, 64 seeds of 1 h" in result.stdout
    assert f"page:   {tmp_path / 'page' / 'comparison.md'}" in result.stdout
    assert "−$100" in page
    assert "**better**" in page
    assert {file.suffix for file in (tmp_path / "page").iterdir()} == {".md", ".csv", ".png", ".svg"}


@pytest.mark.parametrize(
    ("gate", "outcome", "code"),
    [
        ("mean(bad_debt_gross_usd) <= 500", "pass", 0),
        ("mean(bad_debt_gross_usd) <= 300", "fail", 1),
        ("mean(bad_debt_gross_usd) <= 431", "not shown", 1),
    ],
)
def test_the_exit_code_says_whether_all_gates_are_passed(
    store: Path, tmp_path: Path, gate: str, outcome: str, code: int
) -> None:
    result = invoke(store, "--by", FUND, "--gate", gate, "--out", tmp_path / "page")

    assert result.exit_code == code, result.output
    assert outcome in result.stdout


def test_a_baseline_and_another_axis_are_chosen_by_their_labels(store: Path, tmp_path: Path) -> None:
    chosen = ["--by", FUND, "--baseline", "1000000", "--where", "policy=tight"]
    result = invoke(store, *chosen, "--metric", "bad_debt_gross_usd", "--out", tmp_path / "page")

    assert result.exit_code == 0, result.output
    assert "against insurance_fund=1000000" in result.stdout
    assert "+$100" in result.stdout
    assert "Kept fixed: policy at tight" in (tmp_path / "page" / "comparison.md").read_text()


def test_two_stores_are_compared_as_wholes(store: Path, tmp_path: Path) -> None:
    result = invoke(store, store, "--metric", "bad_debt_gross_usd", "--out", tmp_path / "page")

    assert result.exit_code == 0, result.output
    assert "The same under all policies in every run" in (tmp_path / "page" / "comparison.md").read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--by", "polcy"], "did you mean policy?"),
        ([], f"one axis must be named, of {FUND}, policy"),
        (["--by", "policy", "--where", "tight"], "is written AXIS=LABEL"),
        (["--by", "policy", "--gate", "es95(bad_debt) <= 1"], "bad_debt"),
        (["--by", "policy", "--metric", "liquidated"], "no such metric"),
        (["--by", "policy", "--level", "2"], "level"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(store: Path, options: list[str], told: str) -> None:
    result = invoke(store, *options)

    assert result.exit_code == 2
    assert told in result.stderr


def test_only_one_store_or_two_make_a_question(store: Path) -> None:
    assert "takes one store or two, got 3" in invoke(store, store, store).stderr
    assert "two stores are compared as wholes" in invoke(store, store, "--by", "policy").stderr
    assert "a sweep must hold manifest.json" in invoke(store / "nowhere").stderr
