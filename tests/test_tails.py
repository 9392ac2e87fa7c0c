"""Tails of a sweep: risks agree with the count by hand, warn where seeds are few, count no survivors."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats
from sweep_results import sweep_results
from typer.testing import CliRunner

import seawall
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.statistic import parse_statistic
from analysis.tail_tables import tails, tails_answer, tails_tables, write_tails
from analysis.tails import estimate, extremes_table, losses_of, risks_of, tail_table, wilson
from sim.problems import ScenarioError
from sim.streams import stream
from sim.sweeps.results import SweepResults

QUICK = Drawing(resamples=500, swaps=500)


def by_hand(debts: list[float], opening: float = 1000.0) -> SweepResults:
    """One point whose runs end with these bad debts, of which a fund of 10 pays first."""
    results = sweep_results({"policy": {"only": {}}}, seeds=range(1, len(debts) + 1))
    debt = np.array(debts, dtype=float)
    runs = results.runs.assign(bad_debt_gross_usd=debt, bad_debt_after_fund_usd=np.maximum(debt - 10, 0))
    runs = runs.assign(bad_debt_share=debt / opening, liquidated_usd=10 * debt)
    entry = dict(results.manifest["metrics"]["bad_debt_gross_usd"])
    more = {"bad_debt_after_fund_usd": entry, "bad_debt_share": entry | {"unit": "1"}}
    manifest = {**results.manifest, "metrics": {**results.manifest["metrics"], **more}}
    return SweepResults("made-up", manifest, results.points, runs)


def values(results: SweepResults, **options) -> pd.DataFrame:
    return tail_table(results, drawing=QUICK, **options).set_index("risk")


def test_the_risks_of_ten_runs_agree_with_the_count_by_hand() -> None:
    """Bad debts 0, 0, 0, 0, 0, 0, 5, 10, 20, 40: four runs need the fund, two exhaust it and pass 1 %."""
    found = values(by_hand([0, 40, 0, 0, 5, 0, 10, 0, 20, 0]), levels=(0.8,))["value"]

    assert found["var80"] == pytest.approx(10 + 0.2 * 10)
    assert found["es80"] == pytest.approx((20 + 40) / 2)
    assert found["fund_need"] == 0.4
    assert found["fund_short"] == 0.2
    assert found["insolvency"] == 0.2
    assert found["lar95"] == pytest.approx(10 * np.quantile([0, 0, 0, 0, 0, 0, 5, 10, 20, 40], 0.95))


def test_a_share_of_exactly_one_per_cent_is_not_insolvent() -> None:
    assert values(by_hand([10.0] * 4))["value"]["insolvency"] == 0
    assert values(by_hand([10.01] * 4))["value"]["insolvency"] == 1


def test_probabilities_have_wilsons_interval() -> None:
    """Three of ten: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)."""
    z = stats.norm.ppf(0.975)
    half = z * np.sqrt(0.3 * 0.7 / 10 + z**2 / 400) / (1 + z**2 / 10)
    middle = (0.3 + z**2 / 20) / (1 + z**2 / 10)
    found = wilson(3, 10)

    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))
    assert wilson(0, 32).low == 0
    assert wilson(0, 32).high > 0.1


def test_intervals_of_a_known_shortfall_hold_it_and_those_of_a_worse_one_do_not() -> None:
    """Exponential losses of mean 1: ES 90 % is 1 + ln 10."""
    losses = stream(5, "losses").exponential(size=400)
    found = estimate(losses, parse_statistic("es90").towards("higher"), QUICK)

    assert found.low <= 1 + np.log(10) <= found.high
    assert not found.low <= 2 * (1 + np.log(10)) <= found.high


def test_few_seeds_are_warned_of_and_the_worst_run_alone_has_no_interval() -> None:
    few, many = values(sweep_results(seeds=range(1, 41))), values(sweep_results(seeds=range(1, 65)))

    assert (few.loc[["var95", "es95"], "warning"] == "40 seeds of the 60 that it takes").all()
    assert (many.loc[["var95", "es95"], "warning"] == "").all()
    assert (many.loc["es99", "warning"] == "64 seeds of the 300 that it takes").all()
    assert few.loc["es99", "low"].isna().all()
    assert few.loc["es95", "low"].notna().all()


def test_failed_runs_do_not_count_and_a_point_with_one_run_has_no_estimate() -> None:
    failed = {(0, seed): "failed" for seed in range(2, 41)} | {(1, 1): "lost"}
    table = tail_table(sweep_results(seeds=range(1, 41), failed=failed), drawing=QUICK)
    seeds = table[table["risk"] == "es95"].set_index("name")["seeds"]

    assert seeds.to_dict() == {"as_it_was": 1, "more_margin": 39, "more_capital": 40}
    assert table.loc[table["name"] == "as_it_was", "value"].isna().all()


def test_a_metric_that_is_worse_when_low_is_looked_at_on_its_low_side() -> None:
    results = sweep_results()
    found = values(results, metric="pnl_retail_usd")
    profit = results.runs.query("point == 0")["pnl_retail_usd"]

    assert found["value"]["var95"].iloc[0] == pytest.approx(profit.quantile(0.05))
    fitted = extremes_table(results, "pnl_retail_usd", drawing=QUICK)
    assert fitted["var95_runs"].iloc[0] == pytest.approx(-profit.quantile(0.05))


def test_older_sweeps_yield_the_share_of_bad_debt_from_what_was_liquidated() -> None:
    """Opening interest 1000 in a market: 250 liquidated are a quarter of it, and nothing tells nothing."""
    results = by_hand([0, 30, 5, 0])
    runs = results.runs.drop(columns="bad_debt_share")
    runs = runs.assign(
        liquidated_usd_BTC=[250.0, 500.0, 0.0, 0.0], liquidated_share_BTC=[0.25, 0.5, 0.0, 0.0]
    )
    alone = SweepResults("made-up", {**results.manifest, "markets": ["BTC"]}, results.points, runs)

    assert losses_of(runs, "bad_debt_share", alone).tolist() == [0, 0.03, 0.005, 0]


def test_where_the_opening_interest_is_unknown_survivors_are_not_counted_alone() -> None:
    results = by_hand([0, 30, 5, 0])
    runs = results.runs.drop(columns="bad_debt_share")
    unknown = SweepResults("made-up", results.manifest, results.points, runs)
    harmless = SweepResults("made-up", results.manifest, results.points, runs.assign(bad_debt_gross_usd=0.0))

    assert len(losses_of(runs, "bad_debt_share", unknown)) == 0
    assert np.isnan(values(unknown)["value"]["insolvency"])
    assert values(harmless)["value"]["insolvency"] == 0


def test_what_the_sweep_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(ScenarioError, match=r"bad_debt_gros.*did you mean bad_debt_gross_usd") as error:
        risks_of(sweep_results(), "bad_debt_gros", (0.3,))

    assert "50 < level < 100 must hold, got 30" in str(error.value)


def test_points_of_several_axes_are_named_by_all_of_them() -> None:
    axes = {"policy": {"a": {}, "b": {}}, "protocol.fund": {1: {}, 2: {}}}
    table = tail_table(sweep_results(axes, seeds=range(1, 5)), drawing=QUICK)

    assert set(table["name"]) == {f"policy={p}, fund={f}" for p in "ab" for f in (1, 2)}


@pytest.fixture(scope="module")
def found():
    return tails(sweep_results(seeds=range(1, 201)), against="mark_drawdown_BTC", drawing=QUICK)


def test_the_tables_and_sentences_say_what_was_found(found) -> None:
    console = Console(file=io.StringIO(), width=170)
    console.print(*tails_tables(found))
    text = console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ")
    told = "\n".join(tails_answer(found)).replace("\N{NO-BREAK SPACE}", " ")

    for word in ("VaR 95 %", "default-fund need", "fitted tail", "shape", "of the runs", "frontier"):
        assert word in text
    for word in (
        "ES 95 %, bad debt, gross: $",
        "at more_margin to",
        "Too few seeds",
        "VaR 99 %",
        "fits (p =",
    ):
        assert word in told


def test_a_sweep_without_a_metric_of_efficiency_has_no_frontier_and_says_so() -> None:
    plain = tails(sweep_results(seeds=range(1, 41)), drawing=QUICK)

    assert plain.frontier is None
    assert tails_answer(plain)[-1].startswith("No frontier")
    assert "tail is too short to fit" in "\n".join(tails_answer(plain))


def test_everything_is_written(found, tmp_path) -> None:
    write_tails(found, tmp_path / "out")

    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "tails.csv", "extremes.csv", "frontier.csv", "frontier.png", "frontier.svg"
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "out" / "tails.csv")) == len(found.risks)


def test_the_command_refuses_what_is_no_sweep(tmp_path) -> None:
    result = CliRunner().invoke(seawall.app, ["tails", str(tmp_path)])

    assert result.exit_code == 2
    assert "a sweep must hold" in result.stderr


def test_the_command_prints_and_writes(tmp_path, monkeypatch) -> None:
    made = sweep_results(seeds=range(1, 33))
    monkeypatch.setattr("sim.sweeps.results.load_sweep", lambda _: made)
    out = tmp_path / "out"
    options = ["--level", "0.9", "--against", "mark_drawdown_BTC", "--better", "lower", "--out", str(out)]
    result = CliRunner().invoke(seawall.app, ["tails", "made-up", *options])

    assert result.exit_code == 0, result.output
    assert "on the frontier of mean of worst drawdown, mark, BTC and ES" in result.stdout
    assert (out / "frontier.png").is_file()
