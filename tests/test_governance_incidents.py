"""What went wrong in governance: each case happens by the rules of its day, and not with its cure."""

import pytest
from test_incidents import incident

LOST, PRICE = 10_938.0, 2_030.0


def test_a_ratio_cut_to_its_bound_beside_a_moment_that_is_not_liquidates_staked_ether() -> None:
    result = incident("capo_2026")
    sales, proposal = result.tables["sales"], result.tables["proposals"].iloc[0]
    cap = result.tables["markets"].query("market == 'WSTETH' and block == 61").iloc[0]
    gained = ((cap["outside"] - sales["price"]) * -sales["sold"]).sum() / PRICE

    assert (proposal["state"], proposal["truncated"]) == ("executed", 1)
    assert 1 - cap["oracle"] / cap["outside"] == pytest.approx(0.0285, abs=5e-4)
    assert sales["account"].nunique() == 34
    assert -sales["sold"].sum() == pytest.approx(LOST, rel=0.01)
    assert 26e6 < result.summary["collateral_sold_usd"] < 27e6
    assert gained == pytest.approx(512, rel=0.02)
    assert result.summary["bad_debt_gross_usd"] == 0


@pytest.mark.parametrize(
    ("cure", "state", "why"),
    [
        ("governance.hub.joint=true", "rejected", "must not be cut to their bounds"),
        ("governance.scope=revert", "queued", "it would put 34 accounts below maintenance"),
        ("governance.hub.truncates=false", "executed", ""),
    ],
)
def test_what_cures_it(cure: str, state: str, why: str) -> None:
    result = incident("capo_2026", cure)
    proposal = result.tables["proposals"].iloc[0]

    if cure.endswith("truncates=false"):  # the moment alone still moves: no cure
        assert len(result.tables["sales"])
    else:
        assert not len(result.tables["sales"])
        assert proposal["state"] == state
        assert why in proposal["reason"]
