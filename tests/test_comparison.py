import math

import numpy as np
import pandas as pd
import pytest
from sweep_results import POLICIES, sweep_results

from analysis.comparisons.comparison import compare, compare_sweeps
from analysis.comparisons.difference import difference
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.paired import Pairs
from analysis.comparisons.statistic import parse_statistic
from sim.problems import ScenarioError

QUICK = {"resamples": 200}
DEBT = "bad_debt_gross_usd"


def row(frame: pd.DataFrame, metric: str, statistic: str, alternative: str) -> pd.Series:
    found = frame[
        (frame["metric"] == metric)
        & (frame["statistic"] == statistic)
        & (frame["alternative"] == alternative)
    ]
    return found.iloc[0]


def complaints(results, **choices) -> list[str]:
    with pytest.raises(ScenarioError) as refusal:
        compare(results, "policy", **choices)
    return [str(problem) for problem in refusal.value.problems]


@pytest.fixture(scope="module")
def whole():
    return compare(sweep_results(), "policy", **QUICK)


def test_a_row_holds_what_the_runs_say(whole) -> None:
    runs = sweep_results().runs.pivot(index="seed", columns="point", values="liquidated_usd")
    found = row(whole.frame, "liquidated_usd", "mean", "more_margin")
    by_hand = difference(
        Pairs.of(runs[[0]].to_numpy(), runs[[1]].to_numpy()), parse_statistic("mean"), Drawing(resamples=200)
    )

    assert found["baseline_estimate"] == pytest.approx(runs[0].mean())
    assert found["difference"] == pytest.approx((runs[1] - runs[0]).mean())
    assert (found["low"], found["high"]) == (by_hand.absolute.low, by_hand.absolute.high)
    assert found["relative"] == pytest.approx(runs[1].mean() / runs[0].mean() - 1)
    assert (found["seeds"], found["combinations"], found["horizon_seconds"]) == (64, 1, 172_800)
    assert found["verdict"] == "better"


def test_by_default_the_headline_metrics_that_exist_are_compared_by_four_statistics(whole) -> None:
    metrics = list(dict.fromkeys(whole.frame["metric"]))

    assert metrics[:2] == [DEBT, "liquidated_usd"]
    assert "vault_equity_end_usd" not in metrics
    assert "mark_drawdown_BTC" not in metrics
    assert set(whole.frame["statistic"]) == {"mean", "var95", "es95", "p(> 0)"}


def test_a_share_is_left_out_where_all_runs_are_on_one_side_unless_asked_for(whole) -> None:
    shares = whole.frame[whole.frame["statistic"] == "p(> 0)"]
    asked = compare(sweep_results(), "policy", metrics=["liquidated_usd"], statistics=["p(> 0)"], **QUICK)

    assert "liquidated_usd" not in set(shares["metric"])
    assert "uncovered_usd" in set(shares["metric"])
    assert asked.frame["baseline_estimate"].tolist() == [1.0, 1.0]


def test_the_tail_of_a_balance_is_its_low_end(whole) -> None:
    values = sweep_results().runs.query("point == 2")["insurance_fund_end_usd"]
    found = row(whole.frame, "insurance_fund_end_usd", "var95", "more_capital")

    assert found["alternative_estimate"] == pytest.approx(values.quantile(0.05))
    assert found["verdict"] == "better"


def test_policies_that_did_the_same_are_not_tested_and_hold_no_gaps(whole) -> None:
    same = whole.frame[whole.frame["metric"] == "socialised_loss_usd"]
    numbers = same.drop(columns=["share", "failure_low", "failure_high"]).select_dtypes("number")

    assert len(same) == 6
    assert not same["tested"].any()
    assert (same[["difference", "low", "high", "relative"]] == 0).all().all()
    assert (same[["p", "p_holm"]] == 1).all().all()
    assert np.isfinite(numbers).all().all()


def test_fewer_runs_below_a_loss_are_worse() -> None:
    texts = ["p(< 1.8e7)", "p(> 1.8e7)"]
    frame = compare(sweep_results(), "policy", metrics=["liquidated_usd"], statistics=texts, **QUICK).frame
    margin = frame[frame["alternative"] == "more_margin"]

    assert margin["worse"].tolist() == ["lower", "higher"]
    assert margin["verdict"].tolist() == ["better", "better"]
    assert margin["difference"].iloc[0] == pytest.approx(-margin["difference"].iloc[1])


def test_verdicts_hold_for_the_whole_family(whole) -> None:
    frame = whole.frame
    shown = frame["verdict"] != "no difference shown"

    assert whole.family == frame["tested"].sum() == 54
    assert (frame.loc[shown, "p_holm"] < 0.05).all()
    assert (frame.loc[~shown, "p_holm"] >= 0.05).all()
    assert frame.loc[frame["p"].idxmin(), "p_holm"] == pytest.approx(min(1.0, 54 * frame["p"].min()))
    assert (frame["p"] < 0.05).sum() > shown.sum()


def test_equal_results_give_equal_frames_and_another_seed_other_intervals() -> None:
    first, again, other = (
        compare(sweep_results(), "policy", metrics=[DEBT], seed=seed, **QUICK).frame for seed in (0, 0, 1)
    )

    pd.testing.assert_frame_equal(again, first)
    assert not other["low"].equals(first["low"])
    assert other["difference"].equals(first["difference"])


def test_pairs_with_a_failed_run_are_left_out_and_bound_the_difference() -> None:
    frame = compare(
        sweep_results(failed={(1, 5): "failed", (1, 9): "timeout"}), "policy", metrics=[DEBT], **QUICK
    ).frame
    hit, spared = (row(frame, DEBT, "mean", name) for name in ("more_margin", "more_capital"))

    assert (hit["seeds"], hit["seeds_asked"], spared["seeds"]) == (62, 64, 64)
    assert hit["failure_low"] < hit["failure_high"]
    assert math.isnan(spared["failure_low"])


def test_pairs_without_a_value_are_counted_apart_from_failures() -> None:
    results = sweep_results(failed={(1, 5): "failed"})
    comparison = compare(results, "policy", metrics=["time_to_adl_seconds"], statistics=["mean"], **QUICK)
    found = comparison.frame.iloc[0]
    both = (
        results.runs.pivot(index="seed", columns="point", values="time_to_adl_seconds")[[0, 1]]
        .notna()
        .all(axis=1)
    )

    assert found["seeds"] == both.sum()
    assert found["without_value"] == 63 - both.sum()
    assert found["verdict"] == "no difference shown"


def test_too_few_seeds_and_too_few_differing_seeds_are_warned_of() -> None:
    frame = compare(sweep_results(seeds=range(1, 41)), "policy", metrics=[DEBT], **QUICK).frame
    warnings = frame.set_index(["statistic", "alternative"])["warning"]

    assert warnings["es95", "more_margin"] == "40 seeds are too few for ES 95 %, which needs 60"
    assert warnings["mean", "more_margin"] == ""
    assert warnings["p(> 0)", "more_margin"] == "the policies differ in only 3 seeds"


def test_other_axes_are_averaged_over_with_seeds_as_the_unit() -> None:
    funds = {fund: {"protocol.insurance_fund": float(fund)} for fund in (0, 10**6, 4 * 10**6)}
    results = sweep_results({"policy": POLICIES, "protocol.insurance_fund": funds})
    frame = compare(results, "policy", metrics=[DEBT], statistics=["mean", "es95"], **QUICK).frame
    found = row(frame, DEBT, "es95", "more_margin")
    cells = results.runs.query("policy == 'as_it_was'").groupby("protocol.insurance_fund")[DEBT]

    assert (found["seeds"], found["combinations"]) == (64, 3)
    assert found["baseline_estimate"] == pytest.approx(
        np.mean([(ranked.iloc[:3].sum() + 0.2 * ranked.iloc[3]) / 3.2 for ranked in (
            values.sort_values(ascending=False) for _, values in cells)])
    )  # fmt: skip


def test_two_sweeps_are_compared_over_their_common_points() -> None:
    before = sweep_results({"policy": {"as_it_was": {}}}, name="before")
    after = sweep_results({"policy": {"as_it_was": {}}}, lambda labels: 0.35, name="after")
    comparison = compare_sweeps(before, after, metrics=["liquidated_usd"], **QUICK)

    assert (comparison.baseline, comparison.alternatives) == ("before", ["after"])
    assert comparison.frame["verdict"].tolist() == ["better"] * 3


def test_every_mistake_in_a_question_is_named_at_once() -> None:
    lines = complaints(
        sweep_results(),
        metrics=["bad_debt_gros_usd"],
        statistics=["avg"],
        gates=["foo"],
        level=2.0,
        resamples=3,
    )

    assert [line.partition(" ")[0] for line in lines] == ["metric", "statistic", "gate", "0.5", "resamples"]
    assert "did you mean bad_debt_gross_usd?" in lines[0]


def test_policies_without_a_common_finished_run_are_refused() -> None:
    failed = {(1, seed): "failed" for seed in range(1, 64)}

    assert complaints(sweep_results(failed=failed)) == [
        "runs/policies  at least two seeds must have a finished run of both as_it_was and more_margin, got 1"
    ]


def test_a_metric_that_was_asked_for_must_have_values() -> None:
    results = sweep_results()
    results.runs["time_to_adl_seconds"] = np.nan

    assert complaints(results, metrics=["time_to_adl_seconds"]) == [
        "metric 'time_to_adl_seconds'  a metric must have a value in two pairs of runs at least"
    ]


def test_level_and_gates_of_the_sweep_hold_unless_others_are_given() -> None:
    results = sweep_results(level=0.8, gates=["mean(liquidated_usd) <= 1e9"])
    own, given = (
        compare(results, "policy", metrics=[DEBT], **QUICK, **choice) for choice in ({}, {"gates": []})
    )

    assert own.drawing.level == 0.8
    assert own.gates["outcome"].tolist() == ["pass", "pass"]
    assert given.gates.empty


def test_under_the_null_a_whole_comparison_seldom_raises_an_alarm() -> None:
    """Forty families of equal policies, 2 expected to raise an alarm; more than seven once in 1,000 draws."""
    same = {"one": {}, "two": {}}
    alarms = 0
    for first in range(0, 4000, 100):
        results = sweep_results({"policy": same}, seeds=range(first, first + 40))
        frame = compare(
            results, "policy", metrics=[DEBT, "liquidated_usd"], statistics=["mean", "p(> 0)"], **QUICK
        ).frame
        alarms += int((frame["verdict"] != "no difference shown").any())

    assert alarms <= 7
