import pytest

from analysis.comparisons.statistic import parse_measure, parse_statistic

METRICS = {
    "bad_debt_gross_usd": {"worse": "higher", "unit": "USD"},
    "insurance_fund_end_usd": {"worse": "lower", "unit": "USD"},
    "mark_drawdown_BTC": {"worse": "higher", "unit": "1"},
}


@pytest.mark.parametrize(
    ("text", "kind", "share", "label"),
    [
        ("mean", "mean", 0.0, "mean"),
        ("median", "quantile", 0.5, "median"),
        ("var95", "quantile", 0.95, "VaR 95 %"),
        ("var99.5", "quantile", 0.995, "VaR 99.5 %"),
        ("es99", "shortfall", 0.99, "ES 99 %"),
        ("q10", "quantile", 0.1, "10 % quantile"),
        ("p(> 1e6)", "probability", 0.0, "share of runs above $1.00M"),
        ("p(<0)", "probability", 0.0, "share of runs below $0"),
    ],
)
def test_a_statistic_is_read_from_its_text(text, kind, share, label) -> None:
    statistic = parse_statistic(text)

    assert (statistic.kind, statistic.share) == (kind, pytest.approx(share))
    assert statistic.label("USD").replace("\N{NO-BREAK SPACE}", " ") == label


@pytest.mark.parametrize(
    "text", ["", "avg", "var", "es50", "var100", "mean95", "p(x > 0)", "p(> )", "es95()"]
)
def test_a_text_that_is_no_statistic_is_refused_with_the_rule(text) -> None:
    with pytest.raises(ValueError, match=r"got '") as refusal:
        parse_statistic(text)

    assert repr(text) in str(refusal.value)


def test_the_tail_of_a_var_is_where_the_metric_is_worse() -> None:
    assert parse_measure("var95(bad_debt_gross_usd)", METRICS).statistic.tail == "upper"
    assert parse_measure("es95( insurance_fund_end_usd )", METRICS).statistic.tail == "lower"
    assert parse_measure("q10(insurance_fund_end_usd)", METRICS).statistic.tail == "upper"
    assert parse_measure("mean(insurance_fund_end_usd)", METRICS).statistic.tail == ""


def test_a_measure_is_written_as_it_is_read() -> None:
    for text in ("es95(bad_debt_gross_usd)", "p(mark_drawdown_BTC > 0.3)", "median(bad_debt_gross_usd)"):
        assert parse_measure(text, METRICS).text == text


def test_an_unknown_metric_is_met_with_the_nearest_name() -> None:
    with pytest.raises(
        ValueError, match=r"no such metric 'bad_dept_gross_usd' in .*did you mean bad_debt_gross"
    ):
        parse_measure("es95(bad_dept_gross_usd)", METRICS)


@pytest.mark.parametrize(
    "text", ["bad_debt_gross_usd", "p(bad_debt_gross_usd)", "es95 bad_debt_gross_usd", "p(> 0)"]
)
def test_a_text_that_is_no_measure_is_refused_with_the_rule(text) -> None:
    with pytest.raises(ValueError, match=r"a statistic of a metric is written as"):
        parse_measure(text, METRICS)


def test_a_tail_needs_three_runs_and_no_statistic_less_than_32_seeds() -> None:
    fewest = {
        text: parse_statistic(text).fewest_seeds
        for text in ("mean", "median", "var90", "es95", "var99", "q1")
    }

    assert fewest == {"mean": 32, "median": 32, "var90": 32, "es95": 60, "var99": 300, "q1": 300}
