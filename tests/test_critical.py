"""The critical shock: found where it is planted, by halving, and on a venue of the tests' own."""

import numpy as np
import pandas as pd
import pytest
from small import calm

from analysis.critical import (
    AS_IT_IS,
    GRID,
    Critical,
    Probe,
    _first,
    critical,
    out_of_order,
    shocked,
    variants,
)
from analysis.critical_page import critical_tables, sentences, write_critical
from sim.configuration import Scenario

SMALL = ("agents.retail.accounts=200", "clock.duration=40m")
PROBE = Probe(at=600.0, tolerance=0.02)


def scenario(*overrides: str) -> Scenario:
    """A calm venue of forty minutes."""
    return calm(*SMALL, *overrides)


@pytest.mark.parametrize("planted", [0.012, 0.05, 0.1234, 0.449, 0.899])
def test_a_planted_shock_is_found_to_within_its_bracket(planted: float) -> None:
    asked: list[float] = []

    def broken(size: float) -> bool:
        asked.append(size)
        return size >= planted

    assert _first(broken, 0.0025) == pytest.approx(planted, abs=0.0025)
    assert len(asked) <= len(GRID) + 7


def test_a_venue_that_is_broken_without_a_shock_needs_none_and_one_that_never_breaks_has_none() -> None:
    assert _first(lambda size: True, 0.01) == 0.0
    assert np.isnan(_first(lambda size: False, 0.01))


def test_a_fall_is_laid_over_the_shocks_that_are_there() -> None:
    base = scenario("shocks=[{at: 5m, kind: gas_spike, factor: 3, duration: 10m}]")
    found = shocked(base, Probe(600.0, ("BTC",)), 0.2).shocks

    assert [shock.kind for shock in found] == ["gas_spike", "price_jump"]
    assert (found[1].at, found[1].size, found[1].markets) == (600, -0.2, ("BTC",))
    assert shocked(base, PROBE, 0) is base


def test_each_variant_has_more_of_one_protection_and_nothing_else() -> None:
    found = variants(scenario())
    base = found.pop(AS_IT_IS)
    moved = {
        name: (
            each.protocol.insurance_fund - base.protocol.insurance_fund,
            each.world.depth.within_1pct["BTC"] - base.world.depth.within_1pct["BTC"],
            round(
                each.protocol.markets["BTC"].maintenance_margin
                - base.protocol.markets["BTC"].maintenance_margin,
                6,
            ),
        )
        for name, each in found.items()
    }

    assert list(moved.values()) == [(1e6, 0, 0), (0, 1e6, 0), (0, 0, 0.01)]


@pytest.fixture(scope="module")
def found() -> Critical:
    thin = {AS_IT_IS: scenario(), "richer": scenario("protocol.insurance_fund=500000000")}
    return critical(thin, PROBE, (1, 2), workers=0)


@pytest.mark.slow
def test_a_venue_bears_what_lies_below_its_critical_shock_and_not_what_lies_above(found: Critical) -> None:
    for row in found.rows.to_dict(orient="records"):
        curve = found.curve[(found.curve["variant"] == row["variant"]) & (found.curve["seed"] == row["seed"])]
        below = curve[curve["shock"] < row["gross"] - PROBE.tolerance]

        assert 0.02 < row["gross"] < 0.9
        assert (below["gross"] <= PROBE.share).all()
        assert (curve.loc[curve["shock"] > row["gross"], "gross"].head(1) > PROBE.share).all()
    assert found.failures == ()


@pytest.mark.slow
def test_a_richer_fund_leaves_gross_bad_debt_alone(
    found: Critical,
) -> None:
    """That a fund moves the shock beyond it, and by how much, is in `test_handmade`."""
    assert found.bought("richer", "gross")[0] == 0.0
    assert found.bought("richer", "beyond")[0] >= 0.0


@pytest.mark.slow
def test_what_was_found_is_written_and_told(found: Critical, tmp_path) -> None:
    write_critical(found, tmp_path / "critical")

    assert {file.name for file in (tmp_path / "critical").iterdir()} >= {
        "critical.csv",
        "curve.csv",
        "critical.png",
    }
    assert sentences(found)[0].startswith("A fall of ")
    assert critical_tables(found)[0].row_count == 3  # as it is, richer, and what that buys


def test_worlds_that_fail_are_told_and_make_no_result() -> None:
    upward = ", ".join(["{at: 5m, kind: price_jump, size: 10}"] * 14)
    found = critical({AS_IT_IS: scenario(f"shocks=[{upward}]")}, PROBE, (1,), workers=0)

    assert "outside_price_fits_the_venue" in found.failures[0]
    assert sentences(found) == ["No world was searched to its end, so nothing is known of a critical shock."]


def test_worlds_in_which_a_deeper_fall_left_less_are_listed_and_no_others() -> None:
    table = pd.DataFrame(
        {
            "seed": [1, 1, 1, 2, 2, 2],
            "size": [-0.1, -0.3, -0.2, -0.1, -0.2, -0.3],
            "loss": [1.0, 3.0, 4.0, 1.0, 1.0, 2.0],
        }
    )
    wrong = out_of_order(table, "size", "loss")

    assert wrong.to_dict(orient="records") == [
        {"seed": 1, "shallower": 0.2, "deeper": 0.3, "before": 4.0, "after": 3.0, "steps": 4}
    ]
    assert out_of_order(table[table["seed"] == 2], "size", "loss").empty
