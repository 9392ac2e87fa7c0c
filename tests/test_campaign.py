"""Random worlds of every preset break no law, and the worlds reach what matters."""

import pytest
from campaign import worlds

from sim.presets import preset_names

BLOCKS = 1_500
REACHED = {
    "drift": ("fills", "liquidation filled", "loss to insurance_fund", "withdrawals"),
    "dydx_v4": ("fills", "liquidation partial", "deleveraged", "loss to insurance_fund", "withdrawals gated"),
    "gmx_v2": ("fills", "liquidation filled", "deleveraged", "loss to liquidity_pool", "shares sold"),
    "hyperliquid": ("fills", "liquidation partial", "liquidation vault", "deleveraged"),
    "synthetix_v3": ("fills", "liquidation filled", "loss to liquidity_pool", "shares bought"),
}


@pytest.mark.parametrize("preset", preset_names())
def test_random_worlds_of_a_preset_break_no_law(preset: str) -> None:
    seen = worlds(preset, BLOCKS)

    assert seen["blocks"] == BLOCKS
    assert min(seen[event] for event in REACHED[preset]) > 0, seen
