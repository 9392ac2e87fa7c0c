import math

import pandas as pd
import pytest
from run_folder import (
    DELEVERAGE_COLUMNS,
    LIQUIDATION_COLUMNS,
    START,
    WATERFALL_COLUMNS,
    write_run_folder,
)
from small import calmed

from analysis.tables import TABLES
from sim.metrics import METRICS, describe, summarise

HALF_HOUR = 1800


def _events(rows: list[dict], columns: dict) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns))


def _tables() -> dict[str, pd.DataFrame]:
    """Four blocks of half an hour in one market, small enough to check by hand."""
    times = START + pd.to_timedelta([30, 60, 90, 120], unit="min")
    markets = pd.DataFrame(
        {
            "block": range(4), "time": times, "market": "BTC", "fundamental": 100.0,
            "outside": [100.0, 120.0, 60.0, 90.0], "oracle": [100.0, 120.0, 72.0, 90.0],
            "mark": [100.0, 120.0, 54.0, 90.0], "bid": [99.0, 119.0, float("nan"), 60.0],
            "ask": [101.0, 121.0, 61.0, 84.0], "open_interest": [10.0, 12.0, 9.0, 8.0],
            "open_interest_usd": [1000.0, 1440.0, 486.0, 720.0], "volume_usd": [100.0, 200.0, 300.0, 400.0],
            "long_liquidated_usd": [0.0, 0.0, 250.0, 50.0], "short_liquidated_usd": [0.0, 60.0, 0.0, 0.0],
            "deleveraged_usd": [0.0, 0.0, 0.0, 40.0], "funding_rate": [0.0002, 0.0, 0.0, 0.0002],
        }
    )  # fmt: skip
    blocks = pd.DataFrame(
        {
            "block": range(4), "time": times, "gas": [20.0, 30.0, 90.0, 40.0],
            "trader_equity": [500.0, 480.0, 243.0, 0.0], "fees_collected": [1.0, 2.0, 4.0, 6.0],
            "insurance_fund": [50.0, 60.0, 10.0, 20.0], "vault_equity": [400.0, 400.0, 380.0, 380.0],
            "negative_equity": [0.0, 0.0, 5.0, 0.0],
            "outside_deficit": [0.0, 0.0, 6.0, 4.0], "liquidatable": [0, 2, 3, 0],
            "truncated": [False, False, True, False], "withdrawals_gated": [False, False, False, True],
        }
    )  # fmt: skip
    liquidations = [
        {"time": times[1], "account": 7, "size": 1.0, "filled": 0.5, "oracle": 120.0, "fee_usd": 2.0,
         "insurance_delta": 3.0},
        {"time": times[2], "account": 8, "size": -5.0, "filled": -4.0, "oracle": 72.0, "fee_usd": 0.0,
         "insurance_delta": -50.0},
        {"time": times[2], "account": 9, "size": -1.0, "filled": 0.0, "oracle": 72.0, "fee_usd": 0.0,
         "insurance_delta": 0.0},
    ]  # fmt: skip
    waterfall = [
        {"account": 8, "stage": "insurance_fund", "amount_usd": 50.0},
        {"account": 8, "stage": "backstop_vault", "amount_usd": 20.0},
        {"account": 8, "stage": "liquidity_pool", "amount_usd": 5.0},
        {"account": 9, "stage": "socialised_loss", "amount_usd": 3.0},
        {"account": 9, "stage": "auto_deleveraging", "amount_usd": 8.0},
        {"account": 9, "stage": "uncovered", "amount_usd": 2.0},
    ]
    deleverages = [{"time": times[3], "counterparty": 3, "notional_usd": 40.0, "haircut_usd": 8.0}]
    agents = pd.DataFrame(
        {"role": ["retail", "depositors"], "pnl": [-70.0, -20.0], "ruined_accounts": [2, 0]}
    )
    agents["equity_start"] = [500.0, 400.0]
    return {
        "markets": markets, "blocks": blocks, "agents": agents,
        "liquidations": _events(liquidations, LIQUIDATION_COLUMNS),
        "waterfall": _events(waterfall, WATERFALL_COLUMNS),
        "deleverages": _events(deleverages, DELEVERAGE_COLUMNS),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "by_hand"),
    [
        ("outside_change_BTC", -0.1),
        ("outside_drawdown_BTC", 0.5),
        ("oracle_drawdown_BTC", 0.4),
        ("mark_drawdown_BTC", 0.55),
        ("book_drawdown_BTC", 0.4),
        ("book_gap_max_BTC", 0.2),
        ("basis_max_BTC", 0.1),
        ("funding_mean_BTC", 0.0001),
        ("open_interest_change_BTC", -0.2),
        ("turnover_BTC", 1000 / (2 / 24) / 911.5),
        ("liquidated_usd_BTC", 360.0),
        ("liquidated_share_BTC", 0.36),
        ("liquidated_accounts", 2),
        ("liquidated_usd", 360.0),
        ("liquidation_count", 3),
        ("liquidation_unfilled_share", (60 + 72 + 72) / (120 + 360 + 72)),
        ("forced_hour_share", 310 / 1000),
        ("bad_debt_gross_usd", 88.0),
        ("bad_debt_share", 0.088),
        ("bankrupt_accounts", 2),
        ("system_leverage", (2 + 3 + 2) / 3),
        ("trader_cost", (5 + 5) / 1000),
        ("funding_cost", 0.0002 * (1000 + 720) / 16 / 1000),
        ("insurance_fund_paid_usd", 50.0),
        ("bad_debt_after_fund_usd", 38.0),
        ("bad_debt_after_vault_usd", 18.0),
        ("bad_debt_after_adl_usd", 5.0),
        ("vault_paid_usd", 20.0),
        ("pool_paid_usd", 5.0),
        ("adl_paid_usd", 8.0),
        ("socialised_loss_usd", 3.0),
        ("uncovered_usd", 2.0),
        ("insurance_fund_low_usd", 10.0),
        ("vault_equity_end_usd", 380.0),
        ("vault_loss_share", 0.05),
        ("deleveraged_usd", 40.0),
        ("adl_liquidation_ratio", 40 / 360),
        ("time_to_adl_seconds", 3600.0),
        ("liquidatable_max", 3),
        ("backlog_longest_seconds", 3600.0),
        ("truncated_blocks", 1),
        ("withdrawals_gated_share", 0.25),
        ("negative_equity_max_usd", 5.0),
        ("outside_deficit_end_usd", 4.0),
        ("gas_peak_gwei", 90.0),
        ("ruined_accounts", 2),
        ("pnl_retail_usd", -70.0),
    ],
)
def test_a_metric_agrees_with_the_count_by_hand(metric: str, by_hand: float) -> None:
    summary = summarise(_tables(), ["BTC"], HALF_HOUR)

    assert summary[metric] == pytest.approx(by_hand)


def test_metrics_of_a_risk_engine_agree_with_the_count_by_hand() -> None:
    tables = _tables()
    tables["markets"]["maintenance_margin"] = [0.02, 0.04, 0.03, 0.06]
    tables["markets"]["initial_margin"] = [0.05, 0.08, 0.06, 0.09]
    tables["blocks"]["engine_caused_usd"] = [0.0, 0.0, 90.0, 0.0]
    tables["blocks"]["tightened_usd"] = [0.0, 60.0, 90.0, 0.0]
    summary = summarise(tables, ["BTC"], HALF_HOUR)

    assert summary["maintenance_mean_BTC"] == pytest.approx(0.0375)
    assert summary["initial_mean_BTC"] == pytest.approx(0.07)
    assert summary["peak_to_trough_BTC"] == pytest.approx(3)
    assert summary["margin_rise_1h_BTC"] == pytest.approx(1)
    assert summary["margin_rise_24h_BTC"] is None
    assert summary["engine_caused_usd"] == 90
    assert summary["tightened_usd"] == 150
    assert summary["engine_caused_share"] == pytest.approx(90 / 360)


def test_margins_in_force_say_what_leverage_was_usable_and_how_much_of_it_was_used() -> None:
    tables = _tables()
    tables["markets"]["initial_margin"] = [0.05, 0.1, 0.1, 0.2]
    summary = summarise(tables, ["BTC"], HALF_HOUR)

    assert summary["usable_leverage_BTC"] == pytest.approx((20 + 10 + 10 + 5) / 4)
    assert summary["margin_utilisation"] == pytest.approx((0.2 + 0.6 + 0.4) / 3)


def test_a_venue_without_traders_money_or_volume_has_no_leverage_and_no_cost() -> None:
    tables = _tables()
    tables["blocks"]["trader_equity"] = 0.0
    tables["markets"]["volume_usd"] = 0.0
    tables["markets"]["open_interest_usd"] = 0.0
    summary = summarise(tables, ["BTC"], HALF_HOUR)

    for metric in ("system_leverage", "trader_cost", "funding_cost", "bad_debt_share"):
        assert summary[metric] is None, metric


def test_a_run_without_an_engine_has_none_of_its_metrics() -> None:
    summary = summarise(_tables(), ["BTC"], HALF_HOUR)

    assert summary["peak_to_trough_BTC"] is None
    assert summary["engine_caused_usd"] is None


def test_a_metric_without_meaning_is_none_and_never_nan() -> None:
    tables = _tables()
    tables["markets"]["open_interest"] = 0.0
    tables["markets"]["open_interest_usd"] = 0.0
    tables["liquidations"] = tables["liquidations"].iloc[:0]
    tables["deleverages"] = tables["deleverages"].iloc[:0]

    summary = summarise(tables, ["BTC"], HALF_HOUR)

    assert summary["open_interest_change_BTC"] is None
    assert summary["liquidated_share_BTC"] is None
    assert summary["time_to_adl_seconds"] is None
    assert summary["liquidation_unfilled_share"] is None
    assert all(value is None or math.isfinite(value) for value in summary.values())


def test_bad_debt_falls_stage_by_stage_to_what_nobody_paid(tmp_path) -> None:
    folder = write_run_folder(tmp_path / "run")
    names = ("blocks", "markets", "liquidations", "deleverages", "waterfall", "agents")
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}

    s = summarise(tables, ["BTC", "ETH"], 60)

    stages = ["bad_debt_gross_usd", "bad_debt_after_fund_usd", "bad_debt_after_vault_usd"]
    paid = ["insurance_fund_paid_usd", "vault_paid_usd", "adl_paid_usd"]
    rest = ["bad_debt_after_fund_usd", "bad_debt_after_vault_usd", "bad_debt_after_adl_usd"]
    for before, payment, after in zip(stages, paid, rest, strict=True):
        borne = s[payment] + (s["pool_paid_usd"] if payment == "adl_paid_usd" else 0.0)
        assert s[before] - borne == pytest.approx(s[after])
    assert s["bad_debt_after_adl_usd"] == pytest.approx(s["socialised_loss_usd"] + s["uncovered_usd"])
    assert s["liquidated_usd"] == pytest.approx(s["liquidated_usd_BTC"] + s["liquidated_usd_ETH"])


def test_the_made_up_folder_has_the_tables_of_a_real_run(tmp_path) -> None:
    folder = write_run_folder(tmp_path / "run")
    for name in (*TABLES, "failures"):
        assert list(pd.read_parquet(folder / f"{name}.parquet")) == list(calmed().tables[name]), name


def test_every_number_of_a_summary_has_its_metric() -> None:
    for key in summarise(_tables(), ["BTC"], HALF_HOUR):
        metric = describe(key, ["BTC"])

        assert metric.definition.endswith(".")
        assert metric.label
        assert metric.unit


def test_a_market_metric_names_its_market_even_when_markets_share_an_ending() -> None:
    assert describe("mark_change_BTC", ["TC", "BTC"]).subject == "BTC"
    assert describe("liquidated_usd", ["usd"]).subject == ""
    assert describe("pnl_market_makers_usd", ["BTC"]).subject == "market_makers"


def test_an_undeclared_metric_is_an_error_that_names_it() -> None:
    with pytest.raises(KeyError, match=r"mark_changes_BTC.*\['BTC'\]"):
        describe("mark_changes_BTC", ["BTC"])


def test_a_missing_table_is_an_error_that_names_it() -> None:
    tables = _tables()
    del tables["waterfall"]

    with pytest.raises(KeyError, match="missing waterfall"):
        summarise(tables, ["BTC"], HALF_HOUR)


def test_definitions_are_single_sentences() -> None:
    for metric in METRICS.values():
        assert metric.definition.count(". ") == 0, metric.name
