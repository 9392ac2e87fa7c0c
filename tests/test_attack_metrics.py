"""What a run tells of attacks on governance: by hand, in a real run, and nothing where there is none."""

from functools import cache

import pandas as pd
import pytest
from small import calmed

from sim.governance.attack_metrics import (
    attack_cost_usd,
    attack_detection_seconds,
    attack_paid_usd,
    attack_success,
    margin_shift,
    parameter_drift,
)
from sim.metric_registry import RunTables
from sim.metrics import METRICS
from sim.run import Result, run
from sim.scenario import load_scenario

START = pd.Timestamp("2024-01-01", tz="UTC")
OWN = ("attack_success", "attack_paid_usd", "attack_cost_usd", "attack_detection_seconds", "margin_shift_BTC")


def told(**tables: pd.DataFrame) -> RunTables:
    """A run of which only some tables are known."""
    empty = pd.DataFrame()
    return RunTables(empty, empty, empty, empty, empty, empty, ("BTC",), 60, more=tables)


def attacks(**columns: object) -> pd.DataFrame:
    """Two attackers, of which the first proposes."""
    frame = pd.DataFrame(
        {"proposes": [True, False], "executed": [1, 0], "paid_usd": [5.0, 7.0], "cost_usd": [2.0, 3.0]}
    )
    frame["first"] = [START + pd.Timedelta("1h"), START + pd.Timedelta("2h")]
    frame["noticed"] = [START + pd.Timedelta("5h"), START + pd.Timedelta("3h")]
    return frame.assign(**columns)


def test_numbers_of_attackers_who_propose_leave_out_the_others() -> None:
    run = told(attacks=attacks())

    assert attack_success(run) == 1.0
    assert attack_paid_usd(run) == 5.0
    assert attack_cost_usd(run) == 2.0 + 3.0
    assert attack_success(told(attacks=attacks(executed=[0, 0]))) == 0.0


def test_an_attack_is_noticed_after_the_shortest_of_the_waits() -> None:
    missing = attacks(noticed=[pd.NaT, pd.NaT])

    assert attack_detection_seconds(told(attacks=attacks())) == 3600.0
    assert attack_detection_seconds(told(attacks=missing)) is None


def test_where_nobody_attacks_governance_there_are_no_such_numbers() -> None:
    summary = calmed().summary
    trading = attacks(proposes=[False, False])

    assert [summary[name] for name in OWN] == [None] * len(OWN)
    assert attack_success(told(attacks=trading)) is None
    assert "attacks" not in calmed().tables


def test_drift_is_the_farthest_that_a_parameter_has_come_from_its_opening_value() -> None:
    rows = [(0, "BTC", 0.0, 0.1), (5, "BTC", 0.1, 0.05), (9, "BTC", 0.05, 0.1), (9, "ETH", 0.1, 0.2)]
    changed = pd.DataFrame(rows, columns=["block", "market", "old", "new"]).assign(parameter="initial_margin")
    run = told(parameters=changed, proposals=pd.DataFrame({"number": [0]}))

    assert parameter_drift(run) == pytest.approx(0.6931, abs=1e-4)
    assert parameter_drift(told(parameters=changed)) is None


def test_a_shift_is_the_mean_margin_since_the_first_act_over_that_at_it() -> None:
    times = START + pd.to_timedelta([0, 1, 2, 3], unit="h")
    rows = pd.DataFrame({"time": times, "maintenance_margin": [0.9, 0.02, 0.03, 0.04]})

    assert margin_shift(rows, told(attacks=attacks())) == pytest.approx(1.5)
    assert margin_shift(rows, told()) is None


@cache
def borrowed(*overrides: str) -> Result:
    """A run with borrowed votes; shared between tests, which leave it as it is."""
    return run(load_scenario("governance_borrowed_votes", list(overrides)), 1)


def test_profit_is_what_governance_paid_less_what_votes_and_transactions_cost() -> None:
    result = borrowed()
    summary, agents = result.summary, result.tables["agents"].set_index("role")
    paid, cost = summary["attack_paid_usd"], summary["attack_cost_usd"]
    assert paid is not None
    assert cost is not None

    assert paid == pytest.approx(20e6, rel=0.001)
    assert summary["attack_profit_attacker_usd"] == pytest.approx(
        paid - cost - agents.loc["attacker", "gas_paid"], abs=1
    )
    assert -agents.loc["insurance_fund", "pnl"] == pytest.approx(paid, rel=0.01)


def test_a_veto_is_the_moment_at_which_an_attack_is_noticed() -> None:
    result = borrowed("governance.guardian={vetoes: true, overlooks: 0}")
    table, events = result.tables["attacks"].iloc[0], result.tables["governance"]
    veto = events.loc[events["event"] == "veto", "time"].iloc[0]

    assert result.summary["attack_success"] == 0
    assert (table["noticed"], table["by"]) == (veto, "guardian")
    assert result.summary["attack_detection_seconds"] == (veto - table["first"]).total_seconds()


def test_tokens_that_are_left_at_the_end_count_at_what_their_sale_would_bring() -> None:
    buys = "agents.attackers={attacker: {means: buy, budget: 40e+6, votes: 100000}}"
    result = borrowed(buys, "clock.duration=45h")
    profit = result.summary["attack_profit_attacker_usd"]

    assert result.tables["attacks"]["purchases_usd"].iloc[0] > 5e6
    assert result.tables["attacks"]["sales_usd"].iloc[0] == 0
    assert profit == pytest.approx(-2 * 0.003 * 5.25e6, rel=0.01)


def test_every_metric_of_attacks_has_a_definition() -> None:
    assert {*OWN[:4], "margin_shift_{market}", "parameter_drift"} <= set(METRICS)
