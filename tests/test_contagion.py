"""Networks of a venue whose falls and positions are known by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ties import IDLE, accounts, failures, positions, run

from analysis.contagion import (
    FUND,
    VAULT,
    exposure_network,
    groups,
    market_network,
    passed_on,
    stakes,
    stress_clearing,
    stress_network,
)


def weights(network) -> dict[tuple[str, str], float]:
    return {(a, b): usd for a, b, usd in network.edges(data="usd")}


def test_falls_are_put_down_to_the_markets_that_lost() -> None:
    """POOR fell with 240 in A. BOTH lost 40 on A and 10 on B, and held 160 and 90: A has 80 % of both."""
    found = market_network(run(), lookback=60)

    assert weights(found) == pytest.approx(
        {("A", "A"): 240 + 0.8 * 160, ("A", "B"): 0.8 * 90, ("B", "A"): 0.2 * 160, ("B", "B"): 0.2 * 90}
    )
    assert found.graph["unexplained_usd"] == 0.0


def test_all_that_fell_is_in_the_network_or_unexplained() -> None:
    rising = failures().assign(mark=failures()["mark"] * 2)
    total = float((rising["size"] * rising["mark"]).abs().sum())

    none = market_network(run(failures=rising), lookback=60)

    assert not none.edges
    assert none.graph["unexplained_usd"] == pytest.approx(total)


def test_positions_that_stand_alone_carry_nothing_to_another_market() -> None:
    alone = failures().query("account == 101 or market == 'B'")

    assert set(weights(market_network(run(failures=alone), lookback=60))) == {("A", "A"), ("B", "B")}


def test_losses_before_the_look_back_do_not_count() -> None:
    """Told a block later, with nothing lost in the last one."""
    later = failures().assign(block=4)

    assert not market_network(run(failures=later), lookback=60).edges
    assert market_network(run(failures=later), lookback=120).edges


def test_a_stress_falls_on_who_holds_the_market_and_on_what_else_they_hold() -> None:
    """A falls by 15 %. POOR: 50 − 45 < 15 × 0.85. BOTH: 100 − 75 < 40 × 725/800. RICH: 850 stands.

    B alone falls by 15 %: BOTH has 55 left of 100, and needs 40 × 755/800 = 37.75.
    """
    found = stress_network(run(), -0.15)

    assert weights(found) == pytest.approx({("A", "A"): 800.0, ("A", "B"): 300.0})
    assert found.nodes["A"]["usd"] == 2400.0


def test_a_stress_of_nothing_hits_nobody_and_a_larger_one_hits_no_fewer() -> None:
    sums = [sum(weights(stress_network(run(), move)).values()) for move in (0.0, -0.1, -0.2, -0.5, -0.9)]

    assert sums[0] == 0.0
    assert sums == sorted(sums)
    assert sums[-1] > sums[2] > sums[1] == 0.0


def test_a_rise_hits_shorts() -> None:
    """SHORT has 200, owes 180 more at 30 % up, and needs 39."""
    assert weights(stress_network(run(), 0.3)) == pytest.approx({("A", "A"): 600.0})


def test_isolated_positions_leave_other_markets_alone_under_stress() -> None:
    alone = positions().query("not (account == 102 and market == 'B')")

    assert ("A", "B") not in weights(stress_network(run(positions=alone), -0.3))


def test_what_falls_in_one_market_is_passed_on_in_shares() -> None:
    """At −15 % a third of A falls, and 300 of 800 in B; B's own move fells nothing, so it stops there."""
    found = passed_on(stress_network(run(), -0.15), "A")

    assert found == pytest.approx({"A": 800 / 2400, "B": 300 / 800})
    assert passed_on(stress_network(run(), -0.15), "B") == {"A": 0.0, "B": 0.0}


def test_a_market_that_comes_back_adds_to_the_first() -> None:
    """At −40 % BOTH fails in either market: a circle, in which losses grow."""
    network = stress_network(run(), -0.4)
    found = passed_on(network, "A")

    assert network.has_edge("B", "A")
    assert found["A"] > network.edges["A", "A"]["usd"] / network.nodes["A"]["usd"]
    assert max(found.values()) <= 1.0


def test_shares_in_the_vault_are_no_margin() -> None:
    size, equity, maintenance = stakes(run())
    index = accounts()["account"].tolist().index(IDLE)

    assert equity[index] == 100.0
    assert size.shape == (6, 2)
    assert maintenance.sum() == 160.0


def test_clearing_pays_winners_what_losers_have_and_the_fund() -> None:
    """A falls by half: RICH owes 500, POOR 150 of which it has 50, BOTH 250 with 100; SHORT gains 300.

    There is 500 + 50 + 100 + 25 for 300: everything is paid.
    """
    table, clearing = stress_clearing(run(), "A", -0.5)
    rows = table.set_index("group")

    assert rows.loc["retail", "unpaid"] == 250.0
    assert rows["received"].sum() == rows["gained"].sum() == 300.0
    assert clearing.defaulted.tolist() == [True, True, False, False]


def test_clearing_cuts_all_winners_alike_where_money_lacks() -> None:
    """Without RICH, A falls by half: 50 + 100 and the fund's 25 for SHORT's 300."""
    made = run(
        accounts=accounts().query("account != 100").reset_index(drop=True),
        positions=positions().query("account != 100"),
    )
    table, clearing = stress_clearing(made, "A", -0.5)

    assert table["received"].sum() == pytest.approx(175.0)
    assert clearing.defaulted[-1]
    assert clearing.shortfall == pytest.approx(100 + 150 + 125)


def test_a_move_of_nothing_clears_without_a_default() -> None:
    table, clearing = stress_clearing(run(), "A", 0.0)

    assert not clearing.defaulted.any()
    assert table[["lost", "unpaid", "gained", "received"]].to_numpy().sum() == 0


def test_the_exposure_network_holds_positions_collateral_deposits_and_payments() -> None:
    found = exposure_network(run())
    edges = {(a, b): (data["kind"], data["usd"]) for a, b, data in found.edges(data=True)}

    assert edges == {
        ("retail", "A"): ("position", 2400.0),
        ("retail", "B"): ("position", 300.0),
        ("market makers", "B"): ("position", 500.0),
        ("retail", "B collateral"): ("collateral", 40.0),
        ("retail", VAULT): ("deposit", 300.0),
        (FUND, "retail"): ("payment", 30.0),
        ("retail", "retail"): ("haircut", 12.0),
        ("market makers", "retail"): ("haircut", 4.0),
    }
    assert found.nodes["retail"] == {"kind": "group", "usd": 1750.0}
    assert found.nodes[FUND]["usd"] == 25.0


def test_large_roles_are_split_by_wealth() -> None:
    one = accounts()[:1]
    rows = [one.assign(account=200 + number, equity_start=float(number)) for number in range(100)]
    many = pd.concat([*rows, accounts()[4:5]], ignore_index=True)

    found = groups(run(accounts=many))

    assert found[200] == "retail 1"
    assert found[299] == "retail 10"
    assert found[104] == "market makers"
    assert found.value_counts()["retail 5"] == 10


def test_runs_without_the_tables_say_what_is_missing() -> None:
    bare = replace(run(), more={})
    for question, missing in (
        (exposure_network, "accounts"),
        (market_network, "failures"),
        (stress_network, "accounts"),
    ):
        with pytest.raises(ValueError, match=f"needs the table {missing}"):
            question(bare)
    with pytest.raises(ValueError, match="needs the table positions"):
        stress_network(replace(run(), more={"accounts": accounts()}))
    with pytest.raises(ValueError, match="move of -1"):
        stress_network(run(), -1.0)


def test_networks_of_markets_name_every_market() -> None:
    assert list(market_network(run())) == list(stress_network(run())) == ["A", "B"]
    assert np.isfinite([usd for *_, usd in stress_network(run()).edges(data="usd")]).all()
