"""Cascades in a report: every dollar stands in a bar, every line leads forward, words are those of tables."""

from pathlib import Path

import pandas as pd
import pytest
from run_folder import write_run_folder
from small import calm, crash

from analysis.cascade_figures import CASCADE_FIGURES, generations, pushed
from analysis.cascade_words import SHOWN, cascade_words
from analysis.cascades import anatomy
from analysis.figures import draw
from analysis.report import write_report
from analysis.tables import Run, load_run
from sim.run import run
from sim.store import write_run


@pytest.fixture(scope="module")
def crashed(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "crash"
    write_run(run(crash("agents.retail.accounts=300", "clock.duration=90m"), 7), folder)
    return load_run(folder)


def rows(figure) -> list[pd.DataFrame]:
    """Data behind a figure, one table for each of its parts."""
    tables = []
    for text in figure.to_dict()["datasets"].values():
        head, *lines = text.splitlines()
        tables.append(pd.DataFrame([line.split(",") for line in lines], columns=head.split(",")))
    return tables


def test_bars_hold_what_was_liquidated_by_its_cause(crashed: Run) -> None:
    failures = anatomy(crashed).failures
    bars = next(table for table in rows(pushed(crashed)) if "base" in table)
    sums = bars["value"].astype(float).groupby(bars["line"]).sum()
    known = failures.groupby("endogenous")["liquidated_usd"].sum()

    assert sums["by the world"] == pytest.approx(known[False], rel=1e-4)
    assert sums["by liquidations"] == pytest.approx(known[True], rel=1e-4)
    assert known[True] > 0


def test_lines_lead_forward_from_a_cause_to_what_it_pushed(crashed: Run) -> None:
    tables = rows(generations(crashed))
    dots = next(table for table in tables if "who" in table)
    links = next(table for table in tables if "who" not in table).astype(float)
    shown = anatomy(crashed).failures.nlargest(400, "liquidated_usd")
    kept = shown["cause"].isin(shown.index)

    assert len(dots) == len(shown)
    assert len(links) == kept.sum() > 0
    assert (links["end"] >= links["time"]).all()
    assert ((dots["value"].astype(float) > 0) == (dots["line"] == "by liquidations")).all()


def test_the_report_tells_cascades(crashed: Run) -> None:
    page = write_report(crashed.folder).read_text(encoding="utf-8")
    words = cascade_words(crashed)

    cascades, accounts = words.tables
    assert words.text in page
    assert 0 < len(cascades.rows) <= SHOWN
    assert all(row[0] in page for row in cascades.rows)
    assert len(accounts.rows) == 5
    assert {file.name for file in (crashed.folder / "figures").iterdir()} >= {"pushed.svg", "generations.png"}


def test_where_nobody_fell_nothing_is_drawn(tmp_path: Path) -> None:
    write_run(run(calm("agents.retail.accounts=50", "clock.duration=10m"), 1), tmp_path / "calm")
    quiet = load_run(tmp_path / "calm")

    assert quiet.more["failures"].empty
    assert not set(CASCADE_FIGURES) & set(draw(quiet))
    assert "Who pushed whom" not in write_report(quiet.folder).read_text(encoding="utf-8")


def test_runs_recorded_before_there_was_a_table_of_failures_are_still_drawn(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "old")
    (folder / "failures.parquet").unlink()
    old = load_run(folder)

    assert "failures" not in old.more
    assert not set(CASCADE_FIGURES) & set(draw(old))
