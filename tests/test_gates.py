import math

import pytest
from sweep_results import sweep_results

from analysis.comparisons.contrasts import contrasts_within
from analysis.comparisons.gates import gate_frame, parse_gates
from analysis.comparisons.intervals import Drawing, Estimate

DRAWING = Drawing(resamples=400, swaps=999)
METRICS = sweep_results(seeds=[1, 2]).manifest["metrics"]


def gate(text: str):
    gates, problems = parse_gates([text], METRICS)
    assert problems == []
    return gates[0]


def judged(*texts: str, **results):
    contrasts = contrasts_within(sweep_results(**results), "policy")
    return gate_frame([gate(text) for text in texts], contrasts, DRAWING)


def test_a_gate_is_read_from_its_text() -> None:
    change = gate("change of  mean(liquidated_usd)<=5%")
    share = gate("p(uncovered_usd > 0) < 20 %")

    assert (change.change, change.relative, change.relation, change.limit) == (True, True, "<=", 0.05)
    assert (share.change, share.relative, share.relation, share.limit) == (False, False, "<", 0.2)
    assert gate("change of es95(bad_debt_gross_usd) >= -1e5").limit == -100_000
    assert gate("q10(insurance_fund_end_usd) > 1000").measure.text == "q10(insurance_fund_end_usd)"


def test_all_gates_that_cannot_be_read_are_named_at_once() -> None:
    texts = [
        "mean(liquidated_usd)",
        "mean(liquidatd_usd) < 1",
        "es95(liquidated_usd) <= 5%",
        "avg(liquidated_usd) < 1",
    ]
    gates, problems = parse_gates([*texts, "mean(liquidated_usd) < 1"], METRICS)

    assert len(gates) == 1
    assert [str(problem).partition("  ")[0] for problem in problems] == [f"gate {text!r}" for text in texts]
    assert "a gate is written as" in str(problems[0])
    assert "did you mean liquidated_usd" in str(problems[1])
    assert "a percentage is a limit of a share, or of a change" in str(problems[2])
    assert "a statistic is written as" in str(problems[3])


@pytest.mark.parametrize(
    ("text", "low", "high", "outcome"),
    [
        ("mean(liquidated_usd) <= 5", 3, 5, "pass"),
        ("mean(liquidated_usd) < 5", 3, 5, "not shown"),
        ("mean(liquidated_usd) <= 5", 4, 6, "not shown"),
        ("mean(liquidated_usd) <= 5", 5.1, 6, "fail"),
        ("mean(liquidated_usd) >= 5", 5, math.inf, "pass"),
        ("mean(liquidated_usd) > 5", 1, 5, "fail"),
    ],
)
def test_a_gate_is_passed_by_the_whole_interval_and_failed_by_all_of_it(text, low, high, outcome) -> None:
    assert gate(text).outcome(Estimate(4.5, low, high)) == outcome


def test_zero_does_not_count_where_it_is_outside() -> None:
    below = Estimate(-2.0, -3.0, 1.0).settled(True)

    assert gate("change of mean(liquidated_usd) < 0").outcome(below) == "pass"
    assert gate("change of mean(liquidated_usd) >= 0").outcome(below) == "fail"
    assert gate("change of mean(liquidated_usd) < 0").outcome(Estimate(-2.0, -3.0, 0.0)) == "not shown"


def test_every_alternative_is_judged_against_the_baseline() -> None:
    frame = judged(
        "change of mean(liquidated_usd) <= -20%", "mean(liquidated_usd) <= 1e9", "mean(liquidated_usd) < 1"
    )

    assert frame["alternative"].tolist() == ["more_margin", "more_capital"] * 3
    assert frame["outcome"].tolist() == ["pass", "fail", "pass", "pass", "fail", "fail"]
    assert frame["estimate"].iloc[0] == pytest.approx(math.sqrt(0.35) - 1, abs=0.02)
    assert frame["unit"].tolist() == ["1", "1", "USD", "USD", "USD", "USD"]
    assert (frame["reason"] == "").all()


def test_a_tail_from_too_few_seeds_shows_nothing() -> None:
    frame = judged("es95(liquidated_usd) <= 1e12", "mean(liquidated_usd) <= 1e12", seeds=range(1, 41))

    assert frame["outcome"].tolist() == ["not shown", "not shown", "pass", "pass"]
    assert frame["reason"].iloc[0] == "40 seeds are too few, at least 60 are needed"


def test_a_gate_that_the_failed_runs_could_turn_around_is_not_shown() -> None:
    texts = ("p(uncovered_usd > 0) <= 20%", "change of mean(liquidated_usd) <= -20%")
    whole, holed = judged(*texts), judged(*texts, failed={(1, seed): "failed" for seed in range(1, 15)})

    assert whole["outcome"].tolist()[::2] == ["pass", "pass"]
    assert holed["outcome"].tolist()[::2] == ["not shown", "not shown"]
    assert holed["reason"].iloc[0] == "the failed runs could turn it around"


def test_there_is_no_relative_change_of_a_baseline_that_is_zero() -> None:
    frame = judged("change of var95(insurance_fund_end_usd) >= 5%")

    assert frame["outcome"].tolist() == ["not shown", "not shown"]
    assert "the baseline is zero" in frame["reason"].iloc[0]
