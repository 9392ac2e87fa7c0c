"""Traders of all markets at once, and the sweep that sets them between cross and isolated margin."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agents.role import holdable
from protocol.arithmetic import MICRO
from scenarios.baskets import Baskets
from sim.streams import stream
from sim.sweeps.study import load_study

ROOT = Path(__file__).resolve().parent.parent
ACCOUNTS = np.array([10, 11, 12, 13])


def view(isolated: bool, time: float = 60.0, held: int = 0) -> SimpleNamespace:
    """Two markets at 100 and 10 USD a lot; everybody has 1,000 USD and holds `held` lots of each."""
    alone = np.full(2, isolated)
    return SimpleNamespace(
        time=time,
        risk=np.full((3, 14), 1_000 * MICRO),
        mid=np.array([100.0, 10.0]) * MICRO,
        book=SimpleNamespace(size=np.full((2, 14), held)),
        holdable=lambda accounts: holdable(alone, len(accounts)),
    )


def bought(seen: SimpleNamespace) -> np.ndarray:
    """Lots ordered, by market and account."""
    baskets = Baskets(ACCOUNTS, lambda *name: stream(1, *name), {"leverage": 8, "entry": 1800})
    made = baskets.act(seen)
    lots = np.zeros((2, 4), np.int64)
    np.add.at(lots, (made.market, made.account - 10), made.size)
    return lots


def test_under_cross_margin_everybody_buys_both_in_equal_parts() -> None:
    assert bought(view(isolated=False)).tolist() == [[40] * 4, [400] * 4]


def test_where_positions_stand_alone_half_buy_each_and_the_notional_is_the_same() -> None:
    lots = bought(view(isolated=True))

    assert lots.tolist() == [[80, 0, 80, 0], [0, 800, 0, 800]]
    assert lots.sum(axis=1).tolist() == bought(view(isolated=False)).sum(axis=1).tolist()


@pytest.mark.parametrize("seen", [view(False, time=1801.0), view(False, held=800)])
def test_afterwards_and_with_enough_they_hold_still(seen) -> None:
    assert not bought(seen).any()


def test_the_sweep_sets_margin_against_a_fall_of_bitcoin_alone() -> None:
    study = load_study(ROOT / "scenarios" / "sweeps" / "cross_margin.yaml")

    assert [point.labels for point in study.points] == [
        {"margin": margin, "fall": fall} for margin in ("cross", "isolated") for fall in ("none", "bitcoin")
    ]
    assert len(study.seeds) == 32
