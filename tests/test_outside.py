"""Positions and cash outside the venue: trades add up, worth is cash and positions."""

import numpy as np
from venue import integers

from agents.role import NO_HEDGES, Hedges
from sim.outside import Outside

PRICE = np.array([100.0, 10.0])


def batches() -> list[Hedges]:
    return [
        Hedges(integers(0, 1, 0), integers(0, 0, 1), np.array([2.0, -5.0, 4.0])),
        NO_HEDGES,
        Hedges(integers(1, 1), integers(0, 0), np.array([1.0, 0.5])),
    ]


def test_the_flow_is_the_net_purchase_of_each_market() -> None:
    np.testing.assert_array_equal(Outside(2, 2).flow(batches()), [-1.5, 4.0])


def test_a_hedge_pays_its_price() -> None:
    outside = Outside(2, 2)
    outside.execute(batches(), PRICE)

    np.testing.assert_array_equal(outside.size, [[2.0, -3.5], [4.0, 0.0]])
    np.testing.assert_array_equal(outside.cash, [-240.0, 350.0])


def test_trading_at_the_price_changes_no_worth() -> None:
    outside = Outside(2, 2)
    outside.cash[:] = 1000.0
    outside.execute(batches(), PRICE)

    np.testing.assert_array_equal(outside.worth(PRICE), [1000.0, 1000.0])
    np.testing.assert_array_equal(outside.worth(2 * PRICE), [1240.0, 650.0])


def test_no_hedges_are_no_flow() -> None:
    outside = Outside(2, 3)
    outside.execute([], PRICE)

    assert not outside.flow([]).any()
    assert not outside.size.any()
