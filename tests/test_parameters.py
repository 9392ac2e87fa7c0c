"""Constraints between risk parameters, each with its own sentence."""

from typing import Any

import pytest
from venue import parameters, reference, usd, venue

from protocol.arithmetic import PPM
from protocol.parameters import violations


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


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"maintenance": 20_000}, "maintenance < initial"),
        ({"maintenance": 0}, "0 < maintenance"),
        ({"initial": PPM + 1}, "initial <= 1"),
        ({"open_interest_lower": 5, "open_interest_upper": 5}, "open_interest_lower < open_interest_upper"),
        ({"open_interest_lower": -1, "open_interest_upper": 5}, "0 <= open_interest_lower"),
        ({"taker_fee": 100, "maker_fee": -101}, "taker_fee + maker_fee >= 0"),
    ],
)
def test_a_broken_constraint_is_named_with_its_values(changes: dict[str, int], rule: str) -> None:
    found = violations(parameters(**changes))

    assert len(found) == 1
    assert rule in found[0]
    assert "got" in found[0]


def test_a_broken_constraint_names_its_market() -> None:
    rules = parameters(3)
    rules.initial[2] = 12_000

    assert [line for line in violations(rules) if "market 2" in line] == violations(rules) != []


def test_an_exchange_refuses_broken_parameters_and_keeps_the_old_ones() -> None:
    exchange = venue(100)
    before = exchange.parameters
    with pytest.raises(ValueError, match=r"maintenance=0\.03, initial=0\.02"):
        exchange.enact(parameters(maintenance=30_000))

    assert exchange.parameters is before
