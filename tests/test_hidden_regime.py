"""The regime of prices is written down for scoring, and nobody in the run sees it."""

import numpy as np
import pytest
from small import SEED, calm

from sim.model import Model
from sim.prices.paths import fundamental_paths
from sim.run import run

SWITCHING = (
    "clock.duration=1h",
    "world.prices={kind: regimes, regimes: ["
    "{name: calm, duration: 10m, volatility: {BTC: 0.5, ETH: 0.6}}, "
    "{name: wild, duration: 10m, volatility: {BTC: 6, ETH: 7}}]}",
)


def transcript(model: Model) -> str:
    try:
        for _ in range(model.scenario.clock.blocks):
            model.step()
        return model.recorder.transcript()
    finally:
        model.close()


def test_the_blocks_table_holds_the_regime_of_each_block() -> None:
    scenario = calm(*SWITCHING)
    blocks = run(scenario, SEED).tables["blocks"]
    expected = fundamental_paths(scenario.world.prices, scenario.clock, scenario.markets, SEED).regime

    assert expected is not None
    assert set(blocks["regime"]) == {0, 1}
    np.testing.assert_array_equal(blocks["regime"], expected[1:])


def test_prices_without_regimes_add_no_column() -> None:
    assert "regime" not in run(calm("clock.duration=10m"), SEED).tables["blocks"]


@pytest.mark.parametrize("change", ["permuted", "removed"])
def test_other_labels_leave_every_event_as_it_was(change: str) -> None:
    plain, blind = Model(calm(*SWITCHING), SEED), Model(calm(*SWITCHING), SEED)
    assert blind.world.regime is not None
    blind.world.regime = 1 - blind.world.regime if change == "permuted" else None

    assert transcript(plain) == transcript(blind)
