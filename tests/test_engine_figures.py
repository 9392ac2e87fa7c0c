"""What a report shows of a risk engine."""

from pathlib import Path

import numpy as np
import pytest
from test_risk_engine import FREE, NEWS, watched

from analysis.cascade_figures import CASCADE_FIGURES
from analysis.engine_figures import ENGINE_FIGURES, GROUPS, breached, breaches, decided, engine_words
from analysis.fairness_figures import FAIRNESS_FIGURES
from analysis.figures import FIGURES, draw
from analysis.margin_words import margin_words
from analysis.procyclicality import procyclicality
from analysis.report import write_report
from analysis.tables import Run, load_run
from sim.store import write_run

STALL = "shocks=[{at: 30m, kind: oracle_stall, duration: 60m}]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("engine") / "run"
    write_run(watched(NEWS, FREE, STALL, "risk_engine.safety.stale=10m"), folder)
    return load_run(folder)


def test_figures_of_an_engine_are_drawn_only_where_one_has_decided(run: Run, tmp_path: Path) -> None:
    write_run(watched("risk_engine.model=none"), tmp_path / "run")
    without = load_run(tmp_path / "run")

    fair = {*CASCADE_FIGURES, *FAIRNESS_FIGURES}
    drawn, plain = ([name for name in draw(each) if name not in fair] for each in (run, without))
    assert drawn == [*FIGURES, *ENGINE_FIGURES, "timeline", "parameter_history"]
    assert plain == list(FIGURES)


def test_the_page_tells_what_became_of_the_targets(run: Run) -> None:
    page = write_report(run.folder).read_text(encoding="utf-8")
    decisions = run.more["decisions"]
    stale = int((decisions["reason"] == "stale oracle").sum())

    assert "What the risk engine decided" in page
    assert f"The engine (hmm) took {len(decisions)} decisions" in page
    assert stale > 0
    assert "stale oracle" in page
    assert "How far margins rose" in page
    table = margin_words(run).tables[0]
    known = procyclicality(run, "maintenance_margin")[0]
    row = next(row for row in table.rows if row[0] == "BTC, maintenance")
    assert row[1] == f"{known.peak_to_trough:.2f}" != "1.00"
    told = engine_words(run).tables[0].rows
    assert sum(int(number) for *_, number in told) == len(decisions)


def test_a_breach_is_a_move_beyond_the_margin_within_the_horizon(run: Run) -> None:
    rows = run.market("BTC")
    found = breached(run, "BTC")
    price, margin = rows["oracle"].to_numpy(), rows["maintenance_margin"].to_numpy()
    expected = [
        block + 10 < len(rows) and abs(np.log(price[block + 10] / price[block])) > margin[block]
        for block in range(len(rows))
    ]

    assert found.tolist() == expected
    assert breaches(run)["BTC"] == pytest.approx(np.mean(expected))


def test_the_groups_of_the_attribution_hold_every_part_once_and_add_up(run: Run) -> None:
    rows = decided(run, "BTC", "maintenance")
    parts = [part for group in GROUPS.values() for part in group]

    assert len(set(parts)) == len(parts)
    assert rows[parts].sum(axis=1).to_numpy() == pytest.approx(rows["after"].to_numpy())
    assert (rows["safety"] > 0).any()


def test_without_regimes_beliefs_are_volatilities(tmp_path: Path) -> None:
    write_run(watched(NEWS, "risk_engine.model=ewma"), tmp_path / "run")
    title = draw(load_run(tmp_path / "run"))["beliefs"].to_dict()["title"]["text"]

    assert "expected a volatility between" in " ".join(title)
