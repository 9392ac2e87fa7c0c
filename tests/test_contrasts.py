import numpy as np
import pytest
from sweep_results import POLICIES, sweep_results

from analysis.comparisons.contrasts import contrasts_across, contrasts_within, left_out
from analysis.comparisons.failures import extreme_values, failure_bounds, failure_frame, failure_sentences
from analysis.comparisons.policy_changes import policy_changes
from analysis.comparisons.statistic import parse_statistic
from sim.problems import ScenarioError

FUNDS = {0: {"protocol.insurance_fund": 0.0}, 5_000_000: {"protocol.insurance_fund": 5e6}}
GRID = {"policy": POLICIES, "protocol.insurance_fund": FUNDS}
FAILED = {(1, 5): "failed", (1, 9): "timeout"}
MEAN = parse_statistic("mean")


def complaints(results, by="policy", **choices) -> list[str]:
    with pytest.raises(ScenarioError) as refusal:
        contrasts_within(results, by, **choices)
    return [str(problem) for problem in refusal.value.problems]


def test_the_first_label_is_the_baseline_unless_the_sweep_or_the_user_names_another() -> None:
    named = sweep_results(baseline={"policy": "more_margin"})

    assert contrasts_within(sweep_results(), "policy")[0].baseline.name == "as_it_was"
    assert contrasts_within(named, "policy")[0].baseline.name == "more_margin"
    assert contrasts_within(named, "policy", "more_capital")[0].baseline.name == "more_capital"
    assert [each.alternative.name for each in contrasts_within(named, "policy")] == [
        "as_it_was",
        "more_capital",
    ]


def test_points_are_paired_by_the_labels_of_the_other_axes() -> None:
    contrast = contrasts_within(sweep_results(GRID), "policy")[0]

    assert contrast.combinations == (
        (("protocol.insurance_fund", 0),),
        (("protocol.insurance_fund", 5_000_000),),
    )
    assert [contrast.baseline.points[each] for each in contrast.combinations] == [0, 1]
    assert [contrast.alternative.points[each] for each in contrast.combinations] == [2, 3]


def test_a_metric_is_laid_out_by_seed_and_combination_whatever_the_order_of_rows() -> None:
    results = sweep_results(GRID, seeds=[3, 1, 2])
    contrast = contrasts_within(results, "policy")[0]
    table = contrast.table(contrast.alternative, "liquidated_usd")
    runs = results.runs
    object.__setattr__(results, "runs", runs.sample(frac=1, random_state=0).reset_index(drop=True))

    assert table.shape == (3, 2)
    assert table[2, 1] == runs.loc[(runs["point"] == 3) & (runs["seed"] == 2), "liquidated_usd"].item()
    assert np.array_equal(contrast.table(contrast.alternative, "liquidated_usd"), table)


def test_where_keeps_another_axis_at_one_label_given_as_number_or_text() -> None:
    results = sweep_results(GRID)
    for label in (5_000_000, "5000000", 5e6, "5e6"):
        contrast = contrasts_within(results, "policy", where={"protocol.insurance_fund": label})[0]

        assert list(contrast.baseline.points.values()) == [1]


def test_a_setting_is_named_with_its_value() -> None:
    contrast = contrasts_within(
        sweep_results(GRID), "protocol.insurance_fund", where={"policy": "as_it_was"}
    )[0]

    assert (contrast.baseline.name, contrast.alternative.name) == (
        "insurance_fund=0",
        "insurance_fund=5000000",
    )


def test_whole_points_can_be_compared() -> None:
    contrasts = contrasts_within(sweep_results(GRID), "point")

    assert contrasts[0].baseline.name == "policy=as_it_was, protocol.insurance_fund=0"
    assert len(contrasts) == 5


def test_what_does_not_exist_is_met_with_what_does() -> None:
    results = sweep_results(GRID)

    assert complaints(results, "polcy") == ["runs/policies  polcy: no such axis; did you mean policy?"]
    assert complaints(results, where={"policy": "x"}) == [
        "runs/policies  policy: an axis is either compared or kept at one label, got x"
    ]
    assert complaints(results, where={"protocol.insurance_fund": 7}) == [
        "runs/policies  protocol.insurance_fund: no such label 7; known: 0, 5000000"
    ]
    assert complaints(results, baseline="more_captal")[0].startswith(
        "runs/policies  policy: no such label 'more_captal' for the baseline; did you mean more_capital"
    )


def test_a_single_label_has_nothing_to_be_compared_with() -> None:
    assert complaints(sweep_results({"policy": {"tight": {}}})) == [
        "runs/policies  policy: at least two labels are needed, got only tight"
    ]


def test_points_that_differ_in_more_than_the_axis_are_sent_to_a_comparison_by_point() -> None:
    results = sweep_results()
    for i, entry in enumerate(results.manifest["points"]):
        entry["labels"]["depth"] = i
    results.manifest["axes"].append("depth")

    assert complaints(results)[0] == (
        "runs/policies  policy=more_margin: it must share a combination of the other axes with as_it_was; "
        "compare by point instead"
    )


def test_two_sweeps_are_paired_by_common_seeds_and_labels() -> None:
    first = sweep_results(seeds=range(1, 11), name="before")
    second = sweep_results(
        {"policy": {name: POLICIES[name] for name in ("as_it_was", "more_capital")}},
        seeds=range(6, 21),
        name="after",
    )
    contrasts = contrasts_across(first, second)

    assert contrasts[0].seeds == (6, 7, 8, 9, 10)
    assert contrasts[0].combinations == ((("policy", "as_it_was"),), (("policy", "more_capital"),))
    assert left_out(contrasts) == [
        "Left out: 5 seeds and 1 point of before that after does not have.",
        "Left out: 10 seeds of after that before does not have.",
    ]


def test_two_sweeps_without_a_common_seed_or_point_are_refused() -> None:
    with pytest.raises(ScenarioError, match="must have a seed in common"):
        contrasts_across(sweep_results(seeds=[1, 2]), sweep_results(seeds=[3, 4]))
    with pytest.raises(ScenarioError, match="must have a point in common"):
        contrasts_across(sweep_results({"policy": {"a": {}}}), sweep_results({"policy": {"b": {}}}))


def test_an_axis_that_only_one_sweep_has_must_be_kept_at_one_label() -> None:
    one, grid = sweep_results(), sweep_results(GRID)
    contrast = contrasts_across(one, grid, {"protocol.insurance_fund": 0})[0]

    assert len(contrast.combinations) == 3
    with pytest.raises(
        ScenarioError, match=r"insurance_fund: only this sweep has the axis; keep it at one label"
    ):
        contrasts_across(one, grid)


def test_failures_are_counted_by_policy_and_the_one_that_fails_more_is_named() -> None:
    frame = failure_frame(contrasts_within(sweep_results(failed=FAILED), "policy"))

    assert frame.set_index("policy").loc["more_margin", ["runs", "done", "failed", "timeout"]].tolist() == [
        64,
        62,
        1,
        1,
    ]
    assert failure_sentences(frame) == [
        "2 of 64 runs of more_margin gave no result (1 failed, 1 timeout).",
        "more_margin fails more often than as_it_was, so what is missing may be what matters.",
    ]
    assert failure_sentences(failure_frame(contrasts_within(sweep_results(), "policy"))) == []


def test_a_policy_that_fails_no_more_than_the_baseline_is_not_called_out() -> None:
    failed = {(point, 5): "lost" for point in range(3)}
    sentences = failure_sentences(failure_frame(contrasts_within(sweep_results(failed=failed), "policy")))

    assert sentences == [f"1 of 64 runs of {name} gave no result (1 lost)." for name in POLICIES]


def test_runs_still_to_be_done_are_not_failures() -> None:
    results = sweep_results()
    object.__setattr__(results, "runs", results.runs[results.runs["seed"] != 3])
    contrast = contrasts_within(results, "policy")[0]

    assert contrast.pairs("liquidated_usd").seeds == 63
    assert failure_sentences(failure_frame([contrast])) == [
        "1 run of as_it_was is still to be done.",
        "1 run of more_margin is still to be done.",
    ]
    assert np.isnan(failure_bounds(contrast, "liquidated_usd", MEAN)).all()


def test_failed_runs_bound_a_difference_by_the_best_and_the_worst_seen_anywhere() -> None:
    results = sweep_results(failed=FAILED)
    contrast = contrasts_within(results, "policy")[0]
    values = results.runs["bad_debt_gross_usd"]
    tables = [contrast.table(arm, "bad_debt_gross_usd")[:, 0] for arm in contrast.arms]
    bounds = failure_bounds(contrast, "bad_debt_gross_usd", MEAN)
    filled = [
        np.where(np.isnan(tables[1]), end, tables[1]).mean() - tables[0].mean() for end in (0.0, values.max())
    ]

    assert bounds == pytest.approx(tuple(filled))
    assert extreme_values(contrast, "bad_debt_gross_usd", MEAN)[0][1] > 0


def test_settings_that_differ_are_shown_before_and_after() -> None:
    frame = policy_changes(contrasts_within(sweep_results(), "policy")).set_index("setting")

    assert frame.loc["protocol.markets.BTC.initial_margin"].tolist() == ["0.05", "0.1", "0.05"]
    assert frame.loc["protocol.insurance_fund"].tolist() == ["1,000,000", "1,000,000", "4,000,000"]
    assert len(frame) == 4


def test_a_setting_that_another_axis_varies_too_takes_several_values() -> None:
    axes = {"policy": {"low": {}, "high": {"world.share": 0.5}}, "depth": {1: {"world.share": 0.1}, 2: {}}}
    results = sweep_results(axes)
    results.manifest["points"][2]["changes"]["world.share"] = 0.5

    assert policy_changes(contrasts_within(results, "policy")).iloc[0].tolist() == [
        "world.share",
        "several",
        "0.5",
    ]
