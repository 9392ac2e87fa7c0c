"""How far the AMM's bid and ask stand from its curve."""

from typing import Any

import numpy as np
import pytest
from drift import rows
from hypothesis import given
from hypothesis import strategies as st

from protocol.venues.spread import Spread, half_spreads, moving_variance

pytestmark = pytest.mark.kernel

CALM = {
    "least": 0.001,
    "widest": 0.05,
    "volatility": 0.0,
    "price": 100.0,
    "oracle": 100.0,
    "position": 0.0,
    "inventory": 0.0,
    "slippage": 0.0,
    "pool": 1e9,
    "revenue": 0.0,
}


def given_by(row: dict[str, Any]) -> Spread:
    """Inputs of a row, money turned into micro-USD."""
    money = {name: row[name] * 1e6 for name in ("slippage", "pool", "revenue") if name in row}
    plain = {name: float(row[name]) for name in CALM if name in row}
    return Spread(**(CALM | plain | money))


@pytest.mark.parametrize("row", rows("spreads") + rows("capped_at_the_oracle"))
def test_the_spread_follows_the_rule(row: dict[str, Any]) -> None:
    assert half_spreads(given_by(row)) == pytest.approx((row["bid"], row["ask"]), rel=1e-9)


stances = st.builds(
    Spread,
    least=st.floats(0, 0.01),
    widest=st.floats(0.01, 0.3),
    volatility=st.floats(0, 0.2),
    price=st.floats(20, 500),
    oracle=st.floats(20, 500),
    position=st.floats(-1e6, 1e6),
    inventory=st.floats(0, 1),
    slippage=st.floats(0, 1e9),
    pool=st.floats(-1e9, 1e9),
    revenue=st.floats(-1e9, 1e9),
)


@given(stance=stances)
def test_the_amm_never_quotes_through_the_oracle(stance: Spread) -> None:
    bid, ask = half_spreads(stance)

    assert stance.price * (1 - bid) <= stance.oracle * (1 + 1e-6)
    assert stance.price * (1 + ask) >= stance.oracle * (1 - 1e-12)
    assert 0 <= bid < 1
    assert ask >= 0


@given(stance=stances)
def test_the_whole_spread_is_capped_beside_the_retreat(stance: Spread) -> None:
    bid, ask = half_spreads(stance)
    gap = abs(stance.price - stance.oracle) / stance.price

    assert bid + ask <= max(stance.widest, gap) + gap + 1e-12


@given(stance=stances, fuller=st.floats(0, 1))
def test_a_fuller_inventory_narrows_no_side_that_adds_to_it(stance: Spread, fuller: float) -> None:
    wide = stance._replace(widest=1e9)
    before, after = half_spreads(wide), half_spreads(wide._replace(inventory=max(fuller, stance.inventory)))

    assert after[0] >= before[0] - 1e-12
    assert after[1] >= before[1] - 1e-12


def test_the_variance_is_an_average_over_its_window() -> None:
    still = moving_variance(0.0, 0.02, 60.0, 3_600.0)
    settled = still
    for _ in range(2_000):
        settled = moving_variance(settled, 0.02, 60.0, 3_600.0)

    assert still == pytest.approx((1 - np.exp(-1 / 60)) * 0.0004 / 60)
    assert settled == pytest.approx(0.0004 / 60)
    assert moving_variance(1.0, 0.0, 3_600.0, 3_600.0) == pytest.approx(np.exp(-1))
