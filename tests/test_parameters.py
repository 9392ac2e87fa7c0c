"""Constraints between risk parameters, each with its own sentence."""

from typing import Any

import numpy as np
import pytest
from margin_rules import VENUES, margin_rules
from venue import integers, parameters, reference, usd, venue

from protocol.arithmetic import PPM
from protocol.parameters import TIERS, flat_margins, violations


@pytest.mark.parametrize("row", reference("tiers")["rows"], ids=lambda row: row["name"])
def test_the_tiers_of_dydx_may_be_enacted(row: dict[str, Any]) -> None:
    tier = parameters(
        initial=round(row["initial"] * PPM),
        maintenance=round(row["maintenance"] * PPM),
        open_interest_lower=usd(row["lower"]),
        open_interest_upper=usd(row["upper"]),
        taker_fee=500,
        maker_fee=-110,
    )

    assert violations(tier) == []


@pytest.mark.parametrize("kind", VENUES)
def test_the_rules_of_every_kind_of_venue_may_be_enacted(kind: str) -> None:
    assert violations(margin_rules(kind)) == []


def test_maintenance_may_equal_initial_as_at_gmx() -> None:
    assert violations(parameters(initial=5_000, maintenance=5_000)) == []


def tiers(*rates: int) -> dict[str, Any]:
    """One tier from 100 USD on: what it adds to initial and to maintenance margin."""
    numbers = zip(TIERS, (usd(100), *rates), strict=True)
    return {name: integers(value).reshape(1, 1) for name, value in numbers}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"maintenance": 20_001}, "maintenance <= initial"),
        ({"maintenance": 0}, "0 < maintenance"),
        ({"initial": PPM + 1}, "initial <= 1"),
        ({"open_interest_lower": 5, "open_interest_upper": 5}, "open_interest_lower < open_interest_upper"),
        ({"open_interest_lower": -1, "open_interest_upper": 5}, "0 <= open_interest_lower"),
        ({"taker_fee": 100, "maker_fee": -101}, "taker_fee + maker_fee >= 0"),
        (tiers(10_000, 10_001), "tier_maintenance <= tier_initial"),
        (tiers(10_000, -1), "tier_maintenance >= 0"),
        (tiers(980_001, 0), "initial + all of tier_initial <= 1"),
        ({"slope_maintenance": np.array([0.1])}, "slope_maintenance <= slope_initial"),
        ({"root": np.array([-1e-9])}, "root >= 0"),
        ({"open_interest_slope": np.array([-1e-9])}, "open_interest_slope >= 0"),
        ({"weight_initial": integers(1)}, "weight_initial <= weight_maintenance"),
        ({"weight_maintenance": integers(PPM + 1)}, "weight_maintenance <= 1"),
        ({"gain_weight": integers(PPM + 1)}, "gain_weight <= 1"),
        ({"gain_weight": integers(-1)}, "gain_weight >= 0"),
        ({"fill_share": PPM + 1}, "fill_share <= 1"),
        ({"position_margin": integers(-1)}, "position_margin >= 0"),
        ({"margin_floor": integers(-1)}, "margin_floor >= 0"),
        ({"open_interest_cap": integers(-1)}, "open_interest_cap >= 0"),
        ({"exit_fee": -1}, "exit_fee >= 0"),
        ({"cap_base": integers(0), "cap_ratio": integers(1)}, "cap_base must be another market"),
        ({"cap_base": integers(1), "cap_ratio": integers(1)}, "cap_base must be another market"),
        ({"cap_base": integers(-2), "cap_ratio": integers(1)}, "cap_base must be another market"),
        ({"cap_ratio": integers(-1)}, "cap_ratio >= 0"),
        ({"cap_growth": integers(-1)}, "cap_growth >= 0"),
        ({"reward_minimum": 2, "reward_maximum": 1}, "reward_minimum <= reward_maximum"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_broken_constraint_is_named_with_its_values(changes: dict[str, Any], rule: str) -> None:
    found = violations(parameters(**changes))

    assert len(found) == 1
    assert rule in found[0]
    assert "got" in found[0]


def test_a_broken_constraint_names_its_market() -> None:
    rules = parameters(3)
    rules.initial[2] = 11_999

    assert [line for line in violations(rules) if "market 2" in line] == violations(rules) != []


@pytest.mark.parametrize(
    ("base", "ratio", "rule"),
    [
        ((-1, 0), (0, 1), ""),
        ((1, 0), (1, 1), "cap_base must be another market without a ceiling"),
        ((-1, 0), (0, 0), r"cap_ratio > 0 must hold, got 0.0 (market 1)"),
    ],
)
def test_a_ceiling_needs_a_ratio_and_a_base_without_one(
    base: tuple[int, int], ratio: tuple[int, int], rule: str
) -> None:
    found = violations(parameters(2, cap_base=integers(*base), cap_ratio=integers(*ratio)))

    assert bool(found) == bool(rule)
    assert all(rule in each for each in found)


def test_what_a_flat_venue_leaves_out_is_not_shared_between_fields() -> None:
    columns = [value for value in flat_margins(2).values() if isinstance(value, np.ndarray)]

    assert len({id(column) for column in columns}) == len(columns) > 10


def test_an_exchange_refuses_broken_parameters_and_keeps_the_old_ones() -> None:
    exchange = venue(100)
    before = exchange.parameters
    with pytest.raises(ValueError, match=r"maintenance=0\.03, initial=0\.02"):
        exchange.enact(parameters(maintenance=30_000))

    assert exchange.parameters is before
