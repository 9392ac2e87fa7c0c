"""What a report shows of governance."""

from pathlib import Path

import pytest
from test_governing import BOUNDED, ENGINE, FREE, QUICK_VOTE, TIGHTER, agenda, governed

from analysis.cascade_figures import CASCADE_FIGURES
from analysis.fairness_figures import FAIRNESS_FIGURES
from analysis.figures import FIGURES, draw
from analysis.governance_figures import GOVERNANCE_FIGURES, LANES
from analysis.governance_words import became, governance_words, outcomes
from analysis.report import write_report
from analysis.tables import Run, load_run
from analysis.vote_figures import _half
from sim.store import write_run

PAUSE = "{at: 20m, pause: [withdrawals], length: 10m}"
GUARD = "governance.guardian={vetoes: true, pauses: [withdrawals]}"


def stored(folder: Path, *overrides: str) -> Run:
    write_run(governed(*overrides), folder)
    return load_run(folder)


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A vote that passes, one that comes too late, and a pause."""
    items = (TIGHTER.replace("60m", "10m"), "{at: 100m, set: {taker_fee: 0.001}}", PAUSE)
    return stored(tmp_path_factory.mktemp("voted") / "run", *QUICK_VOTE, GUARD, agenda(*items))


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An engine behind a steward."""
    folder = tmp_path_factory.mktemp("steered") / "run"
    return stored(folder, *ENGINE, FREE, "governance.route=steward", BOUNDED)


def test_figures_of_governance_come_only_where_something_was_proposed(voted: Run, tmp_path: Path) -> None:
    fair, runs = {*CASCADE_FIGURES, *FAIRNESS_FIGURES}, (voted, stored(tmp_path / "run"))
    drawn, plain = ([name for name in draw(each) if name not in fair] for each in runs)
    assert drawn == [*FIGURES, *GOVERNANCE_FIGURES]
    assert plain == list(FIGURES)


def test_a_few_proposals_have_a_lane_each_and_many_a_strip_for_each_end(voted: Run, steered: Run) -> None:
    few, many = (draw(run)["timeline"].to_json() for run in (voted, steered))

    assert len(voted.more["proposals"]) <= LANES < len(steered.more["proposals"])
    assert "maintenance margin BTC" not in few  # it has a title
    assert "0 · tighter" in few
    assert "triangle-down" in few
    assert "superseded" not in few
    assert '"type": "tick"' in many


def test_the_page_tells_what_became_of_proposals(voted: Run) -> None:
    page = write_report(voted.folder).read_text(encoding="utf-8")
    told = governance_words(voted)

    assert "How the rules changed" in page
    assert "pause of withdrawals" in page
    rows = told.tables[0].rows
    assert [row[4] for row in rows] == ["executed", "active"]
    assert rows[0][3].startswith("maintenance_margin BTC 0.012 → 0.0125")
    assert "2 proposals: 1 executed and 1 open" in outcomes(voted)


def test_the_history_of_a_parameter_ends_with_what_is_in_force(steered: Run) -> None:
    text = draw(steered)["parameter_history"].to_json()
    last = steered.parameters.query("parameter == 'maintenance_margin' and market == 'BTC'")["new"].iloc[-1]

    assert f"{last:.6g}" in text
    assert "initial margin" in text


def test_votes_are_counted_to_the_half(voted: Run) -> None:
    votes = voted.more["votes"]
    weights = votes[votes["proposal"] == 0]["weight"].sort_values(ascending=False)
    half = _half(weights)

    assert weights.iloc[:half].sum() >= weights.sum() / 2
    assert weights.iloc[: half - 1].sum() < weights.sum() / 2


def test_the_graph_shows_the_most_powerful_and_their_followers(voted: Run) -> None:
    nodes, edges = voted.more["electorate"], voted.more["delegation"]

    assert nodes["power"].is_monotonic_decreasing
    assert set(edges["delegate"]) <= set(nodes["holder"])
    whole = edges.groupby("delegate")["tokens"].sum()
    power = nodes.set_index("holder")["power"]
    assert (whole <= power[whole.index] + 1e-6).all()


def test_what_is_not_at_its_end_is_open(voted: Run) -> None:
    assert became(voted.more["proposals"]).tolist() == ["executed", "open"]
