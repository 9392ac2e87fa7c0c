"""The AMM's curve: a constant product with a peg, and what moving it costs."""

from typing import Any

import numpy as np
import pytest
from drift import a_curve, reference, rows
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad

from protocol.venues.curve import (
    affordable_peg,
    budgeted_scale,
    cash_lots,
    closing_value,
    curve_price,
    fits,
    lots_until,
    open_curve,
    open_sides,
    peg_at,
    peg_cost,
    rescale,
    reserves,
    tethered_peg,
    trade_value,
)

pytestmark = pytest.mark.kernel

USD = 1e6
positions = st.floats(-400, 400)


@pytest.mark.parametrize("row", rows("curve"))
def test_the_position_says_where_on_the_curve_the_amm_stands(row: dict[str, float]) -> None:
    curve, position = a_curve(), float(row["position"])

    assert reserves(curve, 0, position) == pytest.approx((row["base"], row["quote"]), rel=1e-14)
    assert curve_price(curve, 0, position) == pytest.approx(row["price"] * USD, rel=1e-14)
    assert closing_value(curve, 0, position) == pytest.approx(row["closing"] * USD, rel=1e-14)


@pytest.mark.parametrize("row", rows("trades"))
def test_a_trade_costs_what_the_constant_product_asks(row: dict[str, float]) -> None:
    base, quote = reserves(a_curve(), 0, float(row["position"]))

    assert trade_value(base, quote, 100 * USD, float(row["change"])) == pytest.approx(row["cash"] * USD)


@given(position=positions, change=st.floats(-300, 300))
def test_a_trade_costs_the_integral_of_the_price(position: float, change: float) -> None:
    curve = a_curve()
    base, quote = reserves(curve, 0, position)
    expected, _ = quad(lambda lots: curve_price(curve, 0, position - lots), 0, change)

    assert trade_value(base, quote, 100 * USD, change) == pytest.approx(expected, rel=1e-9, abs=1e-3)


@given(position=positions, first=st.floats(-250, 250), second=st.floats(-250, 250))
def test_a_trade_in_two_parts_costs_the_same(position: float, first: float, second: float) -> None:
    curve = a_curve()
    assume(position - first - second > -900)
    whole = trade_value(*reserves(curve, 0, position), 100 * USD, first + second)
    parts = trade_value(*reserves(curve, 0, position), 100 * USD, first)
    parts += trade_value(*reserves(curve, 0, position - first), 100 * USD, second)

    assert parts == pytest.approx(whole, rel=1e-9, abs=1e-3)


@given(position=positions)
def test_the_closing_value_is_what_takers_would_pay_for_the_whole_position(position: float) -> None:
    curve = a_curve()

    assert closing_value(curve, 0, position) == pytest.approx(
        trade_value(*reserves(curve, 0, position), 100 * USD, position), rel=1e-12, abs=1e-6
    )


@given(position=positions, scale=st.floats(0.9, 1.1), peg=st.floats(20, 300))
def test_the_product_of_the_reserves_is_constant_between_revisions(
    position: float, scale: float, peg: float
) -> None:
    curve = a_curve(peg=peg)
    rescale(curve, 0, position, scale)
    for other in (position, 0.0, -position / 2, 100.0):
        base, quote = reserves(curve, 0, other)

        assert base * quote == pytest.approx((1_000 * scale) ** 2, rel=1e-12)


@pytest.mark.parametrize(("price", "depth"), [(100.0, 1e6), (60_000.0, 2e7), (0.15, 5e4)])
def test_the_depth_buys_the_price_up_by_one_percent(price: float, depth: float) -> None:
    curve = open_curve(np.array([price * USD]), np.array([depth * USD]))
    base, quote = reserves(curve, 0, 0.0)
    lots = lots_until(base, curve.root[0], curve.peg[0], 1.01 * price * USD)

    assert curve_price(curve, 0, 0.0) == pytest.approx(price * USD)
    assert curve_price(curve, 0, -lots) == pytest.approx(1.01 * price * USD)
    assert trade_value(base, quote, curve.peg[0], lots) == pytest.approx(depth * USD)
    assert curve.root[0] * price == pytest.approx(200.498756 * depth)


@pytest.mark.parametrize(("price", "depth"), [(0.0, 1.0), (1.0, 0.0), (1.0, -5.0)])
def test_a_curve_without_price_or_depth_is_refused(price: float, depth: float) -> None:
    with pytest.raises(ValueError, match=rf"got price={price}, depth={depth} micro-USD \(market 1\)"):
        open_curve(np.array([1.0, price]), np.array([1.0, depth]))


@given(position=positions, price=st.floats(30, 300))
def test_lots_until_a_price_lead_to_that_price(position: float, price: float) -> None:
    curve = a_curve()
    lots = lots_until(reserves(curve, 0, position)[0], 1_000.0, 100 * USD, price * USD)

    assert curve_price(curve, 0, position - lots) == pytest.approx(price * USD, rel=1e-9)


@given(position=positions, cash=st.floats(1, 20_000), sign=st.sampled_from([1.0, -1.0]))
def test_cash_lots_cost_that_cash(position: float, cash: float, sign: float) -> None:
    base, quote = reserves(a_curve(), 0, position)
    lots = cash_lots(base, quote, 100 * USD, sign, cash * USD)

    assert sign * trade_value(base, quote, 100 * USD, sign * lots) == pytest.approx(cash * USD, rel=1e-9)


def test_no_sale_brings_more_than_the_quote_reserve() -> None:
    assert cash_lots(1_000.0, 1_000.0, 100 * USD, -1.0, 100_000 * USD) == np.inf


def test_the_band_of_the_reserves_bounds_what_the_amm_trades() -> None:
    assert open_sides(a_curve(), 0, 0.0, 1.25) == pytest.approx((250, 200))
    assert open_sides(a_curve(), 0, -150.0, 1.25) == pytest.approx((400, 50))
    assert open_sides(a_curve(), 0, -250.0, 1.25) == (500, 0)


@pytest.mark.parametrize("row", rows("peg_costs"))
def test_a_new_peg_costs_what_the_closing_value_loses(row: dict[str, float]) -> None:
    curve, position = a_curve(), float(row["position"])
    moved = a_curve(peg=row["peg"])
    lost = closing_value(curve, 0, position) - closing_value(moved, 0, position)

    assert peg_cost(curve, 0, position, row["peg"] * USD) == pytest.approx(
        row["cost"] * USD, rel=1e-12, abs=1e-6
    )
    assert lost == pytest.approx(row["cost"] * USD, rel=1e-12, abs=1e-6)


@given(position=positions, price=st.floats(50, 200), budget=st.floats(0, 5_000))
def test_the_affordable_peg_spends_the_budget_and_no_more(
    position: float, price: float, budget: float
) -> None:
    curve = a_curve()
    peg = affordable_peg(curve, 0, position, price * USD, budget * USD)
    cost = peg_cost(curve, 0, position, peg)
    target = peg_at(curve, 0, position, price * USD)

    assert cost <= budget * USD * (1 + 1e-9) + 1e-3
    assert min(100 * USD, target) - 1e-3 <= peg <= max(100 * USD, target) + 1e-3
    if peg != pytest.approx(target):
        assert cost == pytest.approx(budget * USD, rel=1e-9, abs=1e-3)


def test_an_overdrawn_budget_moves_no_peg_that_costs() -> None:
    curve = a_curve()
    rich = affordable_peg(curve, 0, -100.0, 100 * USD, -5.0)

    assert affordable_peg(curve, 0, -100.0, 200 * USD, -5.0) == 100 * USD
    assert curve_price(curve._replace(peg=np.array([rich])), 0, -100.0) == pytest.approx(100 * USD)


@given(position=positions, oracle=st.floats(40, 250), half=st.floats(0.01, 0.2))
def test_a_tethered_curve_stays_within_its_distance_of_the_oracle(
    position: float, oracle: float, half: float
) -> None:
    curve = a_curve()
    curve.peg[0] = tethered_peg(curve, 0, position, oracle * USD, half, 0.0)
    gap = curve_price(curve, 0, position) / (oracle * USD) - 1

    assert abs(gap) <= half * (1 + 1e-9)


@pytest.mark.parametrize("row", rows("depth_scales"))
def test_depth_changes_by_what_its_budget_pays(row: dict[str, float]) -> None:
    scale = budgeted_scale(a_curve(), 0, float(row["position"]), row["budget"] * USD, (0.978, 1.001))

    assert scale == pytest.approx(row["scale"], rel=1e-12)


@given(position=positions, budget=st.floats(-500, 500))
def test_a_budgeted_scale_costs_its_budget_or_meets_a_bound(position: float, budget: float) -> None:
    assume(abs(position) > 1)
    curve = a_curve()
    price, value = curve_price(curve, 0, position), closing_value(curve, 0, position)
    scale = budgeted_scale(curve, 0, position, budget * USD, (0.978, 1.001))
    rescale(curve, 0, position, scale)
    cost = value - closing_value(curve, 0, position)

    assert 0.978 <= scale <= 1.001
    assert curve_price(curve, 0, position) == pytest.approx(price, rel=1e-12)
    if 0.978 < scale < 1.001:
        assert cost == pytest.approx(budget * USD, rel=1e-6, abs=10)
    else:
        assert (cost - budget * USD) * (scale - 1) <= 10


def test_a_position_fits_until_the_band_is_left() -> None:
    assert fits(a_curve(), 0, 200.0, 1.0, 1.25)
    assert not fits(a_curve(), 0, 260.0, 1.0, 1.25)
    assert fits(a_curve(), 0, 245.0, 1.0, 1.25)
    assert not fits(a_curve(), 0, 245.0, 0.9, 1.25)
    assert not fits(a_curve(), 0, -195.0, 0.9, 1.25)


def test_kernels_equal_their_python() -> None:
    curve: Any = a_curve()
    for position in (-300.0, 0.0, 120.0):
        for function, arguments in (
            (curve_price, ()),
            (closing_value, ()),
            (affordable_peg, (130 * USD, 40 * USD)),
            (tethered_peg, (130 * USD, 0.05, 40 * USD)),
            (budgeted_scale, (3 * USD, (0.978, 1.001))),
            (open_sides, (1.4,)),
        ):
            plain: Any = function
            assert plain(curve, 0, position, *arguments) == pytest.approx(
                plain.py_func(curve, 0, position, *arguments), rel=1e-13
            )


def test_the_reference_curve_is_the_one_tested() -> None:
    section = reference("curve")

    assert (section["reserves"], section["peg"]) == (a_curve().root[0], a_curve().peg[0] / USD)
