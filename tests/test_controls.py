"""Controls of the whole market: what must vanish when its cause is taken away."""

import numpy as np
import pandas as pd
import pytest
from small import calmed

from protocol.arithmetic import PPM

SEEDS = (1, 2, 3, 4)
NO_IMPACT = "world.impact.coefficient=0"
NO_ARBITRAGE = ("agents.arbitrageurs.gas_tolerance=1.0e-9", "agents.market_makers.basis_weight=1")


def bitcoin(*overrides: str, seed: int) -> pd.DataFrame:
    """The market of bitcoin in eight quiet hours, after the first."""
    table = calmed("clock.duration=8h", *overrides, seed=seed).tables["markets"]
    return table[table["market"] == "BTC"].iloc[60:]


def basis(course: pd.DataFrame) -> np.ndarray:
    """Middle of the venue's book over the outside price, less one [1]."""
    found: np.ndarray = ((course["bid"] + course["ask"]) / 2 / course["outside"] - 1).to_numpy()
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_without_impact_the_outside_price_is_the_fundamental_and_the_venue_keeps_to_it(seed: int) -> None:
    course = bitcoin(NO_IMPACT, seed=seed)
    half_spread = float(((course["ask"] - course["bid"]) / course["outside"]).median()) / 2
    minute = float(np.log(course["outside"]).diff().std())
    fees = 500 / PPM + 2e-4  # a taker's on the venue and an arbitrageur's outside

    np.testing.assert_allclose(course["outside"], course["fundamental"], rtol=1e-12)
    assert np.quantile(np.abs(basis(course)), 0.95) < half_spread + fees + 2 * minute


@pytest.mark.parametrize("seed", SEEDS)
def test_with_impact_the_outside_price_leaves_the_fundamental(seed: int) -> None:
    course = bitcoin(seed=seed)

    assert np.abs(course["outside"] / course["fundamental"] - 1).max() > 1e-5


@pytest.mark.long
def test_without_arbitrage_the_basis_wanders() -> None:
    held, free = (
        np.sqrt(np.mean([np.mean(basis(bitcoin(*overrides, seed=seed)) ** 2) for seed in SEEDS]))
        for overrides in ((), NO_ARBITRAGE)
    )

    assert held < 10e-4
    assert free > 3 * held
