"""Four incidents: each happens by the rules of its day, not with its cure, and still with a wrong one.

Bands are of the order of what was lost: see the sources in the scenario files. Yearn's days run in blocks of
five minutes here, in which less is sold on the way down and the fund loses more.
"""

from functools import cache

import pandas as pd
import pytest

from sim.run import Result, run
from sim.scenario import load_scenario

SEED = 7
MILLION = 1e6
QUICKER = {"yfi_2023": ("clock.block=300s", "clock.duration=66h")}


@cache
def incident(name: str, *overrides: str, seed: int = SEED) -> Result:
    """Result of an incident; runs are shared between tests, which leave them as they are."""
    return run(load_scenario(name, [*QUICKER.get(name, ()), *overrides]), seed)


def party(result: Result, role: str, column: str) -> float:
    """What a role brought, took out, gained or lost [USD]."""
    agents = result.tables["agents"]
    return float(agents.loc[agents["role"] == role, column].sum())


def prices(result: Result, column: str = "outside") -> pd.Series:
    """A price of the one market by block [USD]."""
    return result.tables["markets"].set_index("block")[column]


def taken_over(result: Result, role: str) -> pd.DataFrame:
    """Liquidation orders after which the vault took a role's account over."""
    orders = result.tables["liquidations"]
    return orders[(orders["role"] == role) & (orders["outcome"] == "vault")]


def number(result: Result, metric: str) -> float:
    """A metric that is defined in this run."""
    value = result.summary[metric]
    assert value is not None
    return value


def depositors_loss(result: Result) -> float:
    """What the vault's depositors have lost [USD]."""
    return -party(result, "depositors", "pnl")


def test_the_vault_inherits_a_short_and_its_depositors_pay_for_the_squeeze() -> None:
    result = incident("jelly_2025")
    inherited = taken_over(result, "short_seller")

    assert len(inherited) == 1
    assert float(inherited["equity_before"].iloc[0]) > 0
    assert party(result, "short_seller", "equity_end") == 0
    assert prices(result).max() > 4 * 0.0095
    assert 10 * MILLION < depositors_loss(result) < 13.5 * MILLION
    assert number(result, "deleveraged_usd") == 0
    assert number(result, "bad_debt_gross_usd") == 0


def test_the_squeezer_takes_more_out_than_the_three_wallets_had_in_them() -> None:
    result = incident("jelly_2025")
    brought, gained, taken = (
        party(result, "long_buyers", column) + party(result, "short_seller", column)
        for column in ("equity_start", "pnl", "net_deposits")
    )

    assert brought == pytest.approx(7 * MILLION)
    assert gained > 8 * MILLION
    assert -taken > 5 * MILLION


@pytest.mark.parametrize(
    "cure", ["protocol.markets.JELLY.open_interest_cap=2e6", "protocol.backstop.rule=none"]
)
def test_a_cap_of_open_interest_or_deleveraging_instead_of_a_vault_prevents_the_squeeze(cure: str) -> None:
    result = incident("jelly_2025", cure)

    assert depositors_loss(result) < 0.15 * depositors_loss(incident("jelly_2025"))
    assert number(result, "bad_debt_gross_usd") < 0.1 * MILLION


@pytest.mark.parametrize("purse", [0.02, 0.01])
def test_a_purse_of_its_own_is_all_that_takeovers_can_lose(purse: float) -> None:
    result = incident("jelly_2025", f"protocol.backstop.purse={purse}")
    closed, held = result.tables["deleverages"], result.tables["blocks"]["vault_equity"]

    assert len(taken_over(result, "short_seller")) == 1
    assert depositors_loss(result) == pytest.approx(purse * 240 * MILLION, rel=0.01)
    assert held.iloc[-1] == pytest.approx(party(result, "depositors", "equity_end"), abs=1)
    assert closed["notional_usd"].sum() > 5 * MILLION
    assert set(closed["counterparty_role"]) >= {"long_buyers"}
    assert number(result, "uncovered_usd") == 0


def test_a_limit_on_the_deficit_at_the_takeover_changes_nothing_because_there_is_none() -> None:
    limited = incident("jelly_2025", "protocol.backstop.max_loss_share=0.0")

    assert limited.transcript == incident("jelly_2025").transcript


def test_the_owner_of_both_sides_withdraws_what_others_brought() -> None:
    result = incident("mango_2022")
    taken, left = -party(result, "buyer", "net_deposits"), party(result, "buyer", "equity_end")

    assert prices(result).max() > 20 * 0.0382
    assert 105 * MILLION < taken < 125 * MILLION
    assert 100 * MILLION < -left < 135 * MILLION
    assert number(result, "uncovered_usd") == pytest.approx(-left, rel=0.02)
    assert number(result, "negative_equity_max_usd") > 300 * MILLION
    assert party(result, "lenders", "equity_end") == pytest.approx(100 * MILLION)


@pytest.mark.parametrize(
    "cure",
    [
        "protocol.markets.MNGO.gain_weight=0",
        "protocol.withdrawals.gain_weight=0",
        "protocol.markets.MNGO.open_interest_cap=2e6",
        "protocol.withdrawals.gate=50s",
    ],
)
def test_gains_that_do_not_count_a_cap_or_a_gate_keep_the_money_in(cure: str) -> None:
    result = incident("mango_2022", cure)

    assert -party(result, "buyer", "net_deposits") <= 5 * MILLION
    assert number(result, "uncovered_usd") < 0.05 * number(incident("mango_2022"), "uncovered_usd")


@pytest.mark.parametrize(
    "control", ["protocol.withdrawals.notional_share=0.1", "protocol.markets.MNGO.maintenance_margin=0.19"]
)
def test_more_margin_does_not_help_against_a_gain_of_four_hundred_millions(control: str) -> None:
    result = incident("mango_2022", control)

    assert number(result, "uncovered_usd") > 0.95 * number(incident("mango_2022"), "uncovered_usd")


def shortfall(result: Result) -> float:
    """What the borrower owes beyond what the collateral is worth outside [USD]."""
    owed = -party(result, "borrower", "net_deposits")
    return owed - 230e6 * float(prices(result).iloc[-1])


def test_a_borrower_takes_out_what_the_collateral_was_worth_at_the_floor_of_its_feed() -> None:
    result = incident("luna_2022")

    assert prices(result, "oracle").iloc[-1] == pytest.approx(0.107)
    assert prices(result).iloc[-1] < 0.012
    assert party(result, "borrower", "net_deposits") == pytest.approx(-230e6 * 0.107 * 0.55)
    assert 10.5 * MILLION < shortfall(result) < 12 * MILLION


def test_the_books_of_the_venue_hide_the_shortfall_at_the_stale_price() -> None:
    result = incident("luna_2022")

    assert party(result, "borrower", "equity_end") > MILLION
    assert number(result, "outside_deficit_end_usd") == pytest.approx(shortfall(result), rel=1e-3)
    assert number(result, "bad_debt_gross_usd") < 0.001 * shortfall(result)
    assert number(result, "negative_equity_max_usd") < 0.001 * shortfall(result)


@pytest.mark.parametrize(
    "cure", ["protocol.guards.withdraw.refuses_bounds=true", "protocol.guards.withdraw.max_age=2h"]
)
def test_a_guard_of_withdrawals_looks_at_the_price_of_collateral_too(cure: str) -> None:
    result = incident("luna_2022", cure)

    assert party(result, "borrower", "net_deposits") == 0
    assert number(result, "outside_deficit_end_usd") < 0.001 * shortfall(incident("luna_2022"))


def test_where_the_feed_reports_its_floor_as_fresh_only_the_bound_tells() -> None:
    fresh = "protocol.oracle.stops_at_bounds=false"
    aged, bounded = (
        incident("luna_2022", fresh, f"protocol.guards.withdraw.{guard}")
        for guard in ("max_age=2h", "refuses_bounds=true")
    )

    assert shortfall(aged) > 10 * MILLION
    assert party(bounded, "borrower", "net_deposits") == 0


@pytest.mark.parametrize(
    "control", ["protocol.guards.trade.refuses_bounds=true", "protocol.guards.liquidate.refuses_bounds=true"]
)
def test_a_guard_of_another_act_does_not_stop_the_loan(control: str) -> None:
    assert shortfall(incident("luna_2022", control)) == pytest.approx(
        shortfall(incident("luna_2022")), rel=1e-3
    )


def fund_loss(result: Result) -> float:
    """What the insurance fund has lost [USD]."""
    return -party(result, "insurance_fund", "pnl")


@pytest.mark.slow
def test_the_fund_pays_for_wallets_that_reinvested_their_gains() -> None:
    result = incident("yfi_2023")
    interest = result.tables["markets"]["open_interest_usd"]
    after = prices(result)[prices(result).idxmax() :]

    assert interest.iloc[0] < MILLION
    assert 50 * MILLION < interest.max() < 90 * MILLION
    assert after.min() < 0.7 * prices(result).max()
    assert party(result, "pyramid", "liquidated_accounts") == 100
    assert 0.25 * 22.5 * MILLION < fund_loss(result) < 0.75 * 22.5 * MILLION
    assert number(result, "insurance_fund_paid_usd") == pytest.approx(number(result, "bad_debt_gross_usd"))


@pytest.mark.slow
def test_margin_that_rises_with_open_interest_stops_the_pyramid() -> None:
    cure = ("protocol.markets.YFI.open_interest_lower=5e6", "protocol.markets.YFI.open_interest_upper=10e6")
    result = incident("yfi_2023", *cure)

    assert result.tables["markets"]["open_interest_usd"].max() < 15 * MILLION
    assert fund_loss(result) < 0.01 * fund_loss(incident("yfi_2023"))
    assert party(result, "pyramid", "liquidated_accounts") == 0


@pytest.mark.slow
def test_a_higher_maintenance_margin_does_not_save_the_fund() -> None:
    result = incident("yfi_2023", "protocol.markets.YFI.maintenance_margin=0.1")

    assert fund_loss(result) > 0.8 * fund_loss(incident("yfi_2023"))
