"""Who paid in a run worked by hand: parts that add up, and measures that find what was planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ties import BOTH, MAKER, POOR, SHORT, accounts, deleverages, run, waterfall

from analysis.fairness import (
    borne,
    deciles,
    gini,
    gini_of_losses,
    haircut_distribution,
    haircuts,
    loss_by_decile,
    loss_by_role,
    overshoot,
    who_paid,
)


def test_who_paid_by_hand() -> None:
    """POOR lost the 50 it had, BOTH 60; the fund paid 30, winners 10, all 5; 20 are left."""
    table = who_paid(run()).set_index("stage")

    assert table["amount_usd"].to_dict() == {
        "trader_collateral": 110.0,
        "insurance_fund": 30.0,
        "backstop_vault": 0.0,
        "liquidity_pool": 0.0,
        "auto_deleveraging": 10.0,
        "socialised_loss": 5.0,
        "uncovered": 20.0,
    }
    assert table["share"].sum() == pytest.approx(1.0)


def test_parts_add_up_to_what_failed_accounts_lost_and_others_paid() -> None:
    """Everything that the two lost is what they have less, and what was put in its place."""
    table, rows = who_paid(run()), accounts()
    failed = rows[rows["account"].isin([POOR, BOTH])]
    put_in = waterfall().query("stage != 'uncovered'")["amount_usd"].sum()

    assert table["amount_usd"].sum() == -failed["venue_pnl"].sum() + put_in
    np.testing.assert_array_equal(table[["A", "B", ""]].sum(axis=1), table["amount_usd"])


def test_a_loss_belongs_to_the_markets_in_which_positions_were_closed() -> None:
    """All of POOR's was in A. Of BOTH, 150 were liquidated in A and 50 in B, and 40 deleveraged in B."""
    rows = borne(run()).set_index(["account", "market"])["amount_usd"]

    assert set(rows.loc[POOR].index) == {"A"}
    assert rows.loc[BOTH, "A"].sum() == pytest.approx(60 * 150 / 240)
    assert rows.loc[BOTH, "B"].sum() == pytest.approx(60 * 90 / 240)


def test_an_account_of_which_nothing_was_closed_counts_by_what_was_tried_or_nowhere() -> None:
    made = run()
    orders = made.liquidations.assign(notional_usd=0.0, filled=0.0)
    tried = replace(made, liquidations=orders, deleverages=deleverages()[:0])
    nothing = replace(tried, liquidations=orders[:0])

    assert borne(tried).set_index("account").loc[BOTH, "amount_usd"].tolist() == pytest.approx(
        [60 * 160 / 250, 60 * 90 / 250]
    )
    assert who_paid(nothing)[""].sum() == who_paid(made)["amount_usd"].sum()


def test_where_nobody_failed_nobody_paid() -> None:
    calm = accounts().assign(liquidated=False)
    table = who_paid(run(accounts=calm, waterfall=waterfall()[:0]))

    assert (table["amount_usd"] == 0).all()
    assert (table["share"] == 0).all()


def test_an_account_that_gained_in_spite_of_a_liquidation_paid_nothing() -> None:
    lucky = accounts().assign(liquidated=lambda rows: rows["account"] == SHORT)

    table = who_paid(run(accounts=lucky, waterfall=waterfall()[:0])).set_index("stage")

    assert table.loc["trader_collateral", "amount_usd"] == 0


def test_haircuts_by_hand() -> None:
    """SHORT lost 12 on 160 at the mark in two fills, MAKER 4 on 36."""
    rows = haircuts(run()).set_index("account")
    distribution = haircut_distribution(run())

    assert rows.loc[SHORT, ["fills", "notional_usd", "haircut_usd"]].tolist() == [2, 160.0, 12.0]
    assert rows.loc[MAKER, "share"] == pytest.approx(4 / 36)
    assert distribution["winners"] == 2
    assert distribution["haircut_usd"] == 16.0
    assert distribution["median"] == pytest.approx((12 / 160 + 4 / 36) / 2)
    assert distribution["max"] == pytest.approx(4 / 36)


def test_without_deleveraging_the_distribution_is_empty() -> None:
    found = haircut_distribution(run(deleverages=deleverages()[:0]))

    assert found["winners"] == 0
    assert np.isnan(found["median"])


def test_overshoot_over_the_deficit_by_hand() -> None:
    """16 were taken for a deficit of 10; what was taken is, without a twin, what fills took."""
    found = overshoot(run())

    assert found.over_deficit == 6.0
    assert found.over_budget == 0.0


def twin_of(ends: dict[int, float]):
    """A run without deleveraging in which some accounts end with other wealth."""
    rows = accounts().set_index("account")
    for account, wealth in ends.items():
        rows.loc[account, "wealth_end"] = wealth
    return run(accounts=rows.reset_index(), deleverages=deleverages()[:0])


def test_overshoot_of_two_passes_counts_what_winners_would_have_had() -> None:
    """SHORT would have ended with 400, not 350, and MAKER with less than it has: that is not set off."""
    found = overshoot(run(), twin_of({SHORT: 400.0, MAKER: 100.0}))

    assert found.produced == 50.0
    assert found.over_budget == 34.0
    assert found.over_deficit == 40.0


def test_a_twin_in_which_nobody_is_better_off_shows_no_haircut() -> None:
    assert overshoot(run(), twin_of({})).produced == 0.0


def test_a_twin_must_be_of_the_same_seed_and_without_deleveraging() -> None:
    with pytest.raises(ValueError, match="seed 1 and no deleveraging, got seed 1 and 3 fills"):
        overshoot(run(), run())
    with pytest.raises(ValueError, match="got seed 2 and 0 fills"):
        overshoot(run(), run(seed=2, deleverages=deleverages()[:0]))


def test_losses_by_role_end_where_the_money_ends() -> None:
    """RICH lost 200, POOR its 50 and not the 20 it owes, BOTH 60 less the 10 it made outside."""
    rows = loss_by_role(run()).set_index("role")

    assert rows.loc["retail", "loss"] == 300.0
    assert rows.loc["market_makers", "loss"] == 0.0
    assert rows.loc["retail", "rate"] == pytest.approx(300 / 1750)
    assert rows.loc["retail", "liquidated"] == pytest.approx(2 / 5)
    assert rows["share"].tolist() == [1.0, 0.0]


def test_deciles_hold_equally_many_and_the_first_is_the_poorest() -> None:
    rows = deciles(run(), parts=5).set_index("account")["decile"]
    table = loss_by_decile(run(), parts=5)

    assert rows[POOR] == 1
    assert rows[BOTH] == 2
    assert table["accounts"].tolist() == [1] * 5
    assert table["loss"].tolist() == [50.0, 50.0, 0.0, 0.0, 200.0]
    assert table["rate"].tolist() == pytest.approx([1.0, 0.5, 0.0, 0.0, 0.2])


def test_many_equals_are_split_evenly() -> None:
    one = accounts()[:1]
    many = pd.concat([one.assign(account=number) for number in range(200, 400)])

    assert (deciles(run(accounts=many))["decile"].value_counts() == 20).all()


@pytest.mark.parametrize(
    ("values", "expected"), [([3, 3, 3], 0.0), ([0, 0, 0, 8], 0.75), ([1, 2, 3], 2 / 9), ([5], 0.0)]
)
def test_gini_by_hand(values, expected) -> None:
    assert gini(values) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=40), st.floats(0.1, 10))
def test_gini_is_half_the_mean_difference_over_the_mean_whatever_the_unit(values, factor) -> None:
    found = np.array(values)
    if found.sum() < 1e-3:
        return
    direct = np.abs(found[:, None] - found).mean() / (2 * found.mean())

    assert gini(found) == pytest.approx(direct, abs=1e-9)
    assert gini(found * factor) == pytest.approx(gini(found), abs=1e-9)


def test_gini_of_nothing_is_unknown_and_of_negative_values_refused() -> None:
    assert np.isnan(gini([0, 0]))
    assert gini_of_losses(run()) == pytest.approx(gini([200, 50, 50, 0, 0]))
    with pytest.raises(ValueError, match="at least 0, got -1"):
        gini([-1, 2])


def test_a_run_without_accounts_says_what_is_missing() -> None:
    made = run()
    with pytest.raises(ValueError, match="needs the table accounts"):
        who_paid(replace(made, more={}))
