"""The reference of metrics: complete, in step with what is printed, and with the page in the docs."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import seawall
from analysis.attribution import CAUSES
from analysis.comparisons.statistic import parse_statistic
from analysis.critical_page import COLUMNS
from analysis.explanation import ACCOUNT_COLUMNS, CASCADE_COLUMNS
from analysis.metric_reference import FILE, Entry, reference, reference_markdown
from analysis.tails import OTHERS
from sim.metrics import METRICS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
MEASURED = [entry for entries in reference().values() for entry in entries if entry.computed_by]


def labels(beginning: str) -> list[str]:
    """Labels of the sections whose titles begin so."""
    return [
        entry.label
        for section, entries in reference().items()
        for entry in entries
        if section.startswith(beginning)
    ]


def test_the_page_is_what_the_command_writes() -> None:
    result = CliRunner().invoke(seawall.app, ["metrics", "--markdown"])

    assert result.exit_code == 0
    assert result.stdout == PAGE.read_text(encoding="utf-8"), "seawall metrics --markdown > docs/metrics.md"


def test_every_metric_of_a_run_is_on_the_page_once_with_unit_and_definition() -> None:
    page = reference_markdown()

    for key, metric in METRICS.items():
        line = [each for each in page.splitlines() if f"| `{key}` |" in each]
        assert len(line) == 1, key
        assert metric.definition in line[0]
        assert f"| {metric.unit}" in line[0]


@pytest.mark.parametrize("entry", MEASURED, ids=[entry.label for entry in MEASURED])
def test_what_computes_a_measure_exists(entry: Entry) -> None:
    parts = entry.computed_by.split(".")
    depth = next(depth for depth in (-1, -2) if is_module(".".join(parts[:depth])))
    found = import_module(".".join(parts[:depth]))
    for name in parts[depth:]:
        found = getattr(found, name)

    assert entry.definition.endswith(".")


def is_module(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def test_what_the_commands_print_in_their_columns_is_defined() -> None:
    assert labels("Cascades") == list(CASCADE_COLUMNS)
    assert [label for label in labels("Causes") if label in ACCOUNT_COLUMNS] == list(ACCOUNT_COLUMNS[1:])
    assert [label for label in labels("Critical") if "bought" not in label] == list(COLUMNS.values())
    assert set(labels("Tails")) >= {"VaR", "ES", *(risk.label for risk in OTHERS)}


def test_every_cause_and_every_kind_of_statistic_is_named() -> None:
    shapley = next(entry for entry in MEASURED if entry.label == "Shapley value")
    kinds = ("mean", "median", "q90")

    assert [cause.name for cause in CAUSES if f"`{cause.name}`" not in shapley.definition] == []
    assert ", ".join(kinds) in labels("Comparisons")
    assert [parse_statistic(kind).text for kind in kinds] == list(kinds)


def test_sources_belong_to_metrics_that_exist() -> None:
    sources = yaml.safe_load(FILE.read_text(encoding="utf-8"))["sources"]
    told = {entry.key: entry.source for entries in reference().values() for entry in entries if entry.key}

    assert sources
    assert {key: source for key, source in told.items() if source} == sources


def test_a_word_keeps_to_what_speaks_of_it() -> None:
    result = CliRunner().invoke(seawall.app, ["metrics", "debtrank"])

    assert result.exit_code == 0
    assert "linear_debt_rank" in result.stdout
    assert "bad_debt_gross_usd" not in result.stdout


def test_a_word_that_nothing_speaks_of_and_a_part_of_the_page_are_refused() -> None:
    nothing = CliRunner().invoke(seawall.app, ["metrics", "unicorns"])
    part = CliRunner().invoke(seawall.app, ["metrics", "debt", "--markdown"])

    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert (part.exit_code, part.stdout) == (2, "")
