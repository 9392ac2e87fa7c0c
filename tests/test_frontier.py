"""The frontier: planted domination is found, equal points are left alone, a tie is equal in every run."""

import numpy as np
import pandas as pd
import pytest

from analysis.comparisons.intervals import Drawing
from analysis.frontier import BEHIND, DOMINATED, FRONTIER, frontier_answer, frontier_table
from analysis.frontier_figure import MOST, frontier_figure, frontier_plates, write_frontier
from sim.problems import ScenarioError
from sim.streams import stream
from sim.sweeps.results import SweepResults

LOSS, GAIN = "bad_debt_gross_usd", "system_leverage"
QUICK = Drawing(resamples=500, swaps=2000)
METRICS = {
    LOSS: {"unit": "USD", "label": "Bad debt, gross", "worse": "higher", "subject": ""},
    GAIN: {"unit": "x", "label": "System leverage", "worse": "", "subject": ""},
}


def sweep(points: dict[str, tuple[float, float]], seeds: int = 100, noise: float = 0.05) -> SweepResults:
    """Points of a name, a factor on the same heavy-tailed losses, and a leverage."""
    luck = stream(7, "luck").exponential(size=seeds) ** 1.5 * 1e6
    frames = []
    for number, (name, (factor, leverage)) in enumerate(points.items()):
        own = stream(7, "noise", number).standard_normal((2, seeds))
        losses = luck * factor * np.exp(noise * own[0])
        gains = leverage + 0.1 * noise * own[1]
        head = {"point": number, "policy": name, "seed": range(seeds), "status": "done"}
        frames.append(pd.DataFrame({**head, LOSS: losses, GAIN: gains}))
    named = pd.DataFrame({"point": range(len(points)), "policy": list(points)})
    manifest = {"metrics": METRICS, "axes": ["policy"], "markets": ["BTC"], "name": "planted"}
    return SweepResults("planted", manifest, named, pd.concat(frames, ignore_index=True))


def judged(results: SweepResults, **options) -> pd.DataFrame:
    return frontier_table(results, drawing=QUICK, **options).points.set_index("name")


def test_a_point_that_is_worse_on_both_axes_is_dominated_and_by_whom_is_said() -> None:
    table = judged(sweep({"safe": (0.5, 3.0), "bold": (1.0, 5.0), "bad": (1.5, 2.0)}))

    assert table["status"].to_dict() == {"safe": FRONTIER, "bold": FRONTIER, "bad": DOMINATED}
    assert table["by"]["bad"] in ("safe", "bold")
    assert table["p"]["bad"] < 0.05
    assert np.isnan(table["p"]["safe"])


def test_points_that_differ_by_luck_alone_are_seldom_shown_to_be_dominated() -> None:
    """Six equal points under much noise; a false alarm in the family has a chance of 1 in 20."""
    table = judged(sweep({f"p{i}": (1.0, 3.0) for i in range(6)}, noise=0.5))

    assert DOMINATED not in set(table["status"])
    assert FRONTIER in set(table["status"])
    assert BEHIND in set(table["status"])


def test_a_better_tail_does_not_dominate_where_leverage_is_given_up() -> None:
    table = judged(sweep({"safe": (0.2, 2.0), "bold": (1.0, 6.0)}))

    assert (table["status"] == FRONTIER).all()


def test_a_point_equal_in_every_run_on_one_axis_is_dominated_by_the_other_axis_alone() -> None:
    results = sweep({"more": (0.5, 3.0), "less": (1.0, 3.0)}, noise=0.02)
    runs = results.runs.assign(**{GAIN: np.tile(results.runs[GAIN][:100], 2)})
    table = judged(SweepResults("tied", results.manifest, results.points, runs))

    assert table["status"].to_dict() == {"more": FRONTIER, "less": DOMINATED}


def test_twins_do_not_dominate_each_other() -> None:
    results = sweep({"one": (1.0, 3.0), "two": (1.0, 3.0)})
    runs = results.runs.assign(**{name: np.tile(results.runs[name][:100], 2) for name in (LOSS, GAIN)})
    table = frontier_table(SweepResults("twins", results.manifest, results.points, runs), drawing=QUICK)

    assert (table.points["status"] == FRONTIER).all()
    assert table.pairs == 0


def test_which_way_is_better_can_be_said() -> None:
    results = sweep({"one": (0.5, 2.0), "two": (1.0, 4.0)})

    assert judged(results)["status"]["two"] == FRONTIER
    assert judged(results, better="lower")["status"]["two"] == DOMINATED


def test_a_probability_may_be_the_risk() -> None:
    found = frontier_table(sweep({"one": (0.2, 4.0), "two": (2.0, 2.0)}), f"p({LOSS} > 1e6)", drawing=QUICK)

    assert found.points["status"].tolist() == [FRONTIER, DOMINATED]
    assert found.risk.told(0.5).startswith("50")


def test_what_is_missing_is_refused_by_name() -> None:
    results = sweep({"one": (1.0, 1.0), "two": (1.0, 1.0)})

    with pytest.raises(ScenarioError, match=r"system_leverag.*did you mean system_leverage"):
        frontier_table(results, against="system_leverag")
    with pytest.raises(ScenarioError, match="no such metric 'bad_debt'"):
        frontier_table(results, "es95(bad_debt)")
    with pytest.raises(ScenarioError, match="two points must have runs"):
        frontier_table(SweepResults("one", results.manifest, results.points[:1], results.runs))


def test_the_sentences_name_the_frontier_and_what_it_dominates() -> None:
    told = frontier_answer(
        frontier_table(sweep({"safe": (0.5, 3.0), "bold": (1.0, 5.0), "bad": (1.5, 2.0)}), drawing=QUICK)
    )

    assert told[0].startswith("2 of 3 points on the frontier of mean of system leverage and ES")
    assert "bold (5.00×, $" in told[0]
    assert told[1].startswith("Dominated: bad by ")


def test_the_figure_shows_every_point_with_both_intervals(tmp_path) -> None:
    found = frontier_table(sweep({"safe": (0.5, 3.0), "bold": (1.0, 5.0), "bad": (1.5, 2.0)}), drawing=QUICK)
    text = frontier_figure(found).to_json()
    write_frontier(found, tmp_path)

    for word in ("safe", "bold", "bad", "risk_low", "gain_high", "1 shown to be dominated", "to the right"):
        assert word in text
    assert {path.name for path in tmp_path.iterdir()} == {"frontier.csv", "frontier.png", "frontier.svg"}


def test_a_sweeps_report_gets_the_frontier_where_there_is_one() -> None:
    two = sweep({"safe": (0.5, 3.0), "bold": (1.0, 5.0)}, seeds=30)
    figure, told = frontier_plates(two)["frontier"]

    assert figure.to_dict()["title"]
    assert told.startswith("2 of 2 points on the frontier")
    assert frontier_plates(sweep({"alone": (1.0, 3.0)}, seeds=10)) == {}
    assert frontier_plates(sweep({f"p{i}": (1.0, 3.0) for i in range(MOST + 1)}, seeds=3)) == {}
    manifest = {**two.manifest, "metrics": {LOSS: METRICS[LOSS]}}
    assert frontier_plates(SweepResults(two.place, manifest, two.points, two.runs.drop(columns=GAIN))) == {}
